/* SPDX-License-Identifier: Apache-2.0 */
/* Every verdict from made-up facts (the table of madvise(2): what MADV_POPULATE_READ/WRITE say and why), and the
 * policy. */
#include "mmu_test.h"

#include "mmu_backing/fault_site.h"

static const struct fl_region ram = {.kind = FL_REGION_RAM, .name = "ram"};
static const struct fl_region window = {
	.kind = FL_REGION_WINDOW, .name = "share", .policy = {{FL_ACTION_REFLECT, FL_ACTION_STOP}}};

#define RES   FL_RANGE_RESERVED
#define RO    FL_RANGE_MAPPED_RO
#define RW    FL_RANGE_MAPPED_RW
#define BRK   FL_RANGE_BROKEN
#define RD    FL_ACCESS_READ
#define WR    FL_ACCESS_WRITE
#define FT    FL_ACCESS_FETCH
#define RETRY FL_VERDICT_RETRY
#define BAD   FL_VERDICT_BAD
#define HOLE  FL_VERDICT_HOLE

/* The byte is at file offset 3 pages + 10 in all of them. */
static const struct {
	const char *what;
	const struct fl_region *region;
	enum fl_range_state state;
	int read_error, write_error;
	bool has_file;
	uint64_t file_len;
	int file_error, space_error;
	enum fl_access access;
	enum fl_verdict verdict;
	enum fl_cause cause;
} cases[] = {
	{"no memslot", NULL, RES, 0, 0, false, 0, 0, 0, RD, BAD, FL_CAUSE_UNMAPPED},
	{"healthy load", &window, RO, 0, 0, true, 8 * PAGE, 0, 0, RD, RETRY, FL_CAUSE_NONE},
	{"healthy fetch", &window, RO, 0, EINVAL, true, 8 * PAGE, 0, 0, FT, RETRY, FL_CAUSE_NONE},
	{"healthy store", &window, RW, 0, 0, true, 8 * PAGE, 0, 0, WR, RETRY, FL_CAUSE_NONE},
	{"load where a store fails", &window, RW, 0, EFAULT, true, 8 * PAGE, 0, 0, RD, RETRY, FL_CAUSE_NONE},
	{"host out of memory", &window, RW, EAGAIN, 0, true, 8 * PAGE, 0, 0, RD, RETRY, FL_CAUSE_NONE},
	{"interrupted", &window, RW, EINTR, 0, true, 8 * PAGE, 0, 0, RD, RETRY, FL_CAUSE_NONE},
	{"grown since", &window, RW, 0, 0, true, 0, 0, 0, RD, RETRY, FL_CAUSE_NONE},
	{"past the end", &window, RW, EFAULT, EFAULT, true, 3 * PAGE, 0, 0, RD, BAD, FL_CAUSE_TRUNCATED},
	{"store past the end", &window, RW, EFAULT, EFAULT, true, 0, 0, 0, WR, BAD, FL_CAUSE_TRUNCATED},
	{"cut between the probes", &window, RW, 0, EFAULT, true, 2 * PAGE, 0, 0, WR, BAD, FL_CAUSE_TRUNCATED},
	{"read-only past the end", &window, RO, EFAULT, EINVAL, true, 0, 0, 0, WR, BAD, FL_CAUSE_TRUNCATED},
	{"last page, one byte", &window, RW, EFAULT, 0, true, 3 * PAGE + 1, EIO, 0, RD, BAD, FL_CAUSE_IO_ERROR},
	{"storage fails", &window, RW, EFAULT, EFAULT, true, 8 * PAGE, EIO, 0, WR, BAD, FL_CAUSE_IO_ERROR},
	{"stale handle", &window, RO, EFAULT, 0, true, 8 * PAGE, ESTALE, 0, RD, BAD, FL_CAUSE_IO_ERROR},
	{"full, store", &window, RW, 0, EFAULT, true, 8 * PAGE, 0, ENOSPC, WR, BAD, FL_CAUSE_NO_SPACE},
	{"full, load of a hole", &window, RW, EFAULT, EFAULT, true, 8 * PAGE, 0, ENOSPC, RD, BAD, FL_CAUSE_NO_SPACE},
	{"quota used up", &window, RW, 0, EFAULT, true, 8 * PAGE, 0, EDQUOT, WR, BAD, FL_CAUSE_NO_SPACE},
	{"shut down", &window, RW, 0, EFAULT, true, 8 * PAGE, 0, EIO, WR, BAD, FL_CAUSE_IO_ERROR},
	{"became read-only", &window, RW, 0, EFAULT, true, 8 * PAGE, 0, EROFS, WR, BAD, FL_CAUSE_IO_ERROR},
	{"there is room", &window, RW, 0, EFAULT, true, 8 * PAGE, 0, 0, WR, BAD, FL_CAUSE_UNKNOWN},
	{"room cannot be told", &window, RW, EFAULT, 0, true, 8 * PAGE, 0, EOPNOTSUPP, RD, BAD, FL_CAUSE_UNKNOWN},
	{"server is gone", &window, RW, EFAULT, 0, false, 0, ENOTCONN, 0, RD, BAD, FL_CAUSE_IO_ERROR},
	{"file cannot be asked", &window, RW, EFAULT, 0, false, 0, 0, 0, RD, BAD, FL_CAUSE_UNKNOWN},
	{"bad memory", &window, RW, EHWPOISON, 0, true, 8 * PAGE, 0, 0, RD, BAD, FL_CAUSE_MEMORY_FAILURE},
	{"bad memory, store", &window, RW, 0, EHWPOISON, true, 8 * PAGE, 0, 0, WR, BAD, FL_CAUSE_MEMORY_FAILURE},
	{"read-only", &window, RO, 0, EINVAL, true, 8 * PAGE, 0, 0, WR, BAD, FL_CAUSE_NOT_PERMITTED},
	{"mapped in between", &window, RES, 0, 0, false, 0, 0, 0, RD, RETRY, FL_CAUSE_NONE},
	{"nothing mapped", &window, RES, EINVAL, EINVAL, false, 0, 0, 0, RD, BAD, FL_CAUSE_UNMAPPED},
	{"nothing mapped, store", &window, RES, EINVAL, EINVAL, false, 0, 0, 0, WR, BAD, FL_CAUSE_UNMAPPED},
	{"writable, yet refused", &window, RW, 0, EINVAL, true, 8 * PAGE, 0, 0, WR, BAD, FL_CAUSE_UNKNOWN},
	{"our hole", &window, RW, ENOMEM, ENOMEM, true, 8 * PAGE, 0, 0, RD, HOLE, FL_CAUSE_UNKNOWN},
	{"our hole, reserved", &window, RES, ENOMEM, 0, false, 0, 0, 0, RD, HOLE, FL_CAUSE_UNKNOWN},
	{"broken, though it reads", &window, BRK, 0, 0, false, 0, 0, 0, RD, HOLE, FL_CAUSE_UNKNOWN},
	{"ram healthy", &ram, RES, 0, 0, false, 0, 0, 0, WR, RETRY, FL_CAUSE_NONE},
	{"ram poisoned", &ram, RES, EHWPOISON, 0, false, 0, 0, 0, RD, BAD, FL_CAUSE_MEMORY_FAILURE},
	{"ram swap-in failed", &ram, RES, EFAULT, 0, false, 0, 0, 0, RD, BAD, FL_CAUSE_IO_ERROR},
	{"ram gone", &ram, RES, ENOMEM, 0, false, 0, 0, 0, RD, HOLE, FL_CAUSE_UNKNOWN},
};

