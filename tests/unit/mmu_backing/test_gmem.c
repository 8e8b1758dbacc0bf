/* SPDX-License-Identifier: Apache-2.0 */
#include "mmu_test.h"

#include "mmu_backing/guest_ram.h"

/* No SIGBUS handler is installed here: a plain load of a dead page would end the program. */

#define RAM_GPA	   UINT64_C(0x100000000)
#define RAM_LEN	   RANGE
#define WINDOW_GPA (RAM_GPA + RAM_LEN) /* next to it, so that one access can cross over */
#define WINDOW_LEN (2 * RANGE)

struct guest {
	struct fl_guest_ram ram;
	struct fl_window *window;
	struct fl_backing *backing;
	struct fl_gpa_map map;
};

/* The window's first range maps a whole file, read and write; the second nothing. */
static int setup(void **state)
{
	struct guest *guest = calloc(1, sizeof(*guest));
	struct fl_region ram, window;
	int fd = test_memfd(RANGE);

	test_fill(fd, 0, RANGE);
	assert_int_equal(fl_guest_ram_init(&guest->ram, RAM_LEN, NULL), 0);
	guest->window = test_window(WINDOW_LEN);
	guest->backing = test_backing(fd);
	assert_int_equal(fl_window_map(guest->window, 0, RANGE, guest->backing, 0, true), 0);
	ram = (struct fl_region){FL_REGION_RAM, RAM_GPA, RAM_LEN, guest->ram.hva, "ram", NULL, {{0}}};
	window = test_window_region(guest->window, WINDOW_GPA);
	assert_int_equal(fl_gpa_map_add(&guest->map, &window, NULL), 0);
	assert_int_equal(fl_gpa_map_add(&guest->map, &ram, NULL), 0);
	*state = guest;
	return 0;
}

static int teardown(void **state)
{
	struct guest *guest = *state;

	fl_window_free(guest->window);
	fl_backing_unref(guest->backing);
	fl_guest_ram_fini(&guest->ram);
	free(guest);
	return 0;
}

static void test_ram(void **state)
{
	struct guest *guest = *state;
	char got[6] = "";

	assert_int_equal(fl_gmem_write(&guest->map, RAM_GPA + 5, "hello", 6), 0);
	assert_string_equal((const char *)guest->ram.hva + 5, "hello");
	assert_int_equal(fl_gmem_read(&guest->map, RAM_GPA + 5, got, 6), 0);
	assert_string_equal(got, "hello");
}

static void test_window_reads_and_writes_the_file(void **state)
{
	struct guest *guest = *state;
	uint8_t got[3 * PAGE];
	char back[5];

	assert_int_equal(fl_gmem_read(&guest->map, WINDOW_GPA + 1000, got, sizeof(got)), 0);
	for (uint64_t i = 0; i < sizeof(got); i++)
		assert_int_equal(got[i], test_byte(1000 + i));
	assert_int_equal(fl_gmem_write(&guest->map, WINDOW_GPA + PAGE - 2, "abcd", 4), 0);
	assert_int_equal(pread(guest->backing->fd, back, 4, PAGE - 2), 4);
	assert_memory_equal(back, "abcd", 4);
}

static void test_across_from_ram_to_window(void **state)
{
	struct guest *guest = *state;
	uint8_t got[64];

	memset(guest->ram.hva + RAM_LEN - 32, 0xee, 32);
	assert_int_equal(fl_gmem_read(&guest->map, WINDOW_GPA - 32, got, 64), 0);
	for (uint64_t i = 0; i < 32; i++) {
		assert_int_equal(got[i], 0xee);
		assert_int_equal(got[32 + i], test_byte(i));
	}
	memset(got, 0x11, sizeof(got));
	assert_int_equal(fl_gmem_write(&guest->map, WINDOW_GPA - 32, got, 64), 0);
	assert_int_equal(guest->ram.hva[RAM_LEN - 33], 0);
	assert_memory_equal(guest->ram.hva + RAM_LEN - 32, got, 32);
	memset(got, 0, sizeof(got));
	assert_int_equal(pread(guest->backing->fd, got, 33, 0), 33);
	assert_int_equal(got[0], 0x11);
	assert_int_equal(got[31], 0x11);
	assert_int_equal(got[32], test_byte(32));
}

static void test_truncated_page_is_an_error_and_no_signal(void **state)
{
	struct guest *guest = *state;
	uint8_t got[2 * PAGE];

	assert_int_equal(ftruncate(guest->backing->fd, PAGE), 0);
	assert_int_equal(fl_gmem_read(&guest->map, WINDOW_GPA, got, PAGE), 0);
	assert_int_equal(fl_gmem_read(&guest->map, WINDOW_GPA + PAGE, got, 1), -EFAULT);
	assert_int_equal(fl_gmem_write(&guest->map, WINDOW_GPA + PAGE, got, 1), -EFAULT);
	/* begun on a good page */
	assert_int_equal(fl_gmem_read(&guest->map, WINDOW_GPA, got, 2 * PAGE), -EFAULT);
	assert_int_equal(fl_gmem_write(&guest->map, WINDOW_GPA + PAGE - 1, got, 2), -EFAULT);
	/* the file comes back */
	test_fill(guest->backing->fd, PAGE, PAGE);
	assert_int_equal(fl_gmem_read(&guest->map, WINDOW_GPA + PAGE, got, 1), 0);
	assert_int_equal(got[0], test_byte(PAGE));
}

