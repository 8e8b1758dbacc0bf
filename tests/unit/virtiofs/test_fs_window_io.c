/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests that lie in a file window, in whole or in part, whose file is cut while they are on their way: that request
 * fails, or moves less, as read(2) and write(2) would; the device and all other requests go on.
 */
#include "device_box.h"

#include <sched.h>

#include "virtiofs/fuse_dispatch.h"

#define GOOD_LEN UINT64_C(0x2000)
#define CUT	 (WINDOW_GPA + GOOD_LEN)

struct fixture {
	struct box *box;
	int cut_fd; /* behind the window; only GOOD_LEN bytes are left of it */
	uint64_t nodeid, fh;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct fl_backing *backing;
	uint8_t bytes[GOOD_LEN];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 5 + 1);
	f->box = box_new(true);
	f->cut_fd = memfd_create("cut", MFD_CLOEXEC);
	assert_int_equal(ftruncate(f->cut_fd, RANGE), 0);
	assert_int_equal(pwrite(f->cut_fd, bytes, sizeof(bytes), 0), sizeof(bytes));
	assert_int_equal(fl_backing_new(f->cut_fd, true, &backing), 0);
	start_driver(f->box);
	assert_int_equal(init_fuse(f->box), 0);
	assert_int_equal(fl_window_map(f->box->window, 0, RANGE, backing, 0, true), 0);
	/* the window's reference keeps cut_fd open */
	fl_backing_unref(backing);
	f->nodeid = lookup_file(f->box);
	f->fh = open_file(f->box, f->nodeid, O_RDWR);
	assert_int_equal(*(volatile uint8_t *)(fl_window_hva(f->box->window) + GOOD_LEN), 0);
	assert_int_equal(ftruncate(f->cut_fd, GOOD_LEN), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	uint32_t len;
	struct fuse_read_in in = {.fh = f->fh, .size = 5};

	/* whatever happened, the device serves */
	assert_int_equal(request(f->box, FUSE_READ, f->nodeid, &in, sizeof(in), &len), 0);
	assert_int_equal(len, 5);
	box_free(f->box);
	free(f);
	return 0;
}

static struct fuse_out_header reply(const struct fixture *f)
{
	struct fuse_out_header header;

	memcpy(&header, at(&f->box->guest, f->box->out), sizeof(header));
	return header;
}

/* Header and arguments in RAM, the data in the window, the answer in RAM. */
static struct fuse_out_header write_from(struct fixture *f, uint64_t gpa, uint32_t len, uint32_t *written)
{
	struct fuse_write_in in = {.fh = f->fh, .size = len};
	struct fuse_write_out out = {0};
	struct box *box = f->box;

	put_request(box, FUSE_WRITE, f->nodeid, &in, sizeof(in));
	((struct fuse_in_header *)at(&box->guest, box->in))->len += len;
	put_desc(&box->guest, box->table, 0, box->in, sizeof(struct fuse_in_header) + sizeof(in), DESC_F_NEXT, 1);
	put_desc(&box->guest, box->table, 1, gpa, len, DESC_F_NEXT, 2);
	put_desc(&box->guest, box->table, 2, box->out, 256, DESC_F_WRITE, 0);
	assert_in_range(run_chain(box, REQUESTS, 3), sizeof(struct fuse_out_header), 256);
	memcpy(&out, body(box), sizeof(out));
	*written = out.size;
	return reply(f);
}

static void data_to_write_ends_at_the_cut(void **state)
{
	struct fixture *f = *state;
	uint8_t back[0x1000];
	uint32_t written;
	int fd = openat(f->box->dir_fd, "file", O_RDONLY | O_CLOEXEC);

	assert_int_equal(write_from(f, CUT - 0x1000, 0x2000, &written).error, 0);
	assert_int_equal(written, 0x1000);
	assert_int_equal(pread(fd, back, sizeof(back), 0), 0x1000);
	for (unsigned int i = 0; i < sizeof(back); i++)
		assert_int_equal(back[i], (uint8_t)((GOOD_LEN - 0x1000 + i) * 5 + 1));
	assert_int_equal(lseek(fd, 0, SEEK_END), 0x1000);
	assert_int_equal(write_from(f, CUT, 0x1000, &written).error, -EFAULT);
	assert_int_equal(lseek(fd, 0, SEEK_END), 0x1000);
	close(fd);
}

/* The reply's header in RAM, the room for the data in the window. */
static struct fuse_out_header read_into(struct fixture *f, uint64_t gpa, uint32_t len)
{
	struct fuse_read_in in = {.fh = f->fh, .size = len};
	struct box *box = f->box;
	struct fuse_out_header header;
	uint32_t used;

