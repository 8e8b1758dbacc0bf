/* SPDX-License-Identifier: Apache-2.0 */
#include "vcpu/code_before.h"

#define REACH	  64u /* the first decoding begins so far before the longest start ... */
#define APPROACH  16u /* ... and the last one so far: all have some way to fall in */
#define ROOM	  (REACH + FL_INSN_LEN_MAX)
#define VOTES_MIN 8u
#define NOWHERE	  (-1)

bool fl_code_read(const struct fl_locate_ops *ops, uint64_t linear, uint8_t *buf, size_t len)
{
	while (len) {
		size_t part = FL_MIN(len, (size_t)(FL_PAGE_LEN - (linear & (FL_PAGE_LEN - 1))));
		uint64_t gpa;

		if (!ops->translate(ops->arg, linear, &gpa) || ops->read(ops->arg, gpa, buf, part))
			return false;
		linear += part;
		buf += part;
		len -= part;
	}
	return true;
}

/* Fills the end of bytes with what precedes end, as far as it can be had; how much that is. */
static size_t read_before(const struct fl_locate_ops *ops, uint64_t end, uint8_t *bytes)
{
	size_t in_page = (size_t)((end - 1) & (FL_PAGE_LEN - 1)) + 1;

	if (fl_code_read(ops, end - ROOM, bytes, ROOM))
		return ROOM;
	if (in_page < ROOM && fl_code_read(ops, end - in_page, bytes + ROOM - in_page, in_page))
		return in_page;
	return 0;
}

static int start_at(const struct fl_code_starts *starts, size_t before_end)
{
	for (unsigned int i = 0; i < starts->count; i++)
		if (starts->len[i] == before_end)
			return (int)i;
	return NOWHERE;
}

/* leads_to[n]: the first start that a decoding comes to that begins n bytes before the end. */
static void follow(const struct kvm_sregs *sregs, const struct fl_code_starts *starts, const uint8_t *bytes,
		   size_t known, int leads_to[ROOM + 1])
{
	struct fl_insn insn;

	leads_to[0] = NOWHERE;
	for (size_t n = 1; n <= known; n++) {
		leads_to[n] = start_at(starts, n);
		if (leads_to[n] == NOWHERE && fl_insn_decode(bytes + ROOM - n, n, sregs, &insn) == 0)
			leads_to[n] = leads_to[n - insn.head.length];
	}
}

int fl_code_before(const struct fl_locate_ops *ops, const struct kvm_sregs *sregs, const struct fl_code_starts *starts)
{
	unsigned int votes[FL_INSN_LEN_MAX] = {0}, all = 0;
	int leads_to[ROOM + 1], best = 0;
	uint8_t bytes[ROOM], longest = 0;
	size_t known = read_before(ops, starts->end, bytes);

	for (unsigned int i = 0; i < starts->count; i++)
		longest = FL_MAX(longest, starts->len[i]);
	follow(sregs, starts, bytes, known, leads_to);
	for (size_t n = longest + APPROACH; n <= FL_MIN(known, (size_t)longest + REACH); n++) {
		if (leads_to[n] == NOWHERE)
			continue;
		all++;
		if (++votes[leads_to[n]] > votes[best])
			best = leads_to[n];
	}
	return all >= VOTES_MIN && votes[best] * 3 > all * 2 ? best : NOWHERE;
}
