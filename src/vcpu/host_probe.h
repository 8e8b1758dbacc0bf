/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host_probe: can this /dev/kvm run Linux? Found out by trying: a guest of a few instructions at
 * CPL 0 that Linux cannot do without and that a KVM without VMX or SVM lacks.
 */
#ifndef FL_HOST_PROBE_H
#define FL_HOST_PROBE_H

#include "fl_diag.h"

/*
 * Fills report (report->size bytes of it; 0 counts as all). 0, or -errno if even the trying failed.
 * Takes some ms, or 2 s if the probe guest hangs. Any thread.
 */
FL_CHECKED_RESULT int fl_kvm_probe_host(struct fl_host_report *report);

#endif
