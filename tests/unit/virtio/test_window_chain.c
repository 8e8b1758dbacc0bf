/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors that point into a file window whose file has been cut: data moves as far as the memory goes, as read(2)
 * and write(2) do; rings and indirect tables may not lie there at all, since they are dereferenced.
 */
#include "tests/lib/fl_test.h"

#include "tests/unit/virtio/console_driver.h"
#include "tests/unit/virtio/cut_file.h"

static void test_copies_go_as_far_as_the_memory(void **state)
{
	/* 16 bytes of RAM, 100 before the cut and 100 after it, 16 of RAM; the same for writing */
	struct fl_chain chain = {
		.readable_count = 3,
		.writable_count = 3,
		.readable_len = 232,
		.writable_len = 232,
		.segs = {{RAM_GPA, 16},
			 {WINDOW_GPA + GOOD_LEN - 100, 200},
			 {RAM_GPA + 64, 16},
			 {RAM_GPA, 16},
			 {WINDOW_GPA + GOOD_LEN - 100, 200},
			 {RAM_GPA + 64, 16}},
	};
	struct cut_file file;
	struct guest guest;
	uint8_t bytes[232], in_file[100];

	(void)state;
	guest_init(&guest);
	add_window(&guest, &file);
	memset(at(&guest, RAM_GPA), 0x77, 16);
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(fl_chain_read(&guest.map, &chain, 0, bytes, sizeof(bytes)), 116);
	assert_int_equal(bytes[15], 0x77);
	for (unsigned int i = 0; i < 100; i++)
		assert_int_equal(bytes[16 + i], (uint8_t)((GOOD_LEN - 100 + i) * 5 + 1));
	assert_int_equal(fl_chain_read(&guest.map, &chain, 16 + 50, bytes, sizeof(bytes)), 50);
	assert_int_equal(fl_chain_read(&guest.map, &chain, 116, bytes, 1), -EFAULT);
	assert_int_equal(fl_chain_read(&guest.map, &chain, 216, bytes, 16), 16);

	memset(bytes, 0x31, sizeof(bytes));
	assert_int_equal(fl_chain_write(&guest.map, &chain, 0, bytes, sizeof(bytes)), 116);
	assert_int_equal(pread(file.fd, in_file, 100, (off_t)(GOOD_LEN - 100)), 100);
	for (unsigned int i = 0; i < 100; i++)
		assert_int_equal(in_file[i], 0x31);
	assert_int_equal(*(uint8_t *)at(&guest, RAM_GPA + 64), 0);
	assert_int_equal(fl_chain_write(&guest.map, &chain, 116, bytes, 10), -EFAULT);
	/* it grew again: all is well */
	assert_int_equal(ftruncate(file.fd, RANGE_LEN), 0);
	assert_int_equal(fl_chain_write(&guest.map, &chain, 0, bytes, sizeof(bytes)), 232);
	fl_window_free(file.window);
	guest_fini(&guest);
}

/* iovecs say nothing about pages; the system call that gets them finds out. */
static void test_iovecs_end_in_short_counts(void **state)
{
	struct fl_chain chain = {.readable_count = 1,
				 .writable_count = 1,
				 .readable_len = 0x2000,
				 .writable_len = 0x2000,
				 .segs = {{WINDOW_GPA + 0x1000, 0x2000}, {WINDOW_GPA + 0x1000, 0x2000}}};
	int data = memfd_create("data", MFD_CLOEXEC);
	struct cut_file file;
	struct guest guest;
	struct iovec iov[4];
	unsigned int count = 0;

	(void)state;
	guest_init(&guest);
	add_window(&guest, &file);
	assert_int_equal(ftruncate(data, 0x10000), 0);
	assert_int_equal(fl_chain_iov(&guest.map, &chain, false, 0, 0x2000, iov, 4, &count), 0);
	assert_int_equal(pwritev2(data, iov, (int)count, 0, 0), 0x1000);
	count = 0;
	assert_int_equal(fl_chain_iov(&guest.map, &chain, true, 0, 0x2000, iov, 4, &count), 0);
	assert_int_equal(preadv2(data, iov, (int)count, 0, 0), 0x1000);
	count = 0;
	assert_int_equal(fl_chain_iov(&guest.map, &chain, true, 0x1000, 0x1000, iov, 4, &count), 0);
	assert_int_equal(preadv2(data, iov, (int)count, 0, 0), -1);
	assert_int_equal(errno, EFAULT);
	close(data);
	fl_window_free(file.window);
	guest_fini(&guest);
}

