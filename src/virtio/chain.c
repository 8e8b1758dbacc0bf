/* SPDX-License-Identifier: Apache-2.0 */
/* Copying to and from chains: byte streams over guest-physical segments (virtio 1.2, 2.7.4: no framing). */
#include "virtio/virtq.h"

/* One part of a chain, the readable or the writable one. */
struct part {
	const struct fl_virtq_seg *segs;
	unsigned int count;
	uint64_t len;
};

static struct part part_of(const struct fl_chain *chain, bool writable)
{
	if (writable)
		return (struct part){chain->segs + chain->readable_count, chain->writable_count, chain->writable_len};
	return (struct part){chain->segs, chain->readable_count, chain->readable_len};
}

struct piece {
	uint64_t gpa;
	uint64_t len;
};

/* Calls fn for every piece of [offset, offset+len), which lies inside the part, until it fails. */
static int for_pieces(const struct part *part, uint64_t offset, uint64_t len,
		      int (*fn)(void *arg, const struct piece *piece), void *arg)
{
	for (unsigned int i = 0; i < part->count && len; i++) {
		struct piece piece;
		int rc;

		if (offset >= part->segs[i].len) {
			offset -= part->segs[i].len;
			continue;
		}
		piece.gpa = part->segs[i].gpa + offset;
		piece.len = FL_MIN(part->segs[i].len - offset, len);
		rc = fn(arg, &piece);
		if (rc)
			return rc;
		len -= piece.len;
		offset = 0;
	}
	return 0;
}

struct copy {
	const struct fl_gpa_map *map;
	int (*fn)(struct copy *copy, const struct piece *piece);
	uint8_t *to;
	const uint8_t *from;
	uint64_t done;
};

static int copy_out(struct copy *copy, const struct piece *piece)
{
	return fl_gmem_read(copy->map, piece->gpa, copy->to + copy->done, piece->len);
}

static int copy_in(struct copy *copy, const struct piece *piece)
{
	return fl_gmem_write(copy->map, piece->gpa, copy->from + copy->done, piece->len);
}

/* What fails as a whole is copied again page by page: it ends where the memory does, since pages are what vanishes. */
static int copy_piece(void *arg, const struct piece *piece)
{
	struct copy *copy = arg;
	struct piece page = *piece;
	uint64_t left = piece->len;
	int rc = copy->fn(copy, piece);

	if (!rc) {
		copy->done += piece->len;
		return 0;
	}
	for (; left; left -= page.len, page.gpa += page.len) {
		page.len = FL_MIN(left, FL_PAGE_LEN - (page.gpa & (FL_PAGE_LEN - 1)));
		rc = copy->fn(copy, &page);
		if (rc)
			return rc;
		copy->done += page.len;
	}
	return 0;
}

static int64_t copy_part(const struct part *part, uint64_t offset, size_t len, struct copy *copy)
{
	uint64_t wanted = offset < part->len ? FL_MIN(part->len - offset, (uint64_t)len) : 0;
	int rc = for_pieces(part, offset, wanted, copy_piece, copy);

	return copy->done || !rc ? (int64_t)copy->done : rc;
}

int64_t fl_chain_read(const struct fl_gpa_map *map, const struct fl_chain *chain, uint64_t offset, void *buf,
		      size_t len)
{
	struct part part = part_of(chain, false);
	struct copy copy = {.map = map, .fn = copy_out, .to = buf};

	return copy_part(&part, offset, len, &copy);
}

int64_t fl_chain_write(const struct fl_gpa_map *map, const struct fl_chain *chain, uint64_t offset, const void *buf,
		       size_t len)
{
	struct part part = part_of(chain, true);
	struct copy copy = {.map = map, .fn = copy_in, .from = buf};

	return copy_part(&part, offset, len, &copy);
}

struct gather {
	const struct fl_gpa_map *map;
	struct iovec *iov;
	unsigned int cap, count;
};

static int gather_piece(void *arg, const struct piece *piece)
{
	struct gather *gather = arg;

	return fl_gmem_iov(gather->map, piece->gpa, piece->len, gather->iov, gather->cap, &gather->count);
}

int fl_chain_iov(const struct fl_gpa_map *map, const struct fl_chain *chain, bool writable, uint64_t offset,
		 uint64_t len, struct iovec *iov, unsigned int cap, unsigned int *count)
{
	struct part part = part_of(chain, writable);
	struct gather gather = {.map = map, .iov = iov, .cap = cap};
	int rc;

	if (!fl_range_fits(offset, len, part.len))
		return -EINVAL;
	rc = for_pieces(&part, offset, len, gather_piece, &gather);
	if (!rc)
		*count = gather.count;
	return rc;
}
