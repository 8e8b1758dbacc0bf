/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scenario as it was read: text -> fl_scn_read() -> cases, each a plain tree without variables (docs/man
 * faultline-scenario.5 has the language). What is here is checked: every name refers to something, every number is in
 * its range, every mark that is waited for is set by somebody. Constant after it was read; any thread.
 */
#ifndef FL_SCN_SCENARIO_H
#define FL_SCN_SCENARIO_H

#include "faultline/faultline.h"
#include "guest/scenario_wire.h"

struct fl_scn_pos {
	uint32_t line, column; /* from 1; 0: no place in the file */
};

/* ---- the table of steps (ops.c) --------------------------------------------------------- */

/* What the host does; the numbers of the guest's are in guest/scenario_wire.h. Steps of order are both's. */
enum fl_scn_host_op {
	FL_SCN_HOST_TRUNCATE = FL_SCN_OP_HOST, /* PATH LEN: shorter or longer */
	FL_SCN_HOST_WRITE,		       /* PATH OFFSET LEN: of the pattern of that offset */
	FL_SCN_HOST_APPEND,		       /* PATH LEN */
	FL_SCN_HOST_PUNCH,		       /* PATH OFFSET LEN */
	FL_SCN_HOST_REPLACE,		       /* PATH LEN [pattern|zeros|code]: a new file is renamed over it */
	FL_SCN_HOST_UNLINK,		       /* PATH */
	FL_SCN_HOST_RENAME,		       /* PATH PATH */
	FL_SCN_HOST_LINK,		       /* PATH PATH */
	FL_SCN_HOST_CHMOD,		       /* PATH MODE */
	FL_SCN_HOST_FILL,		       /* DIR: until there is no space */
	FL_SCN_HOST_FREE,		       /* DIR: takes away what fill wrote */
	FL_SCN_HOST_FAIL_READS,		       /* PATH: EIO from now on; of a dir of kind failing */
	FL_SCN_HOST_HEAL,		       /* PATH */
	FL_SCN_HOST_POISON,		       /* PATH OFFSET: its page is bad memory (MADV_HWPOISON) */
	FL_SCN_HOST_REMOUNT,		       /* DIR ro|rw */
	FL_SCN_HOST_DROP_CACHES,	       /* no operands */
	FL_SCN_HOST_RUN,		       /* PROGRAM ARGUMENT... */
	FL_SCN_HOST_PAUSE,		       /* MACHINE */
	FL_SCN_HOST_RESUME,		       /* MACHINE */
	FL_SCN_HOST_FREEZE,	 /* DIR: the server of a dir of kind failing answers nothing (as after kill -STOP) */
	FL_SCN_HOST_THAW,	 /* DIR */
	FL_SCN_HOST_WAIT_FAULTS, /* N MACHINE: until N faults of the case were reported */
	FL_SCN_HOST_WAIT_TURNS,	 /* ACTOR N: until its loops have turned N times */
	FL_SCN_HOST_INSIDE,	 /* N MACHINE: until its N-th question what to do with a fault, which then waits */
	FL_SCN_HOST_ANSWER,	 /* ACTION N MACHINE: the last two are those of the INSIDE before it */
};

#define FL_SCN_BY_GUEST 1u
#define FL_SCN_BY_HOST	2u

/* What can come of a step beside ok and any. */
#define FL_SCN_CAN_RETURN 1u /* a value */
#define FL_SCN_CAN_FAIL	  2u /* an errno */
#define FL_SCN_CAN_FAULT  4u /* a signal, which ends a guest that is fatal */
#define FL_SCN_CAN_DIE	  8u /* a program that it runs is killed */

/*
 * signature: a character an operand, in order of writing; behind '?' all may be left out (default 0 or no flags).
 *	F f	a file handle that is made, used		M m	a mapping that is made, a place "map+offset"
 *	u	a mapping, the whole of it			o	an octal mode
 *	n	a number (size, offset, count)		i	1, 2, 4 or 8 (default 8)
 *	t	a time, "200us" or a range "0..5ms", "random 0..5ms", "span 0..2ms"; behind '?': "after" and that
 *	k	a mark					a	an actor
 *	v	a machine; behind '?': "in MACHINE", which may be left out where there is one
 *	P	a path "dir/name"
 *	D	a dir					w	one or more words of `words`, or-ed
 *	s	text					A	words up to the end of the line, "=>" or "within"
 *	L	a number, or "until" and a mark: two operands, the number (0: until) and the mark
 * Some operands come without being written: of `barrier` the second is how many parties it has, of `answer` the second
 * and third are the fault and its machine, of `check` the last, if it is left out, is the file offset of the address.
 */
