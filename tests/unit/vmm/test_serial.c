/* SPDX-License-Identifier: Apache-2.0 */
/* The serial console as a driver for a 16450 sees it: the registers of the data sheet (National NS16450), and what is
 * typed. */
#include "tests/lib/fl_test.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vmm/serial_input.h"

enum { RBR = 0, THR = 0, IER = 1, IIR = 2, LCR = 3, MCR = 4, LSR = 5 };
#define ERBI   0x01 /* received data available */
#define ETBI   0x02 /* holding register empty */
#define DR     0x01
#define DLAB   0x80
#define READY  0x0b /* DTR, RTS, and OUT2, which lets the interrupt of a PC through */
#define LOOP   0x10
#define CTRL_D "\x04"

struct rig {
	struct fl_serial serial;
	struct fl_log log;
	struct fl_loop *loop;
	struct fl_serial_input input;
	int pipe[2];
	char shown[64];
	size_t shown_len;
	unsigned int pieces;
};

static void on_console(void *arg, const void *bytes, size_t len)
{
	struct rig *rig = arg;

	assert_true(rig->shown_len + len < sizeof(rig->shown));
	memcpy(rig->shown + rig->shown_len, bytes, len);
	rig->shown_len += len;
	rig->pieces++;
}

static int set_up(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	rig->pipe[0] = rig->pipe[1] = -1;
	fl_serial_init(&rig->serial, -1, on_console, rig);
	*state = rig;
	return 0;
}

static int set_up_input(void **state)
{
	struct fl_diag diag = {0};

	set_up(state);
	struct rig *rig = *state;

	assert_int_equal(pipe2(rig->pipe, O_CLOEXEC), 0);
	assert_int_equal(fl_loop_new("test", 0, &rig->loop, &diag), 0);
	assert_int_equal(fl_serial_input_init(&rig->input, &rig->serial, rig->loop, rig->pipe[0], &rig->log, &diag), 0);
	assert_int_equal(fl_loop_start(rig->loop, &diag), 0);
	return 0;
}

static int tear_down(void **state)
{
	struct rig *rig = *state;

	fl_loop_free(rig->loop);
	fl_serial_input_fini(&rig->input);
	fl_serial_fini(&rig->serial);
	fl_close(&rig->pipe[0]);
	fl_close(&rig->pipe[1]);
	free(rig);
	return 0;
}

static uint8_t in(struct rig *rig, uint16_t reg)
{
	uint8_t value = 0xff;

	fl_serial_access(&rig->serial, reg, false, &value);
	return value;
}

static void out(struct rig *rig, uint16_t reg, uint8_t value)
{
	fl_serial_access(&rig->serial, reg, true, &value);
}

static void listen_to(struct rig *rig)
{
	out(rig, IER, ERBI);
	out(rig, MCR, READY);
}

static void a_byte_is_announced_read_and_gone(void **state)
{
	struct rig *rig = *state;

	out(rig, IER, ERBI);
	assert_false(fl_serial_wants_input(&rig->serial));
	out(rig, MCR, LOOP | READY);
	assert_false(fl_serial_wants_input(&rig->serial));
	out(rig, MCR, READY);
	out(rig, IER, 0);
	assert_false(fl_serial_wants_input(&rig->serial));
	out(rig, IER, ERBI);
	assert_true(fl_serial_wants_input(&rig->serial));
	assert_int_equal(in(rig, LSR), 0x60);
	assert_int_equal(in(rig, IIR), 0x01);
	fl_serial_type(&rig->serial, "ab", 2);
	assert_false(fl_serial_wants_input(&rig->serial));
	assert_int_equal(in(rig, LSR), 0x61);
	assert_int_equal(in(rig, IIR), 0x04);
	/* only reading the data takes it back */
	assert_int_equal(in(rig, IIR), 0x04);
	assert_int_equal(in(rig, RBR), 'a');
	assert_int_equal(in(rig, IIR), 0x04);
	assert_int_equal(in(rig, RBR), 'b');
	assert_int_equal(in(rig, LSR), 0x60);
	assert_int_equal(in(rig, IIR), 0x01);
	assert_int_equal(in(rig, RBR), 0);
	assert_true(fl_serial_wants_input(&rig->serial));
}

/* Data goes before an empty holding register, and does not take that one's place. */
static void two_reasons_are_told_one_after_the_other(void **state)
{
	struct rig *rig = *state;

	out(rig, IER, ERBI | ETBI);
	fl_serial_type(&rig->serial, "x", 1);
	assert_int_equal(in(rig, IIR), 0x04);
	assert_int_equal(in(rig, RBR), 'x');
	assert_int_equal(in(rig, IIR), 0x02);
	assert_int_equal(in(rig, IIR), 0x01);
}

static void what_is_not_asked_for_is_not_announced(void **state)
{
	struct rig *rig = *state;

	out(rig, IER, ERBI);
	fl_serial_type(&rig->serial, "x", 1);
	out(rig, IER, 0);
	assert_int_equal(in(rig, IIR), 0x01);
	assert_int_equal(in(rig, LSR), 0x61);
	/* the divisor lies over the data */
	out(rig, LCR, DLAB);
	out(rig, THR, 1);
	assert_int_equal(in(rig, RBR), 1);
	out(rig, LCR, 3);
	out(rig, IER, ERBI);
	assert_int_equal(in(rig, IIR), 0x04);
	assert_int_equal(in(rig, RBR), 'x');
}

