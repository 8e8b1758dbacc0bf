/* SPDX-License-Identifier: Apache-2.0 */
/* The picture. page.js moves what is here when somebody looks closer; data-i is the event's index in the page's data.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/scenario/results/html.h"
#include "cli/scenario/results/picture.h"

#define NS_IN_US 1000

/* At most so many characters, the last of them three dots if there were more. */
static void put_cut(FILE *out, const char *text, size_t room)
{
	size_t left = text ? strlen(text) : 0, used;

	for (size_t chars = 0; left > 0 && chars < room; text += used, left -= used, chars++) {
		fl_scn_next_char(text, left, &used);
		if (chars + 1 == room && used < left) {
			fl_scn_put_char(out, 0x2026);
			return;
		}
		fl_scn_put_content(out, text, used);
	}
}

/* An error, a signal: not that it went well, and not what was read. */
static bool is_worth_a_label(const char *detail)
{
	return detail && detail[0] && strcmp(detail, "ok") != 0 && !(detail[0] >= '0' && detail[0] <= '9');
}

/* With what must not be overlooked: that nobody expected it, what came of it, and how often. To be freed; may be NULL.
 */
static char *label_of(const struct fl_scn_event *event)
{
	bool has_detail = fl_scn_event_is_bar(event) && is_worth_a_label(event->detail);
	char *label = NULL, count[24] = "";

	if (event->count > 1)
		snprintf(count, sizeof(count), " \xc3\x97%" PRIu64, event->count);
	if (asprintf(&label, "%s%s%s%s%s", event->unexpected ? "\xe2\x9c\x97 " : "", event->label ? event->label : "",
		     has_detail ? " \xe2\x86\x92 " : "", has_detail ? event->detail : "", count) < 0)
		return NULL;
	return label;
}

/* What those see who point at an event, also where no script runs. */
static void put_title(FILE *out, const struct fl_scn_event *event, const char *label)
{
	char took[FL_SCN_DURATION_LEN];

	fputs(event->kind == FL_SCN_EVENT_MARK ? "<title>mark " : "<title>", out);
	fl_scn_put_text(out, label);
	if (event->detail && event->detail[0] && !(fl_scn_event_is_bar(event) && is_worth_a_label(event->detail))) {
		fputs(" \xe2\x86\x92 ", out);
		fl_scn_put_text(out, event->detail);
	}
	fprintf(out, ", at %" PRIu64 ".%03" PRIu64 " \xc2\xb5s", event->begin_ns / NS_IN_US,
		event->begin_ns % NS_IN_US);
	if (fl_scn_event_is_bar(event) && event->end_ns > event->begin_ns)
		fprintf(out, ", took %s", fl_scn_duration(event->end_ns - event->begin_ns, took));
	if (event->pos.line)
		fprintf(out, ", line %" PRIu32, event->pos.line);
	fputs("</title>", out);
}

static void put_bar(FILE *out, const struct fl_scn_picture *picture, size_t index)
{
	const struct fl_scn_event *event = &picture->result->events[index];
	const struct fl_scn_place *place = &picture->places[index];
	bool is_short = fl_scn_is_short(place);
	char *text = label_of(event);
	struct fl_scn_label label = fl_scn_place_label(place, fl_scn_count_chars(text));

	fprintf(out, "<g class=\"ev %s%s%s\" data-i=\"%zu\">", fl_scn_event_name(event->kind), is_short ? " short" : "",
		event->unexpected ? " unexpected" : "", index);
	put_title(out, event, text);
	fprintf(out, "<rect x=\"%.4f%%\" y=\"%" PRIu32 "\" height=\"%u\" rx=\"1.5\"", place->x, place->y,
		FL_SCN_BAR_PX);
	if (is_short)
		fprintf(out, " width=\"%.0f\"/>", FL_SCN_BAR_LEAST_PX);
	else
		fprintf(out, " width=\"%.4f%%\"/>", place->end - place->x);
	/* at the bottom, so that the label can stand above it */
	if (place->last > place->end)
		fprintf(out, "<line x1=\"%.4f%%\" x2=\"%.4f%%\" y1=\"%" PRIu32 "\" y2=\"%" PRIu32 "\"/>", place->end,
			place->last, place->y + FL_SCN_BAR_PX - 1, place->y + FL_SCN_BAR_PX - 1);
	fprintf(out, "<circle cx=\"%.4f%%\" cy=\"%" PRIu32 "\" r=\"2\"/>", place->x, place->y - 3);
	fprintf(out, "<text x=\"%.4f%%\" y=\"%" PRIu32 "\" dx=\"%d\">", label.x, place->y + 12, label.dx);
	put_cut(out, text, label.room);
	fputs("</text></g>\n", out);
	free(text);
}

