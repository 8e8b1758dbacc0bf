/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Instructions that touch a lost page. Each has a file of its own, so that each is the first to find the
 * loss. Pages 1 to 3 of 4 are cut off; map is the start of the file.
 */
#include <string.h>
#include <sys/mman.h>

#include "tests/box/guest_dax.h"

static void load(uint8_t *map)
{
	(void)*(volatile uint8_t *)(map + PAGE + 123);
}

static void store(uint8_t *map)
{
	*(volatile uint8_t *)(map + 2 * PAGE + 7) = 1;
}

static void load_across(uint8_t *map)
{
	uint64_t value;

	asm volatile("movq %1, %0" : "=r"(value) : "m"(*(uint64_t(*)[1])(map + PAGE - 4)));
}

static void store_across(uint8_t *map)
{
	asm volatile("movq %1, %0" : "=m"(*(uint64_t(*)[1])(map + PAGE - 3)) : "r"(UINT64_C(1)));
}

static void load_sse_across(uint8_t *map)
{
	asm volatile("movups (%0), %%xmm0" : : "r"(map + PAGE - 8) : "xmm0", "memory");
}

static void atomic_add(uint8_t *map)
{
	__atomic_fetch_add((uint32_t *)(void *)(map + 3 * PAGE), 1, __ATOMIC_SEQ_CST);
}

static void compare_exchange_16(uint8_t *map)
{
	uint64_t low = 0, high = 0;

	asm volatile("lock cmpxchg16b (%2)"
		     : "+a"(low), "+d"(high)
		     : "r"(map + PAGE + 64), "b"(UINT64_C(1)), "c"(UINT64_C(2))
		     : "cc", "memory");
}

static void string_from(uint8_t *map)
{
	uint8_t buffer[200];
	void *from = map + PAGE - 100;
	void *to = buffer;
	size_t count = sizeof(buffer);

	asm volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(count) : : "memory");
}

static void string_to(uint8_t *map)
{
	uint8_t buffer[200] = {0};
	void *from = buffer;
	void *to = map + 2 * PAGE - 100; /* all of it lost */
	size_t count = sizeof(buffer);

	asm volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(count) : : "memory");
}

static void string_fill_across(uint8_t *map)
{
	void *to = map + PAGE - 64;
	size_t count = 16;

	asm volatile("rep stosq" : "+D"(to), "+c"(count) : "a"(0) : "memory");
}

static void library_copy(uint8_t *map)
{
	uint8_t buffer[PAGE];

	memcpy(buffer, map + PAGE + 16, 64);
	asm volatile("" : : "r"(buffer) : "memory");
}

static void push_operand(uint8_t *map)
{
	uint64_t value;

	asm volatile("pushq (%1)\n\tpopq %0" : "=r"(value) : "r"(map + PAGE + 8) : "memory");
}

static void read_modify_write(uint8_t *map)
{
	asm volatile("incl (%0)" : : "r"(map + 2 * PAGE + 40) : "cc", "memory");
}

static void fetch(uint8_t *map)
{
	((void (*)(void))(void *)(map + 2 * PAGE + 32))();
}

static void fetch_across(uint8_t *map)
{
	((void (*)(void))(void *)(map + PAGE - 2))();
}

static const struct {
	const char *name;
	access_fn access;
} accesses[] = {
	{"load", load},
	{"store", store},
	{"load_across", load_across},
	{"store_across", store_across},
	{"load_sse_across", load_sse_across},
	{"atomic_add", atomic_add},
	{"compare_exchange_16", compare_exchange_16},
	{"string_from", string_from},
	{"string_to", string_to},
	{"string_fill_across", string_fill_across},
	{"library_copy", library_copy},
	{"push_operand", push_operand},
	{"read_modify_write", read_modify_write},
	{"fetch", fetch},
	{"fetch_across", fetch_across},
};

static void plant_code(struct test_file *file)
{
	static const uint8_t across[] = {0xb8, 1, 2, 3, 4, 0xc3}; /* mov $0x04030201, %eax; ret */

	memcpy(file->map + PAGE - 2, across, sizeof(across));
	file->map[2 * PAGE + 32] = 0xc3;
	if (mprotect(file->map, file->len, PROT_READ | PROT_WRITE | PROT_EXEC) < 0)
		say("case %s: mprotect failed", file->name);
}

static void run_access(const char *name, access_fn access)
{
	struct test_file file = open_file(name, FILE_PAGES);
	char before[96], first[96], again[96];

	plant_code(&file);
	const char *before_text = caught_text(try_access(access, file.map), file.map, before);

	ask("truncate", name, PAGE);
	const char *first_text = caught_text(try_access(access, file.map), file.map, first);
	const char *again_text = caught_text(try_access(access, file.map), file.map, again);

	say("case %s: %s; then %s; again %s; page 0 %s", name, before_text, first_text, again_text,
	    *(volatile uint64_t *)file.map == pattern_word(0) ? "kept" : "changed");
	close_file(&file);
}

/* The file gets its length back: the lost bytes do not, but the pages work again. */
static void run_extension(void)
{
	struct test_file file = open_file("extension", FILE_PAGES);
	char text[96], after[96];

	ask("truncate", file.name, PAGE);
	const char *lost = caught_text(try_access(load, file.map), file.map, text);

	ask("truncate", file.name, FILE_PAGES * PAGE);
	ask("poke", file.name, 3 * PAGE + 5);
	off_t size = fresh_size(&file);
	const char *found = caught_text(try_access(load, file.map), file.map, after);

	say("case extension: %s; then size %ld, %s, byte %d, poked %#x, page 0 %s", lost, (long)size, found,
	    file.map[PAGE + 123], file.map[3 * PAGE + 5],
	    *(volatile uint64_t *)file.map == pattern_word(0) ? "kept" : "changed");
	file.map[PAGE] = 9;
	ask("truncate", file.name, 0);
	say("case extension_again: %s", caught_text(try_access(load, file.map), file.map, text));
	close_file(&file);
}

void run_memory_cases(void)
{
	for (size_t i = 0; i < sizeof(accesses) / sizeof(accesses[0]); i++)
		run_access(accesses[i].name, accesses[i].access);
	run_extension();
}
