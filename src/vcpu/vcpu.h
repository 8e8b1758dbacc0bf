/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vcpu: one virtual CPU and its thread. It runs the guest, hands port and MMIO accesses to the
 * machine around it, and takes backing faults through the pipeline in fault_path.c.
 *
 * Threads: new, start, stop and free belong to the VM's owner; all callbacks of struct fl_vcpu_ops
 * run on the vCPU's own thread. Nothing here is shared between vCPUs but struct fl_vcpu_env, which is
 * read-only after the first start (its counters are atomic).
 */
#ifndef FL_VCPU_H
#define FL_VCPU_H

#include <stdatomic.h>

#include "fl_log.h"
#include "mmu_backing/gpa_map.h"
#include "mmu_backing/guest_ram.h"
#include "vcpu/kvm_vm.h"

enum fl_vcpu_end {
	FL_VCPU_END_SHUTDOWN, /* triple fault or KVM_EXIT_SHUTDOWN */
	FL_VCPU_END_FAULT,    /* a backing fault that may not be delivered; its report was made */
	FL_VCPU_END_ERROR,    /* host trouble, diag says which */
};

struct fl_vcpu_ops {
	/* count accesses of size bytes each at port; in: data is filled (all ones by default), out: read */
	void (*pio)(void *arg, uint16_t port, bool write, void *data, uint32_t size, uint32_t count);
	/* an access outside all regions; read: data is filled */
	void (*mmio)(void *arg, uint64_t gpa, bool write, void *data, uint32_t len);
	/* the region's policy says FL_ACTION_ASK; may be NULL; fault and its strings live during the call */
	enum fl_action (*ask)(void *arg, const struct fl_fault *fault);
	/* one finished report; fault and its strings live during the call */
	void (*fault)(void *arg, const struct fl_fault *fault);
	/* the vCPU has stopped running for good, by itself (not by fl_vcpu_stop) */
	void (*ended)(void *arg, unsigned int index, enum fl_vcpu_end end, const struct fl_diag *diag);
	void *arg;
};

struct fl_vcpu_env {
	const struct fl_kvm_vm *kvm;
	const struct fl_gpa_map *map;
	const struct fl_log *log;
	struct fl_vcpu_ops ops;
	int kick_signal; /* blocked in vCPU threads outside KVM_RUN (KVM_SET_SIGNAL_MASK) */
	bool offer_pvpf; /* announce PVPF in CPUID */
	unsigned int vcpu_count;
	struct fl_guest_ram *ram;     /* behind the map's RAM regions, for substitutes; NULL: RAM has none */
	_Atomic uint64_t fault_count; /* ids are given from here, first id 1 */
	struct fl_log_limit fault_lines; /* all vCPUs' together: many of them must not say more than one */
};

struct fl_vcpu;

/*
 * index: 0-based, also the APIC id. CPUID is set (host's, minus async-PF bits, plus TSC-deadline and
 * PVPF); index 0 is runnable, the others wait for INIT/SIPI. env must outlive the vCPU.
 */
FL_CHECKED_RESULT int fl_vcpu_new(struct fl_vcpu_env *env, unsigned int index, struct fl_vcpu **vcpu,
				  struct fl_diag *diag);
int fl_vcpu_fd(const struct fl_vcpu *vcpu); /* for setting the entry state before start */

/* Long-mode entry as the 64-bit boot protocol wants it: flat segments from the GDT at gdt_gpa (which it
 * writes), paging from page tables at cr3, interrupts off. Only before fl_vcpu_start(). */
struct fl_vcpu_entry {
	uint64_t rip, rsp, rsi, rflags, cr3;
	uint64_t gdt_gpa; /* 4 KiB of RAM for GDT (boot protocol selectors 0x10 code, 0x18 data) */
};
FL_CHECKED_RESULT int fl_vcpu_set_entry(struct fl_vcpu *vcpu, const struct fl_vcpu_entry *entry, struct fl_diag *diag);

/*
 * Adds what this vCPU has counted in the regions of that name, or in all and nowhere if NULL, to *sum. False: the map has no
 * such region. Any thread, any time before fl_vcpu_free().
 */
bool fl_vcpu_add_counters(const struct fl_vcpu *vcpu, const char *region, struct fl_counters *sum);

/* What it is doing, without disturbing it; the size is left 0. Any thread, any time before fl_vcpu_free(). */
void fl_vcpu_get_info(struct fl_vcpu *vcpu, struct fl_vcpu_info *info);

/*
 * Pausing (park.c), by any thread, but by one at a time. A vCPU that is asked finishes what it has begun: the exit it
 * serves, the fault it has, and what KVM has half done of an instruction; then it stays out of KVM_RUN until it is
 * resumed or stopped. While it is parked its registers can be had with ioctls on fl_vcpu_fd().
 */
void fl_vcpu_request_pause(struct fl_vcpu *vcpu); /* asks and kicks; does not wait */
/* Waits until it is parked or has ended. False: not by deadline_ns (CLOCK_MONOTONIC). */
FL_CHECKED_RESULT bool fl_vcpu_wait_parked(struct fl_vcpu *vcpu, uint64_t deadline_ns);
void fl_vcpu_resume(struct fl_vcpu *vcpu);

FL_CHECKED_RESULT int fl_vcpu_start(struct fl_vcpu *vcpu, struct fl_diag *diag);
void fl_vcpu_request_stop(struct fl_vcpu *vcpu); /* asks and kicks; does not wait; any thread */
void fl_vcpu_stop(struct fl_vcpu *vcpu);	 /* asks, kicks, joins; idempotent; not from its own thread */
void fl_vcpu_free(struct fl_vcpu *vcpu);	 /* stops it; NULL allowed */

#endif
