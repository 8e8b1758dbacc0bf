/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/run_state.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cli/event_lines.h"

static uint64_t realtime_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void fl_cli_run_tell_start(struct fl_cli_run_state *run)
{
	struct fl_vm_status vm_status = {.size = sizeof(vm_status)};
	struct fl_cli_start_event event = {
		.time_ns = realtime_ns(),
		.pid = (uint32_t)getpid(),
		.name = run->options->name,
		.vcpus = run->options->vcpus,
		.ram_len = run->options->ram_len,
		.status = &vm_status,
		.options = run->options,
	};

	if (fl_vm_get_status(run->vm, &vm_status) < 0)
		return;
	size_t len;
	char *line = fl_cli_start_line(&event, &len);

	fl_cli_events_put(&run->output.events, line, len, false);
	free(line);
}

void fl_cli_run_tell_end(struct fl_cli_run_state *run, int status, const char *text)
{
	struct fl_counters counters = {.size = sizeof(counters)};
	struct fl_cli_end_event event = {
		.time_ns = realtime_ns(),
		.end = run->result.end,
		.code = run->result.code,
		.status = status,
		.text = text,
		.counters = &counters,
		.lost_events = fl_cli_events_lost(&run->output.events),
	};

	/* a VM that never started has counted nothing */
	if (!run->vm || fl_vm_get_counters(run->vm, NULL, &counters) < 0)
		counters = (struct fl_counters){.size = sizeof(counters)};
	size_t len;
	char *line = fl_cli_end_line(&event, &len);

	fl_cli_events_put(&run->output.events, line, len, true);
	free(line);
}
