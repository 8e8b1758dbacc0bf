/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the fuzz targets share. A target is one function, fuzz_one(): it decodes the bytes of one input into what
 * a guest does, checks what must hold whatever that is, and returns a digest of all that was seen. The same
 * bytes give the same digest in every run. replay.c calls it for the files of a directory, libfuzzer.c for libFuzzer.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdio.h>
#include <string.h>

#include "fl_base.h"

#define FUZZ_CHECK(condition)                                                                          \
	do {                                                                                           \
		if (!(condition)) {                                                                    \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                                       \
		}                                                                                      \
	} while (0)

uint64_t fuzz_one(const uint8_t *data, size_t len);

/* What is left of an input; at its end everything reads as 0. */
struct fuzz_input {
	const uint8_t *pos;
	size_t left;
};

static inline uint64_t fuzz_take(struct fuzz_input *in, unsigned int bytes)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < bytes && in->left; i++, in->left--)
		value |= (uint64_t)*in->pos++ << 8 * i;
	return value;
}

static inline uint8_t fuzz_u8(struct fuzz_input *in)
{
	return (uint8_t)fuzz_take(in, 1);
}

static inline uint16_t fuzz_u16(struct fuzz_input *in)
{
	return (uint16_t)fuzz_take(in, 2);
}

static inline uint32_t fuzz_u32(struct fuzz_input *in)
{
	return (uint32_t)fuzz_take(in, 4);
}

/* A number of a guest that tries the edges: small, about a power of two, negative, or any. */
static inline uint64_t fuzz_number(struct fuzz_input *in)
{
	uint8_t kind = fuzz_u8(in);

	if (kind < 128)
		return kind;
	if (kind < 192)
		return UINT64_C(1) << (kind - 128);
	if (kind < 224)
		return (UINT64_C(1) << 2 * (kind - 192)) - 1;
	if (kind < 240)
		return (uint64_t)fuzz_u16(in);
	if (kind < 248)
		return fuzz_take(in, 8);
	return 0 - (uint64_t)(kind - 247);
}

/* FNV-1a */
static inline void fuzz_digest(uint64_t *digest, uint64_t value)
{
	for (unsigned int i = 0; i < 8; i++)
		*digest = (*digest ^ (value >> 8 * i & 0xff)) * UINT64_C(0x100000001b3);
}

#define FUZZ_DIGEST_FIRST UINT64_C(0xcbf29ce484222325)

#endif
