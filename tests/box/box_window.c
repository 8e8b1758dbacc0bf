/* SPDX-License-Identifier: Apache-2.0 */
/* DAX windows of Linux guests: too small for what is done with them, and many of them. */
#include "tests/lib/fl_test.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "tests/box/guest_run.h"
#include "tests/box/guest_window.h"

static int open_file(const struct bench *bench, unsigned int number, int flags)
{
	char path[PATH_MAX + 16];
	int fd;

	snprintf(path, sizeof(path), "%s/file%u", bench->data, number);
	fd = open(path, flags | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	return fd;
}

static void make_files(const struct bench *bench)
{
	for (unsigned int i = 0; i < WINDOW_FILES; i++) {
		int fd = open_file(bench, i, O_CREAT | O_RDWR);

		assert_int_equal(ftruncate(fd, WINDOW_FILE_LEN), 0);
		for (unsigned int place = 0; place < WINDOW_FILE_PLACES; place++) {
			const uint64_t number = i * WINDOW_FILE_PLACES + place + 1;

			assert_int_equal(pwrite(fd, &number, sizeof(number), (off_t)(place * WINDOW_PLACE_LEN)),
					 sizeof(number));
		}
		close(fd);
	}
}

static uint64_t stores_in_files(const struct bench *bench)
{
	uint64_t stores = 0;

	for (unsigned int i = 0; i < WINDOW_FILES; i++) {
		int fd = open_file(bench, i, O_RDONLY);

		for (unsigned int place = 0; place < WINDOW_FILE_PLACES; place++) {
			uint64_t words[2];

			assert_int_equal(pread(fd, words, sizeof(words), (off_t)(place * WINDOW_PLACE_LEN)),
					 sizeof(words));
			assert_int_equal(words[0], i * WINDOW_FILE_PLACES + place + 1);
			stores += words[1];
		}
		close(fd);
	}
	return stores;
}

/* The guest's kernel takes ranges back and waits for them, and nothing hangs, is mixed up or is lost. */
static void ten_windows_of_files_under_four_threads(void **state)
{
	const struct bench *bench = *state;
	static const char *const options[] = {"-c", "4", "--dax-window", "64M", NULL};
	struct transcript guest;
	unsigned long long stores = 0;

	make_files(bench);
	run_in_guest(bench, options, "ten-windows", &guest);
	if (guest.status != 0)
		show("guest", &guest);
	assert_int_equal(guest.status, 0);
	assert_int_equal(sscanf(guest.out, "stores %llu", &stores), 1);
	assert_true(stores > WINDOW_THREADS * WINDOW_TURNS / 8);
	assert_int_equal(stores_in_files(bench), stores);
	printf("# nearly used up, as the launcher says: %u times\n", lines_with(guest.err, "is nearly used up"));
	transcript_free(&guest);
}

#define MORE_SHARES 15u /* besides the root */

static void make_share(const struct bench *bench, unsigned int number)
{
	char path[PATH_MAX + 16];
	char text[16];
	int fd;

	snprintf(path, sizeof(path), "%s/share%u", bench->data, number);
	assert_int_equal(mkdir(path, 0755), 0);
	strcat(path, "/f");
	snprintf(text, sizeof(text), "host%u\n", number);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void assert_written(const struct bench *bench, unsigned int number)
{
	char path[PATH_MAX + 32], wanted[16], text[16] = "";
	int fd;

	snprintf(path, sizeof(path), "%s/share%u/g", bench->data, number);
	snprintf(wanted, sizeof(wanted), "guest%u\n", number);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(read(fd, text, sizeof(text) - 1) >= 0);
	assert_string_equal(text, wanted);
	close(fd);
}

/* Each has an interrupt line of its own, some of which were an ISA device's once. */
static void sixteen_shares_are_mounted_and_used(void **state)
{
	static const char script[] = "for i in $(seq 15); do cat /tmp/s$i/f; echo guest$i >/tmp/s$i/g; done";
	const struct bench *bench = *state;
	const char *const command[] = {"sh", "-c", script, NULL};
	const char *options[2 * MORE_SHARES + 3] = {"--dax-window", "64M"};
	char dirs[MORE_SHARES][PATH_MAX + 32], wanted[256] = "";
	struct transcript guest;

	for (unsigned int i = 1; i <= MORE_SHARES; i++) {
		make_share(bench, i);
		snprintf(dirs[i - 1], sizeof(dirs[0]), "/tmp/s%u=%s/share%u", i, bench->data, i);
		snprintf(wanted + strlen(wanted), sizeof(wanted) - strlen(wanted), "host%u\n", i);
		options[2 * i] = "--rwdir";
		options[2 * i + 1] = dirs[i - 1];
	}
	run_guest(bench, options, command, "sixteen-shares", &guest);
	if (guest.status != 0)
		show("guest", &guest);
	assert_int_equal(guest.status, 0);
	assert_string_equal(guest.out, wanted);
	for (unsigned int i = 1; i <= MORE_SHARES; i++)
		assert_written(bench, i);
	transcript_free(&guest);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(ten_windows_of_files_under_four_threads),
	cmocka_unit_test(sixteen_shares_are_mounted_and_used),
};

int main(int argc, char **argv)
{
	return bench_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
