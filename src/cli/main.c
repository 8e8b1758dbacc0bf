/* SPDX-License-Identifier: Apache-2.0 */
/* faultline: the launcher. A client of the library's public header, like any other program. */
#include <sys/prctl.h>
#include <sys/resource.h>

#include "cli/options.h"
#include "cli/run.h"

/* The FUSE server keeps a descriptor for each file that the guest knows: take what this process may have. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/*
 * With vm.memory_failure_early_kill the kernel sends SIGBUS to whoever maps memory that has failed, whether it is used
 * or not: to a thread that did not choose, which would end all of us. The guest is told when it touches the page.
 * Threads inherit this, so it comes before there are any (memory_failure(), find_early_kill_thread()).
 */
static void hear_late_of_failed_memory(void)
{
	/* fails where the kernel has no CONFIG_MEMORY_FAILURE, and then has nothing to tell */
	(void)prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_LATE, 0, 0);
}

static int do_verb(const struct fl_cli_options *options)
{
	switch (options->verb) {
	case FL_CLI_RUN:
		raise_descriptor_limit();
		hear_late_of_failed_memory();
		return fl_cli_run(options);
	case FL_CLI_DOCTOR:
		return fl_cli_doctor(stdout);
	case FL_CLI_HELP:
		fl_cli_print_help(stdout);
		return 0;
	case FL_CLI_VERSION:
		printf("faultline %s\n", fl_version());
		return 0;
	}
	return FL_CLI_EXIT_USAGE;
}

int main(int argc, char **argv)
{
	struct fl_cli_options options;
	struct fl_diag diag = {0};
	int status;

	if (fl_cli_options_parse(argc, argv, &options, &diag) < 0) {
		fprintf(stderr, "faultline: %s\n", diag.text);
		status = FL_CLI_EXIT_USAGE;
	} else {
		status = do_verb(&options);
	}
	fl_cli_options_fini(&options);
	return status;
}
