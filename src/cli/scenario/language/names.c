/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "cli/scenario/language/build.h"
#include "cli/scenario/language/near.h"
#include "cli/scenario/language/number.h"

/* The names of one kind, as far as they are known. */
struct known {
	const char *kind; /* "dir" */
	const char *make; /* what makes one: "make it by a line \"dir NAME\"" */
	const char *name[FL_SCN_ALL_ACTORS];
	uint32_t count;
};

static bool find(struct fl_scn_tokens *tokens, struct fl_scn_pos pos, const char *text, const struct known *known,
		 uint32_t *index)
{
	struct fl_scn_near near = FL_SCN_NEAR(text);
	char hint[FL_SCN_HINT_LEN];

	for (uint32_t i = 0; i < known->count; i++) {
		if (strcmp(known->name[i], text) == 0) {
			*index = i;
			return true;
		}
		fl_scn_offer(&near, known->name[i]);
	}
	if (near.best)
		return fl_scn_wrong(tokens->reader, pos, "There is no %s %s%s", known->kind, text,
				    fl_scn_hint(&near, hint));
	return fl_scn_wrong(tokens->reader, pos, "There is no %s \"%s\": %s.", known->kind, text, known->make);
}

static void dirs_of(const struct fl_scn_build *build, struct known *known)
{
	*known = (struct known){.kind = "dir", .make = "a line \"dir NAME\" makes one"};
	for (; known->count < build->made->dirs_count; known->count++)
		known->name[known->count] = build->dirs[known->count].name;
}

bool fl_scn_need_dir(struct fl_scn_build *build, struct fl_scn_tokens *tokens, uint32_t *dir)
{
	const struct fl_scn_token *token = fl_scn_need(tokens, "the name of a dir");
	struct known known;

	dirs_of(build, &known);
	return token && find(tokens, token->pos, token->text, &known, dir);
}

/* What is below a dir: names and single slashes, nothing that leads elsewhere. */
static const char *check_path(const char *path)
{
	for (const char *part = path;; part++) {
		size_t len = strcspn(part, "/");

		if (len == 0)
			return "a part of it is empty";
		if (len == 1 && part[0] == '.')
			return "a part of it is \".\"";
		if (len == 2 && strncmp(part, "..", 2) == 0)
			return "a part of it is \"..\"";
		if (len > 255)
			return "a part of it has more than 255 bytes";
		part += len;
		if (!*part)
			return strlen(path) > 1024 ? "it has more than 1024 bytes" : NULL;
	}
}

bool fl_scn_need_path(struct fl_scn_build *build, struct fl_scn_tokens *tokens, uint32_t *dir, const char **path)
{
	const struct fl_scn_token *token = fl_scn_need(tokens, "a path DIR/NAME");
	struct known known;

	if (!token)
		return false;
	const char *slash = strchr(token->text, '/');
	const char *wrong = slash && slash > token->text ? check_path(slash + 1) : "it has to be DIR/NAME";

	if (wrong)
		return fl_scn_wrong(tokens->reader, token->pos, "\"%s\" is no path below a dir: %s.", token->text,
				    wrong);
	char *name = fl_scn_copy(&tokens->reader->scratch, token->text, (size_t)(slash - token->text));

	dirs_of(build, &known);
	if (!name || !find(tokens, token->pos, name, &known, dir))
		return false;
	*path = fl_scn_copy(&tokens->reader->reading->keep, slash + 1, strlen(slash + 1));
	return *path;
}

bool fl_scn_need_machine(struct fl_scn_build *build, struct fl_scn_tokens *tokens, uint32_t *machine)
{
	const struct fl_scn_token *token = fl_scn_need(tokens, "the name of a machine");
	struct known known = {.kind = "machine", .make = "a block \"machine NAME\" makes one"};

	for (; known.count < build->made->machines_count; known.count++)
		known.name[known.count] = build->machines[known.count].name;
	return token && find(tokens, token->pos, token->text, &known, machine);
}

bool fl_scn_only_machine(struct fl_scn_build *build, struct fl_scn_tokens *tokens, uint32_t *machine)
{
	*machine = 0;
	if (build->made->machines_count <= 1)
		return build->made->machines_count == 1;
	return fl_scn_wrong(tokens->reader, tokens->pos, "There are several machines: say here which is meant.");
}

bool fl_scn_take_in_machine(struct fl_scn_build *build, struct fl_scn_tokens *tokens, uint32_t *machine)
{
	if (fl_scn_take(tokens, "in"))
		return fl_scn_need_machine(build, tokens, machine);
	*machine = 0;
	if (build->made->machines_count <= 1)
		return build->made->machines_count == 1;
	return fl_scn_wrong(tokens->reader, tokens->pos,
			    "There are several machines: say which is meant by \"in MACHINE\".");
}

bool fl_scn_need_actor(struct fl_scn_build *build, struct fl_scn_tokens *tokens, uint32_t *actor)
{
	const struct fl_scn_token *token = fl_scn_need(tokens, "the name of a guest");
	struct known known = {.kind = "guest", .make = "a block \"guest NAME\" makes one"};
	uint32_t by_index[FL_SCN_ALL_ACTORS], found;

	for (uint32_t i = 0; i < build->made->actors_count; i++) {
		if (build->actors[i].by_host)
			continue;
		by_index[known.count] = i;
		known.name[known.count++] = build->actors[i].name;
	}
	if (!token || !find(tokens, token->pos, token->text, &known, &found))
		return false;
	*actor = by_index[found];
	return true;
}

