/* SPDX-License-Identifier: Apache-2.0 */
/* What the launcher's exit status says about a VM's end, and what it keeps of a guest's console. */
#include "tests/lib/fl_test.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/box_terminal.h"
#include "cli/machine.h"
#include "cli/output.h"
#include "cli/run.h"

static int status_of(enum fl_end end, int code, char text[256])
{
	struct fl_result result = {.size = sizeof(result), .end = end, .code = code, .text = "because"};

	return fl_cli_exit_status(&result, text, 256);
}

static void a_commands_status_is_the_launchers(void **state)
{
	char text[256];

	(void)state;
	for (int code = 0; code < 256; code++) {
		assert_int_equal(status_of(FL_END_EXITED, code, text), code);
		assert_string_equal(text, "");
	}
	assert_int_equal(status_of(FL_END_SIGNALED, 9, text), 137);
	assert_string_equal(text, "");
	assert_int_equal(status_of(FL_END_SIGNALED, 7, text), 135);
}

static void a_command_that_cannot_run_is_told_as_a_shell_does(void **state)
{
	char text[256];

	(void)state;
	assert_int_equal(status_of(FL_END_NOT_RUN, 127, text), 127);
	assert_non_null(strstr(text, "because"));
	assert_int_equal(status_of(FL_END_NOT_RUN, 126, text), 126);
	assert_int_equal(status_of(FL_END_NOT_RUN, 125, text), 125);
	/* a guest may say what it likes */
	assert_int_equal(status_of(FL_END_NOT_RUN, 0, text), 125);
}

static void a_guest_without_a_status_is_255_and_explained(void **state)
{
	static const enum fl_end ends[] = {FL_END_POWEROFF, FL_END_RESET, FL_END_CRASHED, FL_END_FAULT, FL_END_ERROR};
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		assert_int_equal(status_of(ends[i], 0, text), 255);
		assert_non_null(strstr(text, ": because"));
	}
}

static void an_initramfs_of_ones_own_ends_as_machines_do(void **state)
{
	struct fl_result result = {.size = sizeof(result), .end = FL_END_POWEROFF, .flags = FL_RESULT_OWN_INITRD};
	char text[256];

	(void)state;
	assert_int_equal(fl_cli_exit_status(&result, text, sizeof(text)), 0);
	assert_string_equal(text, "");
	result.end = FL_END_RESET;
	assert_int_equal(fl_cli_exit_status(&result, text, sizeof(text)), 0);
	assert_string_equal(text, "");
	result.flags |= FL_RESULT_PANIC;
	assert_int_equal(fl_cli_exit_status(&result, text, sizeof(text)), 255);
	assert_non_null(strstr(text, "panic"));
	result.end = FL_END_CRASHED;
	assert_int_equal(fl_cli_exit_status(&result, text, sizeof(text)), 255);
	/* it may say more on the agent's port */
	result.end = FL_END_EXITED;
	result.code = 3;
	assert_int_equal(fl_cli_exit_status(&result, text, sizeof(text)), 3);
}

static void a_reported_fault_is_not_told_twice(void **state)
{
	struct fl_result result = {.size = sizeof(result), .end = FL_END_FAULT, .faults = 1, .text = "because"};
	char text[256];

	(void)state;
	assert_int_equal(fl_cli_exit_status(&result, text, sizeof(text)), 255);
	assert_non_null(strstr(text, "--on-fault"));
	assert_null(strstr(text, "because"));
}

static char *tail_of(struct fl_cli_output *output, FILE **out)
{
	char *text = NULL;
	size_t len = 0;

	*out = open_memstream(&text, &len);
	output->out = *out;
	fl_cli_print_console_tail(output);
	fclose(*out);
	return text;
}

static void the_end_of_a_console_is_kept(void **state)
{
	struct fl_cli_output output;
	FILE *out;

	(void)state;
	fl_cli_output_init(&output, NULL, false);
	for (int i = 0; i < 5000; i++) {
		char line[32];
		int len = snprintf(line, sizeof(line), "line %d\r\n", i);

		fl_cli_on_console(&output, line, (size_t)len);
	}
	fl_cli_on_console(&output, "panic \x1b[2Jend\n", 14);
	char *text = tail_of(&output, &out);

	assert_non_null(strstr(text, "    line 4999\n"));
	assert_non_null(strstr(text, "    line 4989\n"));
	assert_null(strstr(text, "line 4988"));
	/* without the escape: a guest must not drive the terminal */
	assert_non_null(strstr(text, "    panic [2Jend\n"));
	free(text);
	fl_cli_output_fini(&output);
}

static void a_silent_console_says_nothing(void **state)
{
	struct fl_cli_output output;
	FILE *out;

	(void)state;
	fl_cli_output_init(&output, NULL, false);
	fl_cli_on_console(&output, "\r\n\n", 3);
	char *text = tail_of(&output, &out);

	assert_string_equal(text, "");
	free(text);
	fl_cli_output_fini(&output);
}

static void one_huge_write_keeps_its_end(void **state)
{
	static char bytes[100000];
	struct fl_cli_output output;
	FILE *out;

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	memcpy(bytes + sizeof(bytes) - 4, "\nend", 4);
	fl_cli_output_init(&output, NULL, false);
	fl_cli_on_console(&output, "before\n", 7);
	fl_cli_on_console(&output, bytes, sizeof(bytes));
	char *text = tail_of(&output, &out);

	assert_null(strstr(text, "before"));
	assert_non_null(strstr(text, "x\n    end\n"));
	free(text);
	fl_cli_output_fini(&output);
}

