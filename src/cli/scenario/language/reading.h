/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the steps of reading a scenario share: lex.c makes lines of the text, variables.c and expand.c make of these the
 * lines of each case, parse*.c a case of them, and check*.c look at the whole of it. A function that returns bool has
 * said what is wrong, or is out of memory, when it returns false. PURE, all of it.
 */
#ifndef FL_SCN_READING_H
#define FL_SCN_READING_H

#include "cli/scenario/language/arena.h"
#include "cli/scenario/language/scenario.h"

#define FL_SCN_TEXT_MAX	     (1u << 20) /* bytes */
#define FL_SCN_LINES_MAX     65535u	/* fl_scn_wire_step.line has 16 bits */
#define FL_SCN_CASES_MAX     4096u
#define FL_SCN_LOOKS_MAX     (1u << 20)		     /* lines times cases */
#define FL_SCN_BUDGET	     (256u << 20)	     /* bytes that all cases together may take */
#define FL_SCN_TOKENS_MAX    256u		     /* of a line */
#define FL_SCN_TOKEN_MAX     4096u		     /* bytes */
#define FL_SCN_VARIABLES_MAX 128u		     /* of a case */
#define FL_SCN_NAME_MAX	     32u		     /* bytes */
#define FL_SCN_TIME_MAX	     UINT64_C(3600000000000) /* an hour */

struct fl_scn_reading {
	struct fl_scn_arena keep;
	struct fl_scn_text text;
	struct fl_scn_error errors[FL_SCN_ERRORS_MAX];
	uint32_t errors_count;
};

struct fl_scn_reader {
	struct fl_scn_reading *reading;
	struct fl_scn_arena scratch;		  /* of the case at hand */
	const char *case_name;			  /* NULL: what is wrong is so for all */
	const char *sentences[FL_SCN_ERRORS_MAX]; /* of the errors, without a case's name */
	bool enough;				  /* there is an error that could not be kept */
};

/* Keeps what is wrong at a place, once; a sentence. False, so that it can be returned. */
bool fl_scn_wrong(struct fl_scn_reader *reader, struct fl_scn_pos pos, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* ---- lines as they are written (lex.c) --------------------------------------------------- */

/* What stands between white space, quotes and braces included. */
struct fl_scn_raw {
	const char *text; /* not terminated */
	uint32_t len;
	struct fl_scn_pos pos;
};

enum fl_scn_line_kind {
	FL_SCN_LINE_ORDINARY = 0,
	FL_SCN_LINE_LET = 1,
	FL_SCN_LINE_MATRIX = 2,
	FL_SCN_LINE_EXCEPT = 3,
};

struct fl_scn_line {
	struct fl_scn_pos pos; /* of the first word */
	struct fl_scn_pos end; /* behind the last */
	bool indented;
	const struct fl_scn_raw *raws;
	uint32_t count;
	enum fl_scn_line_kind kind;
	struct fl_scn_condition *when;	  /* NULL: always */
	struct fl_scn_condition *except;  /* of except */
	struct fl_scn_variable *variable; /* of let and matrix */
};

struct fl_scn_lines {
	struct fl_scn_line *line;
	uint32_t count;
};

/* Sets about of the reading's text, too. */
bool fl_scn_lex(struct fl_scn_reader *reader, const char *bytes, size_t len, struct fl_scn_lines *lines);

/*
 * Takes the next word of text from *at on; with commas one that ends before a comma. False: there is none, or it has no
 * end, and that was said.
 */
bool fl_scn_lex_word(struct fl_scn_reader *reader, const struct fl_scn_raw *text, uint32_t *at, const char *stops,
		     struct fl_scn_raw *word);

/* ---- variables (variables.c, condition.c) ------------------------------------------------ */

/* NAME=WORD|WORD or NAME!=WORD|WORD */
struct fl_scn_test {
	const char *name;
	struct fl_scn_pos pos;
	bool differs; /* != */
	const struct fl_scn_raw *words;
	bool *met; /* of each word: in some case the variable has it */
	uint32_t count;
};

struct fl_scn_condition {
	struct fl_scn_pos pos;
	struct fl_scn_test *tests;
	uint32_t count;
	bool fulfilled; /* in some case */
};

/* A line of let or matrix. */
struct fl_scn_variable {
	const char *name;
	struct fl_scn_pos pos;
	const struct fl_scn_raw *words; /* one, of let; to choose from, of matrix */
	uint32_t count;
	bool used;
};

/* A word of a case. */
struct fl_scn_token {
	const char *text;
	struct fl_scn_pos pos;
	bool quoted; /* text, and no word of the language */
};

/* What a variable is in a case. */
struct fl_scn_value {
	struct fl_scn_variable *variable;
	const struct fl_scn_token *tokens;
	uint32_t count;
	const char *label; /* the words, with a blank between two */
};

struct fl_scn_environment {
	struct fl_scn_value values[FL_SCN_VARIABLES_MAX];
	uint32_t count;
	const struct fl_scn_lines *lines; /* where those stand that are not known yet */
};

/* A line, or a value, while its words are collected. */
struct fl_scn_token_list {
	struct fl_scn_token token[FL_SCN_TOKENS_MAX];
	uint32_t count;
};

/* Finds what let, matrix, except and when say, and sets these of the lines. */
bool fl_scn_read_variables(struct fl_scn_reader *reader, struct fl_scn_lines *lines);
/* What one of a variable's words is in this case. */
bool fl_scn_evaluate(struct fl_scn_reader *reader, const struct fl_scn_environment *environment,
		     struct fl_scn_variable *variable, uint32_t choice, struct fl_scn_value *value);
/* Makes it known to the lines that follow. */
bool fl_scn_define(struct fl_scn_reader *reader, struct fl_scn_environment *environment,
		   struct fl_scn_variable *variable, uint32_t choice);
bool fl_scn_unknown_variable(struct fl_scn_reader *reader, const struct fl_scn_environment *environment,
			     const char *name, struct fl_scn_pos pos);
const struct fl_scn_value *fl_scn_find_value(const struct fl_scn_environment *environment, const char *name,
					     size_t len);
/* Adds what becomes of a word: one, or, where it is a variable of several words, these. */
bool fl_scn_expand_word(struct fl_scn_reader *reader, const struct fl_scn_environment *environment,
			const struct fl_scn_raw *raw, struct fl_scn_token_list *list);

bool fl_scn_read_condition(struct fl_scn_reader *reader, const struct fl_scn_raw *raws, uint32_t count,
			   struct fl_scn_condition **condition);
/* *holds: in this case. */
bool fl_scn_condition_holds(struct fl_scn_reader *reader, const struct fl_scn_environment *environment,
			    struct fl_scn_condition *condition, bool *holds);
/* Complains of what was never met or used, when all cases are known. */
bool fl_scn_check_variables(struct fl_scn_reader *reader, const struct fl_scn_lines *lines);

/* ---- the lines of a case (expand.c) ------------------------------------------------------ */

/* The words of a line of a case, and how many of them were taken. */
struct fl_scn_tokens {
	struct fl_scn_reader *reader;
	const struct fl_scn_token *token;
	uint32_t count, at;
	bool indented;
	struct fl_scn_pos pos, end;
};

typedef bool (*fl_scn_case_fn)(struct fl_scn_reader *reader, struct fl_scn_tokens *lines, uint32_t count,
			       struct fl_scn_case *made);

/* Calls make for the lines of each case. */
bool fl_scn_expand(struct fl_scn_reader *reader, const struct fl_scn_lines *lines, const char *base,
		   fl_scn_case_fn make);

#endif
