/* SPDX-License-Identifier: Apache-2.0 */
#include "vcpu/delivery.h"

#include <string.h>

#define EFER_LMA	  (UINT64_C(1) << 10)
#define VECTOR_NMI	  2
#define GATE_LEN	  16u /* SDM vol. 3A, figure 6-8 */
#define DESCRIPTOR_LEN	  8u
#define TSS_RSP(dpl)	  (4 + 8 * (uint64_t)(dpl)) /* figure 8-11 */
#define TSS_IST(number)	  (36 + 8 * ((uint64_t)(number)-1))
#define STACK_ALIGN	  UINT64_C(16)
#define FRAME_WORDS	  5u /* SS, RSP, RFLAGS, CS, RIP */
#define SELECTOR_LDT	  4u /* table indicator */
#define CODE_CONFORMING	  (UINT64_C(1) << 42)
#define DESCRIPTOR_DPL(d) ((unsigned int)((d) >> 45) & 3)

int fl_delivery_vector(const struct kvm_vcpu_events *events)
{
	if (events->exception.injected)
		return events->exception.nr;
	if (events->nmi.injected)
		return VECTOR_NMI;
	if (events->interrupt.injected)
		return events->interrupt.nr;
	return -1;
}

/* Lists an access of the CPU's own and, if it is a read, does it: false if that fails. */
static bool touch(const struct fl_locate_ops *ops, struct fl_pieces *pieces, uint64_t linear, uint32_t len,
		  enum fl_access access, void *buf)
{
	unsigned int first = pieces->count;

	fl_pieces_add(ops, &(struct fl_operand_access){.linear = linear, .len = len, .access = access}, pieces);
	for (unsigned int i = first; buf && i < pieces->count; i++) {
		const struct fl_piece *piece = &pieces->item[i];

		if (!piece->mapped || ops->read(ops->arg, piece->gpa, (uint8_t *)buf + piece->offset, piece->len))
			return false;
	}
	return true;
}

/* The privilege level at which the handler runs; false: not to be told. */
static bool handler_level(const struct fl_locate_ops *ops, const struct fl_delivery *delivery, uint16_t selector,
			  struct fl_pieces *pieces, unsigned int *level)
{
	const struct kvm_sregs *sregs = delivery->sregs;
	uint64_t base = selector & SELECTOR_LDT ? sregs->ldt.base : sregs->gdt.base;
	uint64_t descriptor;

	if (!touch(ops, pieces, base + (selector & ~7u), DESCRIPTOR_LEN, FL_ACCESS_READ, &descriptor))
		return false;
	*level = descriptor & CODE_CONFORMING ? delivery->cpl : FL_MIN(DESCRIPTOR_DPL(descriptor), delivery->cpl);
	return true;
}

/* The stack that the frame goes to: of the gate's IST entry, of the inner level, or the one in use. */
static bool handler_stack(const struct fl_locate_ops *ops, const struct fl_delivery *delivery, unsigned int ist,
			  unsigned int level, struct fl_pieces *pieces, uint64_t *rsp)
{
	uint64_t tss = delivery->sregs->tr.base;

	if (ist)
		return touch(ops, pieces, tss + TSS_IST(ist), sizeof(*rsp), FL_ACCESS_READ, rsp);
	if (level < delivery->cpl)
		return touch(ops, pieces, tss + TSS_RSP(level), sizeof(*rsp), FL_ACCESS_READ, rsp);
	*rsp = delivery->regs->rsp;
	return true;
}

static void push_frame(const struct fl_locate_ops *ops, const struct fl_delivery *delivery, uint64_t rsp,
		       struct fl_pieces *pieces)
{
	bool has_error = delivery->events->exception.injected && delivery->events->exception.has_error_code;

	rsp = fl_align_down(rsp, STACK_ALIGN);
	for (unsigned int i = 0; i < FRAME_WORDS + has_error; i++) {
		rsp -= 8;
		touch(ops, pieces, rsp, 8, FL_ACCESS_WRITE, NULL);
	}
}

bool fl_delivery_pieces(const struct fl_locate_ops *ops, const struct fl_delivery *delivery, struct fl_pieces *pieces)
{
	int vector = fl_delivery_vector(delivery->events);
	unsigned int level;
	uint64_t rsp, gate[2];

	*pieces = (struct fl_pieces){0};
	if (vector < 0 || !(delivery->sregs->efer & EFER_LMA))
		return false;
	if (touch(ops, pieces, delivery->sregs->idt.base + (uint64_t)vector * GATE_LEN, GATE_LEN, FL_ACCESS_READ,
		  gate) &&
	    handler_level(ops, delivery, (uint16_t)(gate[0] >> 16), pieces, &level) &&
	    handler_stack(ops, delivery, (unsigned int)(gate[0] >> 32) & 7, level, pieces, &rsp))
		push_frame(ops, delivery, rsp, pieces);
	return true;
}
