/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What guests remember of shares (docs/virtiofs.md, "Coherence"), with the time-outs that a share has if nobody says
 * anything else; box_coherence.c says 0. And what stays in the page cache of the guest. The same program runs on this
 * host first, where nothing is remembered at all.
 *
 * usage: box_caching LAUNCHER GUEST_DAX [TEST]
 */
#include "tests/lib/fl_test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "tests/box/guest_dax.h"
#include "tests/box/guest_run.h"

#define TIMEOUT_MS 1000 /* docs/virtiofs.md */
#define MARGIN_MS  1500 /* a look can take long where the guest is emulated */
#define FILE_CASES 3
#define NAME_CASES 3
#define TIME_CASES 9

#define GUEST_SIZE "-m512M"
static const char *const with_dax[] = {GUEST_SIZE, NULL};
static const char *const without_dax[] = {GUEST_SIZE, "--dax-window=0", NULL};

/* ---- what the host does ----------------------------------------------------------------- */

static long long write_pages(int fd, size_t first, size_t end, uint64_t salt)
{
	uint64_t words[PAGE / 8];

	for (size_t page = first; page < end; page++) {
		for (size_t i = 0; i < PAGE / 8; i++)
			words[i] = pattern_word(page * PAGE + 8 * i) ^ salt;
		if (pwrite(fd, words, PAGE, (off_t)(page * PAGE)) != (ssize_t)PAGE)
			return -1;
	}
	return 0;
}

static long long make_file(const char *path, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	ssize_t written = fd >= 0 ? write(fd, "xx", len) : -1;

	if (fd >= 0)
		close(fd);
	return written == (ssize_t)len ? 0 : -1;
}

