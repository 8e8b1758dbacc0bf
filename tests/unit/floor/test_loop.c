/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/fl_test.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>

#include "tests/unit/floor/loop_fixture.h"

/* What a watched descriptor's callback saw and is to do. */
struct watcher {
	struct fl_loop *loop;
	unsigned int id;
	int fd[2];
	atomic_uint calls;
	atomic_uint events; /* of the last call */
	atomic_uint bytes;
	unsigned int remove_after; /* calls; 0: never */
	bool reads;
	struct watcher *victim; /* removed together with itself */
	sem_t called;
};

static void on_event(void *arg, int fd, uint32_t events)
{
	struct watcher *watcher = arg;
	char byte;

	atomic_store(&watcher->events, events);
	if (watcher->reads && read(fd, &byte, 1) == 1)
		atomic_fetch_add(&watcher->bytes, 1);
	if (watcher->victim) {
		fl_loop_remove_fd(watcher->loop, watcher->victim->id);
		fl_loop_remove_fd(watcher->loop, watcher->id);
	}
	if (atomic_fetch_add(&watcher->calls, 1) + 1 == watcher->remove_after)
		fl_loop_remove_fd(watcher->loop, watcher->id);
	sem_post(&watcher->called);
}

static void watcher_init(struct watcher *watcher, struct fl_loop *loop)
{
	memset(watcher, 0, sizeof(*watcher));
	watcher->loop = loop;
	sem_init(&watcher->called, 0, 0);
	assert_int_equal(pipe2(watcher->fd, O_CLOEXEC), 0);
}

static void watcher_fini(struct watcher *watcher)
{
	fl_close(&watcher->fd[0]);
	fl_close(&watcher->fd[1]);
	sem_destroy(&watcher->called);
}

static void watch(void *arg)
{
	struct watcher *watcher = arg;

	assert_int_equal(fl_loop_add_fd(watcher->loop, watcher->fd[0], POLLIN, on_event, watcher, &watcher->id), 0);
}

static void unwatch(void *arg)
{
	struct watcher *watcher = arg;

	fl_loop_remove_fd(watcher->loop, watcher->id);
}

static void put_byte(const struct watcher *watcher)
{
	assert_int_equal(write(watcher->fd[1], "x", 1), 1);
}

static void test_calls_for_each_byte(void **state)
{
	struct fixture *fixture = *state;
	struct watcher watcher;

	watcher_init(&watcher, fixture->loop);
	watcher.reads = true;
	watch(&watcher);
	start(fixture->loop);
	for (unsigned int i = 1; i <= 100; i++) {
		put_byte(&watcher);
		sem_wait(&watcher.called);
		assert_int_equal(watcher.bytes, i);
	}
	let_rounds_pass(fixture->loop);
	/* no call without a byte: a blocking read would hang there */
	assert_int_equal(watcher.calls, 100);
	assert_int_equal(watcher.events, POLLIN);
	on_loop(fixture->loop, unwatch, &watcher);
	watcher_fini(&watcher);
}

static void test_is_level_triggered(void **state)
{
	struct fixture *fixture = *state;
	struct watcher watcher;

	watcher_init(&watcher, fixture->loop);
	watcher.remove_after = 20;
	watch(&watcher);
	start(fixture->loop);
	put_byte(&watcher);
	for (int i = 0; i < 20; i++)
		sem_wait(&watcher.called);
	let_rounds_pass(fixture->loop);
	assert_int_equal(watcher.calls, 20);
	watcher_fini(&watcher);
}

static void test_many_bytes_before_the_start_are_all_seen(void **state)
{
	struct fixture *fixture = *state;
	struct watcher watcher;

	watcher_init(&watcher, fixture->loop);
	watcher.reads = true;
	for (int i = 0; i < 50; i++)
		put_byte(&watcher);
	watch(&watcher);
	start(fixture->loop);
	for (int i = 0; i < 50; i++)
		sem_wait(&watcher.called);
	assert_int_equal(watcher.bytes, 50);
	on_loop(fixture->loop, unwatch, &watcher);
	watcher_fini(&watcher);
}

static void test_two_ready_sources_first_removes_second(void **state)
{
	struct fixture *fixture = *state;
	struct watcher first, second;

	watcher_init(&first, fixture->loop);
	watcher_init(&second, fixture->loop);
	first.victim = &second;
	second.victim = &first;
	put_byte(&first);
	put_byte(&second);
	watch(&first);
	watch(&second);
	start(fixture->loop);
	let_rounds_pass(fixture->loop);
	/* whichever came first has silenced the other */
	assert_int_equal(first.calls + second.calls, 1);
	watcher_fini(&first);
	watcher_fini(&second);
}

