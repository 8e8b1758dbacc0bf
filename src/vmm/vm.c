/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/vm.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#include "vcpu/host_probe.h"

const char *fl_version(void)
{
	return FL_VERSION;
}

int fl_host_probe(struct fl_host_report *report)
{
	return fl_kvm_probe_host(report, true);
}

int fl_host_probe_use(struct fl_host_report *report)
{
	return fl_kvm_probe_host(report, false);
}

static int init_sync(struct fl_vm *vm, struct fl_diag *diag)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&vm->lock, NULL);
	pthread_mutex_init(&vm->pause_lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&vm->done_cond, &attr);
	pthread_condattr_destroy(&attr);
	vm->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (vm->wake_fd < 0)
		return fl_diag(diag, -errno, "cannot make an eventfd: %m");
	if (pipe2(vm->control_fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return fl_diag(diag, -errno, "cannot make a pipe: %m");
	return 0;
}

int fl_vm_new(const struct fl_vm_opts *opts, struct fl_vm **out, struct fl_diag *diag)
{
	struct fl_vm *vm = calloc(1, sizeof(*vm));
	int ret;

	if (!vm)
		return fl_diag(diag, -ENOMEM, "out of memory");
	vm->wake_fd = vm->kvm.kvm_fd = vm->kvm.vm_fd = vm->ram.fd = -1;
	vm->control_fds[0] = vm->control_fds[1] = vm->console_fd = -1;
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
		ret = fl_vm_mode_init(vm, diag);
	if (!ret) {
		fl_place_ram(&vm->place, vm->config.opts.ram_len, vm->kvm.phys_bits);
		ret = fl_check_ram(&vm->place, diag);
	}
	fl_serial_init(&vm->serial, vm->kvm.vm_fd, vm->config.opts.console, vm->config.opts.arg);
	if (ret) {
		fl_vm_free(vm);
		return ret;
	}
	*out = vm;
	return 0;
}

bool fl_vm_has_region(const struct fl_vm *vm, const char *name)
{
	for (unsigned int i = 0; i < vm->share_count; i++)
		if (strcmp(vm->shares[i].config.tag, name) == 0)
			return true;
	for (unsigned int i = 0; i < vm->window_count; i++)
		if (strcmp(vm->windows[i].config.name, name) == 0)
			return true;
	return false;
}

static int check_unique(const struct fl_vm *vm, const struct fl_share_config *config, struct fl_diag *diag)
{
	if (fl_vm_has_region(vm, config->tag))
		return fl_diag(diag, -EINVAL, "two shares or windows have the tag %s", config->tag);
	for (unsigned int i = 0; i < vm->share_count; i++) {
		const char *mount = vm->shares[i].config.mount;

		if (mount && config->mount && strcmp(mount, config->mount) == 0)
			return fl_diag(diag, -EINVAL, "two shares are to be mounted at %s", config->mount);
	}
	return 0;
}

/* Takes *config over if it succeeds. */
static int add_share(struct fl_vm *vm, const struct fl_share_config *config, struct fl_diag *diag)
{
	struct fl_vm_share *share = &vm->shares[vm->share_count];
	int ret;

	if (vm->share_count == FL_SHARES_MAX)
		return fl_diag(diag, -ENOSPC, "a VM has at most %u shares", FL_SHARES_MAX);
	ret = check_unique(vm, config, diag);
	if (ret)
		return ret;
	share->root_fd = open(config->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (share->root_fd < 0)
		return fl_diag(diag, -errno, "cannot share %s: %m", config->dir);
	share->config = *config;
	share->vm = vm;
	vm->share_count++;
	return 0;
}

static void remove_last_share(struct fl_vm *vm)
{
	struct fl_vm_share *share = &vm->shares[--vm->share_count];

	fl_close(&share->root_fd);
	fl_share_config_fini(&share->config);
}

static int add_changes(struct fl_vm *vm, const struct fl_share_config *lower, struct fl_diag *diag)
{
	struct fl_share_config config;
	int ret = fl_share_config_init_changes(&config, lower, diag);

	if (!ret)
		ret = add_share(vm, &config, diag);
	if (ret)
		fl_share_config_fini(&config);
	return ret;
}

int fl_vm_add_share(struct fl_vm *vm, const struct fl_share_opts *opts, struct fl_diag *diag)
{
	struct fl_share_config config;
	int ret;

	if (vm->started)
		return fl_diag(diag, -EBUSY, "shares can only be added before the VM starts");
	ret = fl_share_config_init(&config, opts, diag);
	if (ret)
		return ret;
	ret = add_share(vm, &config, diag);
	if (ret) {
		fl_share_config_fini(&config);
		return ret;
	}
	if (config.overlay_dir) {
		ret = add_changes(vm, &config, diag);
		if (ret)
			remove_last_share(vm);
	}
	return ret;
}

int fl_vm_set_command(struct fl_vm *vm, const struct fl_command *command, struct fl_diag *diag)
{
	if (vm->started)
		return fl_diag(diag, -EBUSY, "the command can only be set before the VM starts");
	fl_command_config_fini(&vm->command);
	return fl_command_config_init(&vm->command, command, diag);
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
	vm->env.ram = &vm->ram;
	vm->env.ops = (struct fl_vcpu_ops){
		.pio = fl_vm_pio,
		.mmio = fl_vm_mmio,
		.ask = vm->config.opts.decide ? fl_vm_ask : NULL,
		.fault = fl_vm_fault,
		.ended = fl_vm_vcpu_ended,
		.arg = vm,
	};
	for (unsigned int i = 0; !ret && i < vm->config.opts.vcpus; i++)
		ret = fl_vcpu_new(&vm->env, i, &vm->vcpus[i], diag);
	return ret ? ret : fl_vcpu_set_entry(vm->vcpus[0], entry, diag);
}

/* Undoes what fl_vm_start() made; also the end of a VM's life. No thread of the VM runs any more but loops. */
static void tear_down(struct fl_vm *vm)
{
	fl_vm_watchdog_stop(vm);
	fl_watchdog_free(vm->watchdog);
	vm->watchdog = NULL;
	for (unsigned int i = 0; i < vm->config.opts.vcpus && i < FL_VCPUS_MAX; i++) {
		fl_vcpu_free(vm->vcpus[i]);
		vm->vcpus[i] = NULL;
	}
	fl_vm_devices_fini(vm);
	fl_vm_watch_stop(vm);
	fl_vm_memory_fini(vm);
	fl_vm_watch_fini(vm);
}

int fl_vm_start(struct fl_vm *vm, struct fl_diag *diag)
{
	struct fl_vcpu_entry entry;
	int ret;

	if (vm->started)
		return fl_diag(diag, -EBUSY, "the VM has been started already");
	ret = fl_vm_watch_init(vm, diag);
	if (!ret)
		ret = fl_vm_memory_init(vm, diag);
	if (!ret)
		ret = fl_kvm_vm_add_irqchip(&vm->kvm, diag);
	if (!ret)
		ret = fl_vm_devices_init(vm, diag);
	if (!ret)
		ret = fl_vm_load(vm, &entry, diag);
	if (!ret)
		ret = make_vcpus(vm, &entry, diag);
	if (!ret)
		ret = fl_vm_watchdog_init(vm, diag);
	if (!ret)
		ret = fl_vm_devices_start(vm, diag);
	for (unsigned int i = 0; !ret && i < vm->config.opts.vcpus; i++)
		ret = fl_vcpu_start(vm->vcpus[i], diag);
	if (!ret)
		ret = fl_vm_watchdog_start(vm, diag);
	vm->start_ns = fl_now_ns(CLOCK_MONOTONIC);
	vm->start_time_ns = fl_now_ns(CLOCK_REALTIME);
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
	fl_vm_windows_forget(vm);
	fl_vm_net_forget(vm);
	fl_vm_ports_forget(vm);
	fl_command_config_fini(&vm->command);
	fl_vm_config_fini(&vm->config);
	fl_close(&vm->wake_fd);
	fl_close(&vm->control_fds[0]);
	fl_close(&vm->control_fds[1]);
	pthread_cond_destroy(&vm->done_cond);
	pthread_mutex_destroy(&vm->pause_lock);
	pthread_mutex_destroy(&vm->lock);
	free(vm);
}
