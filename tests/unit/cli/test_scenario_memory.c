/* SPDX-License-Identifier: Apache-2.0 */
/* A scenario is read on a host that runs out of memory: at each place where it wants some. */
#include "tests/lib/fl_test.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "cli/scenario/language/scenario.h"

static unsigned int left; /* how many more callers get some; the linker sends them here */

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *__wrap_calloc(size_t count, size_t size)
{
	if (left == 0)
		return NULL;
	left--;
	return __real_calloc(count, size);
}

static const char good[] = "# T.\n"
			   "matrix a = read, {write}\n"
			   "let b = \"x\"\n"
			   "except a=write\n"
			   "dir d tmpfs 1M\n"
			   "file d/f size 64K\n"
			   "file d/g text $b\n"
			   "machine m\n"
			   "\tparam $b\n"
			   "\tparam y\n"
			   "\tkernel file \"/k\"\n"
			   "\tshare d at /d\n"
			   "guest g\n"
			   "\topen f d/f rw\n"
			   "\tmap n f 0 64K rw\n"
			   "\tthread t\n"
			   "\twhen a=read: $a n+4K => ok or lost at n..n+4K\n"
			   "\trun x ${b}y\n"
			   "\tbarrier z\n"
			   "guest t thread of g\n"
			   "\tsay \"$b\"\n"
			   "\tbarrier z\n"
			   "host\n"
			   "\twait z\n"
			   "expect\n"
			   "\tfault file d/f\n"
			   "\tconsole has $b\n";

/* Errors, too, want memory; and there are some in it. */
static void assert_no_memory(const char *text, size_t len, bool is_good)
{
	struct fl_scn_reading *none = (void *)&left, *reading = none;
	int ret = -ENOMEM;

	for (unsigned int first = 0; ret < 0; first++) {
		left = first;
		ret = fl_scn_read("t.scn", text, len, &reading);
		assert_true(ret == 0 || ret == -ENOMEM);
		assert_true((ret == 0) == (reading != none));
		assert_true(first < 5000);
	}
	assert_int_equal(left, 0);
	assert_true((fl_scn_text(reading) != NULL) == is_good);
	left = 100000;
	fl_scn_forget(reading);
}

static void without_memory_there_is_no_reading(void **state)
{
	static const char bad[] = "# T.\nmatrix a = 1, 2\nhost\n\traed $a\n\tsleep $b\n\twait $a\nexpekt\n";

	(void)state;
	assert_no_memory(good, strlen(good), true);
	assert_no_memory(bad, strlen(bad), false);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(without_memory_there_is_no_reading),
};
FL_TEST_MAIN(20, tests)