struct swap {
	struct watcher old, new;
	sem_t swapped;
};

static void on_swap(void *arg, int fd, uint32_t events)
{
	struct swap *swap = arg;

	(void)fd;
	(void)events;
	fl_loop_remove_fd(swap->old.loop, swap->old.id);
	watch(&swap->new);
	sem_post(&swap->swapped);
}

static void watch_swap(void *arg)
{
	struct swap *swap = arg;

	assert_int_equal(fl_loop_add_fd(swap->old.loop, swap->old.fd[0], POLLIN, on_swap, swap, &swap->old.id), 0);
}

/* The new source takes the slot of the old one, of which completions may still be on their way. */
static void test_reused_slot_does_not_inherit_events(void **state)
{
	struct fixture *fixture = *state;
	struct swap swap;

	sem_init(&swap.swapped, 0, 0);
	start(fixture->loop);
	for (int i = 0; i < 200; i++) {
		watcher_init(&swap.old, fixture->loop);
		watcher_init(&swap.new, fixture->loop);
		swap.new.reads = true;
		put_byte(&swap.old);
		on_loop(fixture->loop, watch_swap, &swap);
		let_rounds_pass(fixture->loop);
		sem_wait(&swap.swapped);
		put_byte(&swap.old);
		let_rounds_pass(fixture->loop);
		assert_int_equal(swap.new.calls, 0);
		put_byte(&swap.new);
		sem_wait(&swap.new.called);
		assert_int_equal(swap.new.bytes, 1);
		on_loop(fixture->loop, unwatch, &swap.new);
		watcher_fini(&swap.old);
		watcher_fini(&swap.new);
	}
	sem_destroy(&swap.swapped);
}

static void test_hangup_is_reported(void **state)
{
	struct fixture *fixture = *state;
	struct watcher watcher;

	watcher_init(&watcher, fixture->loop);
	watcher.remove_after = 1;
	watch(&watcher);
	start(fixture->loop);
	let_rounds_pass(fixture->loop);
	assert_int_equal(watcher.calls, 0);
	fl_close(&watcher.fd[1]);
	sem_wait(&watcher.called);
	assert_int_equal(watcher.events, POLLHUP);
	watcher_fini(&watcher);
}

static void test_pollout_waits_for_room(void **state)
{
	struct fixture *fixture = *state;
	struct watcher watcher;
	char page[4096] = {0};

	watcher_init(&watcher, fixture->loop);
	watcher.remove_after = 1;
	assert_int_equal(fcntl(watcher.fd[1], F_SETPIPE_SZ, 4096), 4096);
	assert_int_equal(write(watcher.fd[1], page, sizeof(page)), sizeof(page));
	assert_int_equal(fl_loop_add_fd(fixture->loop, watcher.fd[1], POLLOUT, on_event, &watcher, &watcher.id), 0);
	start(fixture->loop);
	let_rounds_pass(fixture->loop);
	assert_int_equal(watcher.calls, 0);
	assert_int_equal(read(watcher.fd[0], page, sizeof(page)), sizeof(page));
	sem_wait(&watcher.called);
	assert_int_equal(watcher.events, POLLOUT);
	watcher_fini(&watcher);
}

static void test_regular_file_is_always_ready(void **state)
{
	struct fixture *fixture = *state;
	struct watcher watcher = {.loop = fixture->loop, .remove_after = 10, .fd = {-1, -1}};
	char name[] = "/tmp/fl-test-loop-XXXXXX";

	sem_init(&watcher.called, 0, 0);
	watcher.fd[0] = mkostemp(name, O_CLOEXEC);
	assert_true(watcher.fd[0] >= 0);
	unlink(name);
	watch(&watcher);
	start(fixture->loop);
	for (int i = 0; i < 10; i++)
		sem_wait(&watcher.called);
	assert_int_equal(watcher.events, POLLIN);
	watcher_fini(&watcher);
}

static void test_bad_descriptor_is_told_once(void **state)
{
	struct fixture *fixture = *state;
	struct watcher watcher;
	int fd;

	watcher_init(&watcher, fixture->loop);
	fd = watcher.fd[0];
	watch(&watcher);
	fl_close(&watcher.fd[0]);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	start(fixture->loop);
	sem_wait(&watcher.called);
	let_rounds_pass(fixture->loop);
	assert_int_equal(watcher.calls, 1);
	assert_int_equal(watcher.events, POLLNVAL);
	on_loop(fixture->loop, unwatch, &watcher);
	watcher_fini(&watcher);
}

