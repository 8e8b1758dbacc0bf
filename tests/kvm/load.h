/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load: mini_vm with the programs of load_guest.S and an embedder that costs next to nothing, so that what is
 * measured is the machinery and not the test around it. Used by tests and by bench/.
 */
#ifndef FL_LOAD_H
#define FL_LOAD_H

#include <sys/resource.h>

#include "tests/kvm/load_layout.h"
#include "tests/kvm/mini_vm.h"

/* What the embedder sees of one vCPU, on that vCPU's thread alone. */
struct load_seen {
	_Alignas(64) _Atomic uint64_t exits;   /* at LOAD_PORT_NOTHING */
	_Atomic uint64_t outcome[8];	       /* faults by enum fl_outcome */
	struct rusage usage_ready, usage_done; /* of the vCPU's thread */
};

struct load {
	struct mini_vm *vm;
	struct fl_vcpu_ops ops; /* mini_vm's own, for the rest */
	struct load_seen seen[MINI_VCPUS_MAX];
	/* each fault on its vCPU's thread; may be NULL */
	void (*on_fault)(struct load *load, const struct fl_fault *fault);
	/* load_say_and_skip was entered; on the vCPU's thread; may be NULL */
	void (*on_handler)(struct load *load, unsigned int index);
	void *arg;
};

extern const uint8_t load_guest_start[], load_guest_end[], load_skip[], load_skip_and_tell[], load_say_and_skip[],
	load_pair[], load_faults[], load_exits[], load_reads[], load_storm[];

/* Takes over a VM that has not started: its code, its #NP gate (handler: a label of load_guest.S), its callbacks. */
void load_init(struct load *load, struct mini_vm *vm, const uint8_t *handler);
/* Like mini_start(), with a program of load_guest.S. */
void load_start(struct load *load, unsigned int index, struct mini_start start);
void load_stop(struct load *load, unsigned int index); /* tells the program to end, and waits for it */
/* Maps len bytes at hva (whole MiB pairs) as a memslot of its own at gpa = gva, which Faultline does not know. */
void load_add_plain(struct load *load, unsigned int slot, uint64_t gpa, void *hva, uint64_t len);
uint64_t load_tsc_khz(const struct load *load); /* before the start: KVM_RUN keeps others out of a vCPU */
uint64_t load_now_ns(void);			/* CLOCK_MONOTONIC */

#endif
