/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario/results/picture.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_MAX      6u /* of a lane: what overlaps more stands in the last */
#define MARK_ROWS_MAX 3u
#define MARK_ROW_PX   16u
#define LANE_HEAD_PX  18u
#define ROW_PX	      22u
#define LANE_FOOT_PX  6u
#define AXIS_PX	      24u

double fl_scn_picture_x(const struct fl_scn_picture *picture, uint64_t ns)
{
	double since = ns >= picture->from_ns ? (double)(ns - picture->from_ns) : -(double)(picture->from_ns - ns);

	return since * 100 / (double)(picture->to_ns - picture->from_ns);
}

static double percent_of(double px)
{
	return px * 100 / FL_SCN_WIDTH_PX;
}

bool fl_scn_is_short(const struct fl_scn_place *place)
{
	return place->end - place->x < percent_of(FL_SCN_BAR_LEAST_PX);
}

struct fl_scn_label fl_scn_place_label(const struct fl_scn_place *place, size_t chars)
{
	double inside = (place->end - place->x) * FL_SCN_WIDTH_PX / 100 - 8;
	double behind = (place->next - place->end) * FL_SCN_WIDTH_PX / 100 - 10;
	bool goes_behind = (double)chars * FL_SCN_CHAR_PX > inside && behind > inside;
	double room = (goes_behind ? behind : inside) / FL_SCN_CHAR_PX;

	return (struct fl_scn_label){
		.x = goes_behind ? place->end : place->x,
		.dx = goes_behind && fl_scn_is_short(place) ? 7 : 5,
		/* two letters and three dots tell nothing */
		.room = room < 3 && room < (double)chars ? 0 : (size_t)room,
	};
}

/* From the first event to the last, with a little on both sides. */
static void find_range(struct fl_scn_picture *picture)
{
	const struct fl_scn_event *events = picture->result->events;
	uint64_t from = UINT64_MAX, to = 0;

	for (size_t i = 0; i < picture->shown; i++) {
		from = events[i].begin_ns < from ? events[i].begin_ns : from;
		to = fl_scn_event_last_ns(&events[i]) > to ? fl_scn_event_last_ns(&events[i]) : to;
	}
	uint64_t margin = from < to ? (to - from) / 40 + 1 : 1000;

	picture->from_ns = from > margin ? from - margin : 0;
	picture->to_ns = to < UINT64_MAX - margin ? to + margin : UINT64_MAX;
}

/* The first row that is free again, as the events come by their beginning. */
static uint32_t take_row(uint64_t *free_from, uint32_t rows, const struct fl_scn_event *event)
{
	uint32_t row = 0;

	while (row + 1 < rows && free_from[row] > event->begin_ns)
		row++;
	if (fl_scn_event_last_ns(event) > free_from[row])
		free_from[row] = fl_scn_event_last_ns(event);
	return row;
}

static void place_bars(struct fl_scn_picture *picture, uint64_t *free_from)
{
	for (size_t i = 0; i < picture->shown; i++) {
		const struct fl_scn_event *event = &picture->result->events[i];
		struct fl_scn_place *place = &picture->places[i];

		place->x = fl_scn_picture_x(picture, event->begin_ns);
		place->end = fl_scn_picture_x(picture, fl_scn_event_end_ns(event));
		place->last = fl_scn_picture_x(picture, fl_scn_event_last_ns(event));
		place->drawn = event->lane < picture->result->lanes_count;
		if (!place->drawn || !fl_scn_event_is_bar(event))
			continue;
		place->row = take_row(&free_from[event->lane * ROWS_MAX], ROWS_MAX, event);
		if (place->row >= picture->lanes[event->lane].rows)
			picture->lanes[event->lane].rows = place->row + 1;
	}
}

/* A signal or an error stands in the row of the step that it came to. */
static void place_deliveries(struct fl_scn_picture *picture)
{
	const struct fl_scn_event *events = picture->result->events;

	for (size_t i = 0; i < picture->shown; i++) {
		if (!picture->places[i].drawn || events[i].kind != FL_SCN_EVENT_DELIVERY)
			continue;
		for (size_t j = 0; j < picture->shown; j++)
			if (events[j].lane == events[i].lane && fl_scn_event_is_bar(&events[j]) &&
			    events[j].begin_ns <= events[i].begin_ns &&
			    fl_scn_event_end_ns(&events[j]) >= events[i].begin_ns)
				picture->places[i].row = picture->places[j].row;
	}
}

size_t fl_scn_count_chars(const char *text)
{
	size_t left = text ? strlen(text) : 0, count = 0, used;

	for (; left > 0; text += used, left -= used, count++)
		fl_scn_next_char(text, left, &used);
	return count;
}

/* The names of marks stand above all lanes, in rows so that they do not cover each other; a name without room is left
 * out. */
static uint32_t place_marks(struct fl_scn_picture *picture)
{
	double free_from[MARK_ROWS_MAX] = {0};
	uint32_t rows = 0;

	for (size_t i = 0; i < picture->shown; i++) {
		struct fl_scn_place *place = &picture->places[i];
		const struct fl_scn_event *event = &picture->result->events[i];

		if (!place->drawn || event->kind != FL_SCN_EVENT_MARK)
			continue;
		double len = percent_of((double)fl_scn_count_chars(event->label) * FL_SCN_CHAR_PX + 10);
		double begin = place->x + len > 100 ? place->x - len : place->x;
		uint32_t row = 0;

		place->leftward = begin < place->x;
		while (row < MARK_ROWS_MAX && free_from[row] > begin)
			row++;
		if (row == MARK_ROWS_MAX || begin < 0)
			continue;
		free_from[row] = begin + len;
		place->row = row;
		place->named = true;
		rows = row >= rows ? row + 1 : rows;
	}
	return rows;
}