#define SECOND UINT64_C(1000000000)

static unsigned int lines_at(uint64_t *busy_ns, uint64_t now_ns)
{
	unsigned int lines = 0;

	while (lines < 1000 && fl_cli_line_has_room(busy_ns, now_ns, 50, 10))
		lines++;
	return lines;
}

static void lines_come_in_a_burst_and_then_at_a_rate(void **state)
{
	uint64_t busy_ns = 0;

	(void)state;
	assert_int_equal(lines_at(&busy_ns, 1000 * SECOND), 50);
	assert_int_equal(lines_at(&busy_ns, 1000 * SECOND + SECOND / 20), 0);
	assert_int_equal(lines_at(&busy_ns, 1001 * SECOND), 10);
	assert_int_equal(lines_at(&busy_ns, 1003 * SECOND), 20);
	/* silence is saved up, but not for ever */
	assert_int_equal(lines_at(&busy_ns, 5000 * SECOND), 50);
}

static char *faults_shown(unsigned int count, enum fl_outcome last)
{
	struct fl_cli_output output;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	fl_cli_output_init(&output, out, false);
	for (unsigned int id = 1; id <= count; id++) {
		struct fl_fault fault = {.size = sizeof(fault), .id = id, .cause = FL_CAUSE_TRUNCATED};

		fault.outcome = id == count ? last : FL_OUTCOME_RECORD;
		fl_cli_on_fault(&output, &fault);
	}
	fl_cli_print_left_out(&output);
	fclose(out);
	fl_cli_output_fini(&output);
	return text;
}

/* However long the machine takes for these: at 10 a second it would have to be 45 s. */
static void a_flood_of_faults_is_cut_and_counted(void **state)
{
	char *text = faults_shown(500, FL_OUTCOME_RECORD);

	(void)state;
	assert_non_null(strstr(text, "faultline: fault 50: "));
	assert_null(strstr(text, "faultline: fault 499: "));
	assert_non_null(strstr(text, " more faults are not shown here"));
	free(text);
	/* but never the one that explains why everything ended */
	text = faults_shown(500, FL_OUTCOME_STOPPED);
	assert_non_null(strstr(text, "faultline: fault 500: "));
	free(text);
	text = faults_shown(50, FL_OUTCOME_RECORD);
	assert_null(strstr(text, "not shown"));
	free(text);
}

/* The tags are the launcher's own: a person knows where a share is mounted. */
static void a_share_in_trouble_is_named_by_its_mount(void **state)
{
	char root[] = "/", data[] = "/srv/data";
	struct fl_cli_share shares[] = {{.mount = root}, {.mount = data}};
	const struct fl_cli_options options = {.shares = shares, .share_count = 2};
	const struct fl_window_event event = {.trouble = FL_WINDOW_NEARLY_FULL, .region = "share1", .ranges = 32};
	const struct fl_fault fault = {.size = sizeof(fault), .id = 7, .share = "share1"}; /* of no known file */
	struct fl_cli_output output;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	fl_cli_output_init(&output, out, false);
	output.options = &options;
	fl_cli_on_window(&output, &event);
	fl_cli_on_fault(&output, &fault);
	fclose(out);
	assert_non_null(strstr(text, " in region \"/srv/data\"; "));
	assert_non_null(strstr(text, "faultline: warning: the DAX window of share \"/srv/data\" is nearly used up"));
	free(text);
	fl_cli_output_fini(&output);
	assert_string_equal(fl_cli_mount_of(&options, "root"), "/");
	assert_string_equal(fl_cli_mount_of(&options, "share2"), "share2");
}

/* It is told of by the launcher outside, and nobody else may say so. */
static void the_terminal_of_the_box_is_the_one_outside(void **state)
{
	uint16_t rows = 0, cols = 0;

	(void)state;
	setenv("FAULTLINE_TERMINAL", "33x77", 1);
	unsetenv("FAULTLINE_IN_BOX");
	assert_false(fl_cli_box_terminal(&rows, &cols));
	setenv("FAULTLINE_IN_BOX", "1", 1);
	assert_true(fl_cli_box_terminal(&rows, &cols));
	assert_int_equal(rows, 33);
	assert_int_equal(cols, 77);
	setenv("FAULTLINE_TERMINAL", "33", 1);
	assert_false(fl_cli_box_terminal(&rows, &cols));
	fl_cli_forget_box_terminal();
	assert_false(fl_cli_box_terminal(&rows, &cols));
	unsetenv("FAULTLINE_IN_BOX");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(the_terminal_of_the_box_is_the_one_outside),
	cmocka_unit_test(a_commands_status_is_the_launchers),
	cmocka_unit_test(a_command_that_cannot_run_is_told_as_a_shell_does),
	cmocka_unit_test(a_guest_without_a_status_is_255_and_explained),
	cmocka_unit_test(an_initramfs_of_ones_own_ends_as_machines_do),
	cmocka_unit_test(a_reported_fault_is_not_told_twice),
	cmocka_unit_test(the_end_of_a_console_is_kept),
	cmocka_unit_test(a_silent_console_says_nothing),
	cmocka_unit_test(one_huge_write_keeps_its_end),
	cmocka_unit_test(lines_come_in_a_burst_and_then_at_a_rate),
	cmocka_unit_test(a_flood_of_faults_is_cut_and_counted),
	cmocka_unit_test(a_share_in_trouble_is_named_by_its_mount),
};
FL_TEST_MAIN(10, tests)
