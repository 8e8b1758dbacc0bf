/* SPDX-License-Identifier: Apache-2.0 */
/* Requests as descriptor chains: in how many pieces, and where the data and the reply lie. */
#include "fs_guest.h"

static uint64_t pick_window_gpa(struct fuzz_input *in)
{
	uint64_t range = fuzz_u8(in) % (WINDOW_RANGES + 1);

	return WINDOW_GPA + range * FL_RANGE_LEN + fuzz_u8(in) * UINT64_C(40);
}

struct chain_writer {
	struct fs_guest *guest;
	unsigned int first, count;
};

static void add_desc(struct chain_writer *writer, uint64_t gpa, uint64_t len, unsigned int flags)
{
	uint64_t table = writer->guest->queues[0].desc; /* the two queues share it: each slot has entries of its own */
	unsigned int index = writer->first + writer->count;

	if (!len)
		return;
	if (writer->count)
		((uint8_t *)at(&writer->guest->guest, table))[16 * (index - 1) + 12] |= DESC_F_NEXT;
	put_desc(&writer->guest->guest, table, index, gpa, (uint32_t)len, flags, index + 1);
	writer->count++;
}

static void add_reply_descs(struct chain_writer *writer, const struct slot *slot)
{
	uint64_t room = slot->room;
	uint64_t head_len = FL_MIN(room, sizeof(struct fuse_out_header));
	uint64_t body = slot->out + sizeof(struct fuse_out_header);

	if (slot->out_in_window) {
		add_desc(writer, pick_window_gpa(&writer->guest->in), room, DESC_F_WRITE);
		return;
	}
	if (room > OUT_LEN)
		body = writer->guest->bulk;
	add_desc(writer, slot->out, head_len, DESC_F_WRITE);
	add_desc(writer, body, room - head_len, DESC_F_WRITE);
}

void fs_chain_send(struct fs_guest *guest, struct slot *slot, uint8_t how)
{
	struct chain_writer writer = {.guest = guest, .first = (unsigned int)(slot - guest->slots) * SLOT_DESCS};
	uint32_t split = how & HOW_SPLIT ? fuzz_u8(&guest->in) : 0;

	split = FL_MIN(split, slot->in_len);
	add_desc(&writer, slot->in, split, 0);
	add_desc(&writer, slot->in + split, slot->in_len - split, 0);
	add_desc(&writer, slot->data_in_window ? pick_window_gpa(&guest->in) : guest->bulk, slot->data_len, 0);
	add_reply_descs(&writer, slot);
	if (!writer.count)
		return;
	slot->busy = true;
	offer(&guest->queues[slot->queue], (uint16_t)writer.first);
	if (!(how & HOW_HOLD))
		mmio_put(guest->mmio, MMIO_QUEUE_NOTIFY, slot->queue);
}
