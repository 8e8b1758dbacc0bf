/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/relay.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>

#include "guest/ports.h"

#define STREAM_BUFFER_LEN (64 * 1024)
#define RECHECK_MS	  10
/* More than the kernel keeps between a terminal and its reader (pty.c: 8 KiB; n_tty.c: 4 KiB). */
#define TERMINAL_BUFFERS_LEN (64 * 1024)

enum { STREAM_IN, STREAM_OUT, STREAM_ERR, STREAM_COUNT };

/* One direction. The buffer is filled only when it is empty. */
struct stream {
	int from;
	int to;
	bool of_terminal; /* `from` or `to` is the terminal's master, which belongs to the relay */
	bool from_port;	  /* else the port is `to`, and `from` is the command's pipe */
	bool port_seen;	  /* the host had the port open at some time: POLLHUP then means that it closed it */
	bool ended;	  /* `from` gave EOF */
	bool done;
	size_t start, end; /* the bytes waiting in buffer */
	uint64_t owed;	   /* bytes that were in the pipe when the command ended, of a terminal at most */
	char last;	   /* byte that was read */
	bool end_typed;
	char *buffer;
};

struct relay {
	const struct fl_relay_opts *opts;
	struct stream streams[STREAM_COUNT];
	int master, slave; /* -1: none, or closed */
	int64_t connect_deadline_ms;
	bool orders_seen;  /* the host had the port for them open at some time */
	bool orders_ended; /* no more of them will come */
	bool exited;
	int wait_status;
	int64_t grace_deadline_ms;
};

static int port_of(const struct stream *stream)
{
	return stream->from_port ? stream->from : stream->to;
}

/* The last descriptor of a master is its terminal's end: SIGHUP for the command, if it still runs. */
static void hang_up(struct relay *relay)
{
	relay->streams[STREAM_IN].done = true;
	fl_close(&relay->slave);
	fl_close(&relay->master);
	if (relay->opts->orders)
		relay->opts->orders->terminal = -1;
}

/* Closing the command's end is how it learns: EOF on its standard input, SIGPIPE on its output. */
static void finish(struct relay *relay, struct stream *stream)
{
	if (stream->done)
		return;
	stream->done = true;
	stream->start = stream->end = 0;
	if (!stream->of_terminal)
		close(stream->from_port ? stream->to : stream->from);
	else if (!stream->from_port)
		hang_up(relay);
}

static bool is_empty(const struct stream *stream)
{
	return stream->start == stream->end;
}

static bool is_transient(int error)
{
	return error == EAGAIN || error == EINTR;
}

static void fill(struct relay *relay, struct stream *stream)
{
	ssize_t n = read(stream->from, stream->buffer, STREAM_BUFFER_LEN);

	if (n < 0 && is_transient(errno))
		return;
	if (n > 0) {
		stream->port_seen |= stream->from_port;
		stream->start = 0;
		stream->end = (size_t)n;
		stream->last = stream->buffer[n - 1];
		stream->owed -= FL_MIN(stream->owed, (uint64_t)n);
		return;
	}
	/* A port that the host has not opened yet gives EOF too (virtio_console.c, port_fops_read). */
	if (n == 0 && stream->from_port && !stream->port_seen && fl_now_ms() < relay->connect_deadline_ms)
		return;
	/* also a terminal that nobody has open any more, and that has given all (EIO, n_tty_read) */
	stream->ended = true;
}

/*
 * A terminal's input has no end but what is typed: once at the beginning of a line, and twice behind an unfinished one,
 * which the first one only sends off (termios(3), VEOF). A program that reads single bytes does not get any.
 */
static void type_end(const struct relay *relay, struct stream *stream)
{
	struct termios termios;

	stream->end_typed = true;
	if (tcgetattr(relay->master, &termios) < 0 || !(termios.c_lflag & ICANON) ||
	    termios.c_cc[VEOF] == _POSIX_VDISABLE)
		return;
	bool unfinished = stream->last && stream->last != '\n' && stream->last != '\r';

	stream->start = 0;
	stream->end = unfinished ? 2 : 1;
	memset(stream->buffer, termios.c_cc[VEOF], stream->end);
}

static void flush(struct relay *relay, struct stream *stream)
{
	ssize_t n = write(stream->to, stream->buffer + stream->start, stream->end - stream->start);

	if (n > 0)
		stream->start += (size_t)n;
	else if (n < 0 && !is_transient(errno))
		finish(relay, stream);
}

/* Of a terminal, with what is still on its way between the two sides (n_tty_poll). */
static bool is_readable(int fd)
{
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};

	return poll(&pollfd, 1, 0) > 0 && (pollfd.revents & POLLIN);
}