/* Also where the page is there at the moment. */
static void test_rings_and_tables_are_refused(void **state)
{
	struct driver_queue queue;
	struct cut_file file;
	struct guest guest;
	struct fl_chain chain;
	struct fl_virtq vq;

	(void)state;
	guest_init(&guest);
	add_window(&guest, &file);
	driver_queue_init(&queue, &guest, 16);
	for (unsigned int i = 0; i < 3; i++) {
		vq = virtq_for(&queue, false, true);
		*(i == 0 ? &vq.desc_gpa : i == 1 ? &vq.avail_gpa : &vq.used_gpa) = WINDOW_GPA;
		assert_int_equal(fl_virtq_enable(&vq), -EINVAL);
	}
	vq = virtq_for(&queue, false, true);
	assert_int_equal(fl_virtq_enable(&vq), 0);
	put_desc(&guest, queue.desc, 0, WINDOW_GPA, 32, DESC_F_INDIRECT, 0);
	offer(&queue, 0);
	assert_int_equal(fl_virtq_pop(&vq, &chain), -EPROTO);
	fl_window_free(file.window);
	guest_fini(&guest);
}

/* ---- the console --------------------------------------------------------------------------- */

struct stage {
	struct terminal terminal;
	struct fl_console_port_opts ports[2];
	struct cut_file file;
	int out[2], in[2];
};

static int stage_setup(void **state)
{
	struct stage *stage = calloc(1, sizeof(*stage));

	*state = stage;
	assert_int_equal(pipe2(stage->out, O_CLOEXEC), 0);
	assert_int_equal(pipe2(stage->in, O_CLOEXEC), 0);
	stage->ports[0] = (struct fl_console_port_opts){.in_fd = -1, .out_fd = -1};
	stage->ports[1] = (struct fl_console_port_opts){.name = "both", .in_fd = stage->in[0], .out_fd = stage->out[1]};
	terminal_make(&stage->terminal, stage->ports, 2);
	add_window(&stage->terminal.guest, &stage->file);
	return 0;
}

static int stage_teardown(void **state)
{
	struct stage *stage = *state;

	terminal_fini(&stage->terminal);
	fl_window_free(stage->file.window);
	for (unsigned int i = 0; i < 2; i++) {
		close(stage->out[i]);
		close(stage->in[i]);
	}
	free(stage);
	return 0;
}

static void offer_at(struct stage *stage, struct lane *lane, unsigned int i, uint64_t gpa, uint32_t len,
		     unsigned int flags)
{
	put_desc(&stage->terminal.guest, lane->queue.desc, i, gpa, len, flags, 0);
	offer(&lane->queue, (uint16_t)i);
	lane->offered++;
	mmio_put(stage->terminal.dev, MMIO_QUEUE_NOTIFY, lane->index);
}

static void test_console_output_from_a_cut_file(void **state)
{
	struct stage *stage = *state;
	uint8_t got[512];

	terminal_start(&stage->terminal);
	terminal_shake_hands(&stage->terminal, stage->ports);
	offer_at(stage, &stage->terminal.out[1], 0, WINDOW_GPA + GOOD_LEN - 100, 200, 0);
	assert_true(port_written(&stage->terminal, 1, 10000));
	port_queue(&stage->terminal, 1, 1, "next", 4);
	assert_true(port_written(&stage->terminal, 1, 10000));
	/* what there was, and then the next */
	assert_int_equal(read(stage->out[0], got, sizeof(got)), 104);
	for (unsigned int i = 0; i < 100; i++)
		assert_int_equal(got[i], (uint8_t)((GOOD_LEN - 100 + i) * 5 + 1));
	assert_memory_equal(got + 100, "next", 4);
	assert_false(is_broken(&stage->terminal, 1));
}

