/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's CPUID table, made from a host's. */
#include "tests/lib/fl_test.h"

#include "vcpu/guest_cpuid.h"

static void put(struct fl_cpuid *cpuid, struct kvm_cpuid_entry2 entry)
{
	cpuid->room[cpuid->nent++] = entry;
}

/* A host that has everything that is to be changed. */
static struct fl_cpuid *host_table(void)
{
	struct fl_cpuid *cpuid = calloc(1, sizeof(*cpuid));

	assert_non_null(cpuid);
	put(cpuid, (struct kvm_cpuid_entry2){.function = 0, .eax = 0x1f});
	put(cpuid, (struct kvm_cpuid_entry2){.function = 1, .ebx = 0x07080900, .ecx = 1u << 24, .edx = 0x1});
	put(cpuid, (struct kvm_cpuid_entry2){.function = 4, .index = 0, .flags = 1, .eax = 0xfc0fc121});
	put(cpuid, (struct kvm_cpuid_entry2){.function = 4, .index = 3, .flags = 1, .eax = 0xfc0fc163});
	put(cpuid, (struct kvm_cpuid_entry2){.function = 0xb, .index = 0, .flags = 1, .edx = 77});
	put(cpuid, (struct kvm_cpuid_entry2){.function = 0x1f, .index = 0, .flags = 1, .edx = 77});
	put(cpuid, (struct kvm_cpuid_entry2){.function = 0x40000000, .eax = 0x40000001});
	put(cpuid, (struct kvm_cpuid_entry2){.function = 0x40000001, .eax = 0xffffffff});
	put(cpuid, (struct kvm_cpuid_entry2){.function = 0x40000100, .ebx = 0x12345678});
	put(cpuid, (struct kvm_cpuid_entry2){.function = 0x40000105, .ebx = 0x12345678});
	put(cpuid, (struct kvm_cpuid_entry2){.function = 0x80000008, .eax = 0x3030, .ecx = 0x7fff});
	return cpuid;
}

static const struct kvm_cpuid_entry2 *find(const struct fl_cpuid *cpuid, uint32_t function, uint32_t index)
{
	const struct kvm_cpuid_entry2 *found = NULL;

	for (uint32_t i = 0; i < cpuid->nent; i++) {
		if (cpuid->room[i].function == function && cpuid->room[i].index == index) {
			assert_null(found);
			found = &cpuid->room[i];
		}
	}
	return found;
}

/* The one entry there must be. */
static struct kvm_cpuid_entry2 get(const struct fl_cpuid *cpuid, uint32_t function, uint32_t index)
{
	const struct kvm_cpuid_entry2 *found = find(cpuid, function, index);

	if (!found) {
		fail_msg("no leaf 0x%x, index %u", function, index);
		return (struct kvm_cpuid_entry2){0};
	}
	return *found;
}

static const struct fl_cpuid_facts facts = {
	.apic_id = 2,
	.vcpu_count = 3,
	.tsc_deadline = true,
	.strict = true,
	.offer_pvpf = true,
};

static void test_async_pf_is_hidden(void **state)
{
	struct fl_cpuid *cpuid = host_table();

	(void)state;
	assert_int_equal(fl_cpuid_shape(cpuid, &facts), 0);
	/* bits 4, 10, 14 (async page faults) and 7 (PV unhalt: it sleeps by HLT) */
	assert_int_equal(get(cpuid, 0x40000001, 0).eax, 0xffffffff & ~0x4490u);
	free(cpuid);
}

static void test_unhalt_stays_where_hlt_exits(void **state)
{
	struct fl_cpuid *cpuid = host_table();
	struct fl_cpuid_facts watch = facts;

	(void)state;
	watch.strict = false;
	assert_int_equal(fl_cpuid_shape(cpuid, &watch), 0);
	assert_int_equal(get(cpuid, 0x40000001, 0).eax, 0xffffffff & ~0x4410u);
	free(cpuid);
}

static void test_leaf1(void **state)
{
	struct fl_cpuid *cpuid = host_table();
	struct fl_cpuid_facts no_timer = facts;

	(void)state;
	assert_int_equal(fl_cpuid_shape(cpuid, &facts), 0);
	assert_int_equal(get(cpuid, 1, 0).ebx, 0x02040900); /* APIC id 2, room for 4 ids */
	assert_int_equal(get(cpuid, 1, 0).ecx, 1u << 31 | 1u << 24);
	assert_int_equal(get(cpuid, 1, 0).edx, 1u << 28 | 1);
	free(cpuid);
	cpuid = host_table();
	no_timer.tsc_deadline = false;
	no_timer.vcpu_count = 1;
	no_timer.apic_id = 0;
	assert_int_equal(fl_cpuid_shape(cpuid, &no_timer), 0);
	assert_int_equal(get(cpuid, 1, 0).ebx, 0x00010900);
	assert_int_equal(get(cpuid, 1, 0).ecx, 1u << 31);
	assert_int_equal(get(cpuid, 1, 0).edx, 1);
	free(cpuid);
}

