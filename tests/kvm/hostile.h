/* SPDX-License-Identifier: Apache-2.0 */
/* Guests that ask for trouble: their programs, and what several tests of them need. */
#ifndef FL_HOSTILE_H
#define FL_HOSTILE_H

#include "tests/kvm/mini_vm.h"

extern const uint8_t mini_int3_loop[], mini_soft_interrupt_loop[], mini_self_ipi_loop[], mini_lean_np[],
	mini_greedy_np[], mini_nmi_reads[], mini_nmi_reads_insn[], mini_count_loop[], mini_read_disable_read[],
	mini_disable_read[], mini_disabled_read[], mini_scribble[], mini_sti_read[], mini_sti_read_insn[],
	mini_mov_ss_read[], mini_mov_ss_read_insn[];

#define BAD_OFFSET   UINT64_C(0x5123)
#define BAD_PAGE     UINT64_C(0x5000)
#define WITH_RECORDS (PVPF_CTL_ENABLE | PVPF_CTL_CPL0)
#define MSR_CTL	     UINT64_C(0x50564600)

/* Makes a gate lead to a program instead of the logging handler. */
void hostile_gate(struct mini_vm *vm, unsigned int vector, const uint8_t *program);
/* The IDT of a vCPU that has not been started yet: from now on in the file, at this offset. */
void hostile_idt_in_file(struct mini_vm *vm, uint64_t offset);
uint64_t *hostile_table(struct mini_vm *vm, unsigned int number); /* page table page, the VM's 0 to 4 and free ones */

/* Ended by itself or done, after so long at most; then it is stopped, which must work in any case. */
enum hostile_end { HOSTILE_DONE, HOSTILE_ENDED, HOSTILE_STOPPED };
enum hostile_end hostile_settle(struct mini_vm *vm, unsigned int index, unsigned int limit_ms);
unsigned int hostile_count(struct mini_vm *vm, enum fl_outcome outcome);

/* An innocent VM: counts by itself all the time. */
struct mini_vm *hostile_bystander(void);
/* It has gone on counting since it was last asked; false: not within 20 s. */
bool hostile_goes_on(struct mini_vm *bystander, unsigned int index);
void hostile_bystander_free(struct mini_vm *bystander);

#endif
