/* SPDX-License-Identifier: Apache-2.0 */
/* "=> WISH or WISH" behind a step, and the words of Linux in it. */
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "cli/scenario/language/build.h"
#include "cli/scenario/language/near.h"
#include "cli/scenario/language/number.h"

struct name {
	const char *name;
	int value;
};

#define ONE(name)           \
	{                   \
#name, name \
	}

static const struct name errors[] = {
	ONE(E2BIG),	ONE(EACCES),	   ONE(EAGAIN),	 ONE(EBADF),	   ONE(EBUSY),	    ONE(ECHILD),
	ONE(EDEADLK),	ONE(EDQUOT),	   ONE(EEXIST),	 ONE(EFAULT),	   ONE(EFBIG),	    ONE(EHWPOISON),
	ONE(EINTR),	ONE(EINVAL),	   ONE(EIO),	 ONE(EISDIR),	   ONE(ELOOP),	    ONE(EMFILE),
	ONE(EMLINK),	ONE(ENAMETOOLONG), ONE(ENFILE),	 ONE(ENODEV),	   ONE(ENOENT),	    ONE(ENOEXEC),
	ONE(ENOLCK),	ONE(ENOMEM),	   ONE(ENOSPC),	 ONE(ENOSYS),	   ONE(ENOTCONN),   ONE(ENOTDIR),
	ONE(ENOTEMPTY), ONE(ENOTSUP),	   ONE(ENOTTY),	 ONE(ENXIO),	   ONE(EOPNOTSUPP), ONE(EOVERFLOW),
	ONE(EPERM),	ONE(EPIPE),	   ONE(ERANGE),	 ONE(EROFS),	   ONE(ESPIPE),	    ONE(ESRCH),
	ONE(ESTALE),	ONE(ETIMEDOUT),	   ONE(ETXTBSY), ONE(EWOULDBLOCK), ONE(EXDEV),	    {NULL, 0},
};
static const struct name signals[] = {
	ONE(SIGHUP),  ONE(SIGINT),  ONE(SIGQUIT), ONE(SIGILL),	ONE(SIGTRAP), ONE(SIGABRT), ONE(SIGBUS),
	ONE(SIGFPE),  ONE(SIGKILL), ONE(SIGUSR1), ONE(SIGSEGV), ONE(SIGUSR2), ONE(SIGPIPE), ONE(SIGALRM),
	ONE(SIGTERM), ONE(SIGSYS),  ONE(SIGXCPU), ONE(SIGXFSZ), {NULL, 0},
};
static const struct name codes[] = {
	ONE(BUS_ADRALN),  ONE(BUS_ADRERR),  ONE(BUS_OBJERR),  ONE(BUS_MCEERR_AR), ONE(BUS_MCEERR_AO),
	ONE(SEGV_MAPERR), ONE(SEGV_ACCERR), ONE(SEGV_PKUERR), ONE(ILL_ILLOPC),	  ONE(ILL_ILLOPN),
	ONE(ILL_PRVOPC),  ONE(FPE_INTDIV),  ONE(SI_KERNEL),   ONE(SI_USER),	  {NULL, 0},
};

static const struct name *find(const struct name *names, const char *text)
{
	for (; names->name; names++)
		if (strcmp(names->name, text) == 0)
			return names;
	return NULL;
}

static void offer_all(struct fl_scn_near *near, const struct name *names)
{
	for (; names->name; names++)
		fl_scn_offer(near, names->name);
}

static bool need_signal(struct fl_scn_tokens *line, uint64_t *number)
{
	const struct fl_scn_token *token = fl_scn_need(line, "the name of a signal");
	const struct name *found = token ? find(signals, token->text) : NULL;
	char hint[FL_SCN_HINT_LEN];

	if (!token)
		return false;
	if (!found) {
		struct fl_scn_near near = FL_SCN_NEAR(token->text);

		offer_all(&near, signals);
		return fl_scn_wrong(line->reader, token->pos, "There is no signal %s%s", token->text,
				    fl_scn_hint(&near, hint));
	}
	*number = (uint64_t)found->value;
	return true;
}

static bool read_at(struct fl_scn_build *build, struct fl_scn_tokens *line, uint32_t actor, struct fl_scn_wish *wish)
{
	wish->has_address = true;
	if (!fl_scn_need_place(build, line, actor, &wish->map, &wish->offset, &wish->offset_end))
		return false;
	wish->has_record = fl_scn_take(line, "record");
	return !wish->has_record || (fl_scn_need_cause(line, &wish->cause) && fl_scn_need_access(line, &wish->access));
}

/* Whether a code is one of the signal's: SEGV_MAPERR of SIGSEGV; SI_ of any. */
static bool fits(const char *code, const struct name *signal)
{
	size_t len = strcspn(code, "_");

	return strncmp(code, "SI_", 3) == 0 ||
	       (strlen(signal->name) == len + 3 && strncmp(signal->name + 3, code, len) == 0);
}

