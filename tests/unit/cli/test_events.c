/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of events: what they look like, that they arrive whole, and that nothing about them holds anybody up. */
#include "tests/lib/fl_test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include "cli/events.h"
#include "cli/event_lines.h"

static void expect_line(char *line, size_t len, const char *expected)
{
	assert_non_null(line);
	assert_string_equal(line, expected);
	assert_int_equal(len, strlen(expected));
	free(line);
}

static void a_start_is_one_object(void **state)
{
	struct fl_vm_status status = {.mode = FL_FAULT_MODE_WATCH, .mode_why = "a \"reason\"\n\\ \xc3\xa4"};
	char root[] = "/", root_dir[] = "/srv/root", mount[] = "/tmp/a \"b\"", dir[] = "/b";
	struct fl_cli_share shares[] = {{.mount = root, .dir = root_dir}, {.mount = mount, .dir = dir}};
	struct fl_cli_options options = {.shares = shares, .share_count = 2};
	struct fl_cli_start_event event = {.time_ns = UINT64_C(1772366400250000000),
					   .options = &options,
					   .pid = 77,
					   .name = "vm",
					   .vcpus = 2,
					   .ram_len = UINT64_C(1) << 30,
					   .status = &status};
	/* docs/events.md: a control is \ooo in the decoded string, a backslash is doubled, UTF-8 stands for itself */
	static const char expected[] =
		"{\"event\":\"start\",\"time\":\"2026-03-01T12:00:00.250000000Z\",\"version\":\"" FL_VERSION
		"\",\"pid\":77,\"name\":\"vm\",\"vcpus\":2,\"memory\":1073741824,\"mode\":\"watch\","
		"\"why\":\"a \\\"reason\\\"\\\\012\\\\\\\\ \xc3\xa4\",\"shares\":["
		"{\"region\":\"root\",\"mount\":\"/\",\"dir\":\"/srv/root\"},"
		"{\"region\":\"share1\",\"mount\":\"/tmp/a \\\"b\\\"\",\"dir\":\"/b\"}]}";
	size_t len;
	char *line = fl_cli_start_line(&event, &len);

	(void)state;
	expect_line(line, len, expected);
}

static void an_end_has_all_counters(void **state)
{
	struct fl_counters counters = {.faults = (UINT64_C(1) << 53) + 1,
				       .outcome = {1, 2, 3, 4, 5},
				       .cause = {10, 11, 12, 13, 14, 15, 16, 17},
				       .window_ranges = 256,
				       .window_ranges_most = 244,
				       .window_nearly_full = 3,
				       .window_no_mappings = 2};
	struct fl_cli_end_event event = {.time_ns = 0,
					 .end = FL_END_NOT_RUN,
					 .code = 127,
					 .status = 127,
					 .text = "",
					 .counters = &counters,
					 .lost_events = 6};
	static const char expected[] =
		"{\"event\":\"end\",\"time\":\"1970-01-01T00:00:00.000000000Z\",\"end\":\"not-run\",\"code\":127,"
		"\"status\":127,\"text\":\"\",\"faults\":\"9007199254740993\",\"outcomes\":{\"retried\":1,"
		"\"record\":2,\"plain\":3,\"stopped\":4,\"substituted\":5},\"causes\":{\"none\":10,\"truncated\":11,"
		"\"no-space\":12,\"io-error\":13,\"memory-failure\":14,\"unmapped\":15,\"not-permitted\":16,"
		"\"unknown\":17},\"windows\":{\"ranges\":256,\"most\":244,\"nearly_full\":3,\"no_mappings\":2},"
		"\"lost_events\":6}";
	size_t len;
	char *line = fl_cli_end_line(&event, &len);

	(void)state;
	expect_line(line, len, expected);
}

static void a_windows_trouble_is_one_object(void **state)
{
	struct fl_window_event event = {.trouble = FL_WINDOW_NEARLY_FULL,
					.time_ns = UINT64_C(1772366400250000000),
					.region = "a \"b\"",
					.ranges = 256,
					.ranges_mapped = 240,
					.times = 3,
					.mappings_max = 65530};
	static const char expected[] =
		"{\"event\":\"window\",\"time\":\"2026-03-01T12:00:00.250000000Z\",\"region\":\"a \\\"b\\\"\","
		"\"trouble\":\"nearly-full\",\"ranges\":256,\"ranges_mapped\":240,\"times\":3,\"mappings_max\":65530}";
	size_t len;
	char *line = fl_cli_window_line(&event, &len);

	(void)state;
	expect_line(line, len, expected);
	event.trouble = FL_WINDOW_NO_MAPPINGS;
	line = fl_cli_window_line(&event, &len);
	assert_non_null(strstr(line, "\"trouble\":\"no-mappings\""));
	free(line);
}

