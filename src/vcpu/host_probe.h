/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host_probe: can this /dev/kvm run Linux? Found out by trying: a guest of a few instructions at
 * CPL 0 that Linux cannot do without and that a KVM without VMX or SVM lacks.
 */
#ifndef FL_HOST_PROBE_H
#define FL_HOST_PROBE_H

#include "fl_diag.h"

/*
 * Fills report (report->size bytes of it; 0 counts as all). faults: with what fl_kvm_probe_faults() finds; without, a
 * host that is known to do it in hardware (host_module.h) is not tried. 0, or -errno if even the trying failed. Takes
 * some ms, or 3 s if the probe guests hang. Any thread.
 */
FL_CHECKED_RESULT int fl_kvm_probe_host(struct fl_host_report *report, bool faults);

/*
 * host_probe_fault.c, a part of it: fills shapes and watch, by losing a page under guests at CPL 3 and CPL 0 and by
 * following a file. strict is taken back if a loss did not come out. What could not be tried is left as it is.
 */
void fl_kvm_probe_faults(struct fl_host_report *report);

#endif
