/* SPDX-License-Identifier: Apache-2.0 */
/* What is read of a kernel's configuration, and what is said of it. */
#include "tests/lib/fl_test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/initrd.h"
#include "cli/kernel_config.h"

#define HEADER "#\n# Automatically generated file; DO NOT EDIT.\n# Linux/x86 6.12.117 Kernel Configuration\n#\n"
/* What guest-kernel-patches/config has, as far as it matters here */
#define GOOD                                                                                                                                        \
	"CONFIG_SMP=y\nCONFIG_FUSE_DAX=y\nCONFIG_POWER_RESET_SYSCON_POWEROFF=y\nCONFIG_BLK_DEV_INITRD=y\nCONFIG_OF=y\nCONFIG_OF_EARLY_FLATTREE=y\n" \
	"CONFIG_VIRTIO_CONSOLE=y\nCONFIG_VIRTIO_FS=y\nCONFIG_BINFMT_ELF=y\nCONFIG_DEVTMPFS=y\nCONFIG_PROC_FS=y\n"                                   \
	"CONFIG_SYSFS=y\nCONFIG_TMPFS=y\nCONFIG_UNIX98_PTYS=y\n"
#define MMIO	"CONFIG_VIRTIO_MMIO=y\n"
#define PATCHED "CONFIG_PARAVIRT_FAULT=y\n"

static const struct fl_cli_kernel image = {.path = "/boot/vmlinuz-x", .config = "/boot/config-x"};
static const struct fl_cli_kernel_use ordinary = {.agent = true, .dax = true, .vcpus = 2};

static int read_text(const char *text, const char *release, struct fl_cli_kernel_config *config)
{
	char path[] = "/tmp/fl-config.XXXXXX";
	int fd = mkstemp(path), ret;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	ret = fl_cli_read_kernel_config(path, release, config);
	unlink(path);
	return ret;
}

static void expect_lacking(const char *text, const struct fl_cli_kernel_use *use, const char *word)
{
	struct fl_cli_kernel_config config;
	struct fl_diag diag = {0};

	assert_int_equal(read_text(text, "6.12.117", &config), 0);
	assert_int_equal(fl_cli_check_kernel_config(&config, use, &image, &diag), word ? -ENOTSUP : 0);
	if (!word)
		return;
	assert_non_null(strstr(diag.text, word));
	assert_non_null(strstr(diag.text, image.path));
	assert_non_null(strstr(diag.text, image.config));
}

static void a_kernel_with_all_that_is_needed_is_taken(void **state)
{
	struct fl_cli_kernel_config config;

	(void)state;
	expect_lacking(HEADER GOOD MMIO, &ordinary, NULL);
	assert_int_equal(read_text(HEADER GOOD MMIO, "6.12.117", &config), 0);
	assert_null(fl_cli_kernel_config_warning(&config, &ordinary, 0));
	assert_false(fl_cli_kernel_is_patched(&config));
	assert_int_equal(read_text(HEADER GOOD MMIO PATCHED, "6.12.117", &config), 0);
	assert_true(fl_cli_kernel_is_patched(&config));
	/* the last line without its end */
	assert_int_equal(read_text(HEADER "CONFIG_PARAVIRT_FAULT=y", "6.12.117", &config), 0);
	assert_true(fl_cli_kernel_is_patched(&config));
}

static void what_is_lacking_is_named(void **state)
{
	(void)state;
	expect_lacking(HEADER GOOD, &ordinary, "CONFIG_VIRTIO_MMIO=y");
	expect_lacking(HEADER GOOD "# CONFIG_VIRTIO_MMIO is not set\n", &ordinary, "CONFIG_VIRTIO_MMIO=y");
	expect_lacking(HEADER GOOD "CONFIG_VIRTIO_MMIO=n\n", &ordinary, "CONFIG_VIRTIO_MMIO=y");
	expect_lacking(HEADER GOOD "CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES=y\n", &ordinary, "CONFIG_VIRTIO_MMIO=y");
	/* as Debian's kernels have it */
	expect_lacking(HEADER GOOD "CONFIG_VIRTIO_MMIO=m\n", &ordinary,
		       "CONFIG_VIRTIO_MMIO=y (its devices; there it is a module)");
	/* all of it at once, as far as there is room */
	expect_lacking(HEADER, &ordinary, "CONFIG_BLK_DEV_INITRD=y (the initramfs), CONFIG_OF=y (");
	expect_lacking(HEADER, &ordinary, "; build one with these");
}

static void what_is_needed_depends_on_the_use(void **state)
{
	const struct fl_cli_kernel_use mapped = {.agent = true, .dax = true, .dax_always = true, .vcpus = 1};
	const struct fl_cli_kernel_use own_initrd = {.vcpus = 1};

	(void)state;
	expect_lacking(HEADER GOOD MMIO "# CONFIG_FUSE_DAX is not set\n", &ordinary, NULL);
	expect_lacking(HEADER GOOD MMIO "CONFIG_FUSE_DAX=n\n", &mapped, "CONFIG_FUSE_DAX=y");
	expect_lacking(HEADER "CONFIG_BLK_DEV_INITRD=y\n", &own_initrd, NULL);
	expect_lacking(HEADER, &own_initrd, "CONFIG_BLK_DEV_INITRD=y");
}