struct fl_scn_word {
	const char *word;
	uint64_t value;
	char group; /* words of one group exclude each other; 0: of none; FL_SCN_NEEDED: there must be one of this */
};
#define FL_SCN_NEEDED '!'

struct fl_scn_op_row {
	uint32_t op;  /* enum fl_scn_op or fl_scn_host_op */
	uint32_t by;  /* FL_SCN_BY_* */
	uint32_t can; /* FL_SCN_CAN_* */
	const char *name;
	const char *signature;
	const struct fl_scn_word *words; /* ends with a word NULL; or NULL */
	const char *operands;		 /* for the manual: "handle offset length" */
	const char *brief;		 /* for the manual: one sentence */
	const char *example;		 /* for the manual; of names like f, m, data/log */
};

/* Ends with a name NULL. */
extern const struct fl_scn_op_row fl_scn_ops[];
const struct fl_scn_op_row *fl_scn_find_op(const char *name, uint32_t by);
const struct fl_scn_op_row *fl_scn_op_row(uint32_t op);

/* ---- a case ----------------------------------------------------------------------------- */

enum fl_scn_time_kind {
	FL_SCN_TIME_FIXED = 0,
	FL_SCN_TIME_RANDOM = 1, /* drawn for each run from the case's seed */
	FL_SCN_TIME_SPAN = 2,	/* likewise; --explore walks it. At most one in a case */
};

struct fl_scn_operand {
	uint64_t n; /* number, flags, or the index of what is named (file handle, mapping, mark, actor, machine, dir) */
	uint64_t offset; /* of 'm'; of 't' the end of the range (n: its start), ns */
	enum fl_scn_time_kind time_kind;
	uint32_t dir;		  /* of 'P': index into dirs, text is the rest */
	const char *text;	  /* of 'P', 's' */
	const char *const *words; /* of 'A': NULL-terminated */
};

#define FL_SCN_OPERANDS_MAX 6u

enum fl_scn_wish_kind {
	FL_SCN_WISH_OK = 0,	/* did it; with has_value: and returned that */
	FL_SCN_WISH_ERROR = 1,	/* value: errno */
	FL_SCN_WISH_SIGNAL = 2, /* value: number; code and address if has_code, has_address */
	FL_SCN_WISH_LOST = 3,	/* SIGBUS as on native Linux: BUS_ADRERR and that address */
	FL_SCN_WISH_KILLED = 4, /* value: signal; the process is gone */
	FL_SCN_WISH_ANY = 5,	/* whatever: it is recorded only */
};

/* What may come of a step. */
struct fl_scn_wish {
	struct fl_scn_pos pos;
	enum fl_scn_wish_kind kind;
	bool has_value, has_code, has_address;
	bool has_record; /* of the small kernel, beside the address */
	enum fl_cause cause;
	enum fl_access access;
	uint64_t value;
	int32_t code;
	uint32_t map;		     /* of the address */
	uint64_t offset, offset_end; /* first and last byte that may be named */
};

struct fl_scn_step {
	struct fl_scn_pos pos;
	const struct fl_scn_op_row *row;
	/*
	 * as the row's signature says; of `loop`: times (0: until the mark) and mark; of `barrier`: mark and the number
	 * of its parties
	 */
	struct fl_scn_operand operands[FL_SCN_OPERANDS_MAX];
	uint32_t jump; /* of `loop`: index behind its `end`; of `end`: index of its `loop` */
	/* one of them must come true each time; none: FL_SCN_WISH_OK. What ok means for `check` and `run` is a value
	 * here */
	const struct fl_scn_wish *wishes;
	uint32_t wishes_count;
	uint64_t within_ns;   /* it may take so long; 0: no limit but the case's */
	bool may_be_left_out; /* "maybe STEP": need not be reached */
};

