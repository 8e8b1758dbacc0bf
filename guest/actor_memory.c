/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steps with memory. The instruction is the step: so it stands here as one, and no compiler makes another of it. Any of
 * them may raise a signal, after which the step is left at once (fl_actor_try_step()).
 */
#include "guest/actor_script.h"

#include <string.h>

uint8_t *fl_actor_place(const struct fl_actor_self *self, const uint64_t *place, uint64_t len, int *error)
{
	const struct fl_actor_map *map = &self->process->maps[place[0]];

	*error = map->at ? EINVAL : EBADF;
	return map->at && fl_range_fits(place[1], len, map->len) ? map->at + place[1] : NULL;
}

void fl_actor_put_pattern(uint8_t *bytes, uint64_t offset, uint64_t len)
{
	for (uint64_t i = 0; i < len; i++) {
		uint64_t at = offset + i;

		if (at % 8 == 0 && len - i >= 8) {
			uint64_t word = fl_scn_pattern(at);

			memcpy(bytes + i, &word, sizeof(word));
			i += 7;
		} else {
			bytes[i] = (uint8_t)(fl_scn_pattern(at) >> at % 8 * 8);
		}
	}
}

struct fl_actor_result fl_actor_op_read(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	const uint8_t *at = FL_ACTOR_AT_OR_RETURN(step->n, step->n[2]);
	uint64_t value;

	if (step->n[2] == 1)
		__asm__ volatile("movzbq %1, %0" : "=r"(value) : "m"(*at) : "memory");
	else if (step->n[2] == 2)
		__asm__ volatile("movzwq %1, %0" : "=r"(value) : "m"(*(const uint16_t *)at) : "memory");
	else if (step->n[2] == 4)
		__asm__ volatile("movl %1, %k0" : "=r"(value) : "m"(*(const uint32_t *)at) : "memory");
	else
		__asm__ volatile("movq %1, %0" : "=r"(value) : "m"(*(const uint64_t *)at) : "memory");
	return fl_actor_did(value);
}

struct fl_actor_result fl_actor_op_write(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	uint8_t *at = FL_ACTOR_AT_OR_RETURN(step->n, step->n[2]);
	uint64_t value = step->n[3];

	if (step->n[2] == 1)
		__asm__ volatile("movb %b1, %0" : "=m"(*at) : "q"(value) : "memory");
	else if (step->n[2] == 2)
		__asm__ volatile("movw %w1, %0" : "=m"(*(uint16_t *)at) : "r"(value) : "memory");
	else if (step->n[2] == 4)
		__asm__ volatile("movl %k1, %0" : "=m"(*(uint32_t *)at) : "r"(value) : "memory");
	else
		__asm__ volatile("movq %1, %0" : "=m"(*(uint64_t *)at) : "r"(value) : "memory");
	return fl_actor_did(0);
}

struct fl_actor_result fl_actor_op_vector(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	const uint8_t *at = FL_ACTOR_AT_OR_RETURN(step->n, 16);

	__asm__ volatile("movups (%0), %%xmm0" : : "r"(at) : "xmm0", "memory");
	return fl_actor_did(0);
}

struct fl_actor_result fl_actor_op_atomic(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	uint8_t *at = FL_ACTOR_AT_OR_RETURN(step->n, step->n[2]);
	uint64_t was = 1;

	if (step->n[2] == 1)
		__asm__ volatile("lock xaddb %b0, %1" : "+q"(was), "+m"(*at) : : "memory", "cc");
	else if (step->n[2] == 2)
		__asm__ volatile("lock xaddw %w0, %1" : "+r"(was), "+m"(*(uint16_t *)at) : : "memory", "cc");
	else if (step->n[2] == 4)
		__asm__ volatile("lock xaddl %k0, %1" : "+r"(was), "+m"(*(uint32_t *)at) : : "memory", "cc");
	else
		__asm__ volatile("lock xaddq %0, %1" : "+r"(was), "+m"(*(uint64_t *)at) : : "memory", "cc");
	return fl_actor_did(was);
}

struct fl_actor_result fl_actor_op_exec(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	uint8_t *at = FL_ACTOR_AT_OR_RETURN(step->n, 1);
	uint32_t (*function)(void);

	memcpy(&function, &at, sizeof(function));
	return fl_actor_did(function());
}

struct fl_actor_result fl_actor_op_touch(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	const uint8_t *at = FL_ACTOR_AT_OR_RETURN(step->n, step->n[2]);
	const uint8_t *end = at + step->n[2];

	while (at < end) {
		__asm__ volatile("testb $0, %0" : : "m"(*at) : "memory", "cc");
		at += step->n[3] ? step->n[3] : FL_PAGE_LEN - (uintptr_t)at % FL_PAGE_LEN;
	}
	return fl_actor_did(0);
}

static uint8_t expected(const struct fl_actor_step *step, uint64_t i)
{
	uint64_t at = step->n[4] + i;

	return step->n[3] == FL_SCN_CONTENT_ZEROS ? 0 : (uint8_t)(fl_scn_pattern(at) >> at % 8 * 8);
}

struct fl_actor_result fl_actor_op_check(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	const volatile uint8_t *at = FL_ACTOR_AT_OR_RETURN(step->n, step->n[2]);
	uint64_t right = 0;

	while (right < step->n[2] && at[right] == expected(step, right))
		right++;
	return fl_actor_did(right);
}

struct fl_actor_result fl_actor_op_fill(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	uint8_t *at = FL_ACTOR_AT_OR_RETURN(step->n, step->n[2]);

	memset(at, (int)step->n[3], step->n[2]);
	__asm__ volatile("" : : "r"(at) : "memory");
	return fl_actor_did(0);
}

struct fl_actor_result fl_actor_op_copy(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	uint8_t *to = FL_ACTOR_AT_OR_RETURN(step->n, step->n[4]);
	const uint8_t *from = FL_ACTOR_AT_OR_RETURN(&step->n[2], step->n[4]);

	memcpy(to, from, step->n[4]);
	__asm__ volatile("" : : "r"(to) : "memory");
	return fl_actor_did(0);
}

struct fl_actor_result fl_actor_op_string(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	uint8_t *to = FL_ACTOR_AT_OR_RETURN(step->n, step->n[4]);
	const uint8_t *from = FL_ACTOR_AT_OR_RETURN(&step->n[2], step->n[4]);
	uint64_t len = step->n[4];

	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(len) : : "memory");
	return fl_actor_did(0);
}
