/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/fl_test.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "tests/unit/floor/loop_fixture.h"

/* One I/O, submitted on the loop's thread; result as the callback gets it. */
struct job {
	struct fl_loop *loop;
	struct fl_loop_io io;
	int submitted;
	bool inside_call; /* true while fl_loop_submit() runs */
	bool called_inside;
	atomic_uint calls;
	int64_t result;
	sem_t done;
};

static void on_done(void *arg, int64_t result)
{
	struct job *job = arg;

	job->called_inside |= job->inside_call;
	job->result = result;
	atomic_fetch_add(&job->calls, 1);
	sem_post(&job->done);
}

static void submit(void *arg)
{
	struct job *job = arg;

	job->io.fn = on_done;
	job->io.arg = job;
	job->inside_call = true;
	job->submitted = fl_loop_submit(job->loop, &job->io);
	job->inside_call = false;
}

static int64_t run_job(struct fl_loop *loop, const struct fl_loop_io *io)
{
	struct job job = {.loop = loop, .io = *io};

	sem_init(&job.done, 0, 0);
	on_loop(loop, submit, &job);
	assert_int_equal(job.submitted, 0);
	sem_wait(&job.done);
	on_loop(loop, nothing, NULL);
	assert_int_equal(job.calls, 1);
	assert_false(job.called_inside);
	sem_destroy(&job.done);
	return job.result;
}

static int temp_file(void)
{
	char name[] = "/tmp/fl-test-loop-io-XXXXXX";
	int fd = mkostemp(name, O_CLOEXEC);

	assert_true(fd >= 0);
	unlink(name);
	return fd;
}

static void test_written_bytes_are_in_the_file(void **state)
{
	struct fixture *fixture = *state;
	FL_CLOSE int fd = temp_file();
	char hello[] = "hello ", world[] = "world", got[32] = "";
	struct iovec iov[] = {{hello, 6}, {world, 5}};
	struct fl_loop_io io = {.op = FL_LOOP_WRITEV, .fd = fd, .iov = iov, .iov_count = 2, .offset = 3};

	assert_int_equal(fl_loop_start(fixture->loop, NULL), 0);
	assert_int_equal(run_job(fixture->loop, &io), 11);
	assert_int_equal(pread(fd, got, sizeof(got), 0), 14);
	assert_memory_equal(got, "\0\0\0hello world", 14);
}

static void test_read_is_short_at_the_end_of_file(void **state)
{
	struct fixture *fixture = *state;
	FL_CLOSE int fd = temp_file();
	char a[4] = "", b[8] = "";
	struct iovec iov[] = {{a, sizeof(a)}, {b, sizeof(b)}};
	struct fl_loop_io io = {.op = FL_LOOP_READV, .fd = fd, .iov = iov, .iov_count = 2, .offset = 1};

	assert_int_equal(pwrite(fd, "0123456", 7, 0), 7);
	assert_int_equal(fl_loop_start(fixture->loop, NULL), 0);
	assert_int_equal(run_job(fixture->loop, &io), 6);
	assert_memory_equal(a, "1234", 4);
	assert_memory_equal(b, "56", 2);
	io.offset = 7;
	assert_int_equal(run_job(fixture->loop, &io), 0);
}

static void test_append_flag_reaches_the_kernel(void **state)
{
	struct fixture *fixture = *state;
	FL_CLOSE int fd = temp_file();
	char text[] = "xyz", got[8];
	struct iovec iov = {text, 3};
	struct fl_loop_io io = {
		.op = FL_LOOP_WRITEV, .fd = fd, .iov = &iov, .iov_count = 1, .offset = 0, .rw_flags = RWF_APPEND};

	assert_int_equal(pwrite(fd, "abc", 3, 0), 3);
	assert_int_equal(fl_loop_start(fixture->loop, NULL), 0);
	assert_int_equal(run_job(fixture->loop, &io), 3);
	assert_int_equal(pread(fd, got, sizeof(got), 0), 6);
	assert_memory_equal(got, "abcxyz", 6);
}

static void test_sync_and_errors(void **state)
{
	struct fixture *fixture = *state;
	FL_CLOSE int fd = temp_file();
	char byte;
	struct iovec iov = {&byte, 1}, nowhere = {(void *)8, 1};
	struct fl_loop_io io = {.op = FL_LOOP_FSYNC, .fd = fd};

	assert_int_equal(fl_loop_start(fixture->loop, NULL), 0);
	assert_int_equal(run_job(fixture->loop, &io), 0);
	io.op = FL_LOOP_FDATASYNC;
	assert_int_equal(run_job(fixture->loop, &io), 0);
	assert_int_equal(pwrite(fd, "x", 1, 0), 1);
	io = (struct fl_loop_io){.op = FL_LOOP_READV, .fd = fd, .iov = &nowhere, .iov_count = 1};
	assert_int_equal(run_job(fixture->loop, &io), -EFAULT);
	io = (struct fl_loop_io){.op = FL_LOOP_READV, .fd = 1000000, .iov = &iov, .iov_count = 1};
	assert_int_equal(run_job(fixture->loop, &io), -EBADF);
}

