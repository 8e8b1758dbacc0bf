/* SPDX-License-Identifier: Apache-2.0 */
/* Step 6 of the way of a fault: one id, one report, one line, and the counters. */
#include <string.h>

#include "vcpu/fault_case.h"

static void fill_place(const struct fl_fault_case *c, struct fl_fault *fault)
{
	const struct fl_location *location = &c->location;

	fault->access = location->access;
	if (location->gpa_valid) {
		fault->flags |= FL_FAULT_GPA_VALID;
		fault->gpa = location->gpa;
	}
	if (location->gva_valid) {
		fault->flags |= FL_FAULT_GVA_VALID;
		fault->gva = location->gva;
	}
}

static void fill_file(const struct fl_fault_case *c, struct fl_fault *fault)
{
	const struct fl_probe *probe = &c->probe;
	char *path = c->vcpu->path;

	path[0] = '\0';
	fault->share = probe->region ? probe->region->name : "";
	fault->path = path;
	if (!probe->region || !probe->view.backing)
		return;
	fl_backing_path(probe->view.backing, path, FL_PATH_ROOM);
	fault->flags |= FL_FAULT_FILE_VALID;
	fault->file_offset = probe->view.file_offset;
	fault->file_len = probe->file_len;
	fault->mapped_file_len = probe->view.mapped_file_len;
}

void fl_fill_report(struct fl_fault_case *c, struct fl_fault *fault)
{
	if (!c->id)
		c->id = atomic_fetch_add(&c->vcpu->env->fault_count, 1) + 1;
	*fault = (struct fl_fault){
		.size = sizeof(*fault),
		.id = c->id,
		.time_ns = c->time_ns,
		.vcpu = c->vcpu->index,
		.cpl = c->cpl,
		.rip = c->regs.rip,
		.cause = c->finding.cause,
		.outcome = c->outcome,
		.guest_seq = (uint32_t)c->seq,
		.shape = fl_shape_name(c->in->shape),
		.times = c->times,
	};
	fill_place(c, fault);
	fill_file(c, fault);
}

/* Only this thread writes them, so that no locked instruction is needed; readers see each number whole. */
static void bump(_Atomic uint64_t *count)
{
	atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + 1, memory_order_relaxed);
}

static void count(struct fl_fault_case *c, const struct fl_fault *fault)
{
	const struct fl_region *region = c->probe.region;
	size_t at = region ? (size_t)(region - c->vcpu->env->map->regions) : FL_GPA_REGIONS_MAX;
	struct fl_region_counts *counts = &c->vcpu->counts[at];

	bump(&counts->faults);
	if ((size_t)fault->outcome < FL_ARRAY_SIZE(counts->outcome))
		bump(&counts->outcome[fault->outcome]);
	if ((size_t)fault->cause < FL_ARRAY_SIZE(counts->cause))
		bump(&counts->cause[fault->cause]);
}

static void add_counts(const struct fl_region_counts *counts, struct fl_counters *sum)
{
	sum->faults += atomic_load_explicit(&counts->faults, memory_order_relaxed);
	for (size_t i = 0; i < FL_ARRAY_SIZE(sum->outcome); i++)
		sum->outcome[i] += atomic_load_explicit(&counts->outcome[i], memory_order_relaxed);
	for (size_t i = 0; i < FL_ARRAY_SIZE(sum->cause); i++)
		sum->cause[i] += atomic_load_explicit(&counts->cause[i], memory_order_relaxed);
}

bool fl_vcpu_add_counters(const struct fl_vcpu *vcpu, const char *region, struct fl_counters *sum)
{
	const struct fl_gpa_map *map = vcpu->env->map;
	bool found = !region;

	for (unsigned int i = 0; i < map->count; i++) {
		if (region && strcmp(map->regions[i].name, region) != 0)
			continue;
		add_counts(&vcpu->counts[i], sum);
		found = true;
	}
	if (!region)
		add_counts(&vcpu->counts[FL_GPA_REGIONS_MAX], sum);
	return found;
}

/* For whoever looks closely; the report itself goes to the caller by ops.fault. */
static void say(const struct fl_fault_case *c, const struct fl_fault *fault)
{
	const struct fl_log *log = c->vcpu->env->log;
	char line[1024];

	if (!log || !log->sink || log->level < FL_LOG_DEBUG)
		return;
	fl_fault_format(fault, line, sizeof(line));
	fl_log_limited(log, &c->vcpu->env->fault_lines, FL_LOG_DEBUG, "%s", line);
}

void fl_account(struct fl_fault_case *c, struct fl_fault *fault)
{
	struct fl_vcpu_env *env = c->vcpu->env;

	fl_fill_report(c, fault);
	count(c, fault);
	say(c, fault);
	if (env->ops.fault)
		env->ops.fault(env->ops.arg, fault);
}
