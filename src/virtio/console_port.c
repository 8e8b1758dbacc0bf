/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of a port. Guest memory and descriptors meet in a bounce buffer: guest buffers may lie in a window, whose
 * pages can vanish, and a descriptor's read or write must not be half done when that shows.
 */
#include "virtio/console_impl.h"

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

#define TTY_PIECE_LEN 512 /* a tty promises no number of bytes: small pieces block shortly */

static bool has_output(const struct fl_console_port *port)
{
	return port->opts.out_fd >= 0 || port->opts.received;
}

static bool is_open(const struct fl_console_port *port)
{
	return port->guest_open || !fl_console_is_multiport(port->console);
}

static struct fl_virtq *in_queue(const struct fl_console_port *port)
{
	return fl_virtio_queue(port->console->transport, fl_console_in_queue(port->index));
}

static bool watch(struct fl_console_port *port, struct fl_console_flow *flow, int fd, uint32_t events, fl_loop_fd_fn fn)
{
	int rc = flow->source ? 0 : fl_loop_add_fd(port->console->loop, fd, events, fn, port, &flow->source);

	if (rc)
		fl_log_limited(port->console->log, &port->console->log_limit, FL_LOG_ERROR,
			       "console port %u: cannot watch descriptor %d: %s", port->index, fd, strerror(-rc));
	return !rc;
}

static void unwatch(struct fl_console_port *port, struct fl_console_flow *flow)
{
	fl_loop_remove_fd(port->console->loop, flow->source);
	flow->source = 0;
}

/* ---- input: host to guest ---- */

/*
 * PORT_OPEN 0 makes read() in the guest return 0 as soon as no bytes are queued (drivers/char/virtio_console.c
 * port_fops_read), but it looks at the queue first and at the state of the port then: bytes and the end arriving
 * between the two would be lost. So the end is told when all buffers are back at our side.
 */
static void tell_end(struct fl_console_port *port)
{
	struct fl_virtq *vq = in_queue(port);
	unsigned int needed = port->in_count - FL_MIN(port->in_count, port->in.held ? 1u : 0u);

	if (!port->guest_open || port->close_told || !vq->ready)
		return;
	if (needed && !fl_virtq_enable_notify_at(vq, (uint16_t)(needed - 1)))
		return;
	port->close_told = true;
	port->owes |= FL_CONSOLE_OWES_CLOSE;
	fl_console_send_control(port->console);
}

static void end_input(struct fl_console_port *port)
{
	port->in_ended = true;
	fl_console_port_input(port);
}

static void give_input(struct fl_console_port *port, size_t len)
{
	struct fl_console *console = port->console;
	int64_t copied = fl_chain_write(console->map, &port->in.chain, 0, console->piece, len);

	port->in.held = false;
	/* as with output: nobody's fault, and only this buffer's bytes are concerned */
	if (copied < (int64_t)len)
		fl_log_limited(console->log, &console->log_limit, FL_LOG_WARN,
			       "console port %u: input for memory that is gone was dropped", port->index);
	fl_virtio_complete(console->transport, fl_console_in_queue(port->index), port->in.chain.head,
			   (uint32_t)FL_MAX(copied, 0));
}

static void on_readable(void *arg, int fd, uint32_t events)
{
	struct fl_console_port *port = arg;
	size_t room = (size_t)FL_MIN(port->in.chain.writable_len, (uint64_t)FL_CONSOLE_PIECE_LEN);
	ssize_t n;

	if (fl_virtio_is_broken(port->console->transport)) {
		unwatch(port, &port->in); /* the bytes stay where they are */
		return;
	}
	n = events & POLLNVAL ? 0 : read(fd, port->console->piece, room);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		end_input(port);
		return;
	}
	give_input(port, (size_t)n);
	fl_console_port_input(port);
}

static bool hold_input(struct fl_console_port *port)
{
	struct fl_console *console = port->console;

	if (port->in.held)
		return true;
	if (!fl_console_take(console, fl_console_in_queue(port->index), &port->in.chain))
		return false;
	if (port->in.chain.writable_len == 0) {
		fl_virtio_needs_reset(console->transport, "an input buffer of the console has no room");
		return false;
	}
	port->in.held = true;
	return true;
}

void fl_console_port_input(struct fl_console_port *port)
{
	if (!port->in_ended && port->opts.in_fd >= 0 && is_open(port) && hold_input(port)) {
		if (!watch(port, &port->in, port->opts.in_fd, POLLIN, on_readable))
			port->in_ended = true;
		return;
	}
	unwatch(port, &port->in);
	if (port->in_ended && port->opts.is_input)
		tell_end(port);
}

