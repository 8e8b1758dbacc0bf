/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watchdog: finds vCPUs that stand still inside KVM_RUN because a page cannot be had and KVM tries again for ever.
 * Needed where HLT exits are not disabled (watch mode), for what inotify does not tell: no space, I/O errors, network
 * file systems. One per VM, with one thread.
 *
 * A tick looks at every vCPU without disturbing it; one that seems to stand still is asked to leave KVM_RUN and to look
 * at itself, some times in a row. If it is still at the same instruction, the fault path takes it (FL_SHAPE_STALL):
 * locating and probing decide, never the suspicion. A halted or a busy vCPU costs no exit, and while all vCPUs are quiet
 * the ticks become rarer, up to eight times.
 */
#ifndef FL_WATCHDOG_H
#define FL_WATCHDOG_H

#include "vcpu/vcpu.h"

struct fl_watchdog;

/*
 * The vCPUs must outlive the watchdog. tick_ms: 0 for the default. -ENOTSUP: KVM
 * does not count a vCPU's page faults (before Linux 5.14); only strict mode helps there.
 */
FL_CHECKED_RESULT int fl_watchdog_new(struct fl_vcpu *const *vcpus, unsigned int count, unsigned int tick_ms,
				      const struct fl_log *log, struct fl_watchdog **watchdog, struct fl_diag *diag);
FL_CHECKED_RESULT int fl_watchdog_start(struct fl_watchdog *watchdog, struct fl_diag *diag);
void fl_watchdog_stop(struct fl_watchdog *watchdog); /* idempotent */
void fl_watchdog_free(struct fl_watchdog *watchdog); /* stops it; NULL allowed */

#endif
