/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The split ring, virtio 1.2, 2.7. The guest writes to it while we read: every field is loaded once,
 * by a volatile or atomic access that the compiler cannot repeat, checked, and only then used.
 */
#include "virtio/virtq.h"

#include <endian.h>

#define DESC_LEN      16u
#define DESC_NEXT     1u
#define DESC_WRITE    2u
#define DESC_INDIRECT 4u
#define NO_INTERRUPT  1u

/* 2.7.5.2: a chain holds at most 2^32 bytes. */
#define CHAIN_LEN_MAX (UINT64_C(1) << 32)

/* Offsets in the avail ring (le16 flags, idx, ring[size], used_event), 2.7.6. */
#define AVAIL_FLAGS 0u
#define AVAIL_IDX   2u
#define AVAIL_RING  4u
/* Offsets in the used ring (le16 flags, idx; {le32 id, len} ring[size]; le16 avail_event), 2.7.8. */
#define USED_IDX  2u
#define USED_RING 4u

struct desc {
	uint64_t gpa;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};

static uint16_t load16(const void *base, size_t offset, int order)
{
	const uint16_t *word = (const void *)((const uint8_t *)base + offset);

	return le16toh(order == __ATOMIC_ACQUIRE ? __atomic_load_n(word, __ATOMIC_ACQUIRE)
						 : __atomic_load_n(word, __ATOMIC_RELAXED));
}

static void store16(void *base, size_t offset, uint16_t value)
{
	/* release: what was stored before is there before the guest sees this */
	__atomic_store_n((uint16_t *)(void *)((uint8_t *)base + offset), htole16(value), __ATOMIC_RELEASE);
}

static void store32(void *base, size_t offset, uint32_t value)
{
	__atomic_store_n((uint32_t *)(void *)((uint8_t *)base + offset), htole32(value), __ATOMIC_RELAXED);
}

/* As atomic_thread_fence(seq_cst), which gcc refuses together with its thread sanitizer. */
static void full_barrier(void)
{
	__sync_synchronize();
}

/* An indirect table may lie at any address (2.7.5.3 asks for no alignment). */
typedef uint64_t __attribute__((aligned(1), may_alias)) unaligned_u64;

static struct desc load_desc(const void *table, uint32_t index)
{
	const volatile unaligned_u64 *words =
		(const volatile unaligned_u64 *)(const void *)((const uint8_t *)table + (size_t)index * DESC_LEN);
	uint64_t gpa = le64toh(words[0]);
	uint64_t rest = le64toh(words[1]);

	return (struct desc){
		.gpa = gpa, .len = (uint32_t)rest, .flags = (uint16_t)(rest >> 32), .next = (uint16_t)(rest >> 48)};
}

int fl_virtq_enable(struct fl_virtq *vq)
{
	uint64_t size = vq->size;

	if (size == 0 || size > FL_VIRTQ_SIZE_MAX || (size & (size - 1)))
		return -EINVAL;
	if (!fl_is_aligned(vq->desc_gpa, 16) || !fl_is_aligned(vq->avail_gpa, 2) || !fl_is_aligned(vq->used_gpa, 4))
		return -EINVAL;
	vq->desc = fl_gmem_ram(vq->map, vq->desc_gpa, DESC_LEN * size);
	vq->avail = fl_gmem_ram(vq->map, vq->avail_gpa, AVAIL_RING + 2 * size + 2);
	vq->used = fl_gmem_ram(vq->map, vq->used_gpa, USED_RING + 8 * size + 2);
	if (!vq->desc || !vq->avail || !vq->used)
		return -EINVAL;
	vq->last_avail = 0;
	vq->used_idx = 0;
	vq->signalled = 0;
	vq->ready = true;
	return 0;
}

void fl_virtq_disable(struct fl_virtq *vq)
{
	vq->ready = false;
	vq->desc = NULL;
	vq->avail = NULL;
	vq->used = NULL;
}

static int add_segment(struct fl_chain *chain, const struct desc *desc)
{
	bool writable = desc->flags & DESC_WRITE;
	unsigned int count = chain->readable_count + chain->writable_count;
	uint64_t end;

	if (!writable && chain->writable_count)
		return -EPROTO; /* 2.7.4.2: readable ones first */
	if (fl_add_overflows(desc->gpa, desc->len, &end))
		return -EPROTO;
	if (chain->readable_len + chain->writable_len + desc->len > CHAIN_LEN_MAX)
		return -EPROTO;
	if (desc->len == 0)
		return 0; /* not forbidden, and nothing to carry */
	if (count == FL_CHAIN_SEGS_MAX)
		return -EPROTO;
	chain->segs[count] = (struct fl_virtq_seg){.gpa = desc->gpa, .len = desc->len};
	if (writable) {
		chain->writable_count++;
		chain->writable_len += desc->len;
	} else {
		chain->readable_count++;
		chain->readable_len += desc->len;
	}
	return 0;
}

/* The table that an indirect descriptor names; *count entries. 2.7.5.3. */
static const void *indirect_table(const struct fl_virtq *vq, const struct desc *desc, uint32_t *count)
{
	if (!vq->indirect || (desc->flags & DESC_NEXT))
		return NULL;
	if (desc->len == 0 || desc->len % DESC_LEN || desc->len / DESC_LEN > FL_VIRTQ_SIZE_MAX)
		return NULL;
	*count = desc->len / DESC_LEN;
	return fl_gmem_ram(vq->map, desc->gpa, desc->len);
}

