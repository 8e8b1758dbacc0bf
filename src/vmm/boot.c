/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/boot.h"

#include <string.h>

#include "mmu_backing/gmem.h"
#include "vmm/bzimage.h"
#include "vmm/layout.h"

/* Offsets in the zero page (struct boot_params), Documentation/arch/x86/zero-page.rst and boot.rst */
#define ZP_E820_COUNT	      0x1e8u
#define ZP_SETUP_HEADER	      0x1f1u
#define ZP_VID_MODE	      0x1fau
#define ZP_TYPE_OF_LOADER     0x210u
#define ZP_RAMDISK_IMAGE      0x218u
#define ZP_RAMDISK_SIZE	      0x21cu
#define ZP_CMD_LINE_PTR	      0x228u
#define ZP_SETUP_DATA	      0x250u
#define ZP_E820_TABLE	      0x2d0u
#define E820_ENTRY_LEN	      20u
#define E820_RAM	      1u
#define LOADER_UNASSIGNED     0xffu
#define SETUP_DTB	      2u
#define SETUP_RNG_SEED	      9u
#define SETUP_DATA_HEADER_LEN 16u

/* Page-table bits; identity map of the first 4 GiB with 2 MiB pages */
#define PTE_PRESENT_WRITE 0x3u
#define PTE_HUGE	  0x80u
#define PD_COUNT	  4u
#define BOOT_RFLAGS	  0x2u /* the bit that is always one; interrupts off */

static void put32(uint8_t *p, uint32_t value)
{
	memcpy(p, &value, sizeof(value)); /* x86 only: host order is the guest's */
}

static void put64(uint8_t *p, uint64_t value)
{
	memcpy(p, &value, sizeof(value));
}

static void put_e820(uint8_t *zero_page, uint64_t start, uint64_t end)
{
	uint8_t index = zero_page[ZP_E820_COUNT];
	uint8_t *entry = zero_page + ZP_E820_TABLE + (size_t)index * E820_ENTRY_LEN;

	if (end <= start)
		return;
	put64(entry, start);
	put64(entry + 8, end - start);
	put32(entry + 16, E820_RAM);
	zero_page[ZP_E820_COUNT] = (uint8_t)(index + 1);
}

static int put_cmdline(const struct fl_boot_opts *opts, const struct fl_gpa_map *map, const struct fl_bzimage *image,
		       struct fl_diag *diag)
{
	size_t len = strlen(opts->cmdline);
	size_t max = FL_MIN((size_t)image->cmdline_max, (size_t)FL_CMDLINE_MAX - 1);

	if (len > max)
		return fl_diag(diag, -EINVAL,
			       "the kernel command line is %zu bytes long, this kernel takes %zu; "
			       "give fewer --params",
			       len, max);
	if (fl_gmem_write(map, FL_CMDLINE_GPA, opts->cmdline, len + 1))
		return fl_diag(diag, -EINVAL, "the guest's memory is too small to boot");
	return 0;
}

static int put_dtb(const struct fl_boot_opts *opts, const struct fl_gpa_map *map, struct fl_diag *diag)
{
	uint8_t *data = fl_gmem_ram(map, FL_SETUP_DATA_GPA, FL_SETUP_DATA_MAX);
	size_t used = 0;
	int ret;

	if (!data)
		return fl_diag(diag, -EINVAL, "the guest's memory is too small to boot");
	ret = fl_dtb_build(&opts->dtb, data + SETUP_DATA_HEADER_LEN, FL_SETUP_DATA_MAX - SETUP_DATA_HEADER_LEN, &used);
	if (ret)
		return fl_diag(diag, ret, "cannot describe the machine to the guest: %s", strerror(-ret));
	put64(data, 0); /* the last of the list, as long as there is no seed */
	put32(data + 8, SETUP_DTB);
	put32(data + 12, (uint32_t)used);
	return 0;
}

/*
 * Linux from 6.0 on takes it in setup_arch() (arch/x86/kernel/setup.c parse_setup_data()), wipes it there, and has
 * its random numbers from then on (unless random.trust_bootloader=off); older kernels pass it over.
 */
static int put_rng_seed(const struct fl_boot_opts *opts, const struct fl_gpa_map *map, struct fl_diag *diag)
{
	uint8_t data[SETUP_DATA_HEADER_LEN + FL_RNG_SEED_LEN] = {0}; /* the last of the list */
	uint8_t link[8];
	int ret;

	if (!opts->rng_seed)
		return 0;
	put32(data + 8, SETUP_RNG_SEED);
	put32(data + 12, FL_RNG_SEED_LEN);
	memcpy(data + SETUP_DATA_HEADER_LEN, opts->rng_seed, FL_RNG_SEED_LEN);
	put64(link, FL_RNG_SEED_GPA);
	ret = fl_gmem_write(map, FL_RNG_SEED_GPA, data, sizeof(data));
	explicit_bzero(data, sizeof(data));
	if (ret || fl_gmem_write(map, FL_SETUP_DATA_GPA, link, sizeof(link)))
		return fl_diag(diag, -EINVAL, "the guest's memory is too small to boot");
	return 0;
}