static long long change(void *arg, const char *request, int fd, uint64_t number)
{
	const struct bench *bench = arg;
	char path[PATH_MAX + 16], other[PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/" FRESH_NAME, bench->data);
	snprintf(other, sizeof(other), "%s/other", bench->data);
	if (strcmp(request, "rewrite") == 0)
		return write_pages(fd, 0, number, FRESH_SALT);
	if (strcmp(request, "grow") == 0)
		return write_pages(fd, FILE_PAGES, number, FRESH_SALT);
	if (strcmp(request, "appear") == 0)
		return make_file(path, 1);
	if (strcmp(request, "replace") == 0)
		return make_file(other, 2) ? -1 : rename(other, path);
	return strcmp(request, "go") == 0 ? unlink(path) : -1;
}

/* ---- how long changes stay unseen ------------------------------------------------------- */

static const char *line_of(const struct transcript *transcript, const char *name)
{
	char start[64];
	const char *line;

	snprintf(start, sizeof(start), "case %s: ", name);
	line = strstr(transcript->out, start);
	assert_non_null(line);
	return line + strlen(start);
}

static bool is_said(const char *line, const char *what)
{
	const char *found = strstr(line, what);

	return found && found < line + strcspn(line, "\n");
}

static void assert_in_time(const char *what, long long ms, long long limit_ms)
{
	if (ms < 0 || ms > limit_ms)
		fail_msg("%s after %lld ms, at most %lld are allowed", what, ms, limit_ms);
}

static void assert_files_in_time(const struct transcript *transcript, long long limit_ms)
{
	static const char *const names[FILE_CASES] = {"rewrite", "truncate", "grow"};

	for (size_t i = 0; i < FILE_CASES; i++) {
		long long by_stat = -1, by_read = -1, by_load = -1;

		assert_int_equal(sscanf(line_of(transcript, names[i]), "stat %lld ms, read %lld ms, load %lld ms",
					&by_stat, &by_read, &by_load),
				 3);
		assert_in_time("stat", by_stat, limit_ms);
		assert_in_time("read", by_read, limit_ms);
		assert_in_time("load", by_load, limit_ms);
	}
}

static void assert_names_in_time(const struct transcript *transcript, long long limit_ms)
{
	static const char *const names[NAME_CASES] = {"appear", "replace", "go"};

	for (size_t i = 0; i < NAME_CASES; i++) {
		long long by_name = -1;

		assert_int_equal(sscanf(line_of(transcript, names[i]), "name %lld ms", &by_name), 1);
		assert_in_time(names[i], by_name, limit_ms);
	}
}

static void assert_fresh(const struct transcript *transcript, long long limit_ms)
{
	show("seen", transcript);
	assert_int_equal(transcript->status, 0);
	assert_files_in_time(transcript, limit_ms);
	assert_names_in_time(transcript, limit_ms);
}

static struct transcript seen_fresh(struct bench bench, const char *const *options)
{
	struct transcript native, guest;

	bench.serve = change;
	bench.serve_arg = &bench;
	run_on_host(&bench, "fresh", &native);
	assert_fresh(&native, MARGIN_MS);
	transcript_free(&native);
	run_in_guest(&bench, options, "fresh", &guest);
	assert_fresh(&guest, TIMEOUT_MS + MARGIN_MS);
	return guest;
}

/* The data is the host's, with nothing in between; a size is as old as the attributes, but for who touches a page. */
static void changes_are_seen_in_time(void **state)
{
	struct transcript guest = seen_fresh(*(struct bench *)*state, with_dax);

	assert_true(is_said(line_of(&guest, "rewrite"), "at once: load read"));
	assert_true(is_said(line_of(&guest, "truncate"), "at once: load"));
	assert_true(is_said(line_of(&guest, "grow"), "at once: load"));
	transcript_free(&guest);
}

/* A load alone asks for nothing: it shows what has changed when a stat or a read has found it. */
static void changes_are_seen_in_time_without_dax(void **state)
{
	struct transcript guest = seen_fresh(*(struct bench *)*state, without_dax);

	transcript_free(&guest);
}

/* ---- the guest's page cache ------------------------------------------------------------- */

struct growth {
	long long by_reads_kib, by_loads_kib;
};

static void make_large(const struct bench *bench)
{
	char path[PATH_MAX + 16];
	int fd;

	snprintf(path, sizeof(path), "%s/large", bench->data);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_int_equal(write_pages(fd, 0, CACHED_FILE_LEN / PAGE, 0), 0);
	close(fd);
}

static struct growth growth_of(struct transcript *transcript)
{
	struct growth growth;
	long long wrong = -1;

	show("seen", transcript);
	assert_int_equal(transcript->status, 0);
	assert_int_equal(sscanf(line_of(transcript, "page cache"),
				"%lld KiB by reads, %lld KiB by loads, %lld pages are wrong", &growth.by_reads_kib,
				&growth.by_loads_kib, &wrong),
			 3);
	assert_int_equal(wrong, 0);
	transcript_free(transcript);
	return growth;
}

static struct growth guest_growth(const struct bench *bench, const char *const *options)
{
	struct transcript native, guest;

	make_large(bench);
	run_on_host(bench, "page_cache", &native);
	/* what this host's cache does is not asked: others use it too */
	(void)growth_of(&native);
	run_in_guest(bench, options, "page_cache", &guest);
	return growth_of(&guest);
}

#define FILE_KIB   ((long long)(CACHED_FILE_LEN >> 10))
#define LITTLE_KIB 2048 /* the kernel counts on each CPU for itself, and the program is read as well */

static void what_is_read_by_dax_is_not_cached(void **state)
{
	struct growth growth = guest_growth(*state, with_dax);

	assert_true(growth.by_reads_kib <= LITTLE_KIB);
	assert_true(growth.by_loads_kib <= LITTLE_KIB);
}

/* As on a disk's file system: once, and then it is there. */
static void what_is_read_without_dax_is_cached_once(void **state)
{
	struct growth growth = guest_growth(*state, without_dax);

	assert_true(growth.by_reads_kib >= FILE_KIB - LITTLE_KIB);
	assert_true(growth.by_reads_kib <= FILE_KIB + LITTLE_KIB);
	assert_true(growth.by_loads_kib <= LITTLE_KIB);
}

/* ---- times ------------------------------------------------------------------------------ */

static long long tell_mtime(void *arg, const char *request, int fd, uint64_t number)
{
	struct stat st;

	(void)arg, (void)number;
	if (strcmp(request, "mtime") != 0 || fstat(fd, &st) < 0)
		return -1;
	return (long long)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
}

/* POSIX, "File Times Update"; one request for a thousand writes. */
static void writes_by_dax_change_mtime(void **state)
{
	struct bench bench = *(struct bench *)*state;
	struct transcript guest;

	bench.serve = tell_mtime;
	run_in_guest(&bench, with_dax, "times", &guest);
	show("seen", &guest);
	assert_int_equal(guest.status, 0);
	assert_int_equal(lines_with(guest.out, "case "), TIME_CASES);
	assert_int_equal(lines_with(guest.out, ": host's mtime changes\n"), TIME_CASES - 2);
	assert_true(is_said(line_of(&guest, "many_writes"), "written, host's mtime stays before close, changes after"));
	assert_true(is_said(line_of(&guest, "set_after_write"), "set, here 1000000000 s, there 1000000000 s"));
	transcript_free(&guest);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(changes_are_seen_in_time),	     cmocka_unit_test(changes_are_seen_in_time_without_dax),
	cmocka_unit_test(what_is_read_by_dax_is_not_cached), cmocka_unit_test(what_is_read_without_dax_is_cached_once),
	cmocka_unit_test(writes_by_dax_change_mtime),
};

int main(int argc, char **argv)
{
	return bench_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
