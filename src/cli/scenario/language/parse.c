/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of a case -> blocks, each given to who reads its kind. */
#include <string.h>

#include "cli/scenario/language/build.h"
#include "cli/scenario/language/near.h"

static bool read_limit(struct fl_scn_build *build, struct fl_scn_block *block)
{
	struct fl_scn_tokens *head = block->head;

	if (build->limit_pos.line)
		return fl_scn_wrong(head->reader, head->pos, "There is a limit already, in line %u: take one away.",
				    build->limit_pos.line);
	build->limit_pos = head->pos;
	if (!fl_scn_need_time(head, "the time that a case may take", &build->made->limit_ns))
		return false;
	if (build->made->limit_ns == 0)
		return fl_scn_wrong(head->reader, head->pos, "No case takes no time: give it some, like 20s.");
	return fl_scn_no_more(head);
}

static bool read_repeat(struct fl_scn_build *build, struct fl_scn_block *block)
{
	struct fl_scn_tokens *head = block->head;
	uint64_t repeat;

	if (build->repeat_pos.line)
		return fl_scn_wrong(head->reader, head->pos, "There is a repeat already, in line %u: take one away.",
				    build->repeat_pos.line);
	build->repeat_pos = head->pos;
	if (!fl_scn_need_number_in(head, "the number of runs of a case", 1, 1000000, &repeat))
		return false;
	build->made->repeat = (uint32_t)repeat;
	return fl_scn_no_more(head);
}

static bool read_needs(struct fl_scn_build *build, struct fl_scn_block *block)
{
	struct fl_scn_tokens *head = block->head;
	struct fl_scn_case *made = build->made;
	const struct fl_scn_token *token = fl_scn_peek(head);

	if (made->needs_count == FL_SCN_NEEDS_MAX)
		return fl_scn_wrong(head->reader, head->pos, "A case needs %u programs at most.", FL_SCN_NEEDS_MAX);
	if (!fl_scn_need_text(head, "the name of a program", &made->needs[made->needs_count]))
		return false;
	if (!token->text[0] || strchr(token->text, '/'))
		return fl_scn_wrong(head->reader, token->pos,
				    "A program is named without its directory, as it is looked for.");
	made->needs_count++;
	return fl_scn_no_more(head);
}

const char *const fl_scn_host_kernels[] = {"6.12", "6.1", "6.12-patched", NULL};

static bool read_host_kernel(struct fl_scn_build *build, struct fl_scn_block *block)
{
	struct fl_scn_tokens *head = block->head;
	uint32_t index;

	if (build->host_kernel_pos.line)
		return fl_scn_wrong(head->reader, head->pos,
				    "There is a host-kernel already, in line %u: take one away.",
				    build->host_kernel_pos.line);
	build->host_kernel_pos = head->pos;
	if (!fl_scn_need_one_of(head, "a kernel of the box (6.12, 6.1 or 6.12-patched)", fl_scn_host_kernels, &index))
		return false;
	build->made->host_kernel = fl_scn_host_kernels[index];
	return fl_scn_no_more(head);
}

enum rank { FIRST, PLACES, ACTORS, EXPECTS, RANKS };

