/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fs/fs_mount.h"

#include <stdio.h>
#include <string.h>

/* A slot's pages: two for an indirect table of the 2 * 2 + 256 descriptors, one for what is sent, one for the reply. */
#define SLOT_TABLE   0u
#define SLOT_IN	     2u
#define SLOT_OUT     3u
#define SLOT_DATA    4u
#define SLOT_PAGES   (SLOT_DATA + FS_PAGES)
#define SLOTS_LEN    (FS_SLOTS * SLOT_PAGES * FL_PAGE_LEN)
#define RAM_LEN	     (UINT64_C(96) << 20)
#define DESC_LEN_MAX (2 * FL_PAGE_LEN)
/* odd: goes through all pages */
#define PAGE_STEP 101u

_Static_assert((4 + FS_PAGES) * sizeof(struct vring_desc) <= DESC_LEN_MAX, "an indirect table");
_Static_assert(SLOTS_LEN < RAM_LEN, "slots");

static uint8_t *slot_page(const struct fs_memory *memory, unsigned int slot, unsigned int page)
{
	return memory->ram.hva + (uint64_t)(slot * SLOT_PAGES + page) * FL_PAGE_LEN;
}

static uint64_t gpa_of(const struct fs_memory *memory, const void *hva)
{
	return FS_RAM_GPA + (uint64_t)((const uint8_t *)hva - memory->ram.hva);
}

uint8_t *fs_page(const struct fs_memory *memory, unsigned int slot, unsigned int index)
{
	return slot_page(memory, slot, SLOT_DATA + index * PAGE_STEP % FS_PAGES);
}

bool fs_memory_init(struct fs_memory *memory)
{
	struct fl_diag diag = {0};
	struct fl_region region = {.kind = FL_REGION_RAM, .gpa = FS_RAM_GPA, .len = RAM_LEN, .name = "ram"};

	*memory = (struct fs_memory){.used_len = SLOTS_LEN};
	if (fl_guest_ram_init(&memory->ram, RAM_LEN, &diag)) {
		fprintf(stderr, "%s\n", diag.text);
		return false;
	}
	region.hva = memory->ram.hva;
	/* no page is touched for the first time while the clock runs */
	memset(memory->ram.hva, 0, RAM_LEN);
	return fl_gpa_map_add(&memory->map, &region, &diag) == 0;
}

void fs_memory_fini(struct fs_memory *memory)
{
	fl_guest_ram_fini(&memory->ram);
}

bool fs_mount_init(struct fs_mount *mount, struct fs_memory *memory)
{
	*mount = (struct fs_mount){.memory = memory};
	for (unsigned int i = 0; i < FS_QUEUES; i++) {
		uint64_t len = ring_len(FS_QUEUE_SIZE);

		if (!fl_range_fits(memory->used_len, len, RAM_LEN))
			return false;
		ring_init(&mount->rings[i], FS_QUEUE_SIZE, memory->ram.hva + memory->used_len,
			  FS_RAM_GPA + memory->used_len);
		memory->used_len += len;
	}
	return true;
}

/* ---- chains ---- */

struct chain {
	const struct fs_memory *memory;
	struct vring_desc *table;
	uint16_t count;
};

static void add_piece(struct chain *chain, const void *hva, uint32_t len, uint16_t flags)
{
	uint16_t index = chain->count++;

	chain->table[index] = (struct vring_desc){.addr = gpa_of(chain->memory, hva),
						  .len = len,
						  .flags = flags | VRING_DESC_F_NEXT,
						  .next = (uint16_t)(index + 1)};
}

static void add_pages(struct chain *chain, unsigned int slot, uint32_t len, uint16_t flags)
{
	for (unsigned int i = 0; len; i++) {
		uint32_t part = FL_MIN(len, (uint32_t)FL_PAGE_LEN);

		add_piece(chain, fs_page(chain->memory, slot, i), part, flags);
		len -= part;
	}
}

