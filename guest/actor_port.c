/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/actor_port.h"

#include <string.h>

void fl_actor_port_put(struct fl_actor_port *port, uint32_t type, const void *body, size_t len, const void *more,
		       size_t more_len)
{
	const struct fl_scn_wire_head head = {.len = (uint32_t)(len + more_len), .type = type};

	if (sizeof(head) + len + more_len > sizeof(port->out) - port->out_len)
		return;
	memcpy(port->out + port->out_len, &head, sizeof(head));
	port->out_len += sizeof(head);
	if (len)
		memcpy(port->out + port->out_len, body, len);
	port->out_len += len;
	if (more_len)
		memcpy(port->out + port->out_len, more, more_len);
	port->out_len += more_len;
}

int fl_actor_port_peek(const struct fl_actor_port *port, struct fl_scn_wire_head *head, const uint8_t **body)
{
	if (port->in_len < sizeof(*head))
		return 0;
	memcpy(head, port->in, sizeof(*head));
	if (head->len > FL_SCN_BODY_MAX)
		return -EPROTO;
	*body = port->in + sizeof(*head);
	return port->in_len - sizeof(*head) >= head->len;
}

void fl_actor_port_drop(struct fl_actor_port *port)
{
	struct fl_scn_wire_head head;
	size_t len;

	memcpy(&head, port->in, sizeof(head));
	len = sizeof(head) + head.len;
	memmove(port->in, port->in + len, port->in_len - len);
	port->in_len -= len;
}
