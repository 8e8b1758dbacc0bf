/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A watch under load: how soon a truncation is acted upon, what a storm of writes costs, and that a window whose files
 * and mappings change all the time under it only ever shows bytes of its files. Times are printed and their limits
 * generous: machines are busy.
 */
#include "watch_test.h"

#include <dirent.h>

#ifdef __SANITIZE_THREAD__
#define SLOWNESS 10
#elif defined(__SANITIZE_ADDRESS__)
#define SLOWNESS 4
#else
#define SLOWNESS 1
#endif

#define LATENCIES 100

struct rig {
	struct fl_watch *watch;
	struct fl_window *window;
	struct fl_backing *victim; /* mapped over the first range */
	struct fl_backing *noise[2];
	atomic_bool over;
	atomic_ulong writes;
	atomic_uint wrong;
};

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	rig->watch = test_started_watch();
	rig->window = test_watched_window(rig->watch, 8 * RANGE, true);
	rig->victim = test_backing(test_disk_file(RANGE));
	assert_int_equal(fl_window_map(rig->window, 0, RANGE, rig->victim, 0, true), 0);
	for (unsigned int i = 0; i < 2; i++) {
		rig->noise[i] = test_backing(test_disk_file(RANGE));
		assert_int_equal(fl_window_map(rig->window, (1 + i) * RANGE, RANGE, rig->noise[i], 0, true), 0);
	}
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	fl_window_free(rig->window);
	fl_watch_free(rig->watch);
	fl_backing_unref(rig->victim);
	for (unsigned int i = 0; i < 2; i++)
		fl_backing_unref(rig->noise[i]);
	free(rig);
	return 0;
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return x < y ? -1 : x > y;
}

/* LATENCIES truncations, some time apart; prints, and checks the median. */
static void measure_latency(const struct rig *rig, const char *what)
{
	uint64_t took[LATENCIES];

	for (unsigned int i = 0; i < LATENCIES; i++) {
		usleep(2000 + i * 37);
		assert_int_equal(ftruncate(rig->victim->fd, PAGE), 0);
		took[i] = test_wait_hidden(rig->window, PAGE, true);
		assert_int_equal(ftruncate(rig->victim->fd, RANGE), 0);
		test_wait_hidden(rig->window, PAGE, false);
	}
	qsort(took, LATENCIES, sizeof(took[0]), compare_u64);
	printf("# %s: hidden after %" PRIu64 " us (median), %" PRIu64 " us (worst of %d)\n", what,
	       took[LATENCIES / 2] / 1000, took[LATENCIES - 1] / 1000, LATENCIES);
	assert_true(took[LATENCIES / 2] < SLOWNESS * UINT64_C(10000000));
	assert_true(took[LATENCIES - 1] < SLOWNESS * UINT64_C(500000000));
}

static void test_latency(void **state)
{
	measure_latency(*state, "idle");
}

/* By turns: of neighbours that are equal the kernel makes one event anyway. */
static void *keep_writing(void *arg)
{
	struct rig *rig = arg;

	while (!atomic_load(&rig->over)) {
		unsigned long number = atomic_fetch_add(&rig->writes, 1);

		rig->wrong += pwrite(rig->noise[number % 2]->fd, "x", 1, 0) != 1;
	}
	return NULL;
}

/* CPU time of the thread of that name so far (/proc/TID/schedstat). */
static uint64_t cpu_ns_of(const char *name)
{
	DIR *tasks = opendir("/proc/self/task");
	const struct dirent *entry;
	uint64_t found = 0;

	assert_non_null(tasks);
	while ((entry = readdir(tasks))) {
		char path[300], comm[32] = "";
		FILE *file;

		snprintf(path, sizeof(path), "/proc/self/task/%s/comm", entry->d_name);
		file = fopen(path, "re");
		if (!file)
			continue;
		if (!fgets(comm, sizeof(comm), file))
			comm[0] = '\0';
		fclose(file);
		comm[strcspn(comm, "\n")] = '\0';
		if (strcmp(comm, name) != 0)
			continue;
		snprintf(path, sizeof(path), "/proc/self/task/%s/schedstat", entry->d_name);
		file = fopen(path, "re");
		assert_non_null(file);
		assert_int_equal(fscanf(file, "%" SCNu64, &found), 1);
		fclose(file);
	}
	closedir(tasks);
	assert_true(found > 0);
	return found;
}

static void test_storm(void **state)
{
	struct rig *rig = *state;
	struct fl_watch_stats before, after;
	uint64_t start, cpu, took;
	pthread_t writer;

	assert_int_equal(pthread_create(&writer, NULL, keep_writing, rig), 0);
	usleep(100000);
	fl_watch_get_stats(rig->watch, &before);
	cpu = cpu_ns_of("fl-watch");
	start = test_now_ns();
	usleep(1000000);
	cpu = cpu_ns_of("fl-watch") - cpu;
	took = test_now_ns() - start;
	fl_watch_get_stats(rig->watch, &after);
	printf("# storm: %" PRIu64 " events/s, %" PRIu64 " rounds/s, %" PRIu64 " looks/s, %" PRIu64 ".%" PRIu64
	       "%% of a CPU (%lu writes so far)\n",
	       (after.events - before.events) * 1000000000 / took, (after.rounds - before.rounds) * 1000000000 / took,
	       (after.looks - before.looks) * 1000000000 / took, cpu * 100 / took, cpu * 1000 / took % 10,
	       atomic_load(&rig->writes));
	assert_true(after.events > before.events);
	assert_true(after.rounds - before.rounds <= took / 1000000 + 1); /* a millisecond of rest each */
	measure_latency(rig, "in the storm");
	atomic_store(&rig->over, true);
	assert_int_equal(pthread_join(writer, NULL), 0);
	/* the box emulates its CPU: everything costs more there */
	assert_true(cpu < SLOWNESS * took / (getenv("FAULTLINE_IN_BOX") ? 2 : 4));
	assert_int_equal(rig->wrong, 0);
}