static void put_mark(FILE *out, const struct fl_scn_picture *picture, size_t index)
{
	const struct fl_scn_event *event = &picture->result->events[index];
	const struct fl_scn_place *place = &picture->places[index];
	char *text = label_of(event);

	fprintf(out, "<g class=\"ev mark%s\" data-i=\"%zu\">", event->unexpected ? " unexpected" : "", index);
	put_title(out, event, text);
	fprintf(out, "<line x1=\"%.4f%%\" x2=\"%.4f%%\" y1=\"%" PRIu32 "\" y2=\"%" PRIu32 "\"/>", place->x, place->x,
		place->y, picture->axis_y);
	fprintf(out, "<text x=\"%.4f%%\" y=\"%" PRIu32 "\" dx=\"%d\"%s>", place->x, place->y + 12,
		place->leftward ? -4 : 4, place->leftward ? " text-anchor=\"end\"" : "");
	if (place->named)
		fl_scn_put_text(out, text);
	fputs("</text></g>\n", out);
	free(text);
}

static void put_delivery(FILE *out, const struct fl_scn_picture *picture, size_t index)
{
	const struct fl_scn_event *event = &picture->result->events[index];
	const struct fl_scn_place *place = &picture->places[index];
	char *text = label_of(event);

	fprintf(out, "<g class=\"ev delivery%s\" data-i=\"%zu\">", event->unexpected ? " unexpected" : "", index);
	put_title(out, event, text);
	free(text);
	/* on the edge, where the arrow comes, and not over the label */
	fprintf(out,
		"<svg x=\"%.4f%%\" y=\"%" PRIu32 "\" overflow=\"visible\"><path d=\"M0-6 6 0 0 6-6 0Z\"/></svg></g>\n",
		place->x, place->y + FL_SCN_BAR_PX);
}

/* Where a fault arrived: the delivery that has it, else the step. The count of events: nowhere. */
static size_t target_of(const struct fl_scn_picture *picture, size_t fault)
{
	const struct fl_scn_event *events = picture->result->events;
	size_t found = picture->shown;

	for (size_t i = 0; i < picture->shown; i++) {
		if (i == fault || events[i].fault != events[fault].fault || !picture->places[i].drawn)
			continue;
		if (events[i].kind == FL_SCN_EVENT_DELIVERY)
			return i;
		if (found == picture->shown && events[i].kind != FL_SCN_EVENT_FAULT && fl_scn_event_is_bar(&events[i]))
			found = i;
	}
	return found;
}

/* From the end of a fault's bar to the edge of what it hit. */
static void put_arrow(FILE *out, const struct fl_scn_picture *picture, size_t index)
{
	const struct fl_scn_place *from = &picture->places[index];
	size_t target = target_of(picture, index);

	if (target == picture->shown)
		return;
	const struct fl_scn_place *to = &picture->places[target];
	bool up = to->y < from->y, is_delivery = picture->result->events[target].kind == FL_SCN_EVENT_DELIVERY;
	double x = to->x;

	if (!is_delivery)
		x = from->end < to->x ? to->x : from->end > to->end ? to->end : from->end;
	fprintf(out, "<line class=\"hit\" data-i=\"%zu\" data-to=\"%zu\" x1=\"%.4f%%\" x2=\"%.4f%%\" ", index, target,
		from->end, x);
	fprintf(out, "y1=\"%" PRIu32 "\" y2=\"%" PRIu32 "\" marker-end=\"url(#arrow)\"/>\n",
		up ? from->y : from->y + FL_SCN_BAR_PX, up ? to->y + FL_SCN_BAR_PX + (is_delivery ? 6 : 1) : to->y - 1);
}

static void put_band(FILE *out, const struct fl_scn_picture *picture, size_t index)
{
	const struct fl_scn_lane_place *place = &picture->lanes[index];

	fprintf(out, "<rect class=\"band %s\" y=\"%" PRIu32 "\" width=\"100%%\" height=\"%" PRIu32 "\"/>",
		index % 2 ? "odd" : "even", place->y, place->height);
}

static void put_lane_name(FILE *out, const struct fl_scn_picture *picture, size_t index)
{
	const struct fl_scn_lane *lane = &picture->result->lanes[index];
	const struct fl_scn_lane_place *place = &picture->lanes[index];
	char error[FL_SCN_DURATION_LEN];

	fprintf(out, "<text class=\"lane\" x=\"4\" y=\"%" PRIu32 "\"><tspan class=\"name\">", place->y + 13);
	fl_scn_put_text(out, lane->name);
	fputs("</tspan>", out);
	if (lane->machine) {
		fputs(" in ", out);
		fl_scn_put_text(out, lane->machine);
	}
	if (lane->clock_error_ns)
		fprintf(out, ", clock \xc2\xb1%s", fl_scn_duration(lane->clock_error_ns, error));
	fputs("</text>\n", out);
}

