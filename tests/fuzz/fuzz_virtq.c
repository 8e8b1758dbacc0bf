/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtqueue and its transport under a guest that lies: a device that echoes, on the real src/virtio, is driven by
 * registers, descriptors and ring indices that the input chooses. What the device takes off a ring, what it reads and
 * writes, and all of RAM after every step must be what virtq_model.c says.
 */
#include "virtq_echo.h"

#include <sys/mman.h>

#define STEPS_MAX 200u

/* Where a sane driver puts things; all can be overwritten, and be named by any address. */
#define QUEUE_AREA(index) (RAM_GPA + 0x1000 * (index))
#define TABLES		  (RAM_GPA + 0x2000)
#define DATA		  (RAM_GPA + 0x3000)

/* After what may have changed the queues: is what is ready fit to be used? */
static void look_at_queues(struct machine *m)
{
	for (unsigned int i = 0; i < QUEUES; i++) {
		const struct fl_virtq *vq = fl_virtio_queue(m->dev, i);
		uint64_t size = vq->size;

		if (vq->ready && !m->expected[i].ready)
			m->expected[i] = (struct model_queue){.ready = true};
		m->expected[i].ready = vq->ready;
		if (!vq->ready)
			continue;
		FUZZ_CHECK(size && size <= QUEUE_MAX && !(size & (size - 1)));
		FUZZ_CHECK(fl_is_aligned(vq->desc_gpa, 16) && fl_is_aligned(vq->avail_gpa, 2));
		FUZZ_CHECK(fl_is_aligned(vq->used_gpa, 4) && model_is_ram(vq->desc_gpa));
		FUZZ_CHECK(model_is_ram(vq->desc_gpa + 16 * size - 1) && model_is_ram(vq->avail_gpa));
		FUZZ_CHECK(model_is_ram(vq->avail_gpa + 6 + 2 * size - 1) && model_is_ram(vq->used_gpa));
		FUZZ_CHECK(model_is_ram(vq->used_gpa + 6 + 8 * size - 1));
	}
}

static uint64_t take_gpa(struct machine *m)
{
	static const uint64_t places[] = {
		DATA,
		DATA + 0x1000,
		RAM_GPA,
		TABLES,
		QUEUE_AREA(1),
		RAM_GPA + FIRST_LEN - 16,
		RAM_GPA + MEMORY_LEN - 16,
		RAM_GPA - 16,
		WINDOW_GPA,
		WINDOW_GPA + FL_PAGE_LEN - 16,
		WINDOW_GPA + 2 * FL_PAGE_LEN - 16,
		WINDOW_GPA + WINDOW_LEN / 2 - 16,
		WINDOW_GPA + WINDOW_LEN - 16,
		UINT64_MAX - 63,
	};
	uint8_t which = fuzz_u8(&m->in);

	if (which < 2 * FL_ARRAY_SIZE(places))
		return places[which / 2] + (which % 2 ? fuzz_u8(&m->in) : 0);
	return which < 224 ? RAM_GPA + (fuzz_take(&m->in, 3) & 0x1ffff) : fuzz_number(&m->in);
}

static void put_any_desc(struct machine *m, uint64_t table)
{
	unsigned int index = fuzz_u8(&m->in) % QUEUE_MAX;
	uint64_t gpa = take_gpa(m);
	uint32_t len = (uint32_t)fuzz_number(&m->in);
	unsigned int flags = fuzz_u8(&m->in) & 15;

	put_desc(&m->model.guest, table, index, gpa, len, flags, fuzz_u8(&m->in));
}

static void publish(struct machine *m, unsigned int index, uint16_t head)
{
	if (m->queues[index].size)
		offer(&m->queues[index], head);
}

/* A chain as a driver makes it: so many segments one after the other, the first `readable` of them readable. */
static void put_chain(struct machine *m, unsigned int index, bool indirect)
{
	unsigned int readable = fuzz_u8(&m->in) % 8, count = readable + fuzz_u8(&m->in) % 8;
	unsigned int first = indirect ? 0 : fuzz_u8(&m->in) % (QUEUE_MAX - 16);
	uint64_t table = indirect ? TABLES + 0x100ull * (fuzz_u8(&m->in) % 8) : m->queues[index].desc;

	for (unsigned int i = 0; i < count; i++) {
		unsigned int flags = (i < readable ? 0 : DESC_F_WRITE) | (i + 1 < count ? DESC_F_NEXT : 0);

		put_desc(&m->model.guest, table, first + i, take_gpa(m), fuzz_u16(&m->in) % 5000, flags, first + i + 1);
	}
	if (indirect) {
		first = fuzz_u8(&m->in) % QUEUE_MAX;
		put_desc(&m->model.guest, m->queues[index].desc, first, table, 16 * count, DESC_F_INDIRECT, 0);
	}
	publish(m, index, (uint16_t)first);
}

