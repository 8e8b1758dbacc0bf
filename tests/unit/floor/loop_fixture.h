/* SPDX-License-Identifier: Apache-2.0 */
/* A loop for each test, once on io_uring (where it works) and once on poll(2), and a way to do things on its thread. */
#ifndef LOOP_FIXTURE_H
#define LOOP_FIXTURE_H

#include <poll.h>
#include <semaphore.h>

#include "fl_loop.h"

struct fixture {
	struct fl_loop *loop;
	uint32_t flags;
};

static inline int fixture_setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	/* the prestate is the flags */
	fixture->flags = (uint32_t)(uintptr_t)*state;
	*state = fixture;
	return fl_loop_new("test-loop", fixture->flags, &fixture->loop, NULL);
}

static inline int fixture_teardown(void **state)
{
	struct fixture *fixture = *state;

	fl_loop_free(fixture->loop);
	free(fixture);
	return 0;
}

#define ON_URING(f) cmocka_unit_test_prestate_setup_teardown(f, fixture_setup, fixture_teardown, NULL)
#define ON_POLL(f)  cmocka_unit_test_prestate_setup_teardown(f, fixture_setup, fixture_teardown, (void *)(uintptr_t)1)
#define ON_BOTH(f)  ON_URING(f), ON_POLL(f)

_Static_assert(FL_LOOP_NO_URING == 1, "the prestate above");

static inline void start(struct fl_loop *loop)
{
	struct fl_diag diag = {0};

	if (fl_loop_start(loop, &diag))
		fail_msg("%s", diag.text);
}

struct errand {
	void (*fn)(void *arg);
	void *arg;
	sem_t done;
};

static inline void run_errand(void *arg)
{
	struct errand *errand = arg;

	errand->fn(errand->arg);
	sem_post(&errand->done);
}

/* Runs fn on the loop's thread and waits for it. */
static inline void on_loop(struct fl_loop *loop, void (*fn)(void *arg), void *arg)
{
	struct errand errand = {.fn = fn, .arg = arg};

	sem_init(&errand.done, 0, 0);
	assert_int_equal(fl_loop_post(loop, run_errand, &errand), 0);
	sem_wait(&errand.done);
	sem_destroy(&errand.done);
}

static inline void nothing(void *arg)
{
	(void)arg;
}

/* Some rounds of the loop have gone by. */
static inline void let_rounds_pass(struct fl_loop *loop)
{
	for (int i = 0; i < 5; i++)
		on_loop(loop, nothing, NULL);
}

#endif
