/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Faults in user and kernel mode, on two CPUs, and then all that this kernel has to say about them: its trace, its log
 * and its counters, as lines of "trace", "log" and "vmstat". They are few enough for no message to be held back.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/box/guest_dax.h"

#define TRACING		  "/tmp/tracing"
#define SYSLOG_READ_ALL	  3 /* syslog(2) */
#define LOG_ROOM	  ((size_t)1 << 18)
#define MESSAGES_PATIENCE 20 /* seconds; those of kernel mode come a little later */

static void load(uint8_t *map)
{
	(void)*(volatile uint8_t *)(map + 2 * PAGE + 123);
}

static void store(uint8_t *map)
{
	*(volatile uint8_t *)(map + PAGE + 7) = 1;
}

static void use_cpu(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		say("case cpu %u: %s", cpu, strerror(errno));
}

static void start_tracing(void)
{
	const char *enable = TRACING "/events/exceptions/pvpf/enable";

	mkdir(TRACING, 0700);
	if (mount("tracefs", TRACING, "tracefs", 0, NULL) < 0)
		say("case tracing: no tracefs: %s", strerror(errno));
	int fd = open(enable, O_WRONLY | O_CLOEXEC);

	say("case tracing: %s", fd >= 0 && write(fd, "1", 1) == 1 ? "on" : strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* A file of its own for each, all but the first page of which is lost. */
static void try_lost(const char *name, unsigned int cpu, access_fn access)
{
	struct test_file file = open_file(name, FILE_PAGES);
	char text[96];

	use_cpu(cpu);
	ask("truncate", file.name, PAGE);
	say("case %s: %s", name, caught_text(try_access(access, file.map), file.map, text));
	close_file(&file);
}

/* The kernel reads the lost page at the user's address. */
static void try_from_memory(const char *name, unsigned int cpu)
{
	struct test_file file = open_file(name, FILE_PAGES);
	int ends[2];

	use_cpu(cpu);
	ask("truncate", file.name, PAGE);
	if (pipe(ends) == 0) {
		ssize_t done = write(ends[1], file.map + 2 * PAGE, 100);

		say("case %s: %zd, %s", name, done, done < 0 ? strerror(errno) : "");
		close(ends[0]);
		close(ends[1]);
	}
	close_file(&file);
}

/* The kernel reads and writes at an address of its own. */
static void try_file_calls(const char *name, unsigned int cpu, bool writes)
{
	struct test_file file = open_file(name, FILE_PAGES);
	uint8_t bytes[100] = {0};

	use_cpu(cpu);
	ask("truncate", file.name, PAGE);
	if (writes)
		say("case %s: %zd", name, pwrite(file.fd, bytes, sizeof(bytes), 2 * PAGE + 48));
	else
		say("case %s: %zd", name, pread(file.fd, bytes, sizeof(bytes), 2 * PAGE + 48));
	close_file(&file);
}

/* The host has made "sparse". Not even a second try helps there. */
static void try_hole(unsigned int cpu)
{
	int fd = open("sparse", O_RDWR | O_CLOEXEC);
	uint8_t *map = mmap(NULL, BAD_OFFSET + BAD_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char text[96];

	use_cpu(cpu);
	if (fd < 0 || map == MAP_FAILED) {
		say("case hole: %s", strerror(errno));
		return;
	}
	ask("fill", "sparse", 0);
	say("case hole: %s", caught_text(try_access(load, map + BAD_OFFSET), map + BAD_OFFSET, text));
	ask("free", "sparse", 0);
	munmap(map, BAD_OFFSET + BAD_PAGES * PAGE);
	close(fd);
}

/* Those with all the parts, or of a log only how many they are. */
static unsigned int tell_lines(const char *kind, char *text, const char *part, const char *but_not, bool tell)
{
	unsigned int count = 0;

	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		if (!strstr(line, part) || strstr(line, but_not))
			continue;
		count++;
		if (tell)
			say("%s %.480s", kind, line);
	}
	return count;
}

/* A file whose length is not known before. */
static char *read_whole(const char *path, char *text)
{
	FILE *file = fopen(path, "re");
	size_t len = file ? fread(text, 1, LOG_ROOM - 1, file) : 0;

	text[len] = '\0';
	if (file)
		fclose(file);
	return text;
}

static char *read_log(char *text)
{
	int len = klogctl(SYSLOG_READ_ALL, text, (int)LOG_ROOM - 1);

	text[len > 0 ? len : 0] = '\0';
	return text;
}

static void tell_all(void)
{
	char *text = malloc(LOG_ROOM);
	time_t until = time(NULL) + MESSAGES_PATIENCE;

	if (!text)
		return;
	/* what is only repeated is no message */
	unsigned int messages = tell_lines("", read_whole(TRACING "/trace", text), ": pvpf: ", "=repeated ", false);

	while (tell_lines("", read_log(text), ": host memory is lost: ", "#", false) < messages && time(NULL) < until)
		usleep(100000);
	tell_lines("trace", read_whole(TRACING "/trace", text), ": pvpf: ", "#", true);
	tell_lines("log", read_log(text), ": host memory is lost: ", "#", true);
	tell_lines("vmstat", read_whole("/proc/vmstat", text), "pvpf_", "#", true);
	free(text);
}

void run_join(void)
{
	start_tracing();
	try_lost("load", 0, load);
	try_lost("store", 1, store);
	try_lost("a\"quoted\\name", 1, load);
	try_from_memory("memory", 0);
	try_file_calls("pread", 1, false);
	try_file_calls("pwrite", 0, true);
	try_hole(1);
	tell_all();
}