static void expect_shown(const struct rig *rig, const char *text, unsigned int pieces)
{
	assert_int_equal(rig->shown_len, strlen(text));
	assert_memory_equal(rig->shown, text, rig->shown_len);
	assert_int_equal(rig->pieces, pieces);
}

/* A prompt has no newline. Linux sends by interrupts, and switches them off when there is no more. */
static void what_is_sent_is_shown_when_the_driver_rests(void **state)
{
	struct rig *rig = *state;

	out(rig, IER, ERBI | ETBI);
	out(rig, THR, '#');
	out(rig, THR, ' ');
	expect_shown(rig, "", 0);
	out(rig, IER, ERBI);
	expect_shown(rig, "# ", 1);
	out(rig, THR, '?');
	(void)in(rig, RBR);
	expect_shown(rig, "# ?", 2);
	out(rig, THR, '\n');
	expect_shown(rig, "# ?\n", 3);
}

/* The next byte as soon as there is one: the limit is the test's. */
static uint8_t wait_for_byte(struct rig *rig)
{
	while (!(in(rig, LSR) & DR))
		sched_yield();
	return in(rig, RBR);
}

static void expect_typed(struct rig *rig, const char *text)
{
	for (; *text; text++)
		assert_int_equal(wait_for_byte(rig), (uint8_t)*text);
}

static void type(const struct rig *rig, const char *text)
{
	assert_int_equal(write(rig->pipe[1], text, strlen(text)), strlen(text));
}

static size_t left_in_pipe(const struct rig *rig)
{
	int left = 0;

	assert_int_equal(ioctl(rig->pipe[0], FIONREAD, &left), 0);
	return (size_t)left;
}

static void nothing_is_taken_before_somebody_listens(void **state)
{
	struct rig *rig = *state;

	type(rig, "early\n");
	/* as Linux looks for the device and begins (autoconfig(), serial8250_do_startup()): what it reads here is lost
	 */
	out(rig, IER, 0x0f);
	usleep(20000);
	assert_int_equal(in(rig, RBR), 0);
	assert_int_equal(in(rig, LSR) & DR, 0);
	assert_int_equal(left_in_pipe(rig), 6);
	out(rig, IER, ERBI);
	out(rig, MCR, READY);
	expect_typed(rig, "early\n");
	/* closed again: the rest stays for who opens it next */
	out(rig, IER, 0);
	type(rig, "late");
	usleep(20000);
	out(rig, IER, ERBI);
	expect_typed(rig, "late");
}

/* RTS away is a full receiver; what was on its way comes. */
static void a_receiver_without_room_is_waited_for(void **state)
{
	struct rig *rig = *state;

	listen_to(rig);
	type(rig, "1");
	expect_typed(rig, "1");
	out(rig, MCR, READY & ~0x02);
	usleep(20000);
	type(rig, "2");
	usleep(20000);
	assert_int_equal(in(rig, LSR) & DR, 0);
	assert_int_equal(left_in_pipe(rig), 1);
	out(rig, MCR, READY);
	expect_typed(rig, "2");
}

static void the_end_is_typed_once_and_twice_behind_half_a_line(void **state)
{
	struct rig *rig = *state;
	const char *lines[] = {"", "line\n", "half"};
	const char *ends[] = {CTRL_D, CTRL_D, CTRL_D CTRL_D};

	for (size_t i = 0; i < 3; i++) {
		type(rig, lines[i]);
		fl_close(&rig->pipe[1]);
		listen_to(rig);
		expect_typed(rig, lines[i]);
		expect_typed(rig, ends[i]);
		usleep(20000);
		assert_int_equal(in(rig, LSR) & DR, 0);
		tear_down(state);
		set_up_input(state);
		rig = *state;
	}
}

/* More than is typed at a time, read by interrupts alone. */
static void much_input_comes_whole_and_in_order(void **state)
{
	struct rig *rig = *state;
	char bytes[50000];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 7 + (i >> 8));
	assert_int_equal(write(rig->pipe[1], bytes, sizeof(bytes)), sizeof(bytes));
	listen_to(rig);
	for (size_t i = 0; i < sizeof(bytes); i++)
		assert_int_equal(wait_for_byte(rig), (uint8_t)bytes[i]);
	assert_int_equal(left_in_pipe(rig), 0);
}

static void a_descriptor_that_cannot_be_read_is_at_its_end(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(dup2(open("/", O_RDONLY | O_CLOEXEC), rig->pipe[0]), rig->pipe[0]);
	listen_to(rig);
	expect_typed(rig, CTRL_D);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(a_byte_is_announced_read_and_gone, set_up, tear_down),
	cmocka_unit_test_setup_teardown(two_reasons_are_told_one_after_the_other, set_up, tear_down),
	cmocka_unit_test_setup_teardown(what_is_not_asked_for_is_not_announced, set_up, tear_down),
	cmocka_unit_test_setup_teardown(what_is_sent_is_shown_when_the_driver_rests, set_up, tear_down),
	cmocka_unit_test_setup_teardown(nothing_is_taken_before_somebody_listens, set_up_input, tear_down),
	cmocka_unit_test_setup_teardown(a_receiver_without_room_is_waited_for, set_up_input, tear_down),
	cmocka_unit_test_setup_teardown(the_end_is_typed_once_and_twice_behind_half_a_line, set_up_input, tear_down),
	cmocka_unit_test_setup_teardown(much_input_comes_whole_and_in_order, set_up_input, tear_down),
	cmocka_unit_test_setup_teardown(a_descriptor_that_cannot_be_read_is_at_its_end, set_up_input, tear_down),
};
FL_TEST_MAIN(20, tests)
