/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/vm.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>

#include "vcpu/host_probe.h"
#include "vmm/boot.h"
#include "vmm/cmdline.h"
#include "vmm/initramfs.h"

#define INITRD_MAX (UINT64_C(1) << 30)

const char *fl_version(void)
{
	return FL_VERSION;
}

int fl_host_probe(struct fl_host_report *report)
{
	return fl_kvm_probe_host(report);
}

static int init_sync(struct fl_vm *vm, struct fl_diag *diag)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&vm->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&vm->done_cond, &attr);
	pthread_condattr_destroy(&attr);
	vm->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (vm->wake_fd < 0)
		return fl_diag(diag, -errno, "cannot make an eventfd: %m");
	return 0;
}

int fl_vm_new(const struct fl_vm_opts *opts, struct fl_vm **out, struct fl_diag *diag)
{
	struct fl_vm *vm = calloc(1, sizeof(*vm));
	int ret;

	if (!vm)
		return fl_diag(diag, -ENOMEM, "out of memory");
	vm->wake_fd = vm->kvm.kvm_fd = vm->kvm.vm_fd = vm->ram.fd = -1;
	ret = fl_vm_config_init(&vm->config, opts, diag);
	if (ret) {
		free(vm);
		return ret;
	}
	vm->log = (struct fl_log){
		.sink = vm->config.opts.log, .arg = vm->config.opts.arg, .level = vm->config.opts.log_level};
	snprintf(vm->log.prefix, sizeof(vm->log.prefix), "vm=%.24s ", vm->config.name);
	ret = init_sync(vm, diag);
	if (!ret)
		ret = fl_kvm_vm_init(&vm->kvm, true, diag);
	fl_serial_init(&vm->serial, vm->kvm.vm_fd, vm->config.opts.console, vm->config.opts.arg);
	if (ret) {
		fl_vm_free(vm);
		return ret;
	}
	*out = vm;
	return 0;
}

/* Two shares must not have the same tag or the same place. */
static int check_unique(const struct fl_vm *vm, const struct fl_share_config *config, struct fl_diag *diag)
{
	for (unsigned int i = 0; i < vm->share_count; i++) {
		const struct fl_share_config *other = &vm->shares[i].config;

		if (strcmp(other->tag, config->tag) == 0)
			return fl_diag(diag, -EINVAL, "two shares have the tag %s", config->tag);
		if (strcmp(other->mount, config->mount) == 0)
			return fl_diag(diag, -EINVAL, "two shares are to be mounted at %s", config->mount);
	}
	return 0;
}

