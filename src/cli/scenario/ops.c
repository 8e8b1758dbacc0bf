/* SPDX-License-Identifier: Apache-2.0 */
/* What the steps are, said once: the reader, the runner and the manual page go by it. */
#include <string.h>

#include <linux/falloc.h>
#include <sys/mman.h>

#include "cli/scenario/scenario.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif

#define BOTH (FL_SCN_BY_GUEST | FL_SCN_BY_HOST)

static const struct fl_scn_word open_words[] = {
	{"ro", FL_SCN_O_READ, 'a'},
	{"wo", FL_SCN_O_WRITE, 'a'},
	{"rw", FL_SCN_O_READ | FL_SCN_O_WRITE, 'a'},
	{"create", FL_SCN_O_CREATE, 0},
	{"trunc", FL_SCN_O_TRUNC, 0},
	{"append", FL_SCN_O_APPEND, 0},
	{"direct", FL_SCN_O_DIRECT, 0},
	{NULL, 0, 0},
};
static const struct fl_scn_word map_words[] = {
	{"ro", FL_SCN_MAP_READ, 'a'},
	{"wo", FL_SCN_MAP_WRITE, 'a'},
	{"rw", FL_SCN_MAP_READ | FL_SCN_MAP_WRITE, 'a'},
	{"rx", FL_SCN_MAP_READ | FL_SCN_MAP_EXEC, 'a'},
	{"rwx", FL_SCN_MAP_READ | FL_SCN_MAP_WRITE | FL_SCN_MAP_EXEC, 'a'},
	{"shared", 0, 's'},
	{"private", FL_SCN_MAP_PRIVATE, 's'},
	{"populate", FL_SCN_MAP_POPULATE, 0},
	{NULL, 0, 0},
};
static const struct fl_scn_word fallocate_words[] = {
	{"keep-size", FALLOC_FL_KEEP_SIZE, 'k'}, {"punch", FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 'k'},
	{"zero", FALLOC_FL_ZERO_RANGE, 'w'},	 {"collapse", FALLOC_FL_COLLAPSE_RANGE, 'w'},
	{"insert", FALLOC_FL_INSERT_RANGE, 'w'}, {NULL, 0, 0},
};
static const struct fl_scn_word madvise_words[] = {
	{"normal", MADV_NORMAL, 'a'},
	{"random", MADV_RANDOM, 'a'},
	{"sequential", MADV_SEQUENTIAL, 'a'},
	{"willneed", MADV_WILLNEED, 'a'},
	{"dontneed", MADV_DONTNEED, 'a'},
	{"free", MADV_FREE, 'a'},
	{"remove", MADV_REMOVE, 'a'},
	{"cold", MADV_COLD, 'a'},
	{"pageout", MADV_PAGEOUT, 'a'},
	{"hugepage", MADV_HUGEPAGE, 'a'},
	{"nohugepage", MADV_NOHUGEPAGE, 'a'},
	{"populate-read", MADV_POPULATE_READ, 'a'},
	{"populate-write", MADV_POPULATE_WRITE, 'a'},
	{NULL, 0, 0},
};
static const struct fl_scn_word check_words[] = {
	{"pattern", FL_SCN_CONTENT_PATTERN, 'a'}, {"zeros", FL_SCN_CONTENT_ZEROS, 'a'}, {NULL, 0, 0}};
static const struct fl_scn_word replace_words[] = {{"pattern", FL_SCN_FILE_PATTERN, 'a'},
						   {"zeros", FL_SCN_FILE_ZEROS, 'a'},
						   {"code", FL_SCN_FILE_CODE, 'a'},
						   {NULL, 0, 0}};
static const struct fl_scn_word remount_words[] = {{"ro", 0, 'a'}, {"rw", 1, 'a'}, {NULL, 0, 0}};

