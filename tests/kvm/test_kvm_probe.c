/* SPDX-License-Identifier: Apache-2.0 */
/* What the host probe says, and that it says the same twice. */
#include "tests/lib/fl_test.h"

#include <stdio.h>

#include "vcpu/host_probe.h"

static void test_probe(void **state)
{
	struct fl_host_report first = {.size = sizeof(first)}, second = {.size = sizeof(second)};

	(void)state;
	assert_int_equal(fl_kvm_probe_host(&first), 0);
	printf("# use %u, strict %d, kvm %s: %s\n", first.use, first.strict, first.kvm, first.text);
	assert_true(first.use == FL_HOST_LINUX || first.use == FL_HOST_SMALL);
	assert_true(strlen(first.text) > 0);
	assert_int_equal(fl_kvm_probe_host(&second), 0);
	assert_int_equal(first.use, second.use);
	assert_int_equal(first.strict, second.strict);
	/* software KVMs have no popcnt in their emulator; hardware runs everything */
	if (strcmp(first.kvm, "SVM") == 0 || strcmp(first.kvm, "VMX") == 0)
		assert_int_equal(first.use, FL_HOST_LINUX);
	if (first.use == FL_HOST_SMALL)
		assert_non_null(strstr(first.text, "did not get through"));
}

/* A caller with an older, smaller report gets no byte more than it has room for. */
static void test_small_report(void **state)
{
	struct fl_host_report report;

	(void)state;
	memset(&report, 0x5a, sizeof(report));
	report.size = offsetof(struct fl_host_report, text);
	assert_int_equal(fl_kvm_probe_host(&report), 0);
	assert_int_equal((unsigned char)report.text[0], 0x5a);
	assert_int_not_equal((unsigned char)report.kvm[0], 0x5a);
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(test_probe), cmocka_unit_test(test_small_report)};

FL_TEST_MAIN(30, tests)