static void poke(struct machine *m)
{
	uint64_t offset = fuzz_take(&m->in, 3) % (MEMORY_LEN - 4);
	uint32_t value = fuzz_u32(&m->in);

	memcpy(m->model.guest.ram + offset, &value, sizeof(value));
}

static void resize_file(struct machine *m)
{
	static const uint64_t lens[] = {0, 1, 4096, 6000, 8192, 65536};

	m->model.file_len = lens[fuzz_u8(&m->in) % FL_ARRAY_SIZE(lens)];
	FUZZ_CHECK(!ftruncate(m->file_fd, (off_t)m->model.file_len));
}

static void access_register(struct machine *m)
{
	uint8_t how = fuzz_u8(&m->in);
	uint64_t offset = how & 1 ? fuzz_u16(&m->in) : (uint64_t)fuzz_u8(&m->in) * 4 % 0x140;
	uint32_t len = how & 2 ? fuzz_u8(&m->in) % 9 : 4;
	uint64_t value = how & 4 ? fuzz_number(&m->in) : take_gpa(m);

	fl_virtio_mmio_access(m->dev, offset, how & 8, &value, len);
	if (!(how & 8))
		fuzz_digest(&m->digest, value);
}

static void start_driver(struct machine *m)
{
	uint8_t how = fuzz_u8(&m->in);
	uint64_t features = FEATURE_VERSION_1;

	features |= how & 1 ? FEATURE_INDIRECT_DESC : 0;
	features |= how & 2 ? FEATURE_EVENT_IDX : 0;
	m->hold = how & 4;
	(void)mmio_negotiate(m->dev, features);
	for (unsigned int i = 0; i < QUEUES; i++) {
		struct driver_queue *queue = &m->queues[i];

		*queue = (struct driver_queue){.guest = &m->model.guest, .size = (uint16_t)(QUEUE_MAX >> how % 7)};
		queue->desc = QUEUE_AREA(i);
		queue->avail = QUEUE_AREA(i) + 0x800;
		queue->used = QUEUE_AREA(i) + 0xa00;
		memset(at(&m->model.guest, queue->desc), 0, 0x1000);
		mmio_setup_queue(m->dev, i, queue);
	}
	mmio_driver_ok(m->dev);
}

static void answer_held(struct machine *m)
{
	if (m->held_count) {
		m->held_count--;
		echo_complete(m, m->held[m->held_count].queue, m->held[m->held_count].head, fuzz_u16(&m->in));
	}
}

enum step {
	STEP_CHAIN,
	STEP_INDIRECT_CHAIN,
	STEP_DESC,
	STEP_INDIRECT_DESC,
	STEP_OFFER,
	STEP_JUMP,
	STEP_NOTIFY,
	STEP_TURN,
	STEP_POKE,
	STEP_REGISTER,
	STEP_FILE,
	STEP_HELD,
	STEP_RESET,
	STEP_START,
	STEP_COUNT
};

/* What only the guest does comes before the shadow is taken, what the device does after it. */
static void guest_step(struct machine *m, enum step step, unsigned int index)
{
	switch (step) {
	case STEP_CHAIN:
	case STEP_INDIRECT_CHAIN:
		put_chain(m, index, step == STEP_INDIRECT_CHAIN);
		break;
	case STEP_DESC:
		put_any_desc(m, m->queues[index].desc);
		break;
	case STEP_INDIRECT_DESC:
		put_any_desc(m, TABLES);
		break;
	case STEP_OFFER:
		publish(m, index, fuzz_u8(&m->in));
		break;
	case STEP_JUMP:
		m->queues[index].avail_idx = (uint16_t)(m->queues[index].avail_idx + fuzz_u16(&m->in));
		ring_put16(&m->model.guest, avail_idx(&m->queues[index]), m->queues[index].avail_idx);
		break;
	case STEP_POKE:
		poke(m);
		break;
	case STEP_FILE:
		resize_file(m);
		break;
	case STEP_START:
		start_driver(m);
		break;
	default:
		break;
	}
}

static void device_step(struct machine *m, enum step step, unsigned int index)
{
	switch (step) {
	case STEP_NOTIFY:
		mmio_put(m->dev, MMIO_QUEUE_NOTIFY, index);
		break;
	case STEP_REGISTER:
		access_register(m);
		break;
	case STEP_HELD:
		answer_held(m);
		break;
	case STEP_RESET:
		mmio_put(m->dev, MMIO_STATUS, 0);
		FUZZ_CHECK(mmio_get(m->dev, MMIO_STATUS) == 0);
		break;
	default:
		break;
	}
	look_at_queues(m);
	if (step == STEP_NOTIFY || step == STEP_TURN)
		fuzz_digest(&m->digest, fuzz_loop_turn(m->loop));
}

