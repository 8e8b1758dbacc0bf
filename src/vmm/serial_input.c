/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/serial_input.h"

#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>

#define END_OF_FILE 0x04 /* termios(3): VEOF, as every terminal of Linux begins with */

static void unwatch(struct fl_serial_input *input)
{
	fl_loop_remove_fd(input->loop, input->fd_source);
	input->fd_source = 0;
}

static void type(struct fl_serial_input *input, const uint8_t *bytes, size_t len)
{
	input->last = bytes[len - 1];
	unwatch(input);
	fl_serial_type(input->serial, bytes, len);
}

/* Behind an unfinished line the first one only sends that off. */
static void type_end(struct fl_serial_input *input)
{
	static const uint8_t end[] = {END_OF_FILE, END_OF_FILE};
	bool unfinished = input->last && input->last != '\n' && input->last != '\r';

	input->ended = true;
	type(input, end, unfinished ? 2 : 1);
}

static void on_readable(void *arg, int fd, uint32_t events)
{
	struct fl_serial_input *input = arg;
	uint8_t bytes[FL_SERIAL_TYPED_MAX];

	/* a driver that has closed the line meanwhile takes nothing */
	if (!fl_serial_wants_input(input->serial)) {
		unwatch(input);
		return;
	}
	ssize_t n = events & POLLNVAL ? 0 : read(fd, bytes, sizeof(bytes));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		type(input, bytes, (size_t)n);
	else
		type_end(input);
}

static void on_wanted(void *arg)
{
	struct fl_serial_input *input = arg;

	if (input->ended || input->fd_source || !fl_serial_wants_input(input->serial))
		return;
	int ret = fl_loop_add_fd(input->loop, input->fd, POLLIN, on_readable, input, &input->fd_source);

	if (ret == 0)
		return;
	fl_log(input->log, FL_LOG_ERROR, "the console's input, descriptor %d, cannot be watched: %s", input->fd,
	       strerror(-ret));
	type_end(input);
}

static void ask_for_more(void *arg)
{
	const struct fl_serial_input *input = arg;
	uint64_t one = 1;

	/* full: it is awake already */
	(void)!write(input->wanted_fd, &one, sizeof(one));
}

int fl_serial_input_init(struct fl_serial_input *input, struct fl_serial *serial, struct fl_loop *loop, int fd,
			 const struct fl_log *log, struct fl_diag *diag)
{
	*input = (struct fl_serial_input){.serial = serial, .loop = loop, .log = log, .fd = fd};
	input->wanted_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (input->wanted_fd < 0)
		return fl_diag(diag, -errno, "cannot make an eventfd: %m");
	int ret = fl_loop_add_event(loop, input->wanted_fd, on_wanted, input, &input->wanted_source);

	if (ret)
		return fl_diag(diag, ret, "the console's input cannot be watched: %s", strerror(-ret));
	fl_serial_on_wanted(serial, ask_for_more, input);
	return 0;
}

void fl_serial_input_fini(struct fl_serial_input *input)
{
	if (!input->serial)
		return;
	fl_serial_on_wanted(input->serial, NULL, NULL);
	fl_close(&input->wanted_fd);
	*input = (struct fl_serial_input){0};
}
