/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guest_dax: touches files whose end has gone away, in every way there is, and says what happened, one
 * "case NAME: ..." line each. It runs in a guest on a DAX share and, for comparison, on the host itself.
 *
 * Whoever started it changes the files from outside: "do REQUEST FILE NUMBER" on standard output is
 * answered by "ok NUMBER" on standard input.
 *	truncate FILE LEN	0
 *	size FILE 0		the file's size
 *	poke FILE OFFSET	0, after writing the byte 0x5a there
 *	stress FILE PAGES	0, after cutting FILE to a quarter and filling it again 1,000 times
 * Only of a host that can do such things to its files (box_causes.c), 0 when done:
 *	fill FILE 0		no space is left on FILE's file system
 *	free FILE 0		there is space again
 *	break FILE OFFSET	BAD_PAGES from the page there on cannot be read: as often as OFFSET is bytes beyond the
 *				page's start, or until they are healed if it is none
 *	heal FILE 0		they can be read again
 *	grow_at FILE N		FILE has its first length again, from the Nth time on that this length is asked for
 *	poison FILE OFFSET	the memory of the page there has failed
 * And of one that box_caching.c is, 0 when done:
 *	rewrite FILE PAGES	these pages' words are those of the pattern, each XORed with FRESH_SALT
 *	grow FILE PAGES		FILE has so many pages; those from FILE_PAGES on have such words
 *	appear FILE 0		FRESH_NAME is a file of one byte
 *	replace FILE 0		another one, of two bytes, was renamed to FRESH_NAME
 *	go FILE 0		it is gone
 *	mtime FILE 0		in nanoseconds since 1970
 */
#ifndef GUEST_DAX_H
#define GUEST_DAX_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PAGE	   ((size_t)4096)
#define FILE_PAGES 4
#define BAD_PAGES  4

/*
 * The host's files in run_io_error() and the like: bad pages begin here. For run_repaired() there is a counter of 0 in
 * each page; reading fails once, twice, 4 times and so on, then the file is found to be long again at the first look at
 * its length, the second and so on. Each has a page, and so has BAD_FILE_LEN of tests/kvm/bad_host.h.
 */
#define BAD_OFFSET	      (8 * PAGE)
#define COUNTER_OFFSET	      64
#define REPAIRED_FAILURES_MAX 128u
#define REPAIRED_LOOKS_MAX    16u

#define FRESH_SALT  UINT64_C(0x0123456789abcdef)
#define FRESH_PAGES (2 * FILE_PAGES)
#define FRESH_NAME  "name"

/* The host's file in run_page_cache(), "large": all pattern. */
#define CACHED_FILE_LEN ((size_t)64 << 20)

struct test_file {
	const char *name;
	int fd;
	uint8_t *map; /* all of it, shared, readable and writable */
	size_t len;
};

/* Every 8-byte word of a file tells where it belongs. */
uint64_t pattern_word(size_t offset);

/* Makes a file with the pattern, maps it and touches every page. Ends the program where it cannot. */
struct test_file open_file(const char *name, size_t pages);
void close_file(struct test_file *file);

/* What the other side does, and its answer. */
uint64_t ask(const char *request, const char *name, uint64_t number);

/* The caught signal, of the calling thread. */
struct caught {
	int signal; /* 0: none came */
	int code;
	uintptr_t addr;
};

typedef void (*access_fn)(uint8_t *map);
struct caught try_access(access_fn access, uint8_t *map);
void catch_signals(void);

void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "SIGBUS BUS_ADRERR at +4096", with the address relative to the mapping */
const char *caught_text(struct caught caught, const uint8_t *map, char text[96]);

/* The size as the file's server knows it, not as somebody remembers it. */
off_t fresh_size(const struct test_file *file);

void run_memory_cases(void);
void run_syscall_cases(void);
void run_process_cases(void);
void run_stress(void);
void run_figures(void);
void run_substitute(void);
void run_window(void);
void run_no_space(void);
void run_io_error(void);
void run_repaired(void);
void run_memory_failure(void);
void run_not_permitted(void);
void run_join(void);
void run_fresh(void);
void run_page_cache(void);
void run_times(void);

/* Where run_window() expects a file with the pattern: guest-physical address and length. */
#define WINDOW_GPA 0x200000000
#define WINDOW_LEN ((size_t)2 << 20)

#endif
