/* SPDX-License-Identifier: Apache-2.0 */
/* Where io_uring is forbidden: poll(2) over all sources, file I/O by threads. */
#include "fl_loop_impl.h"

static int poll_wait(struct fl_loop *loop)
{
	(void)loop;
	return -1;
}

static void poll_forget(struct fl_loop *loop, unsigned int slot)
{
	(void)loop;
	(void)slot;
}

static int poll_reap(struct fl_loop *loop)
{
	(void)loop;
	return -1;
}

const struct fl_loop_backend fl_loop_poll = {
	.wait = poll_wait,
	.forget = poll_forget,
	.submit = fl_loop_workers_submit,
	.reap = poll_reap,
};
