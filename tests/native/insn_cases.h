/* SPDX-License-Identifier: Apache-2.0 */
/*
 * insn_cases: which instruction, addressed how, with its operands lying where. A case is a few
 * small numbers; from them and the seed come registers and bytes, the same ones each time.
 */
#ifndef FL_INSN_CASES_H
#define FL_INSN_CASES_H

#include "tests/native/insn_form.h"
#include "tests/native/insn_state.h"

/* Pages that are lost, then good ones, then lost ones again. */
struct insn_arena {
	uint64_t start;
	uint32_t before_len, good_len, after_len;
};

enum { ARENA_LOW, ARENA_HIGH, ARENA_TINY, ARENA_COUNT }; /* below 2 GiB, above 4 GiB, below 64 KiB */

struct insn_world {
	struct insn_arena arena[ARENA_COUNT]; /* start 0: there is none */
	uint64_t code;			      /* below 2 GiB */
	uint64_t fs_base, gs_base;
	struct fl_xsave_layout xsave;
	bool amd;	   /* fl_cpu_is_amd() */
	uint32_t ldt_base; /* of the segments below; 0: there are none */
	uint16_t ldt_data, ldt_code16;
	struct insn_arena read_only[2]; /* low and high: what is lost there is lost for stores only */
	bool compat;			/* 32-bit code can be run */
	bool user_stack; /* RSP is a canonical address of the lower half, also where it counts for nothing */
};

enum insn_place {
	PLACE_GOOD,
	PLACE_LOST,
	/* at the end of the good pages */
	PLACE_END_FITS,
	PLACE_END_1, /* one byte is lost */
	PLACE_END_MID,
	PLACE_END_ALL, /* all but one byte are lost */
	/* at their start */
	PLACE_START_FITS,
	PLACE_START_1,
	PLACE_START_MID,
	PLACE_START_ALL,
	PLACE_LOST_CROSSING, /* across two lost pages */
	PLACE_COUNT,
};

enum insn_bits { BITS_64, BITS_32, BITS_32_ADDRESS16, BITS_32_SEGMENT };

struct insn_spec {
	uint16_t form;
	uint8_t address, arena;
	uint8_t place, place2;
	uint8_t bits;
	uint8_t variant; /* mask pattern, repetition, component mask ... */
	int16_t step;	 /* elements or lines before the border */
	bool read_only;	 /* what is lost is only lost for stores */
	bool fetch;	 /* the instruction itself is at the border */
};

struct insn_specs {
	size_t count, room;
	struct insn_spec *item;
};

struct insn_case {
	const struct insn_form *form;
	const struct insn_address *address;
	const struct insn_arena *arena;
	enum insn_class class;
	struct insn_state state;
	uint64_t at, at2; /* first byte of each operand */
	uint8_t bytes[16];
	size_t len;
};

const struct insn_form *insn_form_at(size_t number);
size_t insn_form_total(void);
/* All cases that world can have; those that the CPU cannot run are not among them. */
void insn_specs_make(const struct insn_world *world, struct insn_specs *specs);
/* false: that combination cannot be encoded. */
bool insn_case_make(const struct insn_world *world, const struct insn_spec *spec, uint64_t seed, size_t number,
		    struct insn_case *c);

/* insn_vectors.c: masks, indices, tiles, component masks. May move *target. */
struct insn_random {
	uint64_t state;
};
uint64_t insn_random(struct insn_random *random);
void insn_fill_vectors(const struct insn_spec *spec, const struct insn_form *form, const struct insn_arena *arena,
		       const struct insn_address *address, uint64_t *target, struct insn_random *random,
		       struct insn_state *state);
uint64_t insn_place(const struct insn_arena *arena, enum insn_place place, uint64_t len, uint64_t align);

/* insn_addresses.c: the ways of addressing of each kind of code */
struct insn_address_list {
	const struct insn_address *item;
	size_t count;
};
struct insn_address_list insn_addresses(const struct insn_form *form, enum insn_bits bits);

#endif
