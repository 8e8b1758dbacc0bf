/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files truncated on the host under a Linux guest that has them mapped. What must happen is what the same
 * program sees on this host itself with the same files: it runs here first, then in the guest.
 *
 * usage: box_dax LAUNCHER GUEST_DAX [TEST]
 */
#include "tests/lib/fl_test.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/box/guest_run.h"

#define MEMORY_CASES  17 /* lines: one an instruction, two of the extension */
#define SYSCALL_CASES 18
#define PROCESS_CASES 11

static const char *const one_cpu[] = {"-v", NULL};
static const char *const two_cpus[] = {"-c", "2", "-v", NULL};

/* The number behind `name=` in the last line that has it; -1 without one. */
static long number_of(const char *text, const char *name)
{
	long number = -1;

	for (const char *at = strstr(text, name); at; at = strstr(at + 1, name))
		number = atol(at + strlen(name));
	return number;
}

static void next_line(const char **text, char line[512])
{
	size_t len = strcspn(*text, "\n");

	snprintf(line, 512, "%.*s", (int)len, *text);
	*text += len + ((*text)[len] == '\n');
}

/* Line by line, so that a failure names the case. */
static unsigned int count_differences(const char *native, const char *guest)
{
	unsigned int differences = 0;

	while (*native || *guest) {
		char expected[512], seen[512];

		next_line(&native, expected);
		next_line(&guest, seen);
		if (strcmp(expected, seen) == 0)
			continue;
		differences++;
		printf("# expected: %s\n# guest:    %s\n", expected, seen);
	}
	fflush(stdout);
	return differences;
}

static void assert_same(const struct bench *bench, const char *const *options, const char *mode, unsigned int cases,
			struct transcript *guest)
{
	struct transcript native;

	run_on_host(bench, mode, &native);
	assert_int_equal(native.status, 0);
	assert_int_equal(lines_with(native.out, "case "), cases);
	run_in_guest(bench, options, mode, guest);
	unsigned int differences = count_differences(native.out, guest->out);

	transcript_free(&native);
	if (guest->status != 0)
		show("guest", guest);
	assert_int_equal(differences, 0);
	assert_int_equal(guest->status, 0);
}

static void the_share_is_mapped_and_not_copied(void **state)
{
	struct transcript guest;

	run_in_guest(*state, one_cpu, "mount", &guest);
	if (guest.status != 0)
		show("guest", &guest);
	assert_int_equal(guest.status, 0);
	assert_int_equal(lines_with(guest.out, "mount virtiofs"), 1);
	assert_non_null(strstr(guest.out, "dax"));
	transcript_free(&guest);
}

static void instructions_get_sigbus_with_the_exact_address(void **state)
{
	struct transcript guest;

	assert_same(*state, one_cpu, "memory", MEMORY_CASES, &guest);
	/* what "as on bare metal" means, for who reads this: */
	assert_int_equal(lines_with(guest.out, "case load: no signal; then SIGBUS BUS_ADRERR at +4219"), 1);
	assert_int_equal(lines_with(guest.out, "case load_across: no signal; then SIGBUS BUS_ADRERR at +4096"), 1);
	/* and it was the window that was touched: mappings were made, and every file gave a report that names it */
	assert_true(number_of(guest.err, "setup_mappings=") > 0);
	assert_true(lines_with(guest.err, "truncated") >= MEMORY_CASES - 1);
	assert_true(lines_with(guest.err, "/data/load_across") >= 1);
	transcript_free(&guest);
}

static void system_calls_end_as_at_the_end_of_a_file(void **state)
{
	struct transcript guest;

	assert_same(*state, one_cpu, "syscalls", SYSCALL_CASES, &guest);
	transcript_free(&guest);
}

static void nobody_else_is_hit(void **state)
{
	struct transcript guest;

	assert_same(*state, two_cpus, "processes", PROCESS_CASES, &guest);
	transcript_free(&guest);
}

static void assert_stress(const struct bench *bench, const char *const *options)
{
	struct transcript guest;

	run_in_guest(bench, options, "stress", &guest);
	long good = number_of(guest.out, "good=");
	long signals = number_of(guest.out, "sigbus=");
	long wrong = number_of(guest.out, "wrong=");

	printf("# %.*s\n", (int)strcspn(guest.out, "\n"), guest.out);
	if (guest.status != 0 || wrong != 0)
		show("guest", &guest);
	assert_int_equal(guest.status, 0);
	assert_int_equal(wrong, 0);
	/* otherwise nothing was tested */
	assert_true(good > 0);
	assert_true(signals > 0);
	transcript_free(&guest);
}

