/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The FUSE server under a guest that lies: the real virtio-fs device, over a directory made for each input, gets
 * requests by its queues; the host changes files meanwhile. Whatever the guest sends, the server knows what
 * the replies say it knows, nothing outside the directory is touched, and nothing is left when the device is gone.
 */
#include "fs_guest.h"

#include <signal.h>
#include <sys/resource.h>

#define STEPS_MAX	96u
#define TURNS_MAX	64u
#define FILE_LEN_MAX	((4u << 20) + 65536u) /* so that an input cannot fill the machine's memory */
#define FEW_DESCRIPTORS 128u		      /* makes the server's own limits come soon */
#define FEATURES	(FEATURE_VERSION_1 | FEATURE_INDIRECT_DESC | FEATURE_EVENT_IDX)

/* The first byte of an input: what is shared, and how. */
#define SHARE_READ_ONLY 1u
#define SHARE_NO_WINDOW 2u
#define SHARE_FEW_FDS	4u
#define SHARE_TIMEOUT	8u
#define SHARE_NO_INIT	16u
#define SHARE_SLOW	32u /* nothing is in memory: requests are in flight until the input says otherwise */
#define SHARE_USERS	64u /* requests are served as who made them, if this process may */

/* ---- the driver ---- */

static void start_driver(struct fs_guest *guest)
{
	FUZZ_CHECK(mmio_negotiate(guest->mmio, FEATURES));
	for (unsigned int i = 0; i < 2; i++) {
		struct driver_queue *queue = &guest->queues[i];

		memset(at(&guest->guest, queue->avail), 0, 6 + 2 * QUEUE_SIZE);
		memset(at(&guest->guest, queue->used), 0, 6 + 8 * QUEUE_SIZE);
		queue->avail_idx = 0;
		queue->used_seen = 0;
		mmio_setup_queue(guest->mmio, i, queue);
	}
	mmio_driver_ok(guest->mmio);
}

/* Whatever is in flight is gone with it, and everything that the guest knew. */
static void reset_device(struct fs_guest *guest)
{
	struct fl_fs_stats stats;

	mmio_put(guest->mmio, MMIO_STATUS, 0);
	FUZZ_CHECK(mmio_get(guest->mmio, MMIO_STATUS) == 0);
	for (unsigned int i = 0; i < SLOTS; i++)
		guest->slots[i].busy = false;
	fs_reply_forget_all(guest);
	fs_reply_check_tables(guest);
	fl_fs_device_get_stats(guest->dev, &stats);
	FUZZ_CHECK(stats.inodes == 0 && stats.handles == 0);
}

/* Only a request without a whole header breaks the device. */
static void repair_if_broken(struct fs_guest *guest)
{
	bool may_be_broken = false;

	if (!(mmio_get(guest->mmio, MMIO_STATUS) & STATUS_NEEDS_RESET))
		return;
	for (unsigned int i = 0; i < SLOTS; i++) {
		const struct slot *slot = &guest->slots[i];

		may_be_broken |= slot->busy && slot->in_len + slot->data_len < sizeof(struct fuse_in_header);
	}
	FUZZ_CHECK(may_be_broken);
	fuzz_digest(&guest->digest, STATUS_NEEDS_RESET);
	reset_device(guest);
	start_driver(guest);
}

/* The device works until it has nothing more to do. */
static void settle(struct fs_guest *guest)
{
	for (unsigned int i = 0; i < TURNS_MAX; i++) {
		unsigned int served = fuzz_loop_turn(guest->loop);

		fs_reply_take_all(guest);
		if (!served && !fuzz_loop_io_count(guest->loop))
			break;
		if (!served)
			fuzz_loop_do_io(guest->loop, fuzz_u8(&guest->in));
	}
	if (!fuzz_loop_io_count(guest->loop))
		guest->overtaken = false;
	repair_if_broken(guest);
	fs_reply_check_tables(guest);
	FUZZ_CHECK(fs_host_acts_as_itself());
}

/* ---- steps ---- */

static void read_register(struct fs_guest *guest)
{
	uint64_t offset = fuzz_u16(&guest->in) % 0x140;
	uint64_t value = 0;

	fl_virtio_mmio_access(guest->mmio, offset, false, &value, 1u << fuzz_u8(&guest->in) % 4);
	fuzz_digest(&guest->digest, value);
}

static void step(struct fs_guest *guest)
{
	uint8_t which = fuzz_u8(&guest->in);
	uint8_t how;

	switch (which) {
	case 255:
		reset_device(guest);
		start_driver(guest);
		break;
	case 254:
		reset_device(guest);
		start_driver(guest);
		fs_request_send_init(guest);
		settle(guest);
		break;
	case 253:
		fs_tree_meddle(&guest->tree, fuzz_u8(&guest->in));
		break;
	case 252:
		fuzz_loop_do_io(guest->loop, fuzz_u8(&guest->in));
		fs_reply_take_all(guest);
		break;
	case 251:
		for (unsigned int i = 0; i < 2; i++)
			mmio_put(guest->mmio, MMIO_QUEUE_NOTIFY, i);
		settle(guest);
		break;
	case 250:
		read_register(guest);
		break;
	default:
		how = fs_request_send(guest, which);
		if (!(how & HOW_HOLD))
			settle(guest);
	}
}

