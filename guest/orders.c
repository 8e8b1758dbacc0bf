/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/orders.h"

#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>

#include "guest/ports.h"

#define SIGNAL_MAX 64 /* _NSIG of x86 Linux */

/* Digits alone, and no more than max; *rest is what follows. */
static bool take_number(const char *text, unsigned int max, unsigned int *number, const char **rest)
{
	unsigned int value = 0;
	const char *at = text;

	for (; *at >= '0' && *at <= '9'; at++) {
		value = value * 10 + (unsigned int)(*at - '0');
		if (value > max)
			return false;
	}
	*number = value;
	*rest = at;
	return at > text;
}

bool fl_terminal_size_parse(const char *text, unsigned short *rows, unsigned short *cols)
{
	unsigned int high, wide;

	if (!take_number(text, UINT16_MAX, &high, &text) || *text != ' ' ||
	    !take_number(text + 1, UINT16_MAX, &wide, &text) || *text)
		return false;
	*rows = (unsigned short)high;
	*cols = (unsigned short)wide;
	return true;
}

static bool parse_signal(const char *text, struct fl_order *order)
{
	unsigned int number;

	if (!take_number(text, SIGNAL_MAX, &number, &text) || *text || number == 0)
		return false;
	*order = (struct fl_order){.kind = FL_ORDER_SIGNAL, .signal_number = (int)number};
	return true;
}

bool fl_order_parse(const char *line, struct fl_order *order)
{
	if (strncmp(line, "size ", 5) == 0) {
		*order = (struct fl_order){.kind = FL_ORDER_SIZE};
		return fl_terminal_size_parse(line + 5, &order->rows, &order->cols);
	}
	if (strncmp(line, "signal ", 7) == 0)
		return parse_signal(line + 7, order);
	*order = (struct fl_order){.kind = FL_ORDER_POWEROFF};
	return strcmp(line, "poweroff") == 0;
}

static void end_line(struct fl_order_lines *lines, fl_order_fn fn, void *arg)
{
	struct fl_order order;

	lines->line[lines->len] = '\0';
	/* a NUL in it would hide what follows */
	if (!lines->too_long && strlen(lines->line) == lines->len && fl_order_parse(lines->line, &order))
		fn(arg, &order);
	lines->len = 0;
	lines->too_long = false;
}

void fl_order_lines_take(struct fl_order_lines *lines, const char *bytes, size_t len, fl_order_fn fn, void *arg)
{
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '\n')
			end_line(lines, fn, arg);
		else if (lines->len < sizeof(lines->line) - 1)
			lines->line[lines->len++] = bytes[i];
		else
			lines->too_long = true;
	}
}

static void ask_all_to_end(struct fl_orders *orders)
{
	if (orders->powering_off)
		return;
	orders->powering_off = true;
	orders->kill_ms = fl_now_ms() + orders->patience_ms;
	kill(orders->everyone, SIGTERM);
	/* an interactive shell ignores SIGTERM, and takes the loss of its terminal for what this is */
	if (orders->terminal >= 0)
		kill(orders->command, SIGHUP);
	kill(orders->everyone, SIGCONT); /* a stopped process takes no other signal */
}

static void do_order(void *arg, const struct fl_order *order)
{
	struct fl_orders *orders = arg;
	struct winsize size = {.ws_row = order->rows, .ws_col = order->cols};

	switch (order->kind) {
	case FL_ORDER_SIZE:
		/* the kernel sends SIGWINCH; a command without a terminal does not care */
		if (orders->terminal >= 0 && ioctl(orders->terminal, TIOCSWINSZ, &size) < 0)
			return;
		break;
	case FL_ORDER_SIGNAL:
		kill(-orders->command, order->signal_number);
		break;
	case FL_ORDER_POWEROFF:
	default:
		ask_all_to_end(orders);
		break;
	}
}

bool fl_orders_read(struct fl_orders *orders)
{
	char bytes[256];
	ssize_t n = read(orders->port, bytes, sizeof(bytes));

	if (n > 0)
		fl_order_lines_take(&orders->lines, bytes, (size_t)n, do_order, orders);
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

int fl_orders_timeout_ms(const struct fl_orders *orders)
{
	if (!orders->powering_off || orders->killed)
		return -1;
	return (int)FL_MAX(orders->kill_ms - fl_now_ms(), (int64_t)0);
}

void fl_orders_tick(struct fl_orders *orders)
{
	if (fl_orders_timeout_ms(orders) != 0)
		return;
	orders->killed = true;
	kill(orders->everyone, SIGKILL);
}
