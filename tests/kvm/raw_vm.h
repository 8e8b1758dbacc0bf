/* SPDX-License-Identifier: Apache-2.0 */
/*
 * raw_vm: one vCPU made of KVM's ioctls alone, to see what the host itself does with a page that it cannot have:
 * an in-kernel LAPIC, interrupts on, CPL 3, HLT exits as one likes. Nothing of src/ runs here.
 */
#ifndef FL_RAW_VM_H
#define FL_RAW_VM_H

#define RAW_RAM_LEN    0x200000
#define RAW_TABLES     0x1000 /* five page tables */
#define RAW_GDT	       0x6000
#define RAW_TSS	       0x6800
#define RAW_IDT	       0x7000
#define RAW_COUNTS     0x8000 /* exceptions, interrupts: two 64-bit numbers */
#define RAW_APF_AREA   0x9000 /* struct kvm_vcpu_pv_apf_data */
#define RAW_CODE       0x10000
#define RAW_STACK_TOP  0x20000 /* CPL 0 */
#define RAW_WINDOW_GPA 0x40000000
#define RAW_WINDOW_LEN 0x200000

#define RAW_PORT_ABOUT_TO_READ 0xe0
#define RAW_PORT_HAVE_READ     0xe1
#define RAW_APF_VECTOR	       0x50

#define RAW_MSR_APF_EN	0x4b564d02
#define RAW_MSR_APF_INT 0x4b564d06
#define RAW_MSR_APF_ACK 0x4b564d07

#ifndef __ASSEMBLER__
#include <linux/kvm.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

enum raw_mode {
	RAW_STRICT,	  /* HLT does not exit: KVM may not halt the vCPU by itself, so it makes no async attempt */
	RAW_HALTING,	  /* an ordinary VM: async attempts, the vCPU is halted while they last */
	RAW_NOTIFY_GUEST, /* the same, and the guest has asked to be told */
};

struct raw_vm {
	int kvm, vm, vcpu, file;
	struct kvm_run *run;
	size_t run_len;
	uint8_t *ram, *window;
	timer_t timer;
};

/* What one KVM_RUN gave. */
struct raw_exit {
	int error;   /* errno, 0: none */
	bool kicked; /* by the time limit, not by another signal */
	uint32_t reason;
	uint16_t port;
	uint8_t byte; /* written to the port */
	bool annotated;
	uint64_t gpa; /* of the annotation or of MMIO */
	uint64_t len;
	double cpu_s; /* that this thread used */
};

extern const uint8_t raw_guest_start[], raw_guest_end[], raw_guest_read[], raw_guest_insn[], raw_guest_page_fault[],
	raw_guest_ready[];

struct raw_vm *raw_new(enum raw_mode mode);
void raw_free(struct raw_vm *vm);
/* The guest is about to read the byte at offset of the window. */
void raw_start(struct raw_vm *vm, uint64_t offset);
/* KVM_RUN, once; a signal makes it return after limit_ms. */
struct raw_exit raw_run(struct raw_vm *vm, unsigned int limit_ms);
/* The signals that are blocked inside KVM_RUN. */
void raw_block_in_run(struct raw_vm *vm, const sigset_t *set);
uint64_t raw_rip(struct raw_vm *vm);
uint64_t raw_code(const uint8_t *label);
#endif

#endif
