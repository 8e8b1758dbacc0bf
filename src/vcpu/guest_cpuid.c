/* SPDX-License-Identifier: Apache-2.0 */
#include "vcpu/guest_cpuid.h"

#include <linux/kvm_para.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vcpu/pvpf_abi.h"

/* asm/kvm_para.h: feature bits of leaf 0x40000001 EAX */
#define ASYNC_PF_BITS ((1u << 4) | (1u << 10) | (1u << 14))
#define PV_UNHALT_BIT (1u << 7)

#define LEAF1_EBX_LOGICAL_SHIFT 16
#define LEAF1_EBX_APIC_ID_SHIFT 24
#define LEAF1_ECX_TSC_DEADLINE	(1u << 24)
#define LEAF1_ECX_HYPERVISOR	(1u << 31)
#define LEAF1_EDX_HTT		(1u << 28)

#define TOPOLOGY_SMT  (1u << 8)
#define TOPOLOGY_CORE (2u << 8)

int fl_cpuid_supported(int kvm_fd, struct fl_cpuid **cpuid, struct fl_diag *diag)
{
	struct fl_cpuid *table = calloc(1, sizeof(*table));

	if (!table)
		return fl_diag(diag, -ENOMEM, "no memory for the CPUID table");
	table->nent = FL_CPUID_ENTRIES_MAX;
	if (ioctl(kvm_fd, KVM_GET_SUPPORTED_CPUID, table) < 0) {
		int error = errno;

		free(table);
		return fl_diag(diag, -error, "KVM_GET_SUPPORTED_CPUID: %s", strerror(error));
	}
	*cpuid = table;
	return 0;
}

static struct kvm_cpuid_entry2 *find(struct fl_cpuid *cpuid, uint32_t function)
{
	for (uint32_t i = 0; i < cpuid->nent; i++)
		if (cpuid->room[i].function == function)
			return &cpuid->room[i];
	return NULL;
}

static void remove_range(struct fl_cpuid *cpuid, uint32_t first, uint32_t last)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < cpuid->nent; i++)
		if (cpuid->room[i].function < first || cpuid->room[i].function > last)
			cpuid->room[kept++] = cpuid->room[i];
	cpuid->nent = kept;
}

static int add(struct fl_cpuid *cpuid, const struct kvm_cpuid_entry2 *entry)
{
	if (cpuid->nent >= FL_CPUID_ENTRIES_MAX)
		return -E2BIG;
	cpuid->room[cpuid->nent++] = *entry;
	return 0;
}

/* Bits that hold the numbers 0 to count-1. */
static uint32_t id_bits(uint32_t count)
{
	uint32_t bits = 0;

	while (bits < 31 && (UINT32_C(1) << bits) < count)
		bits++;
	return bits;
}

static void shape_leaf1(struct kvm_cpuid_entry2 *leaf, const struct fl_cpuid_facts *facts)
{
	uint32_t logical = FL_MIN(UINT32_C(1) << id_bits(facts->vcpu_count), UINT32_C(255));

	leaf->ebx =
		(leaf->ebx & 0xffff) | logical << LEAF1_EBX_LOGICAL_SHIFT | facts->apic_id << LEAF1_EBX_APIC_ID_SHIFT;
	leaf->ecx |= LEAF1_ECX_HYPERVISOR;
	leaf->ecx &= ~LEAF1_ECX_TSC_DEADLINE;
	if (facts->tsc_deadline)
		leaf->ecx |= LEAF1_ECX_TSC_DEADLINE;
	leaf->edx &= ~LEAF1_EDX_HTT;
	if (facts->vcpu_count > 1)
		leaf->edx |= LEAF1_EDX_HTT;
}

/*
 * Deterministic cache parameters (leaf 4; 0x8000001D on AMD): EAX 4:0 type, 7:5 level, 25:14 sharing
 * logical CPUs - 1, 31:26 cores per package - 1 (leaf 4 only). Only the last level is shared.
 */
static void shape_cache(struct kvm_cpuid_entry2 *leaf, const struct fl_cpuid_facts *facts)
{
	uint32_t ids = UINT32_C(1) << id_bits(facts->vcpu_count);
	uint32_t level = (leaf->eax >> 5) & 7;

	if ((leaf->eax & 0x1f) == 0)
		return;
	leaf->eax &= 0x3fff;
	if (level >= 3)
		leaf->eax |= (ids - 1) << 14;
	if (leaf->function == 4)
		leaf->eax |= (FL_MIN(ids, UINT32_C(64)) - 1) << 26;
}