static const struct kind {
	const char *word;
	enum rank rank; /* what names others is read after these */
	bool has_body;
	bool (*read)(struct fl_scn_build *build, struct fl_scn_block *block);
} kinds[] = {
	{"limit", FIRST, false, read_limit},
	{"repeat", FIRST, false, read_repeat},
	{"host-kernel", FIRST, false, read_host_kernel},
	{"needs", FIRST, false, read_needs},
	{"dir", FIRST, false, fl_scn_read_dir},
	{"file", PLACES, false, fl_scn_read_file},
	{"link", PLACES, false, fl_scn_read_link},
	{"subdir", PLACES, false, fl_scn_read_subdir},
	{"machine", PLACES, true, fl_scn_read_machine},
	{"guest", ACTORS, true, fl_scn_read_guest},
	{"host", ACTORS, true, fl_scn_read_host},
	{"expect", EXPECTS, true, fl_scn_read_expect},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static const struct kind *find_kind(struct fl_scn_reader *reader, const struct fl_scn_token *word)
{
	struct fl_scn_near near = FL_SCN_NEAR(word->text);
	char hint[FL_SCN_HINT_LEN];

	for (size_t i = 0; i < KINDS; i++) {
		if (!word->quoted && strcmp(kinds[i].word, word->text) == 0)
			return &kinds[i];
		fl_scn_offer(&near, kinds[i].word);
	}
	fl_scn_offer(&near, "matrix");
	fl_scn_offer(&near, "except");
	if (fl_scn_find_op(word->text, FL_SCN_BY_GUEST | FL_SCN_BY_HOST))
		fl_scn_wrong(reader, word->pos,
			     "A step belongs into a block: put white space before it, below a line \"guest NAME\" or "
			     "\"host\".");
	else
		fl_scn_wrong(reader, word->pos, "\"%s\" begins no line in the first column%s", word->text,
			     fl_scn_hint(&near, hint));
	return NULL;
}

struct kinded_block {
	struct fl_scn_block block;
	const struct kind *kind; /* NULL: it was complained of */
};

static bool add_line(struct fl_scn_build *build, struct fl_scn_tokens *line, struct kinded_block *blocks,
		     uint32_t *count)
{
	struct kinded_block *last = *count ? &blocks[*count - 1] : NULL;

	if (line->count == 0 && !line->indented)
		return fl_scn_wrong(build->reader, line->pos,
				    "Without its variables, which hold no words, the line is empty.");
	if (line->indented) {
		if (!last)
			return fl_scn_wrong(build->reader, line->pos,
					    "This line is part of no block: put its first word into the first column.");
		if (!last->kind)
			return true;
		if (!last->kind->has_body)
			return fl_scn_wrong(
				build->reader, line->pos,
				"A line \"%s\" has no block: put the first word of this one into the first column.",
				last->kind->word);
		if (last->block.body_count == 0)
			last->block.body = line;
		last->block.body_count++;
		return true;
	}
	blocks[(*count)++] = (struct kinded_block){
		.block = {.head = line},
		.kind = find_kind(build->reader, &line->token[0]),
	};
	line->at = 1;
	return blocks[*count - 1].kind;
}

static bool read_rank(struct fl_scn_build *build, struct kinded_block *blocks, uint32_t count, enum rank rank)
{
	bool good = true;

	for (uint32_t i = 0; i < count; i++)
		if (blocks[i].kind && blocks[i].kind->rank == rank)
			good &= blocks[i].kind->read(build, &blocks[i].block);
	return good;
}

static bool read_all_steps(struct fl_scn_build *build)
{
	bool good = true;

	for (uint32_t i = 0; i < build->made->actors_count; i++)
		good &= fl_scn_read_handles(build, i);
	for (uint32_t i = 0; i < build->made->actors_count; i++)
		good &= fl_scn_read_steps(build, i);
	return good;
}

static bool read_blocks(struct fl_scn_build *build, struct kinded_block *blocks, uint32_t count)
{
	bool good = read_rank(build, blocks, count, FIRST);

	good &= read_rank(build, blocks, count, PLACES);
	good &= build->made->machines_count > 0 || fl_scn_add_machine(build);
	good &= read_rank(build, blocks, count, ACTORS);
	good &= read_all_steps(build);
	good &= read_rank(build, blocks, count, EXPECTS);
	return good;
}

/* What is known of a case only as a whole; on what has errors it would say more than is wrong. */
static bool check(struct fl_scn_build *build)
{
	if (build->made->actors_count == 0)
		return fl_scn_wrong(build->reader, (struct fl_scn_pos){1, 1},
				    "Nobody does anything: write a block \"guest NAME\" or \"host\".");
	bool good = fl_scn_check_files(build);

	good &= fl_scn_check_actors(build);
	good &= fl_scn_check_steps(build);
	good &= fl_scn_check_small(build);
	good &= fl_scn_check_inside(build);
	good &= fl_scn_check_expects(build);
	return good && fl_scn_check_ends(build);
}

/* As many as there can be of `most`, in a case of so many lines. */
static void *room_for(struct fl_scn_build *build, uint32_t most, size_t size)
{
	return fl_scn_alloc(&build->reader->scratch, most < build->lines_count + 1 ? most : build->lines_count + 1,
			    size);
}

static bool make_room(struct fl_scn_build *build)
{
	build->machines = room_for(build, FL_SCN_MACHINES_MAX, sizeof(*build->machines));
	build->dirs = room_for(build, FL_SCN_DIRS_MAX, sizeof(*build->dirs));
	build->files = room_for(build, FL_SCN_FILES_MAX, sizeof(*build->files));
	build->actors = room_for(build, FL_SCN_ALL_ACTORS, sizeof(*build->actors));
	build->expects = room_for(build, FL_SCN_EXPECTS_MAX, sizeof(*build->expects));
	build->marks = fl_scn_alloc(&build->reader->scratch, FL_SCN_MARKS_MAX, sizeof(*build->marks));
	return build->machines && build->dirs && build->files && build->actors && build->expects && build->marks;
}

static const void *kept(struct fl_scn_build *build, const void *from, uint32_t count, size_t size)
{
	void *copy = fl_scn_alloc(&build->reader->reading->keep, count, size);

	return copy && count ? memcpy(copy, from, count * size) : copy;
}

/* What there is now for the case, and not only for making it. */
static bool keep(struct fl_scn_build *build)
{
	struct fl_scn_case *made = build->made;

	made->machines = kept(build, build->machines, made->machines_count, sizeof(*made->machines));
	made->dirs = kept(build, build->dirs, made->dirs_count, sizeof(*made->dirs));
	made->files = kept(build, build->files, made->files_count, sizeof(*made->files));
	made->actors = kept(build, build->actors, made->actors_count, sizeof(*made->actors));
	made->expects = kept(build, build->expects, made->expects_count, sizeof(*made->expects));
	made->marks = kept(build, build->marks, made->marks_count, sizeof(*made->marks));
	return made->machines && made->dirs && made->files && made->actors && made->expects && made->marks;
}

bool fl_scn_build(struct fl_scn_reader *reader, struct fl_scn_tokens *lines, uint32_t count, struct fl_scn_case *made)
{
	struct fl_scn_build *build = fl_scn_alloc(&reader->scratch, 1, sizeof(*build));
	struct kinded_block *blocks = fl_scn_alloc(&reader->scratch, count, sizeof(*blocks));
	uint32_t blocks_count = 0;
	bool good = true;

	if (!build || !blocks)
		return false;
	build->reader = reader;
	build->made = made;
	build->lines = lines;
	build->lines_count = count;
	if (!make_room(build))
		return false;
	made->limit_ns = UINT64_C(20000000000);
	made->repeat = 1;
	for (uint32_t i = 0; i < count; i++)
		good &= add_line(build, &lines[i], blocks, &blocks_count);
	good &= read_blocks(build, blocks, blocks_count);
	return good && check(build) && keep(build);
}
