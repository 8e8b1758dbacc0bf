/* SPDX-License-Identifier: Apache-2.0 */
/* When the host cannot back the guest's memory, or may not be able to. */
#include "tests/lib/fl_test.h"

#include <string.h>
#include <sys/sysinfo.h>

#include "vmm/ram_budget.h"

static void what_the_host_has_can_be_had(void **state)
{
	const struct fl_ram_budget budget = {.ram_len = 8 * FL_GIB, .host_len = 8 * FL_GIB};

	(void)state;
	assert_int_equal(fl_check_ram_budget(&budget, NULL), 0);
}

static void more_than_the_host_has_may_go_wrong(void **state)
{
	const struct fl_ram_budget budget = {.ram_len = 9 * FL_GIB, .host_len = 8 * FL_GIB};
	struct fl_diag diag = {0};

	(void)state;
	assert_int_equal(fl_check_ram_budget(&budget, &diag), -ENOSPC);
	assert_non_null(strstr(diag.text, "9216 MiB"));
	assert_non_null(strstr(diag.text, "8192 MiB"));
	assert_non_null(strstr(diag.text, "--memory"));
}

static void more_than_is_promised_cannot_be_had(void **state)
{
	struct fl_ram_budget budget = {
		.ram_len = 2 * FL_GIB, .host_len = 8 * FL_GIB, .promises = true, .promise_len = FL_GIB};
	struct fl_diag diag = {0};

	(void)state;
	assert_int_equal(fl_check_ram_budget(&budget, &diag), -ENOMEM);
	assert_non_null(strstr(diag.text, "2048 MiB"));
	assert_non_null(strstr(diag.text, "1024 MiB"));
	assert_non_null(strstr(diag.text, "sysctl vm.overcommit_memory=0"));
	budget.ram_len = FL_GIB;
	assert_int_equal(fl_check_ram_budget(&budget, NULL), 0);
	budget.ram_len = 2 * FL_GIB;
	budget.promises = false;
	assert_int_equal(fl_check_ram_budget(&budget, NULL), 0);
}

static void what_is_not_known_is_no_reason_to_refuse(void **state)
{
	const struct fl_ram_budget budget = {.ram_len = 2048 * FL_GIB};

	(void)state;
	assert_int_equal(fl_check_ram_budget(&budget, NULL), 0);
}

/* sysinfo(2) counts the same in another way. */
static void the_host_is_asked(void **state)
{
	struct fl_ram_budget budget = {0};
	struct sysinfo info;

	(void)state;
	assert_int_equal(sysinfo(&info), 0);
	fl_ram_budget_read(&budget);
	assert_int_equal(budget.host_len, (info.totalram + info.totalswap) * info.mem_unit);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(what_the_host_has_can_be_had),
	cmocka_unit_test(more_than_the_host_has_may_go_wrong),
	cmocka_unit_test(more_than_is_promised_cannot_be_had),
	cmocka_unit_test(what_is_not_known_is_no_reason_to_refuse),
	cmocka_unit_test(the_host_is_asked),
};

FL_TEST_MAIN(20, tests)
