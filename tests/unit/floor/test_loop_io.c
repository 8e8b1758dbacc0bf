/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/fl_test.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

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
	struct iovec iov[FL_LOOP_IO_MAX + 1];
	char bytes[FL_LOOP_IO_MAX + 1]; /* one for each: they are written at the same time */
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
	struct fl_loop_io io = {
		.op = FL_LOOP_READV, .fd = flood->fd, .iov_count = 1, .fn = on_flood_done, .arg = flood};

	for (flood->accepted = 0; flood->accepted <= FL_LOOP_IO_MAX; flood->accepted++) {
		flood->iov[flood->accepted] = (struct iovec){&flood->bytes[flood->accepted], 1};
		io.iov = &flood->iov[flood->accepted];
		flood->refused = fl_loop_submit(flood->loop, &io);
		if (flood->refused)
			break;
	}
}

static void test_io_in_flight_is_bounded(void **state)
{
	struct fixture *fixture = *state;
	struct flood flood = {.loop = fixture->loop, .fd = temp_file()};

	assert_int_equal(write(flood.fd, "x", 1), 1);
	sem_init(&flood.all_done, 0, 0);
	assert_int_equal(fl_loop_start(fixture->loop, NULL), 0);
	/* no callback runs inside a callback, so all of them are in flight at the end of this one */
	on_loop(fixture->loop, submit_flood, &flood);
	assert_int_equal(flood.accepted, FL_LOOP_IO_MAX);
	assert_int_equal(flood.refused, -EAGAIN);
	sem_wait(&flood.all_done);
	assert_int_equal(flood.sum, FL_LOOP_IO_MAX);
	atomic_store(&flood.done, 0);
	on_loop(fixture->loop, submit_flood, &flood);
	assert_int_equal(flood.accepted, FL_LOOP_IO_MAX);
	sem_wait(&flood.all_done);
	close(flood.fd);
}

static void test_files_are_allocated_and_copied(void **state)
{
	struct fixture *fixture = *state;
	FL_CLOSE int from = temp_file();
	FL_CLOSE int to = temp_file();
	struct fl_loop_io io = {.op = FL_LOOP_FALLOCATE, .fd = to, .offset = 4096, .len = 8192};
	char got[8] = "";
	struct stat st;

	assert_int_equal(fl_loop_start(fixture->loop, NULL), 0);
	assert_int_equal(run_job(fixture->loop, &io), 0);
	assert_int_equal(fstat(to, &st), 0);
	assert_int_equal(st.st_size, 4096 + 8192);
	io.mode = FALLOC_FL_PUNCH_HOLE; /* which wants KEEP_SIZE */
	assert_int_equal(run_job(fixture->loop, &io), -EOPNOTSUPP);
	assert_int_equal(pwrite(from, "0123456789", 10, 0), 10);
	io = (struct fl_loop_io){.op = FL_LOOP_COPY, .fd = from, .offset = 4, .to_fd = to, .to_offset = 2, .len = 5};
	assert_int_equal(run_job(fixture->loop, &io), 5);
	assert_int_equal(pread(to, got, sizeof(got), 0), 8);
	assert_memory_equal(got, "\0\00045678\0", 8);
	io = (struct fl_loop_io){.op = FL_LOOP_SYNCFS, .fd = to};
	assert_int_equal(run_job(fixture->loop, &io), 0);
	io = (struct fl_loop_io){.op = (enum fl_loop_op)77, .fd = to};
	assert_int_equal(run_job(fixture->loop, &io), -EINVAL);
}

/* ---- I/O that hangs: reads of an empty pipe ---- */

struct hang {
	struct job *jobs;
	char *bytes;
	struct iovec *iov;
	unsigned int count;
	int fds[2];
};

