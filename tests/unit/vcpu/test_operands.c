/* SPDX-License-Identifier: Apache-2.0 */
/* Which addresses an instruction accesses, in which order: expectations from the manuals (SDM vol. 2). */
#include "tests/lib/fl_test.h"

#include "tests/unit/vcpu/insn_regs.h"
#include "tests/unit/vcpu/operands_check.h"

static void test_addressing(void **state)
{
	static const struct expected table[] = {
		INSN("mov (%rbx),%rax", "\x48\x8b\x03", {0x2000, 8, R}),
		INSN("mov %eax,0x10(%rbx,%rcx,8)", "\x89\x44\xcb\x10", {0x2030, 4, W}),
		INSN("mov 0x100(%rip),%ecx", "\x8b\x0d\x00\x01\x00\x00", {0x400106, 4, R}),
		INSN("mov %fs:0x28,%rax", "\x64\x48\x8b\x04\x25\x28\x00\x00\x00", {FS_BASE + 0x28, 8, R}),
		INSN("mov %gs:(%rbx),%al", "\x65\x8a\x03", {GS_BASE + 0x2000, 1, R}),
		INSN("movabs 0x1122334455667788,%al", "\xa0\x88\x77\x66\x55\x44\x33\x22\x11",
		     {0x1122334455667788, 1, R}),
		INSN("cmove (%rbx),%rax", "\x48\x0f\x44\x03", {0x2000, 8, R}),
		INSN("xlat", "\xd7", {0x2010, 1, R}),
	};
	struct kvm_regs regs = test_regs();
	struct kvm_sregs sregs = test_sregs();
	const struct fl_cpu_view cpu = {.regs = &regs, .sregs = &sregs};

	(void)state;
	check_all(table, FL_ARRAY_SIZE(table), &cpu);
}

/* The address-size prefix: registers count 32 bits, and the sum wraps there. */
static void test_32bit_addresses(void **state)
{
	static const struct expected wraps = INSN("mov 8(%ebx),%eax", "\x67\x8b\x43\x08", {4, 4, R});
	struct kvm_regs regs = test_regs();
	struct kvm_sregs sregs = test_sregs();
	const struct fl_cpu_view cpu = {.regs = &regs, .sregs = &sregs};

	(void)state;
	regs.rbx = 0xabcd0000fffffffc;
	check(&wraps, &cpu);
}

/* 32-bit code: segment bases count, everything wraps at 4 GiB. */
static void test_32bit_code(void **state)
{
	static const struct expected table[] = {
		INSN("mov (%ebx),%eax", "\x8b\x03", {0x11113000, 4, R}),
		INSN("push %eax", "\x50", {0x2222affc, 4, W}),
		INSN("push %ds", "\x1e", {0x2222affc, 2, W}),
		INSN("arpl %ax,(%ebx)", "\x63\x03", {0x11113000, 2, R}, {0x11113000, 2, W}),
		INSN("mov (%bx,%si),%al", "\x67\x8a\x00", {0x11111000 + 0x8000, 1, R}),
		/* EAX first, at the top */
		INSN("pusha", "\x60", {0x2222affc, 4, W}, {0x2222aff8, 4, W}, {0x2222aff4, 4, W}, {0x2222aff0, 4, W},
		     {0x2222afec, 4, W}, {0x2222afe8, 4, W}, {0x2222afe4, 4, W}, {0x2222afe0, 4, W}),
	};
	struct kvm_regs regs = test_regs();
	struct kvm_sregs sregs = test_sregs();
	const struct fl_cpu_view cpu = {.regs = &regs, .sregs = &sregs};

	(void)state;
	sregs.cs.l = 0;
	sregs.cs.db = 1;
	sregs.cs.base = 0xfff00000;
	check_all(table, FL_ARRAY_SIZE(table), &cpu);
	assert_int_equal(fl_insn_linear(&cpu), 0x300000); /* 0xfff00000 + 0x400000, wrapped */
}