/* ---- output: guest to host ---- */

static bool is_behind(const struct fl_console_port *port)
{
	unsigned int sum = 0;

	for (unsigned int i = 0; i < port->index; i++)
		sum += port->behind[i];
	return sum > 0;
}

/* What lower ports have queued at this moment comes first; later chains of theirs do not. */
static void note_behind(struct fl_console_port *port)
{
	for (unsigned int i = 0; i < port->index; i++) {
		struct fl_console *console = port->console;
		const struct fl_virtq *vq = fl_virtio_queue(console->transport, fl_console_out_queue(i));
		int pending = vq->ready ? fl_virtq_pending(vq) : 0;

		port->behind[i] = (unsigned int)FL_MAX(pending, 0) + console->ports[i].out.held;
	}
}

static void finish_output(struct fl_console_port *port)
{
	struct fl_console *console = port->console;

	port->out.held = false;
	fl_virtio_complete(console->transport, fl_console_out_queue(port->index), port->out.chain.head, 0);
	for (unsigned int i = port->index + 1; i < console->port_count; i++) {
		struct fl_console_port *higher = &console->ports[i];

		if (!higher->behind[port->index])
			continue;
		higher->behind[port->index]--;
		if (!is_behind(higher))
			fl_console_port_output(higher);
	}
}

static bool hold_output(struct fl_console_port *port)
{
	if (port->out.held)
		return true;
	if (!fl_console_take(port->console, fl_console_out_queue(port->index), &port->out.chain))
		return false;
	port->out.held = true;
	port->out.done = 0;
	if (port->opts.received)
		note_behind(port);
	return true;
}

/* The next bytes of the held chain in the bounce buffer; 0 at its end, or if its memory cannot be read. */
static size_t next_piece(struct fl_console_port *port)
{
	struct fl_console *console = port->console;
	int64_t n = fl_chain_read(console->map, &port->out.chain, port->out.done, console->piece, FL_CONSOLE_PIECE_LEN);

	if (n >= 0)
		return (size_t)n;
	/* A window page may have vanished under it without anybody's fault. */
	fl_log_limited(console->log, &console->log_limit, FL_LOG_WARN,
		       "console port %u: output in memory that is gone was dropped", port->index);
	return 0;
}

static void hand_over(struct fl_console_port *port)
{
	size_t n;

	while ((n = next_piece(port)) > 0) {
		port->out.done += n;
		port->opts.received(port->opts.arg, port->console->piece, n);
	}
	finish_output(port);
}

/*
 * One write that does not block, although the descriptor may be a blocking one. Pipes that know no
 * RWF_NOWAIT take PIPE_BUF bytes at once when poll(2) says POLLOUT.
 */
static ssize_t write_piece(struct fl_console_port *port, size_t len)
{
	const struct iovec iov = {.iov_base = port->console->piece, .iov_len = len};
	int fd = port->opts.out_fd;

	if (port->out_kind == FL_CONSOLE_OUT_SOCKET)
		return send(fd, iov.iov_base, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (port->out_kind == FL_CONSOLE_OUT_FILE)
		return write(fd, iov.iov_base, len);
	if (port->out_nowait) {
		ssize_t n = pwritev2(fd, &iov, 1, -1, RWF_NOWAIT);

		if (n >= 0 || errno != EOPNOTSUPP)
			return n;
		port->out_nowait = false;
	}
	return write(fd, iov.iov_base,
		     FL_MIN(len, port->out_kind == FL_CONSOLE_OUT_TTY ? (size_t)TTY_PIECE_LEN : (size_t)PIPE_BUF));
}

/*
 * Nobody reads any more: PORT_OPEN 0 makes poll() in the guest say POLLHUP and further writes wait, so
 * that the agent can pass it on as the end of a pipe. Not where it would end the guest's reads as well.
 */
static void tell_output_gone(struct fl_console_port *port)
{
	if (port->index == 0 || port->opts.in_fd >= 0 || !port->guest_open || port->close_told)
		return;
	port->close_told = true;
	port->owes |= FL_CONSOLE_OWES_CLOSE;
	fl_console_send_control(port->console);
}

static void lose_output(struct fl_console_port *port, int error)
{
	if (error == EPIPE) {
		const struct timespec now = {0};
		sigset_t set;

		/* Blocked on this thread and sent to it: it would stay pending. */
		sigemptyset(&set);
		sigaddset(&set, SIGPIPE);
		(void)sigtimedwait(&set, NULL, &now);
	}
	fl_log(port->console->log, error == EPIPE ? FL_LOG_INFO : FL_LOG_ERROR,
	       "console port %u: its output cannot be written any more and is discarded: %s", port->index,
	       strerror(error));
	port->out_gone = true;
	tell_output_gone(port);
}

/* Writes once. Returns false if nothing could be written now. */
static bool write_once(struct fl_console_port *port)
{
	size_t len = next_piece(port);
	ssize_t n = len ? write_piece(port, len) : 0;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n < 0)
		lose_output(port, errno);
	else
		port->out.done += (size_t)n;
	if (n <= 0 || port->out.done >= port->out.chain.readable_len)
		finish_output(port);
	return true;
}

