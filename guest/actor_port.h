/* SPDX-License-Identifier: Apache-2.0 */
/* Messages to and from the host through a descriptor that does not block. */
#ifndef FL_ACTOR_PORT_H
#define FL_ACTOR_PORT_H

#include "fl_diag.h"
#include "guest/scenario_wire.h"

/* What is asked for beyond it waits, where it is, until the host has taken some. */
#define FL_ACTOR_OUT_SOFT (256u << 10)
#define FL_ACTOR_OUT_MAX  (FL_ACTOR_OUT_SOFT + 2 * FL_SCN_BODY_MAX)

struct fl_actor_port {
	int fd;
	size_t in_len, out_len;
	uint8_t in[sizeof(struct fl_scn_wire_head) + FL_SCN_BODY_MAX];
	uint8_t out[FL_ACTOR_OUT_MAX];
};

static inline bool fl_actor_port_has_room(const struct fl_actor_port *port)
{
	return port->out_len < FL_ACTOR_OUT_SOFT;
}

/* Two pieces make one body. Only where there is room: a message more always finds some. */
void fl_actor_port_put(struct fl_actor_port *port, uint32_t type, const void *body, size_t len, const void *more,
		       size_t more_len);
/* Writes what can be written now. -EPIPE and its like: the host is gone. */
FL_CHECKED_RESULT int fl_actor_port_flush(struct fl_actor_port *port);
/* Reads what is there, and no more than one message holds. 0; -ENOTCONN: the host is gone. */
FL_CHECKED_RESULT int fl_actor_port_read(struct fl_actor_port *port);
/*
 * The message that is complete at the front, if there is one: 1, and *body is valid until fl_actor_port_drop(); 0;
 * -EPROTO: no message is that long.
 */
FL_CHECKED_RESULT int fl_actor_port_peek(const struct fl_actor_port *port, struct fl_scn_wire_head *head,
					 const uint8_t **body);
void fl_actor_port_drop(struct fl_actor_port *port);

#endif
