/* SPDX-License-Identifier: Apache-2.0 */
/* The device as a guest's driver sees it: registers, queues, descriptor chains; the server is its own thread. */
#include "tests/lib/fl_test.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include "tests/unit/virtio/driver_model.h"
#include "virtiofs/fs_device.h"

#define WINDOW_GPA UINT64_C(0x40000000)
#define RANGE	   (UINT64_C(2) << 20)
#define HIPRIO	   0
#define REQUESTS   1
#define DATA	   "what the host's file says"

struct box {
	struct guest guest;
	struct fl_window *window;
	struct fl_loop *loop;
	struct fl_fs_device *dev;
	struct fl_virtio_mmio *mmio;
	struct driver_queue queues[2];
	uint64_t table; /* an indirect table's worth of descriptors, used for every request */
	uint64_t in, out;
	char dir[64];
	int dir_fd;
	uint64_t unique;
};

static void make_directory(struct box *box)
{
	int fd;

	strcpy(box->dir, "/tmp/fl-fsdev-XXXXXX");
	assert_non_null(mkdtemp(box->dir));
	box->dir_fd = open(box->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = openat(box->dir_fd, "file", O_CREAT | O_WRONLY, 0644);
	assert_int_equal(write(fd, DATA, strlen(DATA)), strlen(DATA));
	close(fd);
}

static struct box *box_new(bool with_window)
{
	struct box *box = calloc(1, sizeof(*box));
	struct fl_fs_device_opts opts = {
		.transport = {.name = "fs0", .vm_fd = -1, .gpa = 0x10000000},
		.tag = "share",
		.attr_timeout_ms = 1000,
	};

	assert_non_null(box);
	make_directory(box);
	guest_init(&box->guest);
	if (with_window) {
		struct fl_region region = {.kind = FL_REGION_WINDOW, .gpa = WINDOW_GPA, .name = "share"};

		assert_int_equal(fl_window_new(UINT64_C(64) << 20, &box->window, NULL), 0);
		region.len = fl_window_len(box->window);
		region.hva = fl_window_hva(box->window);
		region.window = box->window;
		assert_int_equal(fl_gpa_map_add(&box->guest.map, &region, NULL), 0);
		opts.transport.shm_gpa = WINDOW_GPA;
		opts.transport.shm_len = region.len;
	}
	assert_int_equal(fl_loop_new("fs0", 0, &box->loop, NULL), 0);
	opts.transport.map = &box->guest.map;
	opts.transport.loop = box->loop;
	opts.root_fd = box->dir_fd;
	opts.writable = true;
	opts.window = box->window;
	assert_int_equal(fl_fs_device_new(&opts, &box->dev, NULL), 0);
	box->mmio = fl_fs_device_transport(box->dev);
	assert_int_equal(fl_loop_start(box->loop, NULL), 0);
	for (int i = 0; i < 2; i++)
		driver_queue_init(&box->queues[i], &box->guest, 128);
	box->table = guest_alloc(&box->guest, 16 * 64);
	box->in = guest_alloc(&box->guest, 65536);
	box->out = guest_alloc(&box->guest, 65536);
	return box;
}

static void start_driver(struct box *box)
{
	for (int i = 0; i < 2; i++) {
		memset(at(&box->guest, box->queues[i].avail), 0, 6 + 2 * 128);
		memset(at(&box->guest, box->queues[i].used), 0, 6 + 8 * 128);
		box->queues[i].avail_idx = 0;
		box->queues[i].used_seen = 0;
	}
	assert_true(mmio_negotiate(box->mmio, FEATURE_VERSION_1 | FEATURE_INDIRECT_DESC | FEATURE_EVENT_IDX));
	for (unsigned int i = 0; i < 2; i++)
		mmio_setup_queue(box->mmio, i, &box->queues[i]);
	mmio_driver_ok(box->mmio);
}

static void box_free(struct box *box)
{
	fl_loop_stop(box->loop);
	fl_fs_device_free(box->dev);
	fl_loop_free(box->loop);
	fl_window_free(box->window);
	guest_fini(&box->guest);
	unlinkat(box->dir_fd, "file", 0);
	unlinkat(box->dir_fd, "new", 0);
	close(box->dir_fd);
	rmdir(box->dir);
	free(box);
}

static void put_request(struct box *box, uint32_t opcode, uint64_t nodeid, const void *args, size_t len)
{
	struct fuse_in_header header = {
		.len = (uint32_t)(sizeof(header) + len),
		.opcode = opcode,
		.nodeid = nodeid,
		.unique = ++box->unique,
	};

	memcpy(at(&box->guest, box->in), &header, sizeof(header));
	if (len)
		memcpy((uint8_t *)at(&box->guest, box->in) + sizeof(header), args, len);
}

/* The queue's descriptor 0 as an indirect chain; waits for the answer. */
static uint32_t run_chain(struct box *box, unsigned int index, unsigned int descriptors)
{
	struct driver_queue *queue = &box->queues[index];
	const struct timespec pause = {.tv_nsec = 200000};
	uint32_t id, len;

	put_desc(&box->guest, queue->desc, 0, box->table, 16 * descriptors, DESC_F_INDIRECT, 0);
	offer(queue, 0);
	mmio_put(box->mmio, MMIO_QUEUE_NOTIFY, index);
	while (!take_used(queue, &id, &len)) {
		if (mmio_get(box->mmio, MMIO_STATUS) & STATUS_NEEDS_RESET)
			return UINT32_MAX;
		nanosleep(&pause, NULL);
	}
	assert_int_equal(id, 0);
	return len;
}

/* One readable and one writable piece. Returns the reply's error; *body_len without its header. */
static int request(struct box *box, uint32_t opcode, uint64_t nodeid, const void *args, size_t len, uint32_t *body_len)
{
	struct fuse_out_header header;
	uint32_t used;

	put_request(box, opcode, nodeid, args, len);
	put_desc(&box->guest, box->table, 0, box->in, (uint32_t)(sizeof(struct fuse_in_header) + len), DESC_F_NEXT, 1);
	put_desc(&box->guest, box->table, 1, box->out, 8192, DESC_F_WRITE, 0);
	used = run_chain(box, REQUESTS, 2);
	assert_in_range(used, sizeof(header), 8192);
	memcpy(&header, at(&box->guest, box->out), sizeof(header));
	assert_int_equal(header.len, used);
	assert_int_equal(header.unique, box->unique);
	if (body_len)
		*body_len = used - (uint32_t)sizeof(header);
	return header.error;
}

static const void *body(const struct box *box)
{
	return (const uint8_t *)at(&box->guest, box->out) + sizeof(struct fuse_out_header);
}

static int init_fuse(struct box *box)
{
	struct fuse_init_in in = {.major = 7, .minor = 41, .flags = UINT32_MAX & ~(1u << 31), .flags2 = UINT32_MAX};

	return request(box, FUSE_INIT, 0, &in, sizeof(in), NULL);
}

static uint64_t lookup_file(struct box *box)
{
	uint64_t nodeid;

	assert_int_equal(request(box, FUSE_LOOKUP, FUSE_ROOT_ID, "file", 5, NULL), 0);
	memcpy(&nodeid, body(box), sizeof(nodeid));
	return nodeid;
}

static uint64_t open_file(struct box *box, uint64_t nodeid, uint32_t flags)
{
	struct fuse_open_in in = {.flags = flags};
	uint64_t fh;

	assert_int_equal(request(box, FUSE_OPEN, nodeid, &in, sizeof(in), NULL), 0);
	memcpy(&fh, body(box), sizeof(fh));
	return fh;
}

static void the_registers_say_virtiofs(void **state)
{
	struct box *box = box_new(true);
	char tag[36] = {0};
	uint8_t byte;

	(void)state;
	assert_int_equal(mmio_get(box->mmio, MMIO_DEVICE_ID), 26);
	for (uint64_t i = 0; i < sizeof(tag); i++) {
		fl_virtio_mmio_access(box->mmio, MMIO_CONFIG + i, false, &byte, 1);
		tag[i] = (char)byte;
	}
	assert_string_equal(tag, "share");
	assert_int_equal(mmio_get(box->mmio, MMIO_CONFIG + 36), 1);
	mmio_put(box->mmio, MMIO_SHM_SEL, 0);
	assert_int_equal(mmio_get64(box->mmio, MMIO_SHM_LEN), 64 << 20);
	assert_int_equal(mmio_get64(box->mmio, MMIO_SHM_BASE), WINDOW_GPA);
	mmio_put(box->mmio, MMIO_QUEUE_SEL, REQUESTS);
	/* fs/fuse/virtio_fs.c: 256 pages and 4 more descriptors in one request */
	assert_true(mmio_get(box->mmio, MMIO_QUEUE_NUM_MAX) >= 260);
	mmio_put(box->mmio, MMIO_QUEUE_SEL, 2);
	assert_int_equal(mmio_get(box->mmio, MMIO_QUEUE_NUM_MAX), 0);
	box_free(box);
}

static void a_file_is_read_through_the_queue(void **state)
{
	struct box *box = box_new(false);
	struct fuse_read_in in = {.size = 4096};
	uint64_t nodeid;
	uint32_t len;

	(void)state;
	start_driver(box);
	assert_int_equal(init_fuse(box), 0);
	nodeid = lookup_file(box);
	in.fh = open_file(box, nodeid, O_RDONLY);
	assert_int_equal(request(box, FUSE_READ, nodeid, &in, sizeof(in), &len), 0);
	assert_int_equal(len, strlen(DATA));
	assert_memory_equal(body(box), DATA, len);
	box_free(box);
}

/* No framing: header, arguments and reply cut anywhere, down to single bytes. */
static void chains_may_be_cut_anywhere(void **state)
{
	struct box *box = box_new(false);
	struct fuse_getattr_in in = {0};
	struct fuse_out_header header;
	struct fuse_attr_out whole;

	(void)state;
	start_driver(box);
	assert_int_equal(init_fuse(box), 0);
	assert_int_equal(request(box, FUSE_GETATTR, FUSE_ROOT_ID, &in, sizeof(in), NULL), 0);
	memcpy(&whole, body(box), sizeof(whole));
	memset(at(&box->guest, box->out), 0, 256);
	put_request(box, FUSE_GETATTR, FUSE_ROOT_ID, &in, sizeof(in));
	/* 1 + 38 + 3 + 14 bytes in; 1 + 14 + 2 + 103 out */
	put_desc(&box->guest, box->table, 0, box->in, 1, DESC_F_NEXT, 1);
	put_desc(&box->guest, box->table, 1, box->in + 1, 38, DESC_F_NEXT, 2);
	put_desc(&box->guest, box->table, 2, box->in + 39, 3, DESC_F_NEXT, 3);
	put_desc(&box->guest, box->table, 3, box->in + 42, 14, DESC_F_NEXT, 4);
	put_desc(&box->guest, box->table, 4, box->out, 1, DESC_F_WRITE | DESC_F_NEXT, 5);
	put_desc(&box->guest, box->table, 5, box->out + 1, 14, DESC_F_WRITE | DESC_F_NEXT, 6);
	put_desc(&box->guest, box->table, 6, box->out + 15, 2, DESC_F_WRITE | DESC_F_NEXT, 7);
	put_desc(&box->guest, box->table, 7, box->out + 17, 103, DESC_F_WRITE, 0);
	assert_int_equal(run_chain(box, REQUESTS, 8), 16 + 104);
	memcpy(&header, at(&box->guest, box->out), sizeof(header));
	assert_int_equal(header.len, 120);
	assert_int_equal(header.error, 0);
	assert_memory_equal(body(box), &whole, sizeof(whole));
	box_free(box);
}

static void forget_on_hiprio_writes_nothing(void **state)
{
	struct box *box = box_new(false);
	struct fuse_forget_in in = {.nlookup = 1};
	struct fl_fs_stats stats;
	uint64_t nodeid;

	(void)state;
	start_driver(box);
	assert_int_equal(init_fuse(box), 0);
	nodeid = lookup_file(box);
	put_request(box, FUSE_FORGET, nodeid, &in, sizeof(in));
	put_desc(&box->guest, box->table, 0, box->in, 48, 0, 0);
	assert_int_equal(run_chain(box, HIPRIO, 1), 0);
	fl_fs_device_get_stats(box->dev, &stats);
	assert_int_equal(stats.inodes, 0);
	assert_int_equal(stats.requests, 3);
	assert_int_equal(stats.errors, 0);
	box_free(box);
}

static void a_short_header_needs_a_reset_and_a_reset_heals(void **state)
{
	struct box *box = box_new(true);
	struct fuse_setupmapping_in map_in = {.fh = UINT64_MAX, .len = RANGE, .flags = 2};
	struct fl_window_stats window;
	struct fl_fs_stats stats;
	uint64_t nodeid;

	(void)state;
	start_driver(box);
	assert_int_equal(init_fuse(box), 0);
	nodeid = lookup_file(box);
	open_file(box, nodeid, O_RDONLY);
	assert_int_equal(request(box, FUSE_SETUPMAPPING, nodeid, &map_in, sizeof(map_in), NULL), 0);
	assert_memory_equal(fl_window_hva(box->window), DATA, strlen(DATA));
	put_request(box, FUSE_STATFS, FUSE_ROOT_ID, NULL, 0);
	put_desc(&box->guest, box->table, 0, box->in, 39, DESC_F_NEXT, 1);
	put_desc(&box->guest, box->table, 1, box->out, 4096, DESC_F_WRITE, 0);
	assert_int_equal(run_chain(box, REQUESTS, 2), UINT32_MAX);
	mmio_put(box->mmio, MMIO_STATUS, 0);
	assert_int_equal(mmio_get(box->mmio, MMIO_STATUS), 0);
	fl_fs_device_get_stats(box->dev, &stats);
	fl_window_get_stats(box->window, &window);
	assert_int_equal(stats.inodes, 0);
	assert_int_equal(stats.handles, 0);
	assert_int_equal(window.ranges_mapped, 0);
	start_driver(box);
	assert_int_equal(init_fuse(box), 0);
	lookup_file(box);
	box_free(box);
}

static void a_reset_in_the_middle_forgets_all(void **state)
{
	struct box *box = box_new(false);
	uint64_t nodeid;
	struct fuse_getattr_in in = {0};

	(void)state;
	start_driver(box);
	assert_int_equal(init_fuse(box), 0);
	nodeid = lookup_file(box);
	start_driver(box); /* begins with a reset */
	assert_int_equal(request(box, FUSE_GETATTR, FUSE_ROOT_ID, &in, sizeof(in), NULL), -EIO); /* no INIT yet */
	assert_int_equal(init_fuse(box), 0);
	assert_int_equal(request(box, FUSE_GETATTR, nodeid, &in, sizeof(in), NULL), -ESTALE);
	box_free(box);
}

/* More than one batch at once: all are answered, in order. */
static void a_full_queue_is_drained(void **state)
{
	enum { COUNT = 100 };
	struct box *box = box_new(false);
	struct driver_queue *queue = &box->queues[REQUESTS];
	const struct timespec pause = {.tv_nsec = 200000};
	uint64_t replies = guest_alloc(&box->guest, 128 * COUNT);
	uint64_t tables = guest_alloc(&box->guest, 32 * COUNT);
	uint32_t id, len;

	(void)state;
	start_driver(box);
	assert_int_equal(init_fuse(box), 0);
	put_request(box, FUSE_STATFS, FUSE_ROOT_ID, NULL, 0);
	for (uint16_t i = 0; i < COUNT; i++) {
		put_desc(&box->guest, tables + 32 * i, 0, box->in, 40, DESC_F_NEXT, 1);
		put_desc(&box->guest, tables + 32 * i, 1, replies + 128 * i, 128, DESC_F_WRITE, 0);
		put_desc(&box->guest, queue->desc, i, tables + 32 * i, 32, DESC_F_INDIRECT, 0);
		offer(queue, i);
	}
	mmio_put(box->mmio, MMIO_QUEUE_NOTIFY, REQUESTS);
	for (uint32_t i = 0; i < COUNT; i++) {
		while (!take_used(queue, &id, &len))
			nanosleep(&pause, NULL);
		assert_int_equal(id, i);
		assert_int_equal(len, 16 + 80);
	}
	box_free(box);
}

/* Reading a file into guest memory that is a file itself, in the window; then with that file gone. */
static void data_goes_to_window_pages(void **state)
{
	struct box *box = box_new(true);
	struct fuse_setupmapping_in map_in = {.fh = UINT64_MAX, .len = RANGE, .flags = 3};
	struct fuse_create_in create_in = {.flags = O_RDWR, .mode = 0666, .umask = 022};
	struct fuse_read_in read_in = {.size = 4096};
	struct fuse_out_header header;
	struct stat st;
	uint8_t args[sizeof(create_in) + 4];
	uint64_t nodeid, new_node;

	(void)state;
	umask(077);
	start_driver(box);
	assert_int_equal(init_fuse(box), 0);
	nodeid = lookup_file(box);
	read_in.fh = open_file(box, nodeid, O_RDONLY);
	memcpy(args, &create_in, sizeof(create_in));
	memcpy(args + sizeof(create_in), "new", 4);
	assert_int_equal(request(box, FUSE_CREATE, FUSE_ROOT_ID, args, sizeof(args), NULL), 0);
	memcpy(&new_node, body(box), sizeof(new_node));
	assert_int_equal(fstatat(box->dir_fd, "new", &st, 0), 0);
	/* the guest's umask, not this process's, which stays as it is */
	assert_int_equal(st.st_mode, S_IFREG | 0644);
	assert_int_equal(umask(022), 077);
	assert_int_equal(request(box, FUSE_SETUPMAPPING, new_node, &map_in, sizeof(map_in), NULL), 0);
	for (int round = 0; round < 2; round++) {
		int fd = openat(box->dir_fd, "new", O_RDWR);

		assert_int_equal(ftruncate(fd, round ? 0 : 4096), 0);
		put_request(box, FUSE_READ, nodeid, &read_in, sizeof(read_in));
		put_desc(&box->guest, box->table, 0, box->in, 80, DESC_F_NEXT, 1);
		put_desc(&box->guest, box->table, 1, box->out, 16, DESC_F_WRITE | DESC_F_NEXT, 2);
		put_desc(&box->guest, box->table, 2, WINDOW_GPA, 4096, DESC_F_WRITE, 0);
		assert_int_equal(run_chain(box, REQUESTS, 3), round ? 16 : 16 + strlen(DATA));
		memcpy(&header, at(&box->guest, box->out), sizeof(header));
		assert_int_equal(header.error, round ? -EFAULT : 0);
		if (!round) {
			char back[64];

			assert_int_equal(pread(fd, back, sizeof(back), 0), sizeof(back));
			assert_memory_equal(back, DATA, strlen(DATA));
		}
		close(fd);
	}
	box_free(box);
}

/* The reply itself goes where nothing is any more: used length 0, and the device lives on. */
static void a_reply_into_a_dead_page_is_lost_alone(void **state)
{
	struct box *box = box_new(true);

	(void)state;
	start_driver(box);
	assert_int_equal(init_fuse(box), 0);
	put_request(box, FUSE_STATFS, FUSE_ROOT_ID, NULL, 0);
	put_desc(&box->guest, box->table, 0, box->in, 40, DESC_F_NEXT, 1);
	put_desc(&box->guest, box->table, 1, WINDOW_GPA, 4096, DESC_F_WRITE, 0);
	assert_int_equal(run_chain(box, REQUESTS, 2), 0);
	lookup_file(box);
	box_free(box);
}

static void bad_tags_are_refused(void **state)
{
	static const char *const bad[] = {"", "0123456789012345678901234567890123456", "new\nline"};
	struct box *box = box_new(false);
	struct fl_fs_device_opts opts = {
		.transport = {.name = "fs1", .vm_fd = -1, .map = &box->guest.map, .loop = box->loop},
		.root_fd = box->dir_fd,
	};
	struct fl_fs_device *dev = NULL;
	struct fl_diag diag;

	(void)state;
	for (size_t i = 0; i < FL_ARRAY_SIZE(bad); i++) {
		opts.tag = bad[i];
		assert_int_equal(fl_fs_device_new(&opts, &dev, &diag), -EINVAL);
		assert_non_null(strstr(diag.text, "tag"));
	}
	assert_null(dev);
	fl_fs_device_free(NULL);
	box_free(box);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(the_registers_say_virtiofs),
	cmocka_unit_test(a_file_is_read_through_the_queue),
	cmocka_unit_test(chains_may_be_cut_anywhere),
	cmocka_unit_test(forget_on_hiprio_writes_nothing),
	cmocka_unit_test(a_short_header_needs_a_reset_and_a_reset_heals),
	cmocka_unit_test(a_reset_in_the_middle_forgets_all),
	cmocka_unit_test(a_full_queue_is_drained),
	cmocka_unit_test(data_goes_to_window_pages),
	cmocka_unit_test(a_reply_into_a_dead_page_is_lost_alone),
	cmocka_unit_test(bad_tags_are_refused),
};
FL_TEST_MAIN(30, tests)
