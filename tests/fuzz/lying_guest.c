/* SPDX-License-Identifier: Apache-2.0 */
#include "lying_guest.h"

#include <sys/mman.h>

#define QUEUE_AREA(index) (RAM_GPA + 0x1000 * (uint64_t)(index))
#define TABLES		  (RAM_GPA + 0x4000)
#define WINDOW_GPA	  (RAM_GPA + RAM_LEN + FL_RANGE_LEN)
#define WINDOW_LEN	  FL_RANGE_LEN
#define STEPS		  12u
#define CHECKED_LEN	  0x40000u /* queues, tables, and the data that addresses begin with */

static void add_window(struct liar *liar)
{
	struct fl_region region = {.kind = FL_REGION_WINDOW, .gpa = WINDOW_GPA, .len = WINDOW_LEN, .name = "window"};
	struct fl_backing *backing;

	liar->file_fd = memfd_create("file", MFD_CLOEXEC);
	FUZZ_CHECK(liar->file_fd >= 0 && !ftruncate(liar->file_fd, 6000));
	FUZZ_CHECK(!fl_window_new(WINDOW_LEN, &liar->window, NULL));
	FUZZ_CHECK(!fl_backing_new(dup(liar->file_fd), true, &backing));
	FUZZ_CHECK(!fl_window_map(liar->window, 0, WINDOW_LEN, backing, 0, true));
	fl_backing_unref(backing);
	region.window = liar->window;
	region.hva = fl_window_hva(liar->window);
	FUZZ_CHECK(!fl_gpa_map_add(&liar->guest.map, &region, NULL));
}

void liar_init(struct liar *liar, const uint8_t *data, size_t len)
{
	liar->in = (struct fuzz_input){.pos = data, .left = len};
	liar->digest = FUZZ_DIGEST_FIRST;
	guest_init(&liar->guest);
	add_window(liar);
	FUZZ_CHECK(!fl_loop_new("device", 0, &liar->loop, NULL));
}

struct fl_virtio_mmio_opts liar_transport(struct liar *liar, const struct fl_log *log)
{
	return (struct fl_virtio_mmio_opts){
		.gpa = 0x10000000, .vm_fd = -1, .map = &liar->guest.map, .loop = liar->loop, .log = log};
}

void liar_fini(struct liar *liar)
{
	fl_loop_free(liar->loop);
	fl_window_free(liar->window);
	close(liar->file_fd);
	guest_fini(&liar->guest);
}

void liar_start(struct liar *liar, uint64_t features, uint16_t size)
{
	(void)mmio_negotiate(liar->dev, features);
	for (unsigned int i = 0; i < liar->queue_count; i++) {
		struct driver_queue *queue = &liar->queues[i];

		*queue = (struct driver_queue){.guest = &liar->guest, .size = size};
		queue->desc = QUEUE_AREA(i);
		queue->avail = QUEUE_AREA(i) + 0x800;
		queue->used = QUEUE_AREA(i) + 0xa00;
		memset(at(&liar->guest, queue->desc), 0, 0x1000);
		mmio_setup_queue(liar->dev, i, queue);
	}
	mmio_driver_ok(liar->dev);
}

/* 2.4.1 of virtio 1.2: what was the device's before is the driver's again, and stays as it is. */
static void check_that_reset_ends_all(struct liar *liar)
{
	uint8_t *before = malloc(CHECKED_LEN);

	mmio_put(liar->dev, MMIO_STATUS, 0);
	FUZZ_CHECK(before && mmio_get(liar->dev, MMIO_STATUS) == 0);
	memcpy(before, liar->guest.ram, CHECKED_LEN);
	for (unsigned int i = 0; i < 5; i++)
		(void)fuzz_loop_turn(liar->loop);
	FUZZ_CHECK(!memcmp(before, liar->guest.ram, CHECKED_LEN));
	free(before);
}

void liar_repent(struct liar *liar, uint64_t features)
{
	check_that_reset_ends_all(liar);
	liar_start(liar, features | FEATURE_VERSION_1, LIAR_RING);
	FUZZ_CHECK(mmio_get(liar->dev, MMIO_STATUS) ==
		   (STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK | STATUS_DRIVER_OK));
}

static uint64_t take_gpa(struct liar *liar)
{
	static const uint64_t places[] = {LIAR_DATA,
					  LIAR_DATA + 0x10000,
					  RAM_GPA,
					  TABLES,
					  QUEUE_AREA(1),
					  RAM_GPA + RAM_LEN - 16,
					  WINDOW_GPA,
					  WINDOW_GPA + FL_PAGE_LEN - 16,
					  WINDOW_GPA + 2 * FL_PAGE_LEN - 16,
					  WINDOW_GPA + WINDOW_LEN - 16,
					  UINT64_MAX - 63};
	uint8_t which = fuzz_u8(&liar->in);

	if (which < 8 * FL_ARRAY_SIZE(places))
		return places[which / 8] + (which % 8 ? fuzz_u8(&liar->in) : 0);
	return which < 240 ? LIAR_DATA + (fuzz_take(&liar->in, 3) & 0x3fffff) : fuzz_number(&liar->in);
}

