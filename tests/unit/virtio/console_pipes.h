/* SPDX-License-Identifier: Apache-2.0 */
/* A terminal between two pipes, and bytes that show every loss. */
#ifndef CONSOLE_PIPES_H
#define CONSOLE_PIPES_H

#include "tests/unit/virtio/console_driver.h"

#define QUIET_MS 30 /* long enough for what must not come to have come */

/* Port 1 is an output into out[1], port 2 an input from in[0]. */
struct pipes {
	int out[2], in[2];
};

static inline void make_pipe(int fds[2])
{
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
}

static inline void setup(struct terminal *terminal, struct pipes *pipes)
{
	struct fl_console_port_opts ports[3] = {
		{.in_fd = -1, .out_fd = -1}, {.name = "out", .in_fd = -1}, {.name = "in", .out_fd = -1}};

	make_pipe(pipes->out);
	make_pipe(pipes->in);
	ports[1].out_fd = pipes->out[1];
	ports[2].in_fd = pipes->in[0];
	terminal_init(terminal, ports, 3);
}

static inline void teardown(struct terminal *terminal, struct pipes *pipes)
{
	terminal_fini(terminal);
	fl_close(&pipes->out[0]);
	fl_close(&pipes->out[1]);
	fl_close(&pipes->in[0]);
	fl_close(&pipes->in[1]);
}

/* A sequence that shows every byte value and any loss, doubling or exchange. */
static inline uint8_t pattern(uint64_t i)
{
	return (uint8_t)(i * 31 + (i >> 8) * 7 + (i >> 16));
}

static inline void assert_pattern(const uint8_t *bytes, size_t len, uint64_t from)
{
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] != pattern(from + i))
			fail_msg("byte %llu is wrong", (unsigned long long)(from + i));
	}
}

#endif
