/* SPDX-License-Identifier: Apache-2.0 */
/* The list of all cases. */
#include "tests/native/insn_cases.h"

#include <string.h>

#define MASK_VARIANTS  9u
#define TILE_VARIANTS  32u
#define XSAVE_VARIANTS 66u
#define GATHER_ROUNDS  120u

struct listing {
	const struct insn_world *world;
	struct insn_specs *specs;
	size_t form_number;
	const struct insn_form *form;
	enum insn_bits bits;
	size_t addresses;
};

static void add(struct listing *l, struct insn_spec spec)
{
	struct insn_specs *specs = l->specs;
	const struct insn_address *address;

	spec.form = (uint16_t)l->form_number;
	spec.bits = (uint8_t)l->bits;
	spec.address = (uint8_t)(spec.address % l->addresses);
	address = &insn_addresses(l->form, l->bits).item[spec.address];
	spec.arena = address->low || l->bits != BITS_64 || specs->count % 2 ? ARENA_LOW : ARENA_HIGH;
	if (l->bits == BITS_32_ADDRESS16)
		spec.arena = ARENA_TINY;
	/* a null GS may not be used in 32-bit code */
	if (l->bits != BITS_64 && address->segment == 0x65 && !l->world->ldt_base)
		return;
	if (!(spec.read_only ? l->world->read_only[spec.arena].start : l->world->arena[spec.arena].start))
		return;
	if (specs->count == specs->room) {
		size_t room = specs->room ? specs->room * 2 : 4096;
		struct insn_spec *item = reallocarray(specs->item, room, sizeof(*item));

		if (!item)
			return;
		specs->item = item;
		specs->room = room;
	}
	specs->item[specs->count++] = spec;
}

/* All ways of addressing for some, two that change with the form for the others. */
static void add_addressed(struct listing *l, struct insn_spec spec)
{
	size_t first = l->form_number * 5 + spec.place * 3u + spec.variant + spec.place2;

	if (l->form->flags & F_WIDE && !spec.variant) {
		for (size_t i = 0; i < l->addresses; i++) {
			spec.address = (uint8_t)i;
			add(l, spec);
		}
		return;
	}
	spec.address = (uint8_t)(first % l->addresses);
	add(l, spec);
	if (l->addresses > 1 && !spec.variant) {
		spec.address = (uint8_t)((first + l->addresses / 2) % l->addresses);
		add(l, spec);
	}
}

static void list_places(struct listing *l, uint8_t variant)
{
	for (uint8_t place = 0; place < PLACE_COUNT; place++)
		add_addressed(l, (struct insn_spec){.place = place, .variant = variant});
	for (uint8_t place = PLACE_LOST; place < PLACE_COUNT; place += 2)
		add_addressed(l, (struct insn_spec){.place = place, .variant = variant, .read_only = true});
	if (!l->form->len2)
		return;
	for (uint8_t place = PLACE_LOST; place < PLACE_COUNT; place++) {
		add_addressed(l, (struct insn_spec){.place2 = place, .variant = variant});
		add_addressed(l, (struct insn_spec){.place = place, .place2 = PLACE_LOST, .variant = variant});
		add_addressed(l, (struct insn_spec){.place = PLACE_LOST, .place2 = place, .variant = variant});
	}
	add_addressed(l, (struct insn_spec){.place2 = PLACE_END_MID, .variant = variant, .read_only = true});
	add_addressed(l, (struct insn_spec){
				 .place = PLACE_LOST, .place2 = PLACE_LOST, .variant = variant, .read_only = true});
}

static void list_repeated(struct listing *l)
{
	static const int16_t steps[] = {0, 1, 2, 3, 7, 16, 33, 70, 131, 600};

	for (size_t s = 0; s < FL_ARRAY_SIZE(steps); s++) {
		for (uint8_t variant = 0; variant < 4; variant++) {
			struct insn_spec spec = {.variant = variant, .step = steps[s], .place = PLACE_END_1};

			spec.address = (uint8_t)(s + variant);
			add(l, spec);
			spec.read_only = true;
			add(l, spec);
			spec.read_only = false;
			if (!l->form->len2)
				continue;
			spec.place2 = PLACE_END_1;
			add(l, spec);
			spec.place = PLACE_GOOD;
			add(l, spec);
			spec.read_only = true;
			add(l, spec);
		}
	}
}

static void list_xsave(struct listing *l)
{
	static const int16_t lines[] = {0, 1, 2, 5, 7, 8, 9, 10, 12, 13, 14, 17, 18, 26, 41, 42, 43, 44, 171, 172};

	for (uint8_t variant = 0; variant < XSAVE_VARIANTS; variant++) {
		for (size_t i = 0; i < FL_ARRAY_SIZE(lines); i++) {
			/* the components in use matter to some only; every third case of the others is enough */
			if (variant >= 11 && (variant + i) % 3)
				continue;
			add(l, (struct insn_spec){.place = PLACE_END_FITS,
						  .step = lines[i],
						  .variant = variant,
						  .address = (uint8_t)(variant + i)});
			add(l, (struct insn_spec){.place = PLACE_START_FITS,
						  .step = lines[i],
						  .variant = variant,
						  .address = (uint8_t)(variant + i)});
		}
	}
	add(l, (struct insn_spec){.place = PLACE_LOST_CROSSING});
}

