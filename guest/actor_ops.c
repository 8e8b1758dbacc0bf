/* SPDX-License-Identifier: Apache-2.0 */
/* What there is that actors can do: operands and texts by scenario_wire.h. */
#include "guest/actor_script.h"

#define ROW(number, fn, operands, texts_min, texts_max) \
	[FL_SCN_OP_##number] = {operands, texts_min, texts_max, fl_actor_op_##fn}
#define WORDS_MAX 64

static const struct fl_actor_op ops[] = {
	ROW(MARK, mark, "k", 0, 0),
	ROW(WAIT, wait, "kt", 0, 0),
	ROW(BARRIER, barrier, "kP", 0, 0),
	ROW(SLEEP, sleep, "t", 0, 0),
	ROW(SPIN, spin, "t", 0, 0),
	ROW(LOOP, loop, "vkj", 0, 0),
	ROW(END, end, "j", 0, 0),
	ROW(THREAD, thread, "a", 0, 0),
	ROW(FORK, fork, "a", 0, 0),
	ROW(JOIN, join, "a", 0, 0),
	ROW(SAY, say, "", 1, 1),
	ROW(OPEN, open, "hO", 1, 1),
	ROW(CLOSE, close, "h", 0, 0),
	ROW(PREAD, pread, "hoo", 0, 0),
	ROW(PWRITE, pwrite, "hoo", 0, 0),
	ROW(READ_TO, read_to, "hopo", 0, 0),
	ROW(WRITE_FROM, write_from, "hopo", 0, 0),
	ROW(SENDFILE, sendfile, "hhoo", 0, 0),
	ROW(COPY_RANGE, copy_range, "hohoo", 0, 0),
	ROW(FSYNC, fsync, "h", 0, 0),
	ROW(FTRUNCATE, ftruncate, "ho", 0, 0),
	ROW(FALLOCATE, fallocate, "hoox", 0, 0),
	ROW(TRUNCATE, truncate, "o", 1, 1),
	ROW(STAT, stat, "", 1, 1),
	ROW(UNLINK, unlink, "", 1, 1),
	ROW(RENAME, rename, "", 2, 2),
	ROW(RUN, run, "", 1, WORDS_MAX),
	ROW(SPLICE, splice, "hohoo", 0, 0),
	ROW(VMSPLICE, vmsplice, "hopo", 0, 0),
	ROW(URING_READ_TO, uring_read_to, "hopo", 0, 0),
	ROW(URING_WRITE_FROM, uring_write_from, "hopo", 0, 0),
	ROW(MAP, map, "MhooR", 0, 0),
	ROW(UNMAP, unmap, "M", 0, 0),
	ROW(READ, read, "pi", 0, 0),
	ROW(WRITE, write, "piv", 0, 0),
	ROW(VECTOR, vector, "p", 0, 0),
	ROW(ATOMIC, atomic, "pi", 0, 0),
	ROW(EXEC, exec, "p", 0, 0),
	ROW(TOUCH, touch, "poo", 0, 0),
	ROW(CHECK, check, "poco", 0, 0),
	ROW(FILL, fill, "pob", 0, 0),
	ROW(COPY, copy, "ppo", 0, 0),
	ROW(STRING, string, "ppo", 0, 0),
	ROW(MSYNC, msync, "po", 0, 0),
	ROW(MLOCK, mlock, "po", 0, 0),
	ROW(MADVISE, madvise, "pox", 0, 0),
	ROW(FUTEX, futex, "p", 0, 0),
	ROW(MPROTECT, mprotect, "poR", 0, 0),
	ROW(UNMAP_PART, unmap_part, "po", 0, 0),
	ROW(REMAP, remap, "M", 0, 0),
};

const struct fl_actor_op *fl_actor_op(uint32_t number)
{
	return number < FL_ARRAY_SIZE(ops) && ops[number].run ? &ops[number] : NULL;
}
