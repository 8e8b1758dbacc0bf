/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random numbers of a guest: there before its first process, and renewed from the host's.
 *
 * usage: box_entropy LAUNCHER GUEST_DAX [TEST]
 */
#include "tests/lib/fl_test.h"

#include <stdio.h>

#include "tests/box/guest_run.h"

/* No other source early in the guest's life: what the CPU says of itself does not count. */
static const char *const only_the_seed[] = {"-p", "random.trust_cpu=off", NULL};

static void run_script(const struct bench *bench, const char *script, struct transcript *guest)
{
	const char *const command[] = {"sh", "-c", script, NULL};

	run_guest(bench, only_the_seed, command, "entropy", guest);
	if (guest->status != 0)
		show("guest", guest);
	assert_int_equal(guest->status, 0);
}

static void the_generator_is_ready_before_any_device(void **state)
{
	struct transcript guest;

	run_script(*state, "dmesg | grep -o -e 'crng init done' -e 'Memory: [0-9]*K' | sed 's/:.*//'", &guest);
	assert_string_equal(guest.out, "crng init done\nMemory\n");
	transcript_free(&guest);
}

/* hwrng is what the device gives, as it is. */
static void the_host_is_a_source_and_gives_each_its_own(void **state)
{
	static const char script[] = "cat /sys/class/misc/hw_random/rng_current; "
				     "head -c 1000 /dev/hwrng | od -v -An -tx1 -w1000; head -c 1000 /dev/hwrng | wc -c";
	struct transcript first, second;

	run_script(*state, script, &first);
	run_script(*state, script, &second);
	assert_int_equal(strncmp(first.out, "virtio_rng.0\n", 13), 0);
	assert_int_equal(first.out_len, 13 + 3000 + 1 + 5);
	assert_string_equal(first.out + 13 + 3001, "1000\n");
	assert_int_equal(second.out_len, first.out_len);
	assert_memory_not_equal(first.out + 13, second.out + 13, 300);
	transcript_free(&first);
	transcript_free(&second);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(the_generator_is_ready_before_any_device),
	cmocka_unit_test(the_host_is_a_source_and_gives_each_its_own),
};

int main(int argc, char **argv)
{
	return bench_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
