/* SPDX-License-Identifier: Apache-2.0 */
#include "mmu_test.h"

#include <sys/resource.h>

#include "mmu_backing/guest_ram.h"

static void test_memory_is_there_and_aligned(void **state)
{
	struct fl_guest_ram ram = {0};
	(void)state;

	assert_int_equal(fl_guest_ram_init(&ram, 64 * MIB, NULL), 0);
	assert_int_equal(ram.len, 64 * MIB);
	assert_int_equal((uintptr_t)ram.hva % RANGE, 0);
	assert_int_equal(ram.hva[0] | ram.hva[ram.len - 1], 0);
	ram.hva[ram.len - 1] = 0x5a;
	assert_string_equal(test_mapping_at(ram.hva).perms, "rw-s");
	fl_guest_ram_fini(&ram);
	assert_null(ram.hva);
}

static void test_nobody_can_take_it_away(void **state)
{
	struct fl_guest_ram ram = {0};
	(void)state;

	assert_int_equal(fl_guest_ram_init(&ram, RANGE, NULL), 0);
	assert_int_equal(ftruncate(ram.fd, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(ram.fd, PAGE), -1);
	assert_int_equal(errno, EPERM);
	/* nor open the way to it with further seals */
	assert_int_equal(fcntl(ram.fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(fcntl(ram.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	fl_guest_ram_fini(&ram);
}

/* VmFlags of the mapping at hva (proc(5)): "dc" no copy on fork, "dd" no dump */
static bool has_vm_flag(const uint8_t *hva, const char *flag)
{
	FILE *smaps = fopen("/proc/self/smaps", "re");
	bool here = false, found = false;
	char line[8192];

	assert_non_null(smaps);
	while (fgets(line, sizeof(line), smaps)) {
		uint64_t start, end;

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &start, &end) == 2)
			here = (uintptr_t)hva >= start && (uintptr_t)hva < end;
		else if (here && strncmp(line, "VmFlags:", 8) == 0)
			found = strstr(line, flag) != NULL;
	}
	fclose(smaps);
	return found;
}

static void test_neither_forked_nor_dumped(void **state)
{
	struct fl_guest_ram ram = {0};
	(void)state;

	assert_int_equal(fl_guest_ram_init(&ram, RANGE, NULL), 0);
	assert_true(has_vm_flag(ram.hva, " dc"));
	assert_true(has_vm_flag(ram.hva, " dd"));
	assert_false(has_vm_flag((const uint8_t *)has_vm_flag, " dc"));
	fl_guest_ram_fini(&ram);
}

static void test_substituted_page_is_a_fresh_one(void **state)
{
	struct fl_guest_ram ram = {0};
	(void)state;

	assert_int_equal(fl_guest_ram_init(&ram, RANGE, NULL), 0);
	memset(ram.hva, 0x5a, RANGE);
	assert_int_equal(fl_guest_ram_substitute(&ram, 3 * PAGE + 77), 0);
	assert_int_equal(fl_guest_ram_substitute(&ram, RANGE - 1), 0);
	for (uint64_t at = 0; at < RANGE; at++)
		if (ram.hva[at] != (at / PAGE == 3 || at / PAGE == RANGE / PAGE - 1 ? 0 : 0x5a))
			fail_msg("byte %#" PRIx64 " is %#x", at, ram.hva[at]);
	ram.hva[3 * PAGE] = 1;
	assert_int_equal(test_peek(ram.hva + 3 * PAGE), 1);
	assert_int_equal(fl_guest_ram_substitute(&ram, RANGE), -EINVAL);
	assert_int_equal(fl_guest_ram_substitute(&ram, UINT64_MAX), -EINVAL);
	fl_guest_ram_fini(&ram);
}

/*
 * The host's hardware loses a page (madvise(2) MADV_HWPOISON, which really takes one page frame out of use until
 * reboot: only where FL_TEST_HWPOISON is set).
 */
static void test_lost_page_is_healthy_again(void **state)
{
	struct fl_guest_ram ram = {0};
	(void)state;

	if (!getenv("FL_TEST_HWPOISON")) {
		printf("# not done: FL_TEST_HWPOISON is not set\n");
		return;
	}
	assert_int_equal(fl_guest_ram_init(&ram, RANGE, NULL), 0);
	memset(ram.hva, 0x5a, RANGE);
	assert_int_equal(madvise(ram.hva + PAGE, PAGE, MADV_HWPOISON), 0);
	assert_int_equal(test_peek(ram.hva + PAGE), -1);
	assert_int_equal(fl_guest_ram_substitute(&ram, PAGE), 0);
	assert_int_equal(test_peek(ram.hva + PAGE), 0);
	ram.hva[PAGE] = 7;
	assert_int_equal(test_peek(ram.hva + PAGE), 7);
	assert_int_equal(test_peek(ram.hva + 2 * PAGE), 0x5a);
	fl_guest_ram_fini(&ram);
}

static void test_bad_sizes(void **state)
{
	static const uint64_t bad[] = {0, PAGE, RANGE - 1, RANGE + PAGE, UINT64_MAX, UINT64_MAX - RANGE + 1};
	struct fl_guest_ram ram = {0};
	struct fl_diag diag = {0};
	(void)state;

	for (size_t i = 0; i < FL_ARRAY_SIZE(bad); i++)
		assert_int_equal(fl_guest_ram_init(&ram, bad[i], &diag), -EINVAL);
	assert_true(strlen(diag.text) > 0);
	fl_guest_ram_fini(&ram); /* of a zeroed one */
}

static void test_too_much_leaves_nothing(void **state)
{
	struct fl_guest_ram ram = {0};
	struct fl_diag diag = {0};
	int before = dup(STDOUT_FILENO), after;
	(void)state;

	close(before);
	/* all of the 47 bits of user addresses */
	assert_int_equal(fl_guest_ram_init(&ram, UINT64_C(1) << 47, &diag), -ENOMEM);
	assert_int_equal(diag.error, -ENOMEM);
	assert_null(ram.hva);
	after = dup(STDOUT_FILENO);
	close(after);
	assert_int_equal(before, after);
}

/* Each by its own sentence, and none by a signal. */
static void test_limits_of_the_process_are_named(void **state)
{
	struct fl_guest_ram ram = {0};
	struct fl_diag diag = {0};
	struct rlimit old, low;
	(void)state;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	low = (struct rlimit){.rlim_cur = MIB, .rlim_max = old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
	assert_int_equal(fl_guest_ram_init(&ram, 64 * MIB, &diag), -EFBIG);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_non_null(strstr(diag.text, "64 MiB"));
	assert_non_null(strstr(diag.text, "ulimit -f"));

	assert_int_equal(fl_guest_ram_init(&ram, UINT64_C(1) << 47, &diag), -ENOMEM);
	assert_non_null(strstr(diag.text, "134217728 MiB"));
	assert_non_null(strstr(diag.text, "--memory"));
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_memory_is_there_and_aligned), cmocka_unit_test(test_nobody_can_take_it_away),
	cmocka_unit_test(test_neither_forked_nor_dumped),   cmocka_unit_test(test_bad_sizes),
	cmocka_unit_test(test_too_much_leaves_nothing),	    cmocka_unit_test(test_substituted_page_is_a_fresh_one),
	cmocka_unit_test(test_lost_page_is_healthy_again),  cmocka_unit_test(test_limits_of_the_process_are_named),
};

FL_TEST_MAIN(30, tests)
