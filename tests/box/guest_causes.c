/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages that cannot be had for another reason than the file's length. Who asks for something at an offset gets the
 * answer for that offset; what went wrong once works when the host has been mended.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/box/guest_dax.h"

static void load(uint8_t *bad)
{
	(void)*(volatile uint8_t *)(bad + 123);
}

static void store(uint8_t *bad)
{
	*(volatile uint8_t *)(bad + PAGE + 7) = 1;
}

static void atomic_add(uint8_t *bad)
{
	__atomic_fetch_add((uint32_t *)(void *)(bad + 2 * PAGE + 64), 1, __ATOMIC_SEQ_CST);
}

/* Its first 100 bytes are in a good page. */
static void string_from(uint8_t *bad)
{
	uint8_t buffer[200];
	void *from = bad - 100;
	void *to = buffer;
	size_t count = sizeof(buffer);

	asm volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(count) : : "memory");
}

static const struct {
	const char *name;
	access_fn access;
} accesses[] = {
	{"load", load},
	{"store", store},
	{"atomic_add", atomic_add},
	{"string_from", string_from},
};

static void try_accesses(const char *when, uint8_t *bad)
{
	char text[96];

	for (size_t i = 0; i < sizeof(accesses) / sizeof(accesses[0]); i++)
		say("case %s %s: %s", when, accesses[i].name,
		    caught_text(try_access(accesses[i].access, bad), bad, text));
}

/* A count, or a negative error. */
static long result_of(ssize_t done)
{
	return done < 0 ? -errno : done;
}

static unsigned int not_zero(const uint8_t *bytes, size_t len)
{
	unsigned int count = 0;

	for (size_t i = 0; i < len; i++)
		count += bytes[i] != 0;
	return count;
}

static void try_calls(const char *when, const struct test_file *file, size_t bad)
{
	uint8_t bytes[200];
	int ends[2];

	memset(bytes, 0xee, sizeof(bytes));
	long done = result_of(pread(file->fd, bytes, 100, (off_t)(bad + 123)));

	say("case %s pread: %ld, %u not zero", when, done, not_zero(bytes, done > 0 ? (size_t)done : 0));
	say("case %s pread across: %ld", when, result_of(pread(file->fd, bytes, 200, (off_t)bad - 100)));
	memset(bytes, 0x5b, sizeof(bytes));
	say("case %s pwrite: %ld", when, result_of(pwrite(file->fd, bytes, 100, (off_t)(bad + 3 * PAGE + 8))));
	if (pipe(ends) == 0) {
		say("case %s from memory: %ld", when, result_of(write(ends[1], file->map + bad, 100)));
		close(ends[0]);
		close(ends[1]);
	}
}

static struct test_file open_there(const char *name, int flags, int protection)
{
	struct test_file file = {.name = name, .fd = open(name, flags | O_CLOEXEC)};
	struct stat st = {0};

	if (file.fd < 0 || fstat(file.fd, &st) < 0) {
		say("case %s: cannot be opened: %s", name, strerror(errno));
		_exit(99);
	}
	file.len = (size_t)st.st_size;
	file.map = mmap(NULL, file.len, protection, MAP_SHARED, file.fd, 0);
	if (file.map == MAP_FAILED) {
		say("case %s: cannot be mapped: %s", name, strerror(errno));
		_exit(99);
	}
	return file;
}

/* The host has made "sparse": a hole of BAD_PAGES at BAD_OFFSET. */
void run_no_space(void)
{
	struct test_file file = open_there("sparse", O_RDWR, PROT_READ | PROT_WRITE);

	ask("fill", file.name, 0);
	try_accesses("full", file.map + BAD_OFFSET);
	try_calls("full", &file, BAD_OFFSET);
	try_accesses("still full", file.map + BAD_OFFSET);
	ask("free", file.name, 0);
	try_accesses("free", file.map + BAD_OFFSET);
	try_calls("free", &file, BAD_OFFSET);
	say("case sum: %u", *(volatile uint32_t *)(void *)(file.map + BAD_OFFSET + 2 * PAGE + 64));
	munmap(file.map, file.len);
	close(file.fd);
}

void run_io_error(void)
{
	struct test_file file = open_there("file", O_RDWR, PROT_READ | PROT_WRITE);
	const volatile uint32_t *sum = (void *)(file.map + BAD_OFFSET + 2 * PAGE + 64);
	uint32_t before;

	ask("break", file.name, BAD_OFFSET);
	try_accesses("broken", file.map + BAD_OFFSET);
	try_calls("broken", &file, BAD_OFFSET);
	try_accesses("still broken", file.map + BAD_OFFSET);
	ask("heal", file.name, 0);
	before = *sum;
	try_accesses("healed", file.map + BAD_OFFSET);
	try_calls("healed", &file, BAD_OFFSET);
	say("case sum: %u", *sum - before);
	munmap(file.map, file.len);
	close(file.fd);
}

static void lock_inc(uint8_t *counter)
{
	asm volatile("lock incl (%0)" : : "r"(counter) : "cc", "memory");
}

static void exchange_and_add(uint8_t *counter)
{
	asm volatile("lock xaddl %0, (%1)" : : "r"(1), "r"(counter) : "cc", "memory");
}

