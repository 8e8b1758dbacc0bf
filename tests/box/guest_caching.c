/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest remembers of a share: how long it can take until it sees what the host has changed, with the time-outs
 * that a share has if nobody says anything else, and what a file that it reads takes of its page cache.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/box/guest_dax.h"

#define PATIENCE_MS 20000
#define PAUSE_NS    5000000
#define SETTLE_NS   50000000 /* longer than the host's clock of file times takes for a step */
#define PIECE_LEN   ((size_t)1 << 20)

/* ---- what the host changes -------------------------------------------------------------- */

/* What is to be seen of a file: its size, and what is at an offset; nothing beyond the end. */
struct want {
	off_t size;
	size_t offset;
	uint64_t word;
};

/* By one of the ways to look: since when it is there, after the change; -1: it is not. */
struct seen {
	int64_t since_ms;
	bool at_once; /* at the first look, and ever since */
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void pause_ns(long ns)
{
	const struct timespec pause = {.tv_nsec = ns};

	nanosleep(&pause, NULL);
}

/* What try_access() can do has no argument but an address. */
static uint64_t loaded;

static void load(uint8_t *map)
{
	loaded = *(volatile uint64_t *)(void *)map;
}

static bool loads_right(const struct test_file *file, const struct want *want)
{
	struct caught caught = try_access(load, file->map + want->offset);

	if ((off_t)want->offset >= want->size)
		return caught.signal == SIGBUS && caught.code == BUS_ADRERR;
	return !caught.signal && loaded == want->word;
}

static bool reads_right(const struct test_file *file, const struct want *want)
{
	uint64_t word = 0;
	ssize_t len = pread(file->fd, &word, sizeof(word), (off_t)want->offset);

	if ((off_t)want->offset >= want->size)
		return len == 0;
	return len == sizeof(word) && word == want->word;
}

static bool stats_right(const struct test_file *file, const struct want *want, const struct stat *before)
{
	struct stat st;

	return fstat(file->fd, &st) == 0 && st.st_size == want->size &&
	       (st.st_mtim.tv_sec != before->st_mtim.tv_sec || st.st_mtim.tv_nsec != before->st_mtim.tv_nsec);
}

static void note(struct seen *seen, bool right, int64_t since_ms, bool first)
{
	if (!right)
		*seen = (struct seen){.since_ms = -1};
	else if (seen->since_ms < 0)
		*seen = (struct seen){.since_ms = since_ms, .at_once = first};
}

/* The load comes first: whatever it shows nobody else has asked for in that round. */
static void watch_file(const char *name, const struct test_file *file, const struct want *want,
		       const struct stat *before)
{
	int64_t began = now_ms();
	struct seen load_seen = {-1, false}, read_seen = {-1, false}, stat_seen = {-1, false};

	for (bool first = true; now_ms() - began < PATIENCE_MS; first = false) {
		note(&load_seen, loads_right(file, want), now_ms() - began, first);
		note(&read_seen, reads_right(file, want), now_ms() - began, first);
		note(&stat_seen, stats_right(file, want, before), now_ms() - began, first);
		if (load_seen.since_ms >= 0 && read_seen.since_ms >= 0 && stat_seen.since_ms >= 0)
			break;
		pause_ns(PAUSE_NS);
	}
	say("case %s: stat %lld ms, read %lld ms, load %lld ms; at once: %s%s", name, (long long)stat_seen.since_ms,
	    (long long)read_seen.since_ms, (long long)load_seen.since_ms, load_seen.at_once ? "load" : "",
	    read_seen.at_once ? " read" : "");
}

static void change_file(const char *request, uint64_t number, const struct test_file *file, const struct want *want)
{
	struct stat before;

	pause_ns(SETTLE_NS);
	/* As much is remembered as can be, and as young: a page that has to be fetched makes attributes old. */
	(void)fresh_size(file);
	(void)reads_right(file, want);
	(void)loads_right(file, want);
	fstat(file->fd, &before);
	ask(request, file->name, number);
	watch_file(request, file, want, &before);
}

/* ---- names ------------------------------------------------------------------------------ */

/* -1: there is no such name; else the size of the file */
static off_t size_of(const char *name)
{
	struct stat st;

	return stat(name, &st) == 0 ? st.st_size : -1;
}

static void change_name(const char *request, const char *name, off_t wanted)
{
	int64_t began, since = -1;

	(void)size_of(name); /* and from now on it, or its absence, is remembered */
	ask(request, "fresh", 0);
	began = now_ms();
	for (int64_t ms = 0; since < 0 && ms < PATIENCE_MS; ms = now_ms() - began) {
		if (size_of(name) == wanted)
			since = ms;
		else
			pause_ns(PAUSE_NS);
	}
	say("case %s: name %lld ms", request, (long long)since);
}

void run_fresh(void)
{
	struct test_file file = open_file("fresh", FILE_PAGES);
	const size_t place = 2 * PAGE + 16, beyond = (FILE_PAGES + 1) * PAGE + 24;
	uint8_t *longer = mmap(NULL, FRESH_PAGES * PAGE, PROT_READ, MAP_SHARED, file.fd, 0);
	struct test_file long_file = {.name = file.name, .fd = file.fd, .map = longer};

	if (longer == MAP_FAILED)
		exit(99);
	change_file("rewrite", FILE_PAGES, &long_file,
		    &(struct want){(off_t)file.len, place, pattern_word(place) ^ FRESH_SALT});
	change_file("truncate", PAGE, &long_file, &(struct want){(off_t)PAGE, place, 0});
	change_file("grow", FRESH_PAGES, &long_file,
		    &(struct want){FRESH_PAGES * PAGE, beyond, pattern_word(beyond) ^ FRESH_SALT});
	change_name("appear", FRESH_NAME, 1);
	change_name("replace", FRESH_NAME, 2);
	change_name("go", FRESH_NAME, -1);
	munmap(longer, FRESH_PAGES * PAGE);
	close_file(&file);
}

/* ---- the page cache --------------------------------------------------------------------- */

static long long cached_kib(void)
{
	FILE *meminfo = fopen("/proc/meminfo", "re");
	long long kib = -1;
	char line[128];

	while (meminfo && kib < 0 && fgets(line, sizeof(line), meminfo))
		if (sscanf(line, "Cached: %lld", &kib) != 1)
			kib = -1;
	if (meminfo)
		fclose(meminfo);
	return kib;
}

static size_t wrong_pages(const uint8_t *bytes, size_t offset, size_t len)
{
	size_t wrong = 0;

	for (size_t at = 0; at < len; at += PAGE)
		wrong += *(const volatile uint64_t *)(const void *)(bytes + at) != pattern_word(offset + at);
	return wrong;
}

static size_t read_all(int fd)
{
	uint8_t *piece = malloc(PIECE_LEN);
	size_t wrong = 0;

	for (size_t offset = 0; piece && offset < CACHED_FILE_LEN; offset += PIECE_LEN) {
		if (pread(fd, piece, PIECE_LEN, (off_t)offset) != (ssize_t)PIECE_LEN)
			wrong++;
		wrong += wrong_pages(piece, offset, PIECE_LEN);
	}
	free(piece);
	return wrong + !piece;
}

void run_page_cache(void)
{
	int fd = open("large", O_RDONLY | O_CLOEXEC);
	uint8_t *map = mmap(NULL, CACHED_FILE_LEN, PROT_READ, MAP_SHARED, fd, 0);
	long long before = cached_kib(), read_kib, loaded_kib;
	size_t wrong;

	if (map == MAP_FAILED) {
		say("case page cache: %s", strerror(errno));
		return;
	}
	wrong = read_all(fd);
	read_kib = cached_kib();
	wrong += wrong_pages(map, 0, CACHED_FILE_LEN);
	loaded_kib = cached_kib();
	say("case page cache: %lld KiB by reads, %lld KiB by loads, %zu pages are wrong", read_kib - before,
	    loaded_kib - read_kib, wrong);
	munmap(map, CACHED_FILE_LEN);
	close(fd);
}
