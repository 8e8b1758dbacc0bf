/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client of a guest's control socket, as the server has it: what it has asked, and what is still to be sent to it.
 * Nothing here waits. A peer belongs to the server's thread.
 */
#ifndef FL_CLI_CONTROL_PEER_H
#define FL_CLI_CONTROL_PEER_H

#include "cli/control_server.h"

/* somebody who connects and says nothing does not keep a place longer than that */
#define FL_CLI_CONTROL_PATIENCE_MS 5000

struct fl_cli_control_peer {
	int fd; /* -1: nobody */
	int64_t since_ms;
	char request[FL_CLI_CONTROL_REQUEST_MAX];
	size_t request_len;
	bool asked;    /* the request is whole */
	bool said_all; /* it has shut its side, and may still listen */
	char *reply;
	size_t reply_len, sent_len;
	struct fl_cli_ring *ring; /* goes on with what is in it */
	uint64_t ring_at;
	bool follows;	    /* also what is still to come */
	bool waits_for_end; /* gets its answer when the guest has ended */
};

/* CLOCK_MONOTONIC, as since_ms is. */
int64_t fl_cli_control_now_ms(void);

/* fd becomes the peer's. */
void fl_cli_control_peer_begin(struct fl_cli_control_peer *peer, int fd);
void fl_cli_control_peer_drop(struct fl_cli_control_peer *peer);

/* The answer so far, which becomes the peer's; NULL: it gets no more. */
void fl_cli_control_peer_reply(struct fl_cli_control_peer *peer, char *text, size_t len);
/* "word sentence", or only the word where the sentence is NULL. */
void fl_cli_control_peer_reply_line(struct fl_cli_control_peer *peer, const char *word, const char *sentence);
/* "ok", then what the ring has, then, if it follows, what comes. */
void fl_cli_control_peer_show(struct fl_cli_control_peer *peer, struct fl_cli_ring *ring, bool follows);

/* What poll() is to look for. */
short fl_cli_control_peer_events(const struct fl_cli_control_peer *peer);
/*
 * Takes what it has said, as poll() has told. False: it has gone, or never asked. *line: its request, once, when it is
 * whole; else NULL.
 */
bool fl_cli_control_peer_listen(struct fl_cli_control_peer *peer, short revents, const char **line);
/* Sends what there is as far as it goes. False: all is said, or nobody listens, and the peer is to be dropped. */
bool fl_cli_control_peer_send(struct fl_cli_control_peer *peer);

#endif
