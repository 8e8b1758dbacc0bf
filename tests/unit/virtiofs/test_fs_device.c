/* SPDX-License-Identifier: Apache-2.0 */
/* The device as a guest's driver sees it: registers, queues, descriptor chains; the server is its own thread. */
#include "device_box.h"

#include <sys/eventfd.h>

#include "virtio/virtio_mmio_impl.h"

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

/* COUNT STATFS requests in a row, all there before the device looks. */
#define COUNT 100

static void offer_many(struct box *box)
{
	struct driver_queue *queue = &box->queues[REQUESTS];
	uint64_t replies = guest_alloc(&box->guest, 128 * COUNT);
	uint64_t tables = guest_alloc(&box->guest, 32 * COUNT);

	put_request(box, FUSE_STATFS, FUSE_ROOT_ID, NULL, 0);
	for (uint16_t i = 0; i < COUNT; i++) {
		put_desc(&box->guest, tables + 32 * i, 0, box->in, 40, DESC_F_NEXT, 1);
		put_desc(&box->guest, tables + 32 * i, 1, replies + 128 * i, 128, DESC_F_WRITE, 0);
		put_desc(&box->guest, queue->desc, i, tables + 32 * i, 32, DESC_F_INDIRECT, 0);
		offer(queue, i);
	}
	mmio_put(box->mmio, MMIO_QUEUE_NOTIFY, REQUESTS);
}

/* More than one batch at once: all are answered, in order. */
static void a_full_queue_is_drained(void **state)
{
	struct box *box = box_new(false);
	const struct timespec pause = {.tv_nsec = 200000};
	uint32_t id, len;

	(void)state;
	start_driver(box);
	assert_int_equal(init_fuse(box), 0);
	offer_many(box);
	for (uint32_t i = 0; i < COUNT; i++) {
		while (!take_used(&box->queues[REQUESTS], &id, &len))
			nanosleep(&pause, NULL);
		assert_int_equal(id, i);
		assert_int_equal(len, 16 + 80);
	}
	box_free(box);
}

/* A driver that sleeps until an interrupt comes: one that is never sent ends the program by the alarm. */
static uint32_t interrupts_for_many(uint64_t features)
{
	struct box *box = box_new(false);
	struct driver_queue *queue = &box->queues[REQUESTS];
	uint32_t id, len, interrupts = 0;
	uint64_t count;

	/* what KVM's irqfd would be */
	box->mmio->irq_fd = eventfd(0, EFD_CLOEXEC);
	start_driver_with(box, features);
	assert_int_equal(init_fuse(box), 0);
	assert_int_equal(read(box->mmio->irq_fd, &count, sizeof(count)), sizeof(count));
	ring_put16(&box->guest, used_event(queue), queue->used_seen);
	offer_many(box);
	for (uint32_t done = 0; done < COUNT;) {
		if (features & FEATURE_EVENT_IDX) {
			ring_put16(&box->guest, used_event(queue), queue->used_seen);
			__sync_synchronize();
		}
		if (ring_get16(&box->guest, queue->used + 2) == queue->used_seen) {
			assert_int_equal(read(box->mmio->irq_fd, &count, sizeof(count)), sizeof(count));
			interrupts += (uint32_t)count;
		}
		while (take_used(queue, &id, &len))
			done++;
	}
	fl_loop_stop(box->loop);
	assert_int_equal(fcntl(box->mmio->irq_fd, F_SETFL, O_NONBLOCK), 0);
	if (read(box->mmio->irq_fd, &count, sizeof(count)) == sizeof(count))
		interrupts += (uint32_t)count;
	box_free(box);
	return interrupts;
}

static void no_answer_is_forgotten_by_interrupts(void **state)
{
	(void)state;
	for (int round = 0; round < 20; round++)
		interrupts_for_many(FEATURE_VERSION_1 | FEATURE_INDIRECT_DESC | FEATURE_EVENT_IDX);
}

/* Without EVENT_IDX a driver that has not said no gets an interrupt for whatever is announced. */
static void several_answers_share_an_interrupt(void **state)
{
	(void)state;
	assert_in_range(interrupts_for_many(FEATURE_VERSION_1 | FEATURE_INDIRECT_DESC), 1, COUNT / 2);
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
	struct fl_fs_stats stats;

	(void)state;
	start_driver(box);
	assert_int_equal(init_fuse(box), 0);
	put_request(box, FUSE_STATFS, FUSE_ROOT_ID, NULL, 0);
	put_desc(&box->guest, box->table, 0, box->in, 40, DESC_F_NEXT, 1);
	put_desc(&box->guest, box->table, 1, WINDOW_GPA, 4096, DESC_F_WRITE, 0);
	assert_int_equal(run_chain(box, REQUESTS, 2), 0);
	lookup_file(box);
	fl_fs_device_get_stats(box->dev, &stats);
	assert_int_equal(stats.lost, 1);
	assert_int_equal(stats.proto_errors, 0);
	box_free(box);
}

/* "f" without its NUL, and a handle that was never given. */
static void what_an_honest_guest_never_sends_is_counted(void **state)
{
	struct box *box = box_new(false);
	struct fuse_flush_in in = {.fh = 77};
	struct fl_fs_stats stats;

	(void)state;
	start_driver(box);
	assert_int_equal(init_fuse(box), 0);
	assert_int_equal(request(box, FUSE_LOOKUP, FUSE_ROOT_ID, "f", 1, NULL), -EINVAL);
	assert_int_equal(request(box, FUSE_FLUSH, FUSE_ROOT_ID, &in, sizeof(in), NULL), -EBADF);
	fl_fs_device_get_stats(box->dev, &stats);
	assert_int_equal(stats.proto_errors, 2);
	assert_int_equal(stats.errors, 2);
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
	cmocka_unit_test(no_answer_is_forgotten_by_interrupts),
	cmocka_unit_test(several_answers_share_an_interrupt),
	cmocka_unit_test(data_goes_to_window_pages),
	cmocka_unit_test(a_reply_into_a_dead_page_is_lost_alone),
	cmocka_unit_test(what_an_honest_guest_never_sends_is_counted),
	cmocka_unit_test(bad_tags_are_refused),
};
FL_TEST_MAIN(30, tests)
