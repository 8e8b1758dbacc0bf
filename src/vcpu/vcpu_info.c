/* SPDX-License-Identifier: Apache-2.0 */
/* A vCPU as others see it, while it runs or not. */
#include <sys/ioctl.h>
#include <time.h>

#include "vcpu/vcpu_priv.h"

/* The vCPU's lock is held. */
static uint64_t cpu_time_ns(const struct fl_vcpu *vcpu)
{
	clockid_t clock;

	if (!vcpu->started || vcpu->ended || pthread_getcpuclockid(vcpu->thread, &clock))
		return vcpu->cpu_ns_end;
	return fl_now_ns(clock);
}

uint64_t fl_vcpu_cpu_time_ns(struct fl_vcpu *vcpu)
{
	FL_LOCKED(&vcpu->lock);
	return cpu_time_ns(vcpu);
}

static enum fl_vcpu_state state_of(const struct fl_vcpu *vcpu)
{
	enum fl_vcpu_state doing = (enum fl_vcpu_state)atomic_load_explicit(&vcpu->doing, memory_order_relaxed);
	bool blocking = false;

	if (doing == FL_VCPU_RUNNING && fl_kvm_stats_blocking(&vcpu->stats, &blocking) == 0 && blocking)
		return FL_VCPU_HALTED;
	return doing;
}

/* The vCPU's lock is held, so it cannot be on its way back into KVM_RUN, for the end of which the ioctl would wait. */
static void take_rip(struct fl_vcpu *vcpu, struct fl_vcpu_info *info)
{
	struct kvm_regs regs;

	if ((!vcpu->parked && !vcpu->ended) || ioctl(vcpu->fd, KVM_GET_REGS, &regs) < 0)
		return;
	info->flags |= FL_VCPU_RIP_VALID;
	info->rip = regs.rip;
}

void fl_vcpu_get_info(struct fl_vcpu *vcpu, struct fl_vcpu_info *info)
{
	struct fl_counters sum = {0};
	FL_LOCKED(&vcpu->lock);

	fl_vcpu_add_counters(vcpu, NULL, &sum);
	*info = (struct fl_vcpu_info){
		.state = state_of(vcpu),
		.index = vcpu->index,
		.cpu_time_ns = cpu_time_ns(vcpu),
		.exits = atomic_load_explicit(&vcpu->exits, memory_order_relaxed),
		.faults = sum.faults,
	};
	take_rip(vcpu, info);
}