struct flood {
	struct fl_loop *loop;
	int fd;
	struct iovec iov;
	char byte;
	unsigned int accepted;
	int refused;
	atomic_uint done;
	int64_t sum;
	sem_t all_done;
};

static void on_flood_done(void *arg, int64_t result)
{
	struct flood *flood = arg;

	flood->sum += result;
	if (atomic_fetch_add(&flood->done, 1) + 1 == flood->accepted)
		sem_post(&flood->all_done);
}

static void submit_flood(void *arg)
{
	struct flood *flood = arg;
	struct fl_loop_io io = {.op = FL_LOOP_READV,
				.fd = flood->fd,
				.iov = &flood->iov,
				.iov_count = 1,
				.fn = on_flood_done,
				.arg = flood};

	while (flood->accepted <= FL_LOOP_IO_MAX && !(flood->refused = fl_loop_submit(flood->loop, &io)))
		flood->accepted++;
}

static void test_io_in_flight_is_bounded(void **state)
{
	struct fixture *fixture = *state;
	struct flood flood = {.loop = fixture->loop, .fd = temp_file()};

	flood.iov = (struct iovec){&flood.byte, 1};
	assert_int_equal(write(flood.fd, "x", 1), 1);
	sem_init(&flood.all_done, 0, 0);
	assert_int_equal(fl_loop_start(fixture->loop, NULL), 0);
	/* no callback runs inside a callback, so all of them are in flight at the end of this one */
	on_loop(fixture->loop, submit_flood, &flood);
	assert_int_equal(flood.accepted, FL_LOOP_IO_MAX);
	assert_int_equal(flood.refused, -EAGAIN);
	sem_wait(&flood.all_done);
	assert_int_equal(flood.sum, FL_LOOP_IO_MAX);
	flood.accepted = 0;
	atomic_store(&flood.done, 0);
	on_loop(fixture->loop, submit_flood, &flood);
	assert_int_equal(flood.accepted, FL_LOOP_IO_MAX);
	sem_wait(&flood.all_done);
	close(flood.fd);
}

static void *stop_loop(void *arg)
{
	fl_loop_stop(arg);
	return NULL;
}

static bool is_stopping(struct fl_loop *loop)
{
	return fl_loop_post(loop, nothing, NULL) == -ESHUTDOWN;
}

/* Only with io_uring: the fall-back would block in the read. */
static void test_stop_waits_for_io_in_flight(void **state)
{
	struct fixture *fixture = *state;
	char byte = 0;
	struct iovec iov = {&byte, 1};
	struct job job = {.loop = fixture->loop};
	pthread_t stopper;
	int fds[2];

	if (!fl_loop_uses_uring(fixture->loop))
		skip();
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	sem_init(&job.done, 0, 0);
	job.io = (struct fl_loop_io){.op = FL_LOOP_READV, .fd = fds[0], .iov = &iov, .iov_count = 1};
	assert_int_equal(fl_loop_start(fixture->loop, NULL), 0);
	on_loop(fixture->loop, submit, &job);
	pthread_create(&stopper, NULL, stop_loop, fixture->loop);
	while (!is_stopping(fixture->loop))
		usleep(1000);
	assert_int_equal(job.calls, 0);
	assert_int_equal(write(fds[1], "y", 1), 1);
	pthread_join(stopper, NULL);
	assert_int_equal(job.calls, 1);
	assert_int_equal(job.result, 1);
	assert_int_equal(byte, 'y');
	submit(&job);
	assert_int_equal(job.submitted, -ESHUTDOWN);
	close(fds[0]);
	close(fds[1]);
}

static const struct CMUnitTest tests[] = {
	ON_BOTH(test_written_bytes_are_in_the_file),  ON_BOTH(test_read_is_short_at_the_end_of_file),
	ON_BOTH(test_append_flag_reaches_the_kernel), ON_BOTH(test_sync_and_errors),
	ON_BOTH(test_io_in_flight_is_bounded),	      ON_URING(test_stop_waits_for_io_in_flight),
};
FL_TEST_MAIN(50, tests)