/* A poll in flight holds the file: the other end must not wait for the end of the loop. */
static void test_removed_descriptor_can_be_closed_for_good(void **state)
{
	struct fixture *fixture = *state;
	struct pollfd writer;
	struct watcher watcher;

	watcher_init(&watcher, fixture->loop);
	watch(&watcher);
	start(fixture->loop);
	let_rounds_pass(fixture->loop);
	on_loop(fixture->loop, unwatch, &watcher);
	fl_close(&watcher.fd[0]);
	writer = (struct pollfd){.fd = watcher.fd[1]};
	assert_int_equal(poll(&writer, 1, 10000), 1);
	assert_true(writer.revents & POLLERR);
	watcher_fini(&watcher);
}

static void read_cpu_time(void *arg)
{
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, arg);
}

static int64_t cpu_time_us(struct fl_loop *loop)
{
	struct timespec used;

	on_loop(loop, read_cpu_time, &used);
	return (int64_t)used.tv_sec * 1000000 + used.tv_nsec / 1000;
}

static void test_sleeps_when_nothing_is_ready(void **state)
{
	struct fixture *fixture = *state;
	struct watcher watcher;
	int64_t before_us;

	watcher_init(&watcher, fixture->loop);
	watcher.reads = true;
	watch(&watcher);
	start(fixture->loop);
	for (int i = 0; i < 10; i++) {
		put_byte(&watcher);
		sem_wait(&watcher.called);
	}
	before_us = cpu_time_us(fixture->loop);
	usleep(300000);
	assert_in_range(cpu_time_us(fixture->loop) - before_us, 0, 20000);
	on_loop(fixture->loop, unwatch, &watcher);
	watcher_fini(&watcher);
}

/* A FIFO hangs up with its last writer and comes back with the next: the source has to live through both. */
static void test_fifo_is_heard_after_a_hangup(void **state)
{
	struct fixture *fixture = *state;
	struct watcher watcher = {.loop = fixture->loop, .reads = true};
	char dir[] = "/tmp/fl-test-loop-XXXXXX";
	char path[64];

	sem_init(&watcher.called, 0, 0);
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/fifo", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	watcher.fd[0] = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	watch(&watcher);
	start(fixture->loop);
	for (unsigned int i = 1; i <= 5; i++) {
		watcher.fd[1] = open(path, O_WRONLY | O_CLOEXEC);
		assert_true(watcher.fd[1] >= 0);
		put_byte(&watcher);
		while (atomic_load(&watcher.bytes) < i)
			sem_wait(&watcher.called);
		fl_close(&watcher.fd[1]);
		do
			sem_wait(&watcher.called);
		while (!(atomic_load(&watcher.events) & POLLHUP));
	}
	on_loop(fixture->loop, unwatch, &watcher);
	watcher_fini(&watcher);
	unlink(path);
	rmdir(dir);
}

struct ringer {
	struct fl_loop *loop;
	unsigned int id, calls_max;
	int fd;
	atomic_uint rung;
	atomic_uint heard; /* of those, by the last call */
	atomic_uint calls;
	sem_t called;
};

static void on_ring(void *arg)
{
	struct ringer *ringer = arg;

	atomic_store(&ringer->heard, atomic_load(&ringer->rung));
	if (atomic_fetch_add(&ringer->calls, 1) + 1 == ringer->calls_max)
		fl_loop_remove_fd(ringer->loop, ringer->id);
	sem_post(&ringer->called);
}

static void add_ringer(void *arg)
{
	struct ringer *ringer = arg;

	assert_int_equal(fl_loop_add_event(ringer->loop, ringer->fd, on_ring, ringer, &ringer->id), 0);
}

static void ring(struct ringer *ringer)
{
	const uint64_t one = 1;

	atomic_fetch_add(&ringer->rung, 1);
	assert_int_equal(write(ringer->fd, &one, sizeof(one)), sizeof(one));
}

static void ringer_init(struct ringer *ringer, struct fl_loop *loop)
{
	memset(ringer, 0, sizeof(*ringer));
	ringer->loop = loop;
	ringer->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_true(ringer->fd >= 0);
	sem_init(&ringer->called, 0, 0);
}

static void ringer_fini(struct ringer *ringer)
{
	close(ringer->fd);
	sem_destroy(&ringer->called);
}

