/* SPDX-License-Identifier: Apache-2.0 */
/* A case while it is made of its lines. PURE. */
#ifndef FL_SCN_BUILD_H
#define FL_SCN_BUILD_H

#include "cli/scenario/language/reading.h"
#include "cli/scenario/language/take.h"

#define FL_SCN_MACHINES_MAX  8u
#define FL_SCN_SHARES_MAX    12u /* of a machine: the library takes 16, and the runner has its own */
#define FL_SCN_DIRS_MAX	     16u
#define FL_SCN_FILES_MAX     256u
#define FL_SCN_ALL_ACTORS    64u /* guests of all machines, and hosts */
#define FL_SCN_EXPECTS_MAX   256u
#define FL_SCN_WISHES_MAX    16u
#define FL_SCN_ARGUMENTS_MAX 60u /* of a program, its name included */
#define FL_SCN_LOOPS_DEEP    4u
#define FL_SCN_NOBODY	     UINT32_MAX

/* An open file or a mapping of a process and of those that it has started. */
struct fl_scn_handle {
	const char *name;
	struct fl_scn_pos pos;
	uint32_t actor, step;	   /* that makes it */
	uint64_t file_offset, len; /* of a mapping; in whole pages */
};

struct fl_scn_family {
	struct fl_scn_handle files[FL_SCN_HANDLES_MAX], maps[FL_SCN_HANDLES_MAX];
	uint32_t files_count, maps_count;
};

struct fl_scn_mark_uses {
	struct fl_scn_pos pos; /* of the first */
	uint32_t actor, step;  /* that sets it; FL_SCN_NOBODY */
	uint32_t parties;      /* of a barrier */
	uint32_t last_party;
	struct fl_scn_pos wanted; /* where somebody waits for it; line 0: nobody does */
};

struct fl_scn_build {
	struct fl_scn_reader *reader;
	struct fl_scn_case *made;
	struct fl_scn_tokens *lines;
	uint32_t lines_count;
	/* what made will point to, in room for all that can come; it has the counts */
	struct fl_scn_machine *machines;
	struct fl_scn_dir *dirs;
	struct fl_scn_file *files;
	struct fl_scn_actor *actors;
	struct fl_scn_expect *expects;
	const char **marks;
	struct fl_scn_mark_uses uses[FL_SCN_MARKS_MAX];
	struct fl_scn_step *steps[FL_SCN_ALL_ACTORS];
	struct fl_scn_tokens *bodies[FL_SCN_ALL_ACTORS];   /* the lines of their steps */
	struct fl_scn_family *families[FL_SCN_ALL_ACTORS]; /* of a process; threads and children have their parent's */
	struct fl_scn_pos limit_pos, repeat_pos, host_kernel_pos, span_pos;
	uint32_t spans;
};

/* What a line of the first column begins. */
struct fl_scn_block {
	struct fl_scn_tokens *head, *body;
	uint32_t body_count;
};

/* ---- places and names: names.c -- all give an index; NAME in a sentence: "There is no dir NAME" ------------ */

bool fl_scn_need_dir(struct fl_scn_build *build, struct fl_scn_tokens *tokens, uint32_t *dir);
/* "DIR/PATH"; *path is kept */
bool fl_scn_need_path(struct fl_scn_build *build, struct fl_scn_tokens *tokens, uint32_t *dir, const char **path);
bool fl_scn_need_machine(struct fl_scn_build *build, struct fl_scn_tokens *tokens, uint32_t *machine);
/* "in MACHINE", or the only one. */
bool fl_scn_take_in_machine(struct fl_scn_build *build, struct fl_scn_tokens *tokens, uint32_t *machine);
bool fl_scn_only_machine(struct fl_scn_build *build, struct fl_scn_tokens *tokens, uint32_t *machine);
bool fl_scn_need_actor(struct fl_scn_build *build, struct fl_scn_tokens *tokens, uint32_t *actor);
/* A mark becomes known by being named. */
bool fl_scn_need_mark(struct fl_scn_build *build, struct fl_scn_tokens *tokens, uint32_t *mark);
bool fl_scn_need_handle(struct fl_scn_build *build, struct fl_scn_tokens *tokens, uint32_t actor, uint32_t *handle);
bool fl_scn_need_mapping(struct fl_scn_build *build, struct fl_scn_tokens *tokens, uint32_t actor, uint32_t *map);
/* "map+offset", and "map+offset..map+offset" if end is not NULL. */
bool fl_scn_need_place(struct fl_scn_build *build, struct fl_scn_tokens *tokens, uint32_t actor, uint32_t *map,
		       uint64_t *offset, uint64_t *end);
struct fl_scn_family *fl_scn_family_of(struct fl_scn_build *build, uint32_t actor);

/* ---- lines ------------------------------------------------------------------------------------------------ */

bool fl_scn_read_dir(struct fl_scn_build *build, struct fl_scn_block *block);
bool fl_scn_read_file(struct fl_scn_build *build, struct fl_scn_block *block);
bool fl_scn_read_link(struct fl_scn_build *build, struct fl_scn_block *block);
bool fl_scn_read_subdir(struct fl_scn_build *build, struct fl_scn_block *block);
bool fl_scn_read_machine(struct fl_scn_build *build, struct fl_scn_block *block);
/* The machine of a case that says nothing of any. */
bool fl_scn_add_machine(struct fl_scn_build *build);
bool fl_scn_read_guest(struct fl_scn_build *build, struct fl_scn_block *block);
bool fl_scn_read_host(struct fl_scn_build *build, struct fl_scn_block *block);
/* The names of files and mappings of an actor; then its steps, when those of all are known. */
bool fl_scn_read_handles(struct fl_scn_build *build, uint32_t actor);
bool fl_scn_read_steps(struct fl_scn_build *build, uint32_t actor);
bool fl_scn_read_wishes(struct fl_scn_build *build, struct fl_scn_tokens *tokens, uint32_t actor,
			struct fl_scn_step *step);
bool fl_scn_read_expect(struct fl_scn_build *build, struct fl_scn_block *block);

/* Words of a fault; one that the two lines of a record and of an expectation share */
bool fl_scn_need_cause(struct fl_scn_tokens *tokens, enum fl_cause *cause);
bool fl_scn_need_access(struct fl_scn_tokens *tokens, enum fl_access *access);

/* A file's content, a word; of fl_scn_content */
bool fl_scn_need_content(struct fl_scn_tokens *tokens, enum fl_scn_content *content);

/* Makes a case of its lines. What is wrong with it is said. */
bool fl_scn_build(struct fl_scn_reader *reader, struct fl_scn_tokens *lines, uint32_t count, struct fl_scn_case *made);

/* ---- the whole of it: check*.c ---------------------------------------------------------------------------- */

bool fl_scn_check_files(struct fl_scn_build *build);
bool fl_scn_check_actors(struct fl_scn_build *build);
/* Tells barriers how many have to come to them, too. */
bool fl_scn_check_steps(struct fl_scn_build *build);
bool fl_scn_check_small(struct fl_scn_build *build);
bool fl_scn_check_expects(struct fl_scn_build *build);
/* What is done inside faults; tells each answer which fault it is for. */
bool fl_scn_check_inside(struct fl_scn_build *build);
/* Whether all come to their ends if everything goes well. */
bool fl_scn_check_ends(struct fl_scn_build *build);

#endif
