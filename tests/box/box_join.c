/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the guest's kernel says about its faults and what this host says about them are two accounts of the same
 * things, and docs/events.md says how to join them. Here that is done for a run, and nothing may be left over.
 *
 * usage: box_join LAUNCHER GUEST_DAX [TEST]
 */
#include "tests/lib/fl_test.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/box/guest_dax.h"
#include "tests/box/host_trouble.h"

#define VALUE_ROOM 512
/*
 * Of guest_join.c: each of its cases, and the hole twice; but read() asks for the size first where what was known of it
 * has expired (fuse_dax_read_iter), and then touches nothing.
 */
#define FAULTS_MIN 7

static long long serve_space(void *arg, const char *request, int fd, uint64_t number)
{
	const struct trouble *trouble = arg;

	(void)fd;
	(void)number;
	if (strcmp(request, "fill") == 0)
		bad_host_fill(trouble->dir);
	else if (strcmp(request, "free") == 0)
		bad_host_free_space(trouble->dir);
	else
		return -1;
	return 0;
}

/* The text after `name` up to one of `ends`; empty if it is not there. A backslash and what follows it is no end. */
static char *value_after(const char *line, const char *name, const char *ends, char value[VALUE_ROOM])
{
	const char *line_end = line + strcspn(line, "\n");
	const char *at = strstr(line, name);
	size_t len = 0;

	if (at && at < line_end)
		for (at += strlen(name); at < line_end && !strchr(ends, *at) && len < VALUE_ROOM - 2;) {
			if (*at == '\\')
				value[len++] = *at++;
			value[len++] = *at++;
		}
	value[len] = '\0';
	return value;
}

/* NAME=VALUE of a guest's line. */
static char *field(const char *line, const char *name, char value[VALUE_ROOM])
{
	char with_equals[32];

	snprintf(with_equals, sizeof(with_equals), " %s=", name);
	return value_after(line, with_equals, " ", value);
}

/* "NAME":VALUE of an event, without the quotation marks. */
static char *member(const char *line, const char *name, char value[VALUE_ROOM])
{
	char with_colon[32];

	snprintf(with_colon, sizeof(with_colon), "\"%s\":\"", name);
	if (*value_after(line, with_colon, "\"", value))
		return value;
	snprintf(with_colon, sizeof(with_colon), "\"%s\":", name);
	return value_after(line, with_colon, ",}", value);
}

static const char *next_line(const char *line)
{
	line += strcspn(line, "\n");
	return *line ? line + 1 : NULL;
}

/* The only event of this vCPU with a record of this number; NULL, with a line about it, if that is not so. */
static const char *event_of(const char *events, const char *guest_line)
{
	char apicid[VALUE_ROOM], seq[VALUE_ROOM], value[VALUE_ROOM];
	const char *found = NULL;
	unsigned int count = 0;

	field(guest_line, "apicid", apicid);
	field(guest_line, "seq", seq);
	for (const char *line = events; line; line = next_line(line)) {
		if (strcmp(member(line, "outcome", value), "record") != 0 ||
		    strcmp(member(line, "vcpu", value), apicid) != 0 ||
		    strcmp(member(line, "guest_seq", value), seq) != 0)
			continue;
		found = line;
		count++;
	}
	if (count != 1)
		printf("# %u events for %.400s\n", count, guest_line);
	return count == 1 ? found : NULL;
}

static bool same(const char *what, const char *guest, const char *host)
{
	if (*guest && strcmp(guest, host) == 0)
		return true;
	printf("# %s: the guest says %s, the host %s\n", what, guest, host);
	return false;
}

static bool same_access(const char *guest_line, const char *event)
{
	static const char *const names[] = {"cause", "access", "gpa"};
	char guest[VALUE_ROOM], host[VALUE_ROOM];
	bool all = true;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		all &= same(names[i], field(guest_line, names[i], guest), member(event, names[i], host));
	bool user = strcmp(field(guest_line, "mode", guest), "user") == 0;

	all &= same("cpl", user ? "3" : "0", member(event, "cpl", host));
	/* the kernel's are told by name */
	if (user)
		all &= same("rip", field(guest_line, "ip", guest), member(event, "rip", host));
	return all;
}

static bool same_address(const char *guest_line, const char *event)
{
	char guest[VALUE_ROOM], host[VALUE_ROOM];

	return strcmp(member(event, "gva", host), "null") == 0 || same("gva", field(guest_line, "gva", guest), host);
}

/* Of kstrdup_quotable(): \xHH. Of JSON, and then of docs/events.md: what stands for a quotation mark and a backslash.
 */
static char *unescape(char *text)
{
	static const struct {
		const char *escape;
		char byte;
	} escapes[] = {{"\\x22", '"'}, {"\\x5c", '\\'}, {"\\\\\\\\", '\\'}, {"\\\"", '"'}};
	char *to = text;

	for (const char *from = text; *from; to++) {
		*to = *from;
		size_t used = 1;

		for (size_t i = 0; i < sizeof(escapes) / sizeof(escapes[0]) && used == 1; i++) {
			size_t len = strlen(escapes[i].escape);

			if (strncmp(from, escapes[i].escape, len) != 0)
				continue;
			*to = escapes[i].byte;
			used = len;
		}
		from += used;
	}
	*to = '\0';
	return text;
}