static void test_unmapped_and_read_only_window(void **state)
{
	struct guest *guest = *state;
	uint8_t byte = 1;

	assert_int_equal(fl_gmem_read(&guest->map, WINDOW_GPA + RANGE, &byte, 1), -EFAULT);
	assert_int_equal(fl_gmem_write(&guest->map, WINDOW_GPA + RANGE, &byte, 1), -EFAULT);
	assert_int_equal(fl_window_map(guest->window, 0, RANGE, guest->backing, 0, false), 0);
	assert_int_equal(fl_gmem_read(&guest->map, WINDOW_GPA, &byte, 1), 0);
	assert_int_equal(byte, test_byte(0));
	assert_int_equal(fl_gmem_write(&guest->map, WINDOW_GPA, &byte, 1), -EFAULT);
}

static void test_outside_the_map(void **state)
{
	struct guest *guest = *state;
	uint8_t got[16];

	assert_int_equal(fl_gmem_read(&guest->map, 0, got, 1), -EFAULT);
	assert_int_equal(fl_gmem_read(&guest->map, RAM_GPA - 1, got, 2), -EFAULT);
	assert_int_equal(fl_gmem_write(&guest->map, WINDOW_GPA + WINDOW_LEN, got, 1), -EFAULT);
	/* gpa + len wraps to a place inside */
	assert_int_equal(fl_gmem_read(&guest->map, UINT64_MAX - 7, got, 16), -EFAULT);
	assert_int_equal(fl_gmem_read(&guest->map, RAM_GPA, got, (size_t)(UINT64_MAX - RAM_GPA + 2)), -EFAULT);
	assert_int_equal(fl_gmem_read(&guest->map, 0, got, 0), 0);
}

static void test_ram_pointer(void **state)
{
	struct guest *guest = *state;

	assert_ptr_equal(fl_gmem_ram(&guest->map, RAM_GPA, RAM_LEN), guest->ram.hva);
	assert_ptr_equal(fl_gmem_ram(&guest->map, RAM_GPA + 16, 16), guest->ram.hva + 16);
	assert_null(fl_gmem_ram(&guest->map, RAM_GPA, RAM_LEN + 1));
	assert_null(fl_gmem_ram(&guest->map, RAM_GPA + 1, RAM_LEN));
	assert_null(fl_gmem_ram(&guest->map, RAM_GPA + 16, UINT64_MAX - 8));
	assert_null(fl_gmem_ram(&guest->map, WINDOW_GPA, 16));
	assert_null(fl_gmem_ram(&guest->map, 0, 16));
}

static void test_iovecs(void **state)
{
	struct guest *guest = *state;
	struct iovec iov[3] = {{0}};
	unsigned int count = 1;

	assert_int_equal(fl_gmem_iov(&guest->map, WINDOW_GPA - 10, 30, iov, 3, &count), 0);
	assert_int_equal(count, 3);
	assert_null(iov[0].iov_base);
	assert_ptr_equal(iov[1].iov_base, guest->ram.hva + RAM_LEN - 10);
	assert_int_equal(iov[1].iov_len, 10);
	assert_ptr_equal(iov[2].iov_base, fl_window_hva(guest->window));
	assert_int_equal(iov[2].iov_len, 20);
	assert_int_equal(fl_gmem_iov(&guest->map, RAM_GPA, 1, iov, 3, &count), -E2BIG);
	assert_int_equal(count, 3);
	count = 2;
	assert_int_equal(fl_gmem_iov(&guest->map, WINDOW_GPA - 10, 30, iov, 3, &count), -E2BIG);
	assert_int_equal(count, 2);
	count = 0;
	assert_int_equal(fl_gmem_iov(&guest->map, WINDOW_GPA + WINDOW_LEN - 1, 2, iov, 3, &count), -EFAULT);
	assert_int_equal(fl_gmem_iov(&guest->map, RAM_GPA, UINT64_MAX, iov, 3, &count), -EFAULT);
	assert_int_equal(count, 0);
	assert_int_equal(fl_gmem_iov(&guest->map, 0, 0, iov, 3, &count), 0);
	assert_int_equal(count, 0);
}

/* What the header promises of these iovecs: a system call meets a dead page with a short count or EFAULT. */
static void test_iovec_on_a_dead_page(void **state)
{
	struct guest *guest = *state;
	int source = test_memfd(4 * PAGE);
	struct iovec iov[1];
	unsigned int count = 0;

	assert_int_equal(ftruncate(guest->backing->fd, PAGE), 0);
	assert_int_equal(fl_gmem_iov(&guest->map, WINDOW_GPA, 2 * PAGE, iov, 1, &count), 0);
	assert_int_equal(preadv(source, iov, 1, 0), PAGE);
	count = 0;
	assert_int_equal(fl_gmem_iov(&guest->map, WINDOW_GPA + PAGE, PAGE, iov, 1, &count), 0);
	assert_int_equal(preadv(source, iov, 1, 0), -1);
	assert_int_equal(errno, EFAULT);
	close(source);
}

#define GUEST_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
static const struct CMUnitTest tests[] = {
	GUEST_TEST(test_ram),
	GUEST_TEST(test_window_reads_and_writes_the_file),
	GUEST_TEST(test_across_from_ram_to_window),
	GUEST_TEST(test_truncated_page_is_an_error_and_no_signal),
	GUEST_TEST(test_unmapped_and_read_only_window),
	GUEST_TEST(test_outside_the_map),
	GUEST_TEST(test_ram_pointer),
	GUEST_TEST(test_iovecs),
	GUEST_TEST(test_iovec_on_a_dead_page),
};

FL_TEST_MAIN(30, tests)
