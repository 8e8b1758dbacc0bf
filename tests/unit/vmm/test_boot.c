/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel images, zero page, page tables, initramfs: against the boot protocol's text (boot.rst, zero-page.rst). */
#include "tests/lib/fl_test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "mmu_backing/gmem.h"
#include "mmu_backing/guest_ram.h"
#include "vmm/boot.h"
#include "vmm/bzimage.h"
#include "vmm/cmdline.h"
#include "vmm/initramfs.h"

#define RAM_LEN	  (UINT64_C(64) << 20)
#define IMAGE_LEN 65536u
#define RELEASE	  "6.12.0-mine+"

/* A made-up bzImage with the fields that boot.rst asks for; the numbers are the test's. */
static void make_image(uint8_t *image)
{
	memset(image, 0xa5, IMAGE_LEN);
	memset(image + 0x1f1, 0, 0x100);
	image[0x1f1] = 3;			  /* setup_sects: payload at (3+1)*512 */
	memcpy(image + 0x1f4, "\x80\x0f\0\0", 4); /* syssize: of 16 bytes, what is left of the file */
	image[0x1fe] = 0x55;
	image[0x1ff] = 0xaa;
	image[0x200] = 0xeb;
	image[0x201] = 0x6a; /* header ends at 0x202+0x6a */
	memcpy(image + 0x202, "HdrS", 4);
	image[0x206] = 0x0f; /* protocol 2.15 */
	image[0x207] = 0x02;
	memcpy(image + 0x20e, "\x10\x03", 2); /* kernel_version: at 0x200 more */
	memcpy(image + 0x510, RELEASE " (someone@somewhere) #1 SMP", sizeof(RELEASE " (someone@somewhere) #1 SMP"));
	memcpy(image + 0x22c, "\xff\xff\xff\x7f", 4);	      /* initrd_addr_max */
	image[0x236] = 1;				      /* XLF_KERNEL_64 */
	memcpy(image + 0x238, "\xff\x07\x00\x00", 4);	      /* cmdline_size 2047 */
	memcpy(image + 0x258, "\x00\x00\x00\x01\0\0\0\0", 8); /* pref_address 16 MiB */
	memcpy(image + 0x260, "\x00\x00\x20\x00", 4);	      /* init_size 2 MiB */
}

static void expect_refused(const uint8_t *image, size_t len, const char *word)
{
	struct fl_bzimage parsed;
	struct fl_diag diag = {0};

	assert_int_equal(fl_bzimage_parse(image, FL_MIN(len, (size_t)4096), len, &parsed, &diag), -ENOEXEC);
	assert_non_null(strstr(diag.text, word));
}

static void test_image_fields_are_found(void **state)
{
	uint8_t *image = malloc(IMAGE_LEN);
	struct fl_bzimage parsed;

	(void)state;
	make_image(image);
	assert_int_equal(fl_bzimage_parse(image, 4096, IMAGE_LEN, &parsed, NULL), 0);
	assert_int_equal(parsed.payload_offset, 2048);
	assert_int_equal(parsed.payload_len, IMAGE_LEN - 2048);
	assert_int_equal(parsed.load_gpa, 16 << 20);
	assert_int_equal(parsed.init_len, 2 << 20);
	assert_int_equal(parsed.setup_header_len, 0x202 + 0x6a - 0x1f1);
	free(image);
}

static void test_what_is_no_kernel_is_refused(void **state)
{
	uint8_t *image = malloc(IMAGE_LEN);

	(void)state;
	make_image(image);
	image[0x202] = 'h';
	expect_refused(image, IMAGE_LEN, "bzImage");
	make_image(image);
	image[0x236] = 0;
	expect_refused(image, IMAGE_LEN, "64-bit");
	make_image(image);
	image[0x206] = 0x0b;
	expect_refused(image, IMAGE_LEN, "64-bit");
	make_image(image);
	memset(image + 0x260, 0, 4); /* needs less memory than the file is long */
	expect_refused(image, IMAGE_LEN, "no sense");
	make_image(image);
	memset(image + 0x258, 0, 8); /* wants to lie over the zero page */
	expect_refused(image, IMAGE_LEN, "no sense");
	make_image(image);
	memset(image + 0x258, 0xf0, 8); /* wants to lie where no memory can be */
	expect_refused(image, IMAGE_LEN, "no sense");
	free(image);
}

