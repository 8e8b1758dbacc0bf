/* SPDX-License-Identifier: Apache-2.0 */
/* From a case's few numbers to registers and bytes. */
#include "tests/native/insn_cases.h"

#include <string.h>

#define SEGMENT_FS 0x64
#define SEGMENT_GS 0x65
/* HLT is #GP for both a process and a guest at CPL 3; not every KVM lets CPL 3 have INT3 */
#define HLT	     0xf4
#define USER_ADDRESS UINT64_C(0x7fffffffffff)
#define LOW32(x)     ((x)&UINT32_MAX)

struct making {
	const struct insn_world *world;
	const struct insn_spec *spec;
	struct insn_case *c;
	struct insn_random random;
	int64_t disp;
	uint64_t at, at2; /* where the operands are to lie */
};

size_t insn_form_total(void)
{
	return insn_forms_general_count + insn_forms_vector_count;
}

const struct insn_form *insn_form_at(size_t number)
{
	return number < insn_forms_general_count ? &insn_forms_general[number]
						 : &insn_forms_vector[number - insn_forms_general_count];
}

static unsigned int address_width(const struct making *m)
{
	if (m->spec->bits == BITS_32_ADDRESS16)
		return 16;
	return m->spec->bits != BITS_64 || m->c->address->short_address ? 32 : 64;
}

/* A register whose upper part does not count for addresses. */
static uint64_t widen(struct making *m, uint64_t value)
{
	unsigned int width = address_width(m), all = m->spec->bits == BITS_64 ? 64 : 32;

	if (width < all)
		value = (value & ((UINT64_C(1) << width) - 1)) | insn_random(&m->random) << width;
	return all == 32 ? LOW32(value) : value;
}

static uint64_t segment_base(const struct making *m, bool data)
{
	if (data && m->c->address->segment == SEGMENT_GS)
		return m->spec->bits == BITS_64 ? m->world->gs_base : m->world->ldt_base;
	if (data && m->c->address->segment == SEGMENT_FS)
		return m->world->fs_base;
	return m->spec->bits == BITS_32_SEGMENT ? m->world->ldt_base : 0;
}

static int64_t random_disp(struct making *m)
{
	uint64_t value = insn_random(&m->random);

	switch (m->c->address->disp_len) {
	case 1:
		return (int8_t)value * (m->c->form->flags & F_SCALED ? (int64_t)m->c->form->len : 1);
	case 2:
		return (int16_t)value;
	case 4:
		return (int32_t)value;
	default:
		return 0;
	}
}

/* BT and the like: the register's bit number moves the operand. */
static uint64_t bit_string_offset(struct making *m)
{
	int64_t units = (int64_t)(insn_random(&m->random) % 64) - 32;
	unsigned int bits = m->c->form->len * 8u;

	m->c->state.gpr[RDX] = (uint64_t)(units * bits + (int64_t)(insn_random(&m->random) % bits));
	if (m->spec->bits != BITS_64)
		m->c->state.gpr[RDX] = LOW32(m->c->state.gpr[RDX]);
	return (uint64_t)(units * (bits / 8));
}

/* RSP is where the other operand has put it; POP computes the address with the RSP of after. */
static bool set_by_stack(struct making *m, uint64_t offset)
{
	uint64_t rsp = m->c->state.gpr[RSP] + (m->c->form->flags & F_POP2 ? m->c->form->len2 : 0);

	m->disp = (int64_t)(offset - rsp);
	return m->c->address->disp_len == 4 && m->c->address->index == NO_REG && m->disp == (int32_t)m->disp;
}

