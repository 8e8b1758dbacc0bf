/* SPDX-License-Identifier: Apache-2.0 */
#include "virtq_model.h"

bool model_is_ram(uint64_t gpa)
{
	return gpa >= RAM_GPA && gpa - RAM_GPA < MEMORY_LEN;
}

bool model_has(const struct model *model, uint64_t gpa, bool write)
{
	if (model_is_ram(gpa))
		return true;
	if (gpa < WINDOW_GPA || gpa - WINDOW_GPA >= WINDOW_LEN / 2)
		return false;
	/* mmap(2): what lies on the file's last page beyond its end can be used, pages behind it cannot */
	return gpa - WINDOW_GPA < fl_align_up(model->file_len, FL_PAGE_LEN) && (!write || model->file_writable);
}

static bool in_one_region(uint64_t gpa, uint64_t len)
{
	if (!model_is_ram(gpa))
		return false;
	if (gpa - RAM_GPA < FIRST_LEN)
		return len <= FIRST_LEN - (gpa - RAM_GPA);
	return len <= MEMORY_LEN - (gpa - RAM_GPA);
}

static uint64_t load(const struct model *model, uint64_t gpa, unsigned int bytes)
{
	const uint8_t *from = at(&model->guest, gpa);
	uint64_t value = 0;

	for (unsigned int i = 0; i < bytes; i++)
		value |= (uint64_t)from[i] << 8 * i;
	return value;
}

/* 2.7.4: readable ones first; 2.7.5.2: at most 2^32 bytes; virtq.h: at most so many */
static int add(struct fl_chain *chain, uint64_t gpa, uint32_t len, bool writable)
{
	unsigned int count = chain->readable_count + chain->writable_count;

	if (!writable && chain->writable_count)
		return -EPROTO;
	if (gpa + len < gpa || chain->readable_len + chain->writable_len + len > UINT64_C(1) << 32)
		return -EPROTO;
	if (!len)
		return 0;
	if (count == FL_CHAIN_SEGS_MAX)
		return -EPROTO;
	chain->segs[count] = (struct fl_virtq_seg){.gpa = gpa, .len = len};
	*(writable ? &chain->writable_count : &chain->readable_count) += 1;
	*(writable ? &chain->writable_len : &chain->readable_len) += len;
	return 0;
}

/* 2.7.5.3 */
static int walk_indirect(const struct model *model, uint64_t table, uint64_t table_len, struct fl_chain *chain)
{
	uint64_t count = table_len / 16, index = 0;

	if (!table_len || table_len % 16 || count > FL_VIRTQ_SIZE_MAX || !in_one_region(table, table_len))
		return -EPROTO;
	for (uint64_t steps = 0; steps < count && index < count; steps++) {
		uint64_t entry = table + 16 * index;
		uint64_t flags = load(model, entry + 12, 2);
		int rc;

		if (flags & DESC_F_INDIRECT)
			return -EPROTO;
		rc = add(chain, load(model, entry, 8), (uint32_t)load(model, entry + 8, 4), flags & DESC_F_WRITE);
		if (rc || !(flags & DESC_F_NEXT))
			return rc;
		index = load(model, entry + 14, 2);
	}
	return -EPROTO;
}

static int walk(const struct model *model, const struct fl_virtq *vq, struct fl_chain *chain)
{
	uint64_t index = chain->head;

	for (unsigned int steps = 0; steps < vq->size && index < vq->size; steps++) {
		uint64_t entry = vq->desc_gpa + 16 * index;
		uint64_t gpa = load(model, entry, 8);
		uint32_t len = (uint32_t)load(model, entry + 8, 4);
		uint64_t flags = load(model, entry + 12, 2);
		int rc;

		if (flags & DESC_F_INDIRECT) {
			if (!vq->indirect || flags & DESC_F_NEXT)
				return -EPROTO;
			return walk_indirect(model, gpa, len, chain);
		}
		rc = add(chain, gpa, len, flags & DESC_F_WRITE);
		if (rc || !(flags & DESC_F_NEXT))
			return rc;
		index = load(model, entry + 14, 2);
	}
	return -EPROTO;
}

int model_pop(const struct model *model, const struct model_queue *queue, const struct fl_virtq *vq,
	      struct fl_chain *chain)
{
	uint16_t pending;
	int rc;

	if (!queue->ready)
		return 0;
	pending = (uint16_t)(load(model, vq->avail_gpa + 2, 2) - queue->last_avail);
	if (!pending)
		return 0;
	if (pending > vq->size)
		return -EPROTO;
	memset(chain, 0, sizeof(*chain));
	chain->head = (uint16_t)load(model, vq->avail_gpa + 4 + 2ull * (queue->last_avail % vq->size), 2);
	rc = walk(model, vq, chain);
	return rc ? rc : 1;
}

int64_t model_copy(const struct model *model, const struct fl_chain *chain, bool write, uint64_t offset, size_t len,
		   uint64_t *gpas)
{
	const struct fl_virtq_seg *segs = chain->segs + (write ? chain->readable_count : 0);
	unsigned int count = write ? chain->writable_count : chain->readable_count;
	size_t done = 0;

	for (unsigned int i = 0; i < count && done < len; i++) {
		if (offset >= segs[i].len) {
			offset -= segs[i].len;
			continue;
		}
		for (; offset < segs[i].len && done < len; offset++) {
			if (!model_has(model, segs[i].gpa + offset, write))
				return done ? (int64_t)done : -EFAULT;
			gpas[done++] = segs[i].gpa + offset;
		}
		offset = 0;
	}
	return (int64_t)done;
}