static void on_writable(void *arg, int fd, uint32_t events)
{
	struct fl_console_port *port = arg;

	(void)fd;
	if (events & POLLNVAL)
		lose_output(port, EBADF);
	else if (port->out.held && !write_once(port))
		return;
	fl_console_port_output(port);
}

void fl_console_port_output(struct fl_console_port *port)
{
	if (port->out_gone)
		tell_output_gone(port);
	for (unsigned int taken = 0; hold_output(port); taken++) {
		if (taken == FL_CONSOLE_BUDGET) {
			fl_virtio_requeue(port->console->transport, fl_console_out_queue(port->index));
			return;
		}
		if (port->opts.out_fd >= 0 && !port->out_gone && port->out.chain.readable_len) {
			if (watch(port, &port->out, port->opts.out_fd, POLLOUT, on_writable))
				return;
			port->out_gone = true;
		}
		if (port->opts.out_fd < 0 && port->opts.received) {
			if (is_behind(port))
				return;
			hand_over(port);
		} else {
			finish_output(port);
		}
	}
	unwatch(port, &port->out);
}

/* ---- both ---- */

static enum fl_console_out_kind kind_of(int fd)
{
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return FL_CONSOLE_OUT_PIPE;
	if (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode))
		return FL_CONSOLE_OUT_FILE;
	if (S_ISSOCK(st.st_mode))
		return FL_CONSOLE_OUT_SOCKET;
	return S_ISCHR(st.st_mode) ? FL_CONSOLE_OUT_TTY : FL_CONSOLE_OUT_PIPE;
}

void fl_console_port_init(struct fl_console_port *port)
{
	port->out_kind = kind_of(port->opts.out_fd);
	port->out_nowait = true;
	port->opts.is_input |= port->opts.in_fd >= 0 && !has_output(port) && port->index > 0;
	port->in_ended = port->opts.in_fd < 0;
}

void fl_console_port_reset(struct fl_console_port *port)
{
	unwatch(port, &port->in);
	unwatch(port, &port->out);
	port->in.held = false;
	port->out.held = false;
	port->owes = 0;
	port->in_count = 0;
	memset(port->behind, 0, sizeof(port->behind));
	port->guest_open = false;
	port->close_told = false;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Output that waits for its descriptor, or has not been looked at yet. */
static bool is_busy(const struct fl_console_port *port)
{
	const struct fl_virtq *vq = fl_virtio_queue(port->console->transport, fl_console_out_queue(port->index));

	return port->out.held || (vq->ready && fl_virtq_pending(vq) > 0);
}

static unsigned int collect_busy(struct fl_console *console, struct pollfd *fds)
{
	unsigned int busy = 0;

	for (unsigned int i = 0; i < console->port_count; i++) {
		struct fl_console_port *port = &console->ports[i];

		fl_console_port_output(port);
		busy += is_busy(port);
		fds[i] = (struct pollfd){.fd = port->out.held ? port->opts.out_fd : -1, .events = POLLOUT};
	}
	return busy;
}

bool fl_console_drain(struct fl_console *console, int timeout_ms)
{
	int64_t deadline = now_ms() + timeout_ms;
	struct pollfd fds[FL_CONSOLE_PORTS_MAX];

	while (!fl_virtio_is_broken(console->transport) && collect_busy(console, fds)) {
		int64_t left = deadline - now_ms();

		if (poll(fds, console->port_count, (int)FL_MAX(left, 0)) == 0 || left < 0)
			return false;
		for (unsigned int i = 0; i < console->port_count; i++) {
			if (fds[i].revents && console->ports[i].out.held)
				on_writable(&console->ports[i], fds[i].fd, (uint16_t)fds[i].revents);
		}
	}
	return true;
}
