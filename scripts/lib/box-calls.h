/* SPDX-License-Identifier: Apache-2.0 */
/* Calls: connections to a UNIX socket outside that are carried to one inside. One half is in box-run, one in box-init.
   A call's number is given by the outside, which uses it again when the inside has hung up. */
#ifndef BOX_CALLS_H
#define BOX_CALLS_H

#include <poll.h>
#include <stdbool.h>

#include "box-wire.h"

/* What poll() is to look at, at most. */
#define CALLS_POLLED (1 + WIRE_CALLS_MAX)

/* Outside: the listening socket. Inside: the path that calls go to. */
void calls_begin(int listen_fd, const char *path);

/* Fills CALLS_POLLED entries, and does what they came back with. */
void calls_poll(struct pollfd *polled);
void calls_attend(int port, const struct pollfd *polled);

/* False if the frame is about something else. */
bool calls_frame(int port, uint32_t type, const char *frame, size_t len);

/* Is anything still to be carried? */
bool calls_pending(void);

#endif