static bool is_over(const struct relay *relay, const struct stream *stream)
{
	if (stream->done || !is_empty(stream))
		return stream->done;
	if (stream->ended)
		return true;
	return relay->exited && (stream->from_port || (stream->owed == 0 && fl_now_ms() >= relay->grace_deadline_ms));
}

/* While the host has not opened the port, poll() would come back at once for ever. */
static bool is_connecting(const struct relay *relay, const struct stream *stream)
{
	return !stream->port_seen && fl_now_ms() < relay->connect_deadline_ms;
}

static void end_if_over(struct relay *relay, struct stream *stream)
{
	if (stream->done)
		return;
	if (relay->exited && stream->of_terminal && stream->owed > 0 && !is_readable(stream->from))
		stream->owed = 0;
	if (!is_over(relay, stream))
		return;
	if (stream->of_terminal && stream->from_port && !stream->end_typed && !relay->exited)
		type_end(relay, stream);
	else
		finish(relay, stream);
}

static void note_port(struct relay *relay, struct stream *stream, short revents)
{
	if (!(revents & (POLLHUP | POLLERR | POLLNVAL)))
		stream->port_seen = true;
	else if (!stream->from_port && !is_connecting(relay, stream))
		finish(relay, stream);
}

static void step_stream(struct relay *relay, struct stream *stream, const struct pollfd *from, const struct pollfd *to)
{
	const struct pollfd *port = stream->from_port ? from : to;

	if (port->fd >= 0)
		note_port(relay, stream, port->revents);
	if (!stream->done && stream->from_port && (to->revents & POLLERR))
		finish(relay, stream); /* the command closed its standard input */
	if (!stream->done && !is_empty(stream) && (to->revents & POLLOUT))
		flush(relay, stream);
	/* a port that looks closed as yet was not polled: the host may have sent all and closed it already */
	bool may_read = (stream->from_port && from->fd < 0) || (from->revents & (POLLIN | POLLHUP | POLLERR));

	if (!stream->done && is_empty(stream) && !stream->ended && may_read)
		fill(relay, stream);
	end_if_over(relay, stream);
}

static void note_exit(struct relay *relay, int wait_status)
{
	relay->exited = true;
	relay->wait_status = wait_status;
	relay->grace_deadline_ms = fl_now_ms() + relay->opts->grace_ms;
	finish(relay, &relay->streams[STREAM_IN]);
	fl_close(&relay->slave); /* the terminal ends when nobody else has it either */
	for (int i = STREAM_OUT; i < STREAM_COUNT; i++) {
		struct stream *stream = &relay->streams[i];
		int in_pipe = 0;

		if (stream->of_terminal)
			stream->owed = TERMINAL_BUFFERS_LEN;
		else if (!stream->done && ioctl(stream->from, FIONREAD, &in_pipe) == 0 && in_pipe > 0)
			stream->owed = (uint64_t)in_pipe;
	}
}

