/* SPDX-License-Identifier: Apache-2.0 */
/* Where the launcher looks for a guest kernel, and for its configuration. */
#include "tests/lib/fl_test.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cli/kernel.h"

#define IMAGE_LEN 4096

struct place {
	char dir[64]; /* of all that follows */
	char program[128];
	char system_dir[128], boot_dir[128], modules_dir[128], tree[128];
};

static const char *at(const struct place *place, const char *name)
{
	static char path[4][256];
	static unsigned int next;

	next = (next + 1) % 4;
	snprintf(path[next], sizeof(path[0]), "%s/%s", place->dir, name);
	return path[next];
}

/* A file with all the directories above it. */
static void put_file(const char *path, const void *bytes, size_t len)
{
	char part[256];
	int fd;

	snprintf(part, sizeof(part), "%s", path);
	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(part, 0755);
		*slash = '/';
	}
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	close(fd);
}

/* The header that boot.rst asks for, of no kernel at all. */
static void put_image(const char *path)
{
	uint8_t image[IMAGE_LEN] = {0};

	image[0x1f1] = 3; /* setup_sects */
	memcpy(image + 0x202, "HdrS\x0f\x02", 6);
	memcpy(image + 0x20e, "\x00\x01", 2); /* kernel_version: at 0x300 */
	memcpy(image + 0x300, "6.12.0-mine (me@here)", 22);
	image[0x236] = 1;    /* 64-bit entry */
	image[0x25b] = 0x01; /* pref_address: 16 MiB */
	image[0x262] = 0x20; /* init_size: 2 MiB */
	put_file(path, image, sizeof(image));
}

static void put_text(const char *path)
{
	put_file(path, "#\n", 2);
}

