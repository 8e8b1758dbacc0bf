/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guest_ops: small things that a kernel does, timed in a guest by the TSC, for bench/guest.c. It asks nobody for
 * anything: a line "NAME BATCHES" on standard input is answered by a line "NAME TICKS...", the ticks that one operation
 * took in each batch. The first line that it says is "ready HZ NAME...", HZ being the TSC's.
 */
#ifndef GUEST_OPS_H
#define GUEST_OPS_H

#include <stddef.h>
#include <stdint.h>

#define PAGE ((size_t)4096)

struct op {
	const char *name;
	unsigned int per_batch;
	void (*prepare)(void);
	void (*run)(unsigned int count); /* so many of them */
	/* instead of run: the time of one batch where that is not from its start to its end */
	uint64_t (*ticks)(unsigned int count);
	void (*finish)(void);
};

/* Each ends with an entry without a name. */
extern const struct op call_ops[], memory_ops[], file_ops[];

extern uint64_t ticks_per_s;

uint64_t tsc(void);

/* Ends the program, with what failed, unless ok. */
void need(int ok, const char *what);

/* A file of up to 1 MiB in the share (DAX) or on this guest's own tmpfs, without a name. */
int dax_file(size_t len);
int tmpfs_file(size_t len);

#endif
