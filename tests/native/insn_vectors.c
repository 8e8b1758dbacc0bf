/* SPDX-License-Identifier: Apache-2.0 */
/* What a case needs beyond general-purpose registers. */
#include <string.h>

#include "tests/native/insn_cases.h"

#define MASK_REG  3u /* VEX.vvvv; opmask k1 */
#define INDEX_REG 7u
#define TILE_REG  2u

/* splitmix64 */
uint64_t insn_random(struct insn_random *random)
{
	uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint64_t insn_place(const struct insn_arena *arena, enum insn_place place, uint64_t len, uint64_t align)
{
	uint64_t good = arena->start + arena->before_len, end = good + arena->good_len;
	uint64_t at = good + arena->good_len / 2;

	switch (place) {
	case PLACE_LOST:
		at = end + FL_PAGE_LEN + 0x234;
		break;
	case PLACE_END_FITS:
		at = end - len;
		break;
	case PLACE_END_1:
		at = end - len + 1;
		break;
	case PLACE_END_MID:
		at = end - len / 2;
		break;
	case PLACE_END_ALL:
		at = end - 1;
		break;
	case PLACE_START_FITS:
		at = good;
		break;
	case PLACE_START_1:
		at = good - 1;
		break;
	case PLACE_START_MID:
		at = good - (len - len / 2);
		break;
	case PLACE_START_ALL:
		at = good - len + 1;
		break;
	case PLACE_LOST_CROSSING:
		at = end + FL_PAGE_LEN - len / 2;
		break;
	case PLACE_GOOD:
	case PLACE_COUNT:
		break;
	}
	return align ? fl_align_down(at, align) : at;
}

/* Which of count elements are selected. */
static uint64_t mask_pattern(unsigned int variant, unsigned int count, struct insn_random *random)
{
	uint64_t all = count >= 64 ? UINT64_MAX : (UINT64_C(1) << count) - 1;

	switch (variant) {
	case 1:
		return 1;
	case 2:
		return UINT64_C(1) << (count - 1);
	case 3:
		return UINT64_C(0xaaaaaaaaaaaaaaaa) & all;
	case 4:
		return 0;
	case 5:
		return all >> (count / 2);
	case 6:
		return all & ~(all >> (count / 2));
	case 7:
		return insn_random(random) & all;
	case 8:
		return UINT64_C(1) << (count * 3 / 4);
	default:
		return all;
	}
}

static void set_signs(struct fl_vectors *v, uint64_t mask, unsigned int bytes)
{
	for (unsigned int i = 0; i < 64 / bytes; i++) {
		uint8_t *top = &v->zmm[MASK_REG][i * bytes + bytes - 1];

		*top = (uint8_t)((*top & 0x7f) | (mask >> i & 1 ? 0x80 : 0));
	}
}

/* Elements anywhere: good, lost, across the border. */
static uint64_t element_address(const struct insn_arena *arena, unsigned int scale, unsigned int bytes,
				struct insn_random *random)
{
	static const enum insn_place places[] = {PLACE_GOOD,	 PLACE_GOOD,	PLACE_GOOD,	     PLACE_GOOD,
						 PLACE_END_FITS, PLACE_END_MID, PLACE_START_MID,     PLACE_LOST,
						 PLACE_END_1,	 PLACE_START_1, PLACE_LOST_CROSSING, PLACE_GOOD};
	uint64_t choice = insn_random(random);
	enum insn_place place = places[choice % FL_ARRAY_SIZE(places)];
	uint64_t at = insn_place(arena, place, bytes, 0);

	if (place == PLACE_GOOD || place == PLACE_LOST)
		at += (choice >> 8) % 0x800;
	return fl_align_down(at, scale);
}

static void fill_indices(const struct insn_form *form, const struct insn_arena *arena,
			 const struct insn_address *address, uint64_t *target, struct insn_random *random,
			 struct fl_vectors *v)
{
	unsigned int bytes = form->flags & F_QINDEX ? 8 : 4;
	uint64_t base = fl_align_down(insn_place(arena, PLACE_GOOD, 0, 0), 8) + insn_random(random) % 64 * 8;

	if (address->base == NO_REG)
		base = fl_align_down(arena->start, 8);
	for (unsigned int i = 0; i < 64 / bytes; i++) {
		uint64_t at = element_address(arena, address->scale, form->element_len, random);
		int64_t index = ((int64_t)at - (int64_t)base) / address->scale;

		memcpy(&v->zmm[INDEX_REG][i * bytes], &index, bytes);
	}
	*target = base;
}

static void fill_tile(const struct insn_spec *spec, const struct insn_form *form, const struct insn_arena *arena,
		      uint64_t *target, struct insn_state *state)
{
	static const int64_t strides[] = {64, 100, 1000, 4096, -64, -4096, 5000, 0};
	static const uint8_t rows[] = {16, 1, 5, 16}, columns[] = {64, 4, 36, 64};
	int64_t stride = strides[spec->variant % FL_ARRAY_SIZE(strides)];
	unsigned int kind = spec->variant / FL_ARRAY_SIZE(strides) % 4;
	uint8_t *config = state->vectors.tile_config;

	config[0] = 1;
	config[1] = kind == 3 ? 3 : 0; /* start_row */
	for (unsigned int i = 0; i < 8; i++) {
		config[16 + 2 * i] = 64;
		config[48 + i] = 16;
	}
	config[16 + 2 * TILE_REG] = columns[kind];
	config[48 + TILE_REG] = rows[kind];
	state->gpr[R14] = (uint64_t)stride;
	*target = insn_place(arena, spec->place, form->len, 0) - (uint64_t)(stride * (int64_t)spec->step);
	state->xinuse |= UINT64_C(3) << 17;
}

static void fill_xsave(const struct insn_spec *spec, const struct insn_arena *arena, uint64_t *target,
		       struct insn_state *state)
{
	static const uint64_t wanted[] = {UINT64_MAX, 3, 7, 0xe7, 1, 2, 4, 0xe0, 0, 0x20, 0x80};
	static const uint64_t in_use[] = {0xe7, 3, 7, 1, 0x83, 0x27};
	uint64_t mask = wanted[spec->variant % FL_ARRAY_SIZE(wanted)];

	state->gpr[RAX] = mask & UINT32_MAX;
	state->gpr[RDX] = mask >> 32;
	state->xinuse = in_use[spec->variant / FL_ARRAY_SIZE(wanted) % FL_ARRAY_SIZE(in_use)];
	if (spec->place == PLACE_END_FITS) /* step lines are on good pages */
		*target = insn_place(arena, PLACE_END_FITS, (uint64_t)spec->step * 64, 64);
	else if (spec->place == PLACE_START_FITS) /* or lost */
		*target = insn_place(arena, PLACE_START_FITS, 0, 64) - (uint64_t)spec->step * 64;
}

void insn_fill_vectors(const struct insn_spec *spec, const struct insn_form *form, const struct insn_arena *arena,
		       const struct insn_address *address, uint64_t *target, struct insn_random *random,
		       struct insn_state *state)
{
	struct fl_vectors *v = &state->vectors;
	unsigned int count = form->element_len ? (unsigned int)form->len / form->element_len : 16;
	uint64_t mask = mask_pattern(spec->variant, count ? count : 1, random);

	state->xinuse = 0xe7;
	for (unsigned int i = 0; i < 32; i++)
		for (unsigned int at = 0; at < 64; at += 8) {
			uint64_t value = insn_random(random);

			memcpy(&v->zmm[i][at], &value, 8);
		}
	for (unsigned int i = 0; i < 8; i++)
		v->k[i] = insn_random(random);
	v->k[1] = mask | (count < 64 ? insn_random(random) << (count & 63) : 0); /* what is above does not count */
	if (form->flags & F_SIGNS)
		set_signs(v, mask, form->element_len);
	if (form->flags & F_VSIB)
		fill_indices(form, arena, address, target, random, v);
	if (form->flags & F_TILE)
		fill_tile(spec, form, arena, target, state);
	if (form->flags & F_XSAVE)
		fill_xsave(spec, arena, target, state);
}
