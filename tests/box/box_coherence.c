/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file exerciser (tests/exercise) with guests: they and the host change the same files in turns, and each sees what
 * the others did. What nobody changes in between is the model's, so that also a guest alone is held against it. Each
 * case does what it can in RUN_S; tests/exercise/exerciser does more.
 *
 * usage: box_coherence LAUNCHER EXERCISE_ACTOR [TEST]
 */
#include "tests/lib/fl_test.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/box/guest_run.h"
#include "tests/exercise/exercise_run.h"

#define RUN_S	   15
#define OPS_LEAST  50	/* or nothing was tested */
#define OPS_MOST   5000 /* for machines that are faster than the box */
#define GUEST_SIZE "-m512M"

static const struct ex_place on_the_host = {0};
static const struct ex_place dax_guest = {.kernel = EX_DAX, .options = {GUEST_SIZE}};
static const struct ex_place watched_guest = {.kernel = EX_DAX, .options = {GUEST_SIZE, "--fault-mode=watch"}};
static const struct ex_place narrow_guest = {.kernel = EX_DAX, .options = {GUEST_SIZE, "--dax-window=64M"}};
static const struct ex_place cached_guest = {.kernel = EX_CACHED, .options = {GUEST_SIZE, "--dax-window=0"}};

static unsigned int count_guests(const struct ex_run *run)
{
	unsigned int guests = 0;

	for (unsigned int i = 0; i < run->config.actors; i++)
		guests += run->places[i].kernel != EX_HOST;
	return guests;
}

static void add_place(struct ex_run *run, const struct ex_place *place)
{
	struct ex_place *added = &run->places[run->config.actors++];
	const char *consoles = getenv(GUEST_CONSOLES_VARIABLE);
	char path[PATH_MAX];
	size_t count = 0;

	*added = *place;
	if (place->kernel == EX_HOST)
		return;
	while (added->options[count])
		count++;
	add_kernel_options(added->options, count);
	if (!consoles)
		return;
	snprintf(path, sizeof(path), "%.3000s/coherence-%" PRIu64 "-%u.log", consoles, run->config.seed,
		 run->config.actors);
	added->errors = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	assert_true(added->errors > 0);
}

static struct ex_run new_run(const struct bench *bench, uint64_t seed)
{
	return (struct ex_run){
		.config = {.seed = seed, .files = 4, .max_len = 768 * EX_PAGE},
		.dir = bench->data,
		.launcher = bench->launcher,
		.actor = bench->program,
		.ops_max = OPS_MOST,
		.seconds = RUN_S,
	};
}

static void show_text(const char *text)
{
	while (text && *text) {
		size_t len = strcspn(text, "\n");

		printf("# %.*s\n", (int)len, text);
		text += len + (text[len] == '\n');
	}
}

static void assert_no_difference(struct ex_run *run)
{
	if (getenv(GUEST_CONSOLES_VARIABLE) && count_guests(run) > 1)
		SKIP_FOR("there is memory for one guest only that checks itself");
	bool good = ex_run(run);

	printf("# seed %" PRIu64 ": %" PRIu64 " operations in %" PRIu64 " turns\n", run->config.seed, run->ops,
	       run->turns);
	if (!good) {
		show_text(run->said);
		show_text(run->errors);
	}
	fflush(stdout);
	ex_run_free(run);
	assert_true(good);
	assert_true(run->ops >= OPS_LEAST);
}

static void a_guest_and_its_host(void **state)
{
	struct ex_run run = new_run(*state, 101);

	add_place(&run, &dax_guest);
	add_place(&run, &on_the_host);
	assert_no_difference(&run);
}

static void a_guest_and_its_host_in_watch_mode(void **state)
{
	struct ex_run run = new_run(*state, 102);

	add_place(&run, &watched_guest);
	add_place(&run, &on_the_host);
	assert_no_difference(&run);
}

static void two_guests_and_their_host(void **state)
{
	struct ex_run run = new_run(*state, 103);

	add_place(&run, &dax_guest);
	add_place(&run, &dax_guest);
	add_place(&run, &on_the_host);
	assert_no_difference(&run);
}

static void a_guest_without_dax(void **state)
{
	struct ex_run run = new_run(*state, 104);

	add_place(&run, &cached_guest);
	add_place(&run, &on_the_host);
	assert_no_difference(&run);
}

static void guests_with_and_without_dax(void **state)
{
	struct ex_run run = new_run(*state, 105);

	add_place(&run, &dax_guest);
	add_place(&run, &cached_guest);
	add_place(&run, &on_the_host);
	assert_no_difference(&run);
}

/* 72 ranges of 2 MiB, and a window of 32 */
static void more_than_the_window_holds(void **state)
{
	struct ex_run run = new_run(*state, 106);

	run.config.files = 6;
	run.config.max_len = (uint64_t)24 << 20;
	add_place(&run, &narrow_guest);
	add_place(&run, &on_the_host);
	assert_no_difference(&run);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_guest_and_its_host),	       cmocka_unit_test(a_guest_and_its_host_in_watch_mode),
	cmocka_unit_test(two_guests_and_their_host),   cmocka_unit_test(a_guest_without_dax),
	cmocka_unit_test(guests_with_and_without_dax), cmocka_unit_test(more_than_the_window_holds),
};

int main(int argc, char **argv)
{
	return bench_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
