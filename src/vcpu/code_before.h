/* SPDX-License-Identifier: Apache-2.0 */
/*
 * code_before: where does the instruction before an address begin? x86 code cannot be read backwards. But decodings
 * that begin at a wrong byte fall in with the right one after a few instructions, so many are begun well
 * before it, and they vote.
 */
#ifndef FL_CODE_BEFORE_H
#define FL_CODE_BEFORE_H

#include "vcpu/locate.h"

struct fl_code_starts {
	uint64_t end; /* linear; all of them are instructions that end here */
	unsigned int count;
	uint8_t len[FL_INSN_LEN_MAX];
};

/* Which of the starts the code before them leads to; -1: it does not say. */
int fl_code_before(const struct fl_locate_ops *ops, const struct kvm_sregs *sregs, const struct fl_code_starts *starts);

/* Reads code across pages; false: not all of it can be had. */
bool fl_code_read(const struct fl_locate_ops *ops, uint64_t linear, uint8_t *buf, size_t len);

#endif