static const char *unpacker_of(const void *bytes, size_t len)
{
	char path[] = "/tmp/fl-initrd.XXXXXX";
	int fd = mkstemp(path);
	const char *option;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	close(fd);
	option = fl_cli_initrd_unpacker(path);
	unlink(path);
	return option;
}

static int check_initrd(const void *bytes, size_t len, struct fl_diag *diag)
{
	char path[] = "/tmp/fl-initrd.XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	close(fd);
	int ret = fl_cli_check_initrd(path, diag);

	unlink(path);
	return ret;
}

static void what_is_no_initramfs_is_refused(void **state)
{
	struct fl_diag diag;

	(void)state;
	assert_int_equal(check_initrd("070701", 6, &diag), 0);
	assert_int_equal(check_initrd("\x1f\x8b\x08", 3, &diag), 0);
	assert_int_equal(check_initrd("# Faultline\n", 12, &diag), -EINVAL);
	assert_non_null(strstr(diag.text, "cpio"));
	assert_int_equal(check_initrd("", 0, &diag), -EINVAL);
	assert_int_equal(fl_cli_check_initrd("/no/such/file", &diag), -ENOENT);
	assert_non_null(strstr(diag.text, "/no/such/file"));
	assert_int_equal(fl_cli_check_initrd("/tmp", &diag), -EINVAL);
	assert_int_equal(fl_cli_check_initrd("/dev/null", &diag), 0); /* none, for a kernel that has its own */
}

static void an_initramfs_must_be_unpacked(void **state)
{
	struct fl_cli_kernel_use own = {.vcpus = 1};

	(void)state;
	/* the magic numbers of the formats themselves: RFC 8878, RFC 1952, buffer-format.rst */
	own.unpacker = unpacker_of("\x28\xb5\x2f\xfd", 4);
	assert_string_equal(own.unpacker, "RD_ZSTD");
	assert_string_equal(unpacker_of("\x1f\x8b\x08", 3), "RD_GZIP");
	assert_null(unpacker_of("070701", 6));
	assert_null(unpacker_of("", 0));
	assert_null(fl_cli_initrd_unpacker("/no/such/file"));
	assert_null(fl_cli_initrd_unpacker("/tmp"));
	expect_lacking(HEADER "CONFIG_BLK_DEV_INITRD=y\nCONFIG_RD_GZIP=y\n", &own, "CONFIG_RD_ZSTD=y");
	expect_lacking(HEADER "CONFIG_BLK_DEV_INITRD=y\nCONFIG_RD_ZSTD=y\n", &own, NULL);
}

static void what_a_guest_does_without_is_warned_of(void **state)
{
	const struct fl_cli_kernel_use small = {.agent = true, .vcpus = 1};
	struct fl_cli_kernel_config config;

	(void)state;
	assert_int_equal(read_text(HEADER, "6.12.117", &config), 0);
	assert_non_null(strstr(fl_cli_kernel_config_warning(&config, &ordinary, 0), "CONFIG_FUSE_DAX"));
	assert_non_null(strstr(fl_cli_kernel_config_warning(&config, &ordinary, 1), "CONFIG_SMP"));
	assert_non_null(strstr(fl_cli_kernel_config_warning(&config, &ordinary, 2), "POWEROFF"));
	assert_null(fl_cli_kernel_config_warning(&config, &ordinary, 3));
	assert_non_null(strstr(fl_cli_kernel_config_warning(&config, &small, 0), "POWEROFF"));
	assert_null(fl_cli_kernel_config_warning(&config, &small, 1));
}

static void another_kernels_configuration_is_refused(void **state)
{
	struct fl_cli_kernel_config config;
	char *big = malloc(6 << 20);

	(void)state;
	assert_int_equal(read_text(HEADER, "6.12.117+deb12-amd64", &config), 0);
	assert_int_equal(read_text(HEADER, "6.12.117-rc1", &config), 0);
	assert_int_equal(read_text(HEADER, "6.12.1170", &config), -ESTALE);
	assert_int_equal(read_text(HEADER, "6.12.11", &config), -ESTALE);
	assert_int_equal(read_text(HEADER, "6.1.0", &config), -ESTALE);
	assert_int_equal(read_text(HEADER, "", &config), -ESTALE);
	/* a defconfig or a fragment: what it does not name may be set all the same */
	assert_int_equal(read_text("CONFIG_OF=y\n", "6.12.117", &config), -ESTALE);
	assert_int_equal(read_text("", "6.12.117", &config), -ESTALE);
	assert_int_equal(read_text("# Linux/x86 6.12.117", "6.12.117", &config), -ESTALE);
	assert_int_equal(fl_cli_read_kernel_config("/no/such/file", "6.12.117", &config), -ENOENT);
	assert_int_equal(fl_cli_read_kernel_config("/tmp", "6.12.117", &config), -EISDIR);
	memset(big, '#', (6 << 20) - 1);
	big[(6 << 20) - 1] = '\0';
	assert_int_equal(read_text(big, "6.12.117", &config), -EFBIG);
	free(big);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_kernel_with_all_that_is_needed_is_taken),
	cmocka_unit_test(what_is_lacking_is_named),
	cmocka_unit_test(what_is_needed_depends_on_the_use),
	cmocka_unit_test(what_is_no_initramfs_is_refused),
	cmocka_unit_test(an_initramfs_must_be_unpacked),
	cmocka_unit_test(what_a_guest_does_without_is_warned_of),
	cmocka_unit_test(another_kernels_configuration_is_refused),
};
FL_TEST_MAIN(10, tests)