static void hang_begin(struct hang *hang, struct fl_loop *loop, unsigned int count)
{
	*hang = (struct hang){.count = count,
			      .jobs = calloc(count, sizeof(*hang->jobs)),
			      .bytes = calloc(count, 1),
			      .iov = calloc(count, sizeof(*hang->iov))};
	assert_int_equal(pipe2(hang->fds, O_CLOEXEC), 0);
	for (unsigned int i = 0; i < count; i++) {
		hang->iov[i] = (struct iovec){&hang->bytes[i], 1};
		hang->jobs[i] = (struct job){.loop = loop,
					     .io = {.op = FL_LOOP_READV,
						    .fd = hang->fds[0],
						    .iov = &hang->iov[i],
						    .iov_count = 1,
						    .blocks = true}};
		/* preadv2(2) takes -1 for "where the descriptor is", which a pipe wants, and so does io_uring */
		hang->jobs[i].io.offset = UINT64_MAX;
		sem_init(&hang->jobs[i].done, 0, 0);
		on_loop(loop, submit, &hang->jobs[i]);
		assert_int_equal(hang->jobs[i].submitted, 0);
	}
}

static unsigned int hang_done(const struct hang *hang)
{
	unsigned int done = 0;

	for (unsigned int i = 0; i < hang->count; i++)
		done += atomic_load(&hang->jobs[i].calls);
	return done;
}

static void hang_let_go(const struct hang *hang)
{
	for (unsigned int i = 0; i < hang->count; i++)
		assert_int_equal(write(hang->fds[1], "y", 1), 1);
}

static void hang_end(struct hang *hang)
{
	for (unsigned int i = 0; i < hang->count; i++) {
		assert_int_equal(hang->jobs[i].calls, 1);
		assert_int_equal(hang->jobs[i].result, 1);
		assert_int_equal(hang->bytes[i], 'y');
		sem_destroy(&hang->jobs[i].done);
	}
	free(hang->jobs);
	free(hang->bytes);
	free(hang->iov);
	close(hang->fds[0]);
	close(hang->fds[1]);
}

/* More of them than there are threads. The loop does other things, and then all are done. */
static void test_io_that_hangs_holds_up_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct hang hang;

	assert_int_equal(fl_loop_start(fixture->loop, NULL), 0);
	hang_begin(&hang, fixture->loop, FL_LOOP_WORKERS + 8);
	let_rounds_pass(fixture->loop);
	assert_int_equal(hang_done(&hang), 0);
	hang_let_go(&hang);
	for (unsigned int i = 0; i < hang.count; i++)
		sem_wait(&hang.jobs[i].done);
	hang_end(&hang);
}

