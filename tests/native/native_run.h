/* SPDX-License-Identifier: Apache-2.0 */
/*
 * native_run: one instruction on the CPU this process runs on. Its registers are what a signal frame
 * says on sigreturn, so that all of them can be chosen, the code segment (compatibility mode) and the
 * vector registers included; the fault comes back as a signal frame with the CPU's CR2 and error code.
 */
#ifndef FL_NATIVE_RUN_H
#define FL_NATIVE_RUN_H

#include "tests/native/insn_state.h"

struct native_run;

/* One per process: takes over SIGBUS, SIGSEGV, SIGILL, SIGTRAP and SIGFPE. NULL with a sentence on stdout. */
struct native_run *native_new(void);
/* At state->rip there must be the instruction and an instruction behind it that raises an exception. */
void native_insn(struct native_run *run, const struct insn_state *state, struct insn_outcome *outcome);

bool native_has_amx(void); /* and the kernel lets this process use it */
/*
 * The kernel gives a process its room for tile data at the first use, not by fork(), and until then the CPU knows that
 * there are none: each process does this first, so that all cases see the same CPU.
 */
void native_use_amx(void);
uint64_t native_xcr0(void);
uint64_t native_fs_base(void);
bool native_set_ldt(unsigned int entry, uint32_t base, bool code, bool wide); /* false: no modify_ldt */

#endif
