/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario/language/take.h"

#include <inttypes.h>
#include <string.h>

#include "cli/scenario/language/near.h"
#include "cli/scenario/language/number.h"

const struct fl_scn_token *fl_scn_peek(const struct fl_scn_tokens *tokens)
{
	return tokens->at < tokens->count ? &tokens->token[tokens->at] : NULL;
}

bool fl_scn_next_is(const struct fl_scn_tokens *tokens, const char *word)
{
	const struct fl_scn_token *token = fl_scn_peek(tokens);

	return token && !token->quoted && strcmp(token->text, word) == 0;
}

bool fl_scn_take(struct fl_scn_tokens *tokens, const char *word)
{
	bool is = fl_scn_next_is(tokens, word);

	tokens->at += is;
	return is;
}

const struct fl_scn_token *fl_scn_need(struct fl_scn_tokens *tokens, const char *what)
{
	const struct fl_scn_token *token = fl_scn_peek(tokens);

	if (token)
		tokens->at++;
	else
		fl_scn_wrong(tokens->reader, tokens->end, "Here %s is missing.", what);
	return token;
}

bool fl_scn_need_word(struct fl_scn_tokens *tokens, const char *word)
{
	const struct fl_scn_token *token = fl_scn_peek(tokens);

	if (fl_scn_take(tokens, word))
		return true;
	if (!token)
		return fl_scn_wrong(tokens->reader, tokens->end, "Here the word \"%s\" is missing.", word);
	return fl_scn_wrong(tokens->reader, token->pos, "Here the word \"%s\" has to stand, not \"%s\".", word,
			    token->text);
}

/* wrong: NULL, or what is wrong with the token as a `kind` */
static bool judge(struct fl_scn_tokens *tokens, const struct fl_scn_token *token, const char *what, const char *kind,
		  const char *wrong)
{
	if (!wrong)
		return true;
	return fl_scn_wrong(tokens->reader, token->pos, "Here %s is wanted, and \"%s\" is no %s: %s.", what,
			    token->text, kind, wrong);
}

bool fl_scn_need_number(struct fl_scn_tokens *tokens, const char *what, uint64_t *number)
{
	const struct fl_scn_token *token = fl_scn_need(tokens, what);

	return token && judge(tokens, token, what, "number", fl_scn_parse_number(token->text, number));
}

bool fl_scn_need_number_in(struct fl_scn_tokens *tokens, const char *what, uint64_t least, uint64_t most,
			   uint64_t *number)
{
	const struct fl_scn_token *token = fl_scn_peek(tokens);

	if (!fl_scn_need_number(tokens, what, number))
		return false;
	if (*number < least || *number > most)
		return fl_scn_wrong(tokens->reader, token->pos,
				    "Here %s is wanted, from %" PRIu64 " to %" PRIu64 ", and not %" PRIu64 ".", what,
				    least, most, *number);
	return true;
}

bool fl_scn_need_range(struct fl_scn_tokens *tokens, const char *what, bool open, uint64_t *from, uint64_t *to)
{
	const struct fl_scn_token *token = fl_scn_need(tokens, what);

	return token && judge(tokens, token, what, "number or range", fl_scn_parse_range(token->text, open, from, to));
}

bool fl_scn_need_time(struct fl_scn_tokens *tokens, const char *what, uint64_t *ns)
{
	const struct fl_scn_token *token = fl_scn_need(tokens, what);

	return token && judge(tokens, token, what, "time", fl_scn_parse_time(token->text, ns));
}

bool fl_scn_need_times(struct fl_scn_tokens *tokens, const char *what, uint64_t *from, uint64_t *to)
{
	const struct fl_scn_token *token = fl_scn_need(tokens, what);

	return token && judge(tokens, token, what, "time or range", fl_scn_parse_times(token->text, from, to));
}

bool fl_scn_need_octal(struct fl_scn_tokens *tokens, uint64_t *mode)
{
	static const char what[] = "a mode in octal digits";
	const struct fl_scn_token *token = fl_scn_need(tokens, what);

	return token && judge(tokens, token, what, "mode", fl_scn_parse_octal(token->text, mode));
}

bool fl_scn_need_text(struct fl_scn_tokens *tokens, const char *what, const char **text)
{
	const struct fl_scn_token *token = fl_scn_need(tokens, what);

	if (!token)
		return false;
	*text = fl_scn_copy(&tokens->reader->reading->keep, token->text, strlen(token->text));
	return *text;
}

bool fl_scn_need_name(struct fl_scn_tokens *tokens, const char *what, const char **name)
{
	const struct fl_scn_token *token = fl_scn_peek(tokens);

	if (!fl_scn_need_text(tokens, what, name))
		return false;
	return judge(tokens, token, what, "name", fl_scn_check_name(token->text));
}

bool fl_scn_need_one_of(struct fl_scn_tokens *tokens, const char *what, const char *const *words, uint32_t *index)
{
	const struct fl_scn_token *token = fl_scn_need(tokens, what);
	char hint[FL_SCN_HINT_LEN];

	if (!token)
		return false;
	struct fl_scn_near near = FL_SCN_NEAR(token->text);

	for (uint32_t i = 0; words[i]; i++) {
		if (!token->quoted && strcmp(words[i], token->text) == 0) {
			*index = i;
			return true;
		}
		fl_scn_offer(&near, words[i]);
	}
	return fl_scn_wrong(tokens->reader, token->pos, "Here %s is wanted, which \"%s\" is not%s", what, token->text,
			    fl_scn_hint(&near, hint));
}

bool fl_scn_once(struct fl_scn_tokens *tokens, const struct fl_scn_token *token, uint32_t bit, uint32_t *seen)
{
	if (*seen & bit)
		return fl_scn_wrong(tokens->reader, token->pos, "This was said before: take \"%s\" away.", token->text);
	*seen |= bit;
	return true;
}

bool fl_scn_no_more(struct fl_scn_tokens *tokens)
{
	const struct fl_scn_token *token = fl_scn_peek(tokens);

	return !token ||
	       fl_scn_wrong(tokens->reader, token->pos, "Here the line has to end: take \"%s\" away.", token->text);
}
