/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_loop: fl_loop.h without a thread, linked in place of fl_loop.c, so that one input always does the same.
 * What is posted from outside a callback is done at once, and with it all I/O in flight, since who posts may wait for
 * that. Descriptors are looked at, and I/O is done, only when the target says so.
 */
#ifndef FUZZ_LOOP_H
#define FUZZ_LOOP_H

#include "fl_loop.h"

/* Calls back for what is ready now, in the order of addition; returns how many there were. */
unsigned int fuzz_loop_turn(struct fl_loop *loop);
unsigned int fuzz_loop_io_count(const struct fl_loop *loop);
/* Does one of the I/Os in flight, if there are any, and calls back. */
void fuzz_loop_do_io(struct fl_loop *loop, unsigned int which);

#endif
