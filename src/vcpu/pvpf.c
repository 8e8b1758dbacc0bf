/* SPDX-License-Identifier: Apache-2.0 */
#include "vcpu/pvpf.h"

#include "mmu_backing/gmem.h"

#define CTL_RESERVED UINT64_C(0xfc)

int fl_pvpf_write_ctl(struct fl_pvpf *pvpf, const struct fl_gpa_map *map, uint64_t value)
{
	uint64_t gpa = value & PVPF_CTL_GPA_MASK;
	struct pvpf_record *area = NULL;

	if (value & CTL_RESERVED)
		return -EINVAL;
	/* the address is checked even while disabled, except in the value that resets everything */
	if (value) {
		area = fl_gmem_ram(map, gpa, PVPF_AREA_LEN);
		if (!area)
			return -EINVAL;
	}
	pvpf->ctl = value;
	pvpf->area = value & PVPF_CTL_ENABLE ? area : NULL;
	return 0;
}

bool fl_pvpf_wants_record(const struct fl_pvpf *pvpf, unsigned int cpl)
{
	return pvpf->area && (cpl == 3 || (pvpf->ctl & PVPF_CTL_CPL0));
}

int fl_pvpf_free_slot(const struct fl_pvpf *pvpf)
{
	for (int i = PVPF_RECORDS; i > 0; i--)
		if (__atomic_load_n(&pvpf->area[i - 1].state, __ATOMIC_ACQUIRE) != PVPF_RECORD_FREE)
			return i < (int)PVPF_RECORDS ? i : -ENOSPC;
	return 0;
}

/* A guest may give two vCPUs the same area, or write there itself: each field is stored at once, and none is read back.
 */
#define PUT(field, value) __atomic_store_n(&(field), value, __ATOMIC_RELAXED)

uint64_t fl_pvpf_post(struct fl_pvpf *pvpf, int slot, const struct fl_pvpf_content *content)
{
	struct pvpf_record *record = &pvpf->area[slot];

	pvpf->seq++;
	PUT(record->cause, (uint32_t)content->cause);
	PUT(record->access, (uint32_t)content->access);
	PUT(record->flags, content->gva_valid ? PVPF_FLAG_GVA : 0);
	PUT(record->gpa, content->gpa);
	PUT(record->gva, content->gva_valid ? content->gva : 0);
	PUT(record->size, content->bad_len);
	PUT(record->seq, pvpf->seq);
	PUT(record->rip, content->rip);
	PUT(record->reserved, 0);
	/* pairs with whoever looks at the state first: the rest is there by then */
	__atomic_store_n(&record->state, PVPF_RECORD_POSTED, __ATOMIC_RELEASE);
	return pvpf->seq;
}

void fl_pvpf_unpost(struct fl_pvpf *pvpf, int slot)
{
	__atomic_store_n(&pvpf->area[slot].state, PVPF_RECORD_FREE, __ATOMIC_RELEASE);
	pvpf->seq--;
}
