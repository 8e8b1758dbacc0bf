/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pausing a vCPU: between two KVM_RUNs its thread waits at a gate. Nothing has to be saved there: what the guest was
 * sent in the meantime (interrupts, an exception of ours) waits in KVM.
 */
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "vcpu/vcpu_priv.h"

/*
 * The guest's clocks have gone on without it. This is what keeps its detectors of lockups and RCU stalls quiet
 * (pvclock's PVCLOCK_GUEST_STOPPED); a guest that has no kvmclock (EINVAL) has no such detectors that ask for it.
 */
static void tell_guest(struct fl_vcpu *vcpu)
{
	if (ioctl(vcpu->fd, KVM_KVMCLOCK_CTRL, 0) < 0 && errno != EINVAL)
		fl_log_limited(vcpu->env->log, &vcpu->odd_lines, FL_LOG_DEBUG, "vCPU %u: KVM_KVMCLOCK_CTRL: %s",
			       vcpu->index, strerror(errno));
}

void fl_vcpu_park(struct fl_vcpu *vcpu)
{
	FL_LOCKED(&vcpu->lock);

	if (!atomic_load(&vcpu->pause) || atomic_load(&vcpu->stop))
		return;
	atomic_store_explicit(&vcpu->doing, FL_VCPU_PAUSED, memory_order_relaxed);
	vcpu->parked = true;
	pthread_cond_broadcast(&vcpu->gate);
	while (atomic_load(&vcpu->pause) && !atomic_load(&vcpu->stop))
		pthread_cond_wait(&vcpu->gate, &vcpu->lock);
	vcpu->parked = false;
	tell_guest(vcpu);
}

void fl_vcpu_note_end(struct fl_vcpu *vcpu)
{
	FL_LOCKED(&vcpu->lock);

	atomic_store_explicit(&vcpu->doing, FL_VCPU_NOT_RUNNING, memory_order_relaxed);
	vcpu->cpu_ns_end = fl_now_ns(CLOCK_THREAD_CPUTIME_ID);
	vcpu->ended = true;
	pthread_cond_broadcast(&vcpu->gate);
}

bool fl_vcpu_wait_parked(struct fl_vcpu *vcpu, uint64_t deadline_ns)
{
	const struct timespec deadline = {
		.tv_sec = (time_t)(deadline_ns / 1000000000u),
		.tv_nsec = (long)(deadline_ns % 1000000000u),
	};
	int error = 0;
	FL_LOCKED(&vcpu->lock);

	while (!vcpu->parked && !vcpu->ended && error != ETIMEDOUT)
		error = pthread_cond_timedwait(&vcpu->gate, &vcpu->lock, &deadline);
	return vcpu->parked || vcpu->ended;
}

void fl_vcpu_resume(struct fl_vcpu *vcpu)
{
	FL_LOCKED(&vcpu->lock);

	atomic_store(&vcpu->pause, false);
	pthread_cond_broadcast(&vcpu->gate);
}