static void test_other_formats_are_called_by_their_names(void **state)
{
	static const struct {
		size_t offset;
		const char *bytes, *word;
	} samples[] = {
		{0,
		 "\x7f"
		 "ELF\x02\x01\x01",
		 "vmlinux"},			 /* elf(5) */
		{0x38, "ARM\x64", "64-bit ARM"}, /* Documentation/arch/arm64/booting.rst */
		{0x30, "RISCV", "RISC-V"},	 /* Documentation/arch/riscv/boot-image-header.rst */
		{0, "\x1f\x8b\x08", "gzip"},	 /* RFC 1952 */
		{0,
		 "\xfd"
		 "7zXZ",
		 "xz"},				 /* xz-file-format.txt, 2.1.1.1 */
		{0, "\x28\xb5\x2f\xfd", "zstd"}, /* RFC 8878 */
		{0, "\x04\x22\x4d\x18", "lz4"},	 /* lz4_Frame_format.md */
		{0, "\x02\x21\x4c\x18", "lz4"},	 /* the same, legacy frame */
		{0, "070701", "initramfs"},	 /* buffer-format.rst */
		{0, "no magic at all", "it is no x86 bzImage"},
	};
	uint8_t file[4096];

	(void)state;
	for (size_t i = 0; i < FL_ARRAY_SIZE(samples); i++) {
		memset(file, 0, sizeof(file));
		memcpy(file + samples[i].offset, samples[i].bytes, strlen(samples[i].bytes));
		expect_refused(file, sizeof(file), samples[i].word);
		expect_refused(file, sizeof(file), "arch/x86/boot/bzImage");
	}
	expect_refused(file, 0, "empty");
}

/* A kernel with every length that it does not have: the only one that starts is the whole file. */
static void test_what_is_cut_short_is_never_booted(void **state)
{
	uint8_t *image = malloc(IMAGE_LEN);

	(void)state;
	make_image(image);
	for (size_t len = 1; len < IMAGE_LEN; len += len < 4096 ? 1 : 509)
		expect_refused(image, len, len < 0x206 ? "bzImage" : "cut short");
	expect_refused(image, IMAGE_LEN - 1, "cut short");
	/* signed ones are longer than they say */
	memset(image + 0x1f4, 0, 4);
	image[0x1f5] = 0x0f;
	assert_int_equal(fl_bzimage_parse(image, 4096, IMAGE_LEN, &(struct fl_bzimage){0}, NULL), 0);
	free(image);
}

/* xorshift64 of Marsaglia: the same bytes in every run */
static uint32_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (uint32_t)(*state >> 32);
}

/* Whatever stands in a header: refused with a sentence, or numbers that the loader can rely on. */
static void test_garbled_headers_are_refused_or_safe(void **state)
{
	uint8_t *image = malloc(IMAGE_LEN);
	uint64_t random = 0x9e3779b97f4a7c15;
	unsigned int taken = 0;

	(void)state;
	for (unsigned int round = 0; round < 200000; round++) {
		struct fl_bzimage parsed;
		struct fl_diag diag = {0};

		if (round % 8 == 0)
			make_image(image);
		image[0x1f1 + next_random(&random) % (0x264 - 0x1f1)] = (uint8_t)next_random(&random);
		uint64_t file_len = next_random(&random) % 2 ? IMAGE_LEN : next_random(&random) % IMAGE_LEN;
		size_t head_len = FL_MIN((size_t)file_len, (size_t)4096);
		/* exactly as long as it is said to be, so that a sanitizer sees a byte too many */
		uint8_t *head = malloc(head_len + 1);

		memcpy(head + 1, image, head_len);
		int ret = fl_bzimage_parse(head + 1, head_len, file_len, &parsed, &diag);

		free(head);
		if (ret) {
			assert_int_equal(ret, -ENOEXEC);
			assert_true(strlen(diag.text) > 20);
			continue;
		}
		taken++;
		assert_true(parsed.payload_offset + parsed.payload_len == file_len && parsed.payload_len > 0);
		assert_true(parsed.setup_header_len <= sizeof(parsed.setup_header));
		assert_true(parsed.payload_len <= parsed.init_len);
		/* below the devices, above what the loader itself puts there (layout.h) */
		assert_true(parsed.load_gpa >= 0x100000 && parsed.load_gpa < 0xc0000000);
	}
	assert_in_range(taken, 1000, 199000);
	free(image);
}