/*
 * Reading fails so often and then works: before the host has looked what is wrong, while it looks, or when this
 * kernel repeats the access. Each time at a page that was not read before, with a counter of 0. Two instructions in
 * turn, since a host that finds nothing wrong reports only the first of a row at the same one.
 */
static void run_failures(const struct test_file *file, size_t page, unsigned int failures)
{
	access_fn add = page % 2 ? lock_inc : exchange_and_add;
	uint8_t *counter = file->map + page * PAGE + COUNTER_OFFSET;
	char text[96];

	ask("break", file->name, page * PAGE + failures);
	struct caught caught = try_access(add, counter);

	say("case failures %u: %s", failures, caught_text(caught, counter, text));
	ask("heal", file->name, 0);
	if (caught.signal)
		add(counter);
	say("case counter %u: %u", failures, *(volatile uint32_t *)(void *)counter);
}

/* The same for a file that is cut, and long again when its length is asked for the next time but so many. */
static void run_looks(const struct test_file *file, size_t page, unsigned int looks)
{
	access_fn add = page % 2 ? lock_inc : exchange_and_add;
	uint8_t *counter = file->map + page * PAGE + COUNTER_OFFSET;
	char text[96];

	ask("truncate", file->name, page * PAGE);
	ask("grow_at", file->name, looks);
	struct caught caught = try_access(add, counter);

	say("case looks %u: %s", looks, caught_text(caught, counter, text));
	/* otherwise the next round might find it grown before it begins */
	ask("grow_at", file->name, 0);
	ask("truncate", file->name, file->len);
	off_t size = fresh_size(file);

	if (caught.signal)
		add(counter);
	say("case looked counter %u: %u, size %ld", looks, *(volatile uint32_t *)(void *)counter, (long)size);
}

void run_repaired(void)
{
	struct test_file file = open_there("file", O_RDWR, PROT_READ | PROT_WRITE);
	size_t page = BAD_OFFSET / PAGE;

	for (unsigned int failures = 1; failures <= REPAIRED_FAILURES_MAX; failures *= 2)
		run_failures(&file, page++, failures);
	for (unsigned int looks = 1; looks <= REPAIRED_LOOKS_MAX; looks++)
		run_looks(&file, page++, looks);
	munmap(file.map, file.len);
	close(file.fd);
}

static uint64_t wrong_words(const struct test_file *file, size_t page)
{
	uint64_t wrong = 0;

	for (size_t offset = page * PAGE; offset < (page + 1) * PAGE; offset += 8)
		wrong += *(volatile uint64_t *)(void *)(file->map + offset) != pattern_word(offset);
	return wrong;
}

/* The file gets other memory when it is cut and grows again. */
void run_memory_failure(void)
{
	struct test_file file = open_file("failing", FILE_PAGES);
	uint8_t bytes[8] = {0};
	char text[96];

	ask("poison", file.name, PAGE);
	ask("poison", file.name, 2 * PAGE);
	say("case load: %s", caught_text(try_access(load, file.map + PAGE), file.map, text));
	say("case load again: %s", caught_text(try_access(load, file.map + PAGE), file.map, text));
	say("case store: %s", caught_text(try_access(store, file.map + PAGE), file.map, text));
	say("case string_from: %s", caught_text(try_access(string_from, file.map + PAGE), file.map, text));
	say("case pread: %ld", result_of(pread(file.fd, bytes, sizeof(bytes), PAGE + 8)));
	say("case pwrite: %ld", result_of(pwrite(file.fd, bytes, sizeof(bytes), 2 * PAGE + 8)));
	say("case others: %llu words are wrong", (unsigned long long)(wrong_words(&file, 0) + wrong_words(&file, 3)));
	ask("truncate", file.name, PAGE);
	say("case cut: %ld", (long)fresh_size(&file));
	ask("truncate", file.name, FILE_PAGES * PAGE);
	say("case grown: %ld", (long)fresh_size(&file));
	say("case mended load: %s", caught_text(try_access(load, file.map + PAGE), file.map, text));
	say("case mended store: %s", caught_text(try_access(store, file.map + PAGE), file.map, text));
	say("case mended bytes: %d %d", file.map[PAGE + 123], file.map[2 * PAGE + 7]);
	close_file(&file);
}

/* A file system that cannot be written: nothing of this is for the host to refuse in the middle of an access. */
void run_not_permitted(void)
{
	struct test_file file = open_there("read-only", O_RDONLY, PROT_READ);
	char text[96];

	say("case open for writing: %ld", result_of(open(file.name, O_RDWR | O_CLOEXEC)));
	say("case map for writing: %ld",
	    result_of(mmap(NULL, file.len, PROT_READ | PROT_WRITE, MAP_SHARED, file.fd, 0) == MAP_FAILED ? -1 : 0));
	say("case mprotect: %ld", result_of(mprotect(file.map, file.len, PROT_READ | PROT_WRITE)));
	say("case load: %s", caught_text(try_access(load, file.map), file.map, text));
	say("case store: %s", caught_text(try_access(store, file.map), file.map, text));
	say("case atomic_add: %s", caught_text(try_access(atomic_add, file.map), file.map, text));
	say("case wrong words: %llu", (unsigned long long)(wrong_words(&file, 0) + wrong_words(&file, 1)));
	munmap(file.map, file.len);
	close(file.fd);
}