	put_request(box, FUSE_READ, f->nodeid, &in, sizeof(in));
	put_desc(&box->guest, box->table, 0, box->in, sizeof(struct fuse_in_header) + sizeof(in), DESC_F_NEXT, 1);
	put_desc(&box->guest, box->table, 1, box->out, sizeof(header), DESC_F_WRITE | DESC_F_NEXT, 2);
	put_desc(&box->guest, box->table, 2, gpa, len, DESC_F_WRITE, 0);
	used = run_chain(box, REQUESTS, 3);
	header = reply(f);
	assert_int_equal(header.len, used);
	return header;
}

static void fill_file(struct fixture *f)
{
	int fd = openat(f->box->dir_fd, "file", O_WRONLY | O_CLOEXEC);
	uint8_t bytes[0x2000];

	memset(bytes, 0x66, sizeof(bytes));
	assert_int_equal(pwrite(fd, bytes, sizeof(bytes), 0), sizeof(bytes));
	close(fd);
}

static void data_to_read_ends_at_the_cut(void **state)
{
	struct fixture *f = *state;
	struct fuse_out_header header;
	uint8_t bytes[0x1000];

	fill_file(f);
	header = read_into(f, CUT - 0x1000, 0x2000);
	assert_int_equal(header.error, 0);
	assert_int_equal(header.len, sizeof(header) + 0x1000);
	assert_int_equal(pread(f->cut_fd, bytes, sizeof(bytes), (off_t)(GOOD_LEN - 0x1000)), sizeof(bytes));
	for (unsigned int i = 0; i < sizeof(bytes); i++)
		assert_int_equal(bytes[i], 0x66);
	header = read_into(f, CUT, 0x1000);
	assert_int_equal(header.error, -EFAULT);
	assert_int_equal(header.len, sizeof(header));
}

/* A store into a mapping that may only be read is no different. */
static void data_into_a_read_only_range(void **state)
{
	struct fixture *f = *state;
	struct fl_window_view view;

	fill_file(f);
	assert_true(fl_window_look(f->box->window, 0, &view));
	assert_int_equal(fl_window_map(f->box->window, RANGE, RANGE, view.backing, 0, false), 0);
	fl_window_view_put(&view);
	assert_int_equal(read_into(f, WINDOW_GPA + RANGE, 0x1000).error, -EFAULT);
	/* and where nothing is mapped at all */
	assert_int_equal(read_into(f, WINDOW_GPA + 2 * RANGE, 0x1000).error, -EFAULT);
}

/* read(2) of a file into its own mapping, page onto itself: the kernel must not lock one page twice. */
static void data_from_the_file_that_is_mapped(void **state)
{
	struct fixture *f = *state;
	struct fuse_setupmapping_in map_in = {.fh = UINT64_MAX, .len = RANGE, .flags = 3, .moffset = RANGE};
	uint32_t written;

	fill_file(f);
	assert_int_equal(request(f->box, FUSE_SETUPMAPPING, f->nodeid, &map_in, sizeof(map_in), NULL), 0);
	assert_int_equal(read_into(f, WINDOW_GPA + RANGE, 0x2000).error, 0);
	assert_int_equal(write_from(f, WINDOW_GPA + RANGE, 0x2000, &written).error, 0);
	assert_int_equal(written, 0x2000);
}

static uint64_t lost(const struct fixture *f)
{
	struct fl_fs_stats stats;

	fl_fs_device_get_stats(f->box->dev, &stats);
	return stats.lost;
}

static void a_reply_whose_header_has_no_memory(void **state)
{
	struct fixture *f = *state;
	struct fuse_getattr_in in = {0};
	struct box *box = f->box;
	uint64_t before = lost(f);
	static const uint64_t places[] = {CUT, CUT - 8};

	for (size_t i = 0; i < FL_ARRAY_SIZE(places); i++) {
		put_request(box, FUSE_GETATTR, f->nodeid, &in, sizeof(in));
		put_desc(&box->guest, box->table, 0, box->in, sizeof(struct fuse_in_header) + sizeof(in), DESC_F_NEXT,
			 1);
		put_desc(&box->guest, box->table, 1, places[i], 256, DESC_F_WRITE, 0);
		assert_int_equal(run_chain(box, REQUESTS, 2), 0);
		assert_int_equal(lost(f) - before, i + 1);
	}
}