static void list_tiles(struct listing *l)
{
	static const enum insn_place places[] = {PLACE_GOOD,	PLACE_LOST,	 PLACE_END_1,
						 PLACE_END_MID, PLACE_START_MID, PLACE_START_ALL};
	static const int16_t rows[] = {0, 1, 4, 7, 15};

	for (uint8_t variant = 0; variant < TILE_VARIANTS; variant++)
		for (size_t p = 0; p < FL_ARRAY_SIZE(places); p++)
			for (size_t r = 0; r < FL_ARRAY_SIZE(rows); r++)
				add(l, (struct insn_spec){.place = (uint8_t)places[p],
							  .step = rows[r],
							  .variant = variant,
							  .address = (uint8_t)(variant + p + r),
							  .read_only = variant % 8 == 1 && r == 0});
}

static void list_fetches(struct listing *l)
{
	if (l->form_number % 4 || l->form->flags & (F_XSAVE | F_TILE))
		return;
	for (int16_t step = 0; step < 14; step++) {
		struct insn_spec spec = {
			.fetch = true, .step = step, .address = (uint8_t)(l->form_number + (size_t)step)};

		add(l, spec);
		spec.place = PLACE_LOST; /* the data, too */
		add(l, spec);
	}
}

static void list_form64(struct listing *l)
{
	if (l->form->flags & F_REP) {
		list_repeated(l);
	} else if (l->form->flags & F_XSAVE) {
		list_xsave(l);
	} else if (l->form->flags & F_TILE) {
		list_tiles(l);
	} else if (l->form->flags & F_VSIB) {
		for (unsigned int i = 0; i < GATHER_ROUNDS; i++)
			add(l, (struct insn_spec){.variant = (uint8_t)(i % MASK_VARIANTS),
						  .address = (uint8_t)i,
						  .read_only = i % 5 == 4});
	} else if (l->form->flags & (F_OPMASK | F_SIGNS)) {
		for (uint8_t variant = 0; variant < MASK_VARIANTS; variant++)
			list_places(l, variant);
	} else {
		list_places(l, 0);
		if (l->form->class == CLASS_STRING)
			list_places(l, 1);
	}
	list_fetches(l);
}

/* A smaller choice for 32-bit code: what differs is how addresses are made. */
static void list_form32(struct listing *l)
{
	static const enum insn_place places[] = {PLACE_LOST,	 PLACE_END_1,	  PLACE_END_MID,
						 PLACE_END_FITS, PLACE_START_MID, PLACE_START_1};

	for (size_t i = 0; i < FL_ARRAY_SIZE(places); i++) {
		struct insn_spec spec = {.place = (uint8_t)places[i], .step = l->form->flags & F_XSAVE ? 3 : 2};

		add_addressed(l, spec);
		if (l->form->flags & (F_OPMASK | F_SIGNS | F_REP)) {
			spec.variant = 3;
			add_addressed(l, spec);
		}
		if (l->form->len2) {
			spec = (struct insn_spec){.place2 = (uint8_t)places[i], .step = 2};
			add_addressed(l, spec);
		}
	}
}

static bool is_possible(const struct insn_world *world, enum insn_bits bits)
{
	switch (bits) {
	case BITS_64:
		return true;
	case BITS_32:
		return world->compat;
	case BITS_32_ADDRESS16:
		return world->compat && world->arena[ARENA_TINY].start;
	case BITS_32_SEGMENT:
		return world->compat && world->ldt_base;
	}
	return false;
}

static bool is_for(const struct insn_form *form, enum insn_bits bits)
{
	if (bits == BITS_64)
		return !(form->flags & F_ONLY32);
	if (!(form->flags & F_IN32) || form->flags & F_ONLY64)
		return false;
	/* 16-bit addresses: what has them; there are none with vector indices */
	return bits != BITS_32_ADDRESS16 ||
	       (!(form->flags & F_VSIB) && (strchr(form->code, '/') || form->flags & (F_RSI | F_RDI)));
}

void insn_specs_make(const struct insn_world *world, struct insn_specs *specs)
{
	*specs = (struct insn_specs){0};
	for (enum insn_bits bits = BITS_64; bits <= BITS_32_SEGMENT; bits++) {
		for (size_t i = 0; i < insn_form_total(); i++) {
			struct listing l = {.world = world,
					    .specs = specs,
					    .form_number = i,
					    .form = insn_form_at(i),
					    .bits = bits};

			if (!is_possible(world, bits) || !is_for(l.form, bits) || !insn_cpu_has(l.form->need))
				continue;
			l.addresses = insn_addresses(l.form, bits).count;
			if (bits == BITS_64)
				list_form64(&l);
			else
				list_form32(&l);
		}
	}
}
