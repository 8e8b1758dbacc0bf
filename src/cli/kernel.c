/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/kernel.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/diag.h"

#define TREE_IMAGE "arch/x86/boot/bzImage"

/* False where it does not fit: there is no such file then. */
static bool __attribute__((format(printf, 2, 3))) put(char path[PATH_MAX], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	int len = vsnprintf(path, PATH_MAX, format, args);
	va_end(args);
	return len >= 0 && len < PATH_MAX;
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

static bool is_directory(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* In a directory that somebody named: a kernel tree, what scripts/guest-kernel leaves, /lib/modules/RELEASE. */
static int find_in_directory(const char *dir, const char *named_by, char path[PATH_MAX], struct fl_diag *diag)
{
	static const char *const names[] = {TREE_IMAGE, "bzImage", "vmlinuz"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (put(path, "%s/%s", dir, names[i]) && exists(path))
			return 0;
	return fl_cli_diag(diag, -ENOENT,
			   "There is no kernel in the directory %.200s (%s): neither " TREE_IMAGE
			   " nor bzImage nor vmlinuz; build one there with \"make bzImage\".",
			   dir, named_by);
}

static int find_named(const struct fl_cli_kernel_places *places, const char *name, const char *named_by,
		      char path[PATH_MAX], struct fl_diag *diag)
{
	if (is_directory(name))
		return find_in_directory(name, named_by, path, diag);
	if (strchr(name, '/') || exists(name))
		return put(path, "%s", name)
			       ? 0
			       : fl_cli_diag(diag, -ENAMETOOLONG, "The path of %s is too long.", named_by);
	if (put(path, "%s/vmlinuz-%s", places->boot_dir, name) && exists(path))
		return 0;
	if (put(path, "%s/%s/vmlinuz", places->modules_dir, name) && exists(path))
		return 0;
	return fl_cli_diag(diag, -ENOENT,
			   "There is no kernel \"%.200s\" (%s): no such file or directory, and no %s/vmlinuz-%.200s.",
			   name, named_by, places->boot_dir, name);
}

/* What a build leaves at its top, in the source tree or in the directory of O=. */
static bool is_built_tree(const char *dir, char image[PATH_MAX])
{
	char path[PATH_MAX];

	return put(path, "%s/Makefile", dir) && exists(path) && put(path, "%s/.config", dir) && exists(path) &&
	       put(image, "%s/" TREE_IMAGE, dir) && exists(image);
}

static int find_unnamed(const struct fl_cli_kernel_places *places, struct fl_cli_kernel *kernel, struct fl_diag *diag)
{
	const char *slash = places->program ? strrchr(places->program, '/') : NULL;

	if (is_built_tree(places->working_dir, kernel->path)) {
		kernel->why = "of the kernel tree that is the working directory";
		return 0;
	}
	kernel->ours = true;
	kernel->why = "beside this program";
	if (slash && put(kernel->path, "%.*s/guest-kernel/bzImage", (int)(slash - places->program), places->program) &&
	    exists(kernel->path))
		return 0;
	kernel->why = "installed with Faultline";
	if (put(kernel->path, "%s/bzImage", places->system_dir) && exists(kernel->path))
		return 0;
	return fl_cli_diag(
		diag, -ENOENT,
		"No guest kernel was found, neither beside this program nor in %s: build one with "
		"scripts/guest-kernel in Faultline's sources, or name one with --kernel or FAULTLINE_KERNEL.",
		places->system_dir);
}

/* Is the configuration there, and has it not changed since the image was built? */
static bool is_config_of_tree(const char *config, const struct stat *image)
{
	struct stat st;

	if (stat(config, &st) < 0)
		return false;
	return st.st_mtim.tv_sec < image->st_mtim.tv_sec ||
	       (st.st_mtim.tv_sec == image->st_mtim.tv_sec && st.st_mtim.tv_nsec <= image->st_mtim.tv_nsec);
}

/* auto.conf is what the last build was made with; .config may have been edited since. */
static bool find_config_in_tree(const char *tree, int tree_len, const char *image_path, char config[PATH_MAX])
{
	struct stat image;

	if (stat(image_path, &image) < 0)
		return false;
	if (put(config, "%.*s/include/config/auto.conf", tree_len, tree) && exists(config))
		return is_config_of_tree(config, &image);
	return put(config, "%.*s/.config", tree_len, tree) && is_config_of_tree(config, &image);
}

/* The configuration that lies where an image's maker puts it; one from elsewhere could be of another kernel. */
static bool find_config(const struct fl_cli_kernel_places *places, const char *image, char config[PATH_MAX])
{
	static const char tree_image[] = "/" TREE_IMAGE;
	char real[PATH_MAX];

	/* a name such as /vmlinuz says less than what it is a link to */
	if (!realpath(image, real))
		return false;
	size_t len = strlen(real), tree_len = sizeof(tree_image) - 1;
	char *base = strrchr(real, '/') + 1;
	int dir_len = (int)(base - 1 - real);

	if (len > tree_len && strcmp(real + len - tree_len, tree_image) == 0)
		return find_config_in_tree(real, (int)(len - tree_len), real, config);
	if (strncmp(base, "vmlinuz-", 8) == 0)
		return put(config, "%.*s/config-%s", dir_len, real, base + 8) && exists(config);
	if (put(config, "%.*s/config", dir_len, real) && exists(config))
		return true;
	real[dir_len] = '\0';
	return strcmp(base, "vmlinuz") == 0 && dir_len > 0 &&
	       put(config, "%s/config-%s", places->boot_dir, strrchr(real, '/') + 1) && exists(config);
}

int fl_cli_find_kernel(const struct fl_cli_kernel_places *places, struct fl_cli_kernel *kernel, struct fl_diag *diag)
{
	struct fl_kernel_info info = {.size = sizeof(info)};
	int ret;

	memset(kernel, 0, sizeof(*kernel));
	if (places->asked) {
		kernel->why = "as --kernel says";
		ret = find_named(places, places->asked, "--kernel", kernel->path, diag);
	} else if (places->from_env && places->from_env[0]) {
		kernel->why = "as FAULTLINE_KERNEL says";
		ret = find_named(places, places->from_env, "FAULTLINE_KERNEL", kernel->path, diag);
	} else {
		ret = find_unnamed(places, kernel, diag);
	}
	if (ret == 0)
		ret = fl_kernel_probe(kernel->path, &info, diag);
	if (ret < 0)
		return ret;
	memcpy(kernel->release, info.release, sizeof(kernel->release));
	if (!find_config(places, kernel->path, kernel->config))
		kernel->config[0] = '\0';
	return 0;
}

int fl_cli_default_kernel(const char *asked, struct fl_cli_kernel *kernel, struct fl_diag *diag)
{
	char program[PATH_MAX], working_dir[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);
	struct fl_cli_kernel_places places = {
		.asked = asked,
		.from_env = getenv("FAULTLINE_KERNEL"),
		/* whole, since the path may be kept for another day (--dry-run) */
		.working_dir = getcwd(working_dir, sizeof(working_dir)) ? working_dir : ".",
		.program = len > 0 ? program : NULL,
		.system_dir = FL_GUEST_KERNEL_DIR,
		.boot_dir = "/boot",
		.modules_dir = "/lib/modules",
	};

	if (len > 0)
		program[len] = '\0';
	return fl_cli_find_kernel(&places, kernel, diag);
}
