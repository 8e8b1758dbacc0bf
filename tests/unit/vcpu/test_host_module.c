/* SPDX-License-Identifier: Apache-2.0 */
/* Whose /dev/kvm it is, by what sysfs looks like on such hosts. */
#include "tests/lib/fl_test.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "vcpu/host_module.h"

static char sys[] = "/tmp/fl-sys.XXXXXX";

static void make_dir(const char *path)
{
	char whole[256];

	snprintf(whole, sizeof(whole), "%s/%s", sys, path);
	mkdir(whole, 0755);
}

/* state: as the kernel writes it, or NULL, as of what is built in (it has its parameters only) */
static void put_module(const char *name, const char *state)
{
	char path[192];

	make_dir("module");
	snprintf(path, sizeof(path), "module/%s", name);
	make_dir(path);
	snprintf(path, sizeof(path), "module/%s/parameters", name);
	make_dir(path);
	if (!state)
		return;
	snprintf(path, sizeof(path), "%s/module/%s/initstate", sys, name);
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	fprintf(file, "%s\n", state);
	assert_int_equal(fclose(file), 0);
}

static int setup(void **state)
{
	(void)state;
	strcpy(sys + strlen(sys) - 6, "XXXXXX");
	return mkdtemp(sys) ? 0 : -1;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	(void)state;
	return nftw(sys, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void a_live_module_is_the_one(void **state)
{
	(void)state;
	put_module("kvm", "live");
	put_module("kvm_amd", "live");
	assert_string_equal(fl_kvm_hardware(sys), "SVM");
	teardown(state);
	setup(state);
	put_module("kvm_intel", "live");
	assert_string_equal(fl_kvm_hardware(sys), "VMX");
	/* built in beside it, where it found no CPU of its kind */
	put_module("kvm_amd", NULL);
	assert_string_equal(fl_kvm_hardware(sys), "VMX");
}

static void others_are_not_known(void **state)
{
	(void)state;
	assert_null(fl_kvm_hardware(sys));
	put_module("kvm", NULL);
	put_module("kvm_intel", NULL);
	assert_null(fl_kvm_hardware(sys));
	put_module("kvm_intel", "coming");
	assert_null(fl_kvm_hardware(sys));
	put_module("kvm_intel", "going");
	assert_null(fl_kvm_hardware(sys));
}

static void pvm_is_no_hardware(void **state)
{
	(void)state;
	put_module("kvm_intel", "live");
	put_module("kvm_pvm", NULL);
	assert_null(fl_kvm_hardware(sys));
}

#define IN_SYS(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static const struct CMUnitTest tests[] = {
	IN_SYS(a_live_module_is_the_one),
	IN_SYS(others_are_not_known),
	IN_SYS(pvm_is_no_hardware),
};
FL_TEST_MAIN(10, tests)
