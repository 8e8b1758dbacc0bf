/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does everybody come to an end? The case is played without times: each goes on as far as the marks that are set let
 * it, loops turn once, and nothing fails. Who stands still when nobody can go on any more would do so in every run.
 */
#include "cli/scenario/language/build.h"

struct player {
	uint32_t at;	    /* the step that is next */
	bool started, came; /* came: it is counted at the barrier that it stands at */
	bool turned;	    /* a loop of its */
};

struct play {
	struct fl_scn_build *build;
	struct player players[FL_SCN_ALL_ACTORS];
	bool set[FL_SCN_MARKS_MAX];
	uint32_t arrived[FL_SCN_MARKS_MAX];
};

static bool has_ended(const struct play *play, uint32_t who)
{
	return play->players[who].at == play->build->actors[who].steps_count;
}

static bool passes_barrier(struct play *play, uint32_t who, uint64_t mark)
{
	if (!play->players[who].came) {
		play->players[who].came = true;
		play->arrived[mark]++;
	}
	if (play->arrived[mark] < play->build->uses[mark].parties)
		return false;
	play->set[mark] = true;
	play->players[who].came = false;
	return true;
}

/* Whether it goes on behind the step that it is at. */
static bool passes(struct play *play, uint32_t who, const struct fl_scn_step *step)
{
	const struct fl_scn_operand *operands = step->operands;
	const struct fl_scn_step *loop;

	switch (step->row->op) {
	case FL_SCN_OP_MARK:
		play->set[operands[0].n] = true;
		return true;
	case FL_SCN_OP_WAIT:
		return play->set[operands[0].n];
	case FL_SCN_OP_BARRIER:
		return passes_barrier(play, who, operands[0].n);
	case FL_SCN_OP_END:
		play->players[who].turned = true;
		loop = &play->build->steps[who][step->jump];
		return loop->operands[0].n != 0 || play->set[loop->operands[1].n];
	case FL_SCN_OP_THREAD:
	case FL_SCN_OP_FORK:
		play->players[operands[0].n].started = true;
		return true;
	case FL_SCN_OP_JOIN:
		return has_ended(play, (uint32_t)operands[0].n);
	case FL_SCN_HOST_WAIT_TURNS:
		return play->players[operands[0].n].turned;
	default:
		return true;
	}
}

/* Lets one go on as far as it can. */
static bool advance(struct play *play, uint32_t who)
{
	struct player *player = &play->players[who];
	bool moved = false;

	while (player->started && !has_ended(play, who) && passes(play, who, &play->build->steps[who][player->at])) {
		player->at++;
		moved = true;
	}
	return moved;
}

/* Who the one that stands still waits for. */
static uint32_t waits_for(const struct play *play, uint32_t who)
{
	const struct fl_scn_build *build = play->build;
	const struct fl_scn_step *step;
	uint64_t mark;

	if (!play->players[who].started)
		return build->actors[who].parent;
	step = &build->steps[who][play->players[who].at];
	switch (step->row->op) {
	case FL_SCN_OP_END:
		mark = build->steps[who][step->jump].operands[1].n;
		break;
	case FL_SCN_OP_JOIN:
	case FL_SCN_HOST_WAIT_TURNS:
		return (uint32_t)step->operands[0].n;
	default:
		mark = step->operands[0].n;
	}
	if (build->uses[mark].parties == 0)
		return build->uses[mark].actor;
	for (uint32_t i = 0; i < build->made->actors_count; i++)
		for (uint32_t j = play->players[i].at; j < build->actors[i].steps_count && i != who; j++)
			if (build->steps[i][j].row->op == FL_SCN_OP_BARRIER &&
			    build->steps[i][j].operands[0].n == mark && !play->players[i].came)
				return i;
	return who;
}

static bool tell(const struct play *play, uint32_t who)
{
	const struct fl_scn_build *build = play->build;
	const struct fl_scn_step *step = &build->steps[who][play->players[who].at];
	uint64_t mark = step->operands[0].n;

	if (step->row->op == FL_SCN_OP_END) {
		step = &build->steps[who][step->jump];
		mark = step->operands[1].n;
	} else if (step->row->op == FL_SCN_OP_JOIN || step->row->op == FL_SCN_HOST_WAIT_TURNS) {
		return fl_scn_wrong(
			build->reader, step->pos,
			"This waits for ever: %s does not come so far, since it waits for something behind this step.",
			build->actors[mark].name);
	}
	const struct fl_scn_mark_uses *uses = &build->uses[mark];

	if (uses->parties)
		return fl_scn_wrong(
			build->reader, step->pos,
			"This waits for ever: not all come to the barrier %s, since one waits for something behind "
			"this step.",
			build->marks[mark]);
	const struct fl_scn_step *setter = &build->steps[uses->actor][uses->step];

	if (uses->actor == who)
		return fl_scn_wrong(build->reader, step->pos,
				    "This waits for ever: %s itself sets the mark %s, behind it, in line %u.",
				    build->actors[who].name, build->marks[mark], setter->pos.line);
	return fl_scn_wrong(
		build->reader, step->pos,
		"This waits for ever: %s does not come as far as line %u to set the mark %s, since it waits for "
		"something behind this step.",
		build->actors[uses->actor].name, setter->pos.line, build->marks[mark]);
}

bool fl_scn_check_ends(struct fl_scn_build *build)
{
	struct play play = {.build = build};
	uint32_t count = build->made->actors_count, stuck = 0;
	bool moved = true;

	for (uint32_t i = 0; i < count; i++)
		play.players[i].started = build->actors[i].relation == FL_SCN_PROCESS;
	while (moved) {
		moved = false;
		for (uint32_t i = 0; i < count; i++)
			moved |= advance(&play, i);
	}
	while (stuck < count && has_ended(&play, stuck))
		stuck++;
	if (stuck == count)
		return true;
	/* most wait only for those who stand in each other's way: to these it leads */
	for (uint32_t i = 0; i < count && !has_ended(&play, waits_for(&play, stuck)); i++)
		stuck = waits_for(&play, stuck);
	while (!play.players[stuck].started)
		stuck = build->actors[stuck].parent;
	return tell(&play, stuck);
}
