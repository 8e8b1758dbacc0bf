/* SPDX-License-Identifier: Apache-2.0 */
/* The inner half of calls (lib/box-calls.h): connects each to the socket inside, as soon as there is one. */
#define _GNU_SOURCE
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "lib/box-calls.h"

static struct call {
	bool used;
	int fd; /* -1: nobody listens inside so far */
	size_t len; /* what was said before that */
	char words[WIRE_CALL_WORDS];
	size_t sent; /* and not taken */
} calls[WIRE_CALLS_MAX];

static struct sockaddr_un door = { .sun_family = AF_UNIX };

void calls_begin(int listen_fd, const char *path)
{
	(void)listen_fd;
	strncpy(door.sun_path, path, sizeof(door.sun_path) - 1);
}

static void hang_up(int port, struct call *call)
{
	uint32_t number = (uint32_t)(call - calls);
	if (call->fd >= 0)
		close(call->fd);
	call->used = false;
	call->fd = -1;
	wire_send(port, WIRE_HANG_UP, &number, sizeof(number));
}

/* A request fits into any socket's buffer: one that does not take it is not the one that is meant. */
static void say(int port, struct call *call, const char *words, size_t len)
{
	if (len > 0 && send(call->fd, words, len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)len)
		hang_up(port, call);
}

static void try_to_connect(int port, struct call *call)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&door, sizeof(door)) < 0) {
		close(fd);
		return;
	}
	call->fd = fd;
	if (fd >= 0)
		say(port, call, call->words, call->len);
}

void calls_poll(struct pollfd *polled)
{
	polled[0] = (struct pollfd){ .fd = -1 };
	for (size_t i = 0; i < WIRE_CALLS_MAX; i++) {
		bool room = calls[i].sent < WIRE_CALL_WINDOW;
		polled[1 + i] = (struct pollfd){ .fd = calls[i].used && room ? calls[i].fd : -1, .events = POLLIN };
	}
}

static void listen_to(int port, struct call *call)
{
	static char words[WIRE_CALL_WINDOW];
	ssize_t n = read(call->fd, words, sizeof(words) - call->sent);
	if (n > 0) {
		wire_send_call(port, WIRE_WORDS, (uint32_t)(call - calls), words, (size_t)n);
		call->sent += (size_t)n;
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		hang_up(port, call);
	}
}

void calls_attend(int port, const struct pollfd *polled)
{
	for (size_t i = 0; i < WIRE_CALLS_MAX; i++) {
		struct call *call = &calls[i];
		if (!call->used)
			continue;
		if (call->fd < 0)
			try_to_connect(port, call);
		else if (polled[1 + i].fd == call->fd && polled[1 + i].revents)
			listen_to(port, call);
	}
}

static void take_words(int port, struct call *call, const char *words, size_t len)
{
	if (call->fd >= 0) {
		say(port, call, words, len);
	} else if (len > sizeof(call->words) - call->len) {
		hang_up(port, call);
	} else {
		memcpy(call->words + call->len, words, len);
		call->len += len;
	}
}

bool calls_frame(int port, uint32_t type, const char *frame, size_t len)
{
	uint32_t number = UINT32_MAX, taken = 0;
	if (type != WIRE_CALL && type != WIRE_WORDS && type != WIRE_TAKEN && type != WIRE_HANG_UP)
		return false;
	if (len >= sizeof(number))
		memcpy(&number, frame, sizeof(number));
	if (number >= WIRE_CALLS_MAX)
		return true;
	struct call *call = &calls[number];
	if (type == WIRE_CALL) {
		*call = (struct call){ .used = true, .fd = -1 };
	} else if (!call->used) {
		return true; /* the outside has not heard yet */
	} else if (type == WIRE_WORDS) {
		take_words(port, call, frame + sizeof(number), len - sizeof(number));
	} else if (type == WIRE_HANG_UP) {
		hang_up(port, call);
	} else if (len == 2 * sizeof(number)) {
		memcpy(&taken, frame + sizeof(number), sizeof(taken));
		call->sent -= taken <= call->sent ? taken : call->sent;
	}
	return true;
}

bool calls_pending(void)
{
	for (size_t i = 0; i < WIRE_CALLS_MAX; i++)
		if (calls[i].used && calls[i].fd >= 0)
			return true;
	return false;
}