static void test_stack(void **state)
{
	static const struct expected table[] = {
		INSN("push %rax", "\x50", {0x8ff8, 8, W}),
		INSN("push %ax", "\x66\x50", {0x8ffe, 2, W}),
		INSN("push (%rbx)", "\xff\x33", {0x2000, 8, R}, {0x8ff8, 8, W}),
		INSN("pop (%rbx)", "\x8f\x03", {0x9000, 8, R}, {0x2000, 8, W}),
		/* the destination is computed with the incremented RSP */
		INSN("pop 8(%rsp)", "\x8f\x44\x24\x08", {0x9000, 8, R}, {0x9010, 8, W}),
		INSN("call *(%rbx)", "\xff\x13", {0x2000, 8, R}, {0x8ff8, 8, W}),
		INSN("call .+5", "\xe8\x00\x00\x00\x00", {0x8ff8, 8, W}),
		INSN("ret", "\xc3", {0x9000, 8, R}),
		/* at last a store to the new top of the stack is tried */
		INSN("enter $16,$0", "\xc8\x10\x00\x00", {0x8ff8, 8, W}, {0x8fe8, 1, W}),
		INSN("enter $16,$3", "\xc8\x10\x00\x03", {0x8ff8, 8, W}, {0x7ff8, 8, R}, {0x8ff0, 8, W}, {0x7ff0, 8, R},
		     {0x8fe8, 8, W}, {0x8fe0, 8, W}, {0x8fd0, 1, W}),
		INSN("leave", "\xc9", {0x8000, 8, R}),
		INSN("iretq", "\x48\xcf", {0x9010, 8, R}, {0x9008, 2, R}, {0x9000, 8, R}, {0x9018, 8, R},
		     {0x9020, 2, R}),
		INSN("lretq", "\x48\xcb", {0x9008, 2, R}, {0x9000, 8, R}),
		/* a selector is all that is read of its slot */
		INSN("pop %gs", "\x0f\xa9", {0x9000, 2, R}),
		INSN("push %fs", "\x0f\xa0", {0x8ff8, 8, W}),
		INSN("pushfq", "\x9c", {0x8ff8, 8, W}),
	};
	struct kvm_regs regs = test_regs();
	struct kvm_sregs sregs = test_sregs();
	const struct fl_cpu_view cpu = {.regs = &regs, .sregs = &sregs};

	(void)state;
	check_all(table, FL_ARRAY_SIZE(table), &cpu);
}

static const struct expected strings[] = {
	INSN("rep movsb", "\xf3\xa4", {0x6000, 1, R}, {0x7000, 1, W}),
	INSN("movsl", "\xa5", {0x6000, 4, R}, {0x7000, 4, W}),
	INSN("rep movsq", "\xf3\x48\xa5", {0x6000, 8, R}, {0x7000, 8, W}),
	INSN("cmpsw", "\x66\xa7", {0x7000, 2, R}, {0x6000, 2, R}),
	INSN("stosq", "\x48\xab", {0x7000, 8, W}),
	INSN("lodsb", "\xac", {0x6000, 1, R}),
	INSN("scasb", "\xae", {0x7000, 1, R}),
	INSN("outsb", "\x6e", {0x6000, 1, R}),
	INSN("insb", "\x6c", {0x7000, 1, W}),
};

/* The element at the pointers comes first, in both directions (SDM vol. 2B MOVS: the pointers move afterwards). */
static void test_strings(void **state)
{
	struct kvm_regs regs = test_regs();
	struct kvm_sregs sregs = test_sregs();
	const struct fl_cpu_view cpu = {.regs = &regs, .sregs = &sregs};
	struct fl_access_list list;

	(void)state;
	check_all(strings, FL_ARRAY_SIZE(strings), &cpu);
	regs.rflags |= 0x400;
	check_all(strings, FL_ARRAY_SIZE(strings), &cpu);
	regs.rcx = 0;
	list_with("\xf3\xa4", 2, &cpu, &list);
	assert_int_equal(list.count, 0);
	list_with("\xa5", 1, &cpu, &list);
	assert_int_equal(list.count, 2);
}