struct fl_scn_actor {
	struct fl_scn_pos pos;
	const char *name;
	bool by_host;
	uint32_t machine;	       /* index, of guests */
	enum fl_scn_relation relation; /* of guests */
	uint32_t parent;	       /* index into actors */
	bool fatal;		       /* FL_SCN_ACTOR_FATAL */
	bool blocked;		       /* FL_SCN_ACTOR_BLOCKED */
	int32_t cpu;		       /* -1: any */
	const struct fl_scn_step *steps;
	uint32_t steps_count;
	const char *const *handles; /* names, by index; of threads and children their process's */
	const char *const *maps;
	uint32_t handles_count, maps_count;
};

enum fl_scn_dir_kind {
	FL_SCN_DIR_PLAIN = 0,	/* in the work directory */
	FL_SCN_DIR_TMPFS = 1,	/* a tmpfs of `len` bytes; needs root */
	FL_SCN_DIR_FAILING = 2, /* a file system whose reads fail when told; needs root */
};

struct fl_scn_dir {
	struct fl_scn_pos pos;
	const char *name;
	enum fl_scn_dir_kind kind;
	uint64_t len;
};

enum fl_scn_content {
	FL_SCN_FILE_PATTERN = FL_SCN_CONTENT_PATTERN,
	FL_SCN_FILE_ZEROS = FL_SCN_CONTENT_ZEROS, /* a hole */
	FL_SCN_FILE_CODE =
		2, /* at each 16 bytes a function that returns the number of its 16 bytes: mov $n, %eax; ret */
	FL_SCN_FILE_TEXT = 3,
	FL_SCN_FILE_LINK = 4, /* a symbolic link to text */
	FL_SCN_FILE_DIR = 5,
};

struct fl_scn_file {
	struct fl_scn_pos pos;
	uint32_t dir;
	const char *path; /* below it */
	uint64_t len;
	enum fl_scn_content content;
	const char *text;
	uint32_t mode;
};

struct fl_scn_share {
	struct fl_scn_pos pos;
	uint32_t dir;
	const char *mount; /* absolute, in the guest */
	bool writable, prefault;
	bool mapped; /* false: dax never */
	enum fl_dax dax;
	uint64_t window_len;
	struct fl_policy policy;
	uint32_t attr_timeout_ms, entry_timeout_ms;
};

enum fl_scn_kernel {
	FL_SCN_KERNEL_PATCHED = 0,
	FL_SCN_KERNEL_STOCK = 1,
	FL_SCN_KERNEL_FILE = 2,
	FL_SCN_KERNEL_SMALL = 3, /* ours, without Linux: guest/small/ */
};

struct fl_scn_machine {
	struct fl_scn_pos pos, cpus_pos, params_pos;
	const char *name; /* "vm" if the scenario has one without a name */
	uint32_t vcpus;
	uint64_t ram_len;
	enum fl_scn_kernel kernel;
	const char *kernel_path;
	const char *params;
	enum fl_fault_mode fault_mode;
	const struct fl_scn_share *shares;
	uint32_t shares_count;
};

enum fl_scn_expect_kind {
	FL_SCN_EXPECT_FAULT = 0,   /* records with these fields: so many */
	FL_SCN_EXPECT_ENDS = 1,	   /* the machine ends in this way in the case; without it: it lives, and has no oops */
	FL_SCN_EXPECT_FILE = 2,	   /* of the host or, if in_guest, seen through the share by a machine */
	FL_SCN_EXPECT_CONSOLE = 3, /* the kernel's console has, or has not, that text */
	FL_SCN_EXPECT_TIME = 4,	   /* from one mark to another */
	FL_SCN_EXPECT_TURNS = 5,   /* an actor's loops turned so often */
};

