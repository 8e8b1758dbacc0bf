/* SPDX-License-Identifier: Apache-2.0 */
/* A vCPU inside a fault: held until it is answered, where somebody is to be inside it, and never longer than it may be.
 */
#include "tests/lib/fl_test.h"

#include <errno.h>
#include <time.h>

#include "cli/scenario/guests/guests_impl.h"

#define LONG_NS	 UINT64_C(20000000000) /* what comes at all comes by then */
#define SHORT_NS UINT64_C(50000000)

static const struct fl_fault a_fault = {.size = sizeof(a_fault)};

struct world {
	struct fl_scn_guests guests;
	struct fl_scn_step steps[2];
	struct fl_scn_actor host;
	struct fl_scn_case scenario_case;
	enum fl_action got[2];
};

static void on_change(void *arg)
{
	(void)arg;
}

/* A host that is to be inside the faults 1 and 3. */
static void set_up(struct world *world, uint64_t hold_ns)
{
	pthread_condattr_t attributes;

	*world = (struct world){0};
	for (unsigned int i = 0; i < 2; i++)
		world->steps[i] = (struct fl_scn_step){.row = fl_scn_op_row(FL_SCN_HOST_INSIDE),
						       .operands = {{.n = 2 * i + 1}, {.n = 0}}};
	world->host = (struct fl_scn_actor){.by_host = true, .steps = world->steps, .steps_count = 2};
	world->scenario_case = (struct fl_scn_case){.actors = &world->host, .actors_count = 1};
	world->guests.current = (struct fl_scn_guests_case){.scenario_case = &world->scenario_case,
							    .deadline_ns = fl_scn_now_ns() + LONG_NS,
							    .hold_ns = hold_ns,
							    .changed = on_change};
	pthread_mutex_init(&world->guests.lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&world->guests.changed, &attributes);
	pthread_condattr_destroy(&attributes);
}

static void tear_down(struct world *world)
{
	assert_null(world->guests.held);
	pthread_cond_destroy(&world->guests.changed);
	pthread_mutex_destroy(&world->guests.lock);
}

static void *fault(void *arg)
{
	struct world *world = arg;

	world->got[0] = fl_scn_guests_decide(&world->guests, &a_fault);
	return NULL;
}

static void wait_until_held(struct world *world, uint64_t number)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	uint64_t until_ns = fl_scn_now_ns() + LONG_NS;

	while (!fl_scn_guests_is_held(&world->guests, number)) {
		assert_true(fl_scn_now_ns() < until_ns);
		nanosleep(&pause, NULL);
	}
}

static void it_waits_for_its_answer(void **state)
{
	struct world world;
	pthread_t vcpu;

	(void)state;
	set_up(&world, LONG_NS);
	assert_int_equal(fl_scn_guests_answer(&world.guests, 1, FL_ACTION_RETRY), -ETIMEDOUT);
	assert_int_equal(pthread_create(&vcpu, NULL, fault, &world), 0);
	wait_until_held(&world, 1);
	assert_false(fl_scn_guests_is_held(&world.guests, 3));
	assert_int_equal(fl_scn_guests_answer(&world.guests, 1, FL_ACTION_RETRY), 0);
	/* also while that thread has not run yet */
	assert_int_equal(fl_scn_guests_answer(&world.guests, 1, FL_ACTION_STOP), -ETIMEDOUT);
	pthread_join(vcpu, NULL);
	assert_int_equal(world.got[0], FL_ACTION_RETRY);
	tear_down(&world);
}

static void one_that_nobody_wants_goes_on_at_once(void **state)
{
	struct world world;
	pthread_t vcpu;

	(void)state;
	set_up(&world, LONG_NS);
	world.guests.questions = 1;
	assert_int_equal(fl_scn_guests_decide(&world.guests, &a_fault), FL_ACTION_NEXT);
	assert_int_equal(pthread_create(&vcpu, NULL, fault, &world), 0);
	wait_until_held(&world, 3);
	assert_int_equal(fl_scn_guests_answer(&world.guests, 3, FL_ACTION_REFLECT), 0);
	pthread_join(vcpu, NULL);
	assert_int_equal(world.got[0], FL_ACTION_REFLECT);
	world.guests.questions = 0;
	world.guests.current.machine = 1; /* the steps are about another one */
	assert_int_equal(fl_scn_guests_decide(&world.guests, &a_fault), FL_ACTION_NEXT);
	world.guests.questions = 0;
	world.guests.current.scenario_case = NULL; /* between two cases */
	assert_int_equal(fl_scn_guests_decide(&world.guests, &a_fault), FL_ACTION_NEXT);
	tear_down(&world);
}

static void it_is_not_held_for_ever(void **state)
{
	struct world world;

	(void)state;
	set_up(&world, SHORT_NS);
	uint64_t begin_ns = fl_scn_now_ns();

	assert_int_equal(fl_scn_guests_decide(&world.guests, &a_fault), FL_ACTION_NEXT);
	assert_true(fl_scn_now_ns() - begin_ns >= SHORT_NS);
	assert_int_equal(fl_scn_guests_answer(&world.guests, 1, FL_ACTION_RETRY), -ETIMEDOUT);
	tear_down(&world);
}

static void it_is_not_held_beyond_its_case(void **state)
{
	struct world world;
	pthread_t vcpu;

	(void)state;
	set_up(&world, LONG_NS);
	uint64_t begin_ns = fl_scn_now_ns();

	world.guests.current.deadline_ns = begin_ns + SHORT_NS;
	assert_int_equal(fl_scn_guests_decide(&world.guests, &a_fault), FL_ACTION_NEXT);
	assert_true(fl_scn_now_ns() - begin_ns < LONG_NS);
	tear_down(&world);

	set_up(&world, LONG_NS);
	assert_int_equal(pthread_create(&vcpu, NULL, fault, &world), 0);
	wait_until_held(&world, 1);
	fl_scn_guests_let_go(&world.guests);
	pthread_join(vcpu, NULL);
	assert_int_equal(world.got[0], FL_ACTION_NEXT);
	world.guests.questions = 2;
	assert_int_equal(fl_scn_guests_decide(&world.guests, &a_fault), FL_ACTION_NEXT);
	tear_down(&world);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(it_waits_for_its_answer),
	cmocka_unit_test(one_that_nobody_wants_goes_on_at_once),
	cmocka_unit_test(it_is_not_held_for_ever),
	cmocka_unit_test(it_is_not_held_beyond_its_case),
};

FL_TEST_MAIN(60, tests)
