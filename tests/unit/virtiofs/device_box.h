/* SPDX-License-Identifier: Apache-2.0 */
/* A virtio-fs device over a scratch directory and its driver (driver_model.h): requests as descriptor chains. */
#ifndef DEVICE_BOX_H
#define DEVICE_BOX_H

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
#define QUEUE_LEN  256

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

static inline void make_directory(struct box *box)
{
	int fd;

	strcpy(box->dir, "/tmp/fl-fsdev-XXXXXX");
	assert_non_null(mkdtemp(box->dir));
	box->dir_fd = open(box->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = openat(box->dir_fd, "file", O_CREAT | O_WRONLY, 0644);
	assert_int_equal(write(fd, DATA, strlen(DATA)), strlen(DATA));
	close(fd);
}

static inline struct box *box_new_on(bool with_window, uint32_t loop_flags, const struct fl_log *log)
{
	struct box *box = calloc(1, sizeof(*box));
	struct fl_fs_device_opts opts = {
		.transport = {.name = "fs0", .vm_fd = -1, .gpa = 0x10000000},
		.tag = "share",
		.attr_timeout_ms = 1000,
		.entry_timeout_ms = 1000,
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
	assert_int_equal(fl_loop_new("fs0", loop_flags, &box->loop, NULL), 0);
	opts.transport.log = log;
	opts.transport.map = &box->guest.map;
	opts.transport.loop = box->loop;
	opts.root_fd = box->dir_fd;
	opts.writable = true;
	opts.window = box->window;
	assert_int_equal(fl_fs_device_new(&opts, &box->dev, NULL), 0);
	box->mmio = fl_fs_device_transport(box->dev);
	assert_int_equal(fl_loop_start(box->loop, NULL), 0);
	for (int i = 0; i < 2; i++)
		driver_queue_init(&box->queues[i], &box->guest, QUEUE_LEN);
	box->table = guest_alloc(&box->guest, 16 * 64);
	box->in = guest_alloc(&box->guest, 65536);
	box->out = guest_alloc(&box->guest, 65536);
	return box;
}

static inline struct box *box_new(bool with_window)
{
	return box_new_on(with_window, 0, NULL);
}

static inline void start_driver_with(struct box *box, uint64_t features)
{
	for (int i = 0; i < 2; i++) {
		memset(at(&box->guest, box->queues[i].avail), 0, 6 + 2 * QUEUE_LEN);
		memset(at(&box->guest, box->queues[i].used), 0, 6 + 8 * QUEUE_LEN);
		box->queues[i].avail_idx = 0;
		box->queues[i].used_seen = 0;
	}
	assert_true(mmio_negotiate(box->mmio, features));
	for (unsigned int i = 0; i < 2; i++)
		mmio_setup_queue(box->mmio, i, &box->queues[i]);
	mmio_driver_ok(box->mmio);
}

static inline void start_driver(struct box *box)
{
	start_driver_with(box, FEATURE_VERSION_1 | FEATURE_INDIRECT_DESC | FEATURE_EVENT_IDX);
}

static inline void box_free(struct box *box)
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

static inline void put_request(struct box *box, uint32_t opcode, uint64_t nodeid, const void *args, size_t len)
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
static inline uint32_t run_chain(struct box *box, unsigned int index, unsigned int descriptors)
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
static inline int request(struct box *box, uint32_t opcode, uint64_t nodeid, const void *args, size_t len,
			  uint32_t *body_len)
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

static inline const void *body(const struct box *box)
{
	return (const uint8_t *)at(&box->guest, box->out) + sizeof(struct fuse_out_header);
}

static inline int init_fuse(struct box *box)
{
	struct fuse_init_in in = {.major = 7, .minor = 41, .flags = UINT32_MAX & ~(1u << 31), .flags2 = UINT32_MAX};

	return request(box, FUSE_INIT, 0, &in, sizeof(in), NULL);
}

static inline uint64_t lookup_file(struct box *box)
{
	uint64_t nodeid;

	assert_int_equal(request(box, FUSE_LOOKUP, FUSE_ROOT_ID, "file", 5, NULL), 0);
	memcpy(&nodeid, body(box), sizeof(nodeid));
	return nodeid;
}

static inline uint64_t open_file(struct box *box, uint64_t nodeid, uint32_t flags)
{
	struct fuse_open_in in = {.flags = flags};
	uint64_t fh;

	assert_int_equal(request(box, FUSE_OPEN, nodeid, &in, sizeof(in), NULL), 0);
	memcpy(&fh, body(box), sizeof(fh));
	return fh;
}

#endif