static bool set_modrm(struct making *m)
{
	const struct insn_address *a = m->c->address;
	const struct insn_form *form = m->c->form;
	uint64_t *gpr = m->c->state.gpr, offset = m->at - segment_base(m, true), index = 0;

	if (form->flags & F_BITS)
		offset -= bit_string_offset(m);
	if (a->rip_relative) {
		m->disp = (int64_t)offset;
		return true;
	}
	if (a->base == RSP && form->flags & (F_PUSH2 | F_POP2))
		return set_by_stack(m, offset);
	if (a->index != NO_REG && !(form->flags & F_VSIB)) {
		if (!(form->flags & F_TILE))
			gpr[a->index] = widen(m, insn_random(&m->random) % (a->base == NO_REG ? 4096 : UINT64_MAX));
		index = form->flags & F_TILE ? 0 : gpr[a->index] * a->scale;
	}
	if (address_width(m) < 64)
		index &= UINT32_MAX;
	m->disp = a->base == NO_REG ? (int32_t)(offset - index) : random_disp(m);
	if (a->base != NO_REG)
		gpr[a->base] = widen(m, offset - index - (uint64_t)m->disp);
	return true;
}

static void set_fixed(struct making *m)
{
	const struct insn_form *form = m->c->form;
	uint64_t *gpr = m->c->state.gpr, data = segment_base(m, true), plain = segment_base(m, false);

	m->disp = (int64_t)(m->at - data);
	if (form->flags & F_RSI)
		gpr[RSI] = widen(m, m->at - data);
	if (form->flags & F_RDI) /* strings store to ES, whatever the prefix */
		gpr[RDI] = widen(m, m->at - (form->class == CLASS_STRING ? plain : data));
	if (form->flags & F_RDI2)
		gpr[RDI] = widen(m, m->at2 - plain);
	if (form->flags & F_RAX)
		gpr[RAX] = widen(m, m->at - data);
	if (form->flags & F_XLAT)
		gpr[RBX] = widen(m, m->at - data - (gpr[RAX] & 0xff));
	if (form->flags & F_REG2)
		gpr[RDX] = widen(m, m->at2 - plain);
	if (form->flags & F_TARGET)
		gpr[RDX] = m->world->code;
}

static void set_stack(struct making *m)
{
	const struct insn_form *form = m->c->form;
	uint64_t *gpr = m->c->state.gpr, base = segment_base(m, false);

	if (form->flags & F_PUSH)
		gpr[RSP] = m->at + form->len - base;
	if (form->flags & F_POP)
		gpr[RSP] = m->at - base;
	if (form->flags & F_PUSH2)
		gpr[RSP] = m->at2 + form->len2 - base;
	if (form->flags & F_POP2)
		gpr[RSP] = m->at2 - base;
	if (form->flags & F_RBP)
		gpr[RBP] = m->at - base;
	if (form->flags & F_ENTER) {
		gpr[RSP] = m->at + form->len - base;
		gpr[RBP] = m->at2 + form->len2 - base;
	}
}

/* The first of some elements before the border, in the direction of the strings. */
static uint64_t repeat_from(const struct making *m, enum insn_place place, uint64_t len)
{
	const struct insn_arena *arena = m->c->arena;
	uint64_t good = arena->start + arena->before_len, before = (uint64_t)m->spec->step * len;
	uint64_t split = m->spec->variant & 2 ? len / 2 : 0;

	if (place == PLACE_GOOD)
		return good + arena->good_len / 2;
	if (m->spec->variant & 1) /* downwards */
		return good - len + before + split;
	return good + arena->good_len - before - split;
}

static void set_repetition(struct making *m)
{
	const struct insn_spec *spec = m->spec;
	const struct insn_form *form = m->c->form;

	if (form->class != CLASS_STRING)
		return;
	if (spec->variant & 1)
		m->c->state.rflags |= INSN_FLAGS_DF;
	if (!(form->flags & F_REP))
		return;
	m->c->state.gpr[RCX] = widen(m, (uint64_t)spec->step + 3);
	if (spec->fetch)
		return;
	m->at = repeat_from(m, spec->place, form->len);
	m->at2 = repeat_from(m, spec->place2, form->len2);
	if (form->code[1] == '3') /* REPE: the pages hold zeros */
		m->c->state.gpr[RAX] = 0;
}

