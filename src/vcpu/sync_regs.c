/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registers of a vCPU by way of its run page (KVM_CAP_SYNC_REGS): each ioctl on a vCPU loads and puts it,
 * which costs more than what is read. KVM_RUN stores the registers there on every return while kvm_valid_regs asks for
 * it, and takes over what kvm_dirty_regs names when it is entered.
 *
 * Storing on every exit would tax the exits that are not faults, so it is asked for only in a row of faults:
 * the first one of a row fetches them by a KVM_RUN that does not run (immediate_exit).
 */
#include <string.h>
#include <sys/ioctl.h>

#include "vcpu/vcpu_priv.h"

#define ALL (KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS | KVM_SYNC_X86_EVENTS)

bool fl_sync_regs_works(int vm_fd)
{
	int fields = ioctl(vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_SYNC_REGS);

	return fields > 0 && ((unsigned int)fields & ALL) == ALL;
}

void fl_sync_regs_no_fault(struct fl_vcpu *vcpu)
{
	vcpu->run->kvm_valid_regs = 0;
}

/*
 * What others may set at any time is never set back to what it was: an NMI or a SIPI that another vCPU sent since would
 * be lost (kvm_vcpu_ioctl_x86_set_vcpu_events()).
 */
static void leave_to_others(struct kvm_vcpu_events *events)
{
	events->flags &= ~(uint32_t)(KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SIPI_VECTOR);
}

static int ask_one_by_one(struct fl_vcpu *vcpu, struct fl_cpu_state *state)
{
	if (ioctl(vcpu->fd, KVM_GET_REGS, &state->regs) < 0 || ioctl(vcpu->fd, KVM_GET_SREGS, &state->sregs) < 0 ||
	    ioctl(vcpu->fd, KVM_GET_VCPU_EVENTS, &state->events) < 0)
		return -errno;
	leave_to_others(&state->events);
	return 0;
}

int fl_sync_regs_read(struct fl_vcpu *vcpu, bool half_done, struct fl_cpu_state *state)
{
	struct kvm_run *run = vcpu->run;
	bool stored = run->kvm_valid_regs == ALL;

	if (!vcpu->sync_regs)
		return ask_one_by_one(vcpu, state);
	run->kvm_valid_regs = ALL;
	if (!stored && half_done) /* KVM_RUN would finish the instruction */
		return ask_one_by_one(vcpu, state);
	if (!stored) {
		int result = fl_run_complete(vcpu);

		if (result)
			return result < 0 ? result : -EIO;
	}
	state->regs = run->s.regs.regs;
	state->sregs = run->s.regs.sregs;
	state->events = run->s.regs.events;
	leave_to_others(&state->events);
	return 0;
}

static int restore_one_by_one(struct fl_vcpu *vcpu, const struct fl_cpu_state *state)
{
	struct kvm_sregs now;

	if (ioctl(vcpu->fd, KVM_GET_SREGS, &now) < 0)
		return -errno;
	if (memcmp(&now, &state->sregs, sizeof(now)) != 0 && ioctl(vcpu->fd, KVM_SET_SREGS, &state->sregs) < 0)
		return -errno;
	if (ioctl(vcpu->fd, KVM_SET_REGS, &state->regs) < 0 || ioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &state->events) < 0)
		return -errno;
	return 0;
}

int fl_sync_regs_restore(struct fl_vcpu *vcpu, const struct fl_cpu_state *state)
{
	struct kvm_run *run = vcpu->run;

	if (!vcpu->sync_regs)
		return restore_one_by_one(vcpu, state);
	run->kvm_dirty_regs |= KVM_SYNC_X86_REGS | KVM_SYNC_X86_EVENTS;
	if (memcmp(&run->s.regs.sregs, &state->sregs, sizeof(state->sregs)) != 0)
		run->kvm_dirty_regs |= KVM_SYNC_X86_SREGS;
	run->s.regs.regs = state->regs;
	run->s.regs.sregs = state->sregs;
	run->s.regs.events = state->events;
	return 0;
}

void fl_sync_regs_flush(struct fl_vcpu *vcpu)
{
	/* nothing is half done where registers were changed: this runs nothing */
	if (vcpu->run->kvm_dirty_regs && fl_run_complete(vcpu) != 0)
		fl_log(vcpu->env->log, FL_LOG_WARN, "vCPU %u: its last registers were not taken by KVM", vcpu->index);
}

int fl_sync_regs_set_events(struct fl_vcpu *vcpu, const struct kvm_vcpu_events *events)
{
	struct kvm_run *run = vcpu->run;

	if (!vcpu->sync_regs)
		return ioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, events) < 0 ? -errno : 0;
	run->s.regs.events = *events;
	run->kvm_dirty_regs |= KVM_SYNC_X86_EVENTS;
	return 0;
}