struct machine {
	struct fl_guest_ram ram;
	struct fl_gpa_map map;
	char path[64];
};

static int set_up(void **state)
{
	struct machine *m = calloc(1, sizeof(*m));
	uint8_t *image = malloc(IMAGE_LEN);
	int fd;

	assert_int_equal(fl_guest_ram_init(&m->ram, RAM_LEN, NULL), 0);
	assert_int_equal(
		fl_gpa_map_add(&m->map, &(struct fl_region){.len = RAM_LEN, .hva = m->ram.hva, .name = "ram"}, NULL),
		0);
	strcpy(m->path, "/tmp/fl-bzimage-XXXXXX");
	fd = mkstemp(m->path);
	make_image(image);
	assert_int_equal(write(fd, image, IMAGE_LEN), IMAGE_LEN);
	close(fd);
	free(image);
	*state = m;
	return 0;
}

static int tear_down(void **state)
{
	struct machine *m = *state;

	unlink(m->path);
	fl_guest_ram_fini(&m->ram);
	free(m);
	return 0;
}

static uint64_t read_ram(const struct machine *m, uint64_t gpa, size_t len)
{
	uint64_t value = 0;

	assert_int_equal(fl_gmem_read(&m->map, gpa, &value, len), 0);
	return value;
}

static struct fl_boot_opts boot_opts(const struct machine *m)
{
	return (struct fl_boot_opts){.kernel = m->path,
				     .cmdline = "quiet test=1",
				     .initrd = "initrd!",
				     .initrd_len = 7,
				     .dtb = {.cpu_count = 1},
				     .ram_low_len = RAM_LEN};
}

static void test_zero_page_says_what_boot_rst_asks(void **state)
{
	struct machine *m = *state;
	struct fl_boot_opts opts = boot_opts(m);
	struct fl_vcpu_entry entry;
	uint64_t zp, cmdline, initrd;
	char text[16];

	assert_int_equal(fl_boot_load(&opts, &m->map, &entry, NULL), 0);
	zp = entry.rsi;
	assert_int_equal(entry.rip, (16 << 20) + 0x200);
	assert_int_equal(entry.rflags & 0x200, 0); /* interrupts off */
	assert_int_equal(read_ram(m, zp + 0x202, 4), 0x53726448);
	assert_int_equal(read_ram(m, zp + 0x210, 1), 0xff);
	cmdline = read_ram(m, zp + 0x228, 4);
	assert_int_equal(fl_gmem_read(&m->map, cmdline, text, 13), 0);
	assert_string_equal(text, "quiet test=1");
	initrd = read_ram(m, zp + 0x218, 4);
	assert_int_equal(read_ram(m, zp + 0x21c, 4), 7);
	assert_int_equal(fl_gmem_read(&m->map, initrd, text, 7), 0);
	assert_memory_equal(text, "initrd!", 7);
	assert_true(initrd >= (18 << 20)); /* clear of load address + init_size */
	assert_int_equal(read_ram(m, 16 << 20, 4), 0xa5a5a5a5);

	/* setup_data: one node, a device tree */
	uint64_t data = read_ram(m, zp + 0x250, 8);

	assert_int_equal(read_ram(m, data, 8), 0);
	assert_int_equal(read_ram(m, data + 8, 4), 2);
	assert_int_equal(read_ram(m, data + 16, 4), 0xedfe0dd0); /* FDT magic, big-endian */
}