/* In the same second, after or before the image. */
static void set_age(const char *path, long ns)
{
	struct timespec times[2] = {{.tv_sec = 1000, .tv_nsec = ns}, {.tv_sec = 1000, .tv_nsec = ns}};

	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static int setup(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	strcpy(place->dir, "/tmp/fl-kernel.XXXXXX");
	assert_non_null(mkdtemp(place->dir));
	snprintf(place->program, sizeof(place->program), "%s/bin/faultline", place->dir);
	snprintf(place->system_dir, sizeof(place->system_dir), "%s/lib", place->dir);
	snprintf(place->boot_dir, sizeof(place->boot_dir), "%s/boot", place->dir);
	snprintf(place->modules_dir, sizeof(place->modules_dir), "%s/modules", place->dir);
	snprintf(place->tree, sizeof(place->tree), "%s/tree", place->dir);
	*state = place;
	return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	struct place *place = *state;

	nftw(place->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	free(place);
	return 0;
}

static struct fl_cli_kernel_places places_of(const struct place *place)
{
	return (struct fl_cli_kernel_places){.working_dir = place->tree,
					     .program = place->program,
					     .system_dir = place->system_dir,
					     .boot_dir = place->boot_dir,
					     .modules_dir = place->modules_dir};
}

static void expect(const struct fl_cli_kernel_places *places, const char *path, bool ours)
{
	struct fl_cli_kernel kernel;
	struct fl_diag diag = {0};
	int ret = fl_cli_find_kernel(places, &kernel, &diag);

	if (ret < 0)
		print_message("%s\n", diag.text);
	assert_int_equal(ret, 0);
	assert_string_equal(kernel.path, path);
	assert_string_equal(kernel.release, "6.12.0-mine");
	assert_int_equal(kernel.ours, ours);
	assert_non_null(kernel.why);
}

static void expect_error(const struct fl_cli_kernel_places *places, int error, const char *word)
{
	struct fl_cli_kernel kernel;
	struct fl_diag diag = {0};

	assert_int_equal(fl_cli_find_kernel(places, &kernel, &diag), error);
	if (!strstr(diag.text, word))
		print_message("%s\n", diag.text);
	assert_non_null(strstr(diag.text, word));
}

static void the_places_are_tried_in_turn(void **state)
{
	const struct place *place = *state;
	struct fl_cli_kernel_places places = places_of(place);

	expect_error(&places, -ENOENT, "--kernel");
	put_image(at(place, "lib/bzImage"));
	expect(&places, at(place, "lib/bzImage"), true);
	put_image(at(place, "bin/guest-kernel/bzImage"));
	expect(&places, at(place, "bin/guest-kernel/bzImage"), true);
	put_text(at(place, "tree/Makefile"));
	put_text(at(place, "tree/.config"));
	expect(&places, at(place, "bin/guest-kernel/bzImage"), true); /* nothing was built in that tree */
	put_image(at(place, "tree/arch/x86/boot/bzImage"));
	expect(&places, at(place, "tree/arch/x86/boot/bzImage"), false);
	put_image(at(place, "env"));
	places.from_env = at(place, "env");
	expect(&places, places.from_env, false);
	put_image(at(place, "asked"));
	places.asked = at(place, "asked");
	expect(&places, places.asked, false);
}

static void what_only_looks_like_a_tree_is_passed_over(void **state)
{
	const struct place *place = *state;
	struct fl_cli_kernel_places places = places_of(place);

	put_image(at(place, "tree/arch/x86/boot/bzImage"));
	expect_error(&places, -ENOENT, "No guest kernel");
	put_text(at(place, "tree/Makefile"));
	expect_error(&places, -ENOENT, "No guest kernel");
	put_text(at(place, "tree/.config"));
	expect(&places, at(place, "tree/arch/x86/boot/bzImage"), false);
	/* another kernel than the one that was meant would be worse than none */
	put_text(at(place, "tree/arch/x86/boot/bzImage"));
	put_image(at(place, "lib/bzImage"));
	expect_error(&places, -ENOEXEC, at(place, "tree/arch/x86/boot/bzImage"));
}

static void a_directory_or_a_release_will_do(void **state)
{
	const struct place *place = *state;
	struct fl_cli_kernel_places places = places_of(place);

	places.asked = place->tree;
	expect_error(&places, -ENOENT, place->tree);
	mkdir(place->tree, 0755);
	expect_error(&places, -ENOENT, "arch/x86/boot/bzImage");
	put_image(at(place, "tree/bzImage"));
	expect(&places, at(place, "tree/bzImage"), false);
	put_image(at(place, "tree/arch/x86/boot/bzImage"));
	expect(&places, at(place, "tree/arch/x86/boot/bzImage"), false);

	places.asked = "6.12.0-mine";
	expect_error(&places, -ENOENT, "vmlinuz-6.12.0-mine");
	put_image(at(place, "modules/6.12.0-mine/vmlinuz"));
	expect(&places, at(place, "modules/6.12.0-mine/vmlinuz"), false);
	put_image(at(place, "boot/vmlinuz-6.12.0-mine"));
	expect(&places, at(place, "boot/vmlinuz-6.12.0-mine"), false);
	places.asked = NULL;
	places.from_env = "6.12.0-mine";
	expect(&places, at(place, "boot/vmlinuz-6.12.0-mine"), false);
}

static void a_wrong_name_is_not_passed_over(void **state)
{
	const struct place *place = *state;
	struct fl_cli_kernel_places places = places_of(place);

	put_image(at(place, "lib/bzImage"));
	places.from_env = "/no/such/kernel";
	expect_error(&places, -ENOENT, "/no/such/kernel");
	places.from_env = "no-such-release";
	expect_error(&places, -ENOENT, "FAULTLINE_KERNEL");
	places.from_env = "/etc/passwd";
	expect_error(&places, -ENOEXEC, "/etc/passwd");
	places.from_env = "";
	expect(&places, at(place, "lib/bzImage"), true);
	places.asked = "";
	expect_error(&places, -ENOENT, "--kernel");
}

static const char *config_of(const struct place *place, const char *image)
{
	static struct fl_cli_kernel kernel;
	struct fl_cli_kernel_places places = places_of(place);

	places.asked = image;
	assert_int_equal(fl_cli_find_kernel(&places, &kernel, NULL), 0);
	return kernel.config;
}

static void the_configuration_is_the_images_own(void **state)
{
	const struct place *place = *state;
	char link[256];

	put_image(at(place, "boot/vmlinuz-6.12.0-mine"));
	assert_string_equal(config_of(place, "6.12.0-mine"), "");
	put_text(at(place, "boot/config-6.12.0-mine"));
	assert_string_equal(config_of(place, "6.12.0-mine"), at(place, "boot/config-6.12.0-mine"));
	snprintf(link, sizeof(link), "%s", at(place, "vmlinuz"));
	assert_int_equal(symlink("boot/vmlinuz-6.12.0-mine", link), 0);
	assert_string_equal(config_of(place, link), at(place, "boot/config-6.12.0-mine"));

	put_image(at(place, "modules/6.12.0-mine/vmlinuz"));
	assert_string_equal(config_of(place, at(place, "modules/6.12.0-mine/vmlinuz")),
			    at(place, "boot/config-6.12.0-mine"));
	put_text(at(place, "modules/6.12.0-mine/config"));
	assert_string_equal(config_of(place, at(place, "modules/6.12.0-mine")),
			    at(place, "modules/6.12.0-mine/config"));

	put_image(at(place, "cache/bzImage"));
	put_text(at(place, "cache/config"));
	assert_string_equal(config_of(place, at(place, "cache/bzImage")), at(place, "cache/config"));
}

static void a_tree_configured_since_says_nothing_of_its_image(void **state)
{
	const struct place *place = *state;
	char image[256], conf[256], edited[256];

	snprintf(image, sizeof(image), "%s", at(place, "tree/arch/x86/boot/bzImage"));
	snprintf(conf, sizeof(conf), "%s", at(place, "tree/include/config/auto.conf"));
	snprintf(edited, sizeof(edited), "%s", at(place, "tree/.config"));
	put_image(image);
	put_text(edited);
	set_age(image, 500);
	set_age(edited, 501);
	assert_string_equal(config_of(place, image), "");
	set_age(edited, 500);
	assert_string_equal(config_of(place, image), edited);
	/* what the image was built with, whatever was edited since */
	put_text(conf);
	set_age(conf, 499);
	set_age(edited, 501);
	assert_string_equal(config_of(place, place->tree), conf);
	set_age(conf, 501);
	assert_string_equal(config_of(place, place->tree), "");
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(the_places_are_tried_in_turn, setup, teardown),
	cmocka_unit_test_setup_teardown(what_only_looks_like_a_tree_is_passed_over, setup, teardown),
	cmocka_unit_test_setup_teardown(a_directory_or_a_release_will_do, setup, teardown),
	cmocka_unit_test_setup_teardown(a_wrong_name_is_not_passed_over, setup, teardown),
	cmocka_unit_test_setup_teardown(the_configuration_is_the_images_own, setup, teardown),
	cmocka_unit_test_setup_teardown(a_tree_configured_since_says_nothing_of_its_image, setup, teardown),
};
FL_TEST_MAIN(10, tests)
