/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of vcpu/ know of each other; everybody else uses vcpu.h. */
#ifndef FL_VCPU_PRIV_H
#define FL_VCPU_PRIV_H

#include <linux/kvm.h>

#include "vcpu/intake.h"
#include "vcpu/kvm_stats.h"
#include "vcpu/pvpf.h"
#include "vcpu/stall.h"
#include "vcpu/vcpu.h"
#include "vcpu/xsave_layout.h"

#define FL_PATH_ROOM 4096 /* PATH_MAX of Linux */

/* How often one instruction has come back in a row without anything being delivered. */
struct fl_repeat {
	uint64_t rip;
	uint64_t last_ns; /* CLOCK_MONOTONIC */
	unsigned int count;
};

/* Of one region: written by the vCPU's thread alone, read by any. */
struct fl_region_counts {
	_Atomic uint64_t faults;
	_Atomic uint64_t outcome[FL_ARRAY_SIZE(((struct fl_counters *)0)->outcome)];
	_Atomic uint64_t cause[FL_ARRAY_SIZE(((struct fl_counters *)0)->cause)];
};

struct fl_vcpu {
	struct fl_vcpu_env *env;
	unsigned int index;
	int fd;
	struct kvm_run *run;
	struct fl_kvm_stats stats;
	bool sync_regs;		      /* registers come and go by the run page (sync_regs.c) */
	bool amd;		      /* fl_cpu_is_amd() */
	struct fl_xsave_layout xsave; /* asked once, since CPUID is slow in a virtual machine */
	atomic_bool stop;
	atomic_bool look;		 /* the watchdog asks; set last */
	_Atomic int64_t look_unresolved; /* fl_kvm_stats_unresolved() when it asked */

	atomic_bool pause;	/* it shall park before it runs on (park.c) */
	_Atomic uint32_t doing; /* enum fl_vcpu_state, but for FL_VCPU_HALTED; written by its thread alone */
	_Atomic uint64_t exits; /* returns of KVM_RUN; written by its thread alone */

	pthread_mutex_t lock; /* guards the following and that `thread` may be signalled */
	pthread_cond_t gate;  /* of all changes here, of pause and of stop */
	bool started;
	bool joining;
	bool parked;	     /* out of KVM_RUN with nothing half done, and staying so while this lock is held */
	bool ended;	     /* its thread runs the vCPU no more */
	uint64_t cpu_ns_end; /* its thread's CPU time when it ended */
	pthread_t thread;

	/* the vCPU thread's own */
	struct kvm_sregs sregs; /* of the last snapshot */
	struct fl_pvpf pvpf;
	struct fl_repeat healthy; /* the located page was healthy: retried */
	/* when that row began: fl_kvm_stats_fixed() and the registers */
	uint64_t healthy_fixed;
	struct kvm_regs healthy_regs;
	struct fl_repeat unlocated;	/* nothing was found that can fail: run again */
	struct kvm_regs unlocated_regs; /* of the last of that row */
	struct fl_repeat busy;		/* an event was being delivered: let it finish first */
	struct fl_look last_look;
	struct fl_repeat asked; /* somebody was asked and said that he repaired it */
	struct fl_repeat substituted;
	char path[FL_PATH_ROOM]; /* of the file in the report being made */
	/* by index in env->map; the last one is for faults whose place nobody could find */
	struct fl_region_counts counts[FL_GPA_REGIONS_MAX + 1];
	struct fl_log_limit odd_lines;
};

/* Why a vCPU has stopped by itself. */
struct fl_ending {
	enum fl_vcpu_end end;
	struct fl_diag diag;
};

enum fl_step { FL_STEP_CONTINUE, FL_STEP_ENDED };

/* Returns FL_STEP_ENDED with the ending filled. */
enum fl_step fl_ending(struct fl_ending *ending, enum fl_vcpu_end end, int error, const char *format, ...)
	FL_PRINTF(4, 5);

/* vcpu_info.c: of its thread, so far. Any thread. */
uint64_t fl_vcpu_cpu_time_ns(struct fl_vcpu *vcpu);

/* vcpu.c: makes the vCPU leave KVM_RUN and look whether it stands still; does not wait; any thread. */
void fl_vcpu_ask_to_look(struct fl_vcpu *vcpu, int64_t unresolved);

/* park.c: on the vCPU's thread, with nothing half done in KVM: stays until fl_vcpu_resume() or a stop. */
void fl_vcpu_park(struct fl_vcpu *vcpu);
/* park.c: on the vCPU's thread: it will not run again. */
void fl_vcpu_note_end(struct fl_vcpu *vcpu);

/* run_loop.c: the thread's body; returns when the vCPU is done or asked to stop. */
void fl_run_loop(struct fl_vcpu *vcpu);

/*
 * Lets KVM finish what the last exit left half done, without running on (immediate_exit). 0: it is
 * finished. 1: there is another exit in the run page. -errno: KVM_RUN failed otherwise.
 */
FL_CHECKED_RESULT int fl_run_complete(struct fl_vcpu *vcpu);

/* sync_regs.c */
struct fl_cpu_state {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct kvm_vcpu_events events;
};
bool fl_sync_regs_works(int vm_fd);
/* The last exit was no fault: the next ones need not bring registers. */
void fl_sync_regs_no_fault(struct fl_vcpu *vcpu);
/* half_done: an exit of which KVM has still to finish the instruction. */
FL_CHECKED_RESULT int fl_sync_regs_read(struct fl_vcpu *vcpu, bool half_done, struct fl_cpu_state *state);
/* After fl_sync_regs_read() and, in between, nothing but fl_run_complete(). Takes effect with the next KVM_RUN at the
 * latest. */
FL_CHECKED_RESULT int fl_sync_regs_restore(struct fl_vcpu *vcpu, const struct fl_cpu_state *state);
/* The same. */
FL_CHECKED_RESULT int fl_sync_regs_set_events(struct fl_vcpu *vcpu, const struct kvm_vcpu_events *events);
/* No KVM_RUN will follow: whoever looks at the vCPU afterwards shall see what it would have run with. */
void fl_sync_regs_flush(struct fl_vcpu *vcpu);

/* Ends the vCPU because of an exit that nobody can serve, with a sentence about it. */
enum fl_step fl_run_end_on_error(struct fl_vcpu *vcpu, const struct fl_intake *in, struct fl_ending *ending);

/* msr.c: an access to one of PVPF's MSRs. */
enum fl_step fl_msr_read(struct fl_vcpu *vcpu, const struct fl_intake *in, struct fl_ending *ending);
enum fl_step fl_msr_write(struct fl_vcpu *vcpu, const struct fl_intake *in, struct fl_ending *ending);

/* request.c: the guest wants a private zero page at a page number of a window (PVPF_MSR_SUBSTITUTE). */
enum fl_step fl_substitute_request(struct fl_vcpu *vcpu, uint64_t pfn, struct fl_ending *ending);

/* fault_path.c: all of a fault's way but the intake. */
enum fl_step fl_fault_path(struct fl_vcpu *vcpu, const struct fl_intake *in, struct fl_ending *ending);

#endif