/* Documentation/arch/x86/boot.rst, setup_data; type 9: arch/x86/include/uapi/asm/setup_data.h */
static void test_seed_follows_the_device_tree_and_is_the_callers(void **state)
{
	struct machine *m = *state;
	struct fl_boot_opts opts = boot_opts(m);
	struct fl_vcpu_entry entry;
	uint8_t seed[FL_RNG_SEED_LEN], got[FL_RNG_SEED_LEN];
	uint64_t dtb, data;

	for (unsigned int i = 0; i < sizeof(seed); i++)
		seed[i] = (uint8_t)(0x51 + 7 * i);
	opts.rng_seed = seed;
	assert_int_equal(fl_boot_load(&opts, &m->map, &entry, NULL), 0);
	dtb = read_ram(m, entry.rsi + 0x250, 8);
	assert_int_equal(read_ram(m, dtb + 8, 4), 2);
	data = read_ram(m, dtb, 8);
	assert_true(data >= dtb + 16 + read_ram(m, dtb + 12, 4) && data + 48 <= 0x9fc00);
	assert_int_equal(read_ram(m, data, 8), 0);
	assert_int_equal(read_ram(m, data + 8, 4), 9);
	assert_int_equal(read_ram(m, data + 12, 4), 32);
	assert_int_equal(fl_gmem_read(&m->map, data + 16, got, sizeof(got)), 0);
	assert_memory_equal(got, seed, sizeof(seed));
}

static void test_e820_covers_ram_without_the_legacy_hole(void **state)
{
	struct machine *m = *state;
	struct fl_boot_opts opts = boot_opts(m);
	struct fl_vcpu_entry entry;

	opts.ram_high_len = UINT64_C(5) << 30;
	assert_int_equal(fl_boot_load(&opts, &m->map, &entry, NULL), 0);
	assert_int_equal(read_ram(m, entry.rsi + 0x1e8, 1), 3);
	assert_int_equal(read_ram(m, entry.rsi + 0x2d0, 8), 0);
	assert_true(read_ram(m, entry.rsi + 0x2d0 + 8, 8) <= 0xa0000);
	assert_int_equal(read_ram(m, entry.rsi + 0x2d0 + 20, 8), 0x100000);
	assert_int_equal(read_ram(m, entry.rsi + 0x2d0 + 28, 8), RAM_LEN - 0x100000);
	assert_int_equal(read_ram(m, entry.rsi + 0x2d0 + 40, 8), UINT64_C(4) << 30);
	assert_int_equal(read_ram(m, entry.rsi + 0x2d0 + 48, 8), UINT64_C(5) << 30);
}

/* Walks the tables as the manual says (Intel SDM 3A, 4.5), independently of the code that made them. */
static void test_page_tables_map_4_gib_to_itself(void **state)
{
	static const uint64_t samples[] = {
		0, 0x7000, 16 << 20, UINT64_C(0xbfffffff), UINT64_C(0xfee00000), UINT64_C(0xffffffff)};
	struct machine *m = *state;
	struct fl_boot_opts opts = boot_opts(m);
	struct fl_vcpu_entry entry;

	assert_int_equal(fl_boot_load(&opts, &m->map, &entry, NULL), 0);
	for (size_t i = 0; i < FL_ARRAY_SIZE(samples); i++) {
		uint64_t a = samples[i], mask = UINT64_C(0x000ffffffffff000);
		uint64_t pml4e = read_ram(m, entry.cr3 + ((a >> 39) & 511) * 8, 8);
		uint64_t pdpte = read_ram(m, (pml4e & mask) + ((a >> 30) & 511) * 8, 8);
		uint64_t pde = read_ram(m, (pdpte & mask) + ((a >> 21) & 511) * 8, 8);

		assert_int_equal(pml4e & 3, 3);
		assert_int_equal(pdpte & 0x83, 3);
		assert_int_equal(pde & 0x83, 0x83);
		assert_int_equal((pde & UINT64_C(0x000fffffffe00000)) | (a & 0x1fffff), a);
	}
}

static void test_a_directory_is_no_kernel(void **state)
{
	struct machine *m = *state;
	struct fl_boot_opts opts = boot_opts(m);
	struct fl_vcpu_entry entry;
	struct fl_diag diag = {0};

	opts.kernel = "/tmp";
	assert_int_equal(fl_boot_load(&opts, &m->map, &entry, &diag), -ENOEXEC);
	assert_non_null(strstr(diag.text, "directory"));
	assert_non_null(strstr(diag.text, "arch/x86/boot/bzImage"));
}

static void overwrite(const struct machine *m, off_t at, const void *bytes, size_t len)
{
	int fd = open(m->path, O_WRONLY);

	assert_int_equal(pwrite(fd, bytes, len, at), (ssize_t)len);
	close(fd);
}

