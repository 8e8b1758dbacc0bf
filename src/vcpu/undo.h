/* SPDX-License-Identifier: Apache-2.0 */
/*
 * undo: an instruction that KVM's emulator has half done (the MMIO shape) is made not to have happened.
 *
 * A load leaves the emulator with the registers of before. A store leaves it with the registers of
 * after (x86_emulate_instruction() writes back before it exits), so that the instruction has to be found
 * backwards from RIP and its effect on the registers taken back. Several decodings may explain the store, since a byte
 * before an instruction can look like a prefix of it: the code before decides (code_before.h). Where it does not, the
 * shortest is taken if all do the same, and nothing is claimed if they do not. Memory is as before, with one
 * exception that cannot be repaired: the first part of a store that crosses from a good page into a bad one.
 */
#ifndef FL_UNDO_H
#define FL_UNDO_H

#include "vcpu/locate.h"

/*
 * after: the registers at the exit of a store to in->gpa whose first bytes are data. -ENOENT: no
 * single store instruction before RIP explains it, or several that differ in what they do.
 */
FL_CHECKED_RESULT int fl_undo_store(const struct fl_locate_ops *ops, const struct fl_cpu_view *after,
				    const struct fl_intake *in, uint64_t data, struct kvm_regs *before);

#endif