static void test_console_input_into_a_cut_file(void **state)
{
	struct stage *stage = *state;
	struct lane *lane = &stage->terminal.in[1];
	uint8_t bytes[200], in_file[100];
	uint32_t id, len;

	memset(bytes, 0x42, sizeof(bytes));
	terminal_start(&stage->terminal);
	for (unsigned int i = 0; i < RING; i++)
		lane_offer(&stage->terminal, &stage->terminal.control_in, i, BUFFER_LEN, DESC_F_WRITE);
	offer_at(stage, lane, 0, WINDOW_GPA + GOOD_LEN - 100, 200, DESC_F_WRITE);
	offer_at(stage, lane, 1, WINDOW_GPA + GOOD_LEN, 200, DESC_F_WRITE);
	offer_at(stage, lane, 2, buffer_gpa(lane, 2), 200, DESC_F_WRITE);
	port_open(&stage->terminal, 1);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(write(stage->in[1], bytes, 200), 200);
		assert_true(lane_take(lane, 10000, &id, &len));
		assert_int_equal(id, i);
		assert_int_equal(len, i == 0 ? 100 : i == 1 ? 0 : 200);
	}
	assert_int_equal(pread(stage->file.fd, in_file, 100, (off_t)(GOOD_LEN - 100)), 100);
	assert_memory_equal(in_file, bytes, 100);
	assert_memory_equal(at(&stage->terminal.guest, buffer_gpa(lane, 2)), bytes, 200);
	assert_false(is_broken(&stage->terminal, 1));
}

/* A message is not lost with the buffer that it was to go into. */
static void test_console_control_into_a_cut_file(void **state)
{
	struct stage *stage = *state;
	struct lane *lane = &stage->terminal.control_in;
	struct message message;
	uint32_t id, len;

	terminal_start(&stage->terminal);
	offer_at(stage, lane, 0, WINDOW_GPA + GOOD_LEN, 64, DESC_F_WRITE);
	offer_at(stage, lane, 1, WINDOW_GPA + GOOD_LEN - 3, 64, DESC_F_WRITE);
	lane_offer(&stage->terminal, lane, 2, BUFFER_LEN, DESC_F_WRITE);
	lane_offer(&stage->terminal, lane, 3, BUFFER_LEN, DESC_F_WRITE);
	control_send(&stage->terminal, UINT32_MAX, EVENT_DEVICE_READY, 1);
	for (unsigned int i = 0; i < 2; i++) {
		assert_true(lane_take(lane, 10000, &id, &len));
		assert_int_equal(id, i);
		assert_int_equal(len, 0);
	}
	for (unsigned int i = 0; i < 2; i++) {
		assert_true(control_receive(&stage->terminal, 10000, &message));
		assert_int_equal(message.event, EVENT_PORT_ADD);
		assert_int_equal(message.id, i);
	}
	/* and one that comes from such a page is none */
	offer_at(stage, &stage->terminal.control_out, 0, WINDOW_GPA + GOOD_LEN, 8, 0);
	assert_true(lane_take(&stage->terminal.control_out, 10000, &id, &len));
	assert_false(is_broken(&stage->terminal, 1));
}

#define CONSOLE_TEST(name) cmocka_unit_test_setup_teardown(name, stage_setup, stage_teardown)
static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_copies_go_as_far_as_the_memory), cmocka_unit_test(test_iovecs_end_in_short_counts),
	cmocka_unit_test(test_rings_and_tables_are_refused),   CONSOLE_TEST(test_console_output_from_a_cut_file),
	CONSOLE_TEST(test_console_input_into_a_cut_file),      CONSOLE_TEST(test_console_control_into_a_cut_file),
};

FL_TEST_MAIN(50, tests)