static void test_an_image_tells_its_release(void **state)
{
	struct machine *m = *state;
	struct fl_kernel_info info = {.size = sizeof(info)};
	struct fl_diag diag = {0};

	assert_int_equal(fl_kernel_probe(m->path, &info, &diag), 0);
	assert_string_equal(info.release, RELEASE);
	/* an older caller's struct */
	memset(&info, 'x', sizeof(info));
	info.size = offsetof(struct fl_kernel_info, release) + 4;
	assert_int_equal(fl_kernel_probe(m->path, &info, &diag), 0);
	assert_memory_equal(info.release, "6.12xxxx", 8);
	info = (struct fl_kernel_info){.size = sizeof(info)};
	overwrite(m, 0x20e, "\0\0", 2);
	assert_int_equal(fl_kernel_probe(m->path, &info, &diag), 0);
	assert_string_equal(info.release, "");
	/* beyond the setup code, among the kernel's compressed bytes */
	overwrite(m, 0x20e, "\x00\x90", 2);
	assert_int_equal(fl_kernel_probe(m->path, &info, &diag), 0);
	assert_string_equal(info.release, "");
	assert_int_equal(truncate(m->path, IMAGE_LEN - 1), 0);
	assert_int_equal(fl_kernel_probe(m->path, &info, &diag), -ENOEXEC);
	assert_non_null(strstr(diag.text, m->path));
	assert_non_null(strstr(diag.text, "cut short"));
}

static void test_too_long_a_command_line_is_refused(void **state)
{
	struct machine *m = *state;
	struct fl_boot_opts opts = boot_opts(m);
	struct fl_vcpu_entry entry;
	struct fl_diag diag = {0};
	char *line = malloc(3000);

	memset(line, 'x', 2999);
	line[2999] = 0;
	opts.cmdline = line;
	assert_int_equal(fl_boot_load(&opts, &m->map, &entry, &diag), -EINVAL);
	assert_non_null(strstr(diag.text, "--params"));
	free(line);
}

static void test_initramfs_that_does_not_fit_is_refused(void **state)
{
	struct machine *m = *state;
	struct fl_boot_opts opts = boot_opts(m);
	struct fl_vcpu_entry entry;
	struct fl_diag diag = {0};
	void *big = calloc(1, 60 << 20);

	opts.initrd = big;
	opts.initrd_len = 60 << 20;
	assert_int_equal(fl_boot_load(&opts, &m->map, &entry, &diag), -ENOSPC);
	assert_non_null(strstr(diag.text, "--memory"));
	free(big);
}

/* cpio itself is the model: what it unpacks must be what went in. */
static void test_initramfs_is_unpacked_by_cpio(void **state)
{
	char dir[] = "/tmp/fl-cpio-XXXXXX", command[256], got[64] = {0};
	struct fl_blob conf = {0}, out = {0};
	FILE *pipe_to;
	int fd;

	(void)state;
	fl_blob_put_string(&conf, "Ahello");
	assert_int_equal(fl_initramfs_build("#!agent", 7, &conf, &out), 0);
	assert_non_null(mkdtemp(dir));
	snprintf(command, sizeof(command), "cd %s && cpio -i --quiet init faultline.conf", dir);
	pipe_to = popen(command, "w");
	assert_non_null(pipe_to);
	assert_int_equal(fwrite(out.bytes, 1, out.len, pipe_to), out.len);
	assert_int_equal(pclose(pipe_to), 0);
	snprintf(command, sizeof(command), "%s/init", dir);
	fd = open(command, O_RDONLY);
	assert_int_equal(read(fd, got, sizeof(got)), 7);
	assert_memory_equal(got, "#!agent", 7);
	close(fd);
	assert_int_equal(access(command, X_OK), 0);
	unlink(command);
	snprintf(command, sizeof(command), "%s/faultline.conf", dir);
	fd = open(command, O_RDONLY);
	assert_int_equal(read(fd, got, sizeof(got)), 7);
	assert_memory_equal(got, "Ahello\0", 7);
	close(fd);
	unlink(command);
	rmdir(dir);
	fl_blob_fini(&conf);
	fl_blob_fini(&out);
}

