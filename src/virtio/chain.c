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
	uint8_t *to;
	const uint8_t *from;
};

static int copy_out(void *arg, const struct piece *piece)
{
	struct copy *copy = arg;
	int rc = fl_gmem_read(copy->map, piece->gpa, copy->to, piece->len);

	copy->to += piece->len;
	return rc;
}

static int copy_in(void *arg, const struct piece *piece)
{
	struct copy *copy = arg;
	int rc = fl_gmem_write(copy->map, piece->gpa, copy->from, piece->len);

	copy->from += piece->len;
	return rc;
}

static int64_t copy_part(const struct part *part, uint64_t offset, size_t len,
			 int (*fn)(void *arg, const struct piece *piece), struct copy *copy)
{
	uint64_t copied = offset < part->len ? FL_MIN(part->len - offset, (uint64_t)len) : 0;
	int rc = for_pieces(part, offset, copied, fn, copy);

	return rc ? rc : (int64_t)copied;
}

int64_t fl_chain_read(const struct fl_gpa_map *map, const struct fl_chain *chain, uint64_t offset, void *buf,
		      size_t len)
{
	struct part part = part_of(chain, false);
	struct copy copy = {.map = map, .to = buf};

	return copy_part(&part, offset, len, copy_out, &copy);
}

int64_t fl_chain_write(const struct fl_gpa_map *map, const struct fl_chain *chain, uint64_t offset, const void *buf,
		       size_t len)
{
	struct part part = part_of(chain, true);
	struct copy copy = {.map = map, .from = buf};

	return copy_part(&part, offset, len, copy_in, &copy);
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
