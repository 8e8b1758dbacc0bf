/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the scenario runner (src/cli/scenario/) and the actors in a guest (guest/actor*.c) say to each other.
 *
 * The program is the guest's agent once more, started as a command with the argument "scenario"; the channel is the
 * virtio-console port FL_SCN_PORT. In a native run the same program is started on the host, with "scenario FD". The
 * environment variable FL_SCN_PAGE_ENV names the page's file where it is not FL_SCN_PAGE_PATH.
 * A message is a struct fl_scn_wire_head and head.len bytes behind it. All numbers are little-endian, all structures
 * have no holes; times are the sender's CLOCK_MONOTONIC in ns. Both sides say HELLO first; a version that differs is
 * the end. A side that gets what it cannot take (unknown type, too long, out of range) closes: the host then calls the
 * case failed and the machine unusable, the guest's program exits with 125.
 *
 *	host -> guest
 *	HELLO	fl_scn_wire_hello; the page (below) is there
 *	PING	fl_scn_wire_time; answered by PONG at once, with the guest's time
 *	ACTOR	fl_scn_wire_actor, then its steps: each fl_scn_wire_step and its text_len bytes
 *	START	empty; all actors that are neither threads nor children of others begin
 *	STOP	empty; all that they are is killed and forgotten, answered by STOPPED
 *	guest -> host
 *	HELLO, PONG, STOPPED
 *	LOADED	fl_scn_wire_actor_id; an ACTOR was taken
 *	OUTCOME	fl_scn_wire_outcome; the first time that a step came out in this way
 *	COUNTS	fl_scn_wire_counts; after an actor's last step, one for each outcome of each step of its
 *	DONE	fl_scn_wire_done; the actor has ended, or will never begin; nothing of it follows. Every actor has one
 *	SAY	fl_scn_wire_actor_id, then text, not terminated; FL_SCN_SAYS_MAX of an actor, more are dropped
 */
#ifndef FL_SCENARIO_WIRE_H
#define FL_SCENARIO_WIRE_H

#include <stdint.h>

#define FL_SCN_PORT    "fl.scenario"
#define FL_SCN_VERSION 2
/* Where the runner mounts the share that has the page of marks; a file of FL_SCN_PAGE_LEN bytes. */
#define FL_SCN_PAGE_PATH "/run/faultline-scenario/page"
#define FL_SCN_PAGE_ENV	 "FAULTLINE_SCENARIO_PAGE"

#define FL_SCN_BODY_MAX	   65536u /* of a message, in either direction */
#define FL_SCN_ACTORS_MAX  32u	  /* of a case in one machine */
#define FL_SCN_STEPS_MAX   256u	  /* of an actor */
#define FL_SCN_MARKS_MAX   64u
#define FL_SCN_HANDLES_MAX 16u /* open files, and as many mappings, of an actor's process */
#define FL_SCN_NUMBERS	   6u  /* operands of a step */
#define FL_SCN_SAYS_MAX	   64u
/*
 * Different outcomes of a step that are told apart. Each kind has a share, so that none can hide another; what is
 * beyond it is counted in the last of its kind.
 */
#define FL_SCN_OUTCOMES_MAX	16u
#define FL_SCN_OUTCOMES_DID	5u
#define FL_SCN_OUTCOMES_SIGNAL	5u
#define FL_SCN_OUTCOMES_ERROR	3u
#define FL_SCN_OUTCOMES_SPECIAL 1u /* of each of the others */

enum fl_scn_wire_type {
	FL_SCN_HELLO = 1,
	FL_SCN_PING = 2,
	FL_SCN_ACTOR = 3,
	FL_SCN_START = 4,
	FL_SCN_STOP = 5,
	FL_SCN_PONG = 16,
	FL_SCN_STOPPED = 17,
	FL_SCN_LOADED = 18,
	FL_SCN_OUTCOME = 19,
	FL_SCN_COUNTS = 20,
	FL_SCN_DONE = 21,
	FL_SCN_SAY = 22,
};

struct fl_scn_wire_head {
	uint32_t len; /* of what follows */
	uint32_t type;
};

struct fl_scn_wire_hello {
	uint32_t version;
	uint32_t cpus;	   /* guest's: online; host's: 0 */
	uint32_t page_len; /* of memory */
	uint32_t reserved;
};

struct fl_scn_wire_time {
	uint64_t cookie; /* PONG: the PING's */
	uint64_t ns;
};

struct fl_scn_wire_actor_id {
	uint32_t actor;
	uint32_t reserved;
};

enum fl_scn_relation {
	FL_SCN_PROCESS = 0, /* a process of its own */
	FL_SCN_THREAD = 1,  /* of the parent's process; begins at the parent's step `thread` */
	FL_SCN_CHILD = 2,   /* fork()ed by the parent's step `fork` */
};

#define FL_SCN_ACTOR_FATAL 1u /* signals are not caught: the first one ends the process, as it does other programs */
#define FL_SCN_ACTOR_BLOCKED \
	2u /* they are caught, but its thread has them blocked, so that the first ends the process */

