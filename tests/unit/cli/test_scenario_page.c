/* SPDX-License-Identifier: Apache-2.0 */
/* The page of marks from the host's side; the guest's is played by a mapping of the same file. */
#include "tests/lib/fl_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "cli/scenario/wire/page.h"

struct fixture {
	char dir[32];
	struct fl_scn_page_file file;
	struct fl_scn_page *guest;
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	struct fl_diag diag;

	strcpy(fixture->dir, "/tmp/fl-page-XXXXXX");
	assert_non_null(mkdtemp(fixture->dir));
	assert_int_equal(fl_scn_page_new(fixture->dir, &fixture->file, &diag), 0);
	int fd = open(fixture->file.path, O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	fixture->guest = mmap(NULL, FL_SCN_PAGE_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(fixture->guest, MAP_FAILED);
	close(fd);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	munmap(fixture->guest, FL_SCN_PAGE_LEN);
	fl_scn_page_free(&fixture->file);
	assert_int_equal(rmdir(fixture->dir), 0); /* nothing is left */
	free(fixture);
	return 0;
}

static void the_guest_sees_what_the_host_says(void **state)
{
	struct fixture *fixture = *state;
	struct fl_scn_page *guest = fixture->guest;

	assert_true(guest->magic == FL_SCN_PAGE_MAGIC);
	assert_memory_equal(guest, "FLScene1", 8);
	assert_int_equal(guest->version, FL_SCN_VERSION);
	assert_int_equal(fl_scn_page_begin(&fixture->file, 5000), 0);
	assert_int_equal(fl_scn_page_set_clock(&fixture->file, UINT64_MAX), 0);
	assert_true(guest->deadline_host_ns == 5000 && guest->guest_minus_host_ns == UINT64_MAX);
	assert_int_equal(fl_scn_page_set_mark(&fixture->file, 63, 4000), 0);
	assert_true(guest->marks[63].set == 1 && guest->marks[63].by_host == 1 && guest->marks[63].ns == 4000);
	assert_int_equal(guest->marks[62].set, 0);
	assert_int_equal(guest->stop, 0);
	assert_int_equal(fl_scn_page_stop(&fixture->file), 0);
	assert_int_equal(guest->stop, 1);
	/* the next case */
	guest->progress[3].state = 2;
	assert_int_equal(fl_scn_page_begin(&fixture->file, 9000), 0);
	assert_true(guest->stop == 0 && guest->marks[63].set == 0 && guest->progress[3].state == 0);
	assert_true(guest->guest_minus_host_ns == UINT64_MAX);
}

static void marks_are_on_the_hosts_clock(void **state)
{
	struct fixture *fixture = *state;
	uint64_t ns = 1;

	assert_int_equal(fl_scn_page_read_mark(&fixture->file, 2, &ns), 0);
	assert_int_equal(fl_scn_page_set_clock(&fixture->file, 1000), 0);
	fixture->guest->marks[2] = (struct fl_scn_mark){.set = 1, .ns = 1500};
	assert_int_equal(fl_scn_page_read_mark(&fixture->file, 2, &ns), 1);
	assert_int_equal(ns, 500);
	/* not by what the guest says of the clocks */
	fixture->guest->guest_minus_host_ns = 0;
	assert_int_equal(fl_scn_page_read_mark(&fixture->file, 2, &ns), 1);
	assert_int_equal(ns, 500);
	/* who comes second sets nothing */
	assert_int_equal(fl_scn_page_set_mark(&fixture->file, 2, 9), 0);
	assert_int_equal(fixture->guest->marks[2].ns, 1500);
	assert_int_equal(fl_scn_page_set_mark(&fixture->file, 3, 700), 0);
	assert_int_equal(fl_scn_page_read_mark(&fixture->file, 3, &ns), 1);
	assert_int_equal(ns, 700);
	assert_int_equal(fl_scn_page_set_mark(&fixture->file, FL_SCN_MARKS_MAX, 1), -EINVAL);
	assert_int_equal(fl_scn_page_read_mark(&fixture->file, UINT32_MAX, &ns), -EINVAL);
}

static void a_barrier_has_two_sides(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(fl_scn_page_arrive(&fixture->file, 0, 1, 3, 10), 0);
	assert_int_equal(fixture->guest->marks[0].host_arrived, 1);
	fixture->guest->marks[0].arrived = 1;
	assert_int_equal(fl_scn_page_arrive(&fixture->file, 0, 1, 3, 20), 0);
	assert_int_equal(fixture->guest->marks[0].set, 0);
	assert_int_equal(fl_scn_page_arrive(&fixture->file, 0, 2, 3, 30), 1);
	assert_int_equal(fixture->guest->marks[0].set, 1);
	assert_int_equal(fixture->guest->marks[0].ns, 30);
	/* a number that is too large ends a barrier, and nothing else */
	fixture->guest->marks[1].arrived = UINT32_MAX;
	assert_int_equal(fl_scn_page_arrive(&fixture->file, 1, 1, 3, 10), 1);
	assert_int_equal(fl_scn_page_arrive(&fixture->file, FL_SCN_MARKS_MAX, 1, 2, 10), -EINVAL);
}

static void progress_is_the_actors(void **state)
{
	struct fixture *fixture = *state;
	struct fl_scn_progress progress;

	fixture->guest->progress[31] = (struct fl_scn_progress){.iterations = 12, .step = 3, .state = 1};
	assert_int_equal(fl_scn_page_read_progress(&fixture->file, 31, &progress), 0);
	assert_true(progress.iterations == 12 && progress.step == 3 && progress.state == 1);
	assert_int_equal(fl_scn_page_read_progress(&fixture->file, 32, &progress), -EINVAL);
}

static void a_page_that_the_guest_cuts_is_an_error(void **state)
{
	struct fixture *fixture = *state;
	struct fl_scn_progress progress;
	uint64_t ns;

	assert_int_equal(truncate(fixture->file.path, 0), 0);
	assert_int_equal(fl_scn_page_read_mark(&fixture->file, 0, &ns), -EIO);
	assert_int_equal(fl_scn_page_set_mark(&fixture->file, 0, 1), -EIO);
	assert_int_equal(fl_scn_page_read_progress(&fixture->file, 0, &progress), -EIO);
}

static void there_is_one_page(void **state)
{
	struct fixture *fixture = *state;
	struct fl_scn_page_file second;
	struct fl_diag diag;

	assert_int_equal(fl_scn_page_new(fixture->dir, &second, &diag), -EEXIST);
	assert_non_null(strstr(diag.text, fixture->dir));
	fl_scn_page_free(&second);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(the_guest_sees_what_the_host_says, setup, teardown),
	cmocka_unit_test_setup_teardown(marks_are_on_the_hosts_clock, setup, teardown),
	cmocka_unit_test_setup_teardown(a_barrier_has_two_sides, setup, teardown),
	cmocka_unit_test_setup_teardown(progress_is_the_actors, setup, teardown),
	cmocka_unit_test_setup_teardown(a_page_that_the_guest_cuts_is_an_error, setup, teardown),
	cmocka_unit_test_setup_teardown(there_is_one_page, setup, teardown),
};
FL_TEST_MAIN(30, tests)