static void a_thousand_truncations_under_four_readers(void **state)
{
	assert_stress(*state, two_cpus);
}

/*
 * Watch mode must look the same from inside. One CPU and two: where HLT exits, the guest has to be found while it
 * idles as well.
 */
static const char *const watched[] = {"--fault-mode", "watch", "-v", NULL};
static const char *const two_watched[] = {"--fault-mode", "watch", "-c", "2", "-v", NULL};

static void watch_mode_gives_the_exact_address_too(void **state)
{
	struct transcript guest;

	assert_same(*state, watched, "memory", MEMORY_CASES, &guest);
	assert_int_equal(lines_with(guest.err, "fault mode watch"), 1);
	assert_true(lines_with(guest.err, "truncated") >= MEMORY_CASES - 1);
	transcript_free(&guest);
}

static void watch_mode_ends_system_calls_too(void **state)
{
	struct transcript guest;

	assert_same(*state, watched, "syscalls", SYSCALL_CASES, &guest);
	transcript_free(&guest);
}

static void watch_mode_hits_nobody_else_either(void **state)
{
	struct transcript guest;

	assert_same(*state, two_watched, "processes", PROCESS_CASES, &guest);
	transcript_free(&guest);
}

static void a_thousand_truncations_in_watch_mode(void **state)
{
	assert_stress(*state, two_watched);
}

static void a_stopped_guest_is_explained(void **state)
{
	static const char *const options[] = {"--on-fault", "stop", NULL};
	struct transcript guest;

	run_in_guest(*state, options, "memory", &guest);
	if (guest.status != 255 || lines_with(guest.err, "/data/load") < 1)
		show("guest", &guest);
	assert_int_equal(guest.status, 255);
	/* it got no further than to the first lost page */
	assert_int_equal(lines_with(guest.out, "case "), 0);
	assert_true(lines_with(guest.err, "/data/load") >= 1);
	assert_true(lines_with(guest.err, "--on-fault") >= 1);
	transcript_free(&guest);
}

static void assert_plain(const struct bench *bench, const char *const *options)
{
	struct transcript guest;

	run_in_guest(bench, options, "memory", &guest);
	if (guest.status != 0 || lines_with(guest.out, "case ") != MEMORY_CASES)
		show("guest", &guest);
	assert_int_equal(guest.status, 0);
	assert_int_equal(lines_with(guest.out, "case "), MEMORY_CASES);
	/* arch/x86/kernel/traps.c, exc_segment_not_present: SIGBUS without an address */
	assert_int_equal(lines_with(guest.out, "then SIGBUS SI_KERNEL, address 0;"), MEMORY_CASES - 2);
	transcript_free(&guest);
}

static void without_records_there_is_sigbus_without_an_address(void **state)
{
	static const char *const options[] = {"--unpatched", "-v", NULL};

	assert_plain(*state, options);
}

static void a_stock_kernel_survives_too(void **state)
{
	const struct bench *bench = *state;
	const char *const options[] = {"-v", "-k", bench->stock_kernel, NULL};

	if (access(bench->stock_kernel, R_OK) < 0) {
		printf("# there is no %s: build it with scripts/guest-kernel --stock\n", bench->stock_kernel);
		skip();
	}
	assert_plain(bench, options);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(the_share_is_mapped_and_not_copied),
	cmocka_unit_test(instructions_get_sigbus_with_the_exact_address),
	cmocka_unit_test(system_calls_end_as_at_the_end_of_a_file),
	cmocka_unit_test(nobody_else_is_hit),
	cmocka_unit_test(a_thousand_truncations_under_four_readers),
	cmocka_unit_test(watch_mode_gives_the_exact_address_too),
	cmocka_unit_test(watch_mode_ends_system_calls_too),
	cmocka_unit_test(watch_mode_hits_nobody_else_either),
	cmocka_unit_test(a_thousand_truncations_in_watch_mode),
	cmocka_unit_test(a_stopped_guest_is_explained),
	cmocka_unit_test(without_records_there_is_sigbus_without_an_address),
	cmocka_unit_test(a_stock_kernel_survives_too),
};

int main(int argc, char **argv)
{
	return bench_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