int fl_vm_add_share(struct fl_vm *vm, const struct fl_share_opts *opts, struct fl_diag *diag)
{
	struct fl_vm_share *share = &vm->shares[vm->share_count];
	int ret;

	if (vm->started)
		return fl_diag(diag, -EBUSY, "shares can only be added before the VM starts");
	if (vm->share_count == FL_SHARES_MAX)
		return fl_diag(diag, -ENOSPC, "a VM has at most %u shares", FL_SHARES_MAX);
	ret = fl_share_config_init(&share->config, opts, diag);
	if (!ret)
		ret = check_unique(vm, &share->config, diag);
	if (!ret) {
		share->root_fd = open(share->config.dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (share->root_fd < 0)
			ret = fl_diag(diag, -errno, "cannot share %s: %m", share->config.dir);
	}
	if (ret) {
		fl_share_config_fini(&share->config);
		return ret;
	}
	vm->share_count++;
	return 0;
}

int fl_vm_set_command(struct fl_vm *vm, const struct fl_command *command, struct fl_diag *diag)
{
	if (vm->started)
		return fl_diag(diag, -EBUSY, "the command can only be set before the VM starts");
	fl_command_config_fini(&vm->command);
	return fl_command_config_init(&vm->command, command, diag);
}

static void build_conf(const struct fl_vm *vm, struct fl_blob *conf)
{
	struct fl_mount mounts[FL_SHARES_MAX];
	struct timespec now;

	for (unsigned int i = 0; i < vm->share_count; i++)
		mounts[i] = (struct fl_mount){.tag = vm->shares[i].config.tag,
					      .path = vm->shares[i].config.mount,
					      .writable = vm->shares[i].config.opts.flags & FL_SHARE_WRITABLE,
					      .dax = vm->shares[i].config.opts.window_len > 0};
	clock_gettime(CLOCK_REALTIME, &now);
	fl_agent_conf_build(conf, mounts, vm->share_count, &vm->command.opts, vm->config.name,
			    (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec);
}

static int check_agent_needs(const struct fl_vm *vm, struct fl_diag *diag)
{
	if (!vm->command.argv)
		return fl_diag(diag, -EINVAL, "no command was set, and no initramfs of your own was given");
	for (unsigned int i = 0; i < vm->share_count; i++)
		if (strcmp(vm->shares[i].config.mount, "/") == 0)
			return 0;
	return fl_diag(diag, -EINVAL, "no share is mounted at /, so there is nothing to run the command from");
}

static int builtin_initrd(const struct fl_vm *vm, struct fl_blob *initrd, struct fl_diag *diag)
{
	struct fl_blob conf = {0};
	size_t agent_len;
	const void *agent = fl_agent_program(&agent_len);
	int ret = check_agent_needs(vm, diag);

	if (ret)
		return ret;
	build_conf(vm, &conf);
	ret = fl_initramfs_build(agent, agent_len, &conf, initrd);
	fl_blob_fini(&conf);
	return ret ? fl_diag(diag, ret, "cannot make the initramfs: %s", strerror(-ret)) : 0;
}

static int read_initrd(const char *path, struct fl_blob *initrd, struct fl_diag *diag)
{
	FL_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t chunk[65536];

	if (fd < 0)
		return fl_diag(diag, -errno, "cannot open the initramfs %s: %m", path);
	for (;;) {
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fl_diag(diag, -errno, "cannot read the initramfs %s: %m", path);
		if (n == 0)
			return 0;
		fl_blob_put(initrd, chunk, (size_t)n);
		if (initrd->error || initrd->len > INITRD_MAX)
			return fl_diag(diag, -EFBIG, "the initramfs %s is too large (at most 1 GiB)", path);
	}
}

static int load(struct fl_vm *vm, struct fl_vcpu_entry *entry, struct fl_diag *diag)
{
	struct fl_blob cmdline = {0}, initrd = {0};
	int ret = vm->config.initrd ? read_initrd(vm->config.initrd, &initrd, diag) : builtin_initrd(vm, &initrd, diag);

	fl_cmdline_build(&cmdline, vm->config.opts.flags, vm->config.params);
	if (!ret && cmdline.error)
		ret = fl_diag(diag, -ENOMEM, "out of memory");
	if (!ret) {
		struct fl_boot_opts boot = {
			.kernel = vm->config.kernel,
			.cmdline = (const char *)cmdline.bytes,
			.initrd = initrd.bytes,
			.initrd_len = initrd.len,
			.dtb = {.cpu_count = vm->config.opts.vcpus,
				.virtio = vm->device_nodes,
				.virtio_count = vm->device_count},
			.ram_low_len = vm->ram_low_len,
			.ram_high_len = vm->ram_high_len,
		};

		ret = fl_boot_load(&boot, &vm->map, entry, diag);
	}
	fl_blob_fini(&cmdline);
	fl_blob_fini(&initrd);
	return ret;
}

static void report_fault(void *arg, const struct fl_fault *fault)
{
	struct fl_vm *vm = arg;

	char line[1024];

	if (vm->config.opts.fault) {
		vm->config.opts.fault(vm->config.opts.arg, fault);
		return;
	}
	/* nobody listens: then it is at least in the log */
	fl_fault_format(fault, line, sizeof(line));
	fl_log_limited(&vm->log, &vm->guest_limit, FL_LOG_WARN, "%s", line);
}

static int make_vcpus(struct fl_vm *vm, const struct fl_vcpu_entry *entry, struct fl_diag *diag)
{
	int ret = 0;

	vm->env.kvm = &vm->kvm;
	vm->env.map = &vm->map;
	vm->env.log = &vm->log;
	vm->env.kick_signal = vm->config.opts.kick_signal;
	vm->env.offer_pvpf = !(vm->config.opts.flags & FL_VM_NO_PVPF);
	vm->env.vcpu_count = vm->config.opts.vcpus;
	vm->env.ops = (struct fl_vcpu_ops){
		.pio = fl_vm_pio, .mmio = fl_vm_mmio, .fault = report_fault, .ended = fl_vm_vcpu_ended, .arg = vm};
	for (unsigned int i = 0; !ret && i < vm->config.opts.vcpus; i++)
		ret = fl_vcpu_new(&vm->env, i, &vm->vcpus[i], diag);
	return ret ? ret : fl_vcpu_set_entry(vm->vcpus[0], entry, diag);
}

/* Undoes what fl_vm_start() made; also the end of a VM's life. No thread of the VM runs any more but loops. */
static void tear_down(struct fl_vm *vm)
{
	for (unsigned int i = 0; i < vm->config.opts.vcpus && i < FL_VCPUS_MAX; i++) {
		fl_vcpu_free(vm->vcpus[i]);
		vm->vcpus[i] = NULL;
	}
	fl_vm_devices_fini(vm);
	fl_vm_memory_fini(vm);
}

int fl_vm_start(struct fl_vm *vm, struct fl_diag *diag)
{
	struct fl_vcpu_entry entry;
	int ret;

	if (vm->started)
		return fl_diag(diag, -EBUSY, "the VM has been started already");
	ret = fl_vm_memory_init(vm, diag);
	if (!ret)
		ret = fl_vm_devices_init(vm, diag);
	if (!ret)
		ret = load(vm, &entry, diag);
	if (!ret)
		ret = make_vcpus(vm, &entry, diag);
	if (!ret)
		ret = fl_vm_devices_start(vm, diag);
	for (unsigned int i = 0; !ret && i < vm->config.opts.vcpus; i++)
		ret = fl_vcpu_start(vm->vcpus[i], diag);
	if (!ret)
		ret = fl_vm_supervisor_start(vm, diag);
	if (ret)
		tear_down(vm);
	return ret;
}

static bool deadline_after(int timeout_ms, struct timespec *deadline)
{
	if (timeout_ms < 0)
		return false;
	clock_gettime(CLOCK_MONOTONIC, deadline);
	deadline->tv_sec += timeout_ms / 1000;
	deadline->tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	if (deadline->tv_nsec >= 1000000000) {
		deadline->tv_sec++;
		deadline->tv_nsec -= 1000000000;
	}
	return true;
}

int fl_vm_wait(struct fl_vm *vm, int timeout_ms, struct fl_result *result)
{
	struct timespec deadline;
	bool has_deadline = deadline_after(timeout_ms, &deadline);
	int ret = 0;
	FL_LOCKED(&vm->lock);

	if (!vm->started)
		return -EINVAL;
	while (!vm->done && !ret)
		ret = has_deadline ? pthread_cond_timedwait(&vm->done_cond, &vm->lock, &deadline)
				   : pthread_cond_wait(&vm->done_cond, &vm->lock);
	if (!vm->done)
		return -ETIMEDOUT;
	if (result)
		memcpy(result, &vm->result, FL_MIN((size_t)result->size, sizeof(vm->result)));
	return 0;
}

void fl_vm_stop(struct fl_vm *vm)
{
	uint64_t one = 1;
	int saved = errno;

	atomic_store(&vm->stop_asked, true);
	if (write(vm->wake_fd, &one, sizeof(one)) < 0) /* only when it is awake already */
		errno = saved;
	errno = saved;
}

void fl_vm_free(struct fl_vm *vm)
{
	if (!vm)
		return;
	if (vm->started) {
		fl_vm_stop(vm);
		pthread_join(vm->supervisor, NULL);
	}
	tear_down(vm);
	fl_serial_fini(&vm->serial);
	fl_kvm_vm_fini(&vm->kvm);
	for (unsigned int i = 0; i < vm->share_count; i++) {
		fl_close(&vm->shares[i].root_fd);
		fl_share_config_fini(&vm->shares[i].config);
	}
	fl_command_config_fini(&vm->command);
	fl_vm_config_fini(&vm->config);
	fl_close(&vm->wake_fd);
	pthread_cond_destroy(&vm->done_cond);
	pthread_mutex_destroy(&vm->lock);
	free(vm);
}
