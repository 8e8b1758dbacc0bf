/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks "expect". */
#include <string.h>

#include "cli/scenario/language/build.h"

#define WORDS_MAX 16

/* The words of the library's enums, as a list that ends with NULL. */
struct words {
	const char *word[WORDS_MAX];
};

static struct words cause_words(void)
{
	struct words words = {{NULL}};

	for (uint32_t i = 0; i <= FL_CAUSE_UNKNOWN; i++)
		words.word[i] = fl_cause_name((enum fl_cause)i);
	return words;
}

static struct words outcome_words(void)
{
	struct words words = {{NULL}};

	for (uint32_t i = 0; i <= FL_OUTCOME_SUBSTITUTED; i++)
		words.word[i] = fl_outcome_name((enum fl_outcome)i);
	return words;
}

bool fl_scn_need_cause(struct fl_scn_tokens *line, enum fl_cause *cause)
{
	struct words words = cause_words();
	uint32_t index;

	if (!fl_scn_need_one_of(line, "a cause of faults", words.word, &index))
		return false;
	*cause = (enum fl_cause)index;
	return true;
}

static bool read_outcome(struct fl_scn_tokens *line, struct fl_scn_expect *expect)
{
	struct words words = outcome_words();
	uint32_t index;

	if (!fl_scn_need_one_of(line, "an outcome of faults", words.word, &index))
		return false;
	expect->outcome = (enum fl_outcome)index;
	return true;
}

bool fl_scn_need_access(struct fl_scn_tokens *line, enum fl_access *access)
{
	static const char *const words[] = {"read", "write", "fetch", "unknown", NULL};
	static const enum fl_access accesses[] = {FL_ACCESS_READ, FL_ACCESS_WRITE, FL_ACCESS_FETCH, FL_ACCESS_UNKNOWN};
	uint32_t index;

	if (!fl_scn_need_one_of(line, "an access (read, write, fetch or unknown)", words, &index))
		return false;
	*access = accesses[index];
	return true;
}

static bool read_shape(struct fl_scn_tokens *line, struct fl_scn_expect *expect)
{
	static const char *const words[] = {"efault",	 "mmio",  "annotated", "mceerr",
					    "emulation", "stall", "request",   NULL};
	uint32_t index;

	if (!fl_scn_need_one_of(line, "a shape of faults", words, &index))
		return false;
	expect->shape = words[index];
	return true;
}

static bool read_cpl(struct fl_scn_tokens *line, struct fl_scn_expect *expect)
{
	static const char *const words[] = {"0", "3", NULL};
	uint32_t index;

	if (!fl_scn_need_one_of(line, "0 or 3", words, &index))
		return false;
	expect->cpl = index ? 3 : 0;
	return true;
}

static bool read_vcpu(struct fl_scn_tokens *line, struct fl_scn_expect *expect)
{
	uint64_t vcpu;

	if (!fl_scn_need_number_in(line, "the number of a CPU", 0, 63, &vcpu))
		return false;
	expect->vcpu = (uint32_t)vcpu;
	return true;
}

enum fault_word { CAUSE, ACCESS, OUTCOME, SHAPE, CPL, VCPU, FILE_PATH, OFFSET, LEN, MAPPED, COUNT, MACHINE };

static bool read_fault_word(struct fl_scn_build *build, struct fl_scn_tokens *line, struct fl_scn_expect *expect,
			    uint32_t *seen)
{
	static const char *const words[] = {"cause",  "access", "outcome", "shape", "cpl", "vcpu", "file",
					    "offset", "len",	"mapped",  "count", "in",  NULL};
	const struct fl_scn_token *token = fl_scn_peek(line);
	uint32_t index;

	if (!fl_scn_need_one_of(line, "a field of faults", words, &index) ||
	    !fl_scn_once(line, token, 1u << index, seen))
		return false;
	switch ((enum fault_word)index) {
	case CAUSE:
		return fl_scn_need_cause(line, &expect->cause);
	case ACCESS:
		return fl_scn_need_access(line, &expect->access);
	case OUTCOME:
		return read_outcome(line, expect);
	case SHAPE:
		return read_shape(line, expect);
	case CPL:
		return read_cpl(line, expect);
	case VCPU:
		return read_vcpu(line, expect);
	case FILE_PATH:
		return fl_scn_need_path(build, line, &expect->dir, &expect->path);
	case OFFSET:
		return fl_scn_need_range(line, "an offset", false, &expect->offset, &expect->offset_end);
	case LEN:
		return fl_scn_need_number(line, "the length of the file", &expect->len);
	case MAPPED:
		return fl_scn_need_number(line, "the length that was mapped", &expect->mapped_len);
	case COUNT:
		return fl_scn_need_range(line, "a count", true, &expect->least, &expect->most);
	case MACHINE:
		return fl_scn_need_machine(build, line, &expect->machine);
	}
	return false;
}

