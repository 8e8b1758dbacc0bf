/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mini_vm: a small VM around src/vcpu and src/mmu_backing, without src/vmm: RAM, one window over one
 * file, an in-kernel LAPIC, 64-bit guests of our own (mini_guest.S) at CPL 0 or CPL 3 with IF set.
 */
#ifndef FL_MINI_VM_H
#define FL_MINI_VM_H

#include <linux/kvm.h>

#include "mmu_backing/guest_ram.h"
#include "mmu_backing/window.h"
#include "tests/kvm/mini_layout.h"
#include "vcpu/pvpf_abi.h"
#include "vcpu/vcpu.h"

#define MINI_FAULTS_MAX 4096

/* One entry of a block's log, as mini_guest.S writes it. */
struct mini_log {
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t vector, error, rip, cs, rflags, rsp, ss;
	struct pvpf_record record; /* all zero: none with this RIP was posted */
	uint64_t pad[2];
};

struct mini_seen {
	struct fl_fault fault;
	char share[32], path[256], shape[16];
	uint64_t cost_ns; /* from KVM_RUN's return to the report */
};

struct mini_vm {
	struct fl_kvm_vm kvm;
	struct fl_guest_ram ram;
	struct fl_window *window;
	struct fl_watch *watch;	      /* mini_new_watched() only */
	struct fl_watchdog *watchdog; /* the same */
	struct fl_gpa_map map;
	struct fl_log log;
	struct fl_vcpu_env env;
	struct fl_vcpu *vcpus[MINI_VCPUS_MAX];
	unsigned int count;
	int file;

	/* called on the vCPU's thread while the guest's exception handler waits; may be NULL */
	void (*on_exception)(struct mini_vm *vm, unsigned int index);
	void *arg; /* for on_exception */

	pthread_mutex_t lock; /* guards the rest */
	pthread_cond_t changed;
	bool done[MINI_VCPUS_MAX], ready[MINI_VCPUS_MAX], ended[MINI_VCPUS_MAX];
	enum fl_vcpu_end end[MINI_VCPUS_MAX];
	struct fl_diag diag[MINI_VCPUS_MAX];
	unsigned int faults; /* as many as are in seen */
	struct mini_seen seen[MINI_FAULTS_MAX];
	unsigned int outcomes[FL_OUTCOME_SUBSTITUTED + 1]; /* of all, also those that seen had no room for */
};

/* What a vCPU starts with; everything not named is zero. */
struct mini_start {
	const uint8_t *program; /* a label of mini_guest.S */
	unsigned int cpl;
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, r8, rsp; /* rsp 0: the block's own */
	uint64_t pvpf_ctl;				/* 0, or flags: the area is the block's own */
	bool interrupts_off;
	void (*before_run)(struct mini_vm *vm, unsigned int index); /* all is set up; may be NULL */
	uint64_t rflags;					    /* more of them, such as IOPL */
};

/* Labels of mini_guest.S. */
extern const uint8_t mini_guest_start[], mini_guest_end[], mini_stubs[], mini_interrupt_stub[], mini_done[],
	mini_finish[], mini_read[], mini_write[], mini_atomic[], mini_fetch[], mini_push[], mini_push_insn[],
	mini_call[], mini_call_insn[], mini_rep_movsb[], mini_rep_stosl[], mini_movsq[], mini_read_loop[],
	mini_bad_stack[], mini_idle[], mini_ipi[], mini_wrmsr_rdmsr[], mini_wrmsr_read[], mini_spin[], mini_still[],
	mini_halt[], mini_exits[];

#define MINI_FILE_LEN 0x200000

/* A VM with count vCPUs whose window maps a file of MINI_FILE_LEN bytes; byte n holds mini_pattern(n). */
struct mini_vm *mini_new(unsigned int count, struct fl_policy policy);
/* watch_mode: HLT exits stay on, and a lost page may hang a vCPU. */
struct mini_vm *mini_new_mode(unsigned int count, struct fl_policy policy, bool watch_mode);
/* All of watch mode: the ends of files are followed and hidden, and the vCPUs' watchdog runs. */
struct mini_vm *mini_new_watched(unsigned int count, struct fl_policy policy);
void mini_free(struct mini_vm *vm);
uint8_t mini_pattern(uint64_t offset);
uint64_t mini_pattern64(uint64_t offset);
void mini_truncate(struct mini_vm *vm, uint64_t len);
void mini_refill(struct mini_vm *vm); /* back to the full length and pattern */

void mini_start(struct mini_vm *vm, unsigned int index, const struct mini_start *start);
/* Waits until the vCPU's program is done (true) or it has ended by itself (false); fails the test after a while. */
bool mini_wait(struct mini_vm *vm, unsigned int index);
void mini_wait_ready(struct mini_vm *vm, unsigned int index);
/* While the vCPUs run; afterwards the members themselves will do. */
bool mini_is_done(struct mini_vm *vm, unsigned int index);
bool mini_has_ended(struct mini_vm *vm, unsigned int index);
unsigned int mini_outcomes(struct mini_vm *vm, enum fl_outcome outcome);

uint64_t mini_code(const uint8_t *label); /* its address in the guest */
uint64_t mini_gva(uint64_t offset);	  /* of a byte of the window */
uint8_t *mini_block(struct mini_vm *vm, unsigned int index);
uint64_t mini_read64(struct mini_vm *vm, unsigned int index, uint64_t offset); /* of a block */
void mini_write64(struct mini_vm *vm, unsigned int index, uint64_t offset, uint64_t value);
const struct mini_log *mini_entry(struct mini_vm *vm, unsigned int index, unsigned int number);
uint64_t mini_file64(struct mini_vm *vm, uint64_t offset); /* what the file holds */
clockid_t mini_thread_clock(struct mini_vm *vm, unsigned int index);

#endif
