/* SPDX-License-Identifier: Apache-2.0 */
/* Lines "dir", "file", "link" and "subdir". */
#include <string.h>

#include "cli/scenario/language/build.h"

#define PAGE_LEN     UINT64_C(4096)
#define FILE_LEN_MAX (UINT64_C(1) << 40)

static bool read_dir_kind(struct fl_scn_tokens *head, struct fl_scn_dir *dir)
{
	static const char *const words[] = {"tmpfs", "failing", NULL};
	uint32_t index;

	if (!fl_scn_need_one_of(head, "\"tmpfs\" and a size, or \"failing\",", words, &index))
		return false;
	dir->kind = index == 0 ? FL_SCN_DIR_TMPFS : FL_SCN_DIR_FAILING;
	return index != 0 ||
	       fl_scn_need_number_in(head, "the size of the tmpfs in bytes", PAGE_LEN, FILE_LEN_MAX, &dir->len);
}

bool fl_scn_read_dir(struct fl_scn_build *build, struct fl_scn_block *block)
{
	struct fl_scn_tokens *head = block->head;
	struct fl_scn_dir dir = {.pos = head->pos};

	if (!fl_scn_need_name(head, "the name of the dir", &dir.name))
		return false;
	for (uint32_t i = 0; i < build->made->dirs_count; i++)
		if (strcmp(build->dirs[i].name, dir.name) == 0)
			return fl_scn_wrong(head->reader, head->pos,
					    "There is a dir %s already, in line %u: take another name.", dir.name,
					    build->dirs[i].pos.line);
	if (build->made->dirs_count == FL_SCN_DIRS_MAX)
		return fl_scn_wrong(head->reader, head->pos, "A case has %u dirs at most.", FL_SCN_DIRS_MAX);
	if (fl_scn_peek(head) && !read_dir_kind(head, &dir))
		return false;
	if (dir.kind != FL_SCN_DIR_PLAIN)
		build->made->needs_root = true;
	build->dirs[build->made->dirs_count++] = dir;
	return fl_scn_no_more(head);
}

/* The path behind the line's first word, in a file that is the case's next one; NULL if that is wrong. */
static struct fl_scn_file *begin_file(struct fl_scn_build *build, struct fl_scn_tokens *head)
{
	const struct fl_scn_token *token = fl_scn_peek(head);
	struct fl_scn_file *file = &build->files[build->made->files_count];
	uint32_t dir;
	const char *path;

	if (build->made->files_count == FL_SCN_FILES_MAX) {
		fl_scn_wrong(head->reader, head->pos, "A case has %u files at most: have a step \"run\" make them.",
			     FL_SCN_FILES_MAX);
		return NULL;
	}
	if (!fl_scn_need_path(build, head, &dir, &path))
		return NULL;
	for (uint32_t i = 0; i < build->made->files_count; i++) {
		if (build->files[i].dir != dir || strcmp(build->files[i].path, path) != 0)
			continue;
		fl_scn_wrong(head->reader, token->pos, "Line %u makes %s already: take one of them away.",
			     build->files[i].pos.line, token->text);
		return NULL;
	}
	*file = (struct fl_scn_file){.pos = head->pos, .dir = dir, .path = path, .mode = 0644};
	build->made->files_count++;
	return file;
}

bool fl_scn_need_content(struct fl_scn_tokens *tokens, enum fl_scn_content *content)
{
	static const char *const words[] = {"pattern", "zeros", "code", NULL};
	static const enum fl_scn_content contents[] = {FL_SCN_FILE_PATTERN, FL_SCN_FILE_ZEROS, FL_SCN_FILE_CODE};
	uint32_t index;

	if (!fl_scn_need_one_of(tokens, "a content (pattern, zeros or code)", words, &index))
		return false;
	*content = contents[index];
	return true;
}

static bool read_mode(struct fl_scn_tokens *head, struct fl_scn_file *file)
{
	uint64_t mode;

	if (!fl_scn_need_octal(head, &mode))
		return false;
	file->mode = (uint32_t)mode;
	return true;
}

static bool read_option(struct fl_scn_tokens *head, struct fl_scn_file *file, uint32_t *seen)
{
	static const char *const words[] = {"size", "content", "mode", "text", NULL};
	const struct fl_scn_token *token = fl_scn_peek(head);
	uint32_t index;

	if (!fl_scn_need_one_of(head, "\"size\", \"text\", \"content\" or \"mode\"", words, &index) ||
	    !fl_scn_once(head, token, 1u << index, seen))
		return false;
	switch (index) {
	case 0:
		return fl_scn_need_number_in(head, "the size in bytes", 0, FILE_LEN_MAX, &file->len);
	case 1:
		return fl_scn_need_content(head, &file->content);
	case 2:
		return read_mode(head, file);
	default:
		file->content = FL_SCN_FILE_TEXT;
		return fl_scn_need_text(head, "the text", &file->text);
	}
}

bool fl_scn_read_file(struct fl_scn_build *build, struct fl_scn_block *block)
{
	struct fl_scn_tokens *head = block->head;
	struct fl_scn_file *file = begin_file(build, head);
	uint32_t seen = 0;

	if (!file)
		return false;
	while (fl_scn_peek(head))
		if (!read_option(head, file, &seen))
			return false;
	bool has_size = seen & 1, has_content = seen & 2, has_text = seen & 8;

	if (!has_size && !has_text)
		return fl_scn_wrong(head->reader, head->end, "Here \"size\" or \"text\" is missing.");
	if (has_text && (has_size || has_content))
		return fl_scn_wrong(head->reader, head->pos,
				    "The text is all of the file: take \"%s\" away, or the text.",
				    has_size ? "size" : "content");
	if (has_text)
		file->len = strlen(file->text);
	return true;
}

bool fl_scn_read_link(struct fl_scn_build *build, struct fl_scn_block *block)
{
	struct fl_scn_tokens *head = block->head;
	struct fl_scn_file *file = begin_file(build, head);

	if (!file)
		return false;
	file->content = FL_SCN_FILE_LINK;
	if (!fl_scn_need_text(head, "what the link says", &file->text))
		return false;
	file->len = strlen(file->text);
	if (file->len == 0 || file->len > 1024)
		return fl_scn_wrong(head->reader, head->pos, "A link says something, in 1024 bytes at most.");
	return fl_scn_no_more(head);
}

bool fl_scn_read_subdir(struct fl_scn_build *build, struct fl_scn_block *block)
{
	struct fl_scn_file *file = begin_file(build, block->head);

	if (!file)
		return false;
	file->content = FL_SCN_FILE_DIR;
	file->mode = 0755;
	return fl_scn_no_more(block->head);
}