/* An answer without its body must not look like one that has it. */
static void a_reply_whose_body_has_no_memory(void **state)
{
	struct fixture *f = *state;
	struct fuse_getattr_in in = {0};
	struct box *box = f->box;
	static const uint64_t places[] = {CUT, CUT - 8};

	for (size_t i = 0; i < FL_ARRAY_SIZE(places); i++) {
		put_request(box, FUSE_GETATTR, f->nodeid, &in, sizeof(in));
		put_desc(&box->guest, box->table, 0, box->in, sizeof(struct fuse_in_header) + sizeof(in), DESC_F_NEXT,
			 1);
		put_desc(&box->guest, box->table, 1, box->out, sizeof(struct fuse_out_header),
			 DESC_F_WRITE | DESC_F_NEXT, 2);
		put_desc(&box->guest, box->table, 2, places[i], 256, DESC_F_WRITE, 0);
		assert_int_equal(run_chain(box, REQUESTS, 3), sizeof(struct fuse_out_header));
		assert_int_equal(reply(f).error, -EFAULT);
		assert_int_equal(reply(f).len, sizeof(struct fuse_out_header));
		assert_int_equal(reply(f).unique, box->unique);
	}
}

static void a_request_that_has_no_memory(void **state)
{
	struct fixture *f = *state;
	struct fuse_getattr_in in = {0};
	struct box *box = f->box;
	uint64_t before = lost(f);
	/* the header gone, half of it gone */
	static const uint64_t places[] = {CUT, CUT - 20};

	for (size_t i = 0; i < FL_ARRAY_SIZE(places); i++) {
		put_desc(&box->guest, box->table, 0, places[i], 56, DESC_F_NEXT, 1);
		put_desc(&box->guest, box->table, 1, box->out, 256, DESC_F_WRITE, 0);
		assert_int_equal(run_chain(box, REQUESTS, 2), 0);
		assert_int_equal(lost(f) - before, i + 1);
		/* and a FORGET, which has no reply */
		put_desc(&box->guest, box->table, 0, places[i], 48, 0, 0);
		assert_int_equal(run_chain(box, HIPRIO, 1), 0);
		before++;
	}
	/* only the arguments gone: that can be said */
	put_request(box, FUSE_GETATTR, f->nodeid, &in, sizeof(in));
	put_desc(&box->guest, box->table, 0, box->in, sizeof(struct fuse_in_header), DESC_F_NEXT, 1);
	put_desc(&box->guest, box->table, 1, CUT, sizeof(in), DESC_F_NEXT, 2);
	put_desc(&box->guest, box->table, 2, box->out, 256, DESC_F_WRITE, 0);
	assert_int_equal(run_chain(box, REQUESTS, 3), sizeof(struct fuse_out_header));
	assert_int_equal(reply(f).error, -EFAULT);
}

/* Cut and grown all the time while data moves: any count is right, an end is not. */
struct cutter {
	int fd;
	atomic_bool over;
	atomic_uint wrong;
};

static void *keep_cutting(void *arg)
{
	struct cutter *cutter = arg;

	while (!atomic_load(&cutter->over)) {
		cutter->wrong += ftruncate(cutter->fd, 0) != 0;
		cutter->wrong += ftruncate(cutter->fd, RANGE) != 0;
		sched_yield();
	}
	return NULL;
}

static void data_of_a_file_that_is_cut_meanwhile(void **state)
{
	struct fixture *f = *state;
	struct cutter cutter = {.fd = f->cut_fd};
	unsigned int whole = 0, less = 0, none = 0;
	pthread_t thread;

	fill_file(f);
	assert_int_equal(pthread_create(&thread, NULL, keep_cutting, &cutter), 0);
	for (unsigned int i = 0; i < 2000; i++) {
		struct fuse_out_header header = read_into(f, WINDOW_GPA, 0x2000);

		assert_true(header.error == 0 || header.error == -EFAULT);
		if (header.error)
			none++;
		else if (header.len == sizeof(header) + 0x2000)
			whole++;
		else
			less++;
	}
	atomic_store(&cutter.over, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(cutter.wrong, 0);
	print_message("# %u whole, %u in part, %u not at all\n", whole, less, none);
}

#define WINDOW_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
static const struct CMUnitTest tests[] = {
	WINDOW_TEST(data_to_write_ends_at_the_cut),	 WINDOW_TEST(data_to_read_ends_at_the_cut),
	WINDOW_TEST(data_into_a_read_only_range),	 WINDOW_TEST(data_from_the_file_that_is_mapped),
	WINDOW_TEST(a_reply_whose_header_has_no_memory), WINDOW_TEST(a_reply_whose_body_has_no_memory),
	WINDOW_TEST(a_request_that_has_no_memory),	 WINDOW_TEST(data_of_a_file_that_is_cut_meanwhile),
};

FL_TEST_MAIN(50, tests)