const struct fl_scn_op_row fl_scn_ops[] = {
	/* order */
	{FL_SCN_OP_MARK, BOTH, "mark", "k", NULL, "MARK", "Sets a mark, for those who wait for it."},
	{FL_SCN_OP_WAIT, BOTH, "wait", "k?t", NULL, "MARK [after TIME]",
	 "Waits until the mark is set, and then until so much time has gone by since."},
	{FL_SCN_OP_BARRIER, BOTH, "barrier", "k", NULL, "NAME",
	 "Waits until all have come to it who have a barrier of this name in their text."},
	{FL_SCN_OP_SLEEP, BOTH, "sleep", "t", NULL, "TIME", "Does nothing for so long."},
	{FL_SCN_OP_SPIN, FL_SCN_BY_GUEST, "spin", "t", NULL, "TIME",
	 "Does nothing for so long, and keeps its CPU busy."},
	{FL_SCN_OP_LOOP, BOTH, "loop", "L", NULL, "COUNT|until MARK",
	 "Repeats the steps up to its \"end\" so often, or until the mark is set, but once at least."},
	{FL_SCN_OP_END, BOTH, "end", "", NULL, "", "Ends a loop."},
	{FL_SCN_OP_THREAD, FL_SCN_BY_GUEST, "thread", "a", NULL, "GUEST",
	 "Starts a guest that is a thread of this one."},
	{FL_SCN_OP_FORK, FL_SCN_BY_GUEST, "fork", "a", NULL, "GUEST", "Starts a guest that is a child of this one."},
	{FL_SCN_OP_JOIN, FL_SCN_BY_GUEST, "join", "a", NULL, "GUEST",
	 "Waits until a thread or a child of this guest has ended."},
	{FL_SCN_OP_SAY, FL_SCN_BY_GUEST, "say", "s", NULL, "TEXT", "Puts a text into the results."},
	/* files, as guests see them */
	{FL_SCN_OP_OPEN, FL_SCN_BY_GUEST, "open", "FPw", open_words, "FILE PATH HOW...",
	 "Opens a file, which has this name from then on."},
	{FL_SCN_OP_CLOSE, FL_SCN_BY_GUEST, "close", "f", NULL, "FILE", "Closes an open file."},
	{FL_SCN_OP_PREAD, FL_SCN_BY_GUEST, "pread", "fnn", NULL, "FILE OFFSET LENGTH",
	 "Reads by pread(2); the value is how many bytes it read."},
	{FL_SCN_OP_PWRITE, FL_SCN_BY_GUEST, "pwrite", "fnn", NULL, "FILE OFFSET LENGTH",
	 "Writes the pattern of that offset by pwrite(2); the value is how many bytes it wrote."},
	{FL_SCN_OP_READ_TO, FL_SCN_BY_GUEST, "readto", "fnmn", NULL, "FILE OFFSET PLACE LENGTH",
	 "Reads by pread(2) into a mapping; the value is how many bytes it read."},
	{FL_SCN_OP_WRITE_FROM, FL_SCN_BY_GUEST, "writefrom", "fnmn", NULL, "FILE OFFSET PLACE LENGTH",
	 "Writes by pwrite(2) from a mapping; the value is how many bytes it wrote."},
	{FL_SCN_OP_SENDFILE, FL_SCN_BY_GUEST, "sendfile", "ffnn", NULL, "TO FROM OFFSET LENGTH",
	 "Copies from an open file to another by sendfile(2); the value is how many bytes it copied."},
	{FL_SCN_OP_COPY_RANGE, FL_SCN_BY_GUEST, "copyrange", "fnfnn", NULL, "TO OFFSET FROM OFFSET LENGTH",
	 "Copies by copy_file_range(2); the value is how many bytes it copied."},
	{FL_SCN_OP_FSYNC, FL_SCN_BY_GUEST, "fsync", "f", NULL, "FILE", "Calls fsync(2)."},
	{FL_SCN_OP_FTRUNCATE, FL_SCN_BY_GUEST, "ftruncate", "fn", NULL, "FILE LENGTH",
	 "Gives an open file another length."},
	{FL_SCN_OP_FALLOCATE, FL_SCN_BY_GUEST, "fallocate", "fnn?w", fallocate_words, "FILE OFFSET LENGTH [HOW...]",
	 "Calls fallocate(2)."},
	{FL_SCN_OP_TRUNCATE, FL_SCN_BY_GUEST, "truncate", "Pn", NULL, "PATH LENGTH", "Gives a file another length."},
	{FL_SCN_OP_STAT, FL_SCN_BY_GUEST, "stat", "P", NULL, "PATH",
	 "Looks at a file by stat(2); the value is its length."},
	{FL_SCN_OP_UNLINK, FL_SCN_BY_GUEST, "unlink", "P", NULL, "PATH", "Takes a name away."},
	{FL_SCN_OP_RENAME, FL_SCN_BY_GUEST, "rename", "PP", NULL, "PATH PATH", "Gives a file another name."},
	{FL_SCN_OP_RUN, FL_SCN_BY_GUEST, "run", "A", NULL, "PROGRAM [ARGUMENT...]",
	 "Runs a program and waits for its end; the value is its exit status."},
	/* memory of guests */
	{FL_SCN_OP_MAP, FL_SCN_BY_GUEST, "map", "Mfnnw", map_words, "MAPPING FILE OFFSET LENGTH HOW...",
	 "Maps a part of an open file, which has this name from then on."},
	{FL_SCN_OP_UNMAP, FL_SCN_BY_GUEST, "unmap", "u", NULL, "MAPPING", "Takes a mapping away."},
	{FL_SCN_OP_READ, FL_SCN_BY_GUEST, "read", "m?i", NULL, "PLACE [SIZE]",
	 "Loads 1, 2, 4 or 8 bytes by one instruction; the value is what it loaded."},
	{FL_SCN_OP_WRITE, FL_SCN_BY_GUEST, "write", "m?in", NULL, "PLACE [SIZE [VALUE]]",
	 "Stores 1, 2, 4 or 8 bytes by one instruction."},
	{FL_SCN_OP_VECTOR, FL_SCN_BY_GUEST, "vector", "m", NULL, "PLACE", "Loads 16 bytes by one SSE instruction."},
	{FL_SCN_OP_ATOMIC, FL_SCN_BY_GUEST, "atomic", "m?i", NULL, "PLACE [SIZE]",
	 "Adds one by a locked instruction; the value is what was there before."},
	{FL_SCN_OP_EXEC, FL_SCN_BY_GUEST, "exec", "m", NULL, "PLACE",
	 "Calls the code there, as files of the content \"code\" have it; the value is what it returns, the number of its "
	 "16 bytes in the file."},
	{FL_SCN_OP_TOUCH, FL_SCN_BY_GUEST, "touch", "mn", NULL, "PLACE LENGTH",
	 "Loads one byte of each page, by rising address."},
	{FL_SCN_OP_CHECK, FL_SCN_BY_GUEST, "check", "mn?wn", check_words, "PLACE LENGTH [CONTENT] [OFFSET]",
	 "Compares memory with the content of a file at this offset, which is that of the mapping where it is left out; the "
	 "value is how many bytes are right, counted from the first."},
	{FL_SCN_OP_FILL, FL_SCN_BY_GUEST, "fill", "mn?n", NULL, "PLACE LENGTH [BYTE]",
	 "Stores the same byte everywhere, as memset(3) does."},
	{FL_SCN_OP_COPY, FL_SCN_BY_GUEST, "copy", "mmn", NULL, "TO FROM LENGTH",
	 "Copies from one place to another, as memcpy(3) does."},
	{FL_SCN_OP_STRING, FL_SCN_BY_GUEST, "string", "mmn", NULL, "TO FROM LENGTH",
	 "Copies by one instruction, rep movsb."},
	{FL_SCN_OP_MSYNC, FL_SCN_BY_GUEST, "msync", "mn", NULL, "PLACE LENGTH", "Calls msync(2) with MS_SYNC."},
	{FL_SCN_OP_MLOCK, FL_SCN_BY_GUEST, "mlock", "mn", NULL, "PLACE LENGTH", "Calls mlock(2)."},
	{FL_SCN_OP_MADVISE, FL_SCN_BY_GUEST, "madvise", "mnw", madvise_words, "PLACE LENGTH ADVICE",
	 "Calls madvise(2)."},
	{FL_SCN_OP_FUTEX, FL_SCN_BY_GUEST, "futex", "m", NULL, "PLACE",
	 "Has the kernel read memory: futex(2) is to wait for a value that is not there, which is EAGAIN where the page can "
	 "be read."},
	/* what the host does */
	{FL_SCN_HOST_WAIT_FAULTS, FL_SCN_BY_HOST, "wait faults", "n?v", NULL, "COUNT [in MACHINE]",
	 "Waits until so many faults of the case were reported."},
	{FL_SCN_HOST_WAIT_TURNS, FL_SCN_BY_HOST, "wait turns", "an", NULL, "GUEST COUNT",
	 "Waits until the loops of a guest have turned so often."},
	{FL_SCN_HOST_TRUNCATE, FL_SCN_BY_HOST, "truncate", "Pn", NULL, "PATH LENGTH",
	 "Gives a file another length, shorter or longer."},
	{FL_SCN_HOST_WRITE, FL_SCN_BY_HOST, "write", "Pnn", NULL, "PATH OFFSET LENGTH",
	 "Writes the pattern of that offset into a file."},
	{FL_SCN_HOST_APPEND, FL_SCN_BY_HOST, "append", "Pn", NULL, "PATH LENGTH",
	 "Writes the pattern behind the end of a file."},
	{FL_SCN_HOST_PUNCH, FL_SCN_BY_HOST, "punch", "Pnn", NULL, "PATH OFFSET LENGTH", "Makes a hole in a file."},
	{FL_SCN_HOST_REPLACE, FL_SCN_BY_HOST, "replace", "Pn?w", replace_words, "PATH LENGTH [CONTENT]",
	 "Writes a new file and renames it over the old one."},
	{FL_SCN_HOST_UNLINK, FL_SCN_BY_HOST, "unlink", "P", NULL, "PATH", "Takes a name away."},
	{FL_SCN_HOST_RENAME, FL_SCN_BY_HOST, "rename", "PP", NULL, "PATH PATH", "Gives a file another name."},
	{FL_SCN_HOST_LINK, FL_SCN_BY_HOST, "link", "PP", NULL, "PATH PATH", "Gives a file a second name."},
	{FL_SCN_HOST_CHMOD, FL_SCN_BY_HOST, "chmod", "Po", NULL, "PATH MODE", "Changes permissions, in octal digits."},
	{FL_SCN_HOST_FILL, FL_SCN_BY_HOST, "fill", "D", NULL, "DIR", "Writes until there is no space left."},
	{FL_SCN_HOST_FREE, FL_SCN_BY_HOST, "free", "D", NULL, "DIR", "Takes away what \"fill\" wrote."},
	{FL_SCN_HOST_FAIL_READS, FL_SCN_BY_HOST, "fail-reads", "P", NULL, "PATH",
	 "Reading the file fails with EIO from now on; in a dir that is failing."},
	{FL_SCN_HOST_HEAL, FL_SCN_BY_HOST, "heal", "P", NULL, "PATH", "Ends what \"fail-reads\" began."},
	{FL_SCN_HOST_POISON, FL_SCN_BY_HOST, "poison", "Pn", NULL, "PATH OFFSET",
	 "The page of the page cache there becomes bad memory (MADV_HWPOISON); needs root."},
	{FL_SCN_HOST_REMOUNT, FL_SCN_BY_HOST, "remount", "Dw", remount_words, "DIR ro|rw",
	 "Mounts a dir read-only, or writable again; of a dir that is a tmpfs or failing."},
	{FL_SCN_HOST_DROP_CACHES, FL_SCN_BY_HOST, "drop-caches", "", NULL, "",
	 "Has the host forget what it has cached of files; needs root."},
	{FL_SCN_HOST_RUN, FL_SCN_BY_HOST, "run", "A", NULL, "PROGRAM [ARGUMENT...]",
	 "Runs a program and waits for its end; the value is its exit status."},
	{FL_SCN_HOST_PAUSE, FL_SCN_BY_HOST, "pause", "v", NULL, "MACHINE", "Holds all CPUs of a machine."},
	{FL_SCN_HOST_RESUME, FL_SCN_BY_HOST, "resume", "v", NULL, "MACHINE", "Lets a machine go on."},
	{FL_SCN_HOST_FREEZE, FL_SCN_BY_HOST, "freeze", "D", NULL, "DIR",
	 "The server of a dir that is failing answers nothing any more."},
	{FL_SCN_HOST_THAW, FL_SCN_BY_HOST, "thaw", "D", NULL, "DIR", "It answers again, late."},
	{0, 0, NULL, NULL, NULL, NULL, NULL},
};

const struct fl_scn_op_row *fl_scn_find_op(const char *name, uint32_t by)
{
	for (const struct fl_scn_op_row *row = fl_scn_ops; row->name; row++)
		if ((row->by & by) && strcmp(row->name, name) == 0)
			return row;
	return NULL;
}

const struct fl_scn_op_row *fl_scn_op_row(uint32_t op)
{
	for (const struct fl_scn_op_row *row = fl_scn_ops; row->name; row++)
		if (row->op == op)
			return row;
	return NULL;
}
