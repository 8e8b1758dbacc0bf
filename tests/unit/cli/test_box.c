/* SPDX-License-Identifier: Apache-2.0 */
/* Where the launcher looks for the box, and what it has it run. */
#include "tests/lib/fl_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cli/box.h"

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

struct place {
	char dir[64];
	char build[80], scripts[80];
	char program[96]; /* does not exist, and need not */
	char box[96];
	char system[96];
};

static void make_script(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0755);

	assert_true(fd >= 0);
	close(fd);
}

static int setup(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	strcpy(place->dir, "/tmp/fl-box.XXXXXX");
	assert_non_null(mkdtemp(place->dir));
	snprintf(place->build, sizeof(place->build), "%s/build", place->dir);
	snprintf(place->scripts, sizeof(place->scripts), "%s/scripts", place->dir);
	snprintf(place->program, sizeof(place->program), "%s/faultline", place->build);
	snprintf(place->box, sizeof(place->box), "%s/box", place->scripts);
	snprintf(place->system, sizeof(place->system), "%s/system", place->dir);
	assert_int_equal(mkdir(place->build, 0755), 0);
	assert_int_equal(mkdir(place->scripts, 0755), 0);
	*state = place;
	return 0;
}

static int teardown(void **state)
{
	struct place *place = *state;

	unlink(place->box);
	unlink(place->system);
	rmdir(place->build);
	rmdir(place->scripts);
	rmdir(place->dir);
	free(place);
	return 0;
}

static void the_places_are_tried_in_turn(void **state)
{
	struct place *place = *state;
	struct fl_cli_box_places places = {.program = place->program, .system_script = place->system};
	struct fl_diag diag = {0};
	char path[PATH_MAX], beside[128];

	assert_int_equal(fl_cli_find_box(&places, path, &diag), -ENOENT);
	assert_non_null(strstr(diag.text, "FAULTLINE_BOX"));
	make_script(place->system);
	assert_int_equal(fl_cli_find_box(&places, path, &diag), 0);
	assert_string_equal(path, place->system);
	make_script(place->box);
	assert_int_equal(fl_cli_find_box(&places, path, &diag), 0);
	snprintf(beside, sizeof(beside), "%s/../scripts/box", place->build);
	assert_string_equal(path, beside);
	places.from_env = "/bin/true";
	assert_int_equal(fl_cli_find_box(&places, path, &diag), 0);
	assert_string_equal(path, "/bin/true");
	places.from_env = "";
	assert_int_equal(fl_cli_find_box(&places, path, &diag), 0);
	assert_string_equal(path, beside);
	places.program = NULL;
	assert_int_equal(fl_cli_find_box(&places, path, &diag), 0);
	assert_string_equal(path, place->system);
}

static void what_is_named_must_be_a_program(void **state)
{
	struct place *place = *state;
	struct fl_cli_box_places places = {.from_env = "/nonexistent/box", .system_script = place->system};
	struct fl_diag diag = {0};
	char path[PATH_MAX];

	make_script(place->system);
	assert_int_equal(fl_cli_find_box(&places, path, &diag), -ENOENT);
	assert_non_null(strstr(diag.text, "/nonexistent/box"));
	assert_int_equal(chmod(place->system, 0644), 0);
	places.from_env = place->system;
	/* not even root may execute it */
	assert_int_equal(fl_cli_find_box(&places, path, &diag), -ENOENT);
}

static void assert_command(int argc, const char *const *argv, int events_fd, int report_fd, uint32_t cpus,
			   const char *const *expected)
{
	struct fl_cli_options options;
	struct fl_diag diag = {0};
	char *copy[32] = {NULL};
	char **command;
	size_t i;

	for (int word = 0; word < argc; word++)
		copy[word] = strdup(argv[word]);
	if (fl_cli_options_parse(argc, copy, NULL, &options, &diag) < 0)
		fail_msg("%s", diag.text);
	if (!options.name)
		options.name = "guest-5";
	struct fl_cli_box_job job = {
		.box = "/co/scripts/box",
		.program = "/co/build/faultline",
		.kernel = "/k/bzImage",
		.cpus = cpus,
		.argc = argc,
		.argv = copy,
		.events_fd = events_fd,
		.report_fd = report_fd,
		.control_fd = report_fd < 0 ? -1 : 23,
	};
	assert_int_equal(fl_cli_box_command(&options, &job, &command, &diag), 0);
	for (i = 0; expected[i]; i++) {
		assert_non_null(command[i]);
		assert_string_equal(command[i], expected[i]);
	}
	assert_null(command[i]);
	fl_cli_box_command_free(command);
	fl_cli_options_fini(&options);
	for (int word = 0; word < argc; word++)
		free(copy[word]);
}