static void reap(struct relay *relay)
{
	struct signalfd_siginfo info;
	int wait_status;
	pid_t pid;

	while (read(relay->opts->sigchld_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		;
	while ((pid = waitpid(-1, &wait_status, WNOHANG)) > 0)
		if (pid == relay->opts->command)
			note_exit(relay, wait_status);
}

/* -1: nothing but the descriptors can bring news. */
static int next_timeout_ms(const struct relay *relay, bool connecting)
{
	int orders_ms = relay->opts->orders ? fl_orders_timeout_ms(relay->opts->orders) : -1;

	if (connecting)
		return RECHECK_MS;
	if (!relay->exited)
		return orders_ms;
	int64_t left = relay->grace_deadline_ms - fl_now_ms();

	if (left <= 0)
		return orders_ms;
	return orders_ms < 0 ? (int)left : FL_MIN(orders_ms, (int)left);
}

/* As with the streams: a port that the host has not opened yet looks closed. */
static void set_orders_pollfd(struct relay *relay, struct pollfd *pollfd, bool *connecting)
{
	*pollfd = (struct pollfd){.fd = -1, .events = POLLIN};
	if (!relay->opts->orders || relay->orders_ended)
		return;
	struct pollfd probe = {.fd = relay->opts->orders->port};

	if (!relay->orders_seen && fl_now_ms() < relay->connect_deadline_ms && poll(&probe, 1, 0) > 0) {
		*connecting = true;
		return;
	}
	relay->orders_seen = true;
	pollfd->fd = probe.fd;
}

static void take_orders(struct relay *relay, const struct pollfd *pollfd)
{
	if (!relay->opts->orders)
		return;
	if (pollfd->revents & POLLIN)
		relay->orders_ended = !fl_orders_read(relay->opts->orders);
	else if (pollfd->revents)
		relay->orders_ended = true; /* POLLHUP and the like would come back at once for ever */
	fl_orders_tick(relay->opts->orders);
}

static void set_pollfds(const struct relay *relay, const struct stream *stream, struct pollfd *from, struct pollfd *to,
			bool *connecting)
{
	bool full = !is_empty(stream);

	*from = (struct pollfd){.fd = full || stream->ended ? -1 : stream->from, .events = POLLIN};
	*to = (struct pollfd){.fd = stream->to, .events = full ? POLLOUT : 0};
	if (stream->done) {
		from->fd = to->fd = -1;
		return;
	}
	struct pollfd probe = {.fd = port_of(stream)};

	if (is_connecting(relay, stream) && poll(&probe, 1, 0) > 0) {
		/* closed as yet: leave the port alone until the next recheck */
		(stream->from_port ? from : to)->fd = -1;
		*connecting = true;
	}
}

static bool all_over(struct relay *relay)
{
	bool over = relay->exited;

	for (int i = 0; i < STREAM_COUNT; i++) {
		end_if_over(relay, &relay->streams[i]);
		over = over && relay->streams[i].done;
	}
	return over;
}

static int relay_loop(struct relay *relay, struct fl_diag *diag)
{
	while (!all_over(relay)) {
		struct pollfd pollfds[2 + 2 * STREAM_COUNT];
		struct pollfd *orders = &pollfds[1], *pairs = &pollfds[2];
		bool connecting = false;

		pollfds[0] = (struct pollfd){.fd = relay->opts->sigchld_fd, .events = POLLIN};
		set_orders_pollfd(relay, orders, &connecting);
		for (int i = 0; i < STREAM_COUNT; i++)
			set_pollfds(relay, &relay->streams[i], &pairs[2 * i], &pairs[2 * i + 1], &connecting);
		if (poll(pollfds, FL_ARRAY_SIZE(pollfds), next_timeout_ms(relay, connecting)) < 0 && errno != EINTR)
			return fl_diag(diag, -errno, "the command's streams cannot be polled: %s", strerror(errno));
		for (int i = 0; i < STREAM_COUNT; i++)
			step_stream(relay, &relay->streams[i], &pairs[2 * i], &pairs[2 * i + 1]);
		take_orders(relay, orders);
		if (pollfds[0].revents)
			reap(relay);
	}
	return 0;
}

static int open_stream(struct stream *stream, int from, int to, bool from_port, struct fl_diag *diag)
{
	int command_fd = from_port ? to : from;
	int flags = fcntl(command_fd, F_GETFL);

	*stream = (struct stream){.from = from, .to = to, .from_port = from_port};
	if (flags < 0 || fcntl(command_fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return fl_diag(diag, -errno, "the command's streams cannot be used: %s", strerror(errno));
	stream->buffer = malloc(STREAM_BUFFER_LEN);
	return stream->buffer ? 0 : fl_diag(diag, -ENOMEM, "no memory for the command's streams");
}

static int open_pipes(struct relay *relay, struct fl_diag *diag)
{
	const struct fl_relay_opts *opts = relay->opts;
	struct stream *streams = relay->streams;
	int ret = open_stream(&streams[STREAM_IN], opts->stdin_port, opts->stdin_pipe, true, diag);

	if (ret == 0)
		ret = open_stream(&streams[STREAM_OUT], opts->stdout_pipe, opts->stdout_port, false, diag);
	if (ret == 0)
		ret = open_stream(&streams[STREAM_ERR], opts->stderr_pipe, opts->stderr_port, false, diag);
	return ret;
}

static int open_terminal(struct relay *relay, struct fl_diag *diag)
{
	const struct fl_relay_opts *opts = relay->opts;
	struct stream *streams = relay->streams;
	int ret = open_stream(&streams[STREAM_IN], opts->stdin_port, opts->master, true, diag);

	if (ret == 0)
		ret = open_stream(&streams[STREAM_OUT], opts->master, opts->stdout_port, false, diag);
	streams[STREAM_IN].of_terminal = streams[STREAM_OUT].of_terminal = true;
	streams[STREAM_ERR].done = true;
	return ret;
}

int fl_relay_run(const struct fl_relay_opts *opts, int *wait_status, struct fl_diag *diag)
{
	struct relay relay = {.opts = opts,
			      .master = opts->master,
			      .slave = opts->slave,
			      .connect_deadline_ms = fl_now_ms() + opts->connect_ms};
	int ret = opts->master < 0 ? open_pipes(&relay, diag) : open_terminal(&relay, diag);

	if (ret == 0)
		ret = relay_loop(&relay, diag);
	for (int i = 0; i < STREAM_COUNT; i++)
		free(relay.streams[i].buffer);
	hang_up(&relay);
	*wait_status = relay.wait_status;
	return ret;
}
