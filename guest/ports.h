/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's virtio-console ports: found by name, opened non-blocking. */
#ifndef FL_PORTS_H
#define FL_PORTS_H

#include "fl_diag.h"

enum fl_port { FL_PORT_STATUS, FL_PORT_STDIN, FL_PORT_STDOUT, FL_PORT_STDERR, FL_PORT_CONTROL, FL_PORT_COUNT };

/*
 * Opens all ports, waiting at most timeout_ms for them to appear. fds[] gets those that were found,
 * -1 for the others, also on failure: fl.status alone is enough to say why. -ETIMEDOUT, or from open().
 */
FL_CHECKED_RESULT int fl_ports_open(int fds[FL_PORT_COUNT], int timeout_ms, struct fl_diag *diag);

/* One port more, by its name. Errors likewise. */
FL_CHECKED_RESULT int fl_port_open(const char *name, int *fd, int timeout_ms, struct fl_diag *diag);

/* Writes all of it to a non-blocking descriptor within timeout_ms. -ETIMEDOUT, or from write(). */
FL_CHECKED_RESULT int fl_port_write(int fd, const char *bytes, size_t len, int timeout_ms);

int64_t fl_now_ms(void); /* CLOCK_MONOTONIC */

#endif
