/* SPDX-License-Identifier: Apache-2.0 */
/* What the steps are, said once: the reader, the runner and the manual page go by it. */
#include <string.h>

#include <linux/falloc.h>
#include <sys/mman.h>

#include "cli/scenario/language/scenario.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif

#define BOTH   (FL_SCN_BY_GUEST | FL_SCN_BY_HOST)
#define RETURN FL_SCN_CAN_RETURN
#define FAIL   FL_SCN_CAN_FAIL
#define FAULT  FL_SCN_CAN_FAULT
#define DIE    FL_SCN_CAN_DIE

static const struct fl_scn_word open_words[] = {
	{"ro", FL_SCN_O_READ, FL_SCN_NEEDED},
	{"wo", FL_SCN_O_WRITE, FL_SCN_NEEDED},
	{"rw", FL_SCN_O_READ | FL_SCN_O_WRITE, FL_SCN_NEEDED},
	{"create", FL_SCN_O_CREATE, 0},
	{"trunc", FL_SCN_O_TRUNC, 0},
	{"append", FL_SCN_O_APPEND, 0},
	{"direct", FL_SCN_O_DIRECT, 0},
	{NULL, 0, 0},
};
static const struct fl_scn_word map_words[] = {
	{"ro", FL_SCN_MAP_READ, FL_SCN_NEEDED},
	{"wo", FL_SCN_MAP_WRITE, FL_SCN_NEEDED},
	{"rw", FL_SCN_MAP_READ | FL_SCN_MAP_WRITE, FL_SCN_NEEDED},
	{"rx", FL_SCN_MAP_READ | FL_SCN_MAP_EXEC, FL_SCN_NEEDED},
	{"rwx", FL_SCN_MAP_READ | FL_SCN_MAP_WRITE | FL_SCN_MAP_EXEC, FL_SCN_NEEDED},
	{"shared", 0, 's'},
	{"private", FL_SCN_MAP_PRIVATE, 's'},
	{"populate", FL_SCN_MAP_POPULATE, 0},
	{NULL, 0, 0},
};
static const struct fl_scn_word answer_words[] = {
	{"retry", FL_ACTION_RETRY, FL_SCN_NEEDED},
	{"reflect", FL_ACTION_REFLECT, FL_SCN_NEEDED},
	{"substitute", FL_ACTION_SUBSTITUTE, FL_SCN_NEEDED},
	{"stop", FL_ACTION_STOP, FL_SCN_NEEDED},
	{"next", FL_ACTION_NEXT, FL_SCN_NEEDED},
	{NULL, 0, 0},
};
static const struct fl_scn_word fallocate_words[] = {
	{"keep-size", FALLOC_FL_KEEP_SIZE, 'k'}, {"punch", FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 'k'},
	{"zero", FALLOC_FL_ZERO_RANGE, 'w'},	 {"collapse", FALLOC_FL_COLLAPSE_RANGE, 'w'},
	{"insert", FALLOC_FL_INSERT_RANGE, 'w'}, {NULL, 0, 0},
};
static const struct fl_scn_word madvise_words[] = {
	{"normal", MADV_NORMAL, FL_SCN_NEEDED},
	{"random", MADV_RANDOM, FL_SCN_NEEDED},
	{"sequential", MADV_SEQUENTIAL, FL_SCN_NEEDED},
	{"willneed", MADV_WILLNEED, FL_SCN_NEEDED},
	{"dontneed", MADV_DONTNEED, FL_SCN_NEEDED},
	{"free", MADV_FREE, FL_SCN_NEEDED},
	{"remove", MADV_REMOVE, FL_SCN_NEEDED},
	{"cold", MADV_COLD, FL_SCN_NEEDED},
	{"pageout", MADV_PAGEOUT, FL_SCN_NEEDED},
	{"hugepage", MADV_HUGEPAGE, FL_SCN_NEEDED},
	{"nohugepage", MADV_NOHUGEPAGE, FL_SCN_NEEDED},
	{"populate-read", MADV_POPULATE_READ, FL_SCN_NEEDED},
	{"populate-write", MADV_POPULATE_WRITE, FL_SCN_NEEDED},
	{NULL, 0, 0},
};
static const struct fl_scn_word mprotect_words[] = {
	{"none", 0, FL_SCN_NEEDED},
	{"ro", FL_SCN_MAP_READ, FL_SCN_NEEDED},
	{"rw", FL_SCN_MAP_READ | FL_SCN_MAP_WRITE, FL_SCN_NEEDED},
	{"rx", FL_SCN_MAP_READ | FL_SCN_MAP_EXEC, FL_SCN_NEEDED},
	{"rwx", FL_SCN_MAP_READ | FL_SCN_MAP_WRITE | FL_SCN_MAP_EXEC, FL_SCN_NEEDED},
	{NULL, 0, 0},
};
static const struct fl_scn_word check_words[] = {{"pattern", FL_SCN_CONTENT_PATTERN, FL_SCN_NEEDED},
						 {"zeros", FL_SCN_CONTENT_ZEROS, FL_SCN_NEEDED},
						 {NULL, 0, 0}};
