/* SPDX-License-Identifier: Apache-2.0 */
/* The outer half of calls (lib/box-calls.h): never waits for a caller, of which each has room for what the inside may
   send before it was taken. */
#define _GNU_SOURCE
#include <string.h>
#include <sys/socket.h>

#include "lib/box-calls.h"

static struct call {
	bool used; /* the inside has not hung up, or there is something left to pass on */
	bool ended; /* the inside has hung up */
	bool said_all; /* the caller has shut its side, and may still listen */
	int fd; /* -1: the caller has gone */
	size_t len;
	char words[WIRE_CALL_WINDOW];
} calls[WIRE_CALLS_MAX];

static int listener = -1;

void calls_begin(int listen_fd, const char *path)
{
	(void)path;
	listener = listen_fd;
}

static struct call *free_call(void)
{
	for (size_t i = 0; i < WIRE_CALLS_MAX; i++)
		if (!calls[i].used)
			return &calls[i];
	return NULL;
}

void calls_poll(struct pollfd *polled)
{
	polled[0] = (struct pollfd){ .fd = free_call() ? listener : -1, .events = POLLIN };
	for (size_t i = 0; i < WIRE_CALLS_MAX; i++)
		polled[1 + i] = (struct pollfd){ .fd = calls[i].used ? calls[i].fd : -1,
						 .events = (short)((calls[i].said_all ? 0 : POLLIN) |
								   (calls[i].len ? POLLOUT : 0)) };
}

static bool is_allowed(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && (peer.uid == 0 || peer.uid == geteuid());
}

static void take_caller(int port)
{
	struct call *call = free_call();
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	if (!call || !is_allowed(fd)) {
		close(fd);
		return;
	}
	*call = (struct call){ .used = true, .fd = fd };
	uint32_t number = (uint32_t)(call - calls);
	wire_send(port, WIRE_CALL, &number, sizeof(number));
}

static void drop_caller(struct call *call)
{
	if (call->fd >= 0)
		close(call->fd);
	call->fd = -1;
	call->len = 0;
	call->used = !call->ended;
}

static void hang_up(int port, struct call *call)
{
	uint32_t number = (uint32_t)(call - calls);
	if (call->fd >= 0 && !call->ended)
		wire_send(port, WIRE_HANG_UP, &number, sizeof(number));
	drop_caller(call);
}

/* Clients of the socket say one thing, and then nothing more until they go, which is when both sides are shut (POLLHUP). */
static void listen_to(int port, struct call *call)
{
	char words[WIRE_CALL_WORDS];
	if (call->said_all) {
		hang_up(port, call);
		return;
	}
	ssize_t n = recv(call->fd, words, sizeof(words), 0);
	if (n > 0 && !call->ended)
		wire_send_call(port, WIRE_WORDS, (uint32_t)(call - calls), words, (size_t)n);
	else if (n == 0)
		call->said_all = true;
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		hang_up(port, call);
}

static void pass_on(int port, struct call *call)
{
	ssize_t n = send(call->fd, call->words, call->len, MSG_NOSIGNAL);
	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			hang_up(port, call);
		return;
	}
	uint32_t taken = (uint32_t)n;
	memmove(call->words, call->words + n, call->len - (size_t)n);
	call->len -= (size_t)n;
	if (!call->ended)
		wire_send_call(port, WIRE_TAKEN, (uint32_t)(call - calls), &taken, sizeof(taken));
	else if (call->len == 0)
		drop_caller(call);
}

void calls_attend(int port, const struct pollfd *polled)
{
	for (size_t i = 0; i < WIRE_CALLS_MAX; i++) {
		struct call *call = &calls[i];
		if (call->used && call->fd >= 0 && polled[1 + i].fd == call->fd && polled[1 + i].revents & POLLOUT)
			pass_on(port, call);
		if (call->used && call->fd >= 0 && polled[1 + i].fd == call->fd &&
		    polled[1 + i].revents & (POLLIN | POLLHUP | POLLERR))
			listen_to(port, call);
	}
	if (polled[0].revents)
		take_caller(port);
}

bool calls_frame(int port, uint32_t type, const char *frame, size_t len)
{
	uint32_t number = UINT32_MAX;
	if (type != WIRE_WORDS && type != WIRE_HANG_UP)
		return false;
	if (len >= sizeof(number))
		memcpy(&number, frame, sizeof(number));
	struct call *call = number < WIRE_CALLS_MAX ? &calls[number] : NULL;
	if (!call || !call->used)
		return true;
	len -= sizeof(number);
	if (type == WIRE_HANG_UP) {
		call->ended = true;
		if (call->fd < 0 || call->len == 0)
			drop_caller(call);
	} else if (call->fd >= 0) {
		if (len > sizeof(call->words) - call->len) {
			hang_up(port, call); /* more than was agreed on */
			return true;
		}
		memcpy(call->words + call->len, frame + sizeof(number), len);
		call->len += len;
	}
	return true;
}

bool calls_pending(void)
{
	for (size_t i = 0; i < WIRE_CALLS_MAX; i++)
		if (calls[i].used && calls[i].fd >= 0 && calls[i].len > 0)
			return true;
	return false;
}
