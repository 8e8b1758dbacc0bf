/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/bzimage.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "mmu_backing/gmem.h"
#include "vmm/layout.h"

/* Offsets in the file, boot.rst "The Real-Mode Kernel Header" */
#define HEADER_START	 0x1f1u
#define SETUP_SECTS	 0x1f1u
#define HEADER_JUMP_LEN	 0x201u
#define HEADER_MAGIC	 0x202u
#define PROTOCOL_VERSION 0x206u
#define INITRD_ADDR_MAX	 0x22cu
#define XLOADFLAGS	 0x236u
#define CMDLINE_SIZE	 0x238u
#define PREF_ADDRESS	 0x258u
#define INIT_SIZE	 0x260u
#define HEADER_MIN_LEN	 0x264u

#define MAGIC_HDRS    0x53726448u /* "HdrS" */
#define MIN_PROTOCOL  0x020cu	  /* the first with xloadflags */
#define XLF_KERNEL_64 1u
#define SECTOR_LEN    512u

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) | (uint32_t)get16(p + 2) << 16;
}

static uint64_t get64(const uint8_t *p)
{
	return (uint64_t)get32(p) | (uint64_t)get32(p + 4) << 32;
}

static int check_magic(const uint8_t *head, size_t head_len, struct fl_diag *diag)
{
	if (head_len < HEADER_MIN_LEN || get32(head + HEADER_MAGIC) != MAGIC_HDRS)
		return fl_diag(diag, -ENOEXEC,
			       "this is not an x86 bzImage; give the file arch/x86/boot/bzImage "
			       "of a kernel build (not vmlinux)");
	if (get16(head + PROTOCOL_VERSION) < MIN_PROTOCOL || !(get16(head + XLOADFLAGS) & XLF_KERNEL_64))
		return fl_diag(diag, -ENOEXEC, "this kernel has no 64-bit entry point; build one with CONFIG_X86_64");
	return 0;
}

int fl_bzimage_parse(const uint8_t *head, size_t head_len, uint64_t file_len, struct fl_bzimage *image,
		     struct fl_diag *diag)
{
	int ret = check_magic(head, head_len, diag);
	uint32_t setup_sects, header_end;

	if (ret)
		return ret;
	memset(image, 0, sizeof(*image));
	setup_sects = head[SETUP_SECTS] ? head[SETUP_SECTS] : 4; /* 0 means 4, boot.rst */
	image->payload_offset = (uint64_t)(setup_sects + 1) * SECTOR_LEN;
	if (image->payload_offset >= file_len)
		return fl_diag(diag, -ENOEXEC, "the kernel file is cut short: it ends before the kernel proper");
	image->payload_len = file_len - image->payload_offset;

	/* The header's end is told by its jump instruction: 0x202 + the byte at 0x201. */
	header_end = HEADER_MAGIC + head[HEADER_JUMP_LEN];
	header_end = FL_MIN(header_end, (uint32_t)FL_MIN(head_len, HEADER_START + sizeof(image->setup_header)));
	image->setup_header_len = header_end - HEADER_START;
	memcpy(image->setup_header, head + HEADER_START, image->setup_header_len);

	image->load_gpa = get64(head + PREF_ADDRESS);
	image->init_len = get32(head + INIT_SIZE);
	image->initrd_max_gpa = get32(head + INITRD_ADDR_MAX);
	image->cmdline_max = get32(head + CMDLINE_SIZE);
	if (image->load_gpa < FL_HIGH_RAM_START || !fl_is_aligned(image->load_gpa, FL_PAGE_LEN) ||
	    image->init_len < image->payload_len)
		return fl_diag(diag, -ENOEXEC,
			       "the kernel's header makes no sense (load address %#llx, %llu bytes needed)",
			       (unsigned long long)image->load_gpa, (unsigned long long)image->init_len);
	return 0;
}

static int read_payload(int fd, const struct fl_bzimage *image, uint8_t *to)
{
	uint64_t done = 0;

	while (done < image->payload_len) {
		ssize_t n = pread(fd, to + done, image->payload_len - done, (off_t)(image->payload_offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		done += (uint64_t)n;
	}
	return 0;
}

int fl_bzimage_load(const char *path, const struct fl_gpa_map *map, struct fl_bzimage *image, struct fl_diag *diag)
{
	uint8_t head[4096];
	struct stat st;
	ssize_t n;
	void *to;
	int ret;
	FL_CLOSE int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* or a FIFO would keep the caller */

	if (fd < 0 || fstat(fd, &st))
		return fl_diag(diag, -errno, "cannot open the kernel %s: %m", path);
	if (!S_ISREG(st.st_mode))
		return fl_diag(diag, -ENOEXEC, "the kernel %s is not a regular file; give a bzImage", path);
	n = pread(fd, head, sizeof(head), 0);
	if (n < 0)
		return fl_diag(diag, -errno, "cannot read the kernel %s: %m", path);
	ret = fl_bzimage_parse(head, (size_t)n, (uint64_t)st.st_size, image, diag);
	if (ret) {
		struct fl_diag why;

		if (diag) {
			why = *diag;
			fl_diag(diag, ret, "cannot boot %s: %s", path, why.text);
		}
		return ret;
	}
	to = fl_gmem_ram(map, image->load_gpa, image->init_len);
	if (!to)
		return fl_diag(diag, -ENOSPC,
			       "the kernel %s needs %llu MiB of memory; give the guest more with --memory", path,
			       (unsigned long long)((image->load_gpa + image->init_len) >> 20));
	ret = read_payload(fd, image, to);
	if (ret)
		return fl_diag(diag, ret, "cannot read the kernel %s: %s", path, strerror(-ret));
	return 0;
}
