/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/fl_test.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "cli/ring.h"

static void assert_read(struct fl_cli_ring *ring, uint64_t *at, const char *expected)
{
	char buf[64];
	size_t len = fl_cli_ring_read(ring, at, buf, sizeof(buf));

	assert_int_equal(len, strlen(expected));
	assert_memory_equal(buf, expected, len);
}

static void what_came_is_read_once(void **state)
{
	struct fl_cli_ring ring;
	uint64_t at = 0, other = 0;

	(void)state;
	fl_cli_ring_init(&ring, 8, false);
	assert_read(&ring, &at, "");
	fl_cli_ring_put(&ring, "abc", 3);
	assert_read(&ring, &at, "abc");
	assert_read(&ring, &at, "");
	fl_cli_ring_put(&ring, "defgh", 5);
	assert_read(&ring, &other, "abcdefgh");
	assert_read(&ring, &at, "defgh");
	assert_int_equal(fl_cli_ring_end(&ring), 8);
	fl_cli_ring_fini(&ring);
}

static void what_is_overwritten_is_skipped(void **state)
{
	struct fl_cli_ring ring;
	uint64_t at = 0, beyond = 1000;

	(void)state;
	fl_cli_ring_init(&ring, 8, false);
	fl_cli_ring_put(&ring, "0123456789abcdef", 16);
	assert_read(&ring, &at, "89abcdef");
	fl_cli_ring_put(&ring, "ghi", 3);
	at = 0;
	assert_read(&ring, &at, "bcdefghi");
	assert_read(&ring, &beyond, "");
	fl_cli_ring_fini(&ring);
}

static void lines_are_whole(void **state)
{
	struct fl_cli_ring ring;
	uint64_t at = 0;

	(void)state;
	fl_cli_ring_init(&ring, 16, true);
	fl_cli_ring_put(&ring, "first line\n", 11);
	fl_cli_ring_put(&ring, "second\n", 7);
	assert_read(&ring, &at, "second\n");
	/* one that is longer than all the room leaves nothing whole */
	fl_cli_ring_put(&ring, "a line that is too long", 23);
	at = 0;
	assert_read(&ring, &at, "");
	fl_cli_ring_put(&ring, "\nx\n", 3);
	assert_read(&ring, &at, "\nx\n");
	fl_cli_ring_fini(&ring);
}

static void a_reader_can_take_little(void **state)
{
	struct fl_cli_ring ring;
	uint64_t at = 0;
	char byte;

	(void)state;
	fl_cli_ring_init(&ring, 4, false);
	fl_cli_ring_put(&ring, "ab", 2);
	assert_int_equal(fl_cli_ring_read(&ring, &at, &byte, 1), 1);
	assert_int_equal(byte, 'a');
	assert_int_equal(fl_cli_ring_read(&ring, &at, &byte, 1), 1);
	assert_int_equal(byte, 'b');
	fl_cli_ring_fini(&ring);
}

static void somebody_is_told(void **state)
{
	int fd = eventfd(0, EFD_NONBLOCK);
	struct fl_cli_ring ring;
	uint64_t count;

	(void)state;
	assert_true(fd >= 0);
	fl_cli_ring_init(&ring, 8, false);
	fl_cli_ring_wakes(&ring, fd);
	fl_cli_ring_put(&ring, "a", 1);
	assert_int_equal(read(fd, &count, sizeof(count)), sizeof(count));
	fl_cli_ring_wakes(&ring, -1);
	fl_cli_ring_put(&ring, "a", 1);
	assert_int_equal(read(fd, &count, sizeof(count)), -1);
	fl_cli_ring_fini(&ring);
	close(fd);
}

#define LINES 20000u

static void *write_lines(void *arg)
{
	for (unsigned int i = 0; i < LINES; i++) {
		char line[32];
		int len = snprintf(line, sizeof(line), "%05u\n", i);

		fl_cli_ring_put(arg, line, (size_t)len);
	}
	return NULL;
}

/* A reader that keeps up or not sees whole lines in their order. */
static void reading_meanwhile_gives_lines_in_order(void **state)
{
	struct fl_cli_ring ring;
	unsigned int next = 0;
	uint64_t at = 0;
	pthread_t writer;
	char line[7];

	(void)state;
	fl_cli_ring_init(&ring, 1024, true);
	assert_int_equal(pthread_create(&writer, NULL, write_lines, &ring), 0);
	while (next < LINES) {
		unsigned int number;

		if (fl_cli_ring_read(&ring, &at, line, 6) == 0)
			continue;
		line[6] = '\0';
		assert_int_equal(sscanf(line, "%05u\n", &number), 1);
		assert_int_equal(line[5], '\n');
		assert_true(number >= next);
		next = number + 1;
	}
	pthread_join(writer, NULL);
	fl_cli_ring_fini(&ring);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(what_came_is_read_once), cmocka_unit_test(what_is_overwritten_is_skipped),
	cmocka_unit_test(lines_are_whole),	  cmocka_unit_test(a_reader_can_take_little),
	cmocka_unit_test(somebody_is_told),	  cmocka_unit_test(reading_meanwhile_gives_lines_in_order),
};
FL_TEST_MAIN(20, tests)