/* Behind the signal's name: "[CODE] [at PLACE [record CAUSE ACCESS]]" */
static bool read_signal(struct fl_scn_build *build, struct fl_scn_tokens *line, uint32_t actor,
			const struct name *signal, struct fl_scn_wish *wish)
{
	const struct fl_scn_token *token = fl_scn_peek(line);
	const struct name *code = token && !token->quoted ? find(codes, token->text) : NULL;

	wish->kind = FL_SCN_WISH_SIGNAL;
	wish->value = (uint64_t)signal->value;
	if (code) {
		if (!fits(code->name, signal))
			return fl_scn_wrong(line->reader, token->pos,
					    "%s never comes with %s: take one of its own codes.", signal->name,
					    code->name);
		wish->has_code = true;
		wish->code = code->value;
		line->at++;
	}
	return !fl_scn_take(line, "at") || read_at(build, line, actor, wish);
}

static bool read_value(struct fl_scn_tokens *line, struct fl_scn_wish *wish)
{
	wish->has_value = true;
	return fl_scn_need_number(line, "a value", &wish->value);
}

static bool no_wish(struct fl_scn_tokens *line, const struct fl_scn_token *token)
{
	struct fl_scn_near near = FL_SCN_NEAR(token->text);
	static const char *const words[] = {"ok", "any", "lost", "killed", NULL};
	char hint[FL_SCN_HINT_LEN];

	for (size_t i = 0; words[i]; i++)
		fl_scn_offer(&near, words[i]);
	offer_all(&near, signals);
	offer_all(&near, errors);
	return fl_scn_wrong(
		line->reader, token->pos,
		"\"%s\" can come of no step: write ok, a value, an errno like EIO, a signal, lost, killed or any%s",
		token->text, fl_scn_hint(&near, hint));
}

static bool read_wish(struct fl_scn_build *build, struct fl_scn_tokens *line, uint32_t actor, struct fl_scn_wish *wish)
{
	const struct fl_scn_token *token = fl_scn_need(line, "what is to come of the step");
	const struct name *found;

	if (!token)
		return false;
	wish->pos = token->pos;
	if (strcmp(token->text, "ok") == 0)
		return true;
	if (isdigit((unsigned char)token->text[0]) || token->text[0] == '(') {
		line->at--;
		return read_value(line, wish);
	}
	if (strcmp(token->text, "any") == 0) {
		wish->kind = FL_SCN_WISH_ANY;
		return true;
	}
	if (strcmp(token->text, "lost") == 0) {
		wish->kind = FL_SCN_WISH_LOST;
		return fl_scn_need_word(line, "at") && read_at(build, line, actor, wish);
	}
	if (strcmp(token->text, "killed") == 0) {
		wish->kind = FL_SCN_WISH_KILLED;
		return need_signal(line, &wish->value);
	}
	found = find(errors, token->text);
	if (found) {
		wish->kind = FL_SCN_WISH_ERROR;
		wish->value = (uint64_t)found->value;
		return true;
	}
	found = find(signals, token->text);
	return found ? read_signal(build, line, actor, found, wish) : no_wish(line, token);
}

/* With `run` all is well if the program says so, with `check` if all bytes are right. */
static void put_value_of_ok(const struct fl_scn_step *step, struct fl_scn_wish *wish)
{
	bool check = step->row->op == FL_SCN_OP_CHECK;

	if (wish->kind != FL_SCN_WISH_OK || wish->has_value)
		return;
	wish->has_value = check || step->row->op == FL_SCN_OP_RUN || step->row->op == FL_SCN_HOST_RUN;
	wish->value = check ? step->operands[1].n : 0;
}

bool fl_scn_read_wishes(struct fl_scn_build *build, struct fl_scn_tokens *line, uint32_t actor,
			struct fl_scn_step *step)
{
	struct fl_scn_wish wishes[FL_SCN_WISHES_MAX] = {0}, *kept;
	uint32_t count = 0;

	bool said = fl_scn_take(line, "=>");

	if (!said)
		wishes[count++].pos = step->pos;
	while (said) {
		if (count == FL_SCN_WISHES_MAX)
			return fl_scn_wrong(line->reader, line->pos, "A step has %u wishes at most.",
					    FL_SCN_WISHES_MAX);
		if (!read_wish(build, line, actor, &wishes[count++]))
			return false;
		said = fl_scn_take(line, "or");
	}
	for (uint32_t i = 0; i < count; i++)
		put_value_of_ok(step, &wishes[i]);
	if (count == 1 && wishes[0].kind == FL_SCN_WISH_OK && !wishes[0].has_value)
		return true;
	kept = fl_scn_alloc(&line->reader->reading->keep, count, sizeof(*kept));
	if (!kept)
		return false;
	memcpy(kept, wishes, count * sizeof(*kept));
	step->wishes = kept;
	step->wishes_count = count;
	return true;
}
