/* SPDX-License-Identifier: Apache-2.0 */
/* A guest that takes all it can get: the process that serves it goes on. */
#include "fs_rig.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>

#define SHARES	    4
#define DESCRIPTORS 256

/* Everything that a guest can make a share hold: files that are known, and files that are open. */
static void take_all(struct rig *rig)
{
	struct fuse_create_in in = {.flags = O_RDWR, .mode = S_IFREG | 0644};
	unsigned int made = 0;
	char name[16];
	int error;

	do {
		snprintf(name, sizeof(name), "f%u", made++);
		error = rig_name(rig, FUSE_CREATE, FUSE_ROOT_ID, &in, sizeof(in), name);
	} while (!error && made < DESCRIPTORS);
	assert_int_equal(error, -ENFILE);
	/* and then nothing was made: who tries again with O_EXCL would be told that it is there */
	assert_int_equal(faccessat(rig->dir_fd, name, F_OK, 0), -1);
	for (unsigned int i = 0; i < DESCRIPTORS; i++) {
		struct fuse_entry_out entry;

		snprintf(name, sizeof(name), "g%u", i);
		if (mknodat(rig->dir_fd, name, S_IFREG | 0644, 0) == 0)
			(void)rig_lookup(rig, FUSE_ROOT_ID, name, &entry);
	}
}

/* What a guest takes in all its shares leaves the process descriptors to live on. */
static void several_shares_divide_the_descriptors(void **state)
{
	struct rig *rigs[SHARES];
	struct rlimit limit, few;
	int fd;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	few = (struct rlimit){.rlim_cur = DESCRIPTORS, .rlim_max = limit.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	for (int i = 0; i < SHARES; i++)
		rigs[i] = rig_new_with(0, (struct fl_fs_opts){.shares = SHARES});
	for (int i = 0; i < SHARES; i++)
		take_all(rigs[i]);
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	for (int i = 0; i < SHARES; i++)
		rig_free(rigs[i]);
	assert_true(fd >= 0);
	close(fd);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(several_shares_divide_the_descriptors),
};
FL_TEST_MAIN(30, tests)