static void the_same_command_line_is_run_inside(void **state)
{
	(void)state;
	/* 1 GiB for the guest and 1 GiB for the box; "--" again in the command is the command's */
	assert_command(4, WORDS("run", "--", "echo", "--"), -1, -1, 4,
		       WORDS("/co/scripts/box", "--cpus", "1", "--memory", "2048M", "--show", "/co/build/faultline",
			     "--show", "/k/bzImage", "--show", "/", "--", "/co/build/faultline", "run", "--host=kvm",
			     "--name=guest-5", "--", "echo", "--"));
}

static void what_the_options_name_is_there_inside(void **state)
{
	(void)state;
	assert_command(17,
		       WORDS("run", "-c", "8", "-m", "3G", "--name", "me", "--host=box", "--rwdir", "/tmp/a=/var",
			     "--rodir", "/tmp/b=/usr", "--events", "e", "--", "true", "x"),
		       20, 21, 2,
		       WORDS("/co/scripts/box", "--cpus", "2", "--memory", "4096M", "--show", "/co/build/faultline",
			     "--show", "/k/bzImage", "--show", "/", "--writable", "/var", "--show", "/usr", "--output",
			     "20", "--output", "21", "--door", "23:/run/faultline/me.sock", "--", "/co/build/faultline",
			     "run", "-c", "8", "-m", "3G", "--name", "me", "--host=box", "--rwdir", "/tmp/a=/var",
			     "--rodir", "/tmp/b=/usr", "--events", "e", "--host=kvm", "--name=me", "--events=fd:20",
			     "--report=/dev/fd/21", "--", "true", "x"));
}

static void windows_are_there_too(void **state)
{
	(void)state;
	assert_command(
		7, WORDS("run", "--window", "/w/rw@6G", "--window=/w/ro@8G,ro", "--window=memfd:4M@9G", "--", "true"),
		-1, -1, 1,
		WORDS("/co/scripts/box", "--cpus", "1", "--memory", "2048M", "--show", "/co/build/faultline", "--show",
		      "/k/bzImage", "--show", "/", "--writable", "/w/rw", "--show", "/w/ro", "--",
		      "/co/build/faultline", "run", "--window", "/w/rw@6G", "--window=/w/ro@8G,ro",
		      "--window=memfd:4M@9G", "--host=kvm", "--name=guest-5", "--", "true"));
}

static void so_is_what_keeps_the_changes_of_an_overlay(void **state)
{
	(void)state;
	assert_command(5, WORDS("run", "--root", "/usr:overlay=/var", "--", "true"), -1, -1, 1,
		       WORDS("/co/scripts/box", "--cpus", "1", "--memory", "2048M", "--show", "/co/build/faultline",
			     "--show", "/k/bzImage", "--show", "/usr", "--writable", "/var", "--",
			     "/co/build/faultline", "run", "--root", "/usr:overlay=/var", "--host=kvm",
			     "--name=guest-5", "--", "true"));
}

static void an_initramfs_has_no_command(void **state)
{
	(void)state;
	for (int words = 3; words <= 4; words++)
		assert_command(words, WORDS("run", "-i", "/init", "--"), 20, -1, 1,
			       WORDS("/co/scripts/box", "--cpus", "1", "--memory", "2048M", "--show",
				     "/co/build/faultline", "--show", "/k/bzImage", "--show", "/init", "--show", "/",
				     "--output", "20", "--", "/co/build/faultline", "run", "-i", "/init", "--host=kvm",
				     "--name=guest-5", "--events=fd:20", words == 4 ? "--" : NULL));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(the_places_are_tried_in_turn, setup, teardown),
	cmocka_unit_test_setup_teardown(what_is_named_must_be_a_program, setup, teardown),
	cmocka_unit_test(the_same_command_line_is_run_inside),
	cmocka_unit_test(what_the_options_name_is_there_inside),
	cmocka_unit_test(windows_are_there_too),
	cmocka_unit_test(so_is_what_keeps_the_changes_of_an_overlay),
	cmocka_unit_test(an_initramfs_has_no_command),
};
FL_TEST_MAIN(10, tests)