static void test_agent_records_put_the_root_first(void **state)
{
	static const struct fl_mount mounts[] = {{"data", "/data", true, "always", NULL},
						 {"root", "/", false, NULL, ""},
						 {"more", "/more", false, "inode", "more.changes"}};
	static const char *const argv[] = {"sh", "-c", NULL};
	static const char *const envp[] = {"A=1", NULL};
	struct fl_command command = {.argv = argv,
				     .envp = envp,
				     .cwd = "/tmp",
				     .flags = FL_COMMAND_TTY,
				     .rows = 24,
				     .cols = 80,
				     .user = "bob"};
	static const char expected[] =
		"Oroot\0/\0ro\0\0Mdata\0/data\0rw,dax=always\0Omore\0/more\0ro,dax=inode\0more.changes\0"
		"Ash\0A-c\0EA=1\0C/tmp\0Hbox\0P24 80\0Ubob\0T1.000000002";
	struct fl_blob conf = {0};

	(void)state;
	fl_agent_conf_build(&conf, mounts, 3, &command, "box", 1000000002);
	assert_int_equal(conf.len, sizeof(expected));
	assert_memory_equal(conf.bytes, expected, sizeof(expected));
	fl_blob_fini(&conf);
}

static void test_agent_records_of_a_network(void **state)
{
	struct fl_net_config net = {.address = (char[]){"10.0.2.15/24"},
				    .gateway = (char[]){"10.0.2.2"},
				    .address6 = (char[]){"fd00::15/64"},
				    .resolv_conf = (char[]){"search a\nnameserver 10.0.2.3\n"}};
	static const char expected[] = "N10.0.2.15/24\00010.0.2.2\0Nfd00::15/64\0\0Rsearch a\nnameserver 10.0.2.3\n";
	struct fl_blob conf = {0};

	(void)state;
	fl_agent_conf_add_net(&conf, &net);
	assert_int_equal(conf.len, sizeof(expected));
	assert_memory_equal(conf.bytes, expected, sizeof(expected));
	fl_blob_fini(&conf);
}

static void test_command_line_has_the_callers_words_last(void **state)
{
	struct fl_blob line = {0};
	const char *text;

	(void)state;
	fl_cmdline_build(&line, 0, "loglevel=8 mine");
	text = (const char *)line.bytes;
	assert_string_equal(text + strlen(text) - 15, "loglevel=8 mine");
	assert_non_null(strstr(text, " quiet "));
	line.len = 0;
	fl_cmdline_build(&line, FL_VM_BOOT_MESSAGES, NULL);
	assert_null(strstr((const char *)line.bytes, "quiet"));
	fl_blob_fini(&line);
}

/* Linux 5.19 to 6.1 lets its configuration say otherwise (drivers/char/Kconfig, RANDOM_TRUST_BOOTLOADER). */
static void test_the_seed_counts_unless_the_caller_says_otherwise(void **state)
{
	struct fl_blob line = {0};

	(void)state;
	fl_cmdline_build(&line, 0, "random.trust_bootloader=off");
	const char *ours = strstr((const char *)line.bytes, " random.trust_bootloader=on ");

	assert_non_null(ours);
	assert_non_null(strstr(ours, " random.trust_bootloader=off"));
	fl_blob_fini(&line);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_image_fields_are_found),
	cmocka_unit_test(test_what_is_no_kernel_is_refused),
	cmocka_unit_test(test_other_formats_are_called_by_their_names),
	cmocka_unit_test(test_what_is_cut_short_is_never_booted),
	cmocka_unit_test(test_garbled_headers_are_refused_or_safe),
	cmocka_unit_test_setup_teardown(test_a_directory_is_no_kernel, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_an_image_tells_its_release, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_zero_page_says_what_boot_rst_asks, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_seed_follows_the_device_tree_and_is_the_callers, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_e820_covers_ram_without_the_legacy_hole, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_page_tables_map_4_gib_to_itself, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_too_long_a_command_line_is_refused, set_up, tear_down),
	cmocka_unit_test_setup_teardown(test_initramfs_that_does_not_fit_is_refused, set_up, tear_down),
	cmocka_unit_test(test_initramfs_is_unpacked_by_cpio),
	cmocka_unit_test(test_agent_records_put_the_root_first),
	cmocka_unit_test(test_agent_records_of_a_network),
	cmocka_unit_test(test_command_line_has_the_callers_words_last),
	cmocka_unit_test(test_the_seed_counts_unless_the_caller_says_otherwise),
};
FL_TEST_MAIN(30, tests)
