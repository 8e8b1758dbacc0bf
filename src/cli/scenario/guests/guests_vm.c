/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario/guests/guests_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/diag.h"

#define WINDOW_LEN (UINT64_C(64) << 20)
#define TAG_ROOM   36

/* ---- what the library says --------------------------------------------------------------- */

static void on_log(void *arg, enum fl_log_level level, const char *text)
{
	struct fl_scn_guests *guests = arg;

	(void)level;
	fl_cli_ring_put(&guests->console, "faultline: ", 11);
	fl_cli_ring_put(&guests->console, text, strlen(text));
	fl_cli_ring_put(&guests->console, "\n", 1);
}

static void on_console(void *arg, const void *bytes, size_t len)
{
	fl_cli_ring_put(&((struct fl_scn_guests *)arg)->console, bytes, len);
}

static char *copy_of(const char *text)
{
	return text ? strdup(text) : NULL;
}

static void keep_fault(struct fl_scn_guests *guests, const struct fl_fault *fault, uint64_t now_ns)
{
	struct fl_scn_fault *all;

	if (guests->faults_kept >= FL_SCN_FAULTS_MAX)
		return;
	all = realloc(guests->faults, (guests->faults_kept + 1) * sizeof(*all));
	if (!all)
		return;
	guests->faults = all;
	all += guests->faults_kept++;
	*all = (struct fl_scn_fault){.fault = *fault, .machine = guests->current.machine, .at_ns = now_ns};
	all->fault.share = copy_of(fault->share);
	all->fault.path = copy_of(fault->path);
	all->fault.shape = copy_of(fault->shape);
}

static void on_fault(void *arg, const struct fl_fault *fault)
{
	struct fl_scn_guests *guests = arg;
	uint64_t now_ns = fl_scn_now_ns();
	const struct fl_fault_times *times = &fault->times;

	now_ns -= (uint64_t)times->intake_ns + times->locate_ns + times->classify_ns + times->decide_ns +
		  times->deliver_ns;
	pthread_mutex_lock(&guests->lock);
	if (guests->current.scenario_case) {
		guests->faults_count++;
		keep_fault(guests, fault, now_ns);
		guests->current.changed(guests->current.changed_arg);
	}
	pthread_mutex_unlock(&guests->lock);
}

static bool is_small(const struct fl_scn_guests *guests)
{
	return guests->opts.machine->kernel == FL_SCN_KERNEL_SMALL;
}

/* ---- what the guest has ------------------------------------------------------------------ */

static int make_directory(const char *path, struct fl_diag *diag)
{
	if (mkdir(path, 0755) == 0 || errno == EEXIST)
		return 0;
	return fl_cli_diag(diag, -errno, "%s cannot be made: %s.", path, strerror(errno));
}

/* path is below top_len characters that are there. */
static int make_directories(char *path, size_t top_len, struct fl_diag *diag)
{
	int ret = 0;

	for (char *slash = strchr(path + top_len, '/'); ret == 0 && slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		ret = make_directory(path, diag);
		*slash = '/';
	}
	return ret == 0 ? make_directory(path, diag) : ret;
}

static int make_below(const char *top, const char *name, struct fl_diag *diag)
{
	char path[PATH_MAX];
	int len = snprintf(path, sizeof(path), "%s%s", top, name);

	if (len < 0 || (size_t)len >= sizeof(path))
		return fl_cli_diag(diag, -ENAMETOOLONG, "%s: choose a shorter path.", name);
	return make_directories(path, strlen(top) + 1, diag);
}

static int make_link(const char *top, const char *name, const char *target, struct fl_diag *diag)
{
	char path[PATH_MAX];
	int len = snprintf(path, sizeof(path), "%s%s", top, name);

	if (len > 0 && (size_t)len < sizeof(path) && (symlink(target, path) == 0 || errno == EEXIST))
		return 0;
	return fl_cli_diag(diag, -errno, "%s%s cannot be made: %s.", top, name, strerror(errno));
}

