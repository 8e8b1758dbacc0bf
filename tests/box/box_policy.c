/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What may be done about a lost page besides telling the guest, and what whoever runs a guest learns of it:
 * substitutes, windows, events, reports, memory that can be looked at.
 *
 * usage: box_policy LAUNCHER GUEST_DAX [TEST]
 */
#include "tests/lib/fl_test.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "tests/box/guest_dax.h"
#include "tests/box/guest_run.h"

/* "console=ttyS0 ..." lies there: the boot protocol's command line, src/vmm/layout.h */
#define CMDLINE_GPA 0x20000
#define RAM_LEN	    (UINT64_C(256) << 20)

static void assert_line(const struct transcript *guest, const char *line)
{
	if (lines_with(guest->out, line) != 1) {
		printf("# not once: %s\n", line);
		show("guest", guest);
	}
	assert_int_equal(lines_with(guest->out, line), 1);
}

static void assert_substituted(const struct bench *bench, const char *mode)
{
	const char *const options[] = {
		"--fault-mode", mode, "--on-fault", "stop", "--on-fault", "/tmp/data=substitute,stop", NULL};
	struct transcript guest;

	run_in_guest(bench, options, "substitute", &guest);
	assert_line(&guest, "case third page: 0\n");
	assert_line(&guest, "case load: no signal");
	assert_line(&guest, "case written: 0x77");
	assert_line(&guest, "case store: no signal");
	assert_line(&guest, "case first page: as written");
	assert_line(&guest, "case after growth: 0\n");
	assert_line(&guest, "case shared again: 0x5a\n");
	assert_true(lines_with(guest.err, "a private zero page put there") >= 1);
	assert_int_equal(guest.status, 0);
	transcript_free(&guest);
}

static void a_substitute_stands_until_the_file_grows(void **state)
{
	assert_substituted(*state, "strict");
	assert_substituted(*state, "watch");
}

static void make_window_file(const struct bench *bench, char path[PATH_MAX + 16])
{
	snprintf(path, PATH_MAX + 16, "%s/window", bench->data);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	for (size_t offset = 0; offset < WINDOW_LEN; offset += PAGE) {
		uint64_t words[PAGE / 8];

		for (size_t i = 0; i < PAGE / 8; i++)
			words[i] = pattern_word(offset + 8 * i);
		assert_int_equal(pwrite(fd, words, PAGE, (off_t)offset), PAGE);
	}
	close(fd);
}

static void a_window_is_the_file_itself(void **state)
{
	const struct bench *bench = *state;
	char path[PATH_MAX + 16], window[PATH_MAX + 64];
	const char *const options[] = {"--window", window, NULL};
	struct transcript guest;
	uint64_t word = 0;

	make_window_file(bench, path);
	snprintf(window, sizeof(window), "%s@%#llx", path, (unsigned long long)WINDOW_GPA);
	run_in_guest(bench, options, "window", &guest);
	assert_line(&guest, "case window: 0 words are wrong");
	assert_line(&guest, "case lost half: SIGBUS");
	assert_line(&guest, "case first half: 0x1122334455667788");
	/* and it came back when the file had grown: with the zeros that a file grows by */
	assert_line(&guest, "case second half: 0\n");
	assert_int_equal(guest.status, 0);
	assert_true(lines_with(guest.err, "/data/window") >= 1);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_int_equal(pread(fd, &word, sizeof(word), PAGE), sizeof(word));
	assert_int_equal(word, 0x1122334455667788);
	close(fd);
	transcript_free(&guest);
}

static char *read_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 1 << 20;
	char *text = calloc(1, len + 1);
	ssize_t n = fd >= 0 && text ? read(fd, text, len) : 0;

	if (text)
		text[n > 0 ? n : 0] = '\0';
	if (fd >= 0)
		close(fd);
	return text;
}

/* Somebody who follows the events and looks at the guest when it has ended. */
struct onlooker {
	char events[PATH_MAX + 16];
	int pid;
	char memory[64]; /* path of the guest's memory */
	uint64_t memory_len;
	char cmdline[64];
};

static int pid_of(const char *events)
{
	const char *at = strstr(events, "\"pid\":");

	return at ? atoi(at + strlen("\"pid\":")) : 0;
}

static int find_memory(struct onlooker *onlooker)
{
	char dir_name[64];
	struct dirent *entry;
	int found = -1;

	snprintf(dir_name, sizeof(dir_name), "/proc/%d/fd", onlooker->pid);
	DIR *dir = opendir(dir_name);

	while (dir && found < 0 && (entry = readdir(dir))) {
		char target[64] = "";

		if (readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1) < 0 ||
		    !strstr(target, "memfd:guest-ram"))
			continue;
		snprintf(onlooker->memory, sizeof(onlooker->memory), "/proc/%d/fd/%.10s", onlooker->pid, entry->d_name);
		found = openat(dirfd(dir), entry->d_name, O_RDONLY | O_CLOEXEC);
	}
	if (dir)
		closedir(dir);
	return found;
}

