/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lost pages while the guest's CPUs, and its kernel, come and go: the records of a CPU are given back and asked for
 * again each time. A SIGBUS with the address tells that there was a record (guest_life.c).
 *
 * usage: box_life LAUNCHER GUEST_LIFE [TEST]
 */
#include "tests/lib/fl_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/box/guest_life.h"
#include "tests/box/guest_run.h"

#define CPU_TURNS 3 /* as guest_life.c has it */

/* Strict, since only there HLT does not exit: what becomes of a CPU that waits in it is one of the questions. */
static void run_life(const struct bench *bench, const char *mode, const char *what, struct transcript *guest)
{
	char a[PATH_MAX + 20], b[PATH_MAX + 20], bin[PATH_MAX + 20], program[PATH_MAX];

	snprintf(a, sizeof(a), "/tmp/a=%s", bench->data);
	snprintf(b, sizeof(b), "/tmp/b=%s", bench->data);
	snprintf(bin, sizeof(bin), "/tmp/bin=%s", bench->program_dir);
	snprintf(program, sizeof(program), "/tmp/bin/%.1000s", strrchr(bench->program, '/') + 1);
	const char *const options[] = {"-c",	  "2", "--fault-mode", "strict", "-v", "--rwdir", a,
				       "--rwdir", b,   "--rodir",      bin,	 NULL};
	const char *const command[] = {program, "/tmp/a", "/tmp/b", mode, what, NULL};

	run_guest(bench, options, command, mode, guest);
}

/* One line each, on standard output or the guest's console: "case NAME: SIGBUS BUS_ADRERR at +LOST_OFFSET" */
static void assert_cases(const struct transcript *guest, const char *text, const char *name, unsigned int count)
{
	char line[128];

	snprintf(line, sizeof(line), "case %s: SIGBUS BUS_ADRERR at +%d", name, LOST_OFFSET);
	if (lines_with(text, line) != count)
		show("guest", guest);
	assert_int_equal(lines_with(text, line), count);
}

static void cpus_come_and_go(void **state)
{
	struct transcript guest;

	run_life(*state, "cpus", NULL, &guest);
	assert_cases(&guest, guest.out, "beside", CPU_TURNS);
	assert_cases(&guest, guest.out, "back", CPU_TURNS);
	assert_int_equal(guest.status, 0);
	assert_true(lines_with(guest.err, "vCPU 1: PVPF_MSR_CTL = 0\n") >= CPU_TURNS);
	transcript_free(&guest);
}

static void a_second_kernel_takes_over(void **state)
{
	const struct bench *bench = *state;
	const char *kernel = getenv("FAULTLINE_KERNEL");
	char beside[PATH_MAX + 32];
	struct transcript guest;

	snprintf(beside, sizeof(beside), "%.*s/guest-kernel/bzImage",
		 (int)(strrchr(bench->launcher, '/') - bench->launcher), bench->launcher);
	run_life(bench, "kexec", kernel ? kernel : beside, &guest);
	assert_cases(&guest, guest.out, "first0", 1);
	assert_cases(&guest, guest.out, "first1", 1);
	assert_cases(&guest, guest.err, "second0", 1);
	assert_cases(&guest, guest.err, "second1", 1);
	assert_int_equal(lines_with(guest.err, "the second kernel is done"), 1);
	/* nobody is left there who could tell the launcher how the command ended */
	assert_int_equal(guest.status, 255);
	transcript_free(&guest);
}

/* What the kernel says of the access */
static void assert_died(const struct transcript *guest)
{
	if (lines_with(guest->err, "outcome=died") != 1)
		show("guest", guest);
	assert_int_equal(lines_with(guest->err, "mode=kernel access=read cause=truncated outcome=died"), 1);
	assert_int_equal(lines_with(guest->err, "Oops: paravirtual page fault: 0000"), 1);
}

static void a_process_that_the_kernel_cannot_save(void **state)
{
	struct transcript guest;

	run_life(*state, "die", "task", &guest);
	assert_died(&guest);
	/* of oops_end(), arch/x86/kernel/dumpstack.c */
	assert_int_equal(lines_with(guest.out, "the process was ended by signal 11\n"), 1);
	assert_cases(&guest, guest.out, "afterwards", 1);
	assert_int_equal(guest.status, 0);
	transcript_free(&guest);
}

static void a_kernel_that_cannot_save_itself(const struct bench *bench, const char *context)
{
	struct transcript guest;

	run_life(bench, "die", context, &guest);
	assert_died(&guest);
	assert_int_equal(
		lines_with(guest.err,
			   "the guest kernel gave up: Kernel panic - not syncing: Fatal exception in interrupt"),
		1);
	assert_int_equal(lines_with(guest.out, "the process"), 0);
	assert_int_not_equal(guest.status, 0);
	transcript_free(&guest);
}

static void an_interrupt_that_the_kernel_cannot_save(void **state)
{
	a_kernel_that_cannot_save_itself(*state, "hardirq");
}

static void an_nmi_that_the_kernel_cannot_save(void **state)
{
	a_kernel_that_cannot_save_itself(*state, "nmi");
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(cpus_come_and_go),
		cmocka_unit_test(a_second_kernel_takes_over),
		cmocka_unit_test(a_process_that_the_kernel_cannot_save),
		cmocka_unit_test(an_interrupt_that_the_kernel_cannot_save),
		cmocka_unit_test(an_nmi_that_the_kernel_cannot_save),
	};

	return bench_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