struct rig {
	struct fl_cli_events events;
	char *complaints;
	size_t complaints_len;
	FILE *err;
};

static void open_events(struct rig *rig, const char *where)
{
	struct fl_diag diag = {0};

	rig->err = open_memstream(&rig->complaints, &rig->complaints_len);
	assert_non_null(rig->err);
	assert_int_equal(fl_cli_events_open(&rig->events, where, rig->err, &diag), 0);
}

static void close_events(struct rig *rig, int patience_ms)
{
	fl_cli_events_close(&rig->events, patience_ms);
	fclose(rig->err);
}

static void put_numbered(struct rig *rig, unsigned int from, unsigned int to, size_t pad)
{
	char line[9000];

	memset(line, 'x', sizeof(line));
	for (unsigned int i = from; i < to; i++) {
		int len = snprintf(line, sizeof(line), "%08u", i);

		line[len] = ' ';
		fl_cli_events_put(&rig->events, line, (size_t)len + pad, false);
	}
}

#define THREADS	   4
#define PER_THREAD 2000

struct putter {
	struct rig *rig;
	unsigned int from;
};

static void *put_many(void *arg)
{
	struct putter *putter = arg;

	put_numbered(putter->rig, putter->from, putter->from + PER_THREAD, putter->from % 512);
	return NULL;
}

