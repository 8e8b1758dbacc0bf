/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/control_peer.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CHUNK_LEN 4096

int64_t fl_cli_control_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void fl_cli_control_peer_begin(struct fl_cli_control_peer *peer, int fd)
{
	*peer = (struct fl_cli_control_peer){.fd = fd, .since_ms = fl_cli_control_now_ms()};
}

void fl_cli_control_peer_drop(struct fl_cli_control_peer *peer)
{
	if (peer->fd >= 0)
		close(peer->fd);
	free(peer->reply);
	*peer = (struct fl_cli_control_peer){.fd = -1};
}

/* ---- what it is told --------------------------------------------------------------------- */

void fl_cli_control_peer_reply(struct fl_cli_control_peer *peer, char *text, size_t len)
{
	free(peer->reply);
	peer->reply = text;
	peer->reply_len = text ? len : 0;
	peer->sent_len = 0;
}

void fl_cli_control_peer_reply_line(struct fl_cli_control_peer *peer, const char *word, const char *sentence)
{
	char *text = NULL;
	int len = asprintf(&text, "%s%s%s\n", word, sentence ? " " : "", sentence ? sentence : "");

	fl_cli_control_peer_reply(peer, len < 0 ? NULL : text, len < 0 ? 0 : (size_t)len);
}

void fl_cli_control_peer_show(struct fl_cli_control_peer *peer, struct fl_cli_ring *ring, bool follows)
{
	fl_cli_control_peer_reply_line(peer, "ok", NULL);
	peer->ring = ring;
	peer->follows = follows;
}

/* The next piece of what it is shown, as if it were its answer. False: there is none now. */
static bool refill(struct fl_cli_control_peer *peer)
{
	char chunk[CHUNK_LEN];

	if (!peer->ring)
		return false;
	size_t len = fl_cli_ring_read(peer->ring, &peer->ring_at, chunk, sizeof(chunk));
	char *copy = len ? malloc(len) : NULL;

	if (!copy)
		return false;
	memcpy(copy, chunk, len);
	fl_cli_control_peer_reply(peer, copy, len);
	return true;
}

bool fl_cli_control_peer_send(struct fl_cli_control_peer *peer)
{
	do {
		while (peer->sent_len < peer->reply_len) {
			ssize_t n = send(peer->fd, peer->reply + peer->sent_len, peer->reply_len - peer->sent_len,
					 MSG_DONTWAIT | MSG_NOSIGNAL);

			if (n < 0)
				return errno == EAGAIN || errno == EINTR;
			peer->sent_len += (size_t)n;
		}
	} while (refill(peer));
	return peer->follows || peer->waits_for_end;
}

/* ---- what it says ------------------------------------------------------------------------ */

short fl_cli_control_peer_events(const struct fl_cli_control_peer *peer)
{
	bool has_to_send = peer->sent_len < peer->reply_len;

	return (short)((peer->said_all ? 0 : POLLIN) | (has_to_send ? POLLOUT : 0));
}

static bool take_request(struct fl_cli_control_peer *peer, const char **line)
{
	char *to = peer->request + peer->request_len;
	ssize_t n = recv(peer->fd, to, sizeof(peer->request) - 1 - peer->request_len, MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	peer->request_len += (size_t)n;
	peer->request[peer->request_len] = '\0';
	char *newline = strchr(peer->request, '\n');

	if (newline) {
		*newline = '\0';
		peer->asked = true;
		*line = peer->request;
	} else if (n == 0) {
		return false;
	} else if (peer->request_len == sizeof(peer->request) - 1) {
		peer->asked = true;
		fl_cli_control_peer_reply_line(peer, "error", "The request is too long.");
	}
	return true;
}

/* Who has asked has nothing more to say: it may shut its side, and still waits for the answer. */
static bool take_the_rest(struct fl_cli_control_peer *peer)
{
	char ignored[CHUNK_LEN];
	ssize_t n = recv(peer->fd, ignored, sizeof(ignored), MSG_DONTWAIT);

	peer->said_all = n == 0;
	return n >= 0 || errno == EAGAIN || errno == EINTR;
}

bool fl_cli_control_peer_listen(struct fl_cli_control_peer *peer, short revents, const char **line)
{
	*line = NULL;
	if (!peer->asked && (revents & (POLLIN | POLLHUP | POLLERR)))
		return take_request(peer, line);
	if (!peer->asked)
		return fl_cli_control_now_ms() - peer->since_ms <= FL_CLI_CONTROL_PATIENCE_MS;
	/* a UNIX socket has POLLHUP when both of its sides are shut, as when it was closed */
	if (revents & (POLLHUP | POLLERR))
		return false;
	return !(revents & POLLIN) || take_the_rest(peer);
}