#define FL_SCN_FIELD_CAUSE   1u
#define FL_SCN_FIELD_ACCESS  2u
#define FL_SCN_FIELD_OUTCOME 4u
#define FL_SCN_FIELD_SHAPE   8u
#define FL_SCN_FIELD_CPL     16u
#define FL_SCN_FIELD_VCPU    32u
#define FL_SCN_FIELD_PATH    64u
#define FL_SCN_FIELD_OFFSET  128u
#define FL_SCN_FIELD_LEN     256u /* of the file, when it was looked at */
#define FL_SCN_FIELD_MAPPED  512u /* its length when it was mapped */

struct fl_scn_expect {
	struct fl_scn_pos pos;
	enum fl_scn_expect_kind kind;
	uint32_t machine;     /* index */
	uint64_t least, most; /* FAULT, TURNS: count; TIME: ns */
	/* FAULT */
	uint32_t fields; /* FL_SCN_FIELD_* that must be as here */
	enum fl_cause cause;
	enum fl_access access;
	enum fl_outcome outcome;
	const char *shape;
	uint32_t cpl, vcpu;
	uint32_t dir; /* FAULT, FILE: path */
	const char *path;
	uint64_t offset, offset_end; /* first and last byte that may be named */
	uint64_t len, mapped_len;    /* FAULT; FILE: len */
	/* ENDS */
	enum fl_end end;
	bool panic; /* with FL_END_RESET: FL_RESULT_PANIC, too */
	/* FILE */
	bool in_guest, absent, has_len, has_content;
	enum fl_scn_content content;
	const char *text;	 /* also CONSOLE */
	bool not ;		 /* CONSOLE: it has not */
	uint32_t mark, mark_end; /* TIME */
	uint32_t actor;		 /* TURNS */
};

#define FL_SCN_NEEDS_MAX 8u

/* The kernels that the box can have (scripts/box --host-kernel); ends with NULL. */
extern const char *const fl_scn_host_kernels[];

struct fl_scn_case {
	const char *name; /* "reader[access=read,cut=page]": the file's name without .scn, and its part of the matrix */
	const struct fl_scn_machine *machines;
	const struct fl_scn_dir *dirs;
	const struct fl_scn_file *files;
	const struct fl_scn_actor *actors; /* guests and hosts, in the order of the file: parents before children */
	const struct fl_scn_expect *expects;
	const char *const *marks;	     /* names, by index; barriers too */
	const char *needs[FL_SCN_NEEDS_MAX]; /* programs that the host and so its guests must have */
	uint32_t machines_count, dirs_count, files_count, actors_count, expects_count, marks_count, needs_count;
	uint64_t limit_ns;	 /* for the whole case, on a quiet machine */
	const char *host_kernel; /* one of fl_scn_host_kernels, that the box is to have; NULL: any host will do */
	uint32_t repeat;	 /* at least 1 */
	bool needs_root;	 /* some dir or step does */
	bool poisons;		 /* takes memory from the host for good */
	bool has_span;
};

/* The dir with whose name and a slash a word of a program begins: its index, or `count`. */
uint32_t fl_scn_dir_of_word(const struct fl_scn_dir *dirs, uint32_t count, const char *word);

struct fl_scn_text {
	const char *path;  /* as it was given */
	const char *about; /* the first line's comment: what the scenario shows */
	const struct fl_scn_case *cases;
	uint32_t cases_count;
};

/* A remark about the text. */
struct fl_scn_error {
	struct fl_scn_pos pos;
	const char *text; /* one sentence that says what to do */
};

#define FL_SCN_ERRORS_MAX 20u

/* Owns all that its text and errors point to. */
struct fl_scn_reading;

/*
 * Reads `len` bytes of a scenario; path is for messages and the cases' names. Returns 0, and *reading, to be given to
 * fl_scn_forget(): it has errors or a text. -ENOMEM; nothing else fails. Nothing is unbounded: a text of more than 1
 * MiB, 4096 cases, and what the wire cannot carry are errors in the text.
 */
FL_CHECKED int fl_scn_read(const char *path, const char *bytes, size_t len, struct fl_scn_reading **reading);
const struct fl_scn_text *fl_scn_text(const struct fl_scn_reading *reading); /* NULL if there are errors */
const struct fl_scn_error *fl_scn_errors(const struct fl_scn_reading *reading, uint32_t *count);
void fl_scn_forget(struct fl_scn_reading *reading); /* NULL is allowed */

#endif
