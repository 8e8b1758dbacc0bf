/* SPDX-License-Identifier: Apache-2.0 */
/* Accesses whose extent masks and state decide: SDM vol. 1, chapters 13 and 18; vol. 2A, 2.8 (fault suppression). */
#include "tests/unit/vcpu/operands_setup.h"

/* Bit 0 of the mask is the scalar's. */
static void test_masked_scalar(void **state)
{
	static const struct expected taken =
		INSN("vmovss (%rbx),%xmm2{%k1}", "\x62\xf1\x7e\x09\x10\x13", {0x2000, 4, R});
	static const struct expected left = INSN("vmovss (%rbx),%xmm2{%k1}", "\x62\xf1\x7e\x09\x10\x13");
	struct setup *s = *state;

	s->vectors.k[1] = 1;
	check(&taken, &s->cpu);
	s->vectors.k[1] = 0xfe;
	check(&left, &s->cpu);
}

/* Class E4NF: what is masked out is read all the same. */
static void test_no_suppression(void **state)
{
	static const struct expected table[] = {
		INSN("vpermd (%rbx),%zmm1,%zmm2{%k1}", "\x62\xf2\x75\x49\x36\x13", {0x2000, 64, R}),
		INSN("vextracti32x4 $1,%zmm2,(%rbx){%k1}", "\x62\xf3\x7d\x49\x39\x13\x01", {0x2000, 16, W}),
	};
	struct setup *s = *state;

	check_all(table, FL_ARRAY_SIZE(table), &s->cpu);
}

static void test_masked_broadcast(void **state)
{
	static const struct expected one =
		INSN("vbroadcastss (%rbx),%zmm2{%k1}", "\x62\xf2\x7d\x49\x18\x13", {0x2000, 4, R});
	static const struct expected none = INSN("vbroadcastss (%rbx),%zmm2{%k1}", "\x62\xf2\x7d\x49\x18\x13");
	/* place 6 of 16 is fed by element 2 of 4 */
	static const struct expected third =
		INSN("vbroadcastf32x4 (%rbx),%zmm2{%k1}", "\x62\xf2\x7d\x49\x1a\x13", {0x2008, 4, R});
	struct setup *s = *state;

	s->vectors.k[1] = 0x8000;
	check(&one, &s->cpu);
	s->vectors.k[1] = 0x10000; /* beyond the 16 */
	check(&none, &s->cpu);
	s->vectors.k[1] = 1 << 6;
	check(&third, &s->cpu);
}

static void test_compress_and_expand(void **state)
{
	static const struct expected table[] = {
		INSN("vpcompressd %zmm2,(%rbx){%k1}", "\x62\xf2\x7d\x49\x8b\x13", {0x2000, 12, W}),
		INSN("vexpandpd (%rbx),%zmm2{%k1}", "\x62\xf2\xfd\x49\x88\x13", {0x2000, 16, R}),
		INSN("vpcompressb %zmm2,(%rbx){%k1}", "\x62\xf2\x7d\x49\x63\x13", {0x2000, 4, W}),
	};
	struct setup *s = *state;

	s->vectors.k[1] = UINT64_C(1) << 40 | 0x8082; /* 3 of 16, 2 of 8, 4 of 64 */
	check_all(table, FL_ARRAY_SIZE(table), &s->cpu);
}

static void put_layout(struct fl_xsave_layout *layout)
{
	layout->component[2].offset = 576;
	layout->component[2].len = 256;
	layout->component[9].offset = 2688;
	layout->component[9].len = 8;
	layout->component[17].offset = 2752;
	layout->component[17].len = 64;
	layout->component[17].aligned = true;
}

static void test_xsave(void **state)
{
	static const struct expected all = INSN("xsave (%rbx)", "\x0f\xae\x23", {0x2000, 24, W}, {0x2018, 8, W},
						{0x2020, 128, W}, {0x20a0, 256, W}, {0x2200, 64, W}, {0x2240, 256, W},
						{0x2000 + 2688, 8, W}, {0x2000 + 2752, 64, W});
	static const struct expected avx =
		INSN("xrstor (%rbx)", "\x0f\xae\x2b", {0x2018, 8, R}, {0x2200, 64, R}, {0x2240, 256, R});
	static const struct expected nothing = INSN("xsaveopt (%rbx)", "\x0f\xae\x33", {0x2200, 64, W});
	struct setup *s = *state;

	put_layout(&s->layout);
	s->vectors.xsave = &s->layout;
	s->vectors.xcr0 = 0x60207;
	s->regs.rax = s->regs.rdx = UINT32_MAX;
	check(&all, &s->cpu);
	s->regs.rdx = 0;
	s->regs.rax = 4;
	check(&avx, &s->cpu);
	s->regs.rax = 0x8; /* not enabled */
	check(&nothing, &s->cpu);
}

/* One after the other, TILECFG at a multiple of 64; and no MXCSR with AVX alone. */
static void test_xsavec(void **state)
{
	static const struct expected compacted = INSN("xsavec (%rbx)", "\x0f\xc7\x23", {0x2200, 64, W},
						      {0x2240, 256, W}, {0x2340, 8, W}, {0x2380, 64, W});
	struct setup *s = *state;

	put_layout(&s->layout);
	s->vectors.xsave = &s->layout;
	s->vectors.xcr0 = 0x60207;
	s->regs.rdx = 0;
	s->regs.rax = 0x20204;
	check(&compacted, &s->cpu);
}

/* Rows of 36 bytes, 0x30 * 1 apart, from start_row on. */
static void test_tiles(void **state)
{
	static const struct expected load = INSN("tileloadd (%rbx,%rdx),%tmm2", "\xc4\xe2\x7b\x4b\x14\x13",
						 {0x2030, 36, R}, {0x2060, 36, R}, {0x2090, 36, R});
	static const struct expected store = INSN("tilestored %tmm2,0x10(%rbx,%rdx,2)", "\xc4\xe2\x7a\x4b\x54\x53\x10",
						  {0x2070, 36, W}, {0x20d0, 36, W}, {0x2130, 36, W});
	struct setup *s = *state;

	s->vectors.tile_config[0] = 1;
	s->vectors.tile_config[1] = 1;
	s->vectors.tile_config[16 + 2 * 2] = 36;
	s->vectors.tile_config[48 + 2] = 4;
	check(&load, &s->cpu);
	check(&store, &s->cpu);
}

/* A guest may put anything there. */
static void test_tiles_out_of_range(void **state)
{
	struct setup *s = *state;
	struct fl_access_list list;

	memset(s->vectors.tile_config, 0xff, sizeof(s->vectors.tile_config));
	s->vectors.tile_config[1] = 0;
	list_with("\xc4\xe2\x7b\x4b\x14\x13", 6, &s->cpu, &list);
	assert_int_equal(list.count, 16);
	assert_int_equal(list.item[15].len, 64);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
static const struct CMUnitTest tests[] = {
	TEST(test_masked_scalar),
	TEST(test_no_suppression),
	TEST(test_masked_broadcast),
	TEST(test_compress_and_expand),
	TEST(test_xsave),
	TEST(test_xsavec),
	TEST(test_tiles),
	TEST(test_tiles_out_of_range),
};
FL_TEST_MAIN(20, tests)