static void lines_from_many_threads_arrive_whole_and_in_order(void **state)
{
	char path[] = "/tmp/fl-events.XXXXXX", line[1024];
	unsigned int seen = 0, next[THREADS] = {0};
	struct putter putters[THREADS];
	pthread_t threads[THREADS];
	struct rig rig;

	(void)state;
	close(mkstemp(path));
	open_events(&rig, path);
	for (unsigned int i = 0; i < THREADS; i++) {
		putters[i] = (struct putter){&rig, i * 10000};
		assert_int_equal(pthread_create(&threads[i], NULL, put_many, &putters[i]), 0);
	}
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(fl_cli_events_lost(&rig.events), 0);
	close_events(&rig, 10000);
	FILE *in = fopen(path, "re");

	for (; fgets(line, sizeof(line), in); seen++) {
		unsigned int number = (unsigned int)atoi(line), thread = number / 10000;

		assert_in_range(thread, 0, THREADS - 1);
		assert_int_equal(number % 10000, next[thread]++);
		assert_int_equal(strlen(line), 8 + thread * 10000 % 512 + 1);
	}
	fclose(in);
	unlink(path);
	assert_int_equal(seen, THREADS * PER_THREAD);
	assert_string_equal(rig.complaints, "");
	free(rig.complaints);
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* A pipe holds 64 KiB: what does not fit waits, then is lost, and nobody is held up by it. */
static void a_reader_that_does_not_read_loses_lines_and_nothing_else(void **state)
{
	char where[32];
	struct rig rig;
	int pipe_fds[2];
	double began;

	(void)state;
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	snprintf(where, sizeof(where), "fd:%d", pipe_fds[1]);
	open_events(&rig, where);
	began = now_s();
	put_numbered(&rig, 0, 3000, 8000);
	/* lines of 8009 bytes: what the room and the pipe hold is kept, no less, and but for the one being written no
	 * more */
	assert_in_range(fl_cli_events_lost(&rig.events), 3000 - ((4 << 20) + 65536) / 8009 - 1,
			3000 - (4 << 20) / 8009);
	fl_cli_events_put(&rig.events, "last", 4, true);
	close_events(&rig, 200);
	assert_true(now_s() - began < 10);
	assert_non_null(strstr(rig.complaints, "nobody reads them"));
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	free(rig.complaints);
}

static void a_reader_that_goes_away_is_reported_once(void **state)
{
	char where[32];
	struct rig rig;
	int pipe_fds[2];

	(void)state;
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	snprintf(where, sizeof(where), "fd:%d", pipe_fds[1]);
	open_events(&rig, where);
	close(pipe_fds[1]);
	close(pipe_fds[0]);
	for (unsigned int i = 0; i < 50; i++) {
		put_numbered(&rig, i, i + 1, 10);
		usleep(1000);
	}
	close_events(&rig, 5000);
	const char *first = strstr(rig.complaints, "cannot be written");

	assert_non_null(first);
	assert_null(strstr(first + 1, "cannot be written"));
	assert_non_null(strstr(rig.complaints, strerror(EPIPE)));
	free(rig.complaints);
}

static void a_full_disk_is_reported(void **state)
{
	struct rig rig;

	(void)state;
	open_events(&rig, "/dev/full");
	put_numbered(&rig, 0, 3, 10);
	close_events(&rig, 5000);
	assert_non_null(strstr(rig.complaints, strerror(ENOSPC)));
	free(rig.complaints);
}

static void expect_refused(const char *where, int error, const char *word)
{
	struct fl_cli_events events;
	struct fl_diag diag = {0};

	assert_int_equal(fl_cli_events_open(&events, where, stderr, &diag), error);
	assert_non_null(strstr(diag.text, word));
	fl_cli_events_put(&events, "x", 1, true); /* as with none */
	fl_cli_events_close(&events, 0);
}

static void places_that_cannot_be_are_refused(void **state)
{
	char where[32];
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	expect_refused("/no/such/dir/events", -ENOENT, "/no/such/dir/events");
	expect_refused("", -EINVAL, "FILE or fd:N");
	expect_refused("fd:", -EINVAL, "number");
	expect_refused("fd:-1", -EINVAL, "number");
	expect_refused("fd:1x", -EINVAL, "number");
	expect_refused("fd:987654321", -EBADF, "987654321");
	snprintf(where, sizeof(where), "fd:%d", fd);
	expect_refused(where, -EBADF, "not open for writing");
	close(fd);
}

/* open(2) would wait for a reader, with all signals blocked. */
static void a_fifo_needs_a_reader_first(void **state)
{
	char dir[] = "/tmp/faultline-events.XXXXXX", path[64], line[8] = "";
	struct fl_cli_events events;
	struct fl_diag diag = {0};
	int reader;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/fifo", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	expect_refused(path, -ENXIO, "start its reader first");
	reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(reader >= 0);
	assert_int_equal(fl_cli_events_open(&events, path, stderr, &diag), 0);
	assert_int_equal(fcntl(events.fd, F_GETFL) & O_NONBLOCK, 0);
	fl_cli_events_put(&events, "x", 1, false);
	fl_cli_events_close(&events, 5000);
	assert_int_equal(read(reader, line, sizeof(line)), 2);
	assert_string_equal(line, "x\n");
	close(reader);
	unlink(path);
	rmdir(dir);
}

static void a_line_without_memory_is_lost(void **state)
{
	struct rig rig;

	(void)state;
	open_events(&rig, "/dev/null");
	fl_cli_events_put(&rig.events, NULL, 0, true);
	assert_int_equal(fl_cli_events_lost(&rig.events), 1);
	close_events(&rig, 5000);
	assert_string_equal(rig.complaints, "");
	free(rig.complaints);
}

static void without_events_nothing_happens(void **state)
{
	struct fl_cli_events events;

	(void)state;
	fl_cli_events_none(&events);
	fl_cli_events_put(&events, "x", 1, true);
	assert_int_equal(fl_cli_events_lost(&events), 0);
	fl_cli_events_close(&events, 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_start_is_one_object),
	cmocka_unit_test(an_end_has_all_counters),
	cmocka_unit_test(a_windows_trouble_is_one_object),
	cmocka_unit_test(lines_from_many_threads_arrive_whole_and_in_order),
	cmocka_unit_test(a_reader_that_does_not_read_loses_lines_and_nothing_else),
	cmocka_unit_test(a_reader_that_goes_away_is_reported_once),
	cmocka_unit_test(a_full_disk_is_reported),
	cmocka_unit_test(places_that_cannot_be_are_refused),
	cmocka_unit_test(a_fifo_needs_a_reader_first),
	cmocka_unit_test(a_line_without_memory_is_lost),
	cmocka_unit_test(without_events_nothing_happens),
};

int main(void)
{
	alarm(40);
	signal(SIGPIPE, SIG_IGN); /* as the launcher has it */
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
