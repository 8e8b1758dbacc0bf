/* SPDX-License-Identifier: Apache-2.0 */
/* The loop's thread: what is posted to it, how it starts and stops. */
#include "tests/lib/fl_test.h"

#include <liburing.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "tests/unit/floor/loop_fixture.h"

#define POSTERS	      4
#define POSTS_OF_EACH 2000

struct poster {
	struct fl_loop *loop;
	unsigned int next; /* number that has to come next, on the loop's thread */
	bool in_order;
	struct numbered {
		struct poster *poster;
		unsigned int number;
	} posts[POSTS_OF_EACH];
};

static void on_numbered(void *arg)
{
	struct numbered *post = arg;

	post->poster->in_order &= post->number == post->poster->next;
	post->poster->next++;
}

static void *post_all(void *arg)
{
	struct poster *poster = arg;

	for (unsigned int i = 0; i < POSTS_OF_EACH; i++) {
		poster->posts[i] = (struct numbered){poster, i};
		if (fl_loop_post(poster->loop, on_numbered, &poster->posts[i]))
			return poster;
	}
	return NULL;
}

static void test_posts_of_many_threads_all_run_in_order(void **state)
{
	struct fixture *fixture = *state;
	struct poster *posters = calloc(POSTERS, sizeof(*posters));
	pthread_t threads[POSTERS];

	start(fixture->loop);
	for (int i = 0; i < POSTERS; i++) {
		posters[i].loop = fixture->loop;
		posters[i].in_order = true;
		pthread_create(&threads[i], NULL, post_all, &posters[i]);
	}
	for (int i = 0; i < POSTERS; i++) {
		void *failed;

		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	fl_loop_stop(fixture->loop);
	for (int i = 0; i < POSTERS; i++) {
		assert_true(posters[i].in_order);
		assert_int_equal(posters[i].next, POSTS_OF_EACH);
	}
	free(posters);
}

static void count_up(void *arg)
{
	atomic_fetch_add((atomic_uint *)arg, 1);
}

static void test_accepted_posts_run_even_if_never_started(void **state)
{
	struct fixture *fixture = *state;
	atomic_uint count = 0;

	for (int i = 0; i < 3; i++)
		assert_int_equal(fl_loop_post(fixture->loop, count_up, &count), 0);
	assert_int_equal(count, 0);
	fl_loop_stop(fixture->loop);
	assert_int_equal(count, 3);
	assert_int_equal(fl_loop_post(fixture->loop, count_up, &count), -ESHUTDOWN);
	fl_loop_stop(fixture->loop);
	assert_int_equal(count, 3);
}

struct gate {
	sem_t entered, leave;
};

static void wait_at_gate(void *arg)
{
	struct gate *gate = arg;

	sem_post(&gate->entered);
	sem_wait(&gate->leave);
}

static void *stop_loop(void *arg)
{
	fl_loop_stop(arg);
	return NULL;
}

static void test_accepted_posts_run_when_stopped(void **state)
{
	struct fixture *fixture = *state;
	atomic_uint count = 0, late = 0;
	unsigned int accepted = 0;
	struct gate gate;
	pthread_t stopper;

	sem_init(&gate.entered, 0, 0);
	sem_init(&gate.leave, 0, 0);
	start(fixture->loop);
	assert_int_equal(fl_loop_post(fixture->loop, wait_at_gate, &gate), 0);
	sem_wait(&gate.entered);
	pthread_create(&stopper, NULL, stop_loop, fixture->loop);
	/* the stop may come before or after any of these: exactly the accepted ones run */
	while (fl_loop_post(fixture->loop, count_up, &count) == 0)
		accepted++;
	assert_int_equal(fl_loop_post(fixture->loop, count_up, &late), -ESHUTDOWN);
	sem_post(&gate.leave);
	pthread_join(stopper, NULL);
	assert_int_equal(count, accepted);
	assert_int_equal(late, 0);
}

struct thread_facts {
	sigset_t mask;
	char name[16];
};

static void look_at_thread(void *arg)
{
	struct thread_facts *facts = arg;

	pthread_sigmask(SIG_SETMASK, NULL, &facts->mask);
	pthread_getname_np(pthread_self(), facts->name, sizeof(facts->name));
}

static void test_thread_blocks_all_signals_and_has_its_name(void **state)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGPIPE, SIGUSR1, SIGCHLD, SIGALRM, SIGIO};
	struct fixture *fixture = *state;
	struct thread_facts facts;
	sigset_t before, after;

	pthread_sigmask(SIG_SETMASK, NULL, &before);
	start(fixture->loop);
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	on_loop(fixture->loop, look_at_thread, &facts);
	for (size_t i = 0; i < FL_ARRAY_SIZE(signals); i++) {
		assert_int_equal(sigismember(&facts.mask, signals[i]), 1);
		assert_int_equal(sigismember(&after, signals[i]), sigismember(&before, signals[i]));
	}
	assert_string_equal(facts.name, "test-loop");
	assert_int_equal(fl_loop_start(fixture->loop, NULL), -EBUSY);
}

/* What this host gives is found out apart from the loop: a bare ring. */
static void test_uring_is_used_unless_told_not_to(void **state)
{
	struct fixture *fixture = *state;
	struct io_uring ring;
	bool works = io_uring_queue_init(4, &ring, 0) == 0;

	if (works)
		io_uring_queue_exit(&ring);
	assert_int_equal(fl_loop_uses_uring(fixture->loop), works && fixture->flags != FL_LOOP_NO_URING);
}

static const struct CMUnitTest tests[] = {
	ON_BOTH(test_posts_of_many_threads_all_run_in_order), ON_BOTH(test_accepted_posts_run_even_if_never_started),
	ON_BOTH(test_accepted_posts_run_when_stopped),	      ON_BOTH(test_thread_blocks_all_signals_and_has_its_name),
	ON_BOTH(test_uring_is_used_unless_told_not_to),
};
FL_TEST_MAIN(50, tests)