/* Follows one table from entry `index` on. A walk longer than the table has gone round in a circle. */
static int walk_table(const void *table, uint32_t count, uint32_t index, struct fl_chain *chain, struct desc *indirect)
{
	for (uint32_t steps = 0; steps < count; steps++) {
		struct desc desc;
		int rc;

		if (index >= count)
			return -EPROTO;
		desc = load_desc(table, index);
		if (desc.flags & DESC_INDIRECT) {
			if (!indirect)
				return -EPROTO; /* 2.7.5.3.1: not inside an indirect table */
			*indirect = desc;
			return 0;
		}
		rc = add_segment(chain, &desc);
		if (rc || !(desc.flags & DESC_NEXT))
			return rc;
		index = desc.next;
	}
	return -EPROTO;
}

static int walk_chain(const struct fl_virtq *vq, struct fl_chain *chain)
{
	struct desc indirect = {0};
	const void *table;
	uint32_t count;
	int rc = walk_table(vq->desc, vq->size, chain->head, chain, &indirect);

	if (rc || !(indirect.flags & DESC_INDIRECT))
		return rc;
	table = indirect_table(vq, &indirect, &count);
	return table ? walk_table(table, count, 0, chain, NULL) : -EPROTO;
}

int fl_virtq_pending(const struct fl_virtq *vq)
{
	/* acquire: pairs with the guest's barrier between its ring entries and the index, 2.7.13.3 */
	uint16_t count = (uint16_t)(load16(vq->avail, AVAIL_IDX, __ATOMIC_ACQUIRE) - vq->last_avail);

	return count > vq->size ? -EPROTO : count;
}

int fl_virtq_pop(struct fl_virtq *vq, struct fl_chain *chain)
{
	size_t entry = vq->last_avail & (vq->size - 1u);
	int rc;

	if (!vq->ready)
		return 0;
	rc = fl_virtq_pending(vq);
	if (rc <= 0)
		return rc;
	chain->head = load16(vq->avail, AVAIL_RING + 2 * entry, __ATOMIC_RELAXED);
	chain->readable_count = 0;
	chain->writable_count = 0;
	chain->readable_len = 0;
	chain->writable_len = 0;
	rc = walk_chain(vq, chain);
	if (rc)
		return rc;
	vq->last_avail++;
	return 1;
}

/* 2.7.7.2 and 2.7.10: has `event` been stepped over between index before and now? */
static bool stepped_over(uint16_t event, uint16_t now, uint16_t before)
{
	return (uint16_t)(now - event - 1u) < (uint16_t)(now - before);
}

void fl_virtq_put_all(struct fl_virtq *vq, const struct fl_virtq_used *used, unsigned int count)
{
	if (!vq->ready)
		return;
	for (unsigned int i = 0; i < count; i++) {
		size_t entry = USED_RING + 8u * (vq->used_idx++ & (vq->size - 1u));

		store32(vq->used, entry, used[i].head);
		store32(vq->used, entry + 4, used[i].written_len);
	}
	store16(vq->used, USED_IDX, vq->used_idx);
}

void fl_virtq_put(struct fl_virtq *vq, uint16_t head, uint32_t written_len)
{
	fl_virtq_put_all(vq, &(struct fl_virtq_used){.head = head, .written_len = written_len}, 1);
}

bool fl_virtq_wants_interrupt(struct fl_virtq *vq)
{
	uint16_t before = vq->signalled;

	if (!vq->ready || vq->used_idx == before)
		return false;
	vq->signalled = vq->used_idx;
	/*
	 * The guest publishes its wish for interrupts, then looks at the used index; we publish the index, then
	 * look at the wish. Without a full barrier on both sides each could miss the other.
	 */
	full_barrier();
	if (!vq->event_idx)
		return !(load16(vq->avail, AVAIL_FLAGS, __ATOMIC_RELAXED) & NO_INTERRUPT);
	return stepped_over(load16(vq->avail, AVAIL_RING + 2u * vq->size, __ATOMIC_RELAXED), vq->used_idx, before);
}

bool fl_virtq_push(struct fl_virtq *vq, uint16_t head, uint32_t written_len)
{
	fl_virtq_put(vq, head, written_len);
	return fl_virtq_wants_interrupt(vq);
}

bool fl_virtq_enable_notify_at(struct fl_virtq *vq, uint16_t ahead)
{
	if (!vq->ready)
		return false;
	/* without EVENT_IDX our flags are always 0: the guest always notifies */
	if (vq->event_idx)
		store16(vq->used, USED_RING + 8u * vq->size, (uint16_t)(vq->last_avail + ahead));
	full_barrier(); /* as for interrupts, with the roles exchanged */
	return (uint16_t)(load16(vq->avail, AVAIL_IDX, __ATOMIC_ACQUIRE) - vq->last_avail) > ahead;
}

bool fl_virtq_enable_notify(struct fl_virtq *vq)
{
	return fl_virtq_enable_notify_at(vq, 0);
}
