/* SPDX-License-Identifier: Apache-2.0 */
/* What is done when: everything follows from the seed, the number of the turn, and the sizes of the files. */
#include "tests/exercise/exercise.h"

#include <inttypes.h>
#include <string.h>

#define TURN_OPS_MAX	    24
#define TURNS_PER_FULL_LOOK 96
#define WINDOW_RANGE	    ((uint64_t)2 << 20) /* of the DAX window: what is mapped at a time */
#define OP_LEN_BITS	    16
#define LOOK_BACK_ONE_IN    3
#define NEAR_PAGE_BOUNDARY  8
#define NEAR_RANGE_BOUNDARY 8192
#define NEAR_END_OF_FILE    6000

static const struct {
	const char *name;
	unsigned int weight;
} kinds[EX_KINDS] = {
	[EX_PREAD] = {"pread", 10},
	[EX_READV] = {"readv", 4},
	[EX_MAPREAD] = {"mapread", 12},
	[EX_MAPEND] = {"mapend", 3},
	[EX_SIZE] = {"size", 3},
	[EX_PWRITE] = {"pwrite", 12},
	[EX_WRITEV] = {"writev", 4},
	[EX_APPEND] = {"append", 6},
	[EX_MAPWRITE] = {"mapwrite", 14},
	[EX_TRUNCATE] = {"ftruncate", 6},
	[EX_TRUNCATE_PATH] = {"truncate", 3},
	[EX_OPEN_TRUNC] = {"open O_TRUNC", 1},
	[EX_PUNCH] = {"punch", 4},
	[EX_ZERO] = {"zero", 2},
	[EX_ZERO_KEEP] = {"zero keeping the size", 2},
	[EX_ALLOCATE] = {"fallocate", 2},
	[EX_COPY_RANGE] = {"copy_file_range", 4},
	[EX_WRITE_MAPPED] = {"pwrite of a mapping", 4},
	[EX_READ_MAPPED] = {"pread into the mapping", 4},
	[EX_MSYNC] = {"msync", 1},
	[EX_FSYNC] = {"fsync", 1},
	[EX_REOPEN] = {"reopen", 2},
};