static void test_read_modify_write(void **state)
{
	static const struct expected table[] = {
		INSN("lock addq $1,(%rbx)", "\xf0\x48\x83\x03\x01", {0x2000, 8, W}),
		INSN("xchg %rax,(%rbx)", "\x48\x87\x03", {0x2000, 8, W}),
		INSN("cmpxchg16b (%rbx)", "\x48\x0f\xc7\x0b", {0x2000, 16, W}),
		/* bit 0x10 of the string at 0x2000 lies in its first quadword */
		INSN("bts %rax,(%rbx)", "\x48\x0f\xab\x03", {0x2000, 8, W}),
		INSN("fxsave (%rbx)", "\x0f\xae\x03", {0x2000, 512, W}),
		INSN("movdir64b (%rbx),%rdi", "\x66\x0f\x38\xf8\x3b", {0x2000, 64, R}, {0x7000, 64, W}),
		INSN("maskmovdqu %xmm1,%xmm2", "\x66\x0f\xf7\xd1", {0x7000, 16, W}),
		/* the prefix is the source's */
		INSN("movdir64b %gs:(%rbx),%rdi", "\x65\x66\x0f\x38\xf8\x3b", {GS_BASE + 0x2000, 64, R},
		     {0x7000, 64, W}),
		/* one byte stands for the line */
		INSN("clflush (%rbx)", "\x0f\xae\x3b", {0x2000, 1, R}),
		INSN("clwb (%rbx)", "\x66\x0f\xae\x33", {0x2000, 1, R}),
	};
	struct kvm_regs regs = test_regs();
	struct kvm_sregs sregs = test_sregs();
	const struct fl_cpu_view cpu = {.regs = &regs, .sregs = &sregs};

	(void)state;
	check_all(table, FL_ARRAY_SIZE(table), &cpu);
}

static void test_bit_string(void **state)
{
	static const struct expected up = INSN("bts %rax,(%rbx)", "\x48\x0f\xab\x03", {0x2000 + 8 * 3, 8, W});
	static const struct expected down = INSN("bts %rax,(%rbx)", "\x48\x0f\xab\x03", {0x2000 - 8, 8, W});
	struct kvm_regs regs = test_regs();
	struct kvm_sregs sregs = test_sregs();
	const struct fl_cpu_view cpu = {.regs = &regs, .sregs = &sregs};

	(void)state;
	regs.rax = 64 * 3 + 5;
	check(&up, &cpu);
	regs.rax = (uint64_t)-1;
	check(&down, &cpu);
}

static void test_touches_nothing(void **state)
{
	static const struct expected table[] = {
		INSN("prefetcht0 (%rbx)", "\x0f\x18\x0b"),
		INSN("nopl (%rbx)", "\x0f\x1f\x03"),
		INSN("lea (%rbx),%rax", "\x48\x8d\x03"),
		INSN("invlpg (%rbx)", "\x0f\x01\x3b"),
		INSN("nop", "\x90"),
		INSN("jmp *%rax", "\xff\xe0"),
	};
	struct kvm_regs regs = test_regs();
	struct kvm_sregs sregs = test_sregs();
	const struct fl_cpu_view cpu = {.regs = &regs, .sregs = &sregs};

	(void)state;
	check_all(table, FL_ARRAY_SIZE(table), &cpu);
}

static void put32(struct fl_vectors *vectors, unsigned int reg, unsigned int element, uint32_t value)
{
	memcpy(&vectors->zmm[reg][element * 4], &value, 4);
}

