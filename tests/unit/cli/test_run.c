/* SPDX-License-Identifier: Apache-2.0 */
/* What the launcher's exit status says about a VM's end, and what it keeps of a guest's console. */
#include "tests/lib/fl_test.h"

#include <stdio.h>
#include <stdlib.h>

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

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_commands_status_is_the_launchers),
	cmocka_unit_test(a_command_that_cannot_run_is_told_as_a_shell_does),
	cmocka_unit_test(a_guest_without_a_status_is_255_and_explained),
	cmocka_unit_test(a_reported_fault_is_not_told_twice),
	cmocka_unit_test(the_end_of_a_console_is_kept),
	cmocka_unit_test(a_silent_console_says_nothing),
	cmocka_unit_test(one_huge_write_keeps_its_end),
};
FL_TEST_MAIN(10, tests)