/* Nothing empties the eventfd here: each write alone must be heard, and so must one from before the start. */
static void test_every_write_to_an_eventfd_is_heard(void **state)
{
	struct fixture *fixture = *state;
	struct ringer ringer;
	unsigned int calls;

	ringer_init(&ringer, fixture->loop);
	add_ringer(&ringer);
	ring(&ringer);
	start(fixture->loop);
	sem_wait(&ringer.called);
	for (int i = 0; i < 3000; i++) {
		/* sometimes the loop sleeps by then, sometimes not */
		if (i % 16 == 0)
			on_loop(fixture->loop, nothing, NULL);
		ring(&ringer);
		while (atomic_load(&ringer.heard) != atomic_load(&ringer.rung))
			sem_wait(&ringer.called);
	}
	/* silent while nobody writes */
	let_rounds_pass(fixture->loop);
	calls = ringer.calls;
	assert_in_range(calls, 3001, 2 * 3001);
	let_rounds_pass(fixture->loop);
	assert_int_equal(ringer.calls, calls);
	fl_loop_stop(fixture->loop);
	ringer_fini(&ringer);
}

static void test_an_eventfd_can_be_removed_from_its_callback(void **state)
{
	struct fixture *fixture = *state;
	struct ringer ringer;

	ringer_init(&ringer, fixture->loop);
	ringer.calls_max = 1;
	start(fixture->loop);
	on_loop(fixture->loop, add_ringer, &ringer);
	ring(&ringer);
	sem_wait(&ringer.called);
	ring(&ringer);
	let_rounds_pass(fixture->loop);
	assert_int_equal(ringer.calls, 1);
	/* and come back, with what was written meanwhile */
	ringer.calls_max = 0;
	on_loop(fixture->loop, add_ringer, &ringer);
	sem_wait(&ringer.called);
	fl_loop_stop(fixture->loop);
	ringer_fini(&ringer);
}

static void test_refuses_bad_arguments(void **state)
{
	struct fixture *fixture = *state;
	struct fl_loop *loop;
	unsigned int id;

	assert_int_equal(fl_loop_add_fd(fixture->loop, -1, POLLIN, on_event, NULL, &id), -EINVAL);
	assert_int_equal(fl_loop_add_fd(fixture->loop, 0, POLLIN, NULL, NULL, &id), -EINVAL);
	assert_int_equal(fl_loop_new("sixteen letters!", 0, &loop, NULL), -EINVAL);
	assert_int_equal(fl_loop_new("x", 0x80, &loop, NULL), -EINVAL);
	fl_loop_remove_fd(fixture->loop, 0);
	fl_loop_free(NULL);
}

static void test_sources_are_bounded(void **state)
{
	struct fixture *fixture = *state;
	unsigned int ids[FL_LOOP_SOURCES_MAX];
	unsigned int count = 0;
	struct watcher watcher;

	watcher_init(&watcher, fixture->loop);
	while (count < FL_LOOP_SOURCES_MAX &&
	       !fl_loop_add_fd(fixture->loop, watcher.fd[0], POLLIN, on_event, &watcher, &ids[count]))
		count++;
	/* one is the loop's own */
	assert_int_equal(count, FL_LOOP_SOURCES_MAX - 1);
	assert_int_equal(fl_loop_add_fd(fixture->loop, watcher.fd[0], POLLIN, on_event, &watcher, &ids[count]),
			 -ENOSPC);
	fl_loop_remove_fd(fixture->loop, ids[7]);
	assert_int_equal(fl_loop_add_fd(fixture->loop, watcher.fd[0], POLLIN, on_event, &watcher, &ids[7]), 0);
	for (unsigned int i = 0; i < count; i++)
		fl_loop_remove_fd(fixture->loop, ids[i]);
	watcher_fini(&watcher);
}

static const struct CMUnitTest tests[] = {
	ON_BOTH(test_calls_for_each_byte),
	ON_BOTH(test_is_level_triggered),
	ON_BOTH(test_many_bytes_before_the_start_are_all_seen),
	ON_BOTH(test_two_ready_sources_first_removes_second),
	ON_BOTH(test_reused_slot_does_not_inherit_events),
	ON_BOTH(test_hangup_is_reported),
	ON_BOTH(test_pollout_waits_for_room),
	ON_BOTH(test_regular_file_is_always_ready),
	ON_BOTH(test_bad_descriptor_is_told_once),
	ON_BOTH(test_removed_descriptor_can_be_closed_for_good),
	ON_BOTH(test_sleeps_when_nothing_is_ready),
	ON_BOTH(test_fifo_is_heard_after_a_hangup),
	ON_BOTH(test_every_write_to_an_eventfd_is_heard),
	ON_BOTH(test_an_eventfd_can_be_removed_from_its_callback),
	ON_BOTH(test_refuses_bad_arguments),
	ON_BOTH(test_sources_are_bounded),
};
FL_TEST_MAIN(50, tests)
