/* SPDX-License-Identifier: Apache-2.0 */
/* kvm_stats: KVM's own counters of a vCPU's page faults, readable without disturbing it (KVM_GET_STATS_FD). */
#ifndef FL_KVM_STATS_H
#define FL_KVM_STATS_H

#include <linux/kvm.h>

#include "fl_diag.h"

enum fl_kvm_stat {
	FL_KVM_STAT_TAKEN,
	/* what a fault that was taken came to: kvm_mmu_page_fault(); all others are tried again */
	FL_KVM_STAT_FIXED,
	FL_KVM_STAT_EMULATE,
	FL_KVM_STAT_SPURIOUS,
	FL_KVM_STAT_GUEST, /* shadow paging: it was the guest's own */
	FL_KVM_STAT_COUNT,
};

struct fl_kvm_stats {
	int fd;
	uint64_t offset[FL_KVM_STAT_COUNT]; /* in the file, each a uint64_t */
	uint64_t start, len;		    /* the part of the file that holds them all */
	uint64_t blocking_at;		    /* of one that not every kernel has; 0: this has none */
};

/*
 * Finds the counters in a vCPU's statistics file. Before the vCPU runs: KVM_GET_STATS_FD takes the mutex that KVM_RUN
 * holds. -ENOTSUP: this kernel has none (they came with Linux 5.14), or no such ones; then stats->fd is -1, and what
 * follows fails with -EBADF. Close with fl_kvm_stats_close().
 */
FL_CHECKED_RESULT int fl_kvm_stats_open(struct fl_kvm_stats *stats, int vcpu_fd);
void fl_kvm_stats_close(struct fl_kvm_stats *stats);

/* Page faults so far that KVM could do nothing about but let the vCPU try again. Any thread. */
FL_CHECKED_RESULT int fl_kvm_stats_unresolved(const struct fl_kvm_stats *stats, int64_t *unresolved);
/* Page faults so far after which the vCPU got its page. Any thread. */
FL_CHECKED_RESULT int fl_kvm_stats_fixed(const struct fl_kvm_stats *stats, uint64_t *fixed);

/*
 * Does the vCPU sleep in KVM_RUN, halted or not started yet? Any thread. -ENOTSUP: this kernel does not tell (before
 * Linux 5.16).
 */
FL_CHECKED_RESULT int fl_kvm_stats_blocking(const struct fl_kvm_stats *stats, bool *blocking);

/* Pure. Offset of the one-number counter `name` in the file; descs: its descriptors, len bytes. -ENOENT. */
FL_CHECKED_RESULT int fl_kvm_stats_find(const struct kvm_stats_header *header, const void *descs, size_t len,
					const char *name, uint64_t *offset);

#endif