/* ---- everything at once ----------------------------------------------------------------- */

static void *keep_resizing(void *arg)
{
	static const uint64_t lens[] = {0, PAGE, RANGE, 3 * PAGE + 5, RANGE - PAGE, 1};
	struct rig *rig = arg;
	uint8_t page[PAGE];

	for (unsigned int i = 0; !atomic_load(&rig->over); i++) {
		uint64_t at = i * 7 % 512 * PAGE;

		rig->wrong += ftruncate(rig->victim->fd, (off_t)lens[i % FL_ARRAY_SIZE(lens)]) != 0;
		memset(page, test_byte(at), sizeof(page));
		rig->wrong += pwrite(rig->victim->fd, page, sizeof(page), (off_t)at) != PAGE;
	}
	return NULL;
}

static void *keep_mapping(void *arg)
{
	struct rig *rig = arg;

	for (unsigned int i = 0; !atomic_load(&rig->over); i++) {
		uint64_t at = i % 4 * RANGE;

		if (i % 3)
			rig->wrong += fl_window_map(rig->window, at, RANGE, rig->victim, 0, i % 2) != 0;
		else
			rig->wrong += fl_window_unmap(rig->window, at, RANGE) != 0;
		if (i % 5 == 0)
			(void)!fl_window_substitute(rig->window, i % 2048 * PAGE, &any_loss);
		if (i % 16 == 0)
			usleep(1);
	}
	return NULL;
}

static void *keep_making_windows(void *arg)
{
	struct rig *rig = arg;

	while (!atomic_load(&rig->over)) {
		struct fl_window *window = NULL;

		rig->wrong += fl_window_new(RANGE, &window, NULL) != 0;
		fl_window_set_watch(window, rig->watch, true);
		rig->wrong += fl_window_map(window, 0, RANGE, rig->victim, 0, true) != 0;
		fl_window_free(window);
	}
	return NULL;
}

/* Only zeros, the file's own byte for that page, or nothing may be read, whenever. */
static void read_all(const struct rig *rig, unsigned int *seen)
{
	for (uint64_t at = 0; at < 4 * RANGE; at += PAGE) {
		int is = test_peek(fl_window_hva(rig->window) + at);

		if (is != -1 && is != 0 && is != test_byte(at % RANGE))
			fail_msg("page %#" PRIx64 " shows %d", at, is);
		seen[is == -1 ? 0 : is == 0 ? 1 : 2]++;
	}
}

static void test_everything_at_once(void **state)
{
	void *(*const jobs[])(void *) = {keep_resizing, keep_mapping, keep_making_windows};
	struct rig *rig = *state;
	pthread_t threads[FL_ARRAY_SIZE(jobs)];
	struct fl_window_stats stats;
	unsigned int seen[3] = {0};
	uint64_t start;

	for (size_t i = 0; i < FL_ARRAY_SIZE(jobs); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, jobs[i], rig), 0);
	for (start = test_now_ns(); test_now_ns() - start < UINT64_C(2000000000);)
		read_all(rig, seen);
	atomic_store(&rig->over, true);
	for (size_t i = 0; i < FL_ARRAY_SIZE(jobs); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	fl_window_get_stats(rig->window, &stats);
	printf("# nothing %u, zeros %u, bytes %u times; %" PRIu64 " maps, %" PRIu64 " hidden, %" PRIu64 " restored\n",
	       seen[0], seen[1], seen[2], stats.maps, stats.hidden, stats.restored);
	assert_true(seen[0] && seen[1] && seen[2]);
	assert_int_equal(rig->wrong, 0);
	assert_int_equal(stats.repairs, 0);
	assert_true(test_no_hole(fl_window_hva(rig->window), 8 * RANGE));

	/* and when it is quiet, every page is what the last length says */
	assert_int_equal(fl_window_map(rig->window, 0, RANGE, rig->victim, 0, true), 0);
	assert_int_equal(ftruncate(rig->victim->fd, RANGE), 0);
	test_wait_hidden(rig->window, RANGE - PAGE, false);
	assert_int_equal(ftruncate(rig->victim->fd, 9 * PAGE), 0);
	test_wait_hidden(rig->window, RANGE - PAGE, true);
	for (uint64_t at = 0; at < RANGE; at += PAGE)
		assert_int_equal(test_is_hidden(rig->window, at), at >= 9 * PAGE);
}

#define LOAD_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
static const struct CMUnitTest tests[] = {
	LOAD_TEST(test_latency),
	LOAD_TEST(test_storm),
	LOAD_TEST(test_everything_at_once),
};

FL_TEST_MAIN(60, tests)
