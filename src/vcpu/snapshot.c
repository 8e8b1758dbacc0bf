/* SPDX-License-Identifier: Apache-2.0 */
/* The vCPU as it was before the failing instruction, whatever KVM has done of it since. */
#include <string.h>
#include <sys/ioctl.h>

#include "vcpu/fault_case.h"
#include "vcpu/undo.h"

/* Exits that one instruction can still bring: a 64-byte operand in parts of 8, twice, and some more. */
#define COMPLETIONS_MAX 32

#define CR4_VMXE  (UINT64_C(1) << 13)
#define EFER_SVME (UINT64_C(1) << 12)

/* Does the vCPU run a guest of its own right now? Answered true where KVM does not say. */
static bool is_nested(const struct fl_vcpu *vcpu, const struct kvm_sregs *sregs)
{
	FL_FREE struct kvm_nested_state *state = NULL;
	int room;

	/* what VMXON and VMRUN need; all others pay nothing for the question */
	if (!(sregs->cr4 & CR4_VMXE) && !(sregs->efer & EFER_SVME))
		return false;
	room = ioctl(vcpu->env->kvm->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_NESTED_STATE);
	if (room < (int)sizeof(*state))
		return true;
	state = calloc(1, (size_t)room);
	if (!state)
		return true;
	state->size = (uint32_t)room;
	return ioctl(vcpu->fd, KVM_GET_NESTED_STATE, state) < 0 || (state->flags & KVM_STATE_NESTED_GUEST_MODE);
}

int fl_snapshot(struct fl_fault_case *c)
{
	bool half_done = c->in->shape == FL_SHAPE_MMIO || c->in->shape == FL_SHAPE_REQUEST;
	struct fl_cpu_state state;
	int result = fl_sync_regs_read(c->vcpu, half_done, &state);

	if (result)
		return result;
	c->regs = state.regs;
	c->sregs = state.sregs;
	c->events = state.events;
	c->vcpu->sregs = state.sregs;
	c->cpl = c->sregs.cr0 & 1 ? c->sregs.ss.dpl : 0;
	c->nested = is_nested(c->vcpu, &c->sregs);
	c->undone = true;
	return 0;
}

/*
 * The value a load is answered with. An instruction that copies memory to memory will store it: it
 * gets what lies at its destination, so that the store changes nothing.
 */
static void fill_load(struct fl_fault_case *c, const struct fl_locate_ops *ops, const struct fl_pieces *pieces)
{
	struct kvm_run *run = c->vcpu->run;
	const struct fl_piece *from = NULL, *to = NULL;
	uint32_t len = FL_MIN(run->mmio.len, (uint32_t)sizeof(run->mmio.data));
	uint64_t offset;

	memset(run->mmio.data, 0, sizeof(run->mmio.data));
	for (unsigned int i = 0; i < pieces->count; i++) {
		const struct fl_piece *piece = &pieces->item[i];

		if (piece->mapped && piece->access == FL_ACCESS_READ && run->mmio.phys_addr >= piece->gpa &&
		    run->mmio.phys_addr - piece->gpa < piece->len)
			from = piece;
	}
	if (!from)
		return;
	offset = from->offset + (run->mmio.phys_addr - from->gpa);
	for (unsigned int i = 0; i < pieces->count; i++) {
		to = &pieces->item[i];
		if (to->mapped && to->access == FL_ACCESS_WRITE && offset >= to->offset &&
		    offset - to->offset < to->len &&
		    ops->read(ops->arg, to->gpa + (offset - to->offset), run->mmio.data,
			      FL_MIN((size_t)len, (size_t)(to->len - (offset - to->offset)))) != 0)
			memset(run->mmio.data, 0, sizeof(run->mmio.data));
	}
}

/* One iteration is enough: with a count of 1 the emulator leaves a repeated instruction after it. */
static int shorten_repetition(struct fl_fault_case *c)
{
	struct kvm_regs regs = c->regs;

	regs.rcx = 1;
	return ioctl(c->vcpu->fd, KVM_SET_REGS, &regs) < 0 ? -errno : 0;
}

static int complete(struct fl_fault_case *c)
{
	struct fl_locate_ops ops = fl_cpu_access(c->vcpu);
	struct fl_cpu_view cpu = {.regs = &c->regs, .sregs = &c->sregs, .amd = c->vcpu->amd};
	struct kvm_run *run = c->vcpu->run;
	bool load = !c->in->write;
	struct fl_pieces pieces;
	int result = 0;

	fl_locate_pieces(&ops, &cpu, &pieces);
	if (load && pieces.repeats)
		result = shorten_repetition(c);
	for (unsigned int i = 0; !result && i < COMPLETIONS_MAX; i++) {
		if (load && (i == 0 || run->exit_reason == KVM_EXIT_MMIO) && !run->mmio.is_write)
			fill_load(c, &ops, &pieces);
		result = fl_run_complete(c->vcpu);
		if (result <= 0)
			return result;
		result = 0;
	}
	return result ? result : -ELOOP;
}

/* The emulator writes its registers back, whatever they hold: all that it can reach is restored. */
static int restore(struct fl_fault_case *c, const struct kvm_xsave *xsave)
{
	const struct fl_cpu_state before = {.regs = c->regs, .sregs = c->sregs, .events = c->events};
	int fd = c->vcpu->fd;
	struct kvm_xsave xsave_now;

	if (ioctl(fd, KVM_GET_XSAVE, &xsave_now) < 0)
		return -errno;
	if (memcmp(&xsave_now, xsave, sizeof(xsave_now)) != 0 && ioctl(fd, KVM_SET_XSAVE, xsave) < 0)
		return -errno;
	return fl_sync_regs_restore(c->vcpu, &before);
}

/* After a store the registers are those of after: find the ones of before. */
static void recover_store(struct fl_fault_case *c)
{
	struct fl_locate_ops ops = fl_cpu_access(c->vcpu);
	const struct fl_cpu_view after = {.regs = &c->regs, .sregs = &c->sregs};
	struct kvm_regs before;
	uint64_t data;

	memcpy(&data, c->vcpu->run->mmio.data, sizeof(data));
	c->undone = fl_undo_store(&ops, &after, c->in, data, &before) == 0;
	if (c->undone)
		c->regs = before;
}

int fl_take_back(struct fl_fault_case *c)
{
	struct kvm_xsave xsave;
	int result;

	if (c->in->shape == FL_SHAPE_EMULATION) {
		/* the #UD that handle_emulation_failure() queued is part of the failure */
		c->events.exception.injected = 0;
		c->events.exception.pending = 0;
		return ioctl(c->vcpu->fd, KVM_SET_VCPU_EVENTS, &c->events) < 0 ? -errno : 0;
	}
	if (c->in->shape != FL_SHAPE_MMIO)
		return 0;
	if (c->in->write)
		recover_store(c);
	if (ioctl(c->vcpu->fd, KVM_GET_XSAVE, &xsave) < 0)
		return -errno;
	result = complete(c);
	return result ? result : restore(c, &xsave);
}
