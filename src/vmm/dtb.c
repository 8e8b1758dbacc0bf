/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/dtb.h"

#include <libfdt.h>
#include <stdio.h>

#include "vmm/layout.h"

#define IOAPIC_PHANDLE 1u
#define SYSCON_PHANDLE 2u
#define EDGE_RISING    3u /* index into the interrupt types of arch/x86/kernel/devicetree.c of_ioapic_type[] */

/* libfdt's sequential-write functions return 0 or a negative FDT_ERR_*; errors are collected in *err. */
static void note(int *err, int ret)
{
	if (ret && !*err)
		*err = ret;
}

static void put_reg(void *fdt, uint64_t gpa, uint64_t len, int *err)
{
	fdt64_t reg[2] = {cpu_to_fdt64(gpa), cpu_to_fdt64(len)};

	note(err, fdt_property(fdt, "reg", reg, sizeof(reg)));
}

static void begin_at(void *fdt, const char *name, uint64_t address, int *err)
{
	char node[64];

	snprintf(node, sizeof(node), "%s@%llx", name, (unsigned long long)address);
	note(err, fdt_begin_node(fdt, node));
}

static void put_cpus(void *fdt, unsigned int count, int *err)
{
	note(err, fdt_begin_node(fdt, "cpus"));
	note(err, fdt_property_u32(fdt, "#address-cells", 1));
	note(err, fdt_property_u32(fdt, "#size-cells", 0));
	for (uint32_t apic_id = 0; apic_id < count; apic_id++) {
		begin_at(fdt, "cpu", apic_id, err);
		note(err, fdt_property_string(fdt, "device_type", "cpu"));
		note(err, fdt_property_u32(fdt, "reg", apic_id));
		note(err, fdt_end_node(fdt));
	}
	note(err, fdt_end_node(fdt));
}

static void put_irqchip(void *fdt, int *err)
{
	begin_at(fdt, "lapic", FL_LAPIC_GPA, err);
	note(err, fdt_property_string(fdt, "compatible", "intel,ce4100-lapic"));
	put_reg(fdt, FL_LAPIC_GPA, 0x1000, err);
	note(err, fdt_end_node(fdt));

	begin_at(fdt, "ioapic", FL_IOAPIC_GPA, err);
	note(err, fdt_property_string(fdt, "compatible", "intel,ce4100-ioapic"));
	put_reg(fdt, FL_IOAPIC_GPA, 0x1000, err);
	note(err, fdt_property(fdt, "interrupt-controller", NULL, 0));
	note(err, fdt_property_u32(fdt, "#interrupt-cells", 2));
	note(err, fdt_property_u32(fdt, "phandle", IOAPIC_PHANDLE));
	note(err, fdt_end_node(fdt));
}

static void put_poweroff(void *fdt, int *err)
{
	static const char compatible[] = "syscon\0simple-mfd";

	begin_at(fdt, "syscon", FL_SYSCON_GPA, err);
	note(err, fdt_property(fdt, "compatible", compatible, sizeof(compatible)));
	put_reg(fdt, FL_SYSCON_GPA, FL_SYSCON_LEN, err);
	note(err, fdt_property_u32(fdt, "phandle", SYSCON_PHANDLE));
	note(err, fdt_end_node(fdt));

	note(err, fdt_begin_node(fdt, "poweroff"));
	note(err, fdt_property_string(fdt, "compatible", "syscon-poweroff"));
	note(err, fdt_property_u32(fdt, "regmap", SYSCON_PHANDLE));
	note(err, fdt_property_u32(fdt, "offset", 0));
	note(err, fdt_property_u32(fdt, "value", FL_POWEROFF_VALUE));
	note(err, fdt_end_node(fdt));
}

static void put_virtio(void *fdt, const struct fl_dtb_virtio *dev, int *err)
{
	fdt32_t irq[2] = {cpu_to_fdt32(dev->gsi), cpu_to_fdt32(EDGE_RISING)};

	begin_at(fdt, "virtio_mmio", dev->gpa, err);
	note(err, fdt_property_string(fdt, "compatible", "virtio,mmio"));
	put_reg(fdt, dev->gpa, 0x1000, err);
	note(err, fdt_property(fdt, "interrupts", irq, sizeof(irq)));
	note(err, fdt_end_node(fdt));
}

int fl_dtb_build(const struct fl_dtb_opts *opts, void *buf, size_t buf_len, size_t *used)
{
	int err = 0;

	note(&err, fdt_create(buf, (int)buf_len));
	note(&err, fdt_finish_reservemap(buf));
	note(&err, fdt_begin_node(buf, ""));
	note(&err, fdt_property_string(buf, "compatible", "faultline,vm"));
	note(&err, fdt_property_u32(buf, "#address-cells", 2));
	note(&err, fdt_property_u32(buf, "#size-cells", 2));
	note(&err, fdt_property_u32(buf, "interrupt-parent", IOAPIC_PHANDLE));
	put_cpus(buf, opts->cpu_count, &err);
	note(&err, fdt_begin_node(buf, "soc"));
	note(&err, fdt_property_string(buf, "compatible", "simple-bus"));
	note(&err, fdt_property_u32(buf, "#address-cells", 2));
	note(&err, fdt_property_u32(buf, "#size-cells", 2));
	note(&err, fdt_property(buf, "ranges", NULL, 0));
	put_irqchip(buf, &err);
	put_poweroff(buf, &err);
	for (unsigned int i = 0; i < opts->virtio_count; i++)
		put_virtio(buf, &opts->virtio[i], &err);
	note(&err, fdt_end_node(buf));
	note(&err, fdt_end_node(buf));
	note(&err, fdt_finish(buf));
	if (err)
		return err == -FDT_ERR_NOSPACE ? -ENOSPC : -EINVAL;
	*used = fdt_totalsize(buf);
	return 0;
}