static void put_axis(FILE *out, const struct fl_scn_picture *picture)
{
	fprintf(out, "<g class=\"axis\" data-y=\"%" PRIu32 "\" data-top=\"%" PRIu32 "\">\n", picture->axis_y,
		picture->lanes_y);
	for (size_t i = 0; i < picture->ticks_count; i++) {
		const struct fl_scn_tick *tick = &picture->ticks[i];

		fprintf(out,
			"<g class=\"tick%s\"><line x1=\"%.4f%%\" x2=\"%.4f%%\" y1=\"%" PRIu32 "\" y2=\"%" PRIu32 "\"/>",
			i % 2 ? " odd" : "", tick->x, tick->x, picture->lanes_y, picture->axis_y + 5);
		fprintf(out, "<text x=\"%.4f%%\" y=\"%" PRIu32 "\" text-anchor=\"%s\">%s</text></g>\n", tick->x,
			picture->axis_y + 18,
			tick->x < 5    ? "start"
			: tick->x > 95 ? "end"
				       : "middle",
			tick->text);
	}
	fputs("</g>\n", out);
}

static void put_events(FILE *out, const struct fl_scn_picture *picture, enum fl_scn_event_kind kind,
		       void (*put)(FILE *out, const struct fl_scn_picture *picture, size_t index))
{
	for (size_t i = 0; i < picture->shown; i++)
		if (picture->places[i].drawn && picture->result->events[i].kind == kind)
			put(out, picture, i);
}

/* What lies over the rest comes last. */
static void put_layers(FILE *out, const struct fl_scn_picture *picture)
{
	for (size_t i = 0; i < picture->result->lanes_count; i++)
		put_band(out, picture, i);
	put_axis(out, picture);
	put_events(out, picture, FL_SCN_EVENT_MARK, put_mark);
	for (size_t i = 0; i < picture->result->lanes_count; i++)
		put_lane_name(out, picture, i);
	put_events(out, picture, FL_SCN_EVENT_WAIT, put_bar);
	put_events(out, picture, FL_SCN_EVENT_STEP, put_bar);
	put_events(out, picture, FL_SCN_EVENT_FAULT, put_bar);
	put_events(out, picture, FL_SCN_EVENT_FAULT, put_arrow);
	put_events(out, picture, FL_SCN_EVENT_DELIVERY, put_delivery);
}

static void put_caption(FILE *out, const struct fl_scn_picture *picture)
{
	uint64_t error_ns = 0;
	char buf[FL_SCN_DURATION_LEN];

	for (size_t i = 0; i < picture->result->lanes_count; i++)
		if (picture->result->lanes[i].clock_error_ns > error_ns)
			error_ns = picture->result->lanes[i].clock_error_ns;
	fputs("<figcaption>Time since the case began, to scale.", out);
	if (error_ns)
		fprintf(out,
			" What a guest\xe2\x80\x99s clock measured was converted, and may stand up to %s too early or too late.",
			fl_scn_duration(error_ns, buf));
	if (picture->shown < picture->result->events_count)
		fprintf(out, " Only the first %zu of %zu events are drawn; the page\xe2\x80\x99s data has all.",
			picture->shown, picture->result->events_count);
	fputs("</figcaption>\n", out);
}

int fl_scn_html_picture(FILE *out, const struct fl_scn_result *result, size_t number)
{
	struct fl_scn_picture picture;

	if (fl_scn_picture_init(&picture, result, FL_SCN_EVENTS_SHOWN) < 0)
		return -ENOMEM;
	fprintf(out, "<figure class=\"timeline\" id=\"case-%zu-timeline\" data-case=\"%zu\">\n", number, number - 1);
	fprintf(out,
		"<svg class=\"plot\" width=\"100%%\" height=\"%" PRIu32 "\" role=\"img\" data-from=\"%" PRIu64
		"\" data-to=\"%" PRIu64 "\" ",
		picture.height, picture.from_ns, picture.to_ns);
	fprintf(out, "aria-label=\"Timeline of %zu events; the table of events says the same\">\n", picture.shown);
	put_layers(out, &picture);
	fputs("</svg>\n", out);
	put_caption(out, &picture);
	fputs("</figure>\n", out);
	fl_scn_picture_fini(&picture);
	return 0;
}
