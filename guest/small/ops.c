/* SPDX-License-Identifier: Apache-2.0 */
/* What actors can do here: operands and texts by scenario_wire.h. What takes an operating system is missing. */
#include "guest/small/small.h"

#define ROW(number, fn, operands, texts) [FL_SCN_OP_##number] = {operands, texts, texts, fl_actor_op_##fn}

static const struct fl_actor_op ops[] = {
	ROW(MARK, mark, "k", 0),
	ROW(WAIT, wait, "kt", 0),
	ROW(BARRIER, barrier, "kP", 0),
	ROW(SLEEP, sleep, "t", 0),
	ROW(SPIN, spin, "t", 0),
	ROW(LOOP, loop, "vkj", 0),
	ROW(END, end, "j", 0),
	ROW(THREAD, thread, "a", 0),
	ROW(JOIN, join, "a", 0),
	ROW(SAY, say, "", 1),
	ROW(OPEN, open, "hO", 1),
	ROW(CLOSE, close, "h", 0),
	ROW(PREAD, pread, "hoo", 0),
	ROW(PWRITE, pwrite, "hoo", 0),
	ROW(FSYNC, fsync, "h", 0),
	ROW(FTRUNCATE, ftruncate, "ho", 0),
	ROW(FALLOCATE, fallocate, "hoox", 0),
	ROW(TRUNCATE, truncate, "o", 1),
	ROW(STAT, stat, "", 1),
	ROW(UNLINK, unlink, "", 1),
	ROW(RENAME, rename, "", 2),
	ROW(MAP, map, "MhooR", 0),
	ROW(UNMAP, unmap, "M", 0),
	ROW(READ, read, "pi", 0),
	ROW(WRITE, write, "piv", 0),
	ROW(VECTOR, vector, "p", 0),
	ROW(ATOMIC, atomic, "pi", 0),
	ROW(EXEC, exec, "p", 0),
	ROW(TOUCH, touch, "po", 0),
	ROW(CHECK, check, "poco", 0),
	ROW(FILL, fill, "pob", 0),
	ROW(COPY, copy, "ppo", 0),
	ROW(STRING, string, "ppo", 0),
};

const struct fl_actor_op *fl_actor_op(uint32_t number)
{
	return number < FL_ARRAY_SIZE(ops) && ops[number].run ? &ops[number] : NULL;
}