/* The initramfs goes as high as the kernel allows, clear of the kernel's own unpacking at the bottom. */
static int put_initrd(const struct fl_boot_opts *opts, const struct fl_gpa_map *map, const struct fl_bzimage *image,
		      uint64_t *gpa, struct fl_diag *diag)
{
	uint64_t kernel_end = image->load_gpa + image->init_len;
	uint64_t top = FL_MIN(opts->ram_low_len, image->initrd_max_gpa + 1);

	*gpa = 0;
	if (!opts->initrd_len)
		return 0;
	if (top < opts->initrd_len || fl_align_down(top - opts->initrd_len, FL_PAGE_LEN) < kernel_end)
		return fl_diag(diag, -ENOSPC,
			       "kernel and initramfs do not fit into the guest's memory; "
			       "give it more with --memory");
	*gpa = fl_align_down(top - opts->initrd_len, FL_PAGE_LEN);
	return fl_gmem_write(map, *gpa, opts->initrd, opts->initrd_len);
}

static int put_zero_page(const struct fl_boot_opts *opts, const struct fl_gpa_map *map, const struct fl_bzimage *image,
			 uint64_t initrd_gpa)
{
	uint8_t zp[FL_PAGE_LEN] = {0};

	memcpy(zp + ZP_SETUP_HEADER, image->setup_header, image->setup_header_len);
	zp[ZP_VID_MODE] = zp[ZP_VID_MODE + 1] = 0xff; /* normal */
	zp[ZP_TYPE_OF_LOADER] = LOADER_UNASSIGNED;
	put32(zp + ZP_RAMDISK_IMAGE, (uint32_t)initrd_gpa);
	put32(zp + ZP_RAMDISK_SIZE, initrd_gpa ? (uint32_t)opts->initrd_len : 0);
	put32(zp + ZP_CMD_LINE_PTR, (uint32_t)FL_CMDLINE_GPA);
	put64(zp + ZP_SETUP_DATA, FL_SETUP_DATA_GPA);
	put_e820(zp, 0, FL_LOW_RAM_END);
	put_e820(zp, FL_HIGH_RAM_START, opts->ram_low_len);
	put_e820(zp, FL_GAP_END, FL_GAP_END + opts->ram_high_len);
	return fl_gmem_write(map, FL_ZERO_PAGE_GPA, zp, sizeof(zp));
}

static int put_page_tables(const struct fl_gpa_map *map)
{
	uint64_t *table = fl_gmem_ram(map, FL_PML4_GPA, (2 + PD_COUNT) * FL_PAGE_LEN);
	uint64_t *pdpt, *pd;

	if (!table)
		return -EINVAL;
	memset(table, 0, (2 + PD_COUNT) * FL_PAGE_LEN);
	pdpt = table + 512;
	pd = pdpt + 512;
	table[0] = (FL_PML4_GPA + FL_PAGE_LEN) | PTE_PRESENT_WRITE;
	for (uint64_t i = 0; i < PD_COUNT; i++)
		pdpt[i] = (FL_PML4_GPA + (2 + i) * FL_PAGE_LEN) | PTE_PRESENT_WRITE;
	for (uint64_t i = 0; i < (uint64_t)PD_COUNT * 512; i++)
		pd[i] = i * FL_RANGE_LEN | PTE_PRESENT_WRITE | PTE_HUGE;
	return 0;
}

int fl_boot_load(const struct fl_boot_opts *opts, const struct fl_gpa_map *map, struct fl_vcpu_entry *entry,
		 struct fl_diag *diag)
{
	struct fl_bzimage image;
	uint64_t initrd_gpa = 0;
	int ret = fl_bzimage_load(opts->kernel, map, &image, diag);

	if (!ret)
		ret = put_cmdline(opts, map, &image, diag);
	if (!ret)
		ret = put_dtb(opts, map, diag);
	if (!ret)
		ret = put_rng_seed(opts, map, diag);
	if (!ret)
		ret = put_initrd(opts, map, &image, &initrd_gpa, diag);
	if (ret)
		return ret;
	if (put_zero_page(opts, map, &image, initrd_gpa) || put_page_tables(map))
		return fl_diag(diag, -EINVAL, "the guest's memory is too small to boot");
	*entry = (struct fl_vcpu_entry){
		.rip = image.load_gpa + 0x200, /* boot.rst, 64-bit Boot Protocol: the entry point */
		.rsp = FL_STACK_TOP_GPA,
		.rsi = FL_ZERO_PAGE_GPA,
		.rflags = BOOT_RFLAGS,
		.cr3 = FL_PML4_GPA,
		.gdt_gpa = FL_GDT_GPA,
	};
	return 0;
}
