/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>

#include "vcpu/vcpu_priv.h"

enum fl_step fl_ending(struct fl_ending *ending, enum fl_vcpu_end end, int error, const char *format, ...)
{
	va_list args;

	ending->end = end;
	ending->diag.error = error;
	va_start(args, format);
	vsnprintf(ending->diag.text, sizeof(ending->diag.text), format, args);
	va_end(args);
	return FL_STEP_ENDED;
}

/*
 * The kick and SIGBUS are blocked here and unblocked only inside KVM_RUN, which they make return
 * EINTR: they stay pending and are taken off the queue, so that no handler ever runs.
 */
static void take_signals(struct fl_vcpu *vcpu, struct fl_run_return *ret)
{
	const struct timespec now = {0};
	siginfo_t info;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, vcpu->env->kick_signal);
	sigaddset(&set, SIGBUS);
	while (sigtimedwait(&set, &info, &now) > 0) {
		if (info.si_signo == SIGBUS && info.si_code == BUS_MCEERR_AR) {
			ret->mceerr = true;
			ret->mceerr_address = info.si_addr;
		}
	}
}

/*
 * The watchdog asked. A wrong suspicion costs what is done here. Registers that cannot be read are no reason to end:
 * whatever is wrong shows in KVM_RUN, too.
 */
static void look(struct fl_vcpu *vcpu, struct fl_run_return *ret)
{
	struct kvm_regs regs;

	if (!atomic_exchange(&vcpu->look, false) || ioctl(vcpu->fd, KVM_GET_REGS, &regs) < 0)
		return;
	ret->stalled = fl_stall_look(&vcpu->last_look, &regs, atomic_load(&vcpu->look_unresolved));
}

static void count_exit(struct fl_vcpu *vcpu)
{
	uint64_t exits = atomic_load_explicit(&vcpu->exits, memory_order_relaxed);

	atomic_store_explicit(&vcpu->exits, exits + 1, memory_order_relaxed);
}

static void is_doing(struct fl_vcpu *vcpu, enum fl_vcpu_state state)
{
	atomic_store_explicit(&vcpu->doing, state, memory_order_relaxed);
}

/* pausing: KVM only finishes what it has half done; EINTR says that it has. */
static void run_once(struct fl_vcpu *vcpu, bool pausing, struct fl_run_return *ret)
{
	*ret = (struct fl_run_return){.run = vcpu->run, .run_len = vcpu->env->kvm->vcpu_mmap_len};
	/* kernels before 6.8 leave the last reason there when KVM_RUN fails */
	vcpu->run->exit_reason = KVM_EXIT_UNKNOWN;
	vcpu->run->immediate_exit = pausing;
	is_doing(vcpu, pausing ? FL_VCPU_SERVED : FL_VCPU_RUNNING);
	if (ioctl(vcpu->fd, KVM_RUN, 0) < 0)
		ret->error = errno;
	is_doing(vcpu, FL_VCPU_SERVED);
	vcpu->run->immediate_exit = 0;
	count_exit(vcpu);
	if (ret->error == EINTR) {
		take_signals(vcpu, ret);
		look(vcpu, ret);
	}
}

int fl_run_complete(struct fl_vcpu *vcpu)
{
	int error = 0;

	vcpu->run->immediate_exit = 1;
	vcpu->run->exit_reason = KVM_EXIT_UNKNOWN;
	if (ioctl(vcpu->fd, KVM_RUN, 0) < 0)
		error = errno;
	vcpu->run->immediate_exit = 0;
	if (error == EINTR)
		return 0; /* a pending kick stays pending */
	return error ? -error : 1;
}

static void serve_io(struct fl_vcpu *vcpu, const struct fl_intake *in)
{
	uint8_t *data = (uint8_t *)vcpu->run + in->data_offset;

	if (!in->write)
		memset(data, 0xff, (size_t)in->size * in->count);
	vcpu->env->ops.pio(vcpu->env->ops.arg, in->port, in->write, data, in->size, in->count);
}

static void serve_mmio(struct fl_vcpu *vcpu, const struct fl_intake *in)
{
	if (!in->write)
		memset(vcpu->run->mmio.data, 0xff, sizeof(vcpu->run->mmio.data));
	vcpu->env->ops.mmio(vcpu->env->ops.arg, in->gpa, in->write, vcpu->run->mmio.data, in->len);
}