static const struct fl_scn_word replace_words[] = {{"pattern", FL_SCN_FILE_PATTERN, FL_SCN_NEEDED},
						   {"zeros", FL_SCN_FILE_ZEROS, FL_SCN_NEEDED},
						   {"code", FL_SCN_FILE_CODE, FL_SCN_NEEDED},
						   {NULL, 0, 0}};
static const struct fl_scn_word remount_words[] = {{"ro", 0, FL_SCN_NEEDED}, {"rw", 1, FL_SCN_NEEDED}, {NULL, 0, 0}};

const struct fl_scn_op_row fl_scn_ops[] = {
	/* order */
	{FL_SCN_OP_MARK, BOTH, 0, "mark", "k", NULL, "MARK", "Sets a mark, for those who wait for it.", "mark mapped"},
	{FL_SCN_OP_WAIT, BOTH, 0, "wait", "k?t", NULL, "MARK [after TIME]",
	 "Waits until the mark is set, and then until so much time has gone by since.", "wait cut after 0..2ms"},
	{FL_SCN_OP_BARRIER, BOTH, 0, "barrier", "k", NULL, "NAME",
	 "Waits until all have come to it who have a barrier of this name in their text.", "barrier ready"},
	{FL_SCN_OP_SLEEP, BOTH, 0, "sleep", "t", NULL, "TIME", "Does nothing for so long.", "sleep 1.5ms"},
	{FL_SCN_OP_SPIN, FL_SCN_BY_GUEST, 0, "spin", "t", NULL, "TIME",
	 "Does nothing for so long, and keeps its CPU busy.", "spin 200us"},
	{FL_SCN_OP_LOOP, BOTH, 0, "loop", "L", NULL, "COUNT|until MARK",
	 "Repeats the steps up to its \"end\" so often, or until the mark is set, but once at least.",
	 "loop until done"},
	{FL_SCN_OP_END, BOTH, 0, "end", "", NULL, "", "Ends a loop.", "end"},
	{FL_SCN_OP_THREAD, FL_SCN_BY_GUEST, 0, "thread", "a", NULL, "GUEST",
	 "Starts a guest that is a thread of this one.", "thread helper"},
	{FL_SCN_OP_FORK, FL_SCN_BY_GUEST, 0, "fork", "a", NULL, "GUEST", "Starts a guest that is a child of this one.",
	 "fork child"},
	{FL_SCN_OP_JOIN, FL_SCN_BY_GUEST, 0, "join", "a", NULL, "GUEST",
	 "Waits until a thread or a child of this guest has ended.", "join helper"},
	{FL_SCN_OP_SAY, FL_SCN_BY_GUEST, 0, "say", "s", NULL, "TEXT", "Puts a text into the results.",
	 "say \"half way\""},
	/* files, as guests see them */
	{FL_SCN_OP_OPEN, FL_SCN_BY_GUEST, FAIL, "open", "FPw", open_words, "FILE PATH HOW...",
	 "Opens a file, which has this name from then on.", "open f data/log rw"},
	{FL_SCN_OP_CLOSE, FL_SCN_BY_GUEST, FAIL, "close", "f", NULL, "FILE", "Closes an open file.", "close f"},
	{FL_SCN_OP_PREAD, FL_SCN_BY_GUEST, RETURN | FAIL, "pread", "fnn", NULL, "FILE OFFSET LENGTH",
	 "Reads by pread(2); the value is how many bytes it read.", "pread f 0 4K => 4096"},
	{FL_SCN_OP_PWRITE, FL_SCN_BY_GUEST, RETURN | FAIL, "pwrite", "fnn", NULL, "FILE OFFSET LENGTH",
	 "Writes the pattern of that offset by pwrite(2); the value is how many bytes it wrote.",
	 "pwrite f 8K 4K => 4096 or ENOSPC"},
	{FL_SCN_OP_READ_TO, FL_SCN_BY_GUEST, RETURN | FAIL, "readto", "fnmn", NULL, "FILE OFFSET PLACE LENGTH",
	 "Reads by pread(2) into a mapping; the value is how many bytes it read.", "readto f 0 m+12K 512 => EFAULT"},
	{FL_SCN_OP_WRITE_FROM, FL_SCN_BY_GUEST, RETURN | FAIL, "writefrom", "fnmn", NULL, "FILE OFFSET PLACE LENGTH",
	 "Writes by pwrite(2) from a mapping; the value is how many bytes it wrote.",
	 "writefrom f 0 m+12K 4K => EFAULT"},
	{FL_SCN_OP_SENDFILE, FL_SCN_BY_GUEST, RETURN | FAIL, "sendfile", "ffnn", NULL, "TO FROM OFFSET LENGTH",
	 "Copies from an open file to another by sendfile(2); the value is how many bytes it copied.",
	 "sendfile g f 0 64K => 12K"},
	{FL_SCN_OP_COPY_RANGE, FL_SCN_BY_GUEST, RETURN | FAIL, "copyrange", "fnfnn", NULL,
	 "TO OFFSET FROM OFFSET LENGTH", "Copies by copy_file_range(2); the value is how many bytes it copied.",
	 "copyrange g 0 f 0 64K"},
	{FL_SCN_OP_SPLICE, FL_SCN_BY_GUEST, RETURN | FAIL, "splice", "fnfnn", NULL, "TO OFFSET FROM OFFSET LENGTH",
	 "Copies from an open file to another through a pipe, by splice(2); the value is how many bytes it copied.",
	 "splice g 0 f 0 64K => 12K"},
	{FL_SCN_OP_VMSPLICE, FL_SCN_BY_GUEST, RETURN | FAIL, "vmsplice", "fnmn", NULL, "FILE OFFSET PLACE LENGTH",
	 "Writes from a mapping through a pipe, by vmsplice(2) and splice(2); the value is how many bytes came to the file.",
	 "vmsplice g 0 m+12K 4K => EFAULT"},
	{FL_SCN_OP_URING_READ_TO, FL_SCN_BY_GUEST, RETURN | FAIL, "uring-readto", "fnmn", NULL,
	 "FILE OFFSET PLACE LENGTH", "As \"readto\", but by io_uring(7); the value is what its completion says.",
	 "uring-readto f 0 m+12K 512 => EFAULT"},
	{FL_SCN_OP_URING_WRITE_FROM, FL_SCN_BY_GUEST, RETURN | FAIL, "uring-writefrom", "fnmn", NULL,
	 "FILE OFFSET PLACE LENGTH", "As \"writefrom\", but by io_uring(7); the value is what its completion says.",
	 "uring-writefrom f 0 m+12K 4K => EFAULT"},
	{FL_SCN_OP_FSYNC, FL_SCN_BY_GUEST, FAIL, "fsync", "f", NULL, "FILE", "Calls fsync(2).", "fsync f => ok or EIO"},
	{FL_SCN_OP_FTRUNCATE, FL_SCN_BY_GUEST, FAIL, "ftruncate", "fn", NULL, "FILE LENGTH",
	 "Gives an open file another length.", "ftruncate f 12K"},
	{FL_SCN_OP_FALLOCATE, FL_SCN_BY_GUEST, FAIL, "fallocate", "fnn?w", fallocate_words,
	 "FILE OFFSET LENGTH [HOW...]", "Calls fallocate(2).", "fallocate f 0 1M keep-size => ENOSPC"},
	{FL_SCN_OP_TRUNCATE, FL_SCN_BY_GUEST, FAIL, "truncate", "Pn", NULL, "PATH LENGTH",
	 "Gives a file another length.", "truncate data/log 12K"},
	{FL_SCN_OP_STAT, FL_SCN_BY_GUEST, RETURN | FAIL, "stat", "P", NULL, "PATH",
	 "Looks at a file by stat(2); the value is its length.", "stat data/log => 12K"},
	{FL_SCN_OP_UNLINK, FL_SCN_BY_GUEST, FAIL, "unlink", "P", NULL, "PATH", "Takes a name away.", "unlink data/log"},
	{FL_SCN_OP_RENAME, FL_SCN_BY_GUEST, FAIL, "rename", "PP", NULL, "PATH PATH", "Gives a file another name.",
	 "rename data/log data/old"},
	{FL_SCN_OP_RUN, FL_SCN_BY_GUEST, RETURN | FAIL | DIE, "run", "A", NULL, "PROGRAM [ARGUMENT...]",
	 "Runs a program and waits for its end; the value is its exit status.", "run sh -c \"exit 3\" => 3"},
	/* memory of guests */
	{FL_SCN_OP_MAP, FL_SCN_BY_GUEST, FAIL, "map", "Mfnnw", map_words, "MAPPING FILE OFFSET LENGTH HOW...",
	 "Maps a part of an open file, which has this name from then on.", "map m f 0 64K rw shared"},
	{FL_SCN_OP_UNMAP, FL_SCN_BY_GUEST, FAIL, "unmap", "u", NULL, "MAPPING", "Takes a mapping away.", "unmap m"},
	{FL_SCN_OP_UNMAP_PART, FL_SCN_BY_GUEST, FAIL, "unmap-part", "mn", NULL, "PLACE LENGTH",
	 "Takes a part of a mapping away by munmap(2): touching it is SIGSEGV SEGV_MAPERR, if nothing else is mapped after.",
	 "unmap-part m+16K 8K"},
	{FL_SCN_OP_REMAP, FL_SCN_BY_GUEST, FAIL, "remap", "u", NULL, "MAPPING",
	 "Moves a mapping to another address by mremap(2).", "remap m"},
	{FL_SCN_OP_MPROTECT, FL_SCN_BY_GUEST, FAIL, "mprotect", "mnw", mprotect_words, "PLACE LENGTH PROTECTION",
	 "Calls mprotect(2).", "mprotect m 4K ro"},
	{FL_SCN_OP_READ, FL_SCN_BY_GUEST, RETURN | FAULT, "read", "m?i", NULL, "PLACE [SIZE]",
	 "Loads 1, 2, 4 or 8 bytes by one instruction; the value is what it loaded.", "read m+12K 4 => lost at m+12K"},
	{FL_SCN_OP_WRITE, FL_SCN_BY_GUEST, FAULT, "write", "m?in", NULL, "PLACE [SIZE [VALUE]]",
	 "Stores 1, 2, 4 or 8 bytes by one instruction.", "write m+4K 8 0x55"},
	{FL_SCN_OP_VECTOR, FL_SCN_BY_GUEST, FAULT, "vector", "m", NULL, "PLACE",
	 "Loads 16 bytes by one SSE instruction.", "vector m+12K"},
	{FL_SCN_OP_ATOMIC, FL_SCN_BY_GUEST, RETURN | FAULT, "atomic", "m?i", NULL, "PLACE [SIZE]",
	 "Adds one by a locked instruction; the value is what was there before.", "atomic m+12K 4"},
	{FL_SCN_OP_EXEC, FL_SCN_BY_GUEST, RETURN | FAULT, "exec", "m", NULL, "PLACE",
	 "Calls the code there, as files of the content \"code\" have it; the value is what it returns, the number of "
	 "its 16 bytes in the file.",
	 "exec m+16*5 => 5"},
	{FL_SCN_OP_TOUCH, FL_SCN_BY_GUEST, FAULT, "touch", "mn?n", NULL, "PLACE LENGTH [STRIDE]",
	 "Loads one byte of each page, or one at each so many bytes, by rising address.",
	 "touch m 64K => lost at m+12K"},
	{FL_SCN_OP_CHECK, FL_SCN_BY_GUEST, RETURN | FAULT, "check", "mn?wn", check_words,
	 "PLACE LENGTH [CONTENT] [OFFSET]",
	 "Compares memory with the content of a file, the pattern if no other is named, at this offset, that of the "
	 "mapping if it is left out; the value is how many bytes are right, counted from the first.",
	 "check m 12K pattern"},
	{FL_SCN_OP_FILL, FL_SCN_BY_GUEST, FAULT, "fill", "mn?n", NULL, "PLACE LENGTH [BYTE]",
	 "Stores the same byte everywhere, as memset(3) does.", "fill m+4K 4K 0xff"},
	{FL_SCN_OP_COPY, FL_SCN_BY_GUEST, FAULT, "copy", "mmn", NULL, "TO FROM LENGTH",
	 "Copies from one place to another, as memcpy(3) does.", "copy n m 64K => ok or lost at m+12K..m+64K-1"},
	{FL_SCN_OP_STRING, FL_SCN_BY_GUEST, FAULT, "string", "mmn", NULL, "TO FROM LENGTH",
	 "Copies by one instruction, rep movsb.", "string n m 4K"},
	{FL_SCN_OP_MSYNC, FL_SCN_BY_GUEST, FAIL, "msync", "mn", NULL, "PLACE LENGTH", "Calls msync(2) with MS_SYNC.",
	 "msync m 64K"},
	{FL_SCN_OP_MLOCK, FL_SCN_BY_GUEST, FAIL, "mlock", "mn", NULL, "PLACE LENGTH", "Calls mlock(2).",
	 "mlock m 64K => ENOMEM"},
	{FL_SCN_OP_MADVISE, FL_SCN_BY_GUEST, FAIL, "madvise", "mnw", madvise_words, "PLACE LENGTH ADVICE",
	 "Calls madvise(2).", "madvise m 64K dontneed"},
	{FL_SCN_OP_FUTEX, FL_SCN_BY_GUEST, FAIL, "futex", "m", NULL, "PLACE",
	 "Has the kernel read memory: futex(2) is to wait for a value that is not there, which is EAGAIN where the page "
	 "can be read.",
	 "futex m => EAGAIN"},
	/* what the host does */
	{FL_SCN_HOST_WAIT_FAULTS, FL_SCN_BY_HOST, 0, "wait faults", "n?v", NULL, "COUNT [in MACHINE]",
	 "Waits until so many faults of the case were reported.", "wait faults 1"},
	{FL_SCN_HOST_WAIT_TURNS, FL_SCN_BY_HOST, 0, "wait turns", "an", NULL, "GUEST COUNT",
	 "Waits until the loops of a guest have turned so often.", "wait turns reader 100"},
	{FL_SCN_HOST_INSIDE, FL_SCN_BY_HOST, 0, "inside fault", "n?v", NULL, "COUNT [in MACHINE]",
	 "Waits for the fault whose share's policy asks for the COUNT-th time in the case, before anything is done with "
	 "it. Its CPU is held there until \"answer\".",
	 "inside fault 1"},
	{FL_SCN_HOST_ANSWER, FL_SCN_BY_HOST, FAIL, "answer", "w", answer_words, "retry|reflect|substitute|stop|next",
	 "Says what is done with the fault that is held, and lets its CPU go on: the page is looked at again and the access "
	 "repeated, an action of a policy, or the next action of this one.",
	 "answer retry"},
	{FL_SCN_HOST_TRUNCATE, FL_SCN_BY_HOST, FAIL, "truncate", "Pn", NULL, "PATH LENGTH",
	 "Gives a file another length, shorter or longer.", "truncate data/log 12K"},
	{FL_SCN_HOST_WRITE, FL_SCN_BY_HOST, FAIL, "write", "Pnn", NULL, "PATH OFFSET LENGTH",
	 "Writes the pattern of that offset into a file.", "write data/log 4K 512"},
	{FL_SCN_HOST_APPEND, FL_SCN_BY_HOST, FAIL, "append", "Pn", NULL, "PATH LENGTH",
	 "Writes the pattern behind the end of a file.", "append data/log 4K"},
	{FL_SCN_HOST_PUNCH, FL_SCN_BY_HOST, FAIL, "punch", "Pnn", NULL, "PATH OFFSET LENGTH", "Makes a hole in a file.",
	 "punch data/log 4K 8K"},
	{FL_SCN_HOST_REPLACE, FL_SCN_BY_HOST, FAIL, "replace", "Pn?w", replace_words, "PATH LENGTH [CONTENT]",
	 "Writes a new file and renames it over the old one.", "replace data/log 12K zeros"},
	{FL_SCN_HOST_UNLINK, FL_SCN_BY_HOST, FAIL, "unlink", "P", NULL, "PATH", "Takes a name away.",
	 "unlink data/log"},
	{FL_SCN_HOST_RENAME, FL_SCN_BY_HOST, FAIL, "rename", "PP", NULL, "PATH PATH", "Gives a file another name.",
	 "rename data/log data/old"},
	{FL_SCN_HOST_LINK, FL_SCN_BY_HOST, FAIL, "link", "PP", NULL, "PATH PATH", "Gives a file a second name.",
	 "link data/log data/second"},
	{FL_SCN_HOST_CHMOD, FL_SCN_BY_HOST, FAIL, "chmod", "Po", NULL, "PATH MODE",
	 "Changes permissions, in octal digits.", "chmod data/log 0"},
	{FL_SCN_HOST_FILL, FL_SCN_BY_HOST, FAIL, "fill", "D", NULL, "DIR", "Writes until there is no space left.",
	 "fill disk"},
	{FL_SCN_HOST_FREE, FL_SCN_BY_HOST, 0, "free", "D", NULL, "DIR", "Takes away what \"fill\" wrote.", "free disk"},
	{FL_SCN_HOST_FAIL_READS, FL_SCN_BY_HOST, 0, "fail-reads", "P", NULL, "PATH",
	 "Reading the file fails with EIO from now on; in a dir that is failing.", "fail-reads bad/log"},
	{FL_SCN_HOST_HEAL, FL_SCN_BY_HOST, 0, "heal", "P", NULL, "PATH", "Ends what \"fail-reads\" began.",
	 "heal bad/log"},
	{FL_SCN_HOST_POISON, FL_SCN_BY_HOST, FAIL, "poison", "Pn", NULL, "PATH OFFSET",
	 "The page of the file there becomes bad memory (MADV_HWPOISON), in a dir that is a tmpfs; skipped outside of the "
	 "box, since the host has it back after its next boot only, unless $FAULTLINE_POISON is set.",
	 "poison disk/log 12K"},
	{FL_SCN_HOST_REMOUNT, FL_SCN_BY_HOST, FAIL, "remount", "Dw", remount_words, "DIR ro|rw",
	 "Mounts a dir read-only, or writable again; of a dir that is a tmpfs or failing.", "remount disk ro"},
	{FL_SCN_HOST_DROP_CACHES, FL_SCN_BY_HOST, FAIL, "drop-caches", "", NULL, "",
	 "Has the host forget what it has cached of files; needs root.", "drop-caches"},
	{FL_SCN_HOST_RUN, FL_SCN_BY_HOST, RETURN | FAIL | DIE, "run", "A", NULL, "PROGRAM [ARGUMENT...]",
	 "Runs a program and waits for its end; the value is its exit status.", "run sync"},
	{FL_SCN_HOST_PAUSE, FL_SCN_BY_HOST, 0, "pause", "v", NULL, "MACHINE", "Holds all CPUs of a machine.",
	 "pause vm"},
	{FL_SCN_HOST_RESUME, FL_SCN_BY_HOST, 0, "resume", "v", NULL, "MACHINE", "Lets a machine go on.", "resume vm"},
	{FL_SCN_HOST_FREEZE, FL_SCN_BY_HOST, 0, "freeze", "D", NULL, "DIR",
	 "The server of a dir that is failing answers nothing any more.", "freeze bad"},
	{FL_SCN_HOST_THAW, FL_SCN_BY_HOST, 0, "thaw", "D", NULL, "DIR", "It answers again, late.", "thaw bad"},
	{0, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL},
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

uint32_t fl_scn_dir_of_word(const struct fl_scn_dir *dirs, uint32_t count, const char *word)
{
	uint32_t i = 0;

	for (; i < count; i++) {
		size_t len = strlen(dirs[i].name);

		if (strncmp(word, dirs[i].name, len) == 0 && word[len] == '/')
			break;
	}
	return i;
}