/*
 * The guest's root: places to mount on, and the host's programs, to be run, by way of /usr. Made anew for each machine,
 * since their mounts differ.
 */
static int make_root(const struct fl_scn_guests *guests, char root[PATH_MAX], struct fl_diag *diag)
{
	static const char *const places[] = {"/proc", "/sys", "/dev", "/run",
					     "/tmp",  "/usr", "/etc", FL_SCN_PAGE_MOUNT};
	static const char *const links[] = {"bin", "sbin", "lib", "lib64"};
	const struct fl_scn_machine *machine = guests->opts.machine;
	int len = snprintf(root, PATH_MAX, "%s/root.XXXXXX", fl_scn_workdir_path(guests->opts.workdir));
	int ret = 0;

	if (len < 0 || len >= PATH_MAX || !mkdtemp(root))
		return fl_cli_diag(diag, -errno, "The guest's root cannot be made in %s: %s.",
				   fl_scn_workdir_path(guests->opts.workdir), strerror(errno));
	for (size_t i = 0; ret == 0 && i < sizeof(places) / sizeof(places[0]); i++)
		ret = make_below(root, places[i], diag);
	for (size_t i = 0; ret == 0 && i < sizeof(links) / sizeof(links[0]); i++) {
		char name[16], target[16];

		snprintf(name, sizeof(name), "/%s", links[i]);
		snprintf(target, sizeof(target), "usr/%s", links[i]);
		ret = make_link(root, name, target, diag);
	}
	for (uint32_t i = 0; ret == 0 && i < machine->shares_count; i++)
		ret = make_below(root, machine->shares[i].mount, diag);
	return ret;
}

static int add_share(struct fl_scn_guests *guests, const char *tag, const char *dir, const char *mount,
		     struct fl_diag *diag)
{
	struct fl_share_opts opts = FL_SHARE_OPTS_INIT;

	opts.tag = tag;
	opts.dir = dir;
	opts.mount = mount;
	opts.window_len = WINDOW_LEN;
	return fl_vm_add_share(guests->vm, &opts, diag);
}

/* The marks must be the host's own pages, so no silent fall-back. */
static int add_page_share(struct fl_scn_guests *guests, const char *dir, struct fl_diag *diag)
{
	struct fl_share_opts opts = FL_SHARE_OPTS_INIT;

	opts.flags = FL_SHARE_WRITABLE;
	opts.tag = FL_SCN_PAGE_TAG;
	opts.dir = dir;
	opts.mount = FL_SCN_PAGE_MOUNT;
	opts.window_len = WINDOW_LEN;
	opts.dax = FL_DAX_ALWAYS;
	return fl_vm_add_share(guests->vm, &opts, diag);
}

static int add_case_share(struct fl_scn_guests *guests, uint32_t index, struct fl_diag *diag)
{
	const struct fl_scn_share *share = &guests->opts.machine->shares[index];
	struct fl_share_opts opts = FL_SHARE_OPTS_INIT;
	char tag[TAG_ROOM], dir[PATH_MAX];
	int ret = fl_scn_workdir_dir(guests->opts.workdir, &guests->opts.dirs[share->dir], dir, diag);

	if (ret < 0)
		return ret;
	snprintf(tag, sizeof(tag), FL_SCN_SHARE_TAG, index);
	opts.flags = (share->writable ? FL_SHARE_WRITABLE : 0) | (share->prefault ? FL_SHARE_PREFAULT : 0);
	opts.tag = tag;
	opts.dir = dir;
	opts.mount = share->mount;
	opts.window_len = share->mapped ? share->window_len : 0;
	opts.dax = share->dax;
	opts.policy = share->policy;
	opts.attr_timeout_ms = share->attr_timeout_ms;
	opts.entry_timeout_ms = share->entry_timeout_ms;
	return fl_vm_add_share(guests->vm, &opts, diag);
}

