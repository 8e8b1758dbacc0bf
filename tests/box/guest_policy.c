/* SPDX-License-Identifier: Apache-2.0 */
/* What other policies than to reflect look like from inside, and a plain window. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "tests/box/guest_dax.h"

#define PATIENCE_S 20

static volatile uint64_t *word_at(uint8_t *map, size_t offset)
{
	return (volatile uint64_t *)(void *)(map + offset);
}

static void read_third_page(uint8_t *map)
{
	say("case third page: %#llx", (unsigned long long)*word_at(map, 2 * PAGE));
}

static void write_third_page(uint8_t *map)
{
	*word_at(map, 2 * PAGE + 8) = 0x77;
	say("case written: %#llx", (unsigned long long)*word_at(map, 2 * PAGE + 8));
}

static void try_case(const char *name, access_fn access, uint8_t *map)
{
	char text[96];

	say("case %s: %s", name, caught_text(try_access(access, map), map, text));
}

/* Its length is not asked for: the kernel here would then take the pages away itself, as it should. */
void run_substitute(void)
{
	struct test_file file = open_file("substitute", FILE_PAGES);
	time_t until;

	ask("truncate", file.name, PAGE);
	try_case("load", read_third_page, file.map);
	try_case("store", write_third_page, file.map);
	say("case first page: %s", *word_at(file.map, 8) == pattern_word(8) ? "as written" : "changed");
	ask("truncate", file.name, FILE_PAGES * PAGE);
	/* the file grew over it: it is the file's again, which has zeros there */
	for (until = time(NULL) + PATIENCE_S; *word_at(file.map, 2 * PAGE + 8) && time(NULL) < until;)
		usleep(1000);
	say("case after growth: %#llx", (unsigned long long)*word_at(file.map, 2 * PAGE + 8));
	ask("poke", file.name, 2 * PAGE + 16);
	say("case shared again: %#llx", (unsigned long long)*word_at(file.map, 2 * PAGE + 16));
	close_file(&file);
}

static void read_second_half(uint8_t *map)
{
	say("case second half: %#llx", (unsigned long long)*word_at(map, WINDOW_LEN / 2));
}

void run_window(void)
{
	int fd = open("/dev/mem", O_RDWR | O_CLOEXEC);
	uint8_t *map = mmap(NULL, WINDOW_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, WINDOW_GPA);
	size_t wrong = 0;

	if (fd < 0 || map == MAP_FAILED) {
		say("case window: cannot be mapped: %s", strerror(errno));
		return;
	}
	for (size_t offset = 0; offset < WINDOW_LEN; offset += 8)
		wrong += *word_at(map, offset) != pattern_word(offset);
	say("case window: %zu words are wrong", wrong);
	*word_at(map, PAGE) = 0x1122334455667788;
	ask("truncate", "window", WINDOW_LEN / 2);
	try_case("lost half", read_second_half, map);
	say("case first half: %#llx", (unsigned long long)*word_at(map, PAGE));
	ask("truncate", "window", WINDOW_LEN);
	read_second_half(map);
	munmap(map, WINDOW_LEN);
	close(fd);
}
