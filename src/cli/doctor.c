/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cli/kernel.h"
#include "cli/run.h"

static const char *use_text(enum fl_host_use use)
{
	switch (use) {
	case FL_HOST_LINUX:
		return "yes";
	case FL_HOST_SMALL:
		return "no, only small ones";
	case FL_HOST_NONE:
		break;
	}
	return "no";
}

int fl_cli_doctor(FILE *out)
{
	struct fl_host_report report = {.size = sizeof(report), .use = FL_HOST_NONE};
	struct fl_diag diag = {0};
	char kernel[PATH_MAX];
	int ret = fl_host_probe(&report);

	if (ret < 0) {
		fprintf(stderr, "faultline: this host could not be examined: %s.\n", strerror(-ret));
		return FL_HOST_NONE;
	}
	bool has_kernel = fl_cli_default_kernel(kernel, &diag) == 0;

	fprintf(out, "faultline      %s\n", fl_version());
	fprintf(out, "/dev/kvm       %s\n",
		report.use == FL_HOST_NONE ? "cannot be used"
		: report.kvm[0]		   ? report.kvm
					   : "usable");
	fprintf(out, "Linux guests   %s\n", use_text(report.use));
	if (report.use != FL_HOST_NONE)
		fprintf(out, "lost pages     %s\n",
			report.strict ? "reported at once (HLT exits can be disabled)"
				      : "not reported: HLT exits cannot be disabled, so guests run without DAX");
	fprintf(out, "guest kernel   %s\n", has_kernel ? kernel : diag.text);
	if (report.text[0])
		fprintf(out, "because        %s\n", report.text);
	return (int)report.use;
}
