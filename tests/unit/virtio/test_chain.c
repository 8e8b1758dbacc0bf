/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/fl_test.h"

#include "tests/unit/virtio/driver_model.h"

/* Readable "hello" " " "world", writable 4 + 3 bytes, scattered. */
static struct fl_chain make_chain(struct guest *guest)
{
	struct fl_chain chain = {.readable_count = 3,
				 .writable_count = 2,
				 .readable_len = 11,
				 .writable_len = 7,
				 .segs = {{0x200000, 5}, {0x210ff0, 1}, {0x180000, 5}, {0x300000, 4}, {0x2fff00, 3}}};

	memcpy(at(guest, 0x200000), "hello", 5);
	memcpy(at(guest, 0x210ff0), " ", 1);
	memcpy(at(guest, 0x180000), "world", 5);
	return chain;
}

static void test_read_is_one_stream(void **state)
{
	struct guest guest;
	struct fl_chain chain;
	char bytes[32];

	(void)state;
	guest_init(&guest);
	chain = make_chain(&guest);
	for (size_t offset = 0; offset <= 11; offset++) {
		for (size_t len = 0; offset + len <= 11; len++) {
			memset(bytes, '#', sizeof(bytes));
			assert_int_equal(fl_chain_read(&guest.map, &chain, offset, bytes, len), len);
			assert_memory_equal(bytes, &"hello world"[offset], len);
			assert_int_equal(bytes[len], '#');
		}
	}
	assert_int_equal(fl_chain_read(&guest.map, &chain, 4, bytes, sizeof(bytes)), 7);
	assert_int_equal(fl_chain_read(&guest.map, &chain, 11, bytes, sizeof(bytes)), 0);
	assert_int_equal(fl_chain_read(&guest.map, &chain, UINT64_MAX, bytes, sizeof(bytes)), 0);
	guest_fini(&guest);
}

static void test_write_stays_inside_its_part(void **state)
{
	struct guest guest;
	struct fl_chain chain;

	(void)state;
	guest_init(&guest);
	chain = make_chain(&guest);
	assert_int_equal(fl_chain_write(&guest.map, &chain, 0, "0123456789", 10), 7);
	assert_memory_equal(at(&guest, 0x300000), "0123\0", 5);
	assert_memory_equal(at(&guest, 0x2fff00), "456\0", 4);
	assert_int_equal(fl_chain_write(&guest.map, &chain, 3, "XY", 2), 2);
	assert_memory_equal(at(&guest, 0x300000), "012X\0", 5);
	assert_memory_equal(at(&guest, 0x2fff00), "Y56\0", 4);
	assert_int_equal(fl_chain_write(&guest.map, &chain, 7, "Z", 1), 0);
	assert_memory_equal(at(&guest, 0x200000), "hello\0", 6);
	guest_fini(&guest);
}

static void test_iov_covers_exactly_the_range(void **state)
{
	struct guest guest;
	struct fl_chain chain;
	struct iovec iov[4];
	unsigned int count = 99;

	(void)state;
	guest_init(&guest);
	chain = make_chain(&guest);
	assert_int_equal(fl_chain_iov(&guest.map, &chain, false, 2, 7, iov, 4, &count), 0);
	assert_int_equal(count, 3);
	assert_ptr_equal(iov[0].iov_base, (uint8_t *)at(&guest, 0x200002));
	assert_int_equal(iov[0].iov_len, 3);
	assert_int_equal(iov[1].iov_len, 1);
	assert_ptr_equal(iov[2].iov_base, at(&guest, 0x180000));
	assert_int_equal(iov[2].iov_len, 3);
	assert_int_equal(fl_chain_iov(&guest.map, &chain, true, 4, 3, iov, 4, &count), 0);
	assert_int_equal(count, 1);
	assert_ptr_equal(iov[0].iov_base, at(&guest, 0x2fff00));
	assert_int_equal(fl_chain_iov(&guest.map, &chain, true, 7, 0, iov, 4, &count), 0);
	assert_int_equal(count, 0);
	guest_fini(&guest);
}

static void test_iov_refuses_what_it_cannot_cover(void **state)
{
	struct guest guest;
	struct fl_chain chain;
	struct iovec iov[4];
	unsigned int count = 99;

	(void)state;
	guest_init(&guest);
	chain = make_chain(&guest);
	assert_int_equal(fl_chain_iov(&guest.map, &chain, false, 0, 12, iov, 4, &count), -EINVAL);
	assert_int_equal(fl_chain_iov(&guest.map, &chain, false, 12, 0, iov, 4, &count), -EINVAL);
	assert_int_equal(fl_chain_iov(&guest.map, &chain, false, 1, UINT64_MAX, iov, 4, &count), -EINVAL);
	assert_int_equal(fl_chain_iov(&guest.map, &chain, false, 0, 11, iov, 2, &count), -E2BIG);
	/* written only on success */
	assert_int_equal(count, 99);
	guest_fini(&guest);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_read_is_one_stream),
	cmocka_unit_test(test_write_stays_inside_its_part),
	cmocka_unit_test(test_iov_covers_exactly_the_range),
	cmocka_unit_test(test_iov_refuses_what_it_cannot_cover),
};
FL_TEST_MAIN(20, tests)