/* A file that was closed and unlinked since has another name in no account: it still was there then. */
static bool same_place(const struct bench *bench, const char *message, const char *event)
{
	char guest[VALUE_ROOM], host[VALUE_ROOM], path[PATH_MAX + VALUE_ROOM];
	bool all = same("offset", field(message, "offset", guest), member(event, "file_offset", host));

	value_after(message, " file=\"", "\"", guest);
	snprintf(path, sizeof(path), "%s%s", bench->data, unescape(guest));
	return same("file", path, unescape(member(event, "path", host))) && all;
}

/* Lines of this kind, each joined with one event; the number of those that were not. */
static unsigned int join(const struct bench *bench, const char *out, const char *kind, const char *events,
			 unsigned int *count)
{
	unsigned int bad = 0;

	*count = 0;
	for (const char *line = out; line; line = next_line(line)) {
		if (strncmp(line, kind, strlen(kind)) != 0)
			continue;
		const char *event = event_of(events, line);
		bool good = event && same_access(line, event);

		if (good && kind[0] == 't')
			good = same_address(line, event);
		else if (good)
			good = same_place(bench, line, event);
		*count += 1;
		bad += !good;
	}
	return bad;
}

/* /proc/vmstat has the lines of the trace, by outcome. */
static unsigned int wrong_counters(const char *out)
{
	static const struct {
		const char *counter, *outcome;
	} counters[] = {
		{"vmstat pvpf_user_repeated ", " outcome=repeated "},
		{"vmstat pvpf_user_refreshed ", " outcome=refreshed "},
		{"vmstat pvpf_user_sigbus ", " outcome=sigbus "},
		{"vmstat pvpf_kernel_fixed_up ", " outcome=fixed-up "},
		{"vmstat pvpf_kernel_substituted ", " outcome=substituted "},
		{"vmstat pvpf_kernel_died ", " outcome=died "},
	};
	unsigned int wrong = 0;

	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
		char value[VALUE_ROOM], traced[16];
		unsigned int count = 0;

		for (const char *line = out; line; line = next_line(line)) {
			const char *at = strstr(line, counters[i].outcome);

			count += strncmp(line, "trace ", 6) == 0 && at && at < line + strcspn(line, "\n");
		}
		snprintf(traced, sizeof(traced), "%u", count);
		const char *line = strstr(out, counters[i].counter);

		wrong += !same(counters[i].counter, value_after(line ? line : "", counters[i].counter, "\n", value),
			       traced);
	}
	return wrong;
}

static void make_sparse(const struct trouble *trouble)
{
	close(bad_host_file(trouble->dir, "sparse", BAD_OFFSET, BAD_PAGES * PAGE));
}

static void assert_cases(const struct transcript *guest)
{
	assert_line(guest, "case tracing: on\n");
	assert_line(guest, "case load: SIGBUS BUS_ADRERR at +8315\n");
	assert_line(guest, "case store: SIGBUS BUS_ADRERR at +4103\n");
	assert_line(guest, "case a\"quoted\\name: SIGBUS BUS_ADRERR at +8315\n");
	assert_line(guest, "case memory: -1, Bad address\n");
	assert_line(guest, "case pread: 0\n");
	assert_line(guest, "case pwrite: 100\n");
	assert_line(guest, "case hole: SIGBUS BUS_ADRERR at +8315\n");
}

static void guest_and_host_tell_the_same_story(void **state)
{
	struct trouble *trouble = trouble_new(state);
	const char *const options[] = {"--cpus", "2", "--events", trouble->events, NULL};
	unsigned int traced, told;
	struct transcript guest;

	mount_small_tmpfs(trouble);
	trouble->bench.serve = serve_space;
	make_sparse(trouble);
	run_in_guest(&trouble->bench, options, "join", &guest);
	if (guest.status != 0)
		show("guest", &guest);
	assert_int_equal(guest.status, 0);
	assert_cases(&guest);
	char *events = read_file(trouble->events);
	unsigned int records = lines_with(events, "\"outcome\":\"record\"");
	unsigned int bad = join(&trouble->bench, guest.out, "trace ", events, &traced);

	bad += join(&trouble->bench, guest.out, "log ", events, &told);
	bad += wrong_counters(guest.out);
	printf("# %u records, %u trace events, %u messages\n", records, traced, told);
	if (bad || traced != records) {
		show("guest", &guest);
		printf("# events: %s\n", events);
	}
	assert_int_equal(bad, 0);
	assert_true(traced >= FAULTS_MIN);
	/* each event of the trace has another one of the host, so that none of these is left over */
	assert_int_equal(traced, records);
	assert_int_equal(told, traced - lines_with(guest.out, " outcome=repeated "));
	free(events);
	transcript_free(&guest);
	unmount_tmpfs(trouble);
	free(trouble);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(guest_and_host_tell_the_same_story),
};

int main(int argc, char **argv)
{
	return bench_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