/* One package, a core for each vCPU, one thread in each. */
static void shape_amd(struct kvm_cpuid_entry2 *leaf, const struct fl_cpuid_facts *facts)
{
	if (leaf->function == 0x80000008) {
		leaf->ecx =
			(leaf->ecx & ~0xf0ffu) | ((facts->vcpu_count - 1) & 0xff) | id_bits(facts->vcpu_count) << 12;
	} else if (leaf->function == 0x8000001e) {
		leaf->eax = facts->apic_id;
		leaf->ebx = facts->apic_id & 0xff;
		leaf->ecx = 0;
	}
}

/* Extended topology, SDM vol. 2A CPUID leaf 0BH: thread, core, end. */
static int add_topology(struct fl_cpuid *cpuid, const struct fl_cpuid_facts *facts)
{
	const struct kvm_cpuid_entry2 levels[] = {
		{.index = 0, .eax = 0, .ebx = 1, .ecx = 0 | TOPOLOGY_SMT},
		{.index = 1, .eax = id_bits(facts->vcpu_count), .ebx = facts->vcpu_count, .ecx = 1 | TOPOLOGY_CORE},
		{.index = 2, .ecx = 2},
	};
	int result = 0;

	for (size_t i = 0; i < FL_ARRAY_SIZE(levels) && !result; i++) {
		struct kvm_cpuid_entry2 level = levels[i];

		level.function = 0xb;
		level.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
		level.edx = facts->apic_id;
		result = add(cpuid, &level);
	}
	return result;
}

static int add_pvpf(struct fl_cpuid *cpuid, const struct fl_cpuid_facts *facts)
{
	const struct kvm_cpuid_entry2 signature = {
		.function = PVPF_HOST_CPUID_BASE,
		.eax = PVPF_HOST_CPUID_BASE + 1,
		.ebx = PVPF_CPUID_SIG_EBX,
		.ecx = PVPF_CPUID_SIG_ECX,
		.edx = PVPF_CPUID_SIG_EDX,
	};
	const struct kvm_cpuid_entry2 features = {
		.function = PVPF_HOST_CPUID_BASE + 1,
		.eax = PVPF_ABI_VERSION,
		/* where HLT exits, it sleeps by itself, and in the kernel */
		.ebx = PVPF_FEAT_ERRORS | PVPF_FEAT_GVA | PVPF_FEAT_HWPOISON | (facts->strict ? PVPF_FEAT_IDLE : 0) |
		       (facts->offer_substitute ? PVPF_FEAT_SUBSTITUTE : 0),
		.ecx = PVPF_HOST_MSR_BASE,
		.edx = PVPF_HOST_VECTOR | PVPF_RECORDS << 8,
	};
	int result = add(cpuid, &signature);

	return result ? result : add(cpuid, &features);
}

static void shape_entry(struct kvm_cpuid_entry2 *leaf, const struct fl_cpuid_facts *facts)
{
	switch (leaf->function) {
	case 1:
		shape_leaf1(leaf, facts);
		break;
	case 4:
	case 0x8000001d:
		shape_cache(leaf, facts);
		break;
	case 0x80000008:
	case 0x8000001e:
		shape_amd(leaf, facts);
		break;
	case KVM_CPUID_FEATURES:
		/*
		 * In both modes: a guest that enables async page faults lets KVM queue one where HLT does not exit, too
		 * (kvm_can_do_async_pf()), and then even strict mode never sees the failure. The guest gets a "not
		 * present" that is followed by a "ready" which is not true, and so on: it would put the process to
		 * sleep in between, out of the watchdog's sight.
		 */
		leaf->eax &= ~ASYNC_PF_BITS;
		/* paravirtual spinlocks sleep by HLT, which would not sleep */
		if (facts->strict)
			leaf->eax &= ~PV_UNHALT_BIT;
		break;
	}
}

int fl_cpuid_shape(struct fl_cpuid *cpuid, const struct fl_cpuid_facts *facts)
{
	struct kvm_cpuid_entry2 *basic = find(cpuid, 0);
	int result = 0;

	remove_range(cpuid, 0xb, 0xb);
	remove_range(cpuid, 0x1f, 0x1f);
	remove_range(cpuid, PVPF_HOST_CPUID_BASE, PVPF_HOST_CPUID_BASE + 0xff);
	for (uint32_t i = 0; i < cpuid->nent; i++)
		shape_entry(&cpuid->room[i], facts);
	if (basic && basic->eax >= 0xb)
		result = add_topology(cpuid, facts);
	if (!result && facts->offer_pvpf)
		result = add_pvpf(cpuid, facts);
	return result;
}

uint32_t fl_cpuid_phys_bits(struct fl_cpuid *cpuid)
{
	const struct kvm_cpuid_entry2 *leaf = find(cpuid, 0x80000008);

	return leaf && (leaf->eax & 0xff) >= 32 ? leaf->eax & 0xff : 36;
}