static void put64(struct fl_vectors *vectors, unsigned int reg, unsigned int element, uint64_t value)
{
	memcpy(&vectors->zmm[reg][element * 8], &value, 8);
}

static void test_vectors(void **state)
{
	static const struct expected table[] = {
		INSN("vmovdqu (%rbx),%ymm0", "\xc5\xfe\x6f\x03", {0x2000, 32, R}),
		INSN("vmovdqu %ymm0,(%rbx)", "\xc5\xfe\x7f\x03", {0x2000, 32, W}),
		INSN("vaddps (%rbx){1to16},%zmm1,%zmm2", "\x62\xf1\x74\x58\x58\x13", {0x2000, 4, R}),
	};
	struct kvm_regs regs = test_regs();
	struct kvm_sregs sregs = test_sregs();
	const struct fl_cpu_view cpu = {.regs = &regs, .sregs = &sregs};

	(void)state;
	check_all(table, FL_ARRAY_SIZE(table), &cpu);
}

/* Elements 1 and 6 of 8 (floats), 3 of 4 (doubles), and bits 0 and 15 of an opmask are selected. */
static void test_masked(void **state)
{
	static const struct expected load =
		INSN("vmaskmovps (%rbx),%ymm2,%ymm1", "\xc4\xe2\x6d\x2c\x0b", {0x2004, 4, R}, {0x2018, 4, R});
	static const struct expected store =
		INSN("vmaskmovpd %ymm1,%ymm2,(%rbx)", "\xc4\xe2\x6d\x2f\x0b", {0x2018, 8, W});
	static const struct expected opmask =
		INSN("vmovdqu32 (%rbx),%zmm1{%k2}", "\x62\xf1\x7e\x4a\x6f\x0b", {0x2000, 4, R}, {0x203c, 4, R});
	struct kvm_regs regs = test_regs();
	struct kvm_sregs sregs = test_sregs();
	struct fl_vectors vectors = {.k[2] = 0x8001};
	const struct fl_cpu_view cpu = {.regs = &regs, .sregs = &sregs, .vectors = &vectors};

	(void)state;
	put32(&vectors, 2, 1, 0x80000000);
	put32(&vectors, 2, 6, 0xffffffff);
	put32(&vectors, 2, 0, 0x7fffffff);
	check(&load, &cpu);
	check(&opmask, &cpu);
	memset(vectors.zmm[2], 0, sizeof(vectors.zmm[2]));
	put64(&vectors, 2, 3, 0x8000000000000000);
	check(&store, &cpu);
}

static void test_gather(void **state)
{
	/* indices of ymm2, elements with the sign bit in ymm1 */
	static const struct expected dwords = INSN("vgatherdps %ymm1,(%rbx,%ymm2,4),%ymm3", "\xc4\xe2\x75\x92\x1c\x93",
						   {0x2000 + 4 * 5, 4, R}, {0x2000 - 4 * 2, 4, R});
	static const struct expected qwords = INSN("vpgatherqd %xmm1,(%rbx,%ymm2,4),%xmm3", "\xc4\xe2\x75\x91\x1c\x93",
						   {0x2000 + 4 * UINT64_C(0x100000000), 4, R});
	static const struct expected scatter =
		INSN("vscatterdpd %zmm3,(%rbx,%ymm2,8){%k1}", "\x62\xf2\xfd\x49\xa2\x1c\xd3", {0x2000 + 8 * 9, 8, W});
	struct kvm_regs regs = test_regs();
	struct kvm_sregs sregs = test_sregs();
	struct fl_vectors vectors = {.k[1] = 1 << 7};
	const struct fl_cpu_view cpu = {.regs = &regs, .sregs = &sregs, .vectors = &vectors};

	(void)state;
	put32(&vectors, 2, 1, 5);
	put32(&vectors, 2, 4, (uint32_t)-2);
	put32(&vectors, 2, 7, 9);
	put32(&vectors, 1, 1, 0x80000000);
	put32(&vectors, 1, 4, 0x80000000);
	check(&dwords, &cpu);
	check(&scatter, &cpu);
	memset(vectors.zmm, 0, sizeof(vectors.zmm));
	put64(&vectors, 2, 2, 0x100000000);
	put32(&vectors, 1, 2, 0x80000000);
	check(&qwords, &cpu);
}