static uint32_t take_len(struct liar *liar)
{
	uint8_t how = fuzz_u8(&liar->in);

	if (how < 200)
		return fuzz_u16(&liar->in) % 3000;
	return how < 240 ? fuzz_u32(&liar->in) & 0x1ffff : (uint32_t)fuzz_number(&liar->in);
}

/* As a driver makes it, but for where its parts lie. */
static void put_chain(struct liar *liar, struct driver_queue *queue, bool indirect)
{
	unsigned int readable = fuzz_u8(&liar->in) % 5, count = readable + fuzz_u8(&liar->in) % 5;
	unsigned int first = indirect ? 0 : fuzz_u8(&liar->in) % (LIAR_RING - 8);
	uint64_t table = indirect ? TABLES + 0x100ull * (fuzz_u8(&liar->in) % 8) : queue->desc;

	for (unsigned int i = 0; i < count; i++) {
		unsigned int flags = (i < readable ? 0 : DESC_F_WRITE) | (i + 1 < count ? DESC_F_NEXT : 0);
		uint64_t gpa = take_gpa(liar);

		put_desc(&liar->guest, table, first + i, gpa, take_len(liar), flags, first + i + 1);
	}
	if (indirect) {
		first = fuzz_u8(&liar->in) % LIAR_RING;
		put_desc(&liar->guest, queue->desc, first, table, 16 * count, DESC_F_INDIRECT, 0);
	}
	offer(queue, (uint16_t)first);
}

static void put_any_desc(struct liar *liar, const struct driver_queue *queue)
{
	uint8_t how = fuzz_u8(&liar->in);
	uint64_t gpa = take_gpa(liar);
	uint32_t len = take_len(liar);

	put_desc(&liar->guest, how & 128 ? TABLES : queue->desc, how % LIAR_RING, gpa, len, fuzz_u8(&liar->in) & 7,
		 fuzz_u8(&liar->in));
}

static void poke(struct liar *liar)
{
	uint64_t offset = fuzz_take(&liar->in, 3) % (RAM_LEN - 4);
	uint32_t value = fuzz_u32(&liar->in);

	memcpy(liar->guest.ram + offset, &value, sizeof(value));
}

static void resize_file(struct liar *liar)
{
	static const off_t lens[] = {0, 1, 4096, 6000, 8192, 65536};

	FUZZ_CHECK(!ftruncate(liar->file_fd, lens[fuzz_u8(&liar->in) % FL_ARRAY_SIZE(lens)]));
}

static void access_register(struct liar *liar)
{
	uint8_t how = fuzz_u8(&liar->in);
	uint64_t offset = how & 1 ? fuzz_u16(&liar->in) : (uint64_t)fuzz_u8(&liar->in) * 4 % 0x140;
	uint32_t len = how & 2 ? fuzz_u8(&liar->in) % 9 : 4;
	uint64_t value = how & 4 ? fuzz_number(&liar->in) : take_gpa(liar);

	fl_virtio_mmio_access(liar->dev, offset, how & 8, &value, len);
	if (!(how & 8))
		fuzz_digest(&liar->digest, value);
}

static void jump(struct liar *liar, struct driver_queue *queue)
{
	queue->avail_idx = (uint16_t)(queue->avail_idx + fuzz_u16(&liar->in));
	ring_put16(&liar->guest, avail_idx(queue), queue->avail_idx);
}

void liar_step(struct liar *liar, unsigned int kind)
{
	unsigned int index = kind / STEPS % liar->queue_count;
	struct driver_queue *queue = &liar->queues[index];

	switch (kind % STEPS) {
	case 0:
	case 1:
		put_chain(liar, queue, kind % STEPS == 1);
		break;
	case 2:
		put_any_desc(liar, queue);
		break;
	case 3:
		offer(queue, fuzz_u8(&liar->in));
		break;
	case 4:
		jump(liar, queue);
		break;
	case 5:
		mmio_put(liar->dev, MMIO_QUEUE_NOTIFY, index);
		break;
	case 6:
		poke(liar);
		break;
	case 7:
		resize_file(liar);
		break;
	case 8:
		access_register(liar);
		break;
	case 9:
		mmio_put(liar->dev, MMIO_STATUS, 0);
		FUZZ_CHECK(mmio_get(liar->dev, MMIO_STATUS) == 0);
		break;
	case 10:
		liar_start(liar, mmio_device_features(liar->dev) & ~fuzz_number(&liar->in),
			   (uint16_t)(LIAR_RING >> fuzz_u8(&liar->in) % 7));
		break;
	default:
		break;
	}
	fuzz_digest(&liar->digest, fuzz_loop_turn(liar->loop));
	fuzz_digest(&liar->digest, mmio_get(liar->dev, MMIO_STATUS));
}