/* splitmix64 */
static uint64_t draw(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static uint64_t below(uint64_t *state, uint64_t limit)
{
	return limit ? draw(state) % limit : 0;
}

void ex_fill(const struct ex_op *op, uint8_t *bytes)
{
	uint64_t state = op->number * 0xd1342543de82ef95;

	for (uint64_t i = 0; i < op->len; i += 8) {
		uint64_t word = draw(&state);

		memcpy(bytes + i, &word, op->len - i < 8 ? op->len - i : 8);
	}
}

struct ex_turn ex_turn(const struct ex_config *config, uint64_t turn)
{
	struct ex_turn result = {.random = config->seed ^ (turn * 0xa0761d6478bd642f)};

	draw(&result.random);
	result.actor = (unsigned int)below(&result.random, config->actors);
	result.op_count = 1 + (unsigned int)below(&result.random, TURN_OPS_MAX);
	result.look_at_all = below(&result.random, TURNS_PER_FULL_LOOK) == 0;
	return result;
}

static enum ex_kind pick_kind(const struct ex_config *config, uint64_t *random)
{
	unsigned int total = 0, kind = 0;

	for (unsigned int i = 0; i < EX_KINDS; i++)
		total += kinds[i].weight;
	for (uint64_t left = below(random, total); left >= kinds[kind].weight; kind++)
		left -= kinds[kind].weight;
	if ((kind == EX_ZERO || kind == EX_ZERO_KEEP) && !config->has_zero_range)
		return EX_PUNCH;
	return kind;
}

/* `center` or something near it, below limit */
static uint64_t pick_near(uint64_t *random, uint64_t center, uint64_t distance, uint64_t limit)
{
	uint64_t at = center + below(random, 2 * distance + 1);

	at = at > distance ? at - distance : 0;
	return at < limit ? at : limit - 1;
}

static uint64_t pick_offset(uint64_t *random, uint64_t size, uint64_t limit)
{
	switch (below(random, 4)) {
	case 0:
		return pick_near(random, below(random, limit / EX_PAGE + 1) * EX_PAGE, NEAR_PAGE_BOUNDARY, limit);
	case 1:
		return pick_near(random, below(random, limit / WINDOW_RANGE + 1) * WINDOW_RANGE, NEAR_RANGE_BOUNDARY,
				 limit);
	case 2:
		return pick_near(random, size, NEAR_END_OF_FILE, limit);
	default:
		return below(random, limit);
	}
}

static uint64_t pick_len(uint64_t *random, uint64_t limit)
{
	uint64_t len = 1 + below(random, (uint64_t)1 << below(random, OP_LEN_BITS + 1));

	return len < limit ? len : limit;
}

static bool is_within_file(enum ex_kind kind)
{
	return kind == EX_MAPREAD || kind == EX_MAPWRITE || kind == EX_READ_MAPPED;
}

/* An append that would make the file too long becomes a truncation. */
static void shape_append(const struct ex_model *model, struct ex_op *op)
{
	op->offset = model->files[op->file].size;
	if (op->offset < model->config.max_len) {
		op->len = op->len < model->config.max_len - op->offset ? op->len : model->config.max_len - op->offset;
		return;
	}
	op->kind = EX_TRUNCATE;
	op->offset /= 2;
}

/* Where a copy comes from; what would overlap or has no source becomes a read. */
static void shape_copy(const struct ex_model *model, struct ex_op *op, uint64_t *random)
{
	op->other = (unsigned int)below(random, model->config.files);
	uint64_t size = model->files[op->other].size;

	if (!size) {
		op->kind = EX_PREAD;
		return;
	}
	op->other_offset = pick_offset(random, size, size);
	if (op->len > size - op->other_offset)
		op->len = size - op->other_offset;
	if (op->other == op->file && op->other_offset < op->offset + op->len && op->offset < op->other_offset + op->len)
		op->kind = EX_PREAD;
}

struct ex_op ex_next_op(const struct ex_model *model, struct ex_turn *turn)
{
	struct ex_op op = {
		.number = model->ops, .actor = turn->actor, .kind = pick_kind(&model->config, &turn->random)};
	uint64_t *random = &turn->random;

	op.file = (unsigned int)below(random, model->config.files);
	uint64_t size = model->files[op.file].size;

	if (is_within_file(op.kind) && size == 0)
		op.kind = EX_PWRITE;
	uint64_t limit = is_within_file(op.kind) ? size : model->config.max_len;

	op.offset = pick_offset(random, size, limit);
	op.len = pick_len(random, limit - op.offset);
	op.look_back = below(random, LOOK_BACK_ONE_IN) == 0;
	if (op.kind == EX_APPEND)
		shape_append(model, &op);
	if (ex_is_copy(op.kind))
		shape_copy(model, &op, random);
	return op;
}

void ex_skip_turn(struct ex_model *model, uint64_t number)
{
	struct ex_turn turn = ex_turn(&model->config, number);

	for (unsigned int i = 0; i < turn.op_count; i++) {
		struct ex_op op = ex_next_op(model, &turn);

		ex_model_apply(model, &op);
	}
}

void ex_op_print(FILE *out, const struct ex_op *op)
{
	fprintf(out, "op %" PRIu64 ": actor %u: %s f%u ", op->number, op->actor, kinds[op->kind].name, op->file);
	if (op->kind == EX_TRUNCATE || op->kind == EX_TRUNCATE_PATH)
		fprintf(out, "to %" PRIu64, op->offset);
	else if (op->kind <= EX_READV || op->kind == EX_MAPREAD || ex_is_write(op->kind) || ex_is_copy(op->kind) ||
		 (op->kind >= EX_PUNCH && op->kind <= EX_ALLOCATE))
		fprintf(out, "%" PRIu64 "+%" PRIu64, op->offset, op->len);
	if (ex_is_copy(op->kind))
		fprintf(out, " from f%u %" PRIu64, op->other, op->other_offset);
	fputc('\n', out);
}