/* The bytes that KVM could not emulate, as text; KVM gives them only with a certain flag. */
static void format_insn(const struct kvm_run *run, char *buf, size_t len)
{
	unsigned int size = FL_MIN(run->emulation_failure.insn_size, 15u);
	size_t used = 0;

	buf[0] = '\0';
	if (run->internal.suberror != KVM_INTERNAL_ERROR_EMULATION || run->emulation_failure.ndata < 1 ||
	    !(run->emulation_failure.flags & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES))
		return;
	for (unsigned int i = 0; i < size && used + 4 < len; i++)
		used += (size_t)snprintf(buf + used, len - used, " %02x", run->emulation_failure.insn_bytes[i]);
}

enum fl_step fl_run_end_on_error(struct fl_vcpu *vcpu, const struct fl_intake *in, struct fl_ending *ending)
{
	const struct kvm_run *run = vcpu->run;
	struct kvm_regs regs = {0};
	unsigned long long rip;
	char insn[64];

	if (in->error)
		return fl_ending(ending, FL_VCPU_END_ERROR, -in->error, "vCPU %u: KVM_RUN: %s", vcpu->index,
				 strerror(in->error));
	if (ioctl(vcpu->fd, KVM_GET_REGS, &regs) < 0)
		regs.rip = 0;
	rip = regs.rip;
	if (in->reason == KVM_EXIT_INTERNAL_ERROR) {
		format_insn(run, insn, sizeof(insn));
		return fl_ending(ending, FL_VCPU_END_ERROR, -EIO, "vCPU %u: KVM %s at rip 0x%llx%s%s", vcpu->index,
				 run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION
					 ? "could not emulate the instruction"
					 : "met an internal error",
				 rip, insn[0] ? ", bytes" : "", insn);
	}
	if (in->reason == KVM_EXIT_FAIL_ENTRY)
		return fl_ending(ending, FL_VCPU_END_ERROR, -EIO,
				 "vCPU %u: the CPU refused the guest's state (hardware reason 0x%llx) at rip 0x%llx",
				 vcpu->index, (unsigned long long)run->fail_entry.hardware_entry_failure_reason, rip);
	return fl_ending(ending, FL_VCPU_END_ERROR, -EIO, "vCPU %u: exit reason %u (%s) at rip 0x%llx is not served",
			 vcpu->index, in->reason, fl_exit_reason_name(in->reason), rip);
}

static enum fl_step serve(struct fl_vcpu *vcpu, const struct fl_intake *in, struct fl_ending *ending)
{
	switch (in->kind) {
	case FL_INTAKE_INTR:
		return FL_STEP_CONTINUE;
	case FL_INTAKE_IO:
		serve_io(vcpu, in);
		return FL_STEP_CONTINUE;
	case FL_INTAKE_MMIO:
		serve_mmio(vcpu, in);
		return FL_STEP_CONTINUE;
	case FL_INTAKE_FAULT:
		is_doing(vcpu, FL_VCPU_IN_FAULT);
		return fl_fault_path(vcpu, in, ending);
	case FL_INTAKE_RDMSR:
		return fl_msr_read(vcpu, in, ending);
	case FL_INTAKE_WRMSR:
		return fl_msr_write(vcpu, in, ending);
	case FL_INTAKE_SHUTDOWN:
		return fl_ending(ending, FL_VCPU_END_SHUTDOWN, 0, "vCPU %u: triple fault", vcpu->index);
	case FL_INTAKE_HLT: /* never with an in-kernel irqchip */
	case FL_INTAKE_ERROR:
		break;
	}
	return fl_run_end_on_error(vcpu, in, ending);
}

void fl_run_loop(struct fl_vcpu *vcpu)
{
	const struct fl_vcpu_ops *ops = &vcpu->env->ops;
	struct fl_ending ending = {0};
	char name[16];

	snprintf(name, sizeof(name), "fl-vcpu%u", vcpu->index);
	prctl(PR_SET_NAME, name);
	while (!atomic_load(&vcpu->stop)) {
		bool pausing = atomic_load(&vcpu->pause);
		struct fl_run_return ret;
		struct fl_intake in;

		run_once(vcpu, pausing, &ret);
		fl_intake(&ret, vcpu->env->map, &in);
		if (in.kind != FL_INTAKE_FAULT)
			fl_sync_regs_no_fault(vcpu);
		if (serve(vcpu, &in, &ending) == FL_STEP_ENDED) {
			fl_sync_regs_flush(vcpu);
			if (ops->ended)
				ops->ended(ops->arg, vcpu->index, ending.end, &ending.diag);
			return;
		}
		/* any other exit was one more part of an instruction (docs of KVM_RUN's immediate_exit): go on with it */
		if (pausing && ret.error == EINTR && in.kind == FL_INTAKE_INTR)
			fl_vcpu_park(vcpu);
	}
	fl_sync_regs_flush(vcpu);
}