static void test_every_verdict(void **state)
{
	(void)state;
	for (size_t i = 0; i < FL_ARRAY_SIZE(cases); i++) {
		struct fl_backing backing = {.refs = 1};
		struct fl_probe probe = {
			.region = cases[i].region,
			.view = {.state = cases[i].state,
				 .backing = cases[i].has_file ? &backing : NULL,
				 .file_offset = 3 * PAGE + 10},
			.read_error = cases[i].read_error,
			.write_error = cases[i].write_error,
			.has_file = cases[i].has_file,
			.file_len = cases[i].file_len,
			.file_error = cases[i].file_error,
			.space_error = cases[i].space_error,
		};
		struct fl_finding got = fl_classify(&probe, 0x12345678a, cases[i].access);

		if (got.verdict != cases[i].verdict || got.cause != cases[i].cause)
			fail_msg("%s: verdict %d cause %d", cases[i].what, (int)got.verdict, (int)got.cause);
		assert_int_equal(got.bad_len, 0x1000 - 0x78a);
	}
}

/* PROT_NONE answers EINVAL (madvise(2)); why it is PROT_NONE the window says. */
static void test_hidden_and_substituted(void **state)
{
	struct fl_backing backing = {.fd = -1};
	struct fl_probe probe = {
		.region = &window,
		.view = {.state = RW, .backing = &backing, .file_offset = 3 * PAGE + 10, .hidden = true},
		.read_error = EINVAL,
		.write_error = EINVAL,
		.has_file = true,
		.file_len = 2 * PAGE,
	};
	(void)state;

	assert_int_equal(fl_classify(&probe, 10, RD).cause, FL_CAUSE_TRUNCATED);
	assert_int_equal(fl_classify(&probe, 10, WR).cause, FL_CAUSE_TRUNCATED);
	probe.file_len = 8 * PAGE; /* grown, but not to be brought back */
	assert_int_equal(fl_classify(&probe, 10, RD).cause, FL_CAUSE_TRUNCATED);
	probe.view.state = RES;
	assert_int_equal(fl_classify(&probe, 10, RD).cause, FL_CAUSE_UNMAPPED);
	probe.view =
		(struct fl_window_view){.state = RO, .backing = &backing, .file_offset = 3 * PAGE, .substituted = true};
	probe.read_error = probe.write_error = 0;
	probe.file_len = 0;
	assert_int_equal(fl_classify(&probe, 10, RD).verdict, RETRY);
	assert_int_equal(fl_classify(&probe, 10, WR).verdict, RETRY);
}

static void test_bad_len_at_the_edges(void **state)
{
	const struct fl_probe nowhere = {0};
	(void)state;

	assert_int_equal(fl_classify(&nowhere, 0x1000, RD).bad_len, 4096);
	assert_int_equal(fl_classify(&nowhere, 0x1fff, RD).bad_len, 1);
	assert_int_equal(fl_classify(&nowhere, UINT64_MAX, RD).bad_len, 1);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_every_verdict),
	cmocka_unit_test(test_hidden_and_substituted),
	cmocka_unit_test(test_bad_len_at_the_edges),
};

FL_TEST_MAIN(30, tests)
