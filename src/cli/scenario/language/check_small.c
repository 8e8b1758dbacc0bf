/* SPDX-License-Identifier: Apache-2.0 */
/* What there is not in machines with the small kernel, which has no operating system around its guests. */
#include <inttypes.h>

#include "cli/scenario/language/build.h"

#define DEFAULT_TIMEOUT_MS 1000u /* of a share where nothing is said */
/* Addresses of memory and windows end below 256G there, and each window begins at a GiB. */
#define ADDRESSES_LEN (UINT64_C(240) << 30)
#define GIB	      (UINT64_C(1) << 30)

/* Why a guest there cannot do it; NULL if it can. */
static const char *why_not(const struct fl_scn_step *step)
{
	switch (step->row->op) {
	case FL_SCN_OP_FORK:
		return "no processes that could fork: let the other guest be a thread";
	case FL_SCN_OP_RUN:
		return "no processes, and so no programs: take another kernel";
	case FL_SCN_OP_READ_TO:
	case FL_SCN_OP_WRITE_FROM:
	case FL_SCN_OP_SENDFILE:
	case FL_SCN_OP_COPY_RANGE:
	case FL_SCN_OP_SPLICE:
	case FL_SCN_OP_VMSPLICE:
	case FL_SCN_OP_URING_READ_TO:
	case FL_SCN_OP_URING_WRITE_FROM:
	case FL_SCN_OP_MPROTECT:
	case FL_SCN_OP_UNMAP_PART:
	case FL_SCN_OP_REMAP:
	case FL_SCN_OP_MSYNC:
	case FL_SCN_OP_MLOCK:
	case FL_SCN_OP_MADVISE:
	case FL_SCN_OP_FUTEX:
		return "no system calls like this one: take another kernel";
	case FL_SCN_OP_OPEN:
		return step->operands[2].n & FL_SCN_O_APPEND ? "no files that are appended to: say at which offset"
							     : NULL;
	case FL_SCN_OP_MAP:
		if ((step->operands[4].n & (FL_SCN_MAP_PRIVATE | FL_SCN_MAP_WRITE)) ==
		    (FL_SCN_MAP_PRIVATE | FL_SCN_MAP_WRITE))
			return "no private copies of pages: write \"shared\", or take another kernel";
		return step->operands[4].n & FL_SCN_MAP_POPULATE
			       ? "no \"populate\": touch the pages, or let the share be \"prefault\""
			       : NULL;
	default:
		return NULL;
	}
}

static bool check_step(struct fl_scn_build *build, const struct fl_scn_step *step)
{
	const char *why = why_not(step);

	return !why || fl_scn_wrong(build->reader, step->pos, "A machine with the kernel small has %s.", why);
}

static bool check_records(struct fl_scn_build *build, const struct fl_scn_step *step)
{
	bool good = true;

	for (uint32_t i = 0; i < step->wishes_count; i++)
		if (step->wishes[i].has_record)
			good &= fl_scn_wrong(build->reader, step->wishes[i].pos,
					     "Linux does not tell its guests what a record says: take \"record\" away, "
					     "or let the machine have the kernel small.");
	return good;
}

static bool check_share(struct fl_scn_build *build, const struct fl_scn_share *share)
{
	if (!share->mapped)
		return fl_scn_wrong(build->reader, share->pos,
				    "With the kernel small all files are mapped: take \"dax never\" away.");
	if (share->attr_timeout_ms != DEFAULT_TIMEOUT_MS || share->entry_timeout_ms != DEFAULT_TIMEOUT_MS)
		return fl_scn_wrong(build->reader, share->pos,
				    "The kernel small believes nothing for any time, but asks: take attr-timeout and "
				    "entry-timeout away.");
	return true;
}

static bool check_machine(struct fl_scn_build *build, const struct fl_scn_machine *machine)
{
	uint64_t need = machine->ram_len + 2 * GIB;
	bool good = true;

	if (machine->vcpus > 1)
		good &= fl_scn_wrong(build->reader, machine->cpus_pos,
				     "The kernel small has one CPU: take \"cpus %" PRIu32 "\" away.", machine->vcpus);
	if (machine->params[0])
		good &= fl_scn_wrong(build->reader, machine->params_pos,
				     "The kernel small takes no parameters: take \"param\" away.");
	for (uint32_t i = 0; i < machine->shares_count; i++) {
		good &= check_share(build, &machine->shares[i]);
		need += (machine->shares[i].window_len + GIB - 1) / GIB * GIB;
	}
	if (need > ADDRESSES_LEN)
		good &= fl_scn_wrong(build->reader, machine->pos,
				     "The kernel small has room for 238G of memory and windows: make them smaller.");
	return good;
}

bool fl_scn_check_small(struct fl_scn_build *build)
{
	bool good = true;

	for (uint32_t i = 0; i < build->made->machines_count; i++)
		if (build->machines[i].kernel == FL_SCN_KERNEL_SMALL)
			good &= check_machine(build, &build->machines[i]);
	for (uint32_t i = 0; i < build->made->actors_count; i++) {
		const struct fl_scn_actor *actor = &build->actors[i];
		const struct fl_scn_machine *machine = &build->machines[actor->machine];

		if (!actor->by_host && actor->blocked && machine->kernel == FL_SCN_KERNEL_SMALL)
			good &= fl_scn_wrong(
				build->reader, actor->pos,
				"A machine with the kernel small has no signals to block: take \"blocked\" "
				"away, or take another kernel.");
		for (uint32_t j = 0; !actor->by_host && j < actor->steps_count; j++)
			good &= machine->kernel == FL_SCN_KERNEL_SMALL ? check_step(build, &build->steps[i][j])
								       : check_records(build, &build->steps[i][j]);
	}
	return good;
}