static void run(struct fs_guest *guest, uint8_t share)
{
	start_driver(guest);
	if (!(share & SHARE_NO_INIT)) {
		fs_request_send_init(guest);
		settle(guest);
	}
	for (unsigned int i = 0; i < STEPS_MAX && guest->in.left; i++)
		step(guest);
	for (unsigned int i = 0; i < 2; i++)
		mmio_put(guest->mmio, MMIO_QUEUE_NOTIFY, i);
	settle(guest);
	reset_device(guest);
}

/* ---- making and unmaking it all ---- */

static void lay_out_memory(struct fs_guest *guest)
{
	guest_init(&guest->guest);
	for (unsigned int i = 0; i < 2; i++)
		driver_queue_init(&guest->queues[i], &guest->guest, QUEUE_SIZE);
	guest->queues[1].desc = guest->queues[0].desc;
	for (unsigned int i = 0; i < SLOTS; i++) {
		guest->slots[i].in = guest_alloc(&guest->guest, IN_LEN);
		guest->slots[i].out = guest_alloc(&guest->guest, OUT_LEN);
	}
	guest->bulk = guest_alloc(&guest->guest, BULK_LEN);
}

static void make_window(struct fs_guest *guest)
{
	struct fl_region region = {.kind = FL_REGION_WINDOW, .gpa = WINDOW_GPA, .name = "share"};

	FUZZ_CHECK(!fl_window_new(WINDOW_RANGES * FL_RANGE_LEN, &guest->window, NULL));
	region.len = fl_window_len(guest->window);
	region.hva = fl_window_hva(guest->window);
	region.window = guest->window;
	FUZZ_CHECK(!fl_gpa_map_add(&guest->guest.map, &region, NULL));
}

static void make_device(struct fs_guest *guest, uint8_t share)
{
	struct fl_fs_device_opts opts = {
		.transport = {.name = "fs0", .vm_fd = -1, .gpa = 0x10000000, .map = &guest->guest.map},
		.tag = "share",
		.root_fd = guest->tree.share_fd,
		.writable = !(share & SHARE_READ_ONLY),
		.as_users = guest->as_users,
		.attr_timeout_ms = share & SHARE_TIMEOUT ? 1000 : 0,
		.entry_timeout_ms = share & SHARE_TIMEOUT ? 1000 : 0,
	};

	if (!(share & SHARE_NO_WINDOW))
		make_window(guest);
	if (guest->window) {
		opts.transport.shm_gpa = WINDOW_GPA;
		opts.transport.shm_len = fl_window_len(guest->window);
	}
	opts.window = guest->window;
	FUZZ_CHECK(!fl_loop_new("fs0", 0, &guest->loop, NULL));
	opts.transport.loop = guest->loop;
	FUZZ_CHECK(!fl_fs_device_new(&opts, &guest->dev, NULL));
	guest->mmio = fl_fs_device_transport(guest->dev);
}

static void free_device(struct fs_guest *guest)
{
	fl_loop_stop(guest->loop);
	fl_fs_device_free(guest->dev);
	fl_loop_free(guest->loop);
	fl_window_free(guest->window);
	guest_fini(&guest->guest);
}

static struct rlimit limit_to(enum __rlimit_resource resource, rlim_t soft)
{
	struct rlimit before, now;

	FUZZ_CHECK(!getrlimit(resource, &before));
	now = before;
	now.rlim_cur = FL_MIN(soft, before.rlim_max);
	FUZZ_CHECK(!setrlimit(resource, &now));
	return before;
}

uint64_t fuzz_one(const uint8_t *data, size_t len)
{
	struct fs_guest *guest = calloc(1, sizeof(*guest));
	unsigned int descriptors = fs_tree_count_descriptors();
	struct rlimit file_limit, fd_limit;
	uint64_t digest;
	uint8_t share;

	FUZZ_CHECK(guest);
	guest->in = (struct fuzz_input){.pos = data, .left = len};
	guest->digest = FUZZ_DIGEST_FIRST;
	share = fuzz_u8(&guest->in);
	guest->has_users = share & SHARE_USERS;
	guest->as_users = guest->has_users && fs_host_has_users();
	fs_host_set_slow(share & SHARE_SLOW);
	fs_tree_init(&guest->tree);
	if (guest->has_users)
		fs_tree_open_to_all(&guest->tree);
	(void)signal(SIGXFSZ, SIG_IGN);
	file_limit = limit_to(RLIMIT_FSIZE, FILE_LEN_MAX);
	fd_limit = limit_to(RLIMIT_NOFILE, share & SHARE_FEW_FDS ? FEW_DESCRIPTORS : 1024);
	lay_out_memory(guest);
	make_device(guest, share);
	run(guest, share);
	free_device(guest);
	FUZZ_CHECK(!setrlimit(RLIMIT_FSIZE, &file_limit));
	FUZZ_CHECK(!setrlimit(RLIMIT_NOFILE, &fd_limit));
	fs_tree_check(&guest->tree);
	fs_tree_fini(&guest->tree);
	digest = guest->digest;
	free(guest);
	FUZZ_CHECK(fs_tree_count_descriptors() == descriptors);
	return digest;
}
