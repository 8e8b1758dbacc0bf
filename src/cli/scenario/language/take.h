/* SPDX-License-Identifier: Apache-2.0 */
/* The words of a line, one after the other. PURE. */
#ifndef FL_SCN_TAKE_H
#define FL_SCN_TAKE_H

#include "cli/scenario/language/reading.h"

/* The next word, which stays; NULL at the end. */
const struct fl_scn_token *fl_scn_peek(const struct fl_scn_tokens *tokens);
/* Whether it is this word of the language; then it is taken. */
bool fl_scn_take(struct fl_scn_tokens *tokens, const char *word);
bool fl_scn_next_is(const struct fl_scn_tokens *tokens, const char *word);

/* The next word; NULL, with a sentence: "Here WHAT is missing." */
const struct fl_scn_token *fl_scn_need(struct fl_scn_tokens *tokens, const char *what);
bool fl_scn_need_word(struct fl_scn_tokens *tokens, const char *word);
bool fl_scn_need_number(struct fl_scn_tokens *tokens, const char *what, uint64_t *number);
/* From least to most. */
bool fl_scn_need_number_in(struct fl_scn_tokens *tokens, const char *what, uint64_t least, uint64_t most,
			   uint64_t *number);
bool fl_scn_need_range(struct fl_scn_tokens *tokens, const char *what, bool open, uint64_t *from, uint64_t *to);
bool fl_scn_need_time(struct fl_scn_tokens *tokens, const char *what, uint64_t *ns);
bool fl_scn_need_times(struct fl_scn_tokens *tokens, const char *what, uint64_t *from, uint64_t *to);
/* "0644" */
bool fl_scn_need_octal(struct fl_scn_tokens *tokens, uint64_t *mode);
/* Kept. */
bool fl_scn_need_text(struct fl_scn_tokens *tokens, const char *what, const char **text);
bool fl_scn_need_name(struct fl_scn_tokens *tokens, const char *what, const char **name);
/* *index: which of the words, which end with NULL, it is. */
bool fl_scn_need_one_of(struct fl_scn_tokens *tokens, const char *what, const char *const *words, uint32_t *index);

/* Complains of a word that is there for the second time; for the bits of *seen. */
bool fl_scn_once(struct fl_scn_tokens *tokens, const struct fl_scn_token *token, uint32_t bit, uint32_t *seen);
/* Complains of words that are left. */
bool fl_scn_no_more(struct fl_scn_tokens *tokens);

#endif
