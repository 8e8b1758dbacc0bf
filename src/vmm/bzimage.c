/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/bzimage.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "mmu_backing/gmem.h"
#include "vmm/layout.h"

/* Offsets in the file, boot.rst "The Real-Mode Kernel Header" */
#define HEADER_START	    0x1f1u
#define SETUP_SECTS	    0x1f1u
#define SYSSIZE		    0x1f4u
#define HEADER_JUMP_LEN	    0x201u
#define HEADER_MAGIC	    0x202u
#define PROTOCOL_VERSION    0x206u
#define KERNEL_VERSION	    0x20eu
#define KERNEL_VERSION_BASE 0x200u
#define INITRD_ADDR_MAX	    0x22cu
#define XLOADFLAGS	    0x236u
#define CMDLINE_SIZE	    0x238u
#define PREF_ADDRESS	    0x258u
#define INIT_SIZE	    0x260u
#define HEADER_MIN_LEN	    0x264u

#define MAGIC_HDRS    0x53726448u /* "HdrS" */
#define MIN_PROTOCOL  0x020cu	  /* the first with xloadflags */
#define XLF_KERNEL_64 1u
#define SECTOR_LEN    512u
#define PARAGRAPH_LEN 16u /* unit of syssize */
#define HEAD_LEN      4096u

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

/* What people take for a kernel image, by the bytes with which it begins or that mark its format. */
static const char *what_else_it_is(const uint8_t *head, size_t head_len)
{
	static const struct {
		uint32_t offset, len;
		const char *bytes, *what;
	} formats[] = {
		{0, 4,
		 "\x7f"
		 "ELF",
		 "an ELF file, such as vmlinux"},
		{0x38, 4, "ARM\x64", "a kernel for 64-bit ARM"},
		{0x30, 5, "RISCV", "a kernel for RISC-V"},
		{0, 2, "\x1f\x8b", "a file compressed with gzip"},
		{0, 6,
		 "\xfd"
		 "7zXZ",
		 "a file compressed with xz"},
		{0, 4, "\x28\xb5\x2f\xfd", "a file compressed with zstd"},
		{0, 4, "\x02\x21\x4c\x18", "a file compressed with lz4"},
		{0, 4, "\x04\x22\x4d\x18", "a file compressed with lz4"},
		{0, 3, "BZh", "a file compressed with bzip2"},
		{0, 5, "07070", "an initramfs"},
		{0, 2, "#!", "a script"},
	};

	for (size_t i = 0; i < FL_ARRAY_SIZE(formats); i++)
		if (head_len >= formats[i].offset + formats[i].len &&
		    memcmp(head + formats[i].offset, formats[i].bytes, formats[i].len) == 0)
			return formats[i].what;
	return NULL;
}

static int check_magic(const uint8_t *head, size_t head_len, struct fl_diag *diag)
{
	const char *what = what_else_it_is(head, head_len);

	if (!head_len)
		return fl_diag(diag, -ENOEXEC,
			       "it is empty, as a build that was interrupted leaves it; build it again");
	if (head_len < HEADER_MAGIC + 4 || get32(head + HEADER_MAGIC) != MAGIC_HDRS)
		return fl_diag(diag, -ENOEXEC,
			       "it is %s%sno x86 bzImage; give arch/x86/boot/bzImage of an x86-64 kernel build",
			       what ? what : "", what ? " and " : "");
	if (head_len < HEADER_MIN_LEN)
		return fl_diag(diag, -ENOEXEC,
			       "the file is cut short: it ends within its header; copy or build it again");
	if (get16(head + PROTOCOL_VERSION) < MIN_PROTOCOL || !(get16(head + XLOADFLAGS) & XLF_KERNEL_64))
		return fl_diag(diag, -ENOEXEC, "it has no 64-bit entry point; build a kernel with CONFIG_64BIT=y");
	return 0;
}

