/* SPDX-License-Identifier: Apache-2.0 */
#include "vcpu/intake.h"

#include "vcpu/kvm_extra.h"

static bool is_mapped(const struct fl_gpa_map *map, uint64_t gpa)
{
	return fl_gpa_map_find(map, gpa) != NULL;
}

/*
 * -EFAULT or -EHWPOISON. Only an exit reason of this very KVM_RUN makes memory_fault mean something:
 * run->exit_reason is cleared before each KVM_RUN, because kernels before 6.8 leave the last one there.
 */
static void take_memory_fault(const struct fl_run_return *ret, const struct fl_gpa_map *map, struct fl_intake *in)
{
	struct fl_kvm_memory_fault fault;

	in->kind = FL_INTAKE_FAULT;
	in->shape = ret->error == EHWPOISON ? FL_SHAPE_MCEERR : FL_SHAPE_EFAULT;
	if (ret->run->exit_reason != FL_KVM_EXIT_MEMORY_FAULT)
		return;
	in->shape = FL_SHAPE_ANNOTATED;
	fl_kvm_read_memory_fault(ret->run, &fault);
	if (is_mapped(map, fault.gpa)) {
		in->gpa_valid = true;
		in->gpa = fault.gpa;
	}
}

static void take_mceerr(const struct fl_run_return *ret, const struct fl_gpa_map *map, struct fl_intake *in)
{
	uint64_t address = (uintptr_t)ret->mceerr_address;

	in->kind = FL_INTAKE_FAULT;
	in->shape = FL_SHAPE_MCEERR;
	for (unsigned int i = 0; i < map->count; i++) {
		const struct fl_region *region = &map->regions[i];
		uint64_t start = (uintptr_t)region->hva;

		if (address >= start && address - start < region->len) {
			in->gpa_valid = true;
			in->gpa = region->gpa + (address - start);
		}
	}
}

static void take_stall(struct fl_intake *in)
{
	in->kind = FL_INTAKE_FAULT;
	in->shape = FL_SHAPE_STALL;
}

static void take_mmio(const struct kvm_run *run, const struct fl_gpa_map *map, struct fl_intake *in)
{
	bool mapped = is_mapped(map, run->mmio.phys_addr);

	in->kind = mapped ? FL_INTAKE_FAULT : FL_INTAKE_MMIO;
	in->shape = FL_SHAPE_MMIO;
	in->gpa_valid = true;
	in->gpa_exact = true;
	in->gpa = run->mmio.phys_addr;
	in->len = FL_MIN(run->mmio.len, (uint32_t)sizeof(run->mmio.data));
	in->write = run->mmio.is_write != 0;
	in->access = in->write ? FL_ACCESS_WRITE : FL_ACCESS_READ;
}

static void take_io(const struct fl_run_return *ret, struct fl_intake *in)
{
	const struct kvm_run *run = ret->run;
	uint64_t bytes = (uint64_t)run->io.size * run->io.count;

	if (!fl_range_fits(run->io.data_offset, bytes, ret->run_len))
		return;
	in->kind = FL_INTAKE_IO;
	in->write = run->io.direction == KVM_EXIT_IO_OUT;
	in->port = run->io.port;
	in->size = run->io.size;
	in->count = run->io.count;
	in->data_offset = run->io.data_offset;
}

static void take_exit(const struct fl_run_return *ret, const struct fl_gpa_map *map, struct fl_intake *in)
{
	const struct kvm_run *run = ret->run;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		take_io(ret, in);
		break;
	case KVM_EXIT_MMIO:
		take_mmio(run, map, in);
		break;
	case KVM_EXIT_HLT:
		in->kind = FL_INTAKE_HLT;
		break;
	case KVM_EXIT_SHUTDOWN:
		in->kind = FL_INTAKE_SHUTDOWN;
		break;
	case KVM_EXIT_X86_RDMSR:
	case KVM_EXIT_X86_WRMSR:
		in->kind = run->exit_reason == KVM_EXIT_X86_RDMSR ? FL_INTAKE_RDMSR : FL_INTAKE_WRMSR;
		in->msr = run->msr.index;
		in->value = run->msr.data;
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		/* handle_emulation_failure(): an instruction on a dead page looks like one KVM does not know */
		if (run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION) {
			in->kind = FL_INTAKE_FAULT;
			in->shape = FL_SHAPE_EMULATION;
		}
		break;
	case KVM_EXIT_INTR:
	case KVM_EXIT_IRQ_WINDOW_OPEN:
		in->kind = FL_INTAKE_INTR;
		break;
	}
}

void fl_intake(const struct fl_run_return *ret, const struct fl_gpa_map *map, struct fl_intake *in)
{
	*in = (struct fl_intake){
		.kind = FL_INTAKE_ERROR,
		.error = ret->error,
		.reason = ret->run->exit_reason,
	};
	if (ret->error == EFAULT || ret->error == EHWPOISON)
		take_memory_fault(ret, map, in);
	else if (ret->mceerr)
		take_mceerr(ret, map, in);
	else if (ret->error == EINTR && ret->stalled)
		take_stall(in);
	else if (ret->error == EINTR || ret->error == EAGAIN)
		in->kind = FL_INTAKE_INTR; /* EAGAIN: a waiting AP got its INIT (kvm_arch_vcpu_ioctl_run) */
	else if (ret->error == 0)
		take_exit(ret, map, in);
}

const char *fl_shape_name(enum fl_shape shape)
{
	static const char *const names[] = {"efault", "annotated", "mmio", "mceerr", "emulation", "stall", "request"};

	return (unsigned int)shape < FL_ARRAY_SIZE(names) ? names[shape] : "?";
}

const char *fl_exit_reason_name(uint32_t reason)
{
	switch (reason) {
	case KVM_EXIT_UNKNOWN:
		return "KVM_EXIT_UNKNOWN";
	case KVM_EXIT_EXCEPTION:
		return "KVM_EXIT_EXCEPTION";
	case KVM_EXIT_HYPERCALL:
		return "KVM_EXIT_HYPERCALL";
	case KVM_EXIT_FAIL_ENTRY:
		return "KVM_EXIT_FAIL_ENTRY";
	case KVM_EXIT_INTERNAL_ERROR:
		return "KVM_EXIT_INTERNAL_ERROR";
	case KVM_EXIT_SYSTEM_EVENT:
		return "KVM_EXIT_SYSTEM_EVENT";
	case KVM_EXIT_IO:
		return "KVM_EXIT_IO";
	case FL_KVM_EXIT_MEMORY_FAULT:
		return "KVM_EXIT_MEMORY_FAULT";
	default:
		return "another";
	}
}