bool fl_scn_need_mark(struct fl_scn_build *build, struct fl_scn_tokens *tokens, uint32_t *mark)
{
	const struct fl_scn_token *token = fl_scn_peek(tokens);
	uint32_t count = build->made->marks_count;
	const char *name;

	if (!fl_scn_need_name(tokens, "the name of a mark", &name))
		return false;
	for (*mark = 0; *mark < count; ++*mark)
		if (strcmp(build->marks[*mark], name) == 0)
			return true;
	if (count == FL_SCN_MARKS_MAX)
		return fl_scn_wrong(tokens->reader, token->pos, "A case has %u marks and barriers at most.",
				    FL_SCN_MARKS_MAX);
	build->uses[count] =
		(struct fl_scn_mark_uses){.pos = token->pos, .actor = FL_SCN_NOBODY, .last_party = FL_SCN_NOBODY};
	build->marks[count] = name;
	build->made->marks_count = count + 1;
	return true;
}

struct fl_scn_family *fl_scn_family_of(struct fl_scn_build *build, uint32_t actor)
{
	while (build->actors[actor].relation != FL_SCN_PROCESS)
		actor = build->actors[actor].parent;
	return build->families[actor];
}

static void handles_of(const struct fl_scn_handle *handles, uint32_t count, struct known *known)
{
	for (known->count = 0; known->count < count; known->count++)
		known->name[known->count] = handles[known->count].name;
}

bool fl_scn_need_handle(struct fl_scn_build *build, struct fl_scn_tokens *tokens, uint32_t actor, uint32_t *handle)
{
	const struct fl_scn_token *token = fl_scn_need(tokens, "the name of an open file");
	const struct fl_scn_family *family = fl_scn_family_of(build, actor);
	struct known known = {.kind = "open file", .make = "a step \"open NAME DIR/PATH ro\" makes one"};

	handles_of(family->files, family->files_count, &known);
	return token && find(tokens, token->pos, token->text, &known, handle);
}

static bool find_mapping(struct fl_scn_build *build, struct fl_scn_tokens *tokens, const struct fl_scn_token *token,
			 uint32_t actor, const char *name, uint32_t *map)
{
	const struct fl_scn_family *family = fl_scn_family_of(build, actor);
	struct known known = {.kind = "mapping", .make = "a step \"map NAME FILE OFFSET LENGTH rw\" makes one"};

	handles_of(family->maps, family->maps_count, &known);
	return find(tokens, token->pos, name, &known, map);
}

bool fl_scn_need_mapping(struct fl_scn_build *build, struct fl_scn_tokens *tokens, uint32_t actor, uint32_t *map)
{
	const struct fl_scn_token *token = fl_scn_need(tokens, "the name of a mapping");

	return token && find_mapping(build, tokens, token, actor, token->text, map);
}

/* "map+offset" or "map" */
static bool read_place(struct fl_scn_build *build, struct fl_scn_tokens *tokens, const struct fl_scn_token *token,
		       const char *text, uint32_t actor, uint32_t *map, uint64_t *offset)
{
	size_t name_len = strcspn(text, "+");
	const char *name = fl_scn_copy(&tokens->reader->scratch, text, name_len);
	const char *wrong;

	*offset = 0;
	if (!name || !find_mapping(build, tokens, token, actor, name, map))
		return false;
	if (!text[name_len])
		return true;
	wrong = fl_scn_parse_number(text + name_len + 1, offset);
	if (wrong)
		return fl_scn_wrong(tokens->reader, token->pos,
				    "Here a place is wanted like %s+4K, and what stands behind the + of \"%s\" is no "
				    "number: %s.",
				    name, text, wrong);
	const struct fl_scn_handle *found = &fl_scn_family_of(build, actor)->maps[*map];

	if (found->len && *offset >= found->len)
		return fl_scn_wrong(tokens->reader, token->pos,
				    "%s lies beyond the %" PRIu64
				    " bytes that were mapped: map more, or take a lower offset.",
				    text, found->len);
	return true;
}

bool fl_scn_need_place(struct fl_scn_build *build, struct fl_scn_tokens *tokens, uint32_t actor, uint32_t *map,
		       uint64_t *offset, uint64_t *end)
{
	const struct fl_scn_token *token = fl_scn_need(tokens, "a place MAPPING+OFFSET");
	const char *dots = token && end ? strstr(token->text, "..") : NULL;
	uint32_t end_map;

	if (!token)
		return false;
	char *first = fl_scn_copy(&tokens->reader->scratch, token->text,
				  dots ? (size_t)(dots - token->text) : strlen(token->text));

	if (!first || !read_place(build, tokens, token, first, actor, map, offset))
		return false;
	if (end)
		*end = *offset;
	if (!dots)
		return true;
	if (!read_place(build, tokens, token, dots + 2, actor, &end_map, end))
		return false;
	if (end_map != *map || *end < *offset)
		return fl_scn_wrong(tokens->reader, token->pos,
				    "A range of places lies in one mapping, and its end is not before its beginning.");
	return true;
}