/* virtio_fs_enqueue_req(): header, arguments, pages; then what is answered, in the same order. */
static void put_chain(struct fs_mount *mount, unsigned int slot, const struct fs_call *call)
{
	const struct fs_memory *memory = mount->memory;
	uint8_t *in = slot_page(memory, slot, SLOT_IN), *out = slot_page(memory, slot, SLOT_OUT);
	struct chain chain = {.memory = memory, .table = (void *)slot_page(memory, slot, SLOT_TABLE)};
	struct fuse_in_header *header = (void *)in;

	mount->unique += 2;
	*header = (struct fuse_in_header){
		.len = (uint32_t)sizeof(*header) + call->args_len + call->sent_len,
		.opcode = call->opcode,
		.unique = mount->unique,
		.nodeid = call->nodeid,
	};
	memset(out, 0, sizeof(struct fuse_out_header));
	add_piece(&chain, in, sizeof(*header), 0);
	if (call->args_len)
		add_piece(&chain, in + sizeof(*header), call->args_len, 0);
	add_pages(&chain, slot, call->sent_len, 0);
	add_piece(&chain, out, sizeof(struct fuse_out_header), VRING_DESC_F_WRITE);
	if (call->reply_len)
		add_piece(&chain, out + sizeof(struct fuse_out_header), call->reply_len, VRING_DESC_F_WRITE);
	add_pages(&chain, slot, call->reply_max_len, VRING_DESC_F_WRITE);
	chain.table[chain.count - 1].flags &= (uint16_t)~VRING_DESC_F_NEXT;
	mount->rings[FS_REQUESTS].vring.desc[slot] =
		(struct vring_desc){.addr = gpa_of(memory, chain.table),
				    .len = chain.count * (uint32_t)sizeof(struct vring_desc),
				    .flags = VRING_DESC_F_INDIRECT};
}

/* ---- requests in flight ---- */

struct flight {
	struct fs_mount *mount;
	const struct fs_job *job;
	uint64_t numbers[FS_SLOTS]; /* of the request in each slot */
	uint64_t started, done, count;
};

static bool start_one(struct flight *flight, unsigned int slot)
{
	struct fs_mount *mount = flight->mount;
	struct fs_call call = {.args = slot_page(mount->memory, slot, SLOT_IN) + sizeof(struct fuse_in_header)};

	flight->numbers[slot] = flight->started++;
	flight->job->fill(flight->job->arg, slot, flight->numbers[slot], &call);
	put_chain(mount, slot, &call);
	return ring_offer(&mount->rings[FS_REQUESTS], (uint16_t)slot);
}

static bool end_one(struct flight *flight, uint32_t slot, uint32_t used_len)
{
	const struct fs_memory *memory = flight->mount->memory;
	const struct fs_job *job = flight->job;
	const struct fuse_in_header *in;
	const struct fuse_out_header *out;
	struct fs_reply reply;

	if (slot >= FS_SLOTS)
		return false;
	in = (const void *)slot_page(memory, slot, SLOT_IN);
	out = (const void *)slot_page(memory, slot, SLOT_OUT);
	flight->done++;
	reply = (struct fs_reply){.body = out + 1, .len = out->len - (uint32_t)sizeof(*out)};
	if (used_len >= sizeof(*out) && out->len == used_len && out->unique == in->unique && !out->error &&
	    (!job->done || job->done(job->arg, slot, flight->numbers[slot], &reply)))
		return true;
	fprintf(stderr, "request %llu, opcode %u of node %#llx: wrong answer: error %d, %u bytes, %u used\n",
		(unsigned long long)flight->numbers[slot], in->opcode, (unsigned long long)in->nodeid, out->error,
		out->len, used_len);
	return false;
}

struct finished {
	uint32_t head, len;
};

/* virtio_fs_requests_done_work(): all that is there, with interrupts off. */
static unsigned int collect(struct ring *ring, struct finished finished[FS_QUEUE_SIZE])
{
	unsigned int count = 0;

	do {
		ring_disable_calls(ring);
		while (count < FS_QUEUE_SIZE && ring_take(ring, &finished[count].head, &finished[count].len))
			count++;
	} while (!ring_enable_calls(ring));
	return count;
}

