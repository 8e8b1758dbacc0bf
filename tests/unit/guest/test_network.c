/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses as the agent is told them. That they are set is seen in guests (tests/box/box_net.c). */
#include "tests/lib/fl_test.h"

#include "guest/network.h"

static void addresses_are_taken_apart(void **state)
{
	static const uint8_t v4[4] = {10, 0, 2, 15}, gateway[4] = {10, 0, 2, 2};
	static const uint8_t v6[16] = {0xfd, [15] = 0x15};
	struct fl_network_address address;

	(void)state;
	assert_int_equal(fl_network_parse(&(struct fl_conf_address){"10.0.2.15/24", "10.0.2.2"}, &address), 0);
	assert_int_equal(address.family, AF_INET);
	assert_int_equal(address.prefix_len, 24);
	assert_memory_equal(&address.address.v4, v4, 4);
	assert_true(address.has_gateway);
	assert_memory_equal(&address.gateway.v4, gateway, 4);
	assert_int_equal(fl_network_parse(&(struct fl_conf_address){"fd00::15/128", ""}, &address), 0);
	assert_int_equal(address.family, AF_INET6);
	assert_int_equal(address.prefix_len, 128);
	assert_memory_equal(&address.address.v6, v6, 16);
	assert_false(address.has_gateway);
}

static void what_is_no_address_is_refused(void **state)
{
	static const struct fl_conf_address bad[] = {
		{"", ""},
		{"10.0.2.15", ""},
		{"10.0.2.15/", ""},
		{"10.0.2.15/33", ""},
		{"10.0.2.15/ 24", ""},
		{"10.0.2.15/24x", ""},
		{"10.0.2.15/24", "fd00::2"},
		{"fd00::15/129", ""},
		{"/24", ""},
		{"fd00::15/64", "10.0.2.2"},
		{"10.0.2.15/24", "x"},
		{"fd00:0000:0000:0000:0000:0000:0000:0000:0000:0000/64", ""},
	};
	struct fl_network_address address;

	(void)state;
	for (size_t i = 0; i < FL_ARRAY_SIZE(bad); i++)
		assert_int_equal(fl_network_parse(&bad[i], &address), -EINVAL);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(addresses_are_taken_apart),
	cmocka_unit_test(what_is_no_address_is_refused),
};
FL_TEST_MAIN(10, tests)
