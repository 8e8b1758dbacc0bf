/* SPDX-License-Identifier: Apache-2.0 */
/* Inside guest_life. */
#ifndef GUEST_LIFE_H
#define GUEST_LIFE_H

#include <stdint.h>

/* In the third page of a file that has one left */
#define LOST_OFFSET 8315

struct life {
	const char *a;
	const char *b;
};

void life_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Says what could not be done, with errno, and ends the program, or the machine if there is no other program. */
void life_end(const char *what) __attribute__((noreturn));

/* In a process of its own, on that CPU. */
void life_lose_a_page(const struct life *life, unsigned int cpu, const char *name);

/* For RB_KEXEC: a bzImage, with this program as its initial file system. */
void life_load_kernel(const char *path);

#endif
