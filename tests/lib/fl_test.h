/* SPDX-License-Identifier: Apache-2.0 */
/* What every test program includes first: cmocka with its prerequisites, TAP output, and a hard time limit. */
#ifndef FL_TEST_H
#define FL_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* A lost fault looks like a hang: SIGALRM ends the program, which the runner counts as a failure. */
#define FL_TEST_MAIN(limit_s, tests)                              \
	int main(void)                                            \
	{                                                         \
		alarm(limit_s);                                   \
		cmocka_set_message_output(CM_OUTPUT_TAP);         \
		return cmocka_run_group_tests(tests, NULL, NULL); \
	}

/*
 * Ends the test where this host lacks something. cmocka writes that as "not ok N # SKIP", which the runner counts as
 * skipped; a plain return would count as passed.
 */
#define SKIP_FOR(...)                                     \
	do {                                              \
		print_message("# skipped: " __VA_ARGS__); \
		print_message("\n");                      \
		skip();                                   \
	} while (0)

#endif
