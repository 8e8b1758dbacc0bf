/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/fl_test.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/box/guest_run.h"

int bench_main(int argc, char **argv, const struct CMUnitTest *tests, size_t count)
{
	struct bench bench;
	char reason[512];
	int failed = 0;

	alarm((unsigned int)atoi(guest_time_limit_s()) + AFTER_GUEST_S);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	if (argc < 3 || !bench_open(&bench, argv[1], argv[2])) {
		printf("Bail out! usage: %s LAUNCHER GUEST_DAX [TEST], and a writable /dev/shm or /tmp\n", argv[0]);
		return 1;
	}
	if (!bench_runs_linux(&bench, reason, sizeof(reason))) {
		printf("1..0 # SKIP no Linux guest can run here (%s); scripts/box makes a place where it can\n",
		       reason);
		bench_close(&bench);
		return 0;
	}
	struct CMUnitTest *with_bench = calloc(count, sizeof(*with_bench));

	for (size_t i = 0; with_bench && i < count; i++) {
		with_bench[i] = tests[i];
		with_bench[i].initial_state = &bench;
	}
	if (argc > 3)
		cmocka_set_test_filter(argv[3]);
	failed = with_bench ? _cmocka_run_group_tests("box", with_bench, count, NULL, NULL) : 1;
	free(with_bench);
	bench_close(&bench);
	return failed;
}
