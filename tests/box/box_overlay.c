/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Overlays: what the guest writes is there for the guest, and nothing in the host's directory changes.
 *
 * usage: box_overlay LAUNCHER GUEST_MAPPER [TEST]
 */
#include "tests/lib/fl_test.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "tests/box/guest_run.h"
#include "tests/box/library_guest.h"

#define CHANGE                                                                                 \
	"echo new >new && echo more >>text && rm gone && mv old renamed && chmod 600 mode && " \
	"mv dir moved && rm -r tree && mkdir tree && ln text link && "
#define LOOK "ls -A . moved tree && cat text renamed moved/in && stat -c %a mode && echo done; "
#define LOOKED                                                                                                        \
	".:\nlink\nmapped\nmode\nmoved\nnew\nrenamed\ntext\ntree\n\nmoved:\nin\n\ntree:\nfirst\nmore\nold\nin\n600\n" \
	"done\n"

static void run_in(const char *dir, const char *script)
{
	char command[PATH_MAX + 1000];

	snprintf(command, sizeof(command), "cd '%s' && { %s; }", dir, script);
	assert_int_equal(system(command), 0);
}

static void fill_directory(const char *dir)
{
	run_in(dir, "rm -rf ./* && mkdir dir tree && echo in >dir/in && echo leaf >tree/leaf && echo gone >gone && "
		    "echo old >old && echo first >text && echo mode >mode && chmod 644 mode && "
		    "head -c 12288 /dev/zero >mapped");
}

/* All that a change could show in, but for the times of the last access. */
static void take_snapshot(const char *dir, char *text, size_t len)
{
	char command[PATH_MAX + 300];

	snprintf(command, sizeof(command),
		 "cd '%s' && find . -printf '%%p %%y %%m %%U %%G %%s %%n %%i %%T@ %%C@ %%l\n' | sort && "
		 "find . -type f -print0 | sort -z | xargs -0 cat | cksum",
		 dir);
	FILE *output = popen(command, "re");

	assert_non_null(output);
	size_t n = fread(text, 1, len - 1, output);

	text[n] = '\0';
	assert_int_equal(pclose(output), 0);
	assert_true(n > 100 && n < len - 1);
}

static void add_overlay(struct library_guest *guest, const char *dir, const char *mount, const char *overlay_dir)
{
	struct fl_share_opts opts = FL_SHARE_OPTS_INIT;
	struct fl_diag diag = {0};

	opts.tag = "data";
	opts.dir = dir;
	opts.mount = mount;
	opts.flags = FL_SHARE_OVERLAY;
	opts.overlay_dir = overlay_dir;
	if (fl_vm_add_share(guest->vm, &opts, &diag))
		fail_msg("%s", diag.text);
}

static void assert_success(struct library_guest *guest)
{
	assert_int_equal(library_guest_wait(guest), FL_END_EXITED);
	assert_int_equal(guest->result.code, 0);
}

/* The root is one too: what is written there is gone with the guest, and mount points need not exist. */
static void an_overlay_leaves_the_host_as_it_is(void **state)
{
	const struct bench *bench = *state;
	char before[8192], after[8192], file[PATH_MAX + 16], script[PATH_MAX + 1000];
	struct library_guest guest;

	fill_directory(bench->data);
	snprintf(file, sizeof(file), "%s/mapped", bench->data);
	snprintf(script, sizeof(script),
		 "set -e; cd /made/for/it; %s mapped; read go; %s"
		 "echo here >/usr/here; rm /etc/passwd; test ! -e /etc/passwd; cat /usr/here",
		 bench->program, CHANGE LOOK);
	library_guest_init(&guest, bench);
	guest.root.flags = FL_SHARE_OVERLAY;
	add_overlay(&guest, bench->data, "/made/for/it", NULL);
	library_guest_start(&guest, script);
	library_guest_expect(&guest, "mapped\n");
	assert_int_equal(truncate(file, 4096), 0);
	library_guest_say(&guest, "look\n");
	library_guest_expect(&guest, "SIGBUS at +8192\n");
	take_snapshot(bench->data, before, sizeof(before));
	library_guest_say(&guest, "go\n");
	library_guest_expect(&guest, LOOKED "here\n");
	assert_success(&guest);
	take_snapshot(bench->data, after, sizeof(after));
	assert_string_equal(before, after);
	assert_int_equal(access("/usr/here", F_OK), -1);
	assert_int_equal(access("/etc/passwd", F_OK), 0);
	library_guest_fini(&guest);
}

static void changes_are_kept_in_a_directory(void **state)
{
	static const char *const scripts[] = {"cd /tmp/data && " CHANGE LOOK, "cd /tmp/data && " LOOK};
	const struct bench *bench = *state;
	char before[8192], after[8192], changes[PATH_MAX + 16];
	struct library_guest guest;

	fill_directory(bench->data);
	snprintf(changes, sizeof(changes), "%s/changes", bench->scratch);
	assert_int_equal(mkdir(changes, 0700), 0);
	take_snapshot(bench->data, before, sizeof(before));
	for (unsigned int i = 0; i < 2; i++) {
		library_guest_init(&guest, bench);
		add_overlay(&guest, bench->data, "/tmp/data", changes);
		library_guest_start(&guest, scripts[i]);
		library_guest_expect(&guest, LOOKED);
		assert_success(&guest);
		library_guest_fini(&guest);
	}
	take_snapshot(bench->data, after, sizeof(after));
	assert_string_equal(before, after);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(an_overlay_leaves_the_host_as_it_is),
	cmocka_unit_test(changes_are_kept_in_a_directory),
};

int main(int argc, char **argv)
{
	return bench_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