bool fs_mount_run(struct fs_mount *mount, const struct fs_job *job, unsigned int depth, uint64_t count)
{
	struct flight flight = {.mount = mount, .job = job, .count = count};
	struct finished finished[FS_QUEUE_SIZE];

	for (unsigned int slot = 0; slot < FL_MIN((uint64_t)FL_MIN(depth, FS_SLOTS), count); slot++)
		if (!start_one(&flight, slot))
			return false;
	while (flight.done < count) {
		unsigned int got;

		if (!ring_wait(&mount->rings[FS_REQUESTS])) {
			fprintf(stderr, "no answer: the daemon has ended, or the time is up\n");
			return false;
		}
		got = collect(&mount->rings[FS_REQUESTS], finished);
		for (unsigned int i = 0; i < got; i++) {
			if (!end_one(&flight, finished[i].head, finished[i].len))
				return false;
			if (flight.started < count && !start_one(&flight, finished[i].head))
				return false;
		}
	}
	return true;
}

/* ---- the connection ---- */

/* Of what Linux offers that which both servers take and which changes no request. */
static void fill_init(void *arg, unsigned int slot, uint64_t number, struct fs_call *call)
{
	struct fuse_init_in in = {
		.major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.max_readahead = FS_PAGES * FL_PAGE_LEN,
		.flags = FUSE_ASYNC_READ | FUSE_ATOMIC_O_TRUNC | FUSE_BIG_WRITES | FUSE_AUTO_INVAL_DATA |
			 FUSE_DO_READDIRPLUS | FUSE_READDIRPLUS_AUTO | FUSE_ASYNC_DIO | FUSE_PARALLEL_DIROPS |
			 FUSE_MAX_PAGES | FUSE_INIT_EXT,
	};

	(void)arg;
	(void)slot;
	(void)number;
	call->opcode = FUSE_INIT;
	memcpy(call->args, &in, sizeof(in));
	call->args_len = sizeof(in);
	call->reply_len = sizeof(struct fuse_init_out);
}

static bool takes_whole_requests(void *arg, unsigned int slot, uint64_t number, const struct fs_reply *reply)
{
	const struct fuse_init_out *out = reply->body;

	(void)arg;
	(void)slot;
	(void)number;
	return out->max_write >= FS_PAGES * FL_PAGE_LEN && out->max_pages >= FS_PAGES;
}

bool fs_mount_begin(struct fs_mount *mount)
{
	const struct fs_job job = {.fill = fill_init, .done = takes_whole_requests};

	return fs_mount_run(mount, &job, 1, 1);
}

/* virtio_fs_send_forget(): one piece that the device reads, in the hiprio queue. */
static bool offer_forget(struct fs_mount *mount, unsigned int slot, uint64_t node)
{
	struct ring *ring = &mount->rings[FS_HIPRIO];
	struct {
		struct fuse_in_header header;
		struct fuse_forget_in forget;
	} *in = (void *)slot_page(mount->memory, slot, SLOT_IN);

	mount->unique += 2;
	in->header = (struct fuse_in_header){
		.len = sizeof(*in), .opcode = FUSE_FORGET, .unique = mount->unique, .nodeid = node};
	in->forget = (struct fuse_forget_in){.nlookup = 1};
	ring->vring.desc[slot] = (struct vring_desc){.addr = gpa_of(mount->memory, in), .len = sizeof(*in)};
	return ring_offer(ring, (uint16_t)slot);
}

bool fs_mount_forget(struct fs_mount *mount, const uint64_t *nodes, uint64_t count)
{
	struct ring *ring = &mount->rings[FS_HIPRIO];
	struct finished finished[FS_QUEUE_SIZE];

	for (uint64_t done = 0; done < count;) {
		unsigned int batch = (unsigned int)FL_MIN(count - done, (uint64_t)FS_SLOTS), back = 0;

		for (unsigned int slot = 0; slot < batch; slot++)
			if (!offer_forget(mount, slot, nodes[done + slot]))
				return false;
		for (back = collect(ring, finished); back < batch; back += collect(ring, finished))
			if (!ring_wait(ring))
				return false;
		done += batch;
	}
	return true;
}
