/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/process.h"

#include <sys/prctl.h>
#include <sys/resource.h>

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

void fl_cli_prepare_process(void)
{
	raise_descriptor_limit();
	hear_late_of_failed_memory();
}
