/* SPDX-License-Identifier: Apache-2.0 */
/*
 * intake: step 1 of the way of a fault. What did KVM_RUN come back with? Pure: a return value and
 * the run page in, one small struct out.
 */
#ifndef FL_INTAKE_H
#define FL_INTAKE_H

#include <linux/kvm.h>

#include "mmu_backing/gpa_map.h"

/* Everything KVM_RUN left behind. */
struct fl_run_return {
	int error; /* errno of KVM_RUN, 0 if it succeeded */
	const struct kvm_run *run;
	uint32_t run_len;	    /* bytes mapped at run */
	bool mceerr;		    /* a SIGBUS with BUS_MCEERR_AR was waiting for this thread ... */
	const void *mceerr_address; /* ... about this host address */
	bool stalled;		    /* the watchdog made it come back, and it has not moved for a while */
};

enum fl_intake_kind {
	FL_INTAKE_INTR, /* nothing happened: look at the stop flag and go on */
	FL_INTAKE_IO,
	FL_INTAKE_MMIO,	 /* outside all regions */
	FL_INTAKE_FAULT, /* a backing fault */
	FL_INTAKE_HLT,
	FL_INTAKE_SHUTDOWN,
	FL_INTAKE_RDMSR,
	FL_INTAKE_WRMSR,
	FL_INTAKE_ERROR, /* KVM_RUN failed, or with a reason that nobody here can serve */
};

enum fl_shape {
	FL_SHAPE_EFAULT,    /* bare -EFAULT: says nothing but that */
	FL_SHAPE_ANNOTATED, /* KVM_EXIT_MEMORY_FAULT: names the page */
	FL_SHAPE_MMIO,	    /* KVM emulated the instruction: names byte and direction; half done */
	FL_SHAPE_MCEERR,    /* BUS_MCEERR_AR: names the host page */
	FL_SHAPE_EMULATION, /* KVM's emulator gave up: perhaps because it could not fetch the instruction */
	FL_SHAPE_STALL,	    /* nothing came: the watchdog suspects that KVM tries again for ever */
	FL_SHAPE_REQUEST,   /* the guest asked for a substitute: no access failed just now */
};

struct fl_intake {
	enum fl_intake_kind kind;
	int error;	 /* ERROR: errno of KVM_RUN */
	uint32_t reason; /* run->exit_reason, for messages */

	/* FAULT; MMIO uses gpa, len and access */
	enum fl_shape shape;
	bool gpa_valid; /* the page of gpa is known ... */
	bool gpa_exact; /* ... and so is the byte, and access */
	uint64_t gpa;
	uint32_t len;
	enum fl_access access;

	/* IO */
	bool write;
	uint16_t port;
	uint32_t size, count;
	uint64_t data_offset; /* from run; size * count bytes lie inside the run page */

	/* RDMSR, WRMSR */
	uint32_t msr;
	uint64_t value;
};

void fl_intake(const struct fl_run_return *ret, const struct fl_gpa_map *map, struct fl_intake *in);

const char *fl_shape_name(enum fl_shape shape);
const char *fl_exit_reason_name(uint32_t reason);

#endif