struct fl_scn_wire_actor {
	uint32_t actor;	 /* below FL_SCN_ACTORS_MAX; defined in rising order */
	uint32_t parent; /* lower than actor; its own number for a process */
	uint32_t relation;
	uint32_t flags;
	int32_t cpu; /* it is bound to; -1: none */
	uint32_t steps;
};

/*
 * What an actor can do. The operands of each are in the table of src/cli/scenario/language/ops.c, in that order: a
 * number is n[i]; a file handle or a mapping's number is n[i]; an address takes two, the mapping and the offset; a time
 * two, from and to; a path or a word of a program is text, NUL-terminated, in the order of appearance. Values are part
 * of the protocol.
 */
enum fl_scn_op {
	/* order */
	FL_SCN_OP_MARK = 1, /* mark */
	FL_SCN_OP_WAIT,	    /* mark, after_from, after_to: not before after_from ns behind the mark */
	FL_SCN_OP_BARRIER,  /* mark, parties: the last of them sets it */
	FL_SCN_OP_SLEEP,    /* ns */
	FL_SCN_OP_SPIN,	    /* ns, with the CPU */
	FL_SCN_OP_LOOP,	    /* times (0: until the mark, once at least), mark, index of the step behind its `end` */
	FL_SCN_OP_END,	    /* index of its `loop` */
	FL_SCN_OP_THREAD,   /* actor */
	FL_SCN_OP_FORK,	    /* actor */
	FL_SCN_OP_JOIN,	    /* actor: waits for its end */
	FL_SCN_OP_SAY,	    /* text */
	/* files */
	FL_SCN_OP_OPEN = 32,	    /* handle, FL_SCN_O_* ; path */
	FL_SCN_OP_CLOSE,	    /* handle */
	FL_SCN_OP_PREAD,	    /* handle, offset, len */
	FL_SCN_OP_PWRITE,	    /* handle, offset, len: of the pattern */
	FL_SCN_OP_READ_TO,	    /* handle, offset, address, len: pread() with the mapping as buffer */
	FL_SCN_OP_WRITE_FROM,	    /* handle, offset, address, len: pwrite() from the mapping */
	FL_SCN_OP_SENDFILE,	    /* out handle, in handle, offset, len */
	FL_SCN_OP_COPY_RANGE,	    /* out handle, out offset, in handle, in offset, len: copy_file_range() */
	FL_SCN_OP_FSYNC,	    /* handle */
	FL_SCN_OP_FTRUNCATE,	    /* handle, len */
	FL_SCN_OP_FALLOCATE,	    /* handle, offset, len, FALLOC_FL_* */
	FL_SCN_OP_TRUNCATE,	    /* len; path */
	FL_SCN_OP_STAT,		    /* path; the value is the length */
	FL_SCN_OP_UNLINK,	    /* path */
	FL_SCN_OP_RENAME,	    /* path, path */
	FL_SCN_OP_RUN,		    /* program and arguments; the value is the exit status */
	FL_SCN_OP_SPLICE,	    /* out handle, out offset, in handle, in offset, len: splice() through a pipe */
	FL_SCN_OP_VMSPLICE,	    /* handle, offset, address, len: vmsplice() of the mapping, then splice() */
	FL_SCN_OP_URING_READ_TO,    /* handle, offset, address, len: IORING_OP_READ into the mapping */
	FL_SCN_OP_URING_WRITE_FROM, /* handle, offset, address, len: IORING_OP_WRITE from the mapping */
	/* memory */
	FL_SCN_OP_MAP = 64, /* mapping, handle, offset, len, FL_SCN_MAP_*; the value is its address */
	FL_SCN_OP_UNMAP,    /* mapping */
	FL_SCN_OP_READ,	    /* address, 1, 2, 4 or 8 bytes in one instruction; the value is what was read */
	FL_SCN_OP_WRITE,    /* address, 1, 2, 4 or 8 bytes in one instruction, value */
	FL_SCN_OP_VECTOR,   /* address: 16 bytes by one SSE load */
	FL_SCN_OP_ATOMIC,   /* address: a locked add of 1 to 8 bytes; the value is what was there */
	FL_SCN_OP_EXEC,	  /* address: calls the code there (docs of files' content `code`); the value is what it returns
			   */
	FL_SCN_OP_TOUCH,  /* address, len, stride (0: the next page): bytes are read, by rising address */
	FL_SCN_OP_CHECK,  /* address, len, FL_SCN_CONTENT_*, file offset of the address: the value is how many bytes are
			     right, from the first on */
	FL_SCN_OP_FILL,	  /* address, len, byte: memset() */
	FL_SCN_OP_COPY,	  /* to address, from address, len: memcpy() */
	FL_SCN_OP_STRING, /* to address, from address, len: rep movsb */
	FL_SCN_OP_MSYNC,  /* address, len */
	FL_SCN_OP_MLOCK,  /* address, len */
	FL_SCN_OP_MADVISE,    /* address, len, MADV_* */
	FL_SCN_OP_FUTEX,      /* address: FUTEX_WAIT for a value that is not there, so EAGAIN if the page can be read */
	FL_SCN_OP_MPROTECT,   /* address, len, FL_SCN_MAP_* */
	FL_SCN_OP_UNMAP_PART, /* address, len: munmap(); the mapping keeps its name and length */
	FL_SCN_OP_REMAP,      /* mapping: mremap() to another address */
	/* src/cli/scenario has those of the host from here on */
	FL_SCN_OP_HOST = 128,
};

