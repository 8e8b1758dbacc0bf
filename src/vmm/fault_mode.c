/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/fault_mode.h"

#include <sched.h>
#include <stdio.h>

#define CPUS_LOOKED_AT 8192u /* CONFIG_NR_CPUS of x86-64 kernels goes up to here */

static int take(struct fl_fault_mode_choice *choice, enum fl_fault_mode mode, const char *format, ...) FL_PRINTF(3, 4);
static int take(struct fl_fault_mode_choice *choice, enum fl_fault_mode mode, const char *format, ...)
{
	va_list args;

	choice->mode = mode;
	va_start(args, format);
	vsnprintf(choice->why, sizeof(choice->why), format, args);
	va_end(args);
	return 0;
}

/*
 * Strict is the better one for faults: nothing can stay hidden in KVM. Its price is that an idle vCPU keeps its thread
 * running, unless the guest idles by an exit of ours; that hurts only when vCPUs have to share CPUs.
 */
static int choose_freely(const struct fl_fault_mode_facts *facts, struct fl_fault_mode_choice *choice)
{
	if (!facts->can_be_strict)
		return take(choice, FL_FAULT_MODE_WATCH,
			    "KVM cannot disable HLT exits on this host, so the lengths of files are followed instead");
	if (facts->idles_politely)
		return take(choice, FL_FAULT_MODE_STRICT,
			    "the guest's kernel gives the CPU back when it is idle, so nothing speaks against it");
	if (facts->vcpus <= facts->cpus)
		return take(choice, FL_FAULT_MODE_STRICT, "each vCPU can have a CPU of its own (%u and %u)",
			    facts->vcpus, facts->cpus);
	return take(choice, FL_FAULT_MODE_WATCH,
		    "%u vCPUs share %u CPUs, and idle ones would take them from the others if HLT did not exit",
		    facts->vcpus, facts->cpus);
}

int fl_fault_mode_choose(const struct fl_fault_mode_facts *facts, struct fl_fault_mode_choice *choice,
			 struct fl_diag *diag)
{
	if (facts->asked == FL_FAULT_MODE_AUTO)
		return choose_freely(facts, choice);
	if (facts->asked == FL_FAULT_MODE_STRICT && !facts->can_be_strict)
		return fl_diag(diag, -ENOTSUP,
			       "the fault mode strict was asked for, but KVM cannot disable HLT exits on this host; "
			       "use the mode watch, or auto");
	return take(choice, facts->asked, "it was asked for");
}

unsigned int fl_usable_cpus(void)
{
	/* cpu_set_t itself ends at 1024 CPUs, and the call fails on a kernel that has more */
	cpu_set_t sets[CPUS_LOOKED_AT / CPU_SETSIZE];
	int count = 0;

	CPU_ZERO_S(sizeof(sets), sets);
	if (sched_getaffinity(0, sizeof(sets), sets) == 0)
		count = CPU_COUNT_S(sizeof(sets), sets);
	return count > 0 ? (unsigned int)count : 1;
}