static void test_topology(void **state)
{
	struct fl_cpuid *cpuid = host_table();

	(void)state;
	assert_int_equal(fl_cpuid_shape(cpuid, &facts), 0);
	/* threads: 1 a core, no bits; cores: 3, in 2 bits; then nothing */
	assert_int_equal(get(cpuid, 0xb, 0).eax, 0);
	assert_int_equal(get(cpuid, 0xb, 0).ebx, 1);
	assert_int_equal(get(cpuid, 0xb, 0).ecx, 0x100);
	assert_int_equal(get(cpuid, 0xb, 1).eax, 2);
	assert_int_equal(get(cpuid, 0xb, 1).ebx, 3);
	assert_int_equal(get(cpuid, 0xb, 1).ecx, 0x201);
	assert_int_equal(get(cpuid, 0xb, 2).ecx, 2);
	assert_int_equal(get(cpuid, 0xb, 2).ebx, 0);
	for (uint32_t level = 0; level < 3; level++)
		assert_int_equal(get(cpuid, 0xb, level).edx, 2);
	assert_null(find(cpuid, 0x1f, 0));
	/* L1 belongs to one vCPU, L3 to all 4 ids; 4 cores */
	assert_int_equal(get(cpuid, 4, 0).eax, 3u << 26 | 0x121);
	assert_int_equal(get(cpuid, 4, 3).eax, 3u << 26 | 3u << 14 | 0x163);
	assert_int_equal(get(cpuid, 0x80000008, 0).ecx & 0xf0ff, 0x2002);
	free(cpuid);
}

static void test_pvpf_block(void **state)
{
	struct fl_cpuid *cpuid = host_table();
	struct kvm_cpuid_entry2 signature, features;
	char text[13] = "";

	(void)state;
	assert_int_equal(fl_cpuid_shape(cpuid, &facts), 0);
	signature = get(cpuid, 0x40000100, 0);
	features = get(cpuid, 0x40000101, 0);
	memcpy(text, &signature.ebx, 4);
	memcpy(text + 4, &signature.ecx, 4);
	memcpy(text + 8, &signature.edx, 4);
	assert_string_equal(text, "PVPageFault");
	assert_int_equal(signature.eax, 0x40000101);
	assert_int_equal(features.eax, 1);
	assert_int_equal(features.ebx, 1 | 2 | 4 | 8); /* errors, linear address, memory failure, idle */
	assert_int_equal(features.ecx, 0x50564600);
	assert_int_equal(features.edx, 11 | 4 << 8);
	assert_null(find(cpuid, 0x40000105, 0));
	free(cpuid);
}

/* HLT sleeps: no other way to idle is needed. */
static void test_pvpf_where_hlt_exits(void **state)
{
	struct fl_cpuid *cpuid = host_table();
	struct fl_cpuid_facts watch = facts;

	(void)state;
	watch.strict = false;
	assert_int_equal(fl_cpuid_shape(cpuid, &watch), 0);
	assert_int_equal(get(cpuid, 0x40000101, 0).ebx, 1 | 2 | 4);
	free(cpuid);
}

static void test_substitute_is_offered_where_a_policy_allows_it(void **state)
{
	struct fl_cpuid *cpuid = host_table();
	struct fl_cpuid_facts generous = facts;

	(void)state;
	generous.offer_substitute = true;
	assert_int_equal(fl_cpuid_shape(cpuid, &generous), 0);
	assert_int_equal(get(cpuid, 0x40000101, 0).ebx, 1 | 2 | 4 | 8 | 16);
	free(cpuid);
}

static void test_pvpf_not_offered(void **state)
{
	struct fl_cpuid *cpuid = host_table();
	struct fl_cpuid_facts plain = facts;

	(void)state;
	plain.offer_pvpf = false;
	assert_int_equal(fl_cpuid_shape(cpuid, &plain), 0);
	assert_null(find(cpuid, 0x40000100, 0));
	assert_null(find(cpuid, 0x40000101, 0));
	free(cpuid);
}

static void test_full_table(void **state)
{
	struct fl_cpuid *cpuid = host_table();

	(void)state;
	while (cpuid->nent < FL_CPUID_ENTRIES_MAX)
		put(cpuid, (struct kvm_cpuid_entry2){.function = 0xd, .index = cpuid->nent});
	/* 4 entries go, 5 would come */
	assert_int_equal(fl_cpuid_shape(cpuid, &facts), -E2BIG);
	free(cpuid);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_async_pf_is_hidden),
	cmocka_unit_test(test_unhalt_stays_where_hlt_exits),
	cmocka_unit_test(test_leaf1),
	cmocka_unit_test(test_topology),
	cmocka_unit_test(test_pvpf_block),
	cmocka_unit_test(test_pvpf_where_hlt_exits),
	cmocka_unit_test(test_substitute_is_offered_where_a_policy_allows_it),
	cmocka_unit_test(test_pvpf_not_offered),
	cmocka_unit_test(test_full_table),
};

FL_TEST_MAIN(30, tests)
