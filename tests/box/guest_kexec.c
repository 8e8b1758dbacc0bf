/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kexec_load(2), by the 64-bit boot protocol (Documentation/arch/x86/boot.rst). Not kexec_file_load(2): that hands no
 * device tree over, and this machine has nothing else.
 */
#include "tests/box/guest_life.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kexec.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE	   4096u
#define FILE_MAX   (64u << 20)
#define STUB_GPA   0x100000u
#define ZERO_GPA   (STUB_GPA + PAGE)
#define PARAMS_GPA (STUB_GPA + 2 * PAGE)
#define KERNEL_GPA 0x1000000u /* CONFIG_PHYSICAL_START */
#define INITRD_GAP (4u << 20)

#define BOOT_LOADER_UNKNOWN 0xff

/* struct boot_params */
#define SETUP_SECTS    0x1f1
#define HEADER_LEN     0x201 /* of what begins at 0x202 */
#define LOADER_TYPE    0x210
#define CODE32_START   0x214
#define RAMDISK_IMAGE  0x218
#define RAMDISK_SIZE   0x21c
#define CMD_LINE_PTR   0x228
#define SETUP_DATA     0x250
#define INIT_SIZE      0x260
#define ENTRY_64       0x200
#define SETUP_DATA_LEN 8

struct blob {
	uint8_t *data;
	size_t len;
};

static struct blob read_file(const char *path)
{
	struct blob blob = {.data = malloc(FILE_MAX)};
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = 1;

	if (!blob.data || fd < 0)
		life_end(path);
	while (n > 0 && blob.len < FILE_MAX) {
		n = read(fd, blob.data + blob.len, FILE_MAX - blob.len);
		blob.len += n > 0 ? (size_t)n : 0;
	}
	close(fd);
	if (n != 0)
		life_end(path);
	return blob;
}

static uint32_t get32(const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static void put32(uint8_t *at, uint32_t value)
{
	memcpy(at, &value, sizeof(value));
}

#define ZERO "00000000"

/* "newc", Documentation/driver-api/early-userspace/buffer-format.rst */
static void put_entry(struct blob *cpio, const char *name, unsigned int mode, const struct blob *content)
{
	size_t len = content ? content->len : 0;

	/* inode, mode, owner, group, links, time, length, four of devices, length of the name, checksum */
	cpio->len +=
		(size_t)sprintf((char *)cpio->data + cpio->len,
				"070701%08x%08x" ZERO ZERO "%08x" ZERO "%08zx" ZERO ZERO ZERO ZERO "%08zx" ZERO "%s",
				1u, mode, 1u, len, strlen(name) + 1, name) +
		1;
	cpio->len = (cpio->len + 3) & ~(size_t)3;
	if (content)
		memcpy(cpio->data + cpio->len, content->data, len);
	cpio->len = (cpio->len + len + 3) & ~(size_t)3;
}

static struct blob own_initramfs(void)
{
	struct blob self = read_file("/proc/self/exe");
	struct blob cpio = {.data = calloc(1, self.len + PAGE)};

	if (!cpio.data)
		life_end("build the initial file system");
	put_entry(&cpio, "dev", S_IFDIR | 0755, NULL);
	put_entry(&cpio, "init", S_IFREG | 0755, &self);
	put_entry(&cpio, "TRAILER!!!", 0, NULL);
	free(self.data);
	return cpio;
}

/* This kernel's, which has the memory map and the device tree, with the header of the other image */
static uint8_t *zero_page(const struct blob *image, uint32_t initrd_gpa, size_t initrd_len)
{
	struct blob page = read_file("/sys/kernel/boot_params/data");
	uint8_t device_tree[SETUP_DATA_LEN];

	if (page.len != PAGE)
		life_end("read the boot parameters");
	memcpy(device_tree, page.data + SETUP_DATA, sizeof(device_tree));
	memcpy(page.data + SETUP_SECTS, image->data + SETUP_SECTS,
	       HEADER_LEN + 1u + image->data[HEADER_LEN] - SETUP_SECTS);
	memcpy(page.data + SETUP_DATA, device_tree, sizeof(device_tree));
	page.data[LOADER_TYPE] = BOOT_LOADER_UNKNOWN;
	put32(page.data + CODE32_START, KERNEL_GPA);
	put32(page.data + CMD_LINE_PTR, PARAMS_GPA);
	put32(page.data + RAMDISK_IMAGE, initrd_gpa);
	put32(page.data + RAMDISK_SIZE, (uint32_t)initrd_len);
	return page.data;
}

/* mov $ZERO_GPA,%esi; mov $KERNEL_GPA+ENTRY_64,%eax; jmp *%rax */
static void put_stub(uint8_t stub[PAGE])
{
	stub[0] = 0xbe;
	put32(stub + 1, ZERO_GPA);
	stub[5] = 0xb8;
	put32(stub + 6, KERNEL_GPA + ENTRY_64);
	stub[10] = 0xff;
	stub[11] = 0xe0;
}

static struct kexec_segment segment(const void *data, size_t len, uint32_t gpa, size_t mem_len)
{
	return (struct kexec_segment){.buf = data,
				      .bufsz = len,
				      .mem = (const void *)(uintptr_t)gpa,
				      .memsz = (mem_len + PAGE - 1) & ~(size_t)(PAGE - 1)};
}

void life_load_kernel(const char *path)
{
	struct blob image = read_file(path), params = read_file("/proc/cmdline"), initrd = own_initramfs();
	static uint8_t stub[PAGE];

	if (image.len < PAGE || params.len < 1 || params.len > PAGE)
		life_end("use the kernel or its parameters");
	/* the newline */
	params.data[params.len - 1] = '\0';
	uint32_t init_len = get32(image.data + INIT_SIZE);
	uint32_t initrd_gpa = (KERNEL_GPA + init_len + INITRD_GAP) & ~(PAGE - 1);
	size_t setup_len = (image.data[SETUP_SECTS] + 1u) * 512;

	put_stub(stub);
	struct kexec_segment segments[] = {
		segment(stub, PAGE, STUB_GPA, PAGE),
		segment(zero_page(&image, initrd_gpa, initrd.len), PAGE, ZERO_GPA, PAGE),
		segment(params.data, params.len, PARAMS_GPA, PAGE),
		segment(image.data + setup_len, image.len - setup_len, KERNEL_GPA, init_len),
		segment(initrd.data, initrd.len, initrd_gpa, initrd.len),
	};

	if (syscall(SYS_kexec_load, (unsigned long)STUB_GPA, sizeof(segments) / sizeof(segments[0]), segments,
		    (unsigned long)KEXEC_ARCH_X86_64) < 0)
		life_end("load the second kernel");
}