#define FL_SCN_O_READ	1u
#define FL_SCN_O_WRITE	2u
#define FL_SCN_O_CREATE 4u
#define FL_SCN_O_TRUNC	8u
#define FL_SCN_O_APPEND 16u
#define FL_SCN_O_DIRECT 32u

#define FL_SCN_MAP_READ	    1u
#define FL_SCN_MAP_WRITE    2u
#define FL_SCN_MAP_EXEC	    4u
#define FL_SCN_MAP_PRIVATE  8u /* else shared */
#define FL_SCN_MAP_POPULATE 16u

#define FL_SCN_CONTENT_PATTERN 0u /* each 8 bytes at the file's offset o: fl_scn_pattern(o) */
#define FL_SCN_CONTENT_ZEROS   1u

/* No page, and no two places of a page, are alike: the finalizer of splitmix64. */
static inline uint64_t fl_scn_pattern(uint64_t offset)
{
	uint64_t z = offset / 8 + UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

struct fl_scn_wire_step {
	uint16_t op;
	uint16_t line; /* for messages; the outcome names the step by its index */
	uint32_t text_len;
	uint64_t n[FL_SCN_NUMBERS];
};

enum fl_scn_outcome_kind {
	FL_SCN_DID = 0,	   /* value: what the operation says it returns, 0 where it says nothing */
	FL_SCN_ERROR = 1,  /* value: errno of the system call */
	FL_SCN_SIGNAL = 2, /* value: its number; code, addr: si_code, si_addr */
	FL_SCN_KILLED = 3, /* the process, or what `run` started, died of signal `value` */
	FL_SCN_LATE = 4,   /* what the case's time, or its stop, was over for; the actor then ends */
	FL_SCN_CANNOT = 5, /* the agent could not do it; value: errno */
};

#define FL_SCN_NO_MAP UINT32_MAX

struct fl_scn_wire_outcome {
	uint32_t actor;
	uint32_t step; /* index */
	uint32_t kind;
	uint32_t number; /* of the outcome among the step's, from 0 */
	int32_t code;
	int32_t cpu; /* where it was at the end */
	uint64_t value;
	uint64_t addr;
	uint64_t begin_ns, end_ns;
	uint64_t offset; /* of addr in the mapping it lies in */
	uint32_t map;	 /* that mapping's number; FL_SCN_NO_MAP: none */
	/* SIGNAL, from the small kernel: what its record says (docs/abi.md), by the same numbers; 0: there was none */
	uint16_t cause, access;
};

struct fl_scn_wire_counts {
	uint32_t actor;
	uint32_t step;
	uint32_t number;
	uint32_t reserved;
	uint64_t count;
	uint64_t last_ns;
	uint64_t longest_ns; /* from begin to end */
};

struct fl_scn_wire_done {
	uint32_t actor;
	uint32_t signal;    /* that ended its process; 0: it came to its end */
	uint32_t next_step; /* index of the one that would be next: their number at the end, 0 if it never began */
	uint32_t reserved;
};

/*
 * The page: memory that host and guest share, a file of the host that the actors map (in the guest by DAX). Who sets a
 * mark writes its time, then `set`; who waits looks at `set`. A barrier's parties on either side count themselves in a
 * number of their side's, then look at both: who finds all there sets the mark. Only what is listed is written by the
 * guest, and it is believed no further than any other number of the guest's. A bad or lost page makes waits late,
 * nothing else: the host therefore reads and writes the file, since a guest can truncate what it has mapped.
 */
#define FL_SCN_PAGE_MAGIC UINT64_C(0x31656e6563534c46) /* "FLScene1" */
#define FL_SCN_PAGE_LEN	  8192u

struct fl_scn_mark {
	uint32_t set;	  /* 0, or 1 */
	uint32_t arrived; /* guest: parties of a barrier so far */
	uint64_t ns;	  /* CLOCK_MONOTONIC of who set it */
	uint32_t by_host; /* whose clock that is: 1 the host's, 0 the guest's */
	uint32_t host_arrived;
};

struct fl_scn_progress {
	uint64_t iterations; /* of the actor's innermost running loop's, all loops together */
	uint32_t step;	     /* index of the one that it is at */
	uint32_t state;	     /* 0 not begun, 1 runs, 2 has ended */
};

struct fl_scn_page {
	uint64_t magic;
	uint32_t version;
	uint32_t stop;		      /* host: 1 ends every wait and loop at once */
	uint64_t guest_minus_host_ns; /* host: for converting the time of marks, two's complement */
	uint64_t deadline_host_ns;    /* host: when waits become late, the host's CLOCK_MONOTONIC */
	struct fl_scn_mark marks[FL_SCN_MARKS_MAX];
	struct fl_scn_progress progress[FL_SCN_ACTORS_MAX]; /* guest */
};

#endif
