/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pvpf: one vCPU's side of the paravirtual page fault (docs/abi.md): its control MSR and its area of
 * records. Belongs to the vCPU's thread.
 *
 * INIT is handled inside KVM and invisible here: the ABI has the guest clear the MSR before it lets
 * a CPU go, so a stale value can only come from a guest that asked for it.
 */
#ifndef FL_PVPF_H
#define FL_PVPF_H

#include "mmu_backing/gpa_map.h"
#include "vcpu/pvpf_abi.h"

struct fl_pvpf {
	uint64_t ctl;		  /* last accepted value of PVPF_MSR_CTL */
	struct pvpf_record *area; /* PVPF_RECORDS of them in guest RAM; NULL while disabled */
	uint64_t seq;		  /* deliveries with a record so far */
};

/* What a record says; seq and rip's place in the stack are pvpf's own business. */
struct fl_pvpf_content {
	enum fl_cause cause;
	enum fl_access access;
	uint64_t gpa, gva, bad_len, rip;
	bool gva_valid;
};

/* -EINVAL: the value is bad (the guest gets #GP) and nothing has changed. */
FL_CHECKED_RESULT int fl_pvpf_write_ctl(struct fl_pvpf *pvpf, const struct fl_gpa_map *map, uint64_t value);

/* Does a fault at this privilege level come with a record? */
bool fl_pvpf_wants_record(const struct fl_pvpf *pvpf, unsigned int cpl);

/* The lowest record above every posted one; -ENOSPC: there is none. Only if a record is wanted. */
FL_CHECKED_RESULT int fl_pvpf_free_slot(const struct fl_pvpf *pvpf);

/* Fills record `slot` and sets it posted; returns its sequence number. */
uint64_t fl_pvpf_post(struct fl_pvpf *pvpf, int slot, const struct fl_pvpf_content *content);
/* Takes back a record whose exception could not be injected. */
void fl_pvpf_unpost(struct fl_pvpf *pvpf, int slot);

#endif
