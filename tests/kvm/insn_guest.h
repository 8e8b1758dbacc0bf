/* SPDX-License-Identifier: Apache-2.0 */
/* insn_guest: a case of tests/native in a mini guest: its registers, its bytes and what is before them. */
#ifndef FL_INSN_GUEST_H
#define FL_INSN_GUEST_H

#include "tests/kvm/mini_vm.h"
#include "tests/native/native_world.h"

/* What the handler of mini_guest.S has pushed, lowest address first. */
struct insn_frame {
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t vector, error, rip, cs, rflags, rsp, ss;
};

struct insn_guest {
	const struct insn_world *world;
	uint64_t xcr0; /* what the guest has been given */
	uint8_t *good; /* the file's pages */
};

/* Of the exception whose handler waits. */
struct insn_frame *insn_guest_frame(struct mini_vm *vm);
/* The handler will return to the case's instruction. */
void insn_guest_put(struct mini_vm *vm, const struct insn_guest *guest, const struct insn_case *one,
		    struct insn_frame *frame);

#endif