static void *look_on(void *arg)
{
	struct onlooker *onlooker = arg;
	struct stat st = {0};
	char *events = NULL;

	do {
		free(events);
		usleep(100000);
		events = read_file(onlooker->events);
	} while (!strstr(events, "\"event\":\"end\"") || !strchr(strstr(events, "\"event\":\"end\""), '\n'));
	onlooker->pid = pid_of(events);
	free(events);
	int fd = find_memory(onlooker);

	if (fd >= 0 && fstat(fd, &st) == 0)
		onlooker->memory_len = (uint64_t)st.st_size;
	if (pread(fd, onlooker->cmdline, sizeof(onlooker->cmdline) - 1, CMDLINE_GPA) < 0)
		onlooker->cmdline[0] = '\0';
	if (fd >= 0)
		close(fd);
	/* long after it should have waited: one that does not wait is gone by now */
	sleep(2);
	if (onlooker->pid > 1 && kill(onlooker->pid, SIGTERM) < 0)
		onlooker->pid = -1;
	return NULL;
}

static void a_stopped_guest_can_be_looked_at(void **state)
{
	const struct bench *bench = *state;
	struct onlooker onlooker = {0};
	char report[PATH_MAX + 16];
	const char *const options[] = {"--on-fault", "stop", "--on-stop", "wait",	   "-m", "256M",
				       "--report",   report, "--events",  onlooker.events, NULL};
	struct transcript guest;
	pthread_t thread;

	snprintf(report, sizeof(report), "%.4000s/report", bench->scratch);
	snprintf(onlooker.events, sizeof(onlooker.events), "%.4000s/events", bench->scratch);
	assert_int_equal(pthread_create(&thread, NULL, look_on, &onlooker), 0);
	run_in_guest(bench, options, "memory", &guest);
	pthread_join(thread, NULL);
	if (guest.status != 255 || onlooker.pid <= 0)
		show("guest", &guest);
	assert_int_equal(guest.status, 255);
	/* it was still there, with the memory where its own sentence says */
	assert_true(onlooker.pid > 0);
	assert_int_equal(onlooker.memory_len, RAM_LEN);
	assert_int_equal(strncmp(onlooker.cmdline, "console=ttyS0", 13), 0);
	assert_int_equal(lines_with(guest.err, onlooker.memory), 1);
	char *text = read_file(report);

	assert_int_equal(lines_with(text, "end: stopped by a fault"), 1);
	assert_int_equal(lines_with(text, "last fault: fault 1: vcpu 0 read"), 1);
	assert_true(lines_with(text, "/data/load") >= 2); /* the fault's, and the window's */
	assert_int_equal(lines_with(text, "\nvCPU 0\n"), 1);
	assert_true(lines_with(text, "  rip ") == 1 && lines_with(text, "  code at gpa ") == 1);
	assert_int_equal(lines_with(text, " memory \"ram\" stop"), 1);
	assert_int_equal(lines_with(text, "  \"root\" \"/\" \"/\"\n"), 1); /* a share: its tag, and where it is */
	free(text);
	transcript_free(&guest);
}

static void events_tell_the_whole_story(void **state)
{
	const struct bench *bench = *state;
	char path[PATH_MAX + 16];
	const char *const options[] = {"--events", path, "--on-fault", "reflect,stop", NULL};
	struct transcript guest;

	snprintf(path, sizeof(path), "%.4000s/events", bench->scratch);
	run_in_guest(bench, options, "memory", &guest);
	assert_int_equal(guest.status, 0);
	char *text = read_file(path);
	unsigned int lines = lines_with(text, "{");
	unsigned int faults = lines_with(text, "{\"event\":\"fault\"");
	char count[48];

	assert_int_equal(strncmp(text, "{\"event\":\"start\",", 17), 0);
	assert_int_equal(lines_with(text, "{\"event\":\"end\""), 1);
	assert_true(faults >= 16);
	assert_int_equal(lines, faults + 2);
	assert_true(lines_with(text, "/data/load_across\"") >= 1);
	/* the end's numbers are those of the lines before it */
	snprintf(count, sizeof(count), "\"status\":0,\"text\":\"\",\"faults\":%u,", faults);
	assert_int_equal(lines_with(text, count), 1);
	snprintf(count, sizeof(count), "\"truncated\":%u,", lines_with(text, "\"cause\":\"truncated\""));
	assert_int_equal(lines_with(text, count), 1);
	assert_int_equal(lines_with(text, "\"lost_events\":0}"), 1);
	assert_int_equal(text[strlen(text) - 2], '}');
	free(text);
	transcript_free(&guest);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_substitute_stands_until_the_file_grows),
	cmocka_unit_test(a_window_is_the_file_itself),
	cmocka_unit_test(a_stopped_guest_can_be_looked_at),
	cmocka_unit_test(events_tell_the_whole_story),
};

int main(int argc, char **argv)
{
	return bench_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
