/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "vmm/vm.h"

static struct fl_fault_mode_facts facts_of(const struct fl_vm *vm)
{
	uint32_t flags = vm->config.opts.flags;

	return (struct fl_fault_mode_facts){
		.asked = vm->config.opts.fault_mode,
		.can_be_strict = true,
		.idles_politely = (flags & FL_VM_IDLES_POLITELY) && !(flags & FL_VM_NO_PVPF),
		.vcpus = vm->config.opts.vcpus,
		.cpus = fl_usable_cpus(),
	};
}

/* What the host can is known once there is a VM, and HLT exits are disabled when it is made. */
int fl_vm_mode_init(struct fl_vm *vm, struct fl_diag *diag)
{
	struct fl_fault_mode_facts facts = facts_of(vm);
	bool want_strict;
	int ret = fl_fault_mode_choose(&facts, &vm->mode, diag);

	if (ret)
		return ret;
	want_strict = vm->mode.mode == FL_FAULT_MODE_STRICT;
	ret = fl_kvm_vm_init(&vm->kvm, want_strict, diag);
	if (ret)
		return ret;
	facts.can_be_strict = want_strict ? vm->kvm.strict : fl_kvm_can_be_strict(vm->kvm.kvm_fd);
	ret = fl_fault_mode_choose(&facts, &vm->mode, diag);
	if (!ret)
		fl_log(&vm->log, FL_LOG_INFO, "fault mode %s: %s", fl_fault_mode_name(vm->mode.mode), vm->mode.why);
	return ret;
}

static bool has_windows(const struct fl_vm *vm)
{
	for (unsigned int i = 0; i < vm->share_count; i++)
		if (vm->shares[i].config.opts.window_len)
			return true;
	return vm->window_count > 0;
}

static int start_watch(struct fl_vm *vm, struct fl_diag *diag)
{
	int ret = fl_watch_new(&vm->log, &vm->watch, diag);

	if (!ret)
		ret = fl_watch_start(vm->watch, diag);
	if (ret) {
		fl_watch_free(vm->watch);
		vm->watch = NULL;
	}
	return ret;
}

int fl_vm_watch_init(struct fl_vm *vm, struct fl_diag *diag)
{
	struct fl_diag why = {0};
	int ret;

	if (!has_windows(vm))
		return 0;
	ret = start_watch(vm, &why);
	if (!ret)
		return 0;
	if (vm->mode.mode == FL_FAULT_MODE_WATCH)
		return fl_diag(diag, ret, "%s", why.text);
	/* strict finds every lost page without it; it is only how a substitute learns that its file has grown back */
	fl_log(&vm->log, FL_LOG_WARN, "%s; substituted pages will stay when their files grow again", why.text);
	return 0;
}

int fl_vm_watchdog_init(struct fl_vm *vm, struct fl_diag *diag)
{
	if (vm->mode.mode != FL_FAULT_MODE_WATCH)
		return 0;
	return fl_watchdog_new(vm->vcpus, vm->config.opts.vcpus, 0, &vm->log, &vm->watchdog, diag);
}

int fl_vm_watchdog_start(struct fl_vm *vm, struct fl_diag *diag)
{
	return vm->watchdog ? fl_watchdog_start(vm->watchdog, diag) : 0;
}

void fl_vm_watchdog_stop(struct fl_vm *vm)
{
	if (vm->watchdog)
		fl_watchdog_stop(vm->watchdog);
}

void fl_vm_watch_stop(struct fl_vm *vm)
{
	if (vm->watch)
		fl_watch_stop(vm->watch);
}

void fl_vm_watch_fini(struct fl_vm *vm)
{
	fl_watch_free(vm->watch);
	vm->watch = NULL;
}
