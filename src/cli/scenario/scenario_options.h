/* SPDX-License-Identifier: Apache-2.0 */
/* What "faultline scenario" was told. */
#ifndef FL_SCN_OPTIONS_H
#define FL_SCN_OPTIONS_H

#include "cli/options.h"

/* What moments are explored by. */
enum fl_scn_by { FL_SCN_BY_TIME = 0, FL_SCN_BY_INSTRUCTIONS = 1 };

struct fl_scn_options {
	enum fl_cli_help help;
	const char *filter;
	const char *json, *junit, *html; /* files, or "fd:N" */
	const char *kernel;
	uint64_t seed;
	bool has_seed;
	uint32_t explore; /* moments; 0: no */
	bool has_moment;
	uint64_t moment_ns;
	uint32_t repeat, jobs, slowness; /* slowness 0: what this host usually is */
	bool keep, native, list, allow_skipped;
	enum fl_cli_host host;
	const char *host_kernel; /* of the box; NULL: none was named */
	enum fl_scn_by by;
	unsigned int quiet;
	char **paths; /* files and directories; points into argv, NULL-terminated */
};

/* argv[0] is "scenario". 0; -EINVAL with a sentence. */
FL_CHECKED int fl_scn_options_parse(int argc, char **argv, struct fl_scn_options *options, struct fl_diag *diag);

#endif