/* What Linux needs to come up, and to run programs. */
static int add_system(struct fl_scn_guests *guests, struct fl_diag *diag)
{
	char root[PATH_MAX];
	int ret = make_root(guests, root, diag);

	if (ret == 0)
		ret = add_share(guests, "root", root, "/", diag);
	if (ret == 0)
		ret = add_share(guests, "usr", "/usr", "/usr", diag);
	if (ret == 0)
		ret = add_share(guests, "etc", "/etc", "/etc", diag);
	return ret;
}

static int add_shares(struct fl_scn_guests *guests, struct fl_diag *diag)
{
	int ret = is_small(guests) ? 0 : add_system(guests, diag);

	if (ret == 0)
		ret = add_page_share(guests, guests->page_dir, diag);
	for (uint32_t i = 0; ret == 0 && i < guests->opts.machine->shares_count; i++)
		ret = add_case_share(guests, i, diag);
	return ret;
}

static int set_command(struct fl_scn_guests *guests, struct fl_diag *diag)
{
	/* the guest's first process is the program that has the actors in it */
	static const char *const argv[] = {"/proc/1/exe", "scenario", NULL};
	static const char *const env[] = {FL_SCN_PAGE_ENV "=" FL_SCN_PAGE_MOUNT "/" FL_SCN_PAGE_NAME, NULL};
	struct fl_command command = FL_COMMAND_INIT;

	command.argv = argv;
	command.envp = env;
	return fl_vm_set_command(guests->vm, &command, diag);
}

static int add_channel(struct fl_scn_guests *guests, struct fl_diag *diag)
{
	struct fl_port_opts opts = FL_PORT_OPTS_INIT;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return fl_cli_diag(diag, -errno, "socketpair: %s.", strerror(errno));
	guests->channel = pair[0];
	opts.name = FL_SCN_PORT;
	opts.in_fd = pair[1];
	opts.out_fd = pair[1];
	int ret = fl_vm_add_port(guests->vm, &opts, diag);

	close(pair[1]);
	return ret;
}

static int new_vm(struct fl_scn_guests *guests, const char *initrd, const char *params, struct fl_diag *diag)
{
	const struct fl_scn_machine *machine = guests->opts.machine;
	struct fl_vm_opts opts = FL_VM_OPTS_INIT;

	opts.flags = guests->opts.idles_politely ? FL_VM_IDLES_POLITELY : 0;
	opts.name = machine->name;
	opts.ram_len = machine->ram_len;
	opts.vcpus = machine->vcpus;
	opts.kernel = guests->opts.kernel;
	opts.initrd = initrd;
	opts.params = params;
	opts.fault_mode = machine->fault_mode;
	opts.log = on_log;
	opts.fault = on_fault;
	opts.decide = fl_scn_guests_decide;
	opts.console = on_console;
	opts.arg = guests;
	opts.log_level = FL_LOG_WARN;
	return fl_vm_new(&opts, &guests->vm, diag);
}

/* The small kernel has neither an agent nor an initramfs. */
static int new_small_vm(struct fl_scn_guests *guests, struct fl_diag *diag)
{
	char *params = NULL;
	int ret = fl_scn_small_params(guests, &params, diag);

	if (ret == 0)
		ret = new_vm(guests, "/dev/null", params, diag);
	free(params);
	return ret;
}

int fl_scn_guests_start_vm(struct fl_scn_guests *guests, struct fl_diag *diag)
{
	int ret = is_small(guests) ? new_small_vm(guests, diag)
				   : new_vm(guests, NULL, guests->opts.machine->params, diag);

	if (ret == 0)
		ret = add_shares(guests, diag);
	if (ret == 0)
		ret = add_channel(guests, diag);
	if (ret == 0 && !is_small(guests))
		ret = set_command(guests, diag);
	return ret == 0 ? fl_vm_start(guests->vm, diag) : ret;
}