static void set_segments(struct making *m)
{
	struct insn_state *state = &m->c->state;
	bool ldt = m->spec->bits == BITS_32_SEGMENT;

	state->cs = m->spec->bits == BITS_64 ? INSN_CS_64 : INSN_CS_32;
	state->ss = ldt ? m->world->ldt_data : 0x2b;
	state->ds = state->es = ldt ? m->world->ldt_data : m->spec->bits == BITS_64 ? 0 : 0x2b;
	state->fs_base = m->world->fs_base;
	state->gs = m->spec->bits == BITS_64 ? 0 : m->world->ldt_data;
	state->gs_base = state->gs ? m->world->ldt_base : m->world->gs_base;
}

static bool encode(struct making *m)
{
	struct insn_case *c = m->c;
	const struct insn_arena *low = &m->world->arena[ARENA_LOW];
	struct insn_coding coding = {.form = c->form,
				     .address = c->address,
				     .disp = m->disp,
				     .reg = RDX,
				     .legacy = m->spec->bits != BITS_64,
				     .address16 = m->spec->bits == BITS_32_ADDRESS16};

	if (c->form->flags & F_OPMASK && (m->spec->variant || c->form->flags & F_VSIB))
		coding.mask = 1;
	c->state.rip = m->world->code + insn_random(&m->random) % 0x700;
	if (m->spec->fetch)
		c->state.rip = low->start + low->before_len + low->good_len - (uint64_t)m->spec->step;
	coding.rip = c->state.rip;
	c->len = insn_encode(&coding, c->bytes);
	c->bytes[c->len] = HLT;
	return c->len != 0;
}

static enum insn_class class_of(const struct insn_spec *spec, const struct insn_form *form)
{
	if (spec->fetch)
		return CLASS_FETCH;
	switch ((enum insn_bits)spec->bits) {
	case BITS_32:
		return CLASS_COMPAT;
	case BITS_32_ADDRESS16:
		return CLASS_REAL_ADDRESS;
	case BITS_32_SEGMENT:
		return CLASS_COMPAT_SEGMENT;
	case BITS_64:
		break;
	}
	return form->class == CLASS_AVX512 && spec->variant ? CLASS_AVX512_MASKED : form->class;
}

bool insn_case_make(const struct insn_world *world, const struct insn_spec *spec, uint64_t seed, size_t number,
		    struct insn_case *c)
{
	struct making m = {.world = world, .spec = spec, .c = c, .random = {seed ^ number * 0x10001}};

	*c = (struct insn_case){.form = insn_form_at(spec->form)};
	c->address = &insn_addresses(c->form, spec->bits).item[spec->address];
	c->arena = spec->read_only ? &world->read_only[spec->arena] : &world->arena[spec->arena];
	c->class = class_of(spec, c->form);
	for (unsigned int i = 0; i < 16; i++)
		c->state.gpr[i] = spec->bits == BITS_64 ? insn_random(&m.random) : LOW32(insn_random(&m.random));
	if (world->user_stack)
		c->state.gpr[RSP] &= USER_ADDRESS;
	c->state.rflags = 0x202;
	m.at = insn_place(c->arena, spec->place, c->form->len, c->form->align);
	m.at2 = insn_place(c->arena, spec->place2, c->form->len2, c->form->align);
	if (spec->place2 == PLACE_GOOD)
		m.at2 += FL_PAGE_LEN;
	set_repetition(&m);
	insn_fill_vectors(spec, c->form, c->arena, c->address, &m.at, &m.random, &c->state);
	c->at = m.at;
	c->at2 = m.at2;
	set_segments(&m);
	set_stack(&m);
	set_fixed(&m);
	if (strchr(c->form->code, '/') && !set_modrm(&m))
		return false;
	return encode(&m);
}
