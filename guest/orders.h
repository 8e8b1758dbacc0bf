/* SPDX-License-Identifier: Apache-2.0 */
/* What the host wants of a running guest (agent_conf.h, fl.control): taken apart, and done. */
#ifndef FL_ORDERS_H
#define FL_ORDERS_H

#include <sys/types.h>

#include "fl_base.h"

enum fl_order_kind { FL_ORDER_POWEROFF, FL_ORDER_SIZE, FL_ORDER_SIGNAL };

struct fl_order {
	enum fl_order_kind kind;
	unsigned short rows, cols; /* of FL_ORDER_SIZE */
	int signal_number;	   /* of FL_ORDER_SIGNAL */
};

/* "24 80" */
bool fl_terminal_size_parse(const char *text, unsigned short *rows, unsigned short *cols);

/* One line without its newline. False if it is no order. Pure. */
bool fl_order_parse(const char *line, struct fl_order *order);

/* Collects lines; one that does not fit is dropped whole. Zero-filled at first. */
struct fl_order_lines {
	char line[64];
	size_t len;
	bool too_long;
};
typedef void (*fl_order_fn)(void *arg, const struct fl_order *order);
/* Calls fn for each order that is complete now. Pure. */
void fl_order_lines_take(struct fl_order_lines *lines, const char *bytes, size_t len, fl_order_fn fn, void *arg);

struct fl_orders {
	int port; /* non-blocking, stays open; -1: no orders come */
	pid_t command;
	pid_t everyone;	 /* what kill(2) is given to reach all that runs: -1 for a machine's first process */
	int terminal;	 /* the master of the command's terminal; -1: it has none */
	int patience_ms; /* between asking all processes to end and killing them */
	struct fl_order_lines lines;
	bool powering_off;
	bool killed;
	int64_t kill_ms; /* when it is, if powering_off */
};

/* The port has something to read. False if it has come to its end: no more orders. */
bool fl_orders_read(struct fl_orders *orders);
/* Until fl_orders_tick() has to be called; -1: there is nothing to wait for. */
int fl_orders_timeout_ms(const struct fl_orders *orders);
/* Kills what was asked to end, when its time is over. */
void fl_orders_tick(struct fl_orders *orders);

#endif
