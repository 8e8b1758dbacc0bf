/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cli/scenario/language/reading.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct fl_scn_pos behind(struct fl_scn_pos pos, uint32_t columns)
{
	return (struct fl_scn_pos){pos.line, pos.column + columns};
}

/* Behind the text in quotes that begins at *at. */
static bool skip_quoted(struct fl_scn_reader *reader, const struct fl_scn_raw *text, uint32_t *at)
{
	for (uint32_t i = *at + 1; i < text->len; i++) {
		if (text->text[i] == '"') {
			*at = i + 1;
			return true;
		}
		i += text->text[i] == '\\';
	}
	return fl_scn_wrong(reader, behind(text->pos, *at), "The text in quotes has no end: put a \" behind it.");
}

/* Behind the words in braces that begin at *at; name: behind "${". */
static bool skip_braces(struct fl_scn_reader *reader, const struct fl_scn_raw *text, uint32_t *at)
{
	uint32_t i = *at + 1;

	while (i < text->len && text->text[i] != '}' && text->text[i] != '#') {
		if (text->text[i] == '"') {
			if (!skip_quoted(reader, text, &i))
				return false;
		} else if (text->text[i] == '{' && text->text[i - 1] != '$') {
			return fl_scn_wrong(reader, behind(text->pos, i),
					    "Braces cannot stand in braces: take these away.");
		} else if (text->text[i] == '{') {
			while (i < text->len && text->text[i] != '}' && !is_blank(text->text[i]))
				i++;
			i += i < text->len;
		} else {
			i++;
		}
	}
	if (i >= text->len || text->text[i] != '}')
		return fl_scn_wrong(reader, behind(text->pos, *at), "The brace has no end: put a } behind the words.");
	*at = i + 1;
	return true;
}

bool fl_scn_lex_word(struct fl_scn_reader *reader, const struct fl_scn_raw *text, uint32_t *at, const char *stops,
		     struct fl_scn_raw *word)
{
	uint32_t i = *at, begin;

	while (i < text->len && is_blank(text->text[i]))
		i++;
	begin = i;
	while (i < text->len && !is_blank(text->text[i]) && text->text[i] != '#' && !strchr(stops, text->text[i])) {
		bool whole = true;

		if (text->text[i] == '"')
			whole = skip_quoted(reader, text, &i);
		else if (text->text[i] == '{')
			whole = skip_braces(reader, text, &i);
		else
			i++;
		if (!whole)
			return false;
	}
	*at = i;
	*word = (struct fl_scn_raw){text->text + begin, i - begin, behind(text->pos, begin)};
	return i > begin;
}

/* The words of a line into line, which is left without any if there are none. */
static bool lex_line(struct fl_scn_reader *reader, const struct fl_scn_raw *text, struct fl_scn_line *line)
{
	struct fl_scn_raw words[FL_SCN_TOKENS_MAX];
	uint32_t before = reader->reading->errors_count, count = 0, at = 0;
	struct fl_scn_raw word;

	while (fl_scn_lex_word(reader, text, &at, "", &word)) {
		if (count == FL_SCN_TOKENS_MAX)
			return fl_scn_wrong(reader, word.pos,
					    "A line has %u words at most: make two steps of this one.",
					    FL_SCN_TOKENS_MAX);
		words[count++] = word;
	}
	if (reader->reading->errors_count > before || reader->enough)
		return false;
	if (count == 0)
		return true;
	struct fl_scn_raw *raws = fl_scn_alloc(&reader->reading->keep, count, sizeof(*raws));

	if (!raws)
		return false;
	memcpy(raws, words, count * sizeof(*raws));
	*line = (struct fl_scn_line){
		.pos = words[0].pos,
		.end = behind(words[count - 1].pos, words[count - 1].len),
		.indented = is_blank(text->text[0]),
		.raws = raws,
		.count = count,
	};
	return true;
}

static bool check_bytes(struct fl_scn_reader *reader, const char *bytes, size_t len)
{
	struct fl_scn_pos pos = {1, 1};

	for (size_t i = 0; i < len; i++, pos.column++) {
		unsigned char c = (unsigned char)bytes[i];

		if (pos.line > FL_SCN_LINES_MAX)
			return fl_scn_wrong(reader, pos, "A scenario has %u lines at most: make two files of this one.",
					    FL_SCN_LINES_MAX);
		if (c == '\n') {
			pos = (struct fl_scn_pos){pos.line + 1, 0};
		} else if ((c < ' ' && !is_blank((char)c)) || c == 0x7f) {
			return fl_scn_wrong(reader, pos,
					    "The byte 0x%02x is no text: in quotes it can be written as \\x%02x.", c,
					    c);
		}
	}
	return true;
}

static uint32_t count_lines(const char *bytes, size_t len)
{
	uint32_t lines = 1;

	for (size_t i = 0; i < len; i++)
		lines += bytes[i] == '\n';
	return lines;
}

/* The comment of the first line. */
static bool take_about(struct fl_scn_reader *reader, const char *line, size_t len)
{
	size_t begin = 0;

	while (begin < len && (line[begin] == '#' || is_blank(line[begin])))
		begin++;
	while (len > begin && is_blank(line[len - 1]))
		len--;
	if (len == begin || line[0] != '#')
		return fl_scn_wrong(reader, (struct fl_scn_pos){1, 1},
				    "Begin with a comment that says what the scenario shows, like \"# A file is cut "
				    "under its reader.\".");
	reader->reading->text.about = fl_scn_copy(&reader->reading->keep, line + begin, len - begin);
	return reader->reading->text.about;
}

bool fl_scn_lex(struct fl_scn_reader *reader, const char *bytes, size_t len, struct fl_scn_lines *lines)
{
	uint32_t number = 0;
	bool good;

	if (len > FL_SCN_TEXT_MAX)
		return fl_scn_wrong(
			reader, (struct fl_scn_pos){1, 1},
			"A scenario has at most 1 MiB of text, and this has %zu bytes: make several files of it.", len);
	if (!check_bytes(reader, bytes, len))
		return false;
	lines->line = fl_scn_alloc(&reader->reading->keep, count_lines(bytes, len), sizeof(*lines->line));
	if (!lines->line)
		return false;
	const char *first_end = len ? memchr(bytes, '\n', len) : NULL;

	good = take_about(reader, bytes, first_end ? (size_t)(first_end - bytes) : len);
	for (size_t at = 0; at < len;) {
		const char *end = memchr(bytes + at, '\n', len - at);
		size_t line_len = end ? (size_t)(end - bytes) - at : len - at;
		struct fl_scn_raw text = {bytes + at, (uint32_t)line_len, {++number, 1}};

		good &= lex_line(reader, &text, &lines->line[lines->count]);
		lines->count += lines->line[lines->count].count > 0;
		at += line_len + 1;
	}
	return good;
}