static void test_needs_vectors(void **state)
{
	struct kvm_sregs sregs = test_sregs();
	struct fl_insn insn;

	(void)state;
	assert_int_equal(fl_insn_decode((const uint8_t *)"\xc4\xe2\x75\x92\x1c\x93", 6, &sregs, &insn), 0);
	assert_true(fl_insn_needs_vectors(&insn));
	assert_int_equal(fl_insn_decode((const uint8_t *)"\xc5\xfe\x6f\x03", 4, &sregs, &insn), 0);
	assert_false(fl_insn_needs_vectors(&insn));
	assert_int_equal(fl_insn_decode((const uint8_t *)"\x48\x8b\x03", 3, &sregs, &insn), 0);
	assert_false(fl_insn_needs_vectors(&insn));
}

static void test_decode_errors(void **state)
{
	struct kvm_sregs sregs = test_sregs();
	struct fl_insn insn;

	(void)state;
	assert_int_equal(fl_insn_decode((const uint8_t *)"\x48\x8b", 2, &sregs, &insn), -EAGAIN);
	/* PUSH ES does not exist in 64-bit mode */
	assert_int_equal(fl_insn_decode((const uint8_t *)"\x06\x90", 2, &sregs, &insn), -EINVAL);
	/* 15 prefixes leave no room for an opcode */
	assert_int_equal(fl_insn_decode((const uint8_t *)"\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66",
					15, &sregs, &insn),
			 -EINVAL);
}

/* No byte sequence may do harm; a fixed generator, so that a failure can be had again. */
static void test_any_bytes(void **state)
{
	struct kvm_regs regs = test_regs();
	struct kvm_sregs sregs = test_sregs();
	struct fl_vectors vectors = {.k = {0, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull, ~0ull}};
	struct fl_cpu_view cpu = {.regs = &regs, .sregs = &sregs, .vectors = &vectors};
	uint64_t random = 88172645463325252u;

	(void)state;
	memset(vectors.zmm, 0xff, sizeof(vectors.zmm));
	for (unsigned int i = 0; i < 300000; i++) {
		struct fl_access_list list;
		struct fl_insn insn;
		uint8_t bytes[16];

		for (unsigned int half = 0; half < 2; half++) {
			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			memcpy(bytes + 8 * half, &random, 8);
		}
		if (i % 3 == 0)
			bytes[0] = (uint8_t)(i % 2 ? 0x62 : 0xc4);
		sregs.cs.l = i % 4 != 0;
		if (fl_insn_decode(bytes, FL_INSN_LEN_MAX, &sregs, &insn))
			continue;
		fl_operands_list(&insn, &cpu, &list);
		assert_true(list.count <= FL_ACCESSES_MAX);
		for (unsigned int n = 0; n < list.count; n++)
			assert_true(list.item[n].len > 0 && list.item[n].len <= 16384);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_addressing),    cmocka_unit_test(test_32bit_addresses),
	cmocka_unit_test(test_32bit_code),    cmocka_unit_test(test_stack),
	cmocka_unit_test(test_strings),	      cmocka_unit_test(test_read_modify_write),
	cmocka_unit_test(test_bit_string),    cmocka_unit_test(test_touches_nothing),
	cmocka_unit_test(test_vectors),	      cmocka_unit_test(test_masked),
	cmocka_unit_test(test_gather),	      cmocka_unit_test(test_needs_vectors),
	cmocka_unit_test(test_decode_errors), cmocka_unit_test(test_any_bytes),
};

FL_TEST_MAIN(50, tests)
