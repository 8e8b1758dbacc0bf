/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a device must make of a ring and of a chain's memory, written from virtio 1.2 (2.7) and the contracts in
 * virtq.h, without a look at the code that is held against it.
 */
#ifndef VIRTQ_MODEL_H
#define VIRTQ_MODEL_H

#include "fuzz_guest.h"

/* Two regions side by side, so that buffers cross from one to the other; then nothing; far above, a window. */
#define FIRST_LEN  UINT64_C(0x10000)
#define SECOND_LEN UINT64_C(0x8000)
#define MEMORY_LEN (FIRST_LEN + SECOND_LEN)
#define WINDOW_GPA UINT64_C(0x40000000)
#define WINDOW_LEN UINT64_C(0x400000)

struct model {
	struct guest guest;
	uint64_t file_len; /* of the file in the window's first range; the second range is not mapped */
	bool file_writable;
};

struct model_queue {
	bool ready;
	uint16_t last_avail, used_idx;
};

/* Is there anything at gpa, for the device to read (write)? */
bool model_has(const struct model *model, uint64_t gpa, bool write);
bool model_is_ram(uint64_t gpa);

/* As fl_virtq_pop(): 1, 0 or -EPROTO, from the queue's addresses and features in vq alone. */
int model_pop(const struct model *model, const struct model_queue *queue, const struct fl_virtq *vq,
	      struct fl_chain *chain);

/* As fl_chain_read(), fl_chain_write(). *gpas gets the address of each byte of the answer. */
int64_t model_copy(const struct model *model, const struct fl_chain *chain, bool write, uint64_t offset, size_t len,
		   uint64_t *gpas);

#endif
