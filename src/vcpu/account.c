/* SPDX-License-Identifier: Apache-2.0 */
/* Step 6 of the way of a fault: one id, one report, one line. */
#include <string.h>

#include "vcpu/fault_case.h"

#define PATH_ROOM 512

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

static void fill_file(const struct fl_fault_case *c, struct fl_fault *fault, char *path, size_t path_len)
{
	const struct fl_probe *probe = &c->probe;

	fault->share = probe->region ? probe->region->name : "";
	fault->path = path;
	if (!probe->region || !probe->view.backing)
		return;
	fl_backing_path(probe->view.backing, path, path_len);
	fault->flags |= FL_FAULT_FILE_VALID;
	fault->file_offset = probe->view.file_offset;
	fault->file_len = probe->file_len;
}

/* For whoever looks closely; the report itself goes to the caller by ops.fault. */
static void say(const struct fl_fault_case *c, const char *line)
{
	fl_log_limited(c->vcpu->env->log, &c->vcpu->fault_lines, FL_LOG_DEBUG, "%s", line);
}

void fl_account(struct fl_fault_case *c, char *line, size_t line_len)
{
	struct fl_vcpu_env *env = c->vcpu->env;
	char path[PATH_ROOM] = "";
	struct fl_fault fault = {
		.size = sizeof(fault),
		.id = atomic_fetch_add(&env->fault_count, 1) + 1,
		.time_ns = c->time_ns,
		.vcpu = c->vcpu->index,
		.cpl = c->cpl,
		.rip = c->regs.rip,
		.cause = c->finding.cause,
		.outcome = c->outcome,
		.guest_seq = (uint32_t)c->seq,
		.shape = fl_shape_name(c->in->shape),
	};

	fill_place(c, &fault);
	fill_file(c, &fault, path, sizeof(path));
	fl_fault_format(&fault, line, line_len);
	say(c, line);
	if (env->ops.fault)
		env->ops.fault(env->ops.arg, &fault);
}
