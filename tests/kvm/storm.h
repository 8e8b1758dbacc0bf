/* SPDX-License-Identifier: Apache-2.0 */
/*
 * storm: two files are cut, grown, punched and swapped under a window as fast as the host can, while the guest's
 * vCPUs load and store all over it (load_storm). Each word that is in a file names its place and the generation of its
 * writing, so that the guest can tell by itself whether it may have read it (load_guest.S).
 */
#ifndef FL_STORM_H
#define FL_STORM_H

#include "tests/kvm/load.h"

#define STORM_LEN UINT64_C(0x40000) /* of a file at its longest: a power of two */

struct storm_result {
	uint64_t turns[MINI_VCPUS_MAX], faults[MINI_VCPUS_MAX], reported[MINI_VCPUS_MAX], zeros[MINI_VCPUS_MAX];
	uint64_t retried, wrong;
	uint64_t cuts, growths, punches, swaps, unmaps,
		upgrades;	   /* what the host did; the last two are parts of swaps */
	uint64_t longest_pause_ns; /* of any vCPU, as seen every 20 ms */
};

/* Runs a storm of that length in a fresh VM; fails the test if a vCPU ends or stands still for pause_max_s. */
void storm_run(struct mini_vm *vm, double seconds, double pause_max_s, struct storm_result *result);

#endif
