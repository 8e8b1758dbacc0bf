/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A share in trouble: file systems that fail under a guest, made for one test, and what is asserted about both sides'
 * accounts. Includes cmocka; failures end the test that calls.
 */
#ifndef HOST_TROUBLE_H
#define HOST_TROUBLE_H

#include "tests/lib/fl_test.h"

#include "tests/box/guest_run.h"
#include "tests/kvm/bad_host.h"

struct trouble {
	struct bench bench;
	struct bad_fuse *fuse;
	int dir;
	char events[PATH_MAX + 16];
};

/* state: of a test under bench_main(). Freed with free(), after the file system. */
struct trouble *trouble_new(void **state);

/* The share is a tmpfs of 1 MiB; until unmount_tmpfs(). */
void mount_small_tmpfs(struct trouble *trouble);
void unmount_tmpfs(struct trouble *trouble);

void assert_line(const struct transcript *guest, const char *line);
/* Line by line, so that a failure names the case. */
void assert_same_lines(const char *expected, const char *seen);
/* All of a file, to be freed. */
char *read_file(const char *path);
/* The host's own account: so many faults with this cause or more, this one of them, and no other cause but "none". */
void assert_reported(const struct trouble *trouble, const char *cause, unsigned int least, const char *name,
		     uint64_t offset);

#endif
