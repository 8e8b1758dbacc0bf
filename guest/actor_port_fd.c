/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/actor_port.h"

#include <string.h>

int fl_actor_port_flush(struct fl_actor_port *port)
{
	size_t done = 0;
	int ret = 0;

	while (done < port->out_len && !ret) {
		ssize_t n = write(port->fd, port->out + done, port->out_len - done);

		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || errno == EAGAIN)
			break;
		else if (errno != EINTR)
			ret = -errno;
	}
	memmove(port->out, port->out + done, port->out_len - done);
	port->out_len -= done;
	return ret;
}

int fl_actor_port_read(struct fl_actor_port *port)
{
	size_t room = sizeof(port->in) - port->in_len;
	ssize_t n = room ? read(port->fd, port->in + port->in_len, room) : 0;

	if (!room)
		return 0;
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -ENOTCONN;
	if (n == 0)
		return -ENOTCONN;
	port->in_len += (size_t)n;
	return 0;
}
