/* SPDX-License-Identifier: Apache-2.0 */
/* PVPF's MSRs, which KVM hands to us (KVM_X86_SET_MSR_FILTER). msr.error = 1 gives the guest #GP. */
#include <string.h>
#include <sys/ioctl.h>

#include "vcpu/vcpu_priv.h"

enum fl_step fl_msr_read(struct fl_vcpu *vcpu, const struct fl_intake *in, struct fl_ending *ending)
{
	bool known = vcpu->env->offer_pvpf && in->msr == PVPF_HOST_MSR_BASE + PVPF_MSR_CTL;

	(void)ending;
	vcpu->run->msr.error = !known;
	vcpu->run->msr.data = known ? vcpu->pvpf.ctl : 0;
	return FL_STEP_CONTINUE;
}

/*
 * Interrupts on and no shadow of STI: one may have been taken since the guest last looked for work, and
 * halting now would sleep on top of it. Seen where the shadow gets lost when the CPU is left and
 * entered again right between STI and WRMSR (nested SVM in QEMU's emulation).
 */
static bool may_have_missed_interrupt(const struct kvm_run *run, const struct kvm_vcpu_events *events)
{
	return run->if_flag && !events->interrupt.shadow;
}

/*
 * The guest executes this in the shadow of STI. The next KVM_RUN first moves RIP past the WRMSR,
 * which ends the shadow, and then blocks until kvm_vcpu_has_events(): an interrupt that came in
 * between is already in the LAPIC's IRR and ends the wait at once.
 */
static enum fl_step idle(struct fl_vcpu *vcpu, struct fl_ending *ending)
{
	struct kvm_mp_state halted = {.mp_state = KVM_MP_STATE_HALTED};
	struct kvm_vcpu_events events;

	vcpu->run->msr.error = 0;
	if (ioctl(vcpu->fd, KVM_GET_VCPU_EVENTS, &events) < 0)
		return fl_ending(ending, FL_VCPU_END_ERROR, -errno, "vCPU %u: KVM_GET_VCPU_EVENTS: %s", vcpu->index,
				 strerror(errno));
	if (may_have_missed_interrupt(vcpu->run, &events))
		return FL_STEP_CONTINUE;
	if (ioctl(vcpu->fd, KVM_SET_MP_STATE, &halted) < 0)
		return fl_ending(ending, FL_VCPU_END_ERROR, -errno, "vCPU %u: KVM_SET_MP_STATE(HALTED): %s",
				 vcpu->index, strerror(errno));
	return FL_STEP_CONTINUE;
}

enum fl_step fl_msr_write(struct fl_vcpu *vcpu, const struct fl_intake *in, struct fl_ending *ending)
{
	vcpu->run->msr.error = 1;
	if (!vcpu->env->offer_pvpf)
		return FL_STEP_CONTINUE;
	switch (in->msr - PVPF_HOST_MSR_BASE) {
	case PVPF_MSR_CTL:
		vcpu->run->msr.error = fl_pvpf_write_ctl(&vcpu->pvpf, vcpu->env->map, in->value) != 0;
		fl_log_limited(vcpu->env->log, &vcpu->odd_lines, FL_LOG_INFO, "vCPU %u: PVPF_MSR_CTL = %#llx%s",
			       vcpu->index, (unsigned long long)in->value, vcpu->run->msr.error ? ": refused" : "");
		break;
	case PVPF_MSR_IDLE:
		/* as CPUID says: guest_cpuid.c */
		return vcpu->env->kvm->strict ? idle(vcpu, ending) : FL_STEP_CONTINUE;
	case PVPF_MSR_SUBSTITUTE:
		return fl_substitute_request(vcpu, in->value, ending);
	}
	return FL_STEP_CONTINUE;
}
