/* SPDX-License-Identifier: Apache-2.0 */
/* Where the launcher looks for a guest kernel. */
#include "tests/lib/fl_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cli/kernel.h"

struct place {
	char dir[64];
	char program[128];
	char beside[128]; /* the file beside the program */
	char system_dir[128];
	char system[192];
};

static void touch(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0644);

	assert_true(fd >= 0);
	close(fd);
}

static int setup(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	strcpy(place->dir, "/tmp/fl-kernel.XXXXXX");
	assert_non_null(mkdtemp(place->dir));
	snprintf(place->program, sizeof(place->program), "%s/faultline", place->dir);
	snprintf(place->beside, sizeof(place->beside), "%s/guest-kernel", place->dir);
	mkdir(place->beside, 0755);
	strcat(place->beside, "/bzImage");
	snprintf(place->system_dir, sizeof(place->system_dir), "%s/lib", place->dir);
	mkdir(place->system_dir, 0755);
	snprintf(place->system, sizeof(place->system), "%s/bzImage", place->system_dir);
	*state = place;
	return 0;
}

static int teardown(void **state)
{
	struct place *place = *state;

	unlink(place->beside);
	*strrchr(place->beside, '/') = '\0';
	rmdir(place->beside);
	unlink(place->system);
	rmdir(place->system_dir);
	rmdir(place->dir);
	free(place);
	return 0;
}

static void the_places_are_tried_in_turn(void **state)
{
	const struct place *place = *state;
	struct fl_cli_kernel_places places = {.program = place->program, .system_dir = place->system_dir};
	char path[PATH_MAX];
	bool patched = true;
	struct fl_diag diag = {0};

	assert_int_equal(fl_cli_find_kernel(&places, path, &patched, &diag), -ENOENT);
	assert_false(patched);
	assert_non_null(strstr(diag.text, "--kernel"));
	touch(place->system);
	assert_int_equal(fl_cli_find_kernel(&places, path, &patched, &diag), 0);
	assert_string_equal(path, place->system);
	assert_true(patched);
	touch(place->beside);
	assert_int_equal(fl_cli_find_kernel(&places, path, &patched, &diag), 0);
	assert_string_equal(path, place->beside);
	assert_true(patched);
	places.from_env = "/etc/passwd";
	assert_int_equal(fl_cli_find_kernel(&places, path, &patched, &diag), 0);
	assert_string_equal(path, "/etc/passwd");
	/* of somebody's own kernel nothing is known */
	assert_false(patched);
}

static void a_wrong_variable_is_not_passed_over(void **state)
{
	const struct place *place = *state;
	struct fl_cli_kernel_places places = {.from_env = "/no/such/kernel", .system_dir = place->system_dir};
	char path[PATH_MAX];
	bool patched = true;
	struct fl_diag diag = {0};

	touch(place->system);
	assert_int_equal(fl_cli_find_kernel(&places, path, &patched, &diag), -ENOENT);
	assert_non_null(strstr(diag.text, "/no/such/kernel"));
	places.from_env = "";
	assert_int_equal(fl_cli_find_kernel(&places, path, &patched, &diag), 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(the_places_are_tried_in_turn, setup, teardown),
	cmocka_unit_test_setup_teardown(a_wrong_variable_is_not_passed_over, setup, teardown),
};
FL_TEST_MAIN(10, tests)
