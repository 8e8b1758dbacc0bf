/* SPDX-License-Identifier: Apache-2.0 */
/* The device tree, read back with libfdt's reading half (the writer uses the sequential half). */
#include "tests/lib/fl_test.h"

#include <libfdt.h>
#include <stdlib.h>

#include "vmm/dtb.h"

static const struct fl_dtb_virtio two_devices[] = {{0xd0010000, 16}, {0xd0011000, 17}};
static uint64_t blob[1024];

static const void *build(unsigned int cpus)
{
	size_t used = 0;
	struct fl_dtb_opts opts = {.cpu_count = cpus, .virtio = two_devices, .virtio_count = 2};

	assert_int_equal(fl_dtb_build(&opts, blob, sizeof(blob), &used), 0);
	assert_int_equal(fdt_check_header(blob), 0);
	assert_int_equal(fdt_totalsize(blob), used);
	return blob;
}

static uint32_t u32_at(const void *fdt, int node, const char *name, int index)
{
	int len = 0;
	const fdt32_t *cells = fdt_getprop(fdt, node, name, &len);

	assert_non_null(cells);
	assert_true(len >= (index + 1) * 4);
	return fdt32_to_cpu(cells[index]);
}

static void test_cpus_have_their_apic_ids(void **state)
{
	const void *fdt = build(4);
	int cpus = fdt_path_offset(fdt, "/cpus"), node;
	uint32_t expected = 0;

	(void)state;
	assert_true(cpus >= 0);
	fdt_for_each_subnode(node, fdt, cpus)
	{
		assert_string_equal(fdt_getprop(fdt, node, "device_type", NULL), "cpu");
		assert_int_equal(u32_at(fdt, node, "reg", 0), expected++);
	}
	assert_int_equal(expected, 4);
}

static void test_ioapic_is_the_interrupt_parent(void **state)
{
	const void *fdt = build(1);
	int ioapic = fdt_node_offset_by_compatible(fdt, -1, "intel,ce4100-ioapic");

	(void)state;
	assert_true(ioapic >= 0);
	assert_int_equal(u32_at(fdt, 0, "interrupt-parent", 0), fdt_get_phandle(fdt, ioapic));
	assert_int_equal(u32_at(fdt, ioapic, "reg", 1), 0xfec00000);
	assert_non_null(fdt_getprop(fdt, ioapic, "interrupt-controller", NULL));
	assert_int_equal(u32_at(fdt, ioapic, "#interrupt-cells", 0), 2);
	assert_true(fdt_node_offset_by_compatible(fdt, -1, "intel,ce4100-lapic") >= 0);
}

static void test_virtio_devices_have_address_and_edge_interrupt(void **state)
{
	const void *fdt = build(1);
	int node = -1;

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		node = fdt_node_offset_by_compatible(fdt, node, "virtio,mmio");
		assert_true(node >= 0);
		assert_int_equal(u32_at(fdt, node, "reg", 1), two_devices[i].gpa);
		assert_int_equal(u32_at(fdt, node, "reg", 3), 0x1000);
		assert_int_equal(u32_at(fdt, node, "interrupts", 0), two_devices[i].gsi);
		assert_int_equal(u32_at(fdt, node, "interrupts", 1), 3); /* edge-rising, devicetree.c */
	}
	assert_true(fdt_node_offset_by_compatible(fdt, node, "virtio,mmio") < 0);
}

static void test_poweroff_points_to_the_syscon(void **state)
{
	const void *fdt = build(1);
	int poweroff = fdt_node_offset_by_compatible(fdt, -1, "syscon-poweroff");
	int syscon = fdt_node_offset_by_compatible(fdt, -1, "syscon");

	(void)state;
	assert_true(poweroff >= 0 && syscon >= 0);
	assert_int_equal(u32_at(fdt, poweroff, "regmap", 0), fdt_get_phandle(fdt, syscon));
	assert_int_equal(u32_at(fdt, poweroff, "value", 0), 0x5555);
}

static void test_too_small_a_buffer_is_refused(void **state)
{
	struct fl_dtb_opts opts = {.cpu_count = 64, .virtio = two_devices, .virtio_count = 2};
	size_t used = 0;

	(void)state;
	assert_int_equal(fl_dtb_build(&opts, blob, 256, &used), -ENOSPC);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_cpus_have_their_apic_ids),
	cmocka_unit_test(test_ioapic_is_the_interrupt_parent),
	cmocka_unit_test(test_virtio_devices_have_address_and_edge_interrupt),
	cmocka_unit_test(test_poweroff_points_to_the_syscon),
	cmocka_unit_test(test_too_small_a_buffer_is_refused),
};
FL_TEST_MAIN(20, tests)