static void test_copies_pass_reads_that_hang(void **state)
{
	struct fixture *fixture = *state;
	FL_CLOSE int from = temp_file();
	FL_CLOSE int to = temp_file();
	struct fl_loop_io io = {.op = FL_LOOP_COPY, .fd = from, .to_fd = to, .len = 5};
	struct hang hang;

	assert_int_equal(pwrite(from, "0123456789", 10, 0), 10);
	assert_int_equal(fl_loop_start(fixture->loop, NULL), 0);
	hang_begin(&hang, fixture->loop, FL_LOOP_WORKERS - 1);
	assert_int_equal(run_job(fixture->loop, &io), 5);
	assert_int_equal(hang_done(&hang), 0);
	hang_let_go(&hang);
	for (unsigned int i = 0; i < hang.count; i++)
		sem_wait(&hang.jobs[i].done);
	hang_end(&hang);
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

struct stall {
	unsigned int in_flight; /* as it was told first */
	sem_t told;
};

static void on_stall(void *arg, unsigned int in_flight)
{
	struct stall *stall = arg;

	if (!stall->in_flight)
		stall->in_flight = in_flight;
	sem_post(&stall->told);
}

/* It waits, says so again and again, and has called back for all of it when it returns. */
static void test_stop_waits_for_io_in_flight_and_says_so(void **state)
{
	struct fixture *fixture = *state;
	struct stall stall = {0};
	struct hang hang;
	pthread_t stopper;

	sem_init(&stall.told, 0, 0);
	fl_loop_on_stall(fixture->loop, 20, on_stall, &stall);
	assert_int_equal(fl_loop_start(fixture->loop, NULL), 0);
	hang_begin(&hang, fixture->loop, 3);
	let_rounds_pass(fixture->loop);
	assert_int_equal(sem_trywait(&stall.told), -1);
	pthread_create(&stopper, NULL, stop_loop, fixture->loop);
	while (!is_stopping(fixture->loop))
		usleep(1000);
	sem_wait(&stall.told);
	sem_wait(&stall.told);
	assert_int_equal(hang_done(&hang), 0);
	hang_let_go(&hang);
	pthread_join(stopper, NULL);
	assert_int_equal(stall.in_flight, 3);
	submit(&hang.jobs[0]);
	assert_int_equal(hang.jobs[0].submitted, -ESHUTDOWN);
	hang_end(&hang);
	sem_destroy(&stall.told);
}

struct finisher {
	struct fl_loop *loop;
	struct hang *hang;
	unsigned int done_inside; /* when fl_loop_finish_io() returned */
	sem_t begins, done;
};

static void finish_inside(void *arg)
{
	struct finisher *finisher = arg;

	sem_post(&finisher->begins);
	fl_loop_finish_io(finisher->loop);
	finisher->done_inside = hang_done(finisher->hang);
	sem_post(&finisher->done);
}

/* Inside a callback; what is posted meanwhile is not lost, and runs after it. */
static void test_a_callback_can_wait_for_all_io(void **state)
{
	struct fixture *fixture = *state;
	struct hang hang;
	struct finisher finisher = {.loop = fixture->loop, .hang = &hang};

	sem_init(&finisher.begins, 0, 0);
	sem_init(&finisher.done, 0, 0);
	assert_int_equal(fl_loop_start(fixture->loop, NULL), 0);
	hang_begin(&hang, fixture->loop, FL_LOOP_WORKERS + 4);
	assert_int_equal(fl_loop_post(fixture->loop, finish_inside, &finisher), 0);
	sem_wait(&finisher.begins);
	assert_int_equal(fl_loop_post(fixture->loop, nothing, NULL), 0);
	assert_int_equal(hang_done(&hang), 0);
	hang_let_go(&hang);
	sem_wait(&finisher.done);
	assert_int_equal(finisher.done_inside, hang.count);
	let_rounds_pass(fixture->loop);
	hang_end(&hang);
	sem_destroy(&finisher.begins);
	sem_destroy(&finisher.done);
}

/* ---- fl_loop_later() ---- */

struct chapter {
	struct fl_loop *loop;
	struct fl_loop_later later;
	bool inside;
	unsigned int runs, runs_inside;
	struct chapter *next;
};

static void on_later(void *arg)
{
	struct chapter *chapter = arg;

	chapter->runs++;
	chapter->runs_inside += chapter->inside;
	if (chapter->next)
		fl_loop_later(chapter->loop, &chapter->next->later);
}

static void ask_twice(void *arg)
{
	struct chapter *chapter = arg;

	chapter->inside = true;
	fl_loop_later(chapter->loop, &chapter->later);
	fl_loop_later(chapter->loop, &chapter->later);
	chapter->inside = false;
}

static void test_later_comes_once_and_after_the_callback(void **state)
{
	struct fixture *fixture = *state;
	struct chapter second = {.loop = fixture->loop, .later = {.fn = on_later, .arg = &second}};
	struct chapter first = {.loop = fixture->loop, .later = {.fn = on_later, .arg = &first}, .next = &second};

	assert_int_equal(fl_loop_start(fixture->loop, NULL), 0);
	for (unsigned int i = 1; i <= 3; i++) {
		on_loop(fixture->loop, ask_twice, &first);
		let_rounds_pass(fixture->loop);
		assert_int_equal(first.runs, i);
		assert_int_equal(second.runs, i);
	}
	assert_int_equal(first.runs_inside, 0);
}

static const struct CMUnitTest tests[] = {
	ON_BOTH(test_written_bytes_are_in_the_file),
	ON_BOTH(test_read_is_short_at_the_end_of_file),
	ON_BOTH(test_append_flag_reaches_the_kernel),
	ON_BOTH(test_sync_and_errors),
	ON_BOTH(test_io_in_flight_is_bounded),
	ON_BOTH(test_files_are_allocated_and_copied),
	ON_BOTH(test_io_that_hangs_holds_up_nothing),
	ON_BOTH(test_copies_pass_reads_that_hang),
	ON_BOTH(test_stop_waits_for_io_in_flight_and_says_so),
	ON_BOTH(test_a_callback_can_wait_for_all_io),
	ON_BOTH(test_later_comes_once_and_after_the_callback),
};
FL_TEST_MAIN(50, tests)