/* A file may be longer than its header says: signatures are appended. */
static int check_length(const uint8_t *head, uint64_t payload_offset, uint64_t file_len, struct fl_diag *diag)
{
	uint64_t end = payload_offset + (uint64_t)get32(head + SYSSIZE) * PARAGRAPH_LEN;

	if (file_len > payload_offset && file_len >= end)
		return 0;
	return fl_diag(diag, -ENOEXEC,
		       "the file is cut short: it has %llu bytes, and %llu according to its header; copy or build it "
		       "again",
		       (unsigned long long)file_len, (unsigned long long)FL_MAX(end, payload_offset + 1));
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
	ret = check_length(head, image->payload_offset, file_len, diag);
	if (ret)
		return ret;
	image->payload_len = file_len - image->payload_offset;

	/* The header's end is told by its jump instruction: 0x202 + the byte at 0x201. */
	header_end = HEADER_MAGIC + head[HEADER_JUMP_LEN];
	header_end = FL_MIN(header_end, (uint32_t)FL_MIN(head_len, HEADER_START + sizeof(image->setup_header)));
	image->setup_header_len = header_end - HEADER_START;
	memcpy(image->setup_header, head + HEADER_START, image->setup_header_len);

	if (get16(head + KERNEL_VERSION))
		image->version_offset = KERNEL_VERSION_BASE + get16(head + KERNEL_VERSION);
	image->load_gpa = get64(head + PREF_ADDRESS);
	image->init_len = get32(head + INIT_SIZE);
	image->initrd_max_gpa = get32(head + INITRD_ADDR_MAX);
	image->cmdline_max = get32(head + CMDLINE_SIZE);
	if (image->load_gpa < FL_HIGH_RAM_START || image->load_gpa >= FL_GAP_START ||
	    !fl_is_aligned(image->load_gpa, FL_PAGE_LEN) || image->init_len < image->payload_len)
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

/* A regular file whose header is that of a bzImage; its descriptor is the caller's. */
static int open_image(const char *path, struct fl_bzimage *image, struct fl_diag *diag)
{
	uint8_t head[HEAD_LEN];
	struct fl_diag why;
	struct stat st;
	ssize_t n;
	int ret;
	FL_CLOSE int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* or a FIFO would keep the caller */

	if (fd < 0 || fstat(fd, &st))
		return fl_diag(diag, -errno,
			       "cannot open the kernel %s: %m; give the bzImage of an x86-64 kernel build", path);
	if (S_ISDIR(st.st_mode))
		return fl_diag(diag, -ENOEXEC,
			       "cannot boot %s: it is a directory; give the file, arch/x86/boot/bzImage of a kernel "
			       "build",
			       path);
	if (!S_ISREG(st.st_mode))
		return fl_diag(diag, -ENOEXEC, "the kernel %s is not a regular file; give a bzImage", path);
	n = pread(fd, head, sizeof(head), 0);
	if (n < 0)
		return fl_diag(diag, -errno, "cannot read the kernel %s: %m", path);
	ret = fl_bzimage_parse(head, (size_t)n, (uint64_t)st.st_size, image, &why);
	if (ret)
		return fl_diag(diag, ret, "cannot boot %s: %s", path, why.text);
	return fl_steal_fd(&fd);
}

int fl_bzimage_load(const char *path, const struct fl_gpa_map *map, struct fl_bzimage *image, struct fl_diag *diag)
{
	FL_CLOSE int fd = open_image(path, image, diag);
	void *to;
	int ret;

	if (fd < 0)
		return fd;
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

/* boot.rst, "kernel_version": a string in the setup code, its first word the release, as of uname -r. */
static void read_release(int fd, const struct fl_bzimage *image, char *release, size_t release_len)
{
	ssize_t n = 0, len = 0;

	if (image->version_offset && image->version_offset < image->payload_offset)
		n = pread(fd, release, release_len - 1, image->version_offset);
	while (len < n && release[len] > ' ' && release[len] <= '~')
		len++;
	release[len] = '\0';
}

int fl_kernel_probe(const char *path, struct fl_kernel_info *info, struct fl_diag *diag)
{
	struct fl_kernel_info found = {.size = (uint32_t)FL_MIN((size_t)info->size, sizeof(found))};
	struct fl_bzimage image;

	if (info->size < sizeof(info->size))
		return fl_diag(diag, -EINVAL, "struct fl_kernel_info has no size");
	FL_CLOSE int fd = open_image(path, &image, diag);

	if (fd < 0)
		return fd;
	read_release(fd, &image, found.release, sizeof(found.release));
	memcpy(info, &found, found.size);
	return 0;
}
