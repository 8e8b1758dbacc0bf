/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "vmm/vm.h"

/* A descriptor of our own of the caller's file, and whether a mapping of it can be written. */
static int open_backing(const struct fl_window_config *config, struct fl_backing **backing, struct fl_diag *diag)
{
	int mode = fcntl(config->opts.fd, F_GETFL);
	FL_CLOSE int fd = fcntl(config->opts.fd, F_DUPFD_CLOEXEC, 0);
	bool writable = (mode & O_ACCMODE) == O_RDWR && !(config->opts.flags & FL_WINDOW_READ_ONLY);
	int ret;

	if (mode < 0 || fd < 0)
		return fl_diag(diag, -errno, "window %s: descriptor %d cannot be used: %m", config->name,
			       config->opts.fd);
	if ((mode & O_PATH) || (mode & O_ACCMODE) == O_WRONLY)
		return fl_diag(diag, -EINVAL, "window %s: its file is not open for reading", config->name);
	ret = fl_backing_new(fd, writable, backing);
	if (ret)
		return fl_diag(diag, ret, "window %s: its file cannot be mapped (%s); give a regular file or a memfd",
			       config->name, strerror(-ret));
	(void)fl_steal_fd(&fd);
	return 0;
}

static int check_place(const struct fl_vm *vm, const struct fl_window_config *config, struct fl_diag *diag)
{
	struct fl_extent window = {config->opts.gpa, config->opts.len}, taken[FL_WINDOWS_MAX];

	for (unsigned int i = 0; i < vm->window_count; i++)
		taken[i] = (struct fl_extent){vm->windows[i].config.opts.gpa, vm->windows[i].config.opts.len};
	return fl_check_place(&vm->place, &window, config->name, taken, vm->window_count, diag);
}

int fl_vm_add_window(struct fl_vm *vm, const struct fl_window_opts *opts, struct fl_diag *diag)
{
	struct fl_vm_window *window = &vm->windows[vm->window_count];
	int ret;

	if (vm->started)
		return fl_diag(diag, -EBUSY, "windows can only be added before the VM starts");
	if (vm->window_count == FL_WINDOWS_MAX)
		return fl_diag(diag, -ENOSPC, "a VM has at most %u windows", FL_WINDOWS_MAX);
	ret = fl_window_config_init(&window->config, opts, diag);
	if (!ret && fl_vm_has_region(vm, window->config.name))
		ret = fl_diag(diag, -EINVAL, "two shares or windows have the name %s", window->config.name);
	if (!ret)
		ret = check_place(vm, &window->config, diag);
	if (!ret)
		ret = open_backing(&window->config, &window->backing, diag);
	if (ret) {
		fl_window_config_fini(&window->config);
		return ret;
	}
	vm->window_count++;
	return 0;
}

static int make_window(struct fl_vm *vm, struct fl_vm_window *window, struct fl_diag *diag)
{
	const struct fl_window_opts *opts = &window->config.opts;
	struct fl_window_plan plan = {
		.name = window->config.name, .gpa = opts->gpa, .len = opts->len, .policy = opts->policy};
	int ret = fl_vm_make_window(vm, &plan, &window->window, diag);

	if (ret)
		return ret;
	ret = fl_window_map(window->window, 0, opts->len, window->backing, opts->file_offset,
			    window->backing->writable);
	return ret ? fl_diag(diag, ret,
			     "window %s: its file cannot be mapped (%s); give one of a file system whose files can be, "
			     "or a memfd",
			     window->config.name, strerror(-ret))
		   : 0;
}

int fl_vm_windows_init(struct fl_vm *vm, struct fl_diag *diag)
{
	int ret = 0;

	for (unsigned int i = 0; !ret && i < vm->window_count; i++)
		ret = make_window(vm, &vm->windows[i], diag);
	return ret;
}

void fl_vm_windows_fini(struct fl_vm *vm)
{
	for (unsigned int i = 0; i < vm->window_count; i++) {
		fl_window_free(vm->windows[i].window);
		vm->windows[i].window = NULL;
	}
}

void fl_vm_windows_forget(struct fl_vm *vm)
{
	for (unsigned int i = 0; i < vm->window_count; i++) {
		fl_backing_unref(vm->windows[i].backing);
		fl_window_config_fini(&vm->windows[i].config);
	}
	vm->window_count = 0;
}