static void find_neighbours(struct fl_scn_picture *picture, double *next)
{
	for (size_t i = 0; i < picture->result->lanes_count * ROWS_MAX; i++)
		next[i] = 100;
	for (size_t i = picture->shown; i-- > 0;) {
		const struct fl_scn_event *event = &picture->result->events[i];
		struct fl_scn_place *place = &picture->places[i];

		if (!place->drawn || !fl_scn_event_is_bar(event))
			continue;
		double *right = &next[event->lane * ROWS_MAX + place->row];

		place->next = *right;
		*right = place->x;
	}
}

static void stack_lanes(struct fl_scn_picture *picture, uint32_t mark_rows)
{
	uint32_t y = mark_rows * MARK_ROW_PX + 4;

	picture->lanes_y = y;
	for (size_t i = 0; i < picture->result->lanes_count; i++) {
		struct fl_scn_lane_place *lane = &picture->lanes[i];

		lane->rows = lane->rows ? lane->rows : 1;
		lane->y = y;
		lane->height = LANE_HEAD_PX + lane->rows * ROW_PX + LANE_FOOT_PX;
		y += lane->height;
	}
	picture->axis_y = y;
	picture->height = y + AXIS_PX;
}

static void place_down(struct fl_scn_picture *picture)
{
	for (size_t i = 0; i < picture->shown; i++) {
		const struct fl_scn_event *event = &picture->result->events[i];
		struct fl_scn_place *place = &picture->places[i];

		if (event->kind == FL_SCN_EVENT_MARK)
			place->y = place->row * MARK_ROW_PX;
		else if (place->drawn)
			place->y = picture->lanes[event->lane].y + LANE_HEAD_PX + place->row * ROW_PX;
	}
}

/* The least of 1, 2, 5, 10... that is not below. 2^64 / 7 is far from the end of them. */
static uint64_t round_step(uint64_t least)
{
	static const uint64_t digits[] = {1, 2, 5};

	for (uint64_t power = 1;; power *= 10)
		for (size_t i = 0; i < 3; i++)
			if (digits[i] * power >= least)
				return digits[i] * power;
}

/* All ticks have the same unit, and as many digits behind the point as tell them apart. */
static void write_tick(struct fl_scn_tick *tick, uint64_t ns, uint64_t step, uint64_t to_ns)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = {{"s", 1000000000}, {"ms", 1000000}, {"\xc2\xb5s", 1000}, {"ns", 1}};
	size_t unit = 0;
	int digits = 0;

	while (unit < 3 && to_ns < units[unit].ns)
		unit++;
	uint64_t scale = units[unit].ns, last_digit = scale;

	for (; digits < 9 && step % last_digit != 0; last_digit /= 10)
		digits++;
	if (digits == 0)
		snprintf(tick->text, sizeof(tick->text), "%" PRIu64 " %s", ns / scale, units[unit].name);
	else
		snprintf(tick->text, sizeof(tick->text), "%" PRIu64 ".%0*" PRIu64 " %s", ns / scale, digits,
			 ns % scale / last_digit, units[unit].name);
}

static void place_ticks(struct fl_scn_picture *picture)
{
	uint64_t step = round_step((picture->to_ns - picture->from_ns) / 7 + 1);
	uint64_t ns = (picture->from_ns / step) * step;

	while (picture->ticks_count < FL_SCN_TICKS_MAX && ns <= picture->to_ns) {
		if (ns >= picture->from_ns) {
			struct fl_scn_tick *tick = &picture->ticks[picture->ticks_count++];

			tick->x = fl_scn_picture_x(picture, ns);
			write_tick(tick, ns, step, picture->to_ns);
		}
		if (ns > UINT64_MAX - step)
			break;
		ns += step;
	}
}

int fl_scn_picture_init(struct fl_scn_picture *picture, const struct fl_scn_result *result, size_t events_max)
{
	size_t shown = result->events_count < events_max ? result->events_count : events_max;
	/* one more, so that none is not no memory */
	uint64_t *free_from = calloc(result->lanes_count + 1, ROWS_MAX * sizeof(*free_from));
	double *next = calloc(result->lanes_count + 1, ROWS_MAX * sizeof(*next));

	*picture = (struct fl_scn_picture){
		.result = result,
		.shown = shown,
		.places = calloc(shown + 1, sizeof(*picture->places)),
		.lanes = calloc(result->lanes_count + 1, sizeof(*picture->lanes)),
	};
	bool complete = free_from && next && picture->places && picture->lanes;

	if (complete) {
		find_range(picture);
		place_bars(picture, free_from);
		place_deliveries(picture);
		stack_lanes(picture, place_marks(picture));
		place_down(picture);
		find_neighbours(picture, next);
		place_ticks(picture);
	} else {
		fl_scn_picture_fini(picture);
	}
	free(free_from);
	free(next);
	return complete ? 0 : -ENOMEM;
}

void fl_scn_picture_fini(struct fl_scn_picture *picture)
{
	free(picture->places);
	free(picture->lanes);
	picture->places = NULL;
	picture->lanes = NULL;
}