static bool read_fault(struct fl_scn_build *build, struct fl_scn_tokens *line, struct fl_scn_expect *expect)
{
	static const uint32_t fields[] = {
		FL_SCN_FIELD_CAUSE, FL_SCN_FIELD_ACCESS, FL_SCN_FIELD_OUTCOME, FL_SCN_FIELD_SHAPE, FL_SCN_FIELD_CPL,
		FL_SCN_FIELD_VCPU,  FL_SCN_FIELD_PATH,	 FL_SCN_FIELD_OFFSET,  FL_SCN_FIELD_LEN,   FL_SCN_FIELD_MAPPED};
	uint32_t seen = 0;

	expect->kind = FL_SCN_EXPECT_FAULT;
	expect->least = 1;
	expect->most = UINT64_MAX;
	while (fl_scn_peek(line))
		if (!read_fault_word(build, line, expect, &seen))
			return false;
	for (uint32_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		expect->fields |= seen & 1u << i ? fields[i] : 0;
	return seen & 1u << MACHINE || fl_scn_take_in_machine(build, line, &expect->machine);
}

/* A machine's name, if there is one before the rest. */
static bool take_machine(struct fl_scn_build *build, struct fl_scn_tokens *line, bool is_there, uint32_t *machine)
{
	return is_there ? fl_scn_need_machine(build, line, machine) : fl_scn_only_machine(build, line, machine);
}

static bool read_ends(struct fl_scn_build *build, struct fl_scn_tokens *line, struct fl_scn_expect *expect)
{
	static const char *const words[] = {"exited",  "signaled", "poweroff", "reset", "crashed", "fault",
					    "stopped", "error",	   "not-run",  "panic", NULL};
	static const enum fl_end ends[] = {FL_END_EXITED,  FL_END_SIGNALED, FL_END_POWEROFF, FL_END_RESET,
					   FL_END_CRASHED, FL_END_FAULT,    FL_END_STOPPED,  FL_END_ERROR,
					   FL_END_NOT_RUN, FL_END_RESET};
	uint32_t index;

	expect->kind = FL_SCN_EXPECT_ENDS;
	if (!fl_scn_need_one_of(line, "an end of machines", words, &index))
		return false;
	expect->end = ends[index];
	expect->panic = strcmp(words[index], "panic") == 0;
	return take_machine(build, line, fl_scn_peek(line), &expect->machine);
}

static bool read_file_word(struct fl_scn_tokens *line, struct fl_scn_expect *expect, uint32_t *seen)
{
	static const char *const words[] = {"absent", "size", "content", "text", NULL};
	const struct fl_scn_token *token = fl_scn_peek(line);
	uint32_t index;

	if (!fl_scn_need_one_of(line, "\"absent\", \"size\", \"content\" or \"text\"", words, &index) ||
	    !fl_scn_once(line, token, 1u << index, seen))
		return false;
	switch (index) {
	case 0:
		expect->absent = true;
		return true;
	case 1:
		expect->has_len = true;
		return fl_scn_need_number(line, "the size in bytes", &expect->len);
	case 2:
		expect->has_content = true;
		return fl_scn_need_content(line, &expect->content);
	default:
		expect->has_content = true;
		expect->content = FL_SCN_FILE_TEXT;
		return fl_scn_need_text(line, "the text", &expect->text);
	}
}

static bool read_file(struct fl_scn_build *build, struct fl_scn_tokens *line, struct fl_scn_expect *expect)
{
	uint32_t seen = 0;

	expect->kind = FL_SCN_EXPECT_FILE;
	if (!fl_scn_need_path(build, line, &expect->dir, &expect->path))
		return false;
	expect->in_guest = fl_scn_next_is(line, "in");
	if (expect->in_guest && !fl_scn_take_in_machine(build, line, &expect->machine))
		return false;
	do {
		if (!read_file_word(line, expect, &seen))
			return false;
	} while (fl_scn_peek(line));
	if ((seen & 1) && seen != 1)
		return fl_scn_wrong(line->reader, line->pos,
				    "A file that is absent has neither size nor content: take one away.");
	if ((seen & 4) && (seen & 8))
		return fl_scn_wrong(line->reader, line->pos, "The text is the content: take one of the two away.");
	if ((seen & 10) == 10 && expect->len != strlen(expect->text))
		return fl_scn_wrong(line->reader, line->pos,
				    "The text has %zu bytes, which is not the size: take \"size\" away.",
				    strlen(expect->text));
	return true;
}

/* "[MACHINE] has [not] TEXT" */
static bool read_console(struct fl_scn_build *build, struct fl_scn_tokens *line, struct fl_scn_expect *expect)
{
	expect->kind = FL_SCN_EXPECT_CONSOLE;
	if (!take_machine(build, line, !fl_scn_next_is(line, "has"), &expect->machine) ||
	    !fl_scn_need_word(line, "has"))
		return false;
	expect->not = fl_scn_take(line, "not");
	if (!fl_scn_need_text(line, "a text", &expect->text))
		return false;
	return *expect->text ||
	       fl_scn_wrong(line->reader, line->pos, "Each console has an empty text: give it letters.");
}

static bool read_time(struct fl_scn_build *build, struct fl_scn_tokens *line, struct fl_scn_expect *expect)
{
	expect->kind = FL_SCN_EXPECT_TIME;
	if (!fl_scn_need_mark(build, line, &expect->mark) || !fl_scn_need_word(line, "to") ||
	    !fl_scn_need_mark(build, line, &expect->mark_end))
		return false;
	if (fl_scn_take(line, "at"))
		return fl_scn_need_word(line, "most") &&
		       fl_scn_need_time(line, "the most that it may be", &expect->most);
	const struct fl_scn_token *token = fl_scn_peek(line);

	if (!fl_scn_need_times(line, "a range of times, or \"at most\" and a time,", &expect->least, &expect->most))
		return false;
	if (!strstr(token->text, ".."))
		return fl_scn_wrong(line->reader, token->pos,
				    "No time is exactly so long: write a range like 0..%s, or \"at most %s\".",
				    token->text, token->text);
	return true;
}

static bool read_turns(struct fl_scn_build *build, struct fl_scn_tokens *line, struct fl_scn_expect *expect)
{
	expect->kind = FL_SCN_EXPECT_TURNS;
	return fl_scn_need_actor(build, line, &expect->actor) &&
	       fl_scn_need_range(line, "a count", true, &expect->least, &expect->most);
}

static bool read_line(struct fl_scn_build *build, struct fl_scn_tokens *line)
{
	static const char *const words[] = {"fault", "ends", "file", "console", "time", "turns", NULL};
	static bool (*const readers[])(struct fl_scn_build *, struct fl_scn_tokens *, struct fl_scn_expect *) = {
		read_fault, read_ends, read_file, read_console, read_time, read_turns};
	struct fl_scn_expect expect = {.pos = line->pos};
	uint32_t index;

	if (line->count == 0)
		return true;
	if (!fl_scn_need_one_of(line, "an expectation", words, &index) || !readers[index](build, line, &expect) ||
	    !fl_scn_no_more(line))
		return false;
	if (build->made->expects_count == FL_SCN_EXPECTS_MAX)
		return fl_scn_wrong(line->reader, line->pos, "A case has %u expectations at most.", FL_SCN_EXPECTS_MAX);
	build->expects[build->made->expects_count++] = expect;
	return true;
}

bool fl_scn_read_expect(struct fl_scn_build *build, struct fl_scn_block *block)
{
	bool good = fl_scn_no_more(block->head);

	if (block->body_count == 0)
		return fl_scn_wrong(
			block->head->reader, block->head->pos,
			"The block expects nothing: put lines below this one, with white space before each.");
	for (uint32_t i = 0; i < block->body_count; i++)
		good &= read_line(build, &block->body[i]);
	return good;
}
