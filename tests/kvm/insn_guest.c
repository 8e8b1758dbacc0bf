/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/fl_test.h"

#include "tests/kvm/insn_guest.h"

#include <sys/ioctl.h>

#define HLT	    0xf4
#define XSAVE_MXCSR 24u
#define XSAVE_XMM   160u
#define XSAVE_BV    512u

struct insn_frame *insn_guest_frame(struct mini_vm *vm)
{
	struct kvm_regs regs;

	assert_int_equal(ioctl(fl_vcpu_fd(vm->vcpus[0]), KVM_GET_REGS, &regs), 0);
	assert_true(regs.rsp < MINI_RAM_LEN - sizeof(struct insn_frame));
	return (struct insn_frame *)(void *)(vm->ram.hva + regs.rsp);
}

static void put_registers(struct insn_frame *f, const struct insn_state *s)
{
	const uint64_t *g = s->gpr;

	f->rax = g[RAX], f->rbx = g[RBX], f->rcx = g[RCX], f->rdx = g[RDX];
	f->rsi = g[RSI], f->rdi = g[RDI], f->rbp = g[RBP], f->rsp = g[RSP];
	f->r8 = g[R8], f->r9 = g[R9], f->r10 = g[R10], f->r11 = g[R11];
	f->r12 = g[R12], f->r13 = g[R13], f->r14 = g[R14], f->r15 = g[R15];
	f->rip = s->rip;
	f->rflags = s->rflags;
}

static void put_part(struct kvm_xsave *xsave, uint32_t at, const void *from, size_t len)
{
	memcpy((uint8_t *)xsave->region + at, from, len);
}

/* A part of a component, if there is such a component. */
static void put_component(const struct insn_guest *guest, struct kvm_xsave *xsave, unsigned int number, size_t at,
			  const void *from, size_t len)
{
	if (guest->xcr0 >> number & 1)
		put_part(xsave, guest->world->xsave.component[number].offset + (uint32_t)at, from, len);
}

/* What the last instruction may have left: unmasked or pending floating-point exceptions. */
static void reset_floating_point(struct kvm_xsave *xsave)
{
	static const uint16_t fcw = 0x37f;
	static const uint32_t mxcsr = 0x1f80;

	memset(xsave->region, 0, XSAVE_XMM);
	memcpy(xsave->region, &fcw, sizeof(fcw));
	memcpy((uint8_t *)xsave->region + XSAVE_MXCSR, &mxcsr, sizeof(mxcsr));
}

static void put_vectors(struct mini_vm *vm, const struct insn_guest *guest, const struct insn_state *s)
{
	struct kvm_xsave xsave;
	uint64_t in_use = s->xinuse & guest->xcr0;
	int fd = fl_vcpu_fd(vm->vcpus[0]);

	assert_int_equal(ioctl(fd, KVM_GET_XSAVE, &xsave), 0);
	reset_floating_point(&xsave);
	put_part(&xsave, XSAVE_BV, &in_use, sizeof(in_use));
	for (unsigned int i = 0; i < 16; i++) {
		put_part(&xsave, XSAVE_XMM + i * 16, s->vectors.zmm[i], 16);
		put_component(guest, &xsave, 2, i * 16, &s->vectors.zmm[i][16], 16);
		put_component(guest, &xsave, 6, i * 32, &s->vectors.zmm[i][32], 32);
		put_component(guest, &xsave, 7, i * 64, s->vectors.zmm[16 + i], 64);
	}
	put_component(guest, &xsave, 5, 0, s->vectors.k, sizeof(s->vectors.k));
	assert_int_equal(ioctl(fd, KVM_SET_XSAVE, &xsave), 0);
}

/*
 * Code whose last byte could be a prefix of the instruction behind it: who looks for an instruction backwards must not
 * be misled. The page begins with an end for calls.
 */
static void put_code_before(struct mini_vm *vm, const struct insn_case *one)
{
	static const uint8_t prefixes[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67,
					   0xf0, 0xf2, 0xf3, 0x40, 0x41, 0x44, 0x48};
	uint8_t code[] = {
		0x48, 0x83, 0xec, 0x18, /* sub $24,%rsp */
		0x31, 0xc0,		/* xor %eax,%eax */
		0x85, 0xf6,		/* test %esi,%esi */
		0x0f, 0xb6, 0x4b, 0x10, /* movzbl 16(%rbx),%ecx */
		0x83, 0xc1, 0x01,	/* add $1,%ecx */
		0x48, 0x01, 0xf0,	/* add %rsi,%rax */
		0x48, 0x8b, 0x43, 0,	/* mov d8(%rbx),%rax */
	};
	uint8_t *page = vm->ram.hva + MINI_SCRATCH;
	uint64_t len = one->state.rip - MINI_SCRATCH;

	code[sizeof(code) - 1] = prefixes[one->state.rip % sizeof(prefixes)];
	memset(page, HLT, FL_PAGE_LEN);
	for (uint64_t i = 1; len < FL_PAGE_LEN && i <= len; i++)
		page[len - i] = code[sizeof(code) - 1 - (i - 1) % sizeof(code)];
	page[0] = HLT;
}

static void put_code(struct mini_vm *vm, const struct insn_guest *guest, const struct insn_case *one)
{
	uint64_t good = guest->world->arena[ARENA_LOW].start + NATIVE_LOST_LEN;

	put_code_before(vm, one);
	for (size_t i = 0; i <= one->len; i++) {
		uint64_t at = one->state.rip + i;

		if (at - MINI_SCRATCH < FL_PAGE_LEN)
			vm->ram.hva[at] = one->bytes[i];
		else if (at - good < NATIVE_GOOD_LEN)
			guest->good[at - good] = one->bytes[i];
	}
}

void insn_guest_put(struct mini_vm *vm, const struct insn_guest *guest, const struct insn_case *one,
		    struct insn_frame *frame)
{
	memset(guest->good, 0, NATIVE_GOOD_LEN);
	put_code(vm, guest, one);
	put_vectors(vm, guest, &one->state);
	put_registers(frame, &one->state);
}
