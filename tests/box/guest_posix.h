/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guest_posix DIR: does to files in DIR, which is empty, what POSIX and Linux say something about, and prints what came
 * of it: nothing that differs between two runs on one file system. It runs on the host itself and in a guest with DIR
 * on a share; the two must print the same.
 */
#ifndef GUEST_POSIX_H
#define GUEST_POSIX_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* What a call returned, by its own text. */
#define TRY(call) posix_say(#call, (errno = 0, (long long)(call)))
long long posix_say(const char *call, long long result);
/* A value that is the point of it, not a result of a call. */
#define SHOW(value) printf("%s is %lld\n", #value, (long long)(value))

int posix_make(const char *name, const void *data,
	       size_t len); /* a descriptor, O_RDWR; ends the program if it cannot */
int posix_text(const char *name, const char *text);

void posix_names(void); /* guest_posix_names.c */
void posix_links(void);
void posix_opening(void);
void posix_rename(void);
void posix_attributes(void);
void posix_directories(void);
void posix_holes(void); /* guest_posix_data.c */
void posix_writing(void);
void posix_copying(void);
void posix_mappings(void);
void posix_locks(void);
void posix_times(void); /* guest_posix_times.c */

#endif
