/* SPDX-License-Identifier: Apache-2.0 */
/* What the host probe says, and that it says the same twice. */
#include "tests/lib/fl_test.h"

#include <stdio.h>
#include <time.h>

#include "vcpu/host_module.h"
#include "vcpu/host_probe.h"

static void test_probe(void **state)
{
	struct fl_host_report first = {.size = sizeof(first)}, second = {.size = sizeof(second)};

	(void)state;
	assert_int_equal(fl_kvm_probe_host(&first, true), 0);
	printf("# use %u, strict %d, kvm %s: %s\n", first.use, first.strict, first.kvm, first.text);
	assert_true(first.use == FL_HOST_LINUX || first.use == FL_HOST_SMALL);
	assert_true(strlen(first.text) > 0);
	assert_int_equal(fl_kvm_probe_host(&second, true), 0);
	assert_int_equal(first.use, second.use);
	assert_int_equal(first.strict, second.strict);
	/* software KVMs have no popcnt in their emulator; hardware runs everything */
	if (strcmp(first.kvm, "SVM") == 0 || strcmp(first.kvm, "VMX") == 0)
		assert_int_equal(first.use, FL_HOST_LINUX);
	if (first.use == FL_HOST_SMALL)
		assert_non_null(strstr(first.text, "did not get through"));
	printf("# shapes \"%s\", watch %d\n", first.shapes, first.watch);
	assert_string_equal(first.shapes, second.shapes);
	assert_int_equal(first.watch, second.watch);
}

/* The short form asks one guest instead of two, or looks whose /dev/kvm it is, and hears the same. */
static void test_use_alone(void **state)
{
	struct fl_host_report whole = {.size = sizeof(whole)}, use = {.size = sizeof(use)};

	(void)state;
	assert_int_equal(fl_kvm_probe_host(&whole, true), 0);
	assert_int_equal(fl_kvm_probe_host(&use, false), 0);
	assert_int_equal(use.use, whole.use);
	printf("# by %s\n", fl_kvm_hardware("/sys") ? "its module" : "a probe guest");
	assert_string_equal(use.kvm, whole.kvm);
	assert_string_equal(use.shapes, "");
	if (use.use == FL_HOST_LINUX && whole.strict)
		assert_string_equal(use.text, whole.text);
	assert_false(use.watch);
}

/*
 * The probe's own guest must see what guests see here. Where CPL 0 is emulated a load comes out as MMIO; everywhere
 * CPL 3 fails without an address, unless the kernel names the page.
 */
static void test_shapes(void **state)
{
	struct fl_host_report report = {.size = sizeof(report)};

	(void)state;
	assert_int_equal(fl_kvm_probe_host(&report, true), 0);
	assert_true(report.watch);
	if (!report.strict) {
		printf("# skipped: this KVM cannot disable HLT exits\n");
		skip();
	}
	assert_true(strstr(report.shapes, "efault") == report.shapes ||
		    strstr(report.shapes, "annotated") == report.shapes);
	if (strcmp(report.kvm, "PVM (software)") == 0)
		assert_non_null(strstr(report.shapes, " mmio"));
	else
		assert_null(strchr(report.shapes, ' '));
}

/* Short enough to be run at every start; emulated hosts are slow at everything. */
static void test_time(void **state)
{
	struct fl_host_report report = {.size = sizeof(report)};
	uint64_t best_ms = UINT64_MAX;

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct timespec before, after;

		clock_gettime(CLOCK_MONOTONIC, &before);
		assert_int_equal(fl_kvm_probe_host(&report, true), 0);
		clock_gettime(CLOCK_MONOTONIC, &after);
		best_ms = FL_MIN(best_ms, (uint64_t)((after.tv_sec - before.tv_sec) * 1000 +
						     (after.tv_nsec - before.tv_nsec) / 1000000));
	}
	printf("# the probe takes %llu ms\n", (unsigned long long)best_ms);
	assert_true(best_ms < (getenv("FAULTLINE_IN_BOX") ? 2000 : 100));
}

/* A caller with an older, smaller report gets no byte more than it has room for. */
static void test_small_report(void **state)
{
	struct fl_host_report report;

	(void)state;
	memset(&report, 0x5a, sizeof(report));
	report.size = offsetof(struct fl_host_report, text);
	assert_int_equal(fl_kvm_probe_host(&report, true), 0);
	assert_int_equal((unsigned char)report.text[0], 0x5a);
	assert_int_not_equal((unsigned char)report.kvm[0], 0x5a);
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(test_probe), cmocka_unit_test(test_use_alone),
					  cmocka_unit_test(test_small_report), cmocka_unit_test(test_shapes),
					  cmocka_unit_test(test_time)};

FL_TEST_MAIN(30, tests)
