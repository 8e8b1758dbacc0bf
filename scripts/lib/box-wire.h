/* SPDX-License-Identifier: Apache-2.0 */
/* What box-run (outside) and box-init (inside) say to each other over one virtio-serial port: frames. */
#ifndef BOX_WIRE_H
#define BOX_WIRE_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

enum {
	/* outside to inside: the command, then its input */
	WIRE_CWD = 'c',
	WIRE_ARG = 'a',
	WIRE_ENV = 'e',
	WIRE_BIND = 'b', /* a path that the box's own /tmp, /run or /dev/shm would hide */
	WIRE_BIND_WRITABLE = 'B', /* a path that the command may write to */
	WIRE_OUTPUT = 'f', /* text: one more descriptor that the command has for output */
	WIRE_WANT_OUT = 'o',
	WIRE_GO = 'g',
	WIRE_STDIN = 'i', /* empty: end of input */
	WIRE_KILL = 'k', /* out of time: end the command, but hand back what it left */
	WIRE_WAKE = 'w', /* nothing but an interrupt */
	WIRE_SIGNAL = 's', /* u32: a signal for the command */
	WIRE_DOOR = 'd', /* text: a UNIX socket inside, which calls from outside go to */
	WIRE_CALL = 'n', /* u32: its number, free so far; somebody calls */
	WIRE_TAKEN = 't', /* u32: the call; u32: so many bytes of it were taken */
	/* inside to outside */
	WIRE_READY = 'R', /* booted; also the heartbeat later on */
	WIRE_CREDIT = 'C', /* u32: so many bytes of input were taken by the command */
	WIRE_STDOUT = '1',
	WIRE_STDERR = '2',
	WIRE_MORE = '3', /* u32: the descriptor; then what was written to it */
	WIRE_TAR = 'T',
	WIRE_EXIT = 'X', /* u32: the exit status as a shell gives it */
	WIRE_FAILED = 'F', /* text: the command could not be started at all */
	/* both ways */
	WIRE_WORDS = 'D', /* u32: the call; then what is said in it */
	WIRE_HANG_UP = 'q', /* u32: the call, about which nothing more comes. The inside says it once for each */
};

#define WIRE_MAX (64u * 1024)
/* Input that may be under way at once. The inside buffers this much, so it can always read the port and
   a WIRE_KILL never waits behind input that the command does not want. */
#define WIRE_WINDOW (4 * WIRE_MAX)

/* Descriptors for output besides 1 and 2, and the numbers that they may have. */
#define WIRE_OUTPUTS_MAX 4u
#define WIRE_OUTPUT_MIN 3
#define WIRE_OUTPUT_LIMIT 64

/* Calls at a time, what may be said from outside before anybody listens, and from inside before it was taken. */
#define WIRE_CALLS_MAX 8u
#define WIRE_CALL_WORDS 1024u
#define WIRE_CALL_WINDOW (16u * 1024)

struct wire_head {
	uint32_t type;
	uint32_t len;
};

static inline int write_all(int fd, const void *data, size_t len)
{
	const char *p = data;
	while (len > 0) {
		ssize_t n = write(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static inline int read_all(int fd, void *data, size_t len)
{
	char *p = data;
	while (len > 0) {
		ssize_t n = read(fd, p, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static inline int wire_send(int fd, uint32_t type, const void *data, size_t len)
{
	struct wire_head head = { .type = type, .len = (uint32_t)len };
	if (write_all(fd, &head, sizeof(head)) < 0)
		return -1;
	return write_all(fd, data, len);
}

static inline int wire_send_call(int fd, uint32_t type, uint32_t call, const void *data, size_t len)
{
	struct wire_head head = { .type = type, .len = (uint32_t)(sizeof(call) + len) };
	if (write_all(fd, &head, sizeof(head)) < 0 || write_all(fd, &call, sizeof(call)) < 0)
		return -1;
	return write_all(fd, data, len);
}

/* buf holds WIRE_MAX + 1 bytes, and is ended with a zero so that text can be used as it is. */
static inline int wire_recv(int fd, struct wire_head *head, char *buf)
{
	if (read_all(fd, head, sizeof(*head)) < 0 || head->len > WIRE_MAX)
		return -1;
	if (read_all(fd, buf, head->len) < 0)
		return -1;
	buf[head->len] = 0;
	return 0;
}

#endif
