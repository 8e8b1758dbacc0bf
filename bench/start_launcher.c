/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Launchers for bench_start, which do all that the launcher does, but look at their host in a way of their own:
 *
 *	bench_start_launcher	takes any host for one with VMX or SVM, which need not be tried
 *	bench_start_prober	does not know what it has, as where KVM is built into the kernel, and runs a probe
 *				guest; where that cannot run Linux, it takes the answer for a better one
 */
#include "faultline/faultline.h"
#include "vcpu/host_module.h"

int __real_fl_host_probe_use(struct fl_host_report *report);
int __wrap_fl_host_probe_use(struct fl_host_report *report);
const char *__wrap_fl_kvm_hardware(const char *sys);

int __wrap_fl_host_probe_use(struct fl_host_report *report)
{
	int result = __real_fl_host_probe_use(report);

	if (result == 0 && report->use == FL_HOST_SMALL)
		report->use = FL_HOST_LINUX;
	return result;
}

const char *__wrap_fl_kvm_hardware(const char *sys)
{
	(void)sys;
	return BENCH_PROBES ? NULL : "hardware";
}
