/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/vm.h"

#define HOLD_MAX_NS UINT64_C(5000000000) /* faultline.h says so */

enum fl_vm_state fl_vm_state(struct fl_vm *vm)
{
	if (!vm->started)
		return FL_VM_NOT_STARTED;
	FL_LOCKED(&vm->lock);
	if (vm->done)
		return FL_VM_ENDED;
	return atomic_load(&vm->paused) ? FL_VM_PAUSED : FL_VM_RUNNING;
}

static bool is_ending(struct fl_vm *vm)
{
	FL_LOCKED(&vm->lock);

	return vm->ending;
}

int fl_vm_hold(struct fl_vm *vm)
{
	uint64_t deadline_ns = fl_now_ns(CLOCK_MONOTONIC) + HOLD_MAX_NS;
	bool all = true;

	/* all are asked before the first is waited for: one that waits for another in the guest would spin for long */
	for (unsigned int i = 0; i < vm->config.opts.vcpus; i++)
		fl_vcpu_request_pause(vm->vcpus[i]);
	for (unsigned int i = 0; all && i < vm->config.opts.vcpus; i++)
		all = fl_vcpu_wait_parked(vm->vcpus[i], deadline_ns);
	if (all)
		return 0;
	fl_vm_let_go(vm);
	return -ETIMEDOUT;
}

void fl_vm_let_go(struct fl_vm *vm)
{
	if (atomic_load(&vm->paused))
		return;
	for (unsigned int i = 0; i < vm->config.opts.vcpus; i++)
		fl_vcpu_resume(vm->vcpus[i]);
}

static void note_pause(struct fl_vm *vm, bool paused)
{
	uint64_t now_ns = fl_now_ns(CLOCK_MONOTONIC);

	atomic_store(&vm->paused, paused);
	pthread_mutex_lock(&vm->lock);
	if (!paused)
		vm->paused_ns += now_ns - vm->paused_at_ns;
	vm->paused_at_ns = paused ? now_ns : 0;
	pthread_mutex_unlock(&vm->lock);
	fl_vm_wake(vm);
}

int fl_vm_pause(struct fl_vm *vm)
{
	int ret;

	if (!vm->started)
		return -EINVAL;
	FL_LOCKED(&vm->pause_lock);
	if (is_ending(vm))
		return -ESHUTDOWN;
	if (atomic_load(&vm->paused))
		return 0;
	ret = fl_vm_hold(vm);
	if (ret)
		return ret;
	if (is_ending(vm)) { /* its vCPUs stand because they have ended */
		fl_vm_let_go(vm);
		return -ESHUTDOWN;
	}
	note_pause(vm, true);
	return 0;
}

int fl_vm_resume(struct fl_vm *vm)
{
	if (!vm->started)
		return -EINVAL;
	FL_LOCKED(&vm->pause_lock);
	if (is_ending(vm))
		return -ESHUTDOWN;
	if (!atomic_load(&vm->paused))
		return 0;
	note_pause(vm, false);
	fl_vm_let_go(vm);
	return 0;
}
