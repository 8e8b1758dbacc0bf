/* SPDX-License-Identifier: Apache-2.0 */
/* fault_mode: which of the two ways in which lost pages come out of KVM a VM takes, and why. */
#ifndef FL_FAULT_MODE_H
#define FL_FAULT_MODE_H

#include "fl_diag.h"

struct fl_fault_mode_facts {
	enum fl_fault_mode asked;
	bool can_be_strict;  /* KVM can disable HLT exits */
	bool idles_politely; /* the guest kernel says that it idles by PVPF's idle exit, and is offered it */
	unsigned int vcpus;
	unsigned int cpus; /* of the host that this process may run on */
};

struct fl_fault_mode_choice {
	enum fl_fault_mode mode; /* strict or watch */
	char why[248];		 /* one sentence, without a full stop */
};

/* PURE. -ENOTSUP: strict was asked for and cannot be had; diag says what to do. */
FL_CHECKED_RESULT int fl_fault_mode_choose(const struct fl_fault_mode_facts *facts, struct fl_fault_mode_choice *choice,
					   struct fl_diag *diag);

/* CPUs of the host that the calling thread may run on; at least 1. */
unsigned int fl_usable_cpus(void);

#endif