static void run(struct machine *m)
{
	start_driver(m);
	look_at_queues(m);
	for (unsigned int i = 0; i < STEPS_MAX && m->in.left; i++) {
		uint8_t what = fuzz_u8(&m->in);
		enum step step = (enum step)(what % STEP_COUNT);
		unsigned int index = what / STEP_COUNT % QUEUES;

		guest_step(m, step, index);
		memcpy(m->shadow, m->model.guest.ram, MEMORY_LEN);
		device_step(m, step, index);
		FUZZ_CHECK(!memcmp(m->shadow, m->model.guest.ram, MEMORY_LEN));
	}
}

/* ---- making and unmaking it all ---- */

static void add_region(struct machine *m, enum fl_region_kind kind, uint64_t gpa, uint64_t len, uint8_t *hva)
{
	struct fl_region region = {.kind = kind, .gpa = gpa, .len = len, .hva = hva, .name = "memory"};

	region.window = kind == FL_REGION_WINDOW ? m->window : NULL;
	FUZZ_CHECK(!fl_gpa_map_add(&m->model.guest.map, &region, NULL));
}

static void make_memory(struct machine *m)
{
	uint8_t *ram = mmap(NULL, MEMORY_LEN + 2 * FL_PAGE_LEN, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	FUZZ_CHECK(ram != MAP_FAILED);
	ram += FL_PAGE_LEN;
	FUZZ_CHECK(!mprotect(ram, MEMORY_LEN, PROT_READ | PROT_WRITE));
	m->model.guest.ram = ram;
	m->shadow = malloc(MEMORY_LEN);
	FUZZ_CHECK(m->shadow);
	add_region(m, FL_REGION_RAM, RAM_GPA, FIRST_LEN, ram);
	add_region(m, FL_REGION_RAM, RAM_GPA + FIRST_LEN, SECOND_LEN, ram + FIRST_LEN);
}

static void make_window(struct machine *m)
{
	struct fl_backing *backing;

	m->model.file_len = 6000;
	m->model.file_writable = fuzz_u8(&m->in) & 1;
	m->file_fd = memfd_create("file", MFD_CLOEXEC);
	FUZZ_CHECK(m->file_fd >= 0 && !ftruncate(m->file_fd, (off_t)m->model.file_len));
	FUZZ_CHECK(!fl_window_new(WINDOW_LEN, &m->window, NULL));
	FUZZ_CHECK(!fl_backing_new(dup(m->file_fd), true, &backing));
	FUZZ_CHECK(!fl_window_map(m->window, 0, WINDOW_LEN / 2, backing, 0, m->model.file_writable));
	fl_backing_unref(backing);
	add_region(m, FL_REGION_WINDOW, WINDOW_GPA, WINDOW_LEN, fl_window_hva(m->window));
}

static void make_device(struct machine *m)
{
	struct fl_virtio_mmio_opts opts = {
		.name = "echo",
		.device_id = 26,
		.queue_count = QUEUES,
		.queue_size_max = QUEUE_MAX,
		.config_len = 10,
		.shm_gpa = WINDOW_GPA,
		.shm_len = WINDOW_LEN,
		.gpa = 0x10000000,
		.vm_fd = -1,
		.map = &m->model.guest.map,
		.ops = echo_ops(m),
	};

	FUZZ_CHECK(!fl_loop_new("echo", 0, &m->loop, NULL));
	opts.loop = m->loop;
	FUZZ_CHECK(!fl_virtio_mmio_new(&opts, &m->dev, NULL));
}

uint64_t fuzz_one(const uint8_t *data, size_t len)
{
	struct machine *m = calloc(1, sizeof(*m));
	uint64_t digest;

	FUZZ_CHECK(m);
	m->in = (struct fuzz_input){.pos = data, .left = len};
	m->digest = FUZZ_DIGEST_FIRST;
	make_memory(m);
	make_window(m);
	make_device(m);
	run(m);
	digest = m->digest;
	fl_loop_stop(m->loop);
	fl_virtio_mmio_free(m->dev);
	fl_loop_free(m->loop);
	fl_window_free(m->window);
	close(m->file_fd);
	munmap(m->model.guest.ram - FL_PAGE_LEN, MEMORY_LEN + 2 * FL_PAGE_LEN);
	free(m->shadow);
	free(m);
	return digest;
}
