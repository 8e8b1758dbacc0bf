/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One directory of the host at two places of a guest: two file systems for the guest, the same pages all the same. Each
 * case is a script for Python in the guest; one that touches a lost page does so in a child.
 *
 * usage: box_shares LAUNCHER GUEST_DAX [TEST]
 */
#include "tests/lib/fl_test.h"

#include <stdio.h>
#include <string.h>

#include "tests/box/guest_run.h"

/* a and b: the same file by both ways; touch() says how a child ended that read the byte at an offset */
#define BEGINNING                                                                                                                         \
	"import mmap, os, signal, sys, time\n"                                                                                            \
	"def show(path):\n"                                                                                                               \
	"    f = os.open(path, os.O_RDWR)\n"                                                                                              \
	"    return f, mmap.mmap(f, 16384)\n"                                                                                             \
	"def touch(m, offset):\n"                                                                                                         \
	"    pid = os.fork()\n"                                                                                                           \
	"    if pid == 0:\n"                                                                                                              \
	"        m[offset]\n"                                                                                                             \
	"        os._exit(0)\n"                                                                                                           \
	"    status = os.waitpid(pid, 0)[1]\n"                                                                                            \
	"    return 'SIGBUS' if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGBUS else 'fine' if status == 0 else status\n" \
	"open('/tmp/a/file', 'wb').write(bytes(16384))\n"                                                                                 \
	"(fa, a), (fb, b) = show('/tmp/a/file'), show('/tmp/b/file')\n"

static void run_python(const struct bench *bench, const char *script, struct transcript *guest)
{
	char a[PATH_MAX + 20], b[PATH_MAX + 20];

	snprintf(a, sizeof(a), "/tmp/a=%s", bench->data);
	snprintf(b, sizeof(b), "/tmp/b=%s", bench->data);
	const char *const options[] = {"--rwdir", a, "--rwdir", b, NULL};
	const char *const command[] = {"python3", "-u", "-c", script, NULL};

	run_guest(bench, options, command, "shares", guest);
}

static void assert_lines(const struct transcript *guest, const char *const *lines)
{
	for (; *lines; lines++) {
		if (lines_with(guest->out, *lines) != 1) {
			show("guest", guest);
			fail_msg("no line \"%s\"", *lines);
		}
	}
	assert_int_equal(guest->status, 0);
}

static void both_ways_lead_to_the_same_pages(void **state)
{
	static const char *const lines[] = {"by b: 1", "by read: 1", "by a: 2", NULL};
	struct transcript guest;

	run_python(*state,
		   BEGINNING "a[5000] = 1\n"
			     "print('by b:', b[5000])\n"
			     "print('by read:', os.pread(fb, 1, 5000)[0])\n"
			     "os.pwrite(fb, b'\\x02', 5000)\n"
			     "print('by a:', a[5000])\n",
		   &guest);
	assert_lines(&guest, lines);
	transcript_free(&guest);
}

/* The guest's kernel does not know that the two are one: what it cuts by one way is lost by the other like the host's.
 */
static void what_is_cut_by_one_way_is_lost_by_the_other(void **state)
{
	static const char *const lines[] = {"before: fine fine", "after: SIGBUS SIGBUS", "the rest: fine fine",
					    "size: 4096",	 "again: fine fine",	 NULL};
	struct transcript guest;

	run_python(*state,
		   BEGINNING "print('before:', touch(a, 8192), touch(b, 8192))\n"
			     "os.ftruncate(fa, 4096)\n"
			     "print('after:', touch(a, 8192), touch(b, 8192))\n"
			     "print('the rest:', touch(a, 100), touch(b, 100))\n"
			     "time.sleep(1.5)\n" /* the time for which attributes are believed */
			     "print('size:', os.fstat(fb).st_size)\n"
			     "os.ftruncate(fb, 16384)\n"
			     "time.sleep(1.5)\n"
			     "os.fstat(fa)\n"
			     "print('again:', touch(a, 8192), touch(b, 8192))\n",
		   &guest);
	assert_lines(&guest, lines);
	transcript_free(&guest);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(both_ways_lead_to_the_same_pages),
	cmocka_unit_test(what_is_cut_by_one_way_is_lost_by_the_other),
};

int main(int argc, char **argv)
{
	return bench_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
