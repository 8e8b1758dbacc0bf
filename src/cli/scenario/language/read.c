/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/scenario/language/build.h"

#define SENTENCE_MAX 1024

static struct fl_scn_error *find_error(struct fl_scn_reader *reader, struct fl_scn_pos pos, const char *sentence)
{
	struct fl_scn_reading *reading = reader->reading;

	for (uint32_t i = 0; i < reading->errors_count; i++)
		if (reading->errors[i].pos.line == pos.line && reading->errors[i].pos.column == pos.column &&
		    strcmp(reader->sentences[i], sentence) == 0)
			return &reading->errors[i];
	return NULL;
}

/* Words of the text are in it, which may be long: its end counts most, since there stands what to do. */
static void shorten(char *sentence, int len)
{
	static const char gap[] = " ... ";
	const size_t half = SENTENCE_MAX / 2;

	if (len < SENTENCE_MAX)
		return;
	memmove(sentence + half + strlen(gap), sentence + (size_t)len - (half - strlen(gap) - 1), half - strlen(gap));
	memcpy(sentence + half, gap, strlen(gap));
}

bool fl_scn_wrong(struct fl_scn_reader *reader, struct fl_scn_pos pos, const char *format, ...)
{
	struct fl_scn_reading *reading = reader->reading;
	char sentence[4 * FL_SCN_TOKEN_MAX];
	va_list args;

	va_start(args, format);
	int len = vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	shorten(sentence, len < (int)sizeof(sentence) ? len : (int)sizeof(sentence) - 1);
	if (find_error(reader, pos, sentence))
		return false;
	reader->enough = reading->errors_count == FL_SCN_ERRORS_MAX;
	if (reader->enough)
		return false;
	const char *kept = fl_scn_copy(&reading->keep, sentence, strlen(sentence));
	const char *text =
		kept && reader->case_name ? fl_scn_format(&reading->keep, "%s: %s", reader->case_name, kept) : kept;

	if (!text)
		return false;
	reader->sentences[reading->errors_count] = kept;
	reading->errors[reading->errors_count++] = (struct fl_scn_error){pos, text};
	return false;
}

/* "dir/name.scn" -> "name", kept */
static const char *base_of(struct fl_scn_arena *keep, const char *path)
{
	static const char suffix[] = ".scn";
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	size_t len = strlen(base);

	if (len > strlen(suffix) && strcmp(base + len - strlen(suffix), suffix) == 0)
		len -= strlen(suffix);
	return fl_scn_copy(keep, base, len);
}

static void read_text(struct fl_scn_reader *reader, const char *path, const char *bytes, size_t len)
{
	struct fl_scn_reading *reading = reader->reading;
	const char *base = base_of(&reading->keep, path);
	struct fl_scn_lines lines = {.count = 0};

	reading->text.path = fl_scn_copy(&reading->keep, path, strlen(path));
	if (!base || !reading->text.path)
		return;
	bool good = fl_scn_lex(reader, bytes, len, &lines);

	if (lines.line)
		good &= fl_scn_read_variables(reader, &lines);
	if (good)
		(void)fl_scn_expand(reader, &lines, base, fl_scn_build);
}

static int by_pos(const void *a, const void *b)
{
	const struct fl_scn_error *one = a, *other = b;

	if (one->pos.line != other->pos.line)
		return one->pos.line < other->pos.line ? -1 : 1;
	return one->pos.column < other->pos.column ? -1 : one->pos.column > other->pos.column;
}

int fl_scn_read(const char *path, const char *bytes, size_t len, struct fl_scn_reading **reading)
{
	struct fl_scn_reading *made = calloc(1, sizeof(*made));
	struct fl_scn_reader reader = {.reading = made, .scratch.budget = FL_SCN_BUDGET};
	bool over;

	if (!made)
		return -ENOMEM;
	made->keep.budget = FL_SCN_BUDGET;
	read_text(&reader, path, bytes, len);
	over = reader.scratch.over || made->keep.over;
	fl_scn_release(&reader.scratch);
	if (reader.scratch.no_memory || made->keep.no_memory) {
		fl_scn_forget(made);
		return -ENOMEM;
	}
	if (over) {
		made->errors_count = 1;
		made->errors[0] = (struct fl_scn_error){
			{1, 1}, "All its cases together are too large: make several files of it, or fewer cases."};
	}
	qsort(made->errors, made->errors_count, sizeof(made->errors[0]), by_pos);
	*reading = made;
	return 0;
}

const struct fl_scn_text *fl_scn_text(const struct fl_scn_reading *reading)
{
	return reading->errors_count == 0 ? &reading->text : NULL;
}

const struct fl_scn_error *fl_scn_errors(const struct fl_scn_reading *reading, uint32_t *count)
{
	*count = reading->errors_count;
	return reading->errors;
}

void fl_scn_forget(struct fl_scn_reading *reading)
{
	if (!reading)
		return;
	fl_scn_release(&reading->keep);
	free(reading);
}
