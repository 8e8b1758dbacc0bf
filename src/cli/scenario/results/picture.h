/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the events of a case stand in its picture: across in percent of the time that is shown, so that the picture is
 * as wide as there is room, down in pixels. PURE.
 */
#ifndef FL_SCN_PICTURE_H
#define FL_SCN_PICTURE_H

#include "cli/scenario/results/text.h"

/* What the width is taken for where it matters, for labels: that of a printed page. The script knows better. */
#define FL_SCN_WIDTH_PX	    700.0
#define FL_SCN_CHAR_PX	    6.7
#define FL_SCN_BAR_LEAST_PX 3.0
#define FL_SCN_BAR_PX	    16u
#define FL_SCN_TICKS_MAX    16u

struct fl_scn_place {
	bool drawn;
	uint32_t row;  /* of its lane; of marks the row of its name */
	uint32_t y;    /* top of its bar */
	double x, end; /* percent */
	double last;   /* where the line ends that says how long it came out so; end: it came once */
	double next;   /* of bars: where the next of its row begins */
	bool named;    /* of marks: there is room for the name; and it stands */
	bool leftward; /* left of the line */
};

struct fl_scn_label {
	double x;    /* percent */
	int dx;	     /* and pixels */
	size_t room; /* in characters; 0: it is left out */
};

struct fl_scn_lane_place {
	uint32_t rows;
	uint32_t y, height;
};

struct fl_scn_tick {
	double x;
	char text[40];
};

struct fl_scn_picture {
	const struct fl_scn_result *result;
	uint64_t from_ns, to_ns; /* from < to */
	size_t shown;		 /* so many events, the first ones, are drawn */
	struct fl_scn_place *places;
	struct fl_scn_lane_place *lanes;
	struct fl_scn_tick ticks[FL_SCN_TICKS_MAX];
	size_t ticks_count;
	uint32_t lanes_y, axis_y, height;
};

/* 0 or -ENOMEM; to be given to fl_scn_picture_fini(). */
FL_CHECKED int fl_scn_picture_init(struct fl_scn_picture *picture, const struct fl_scn_result *result,
				   size_t events_max);
void fl_scn_picture_fini(struct fl_scn_picture *picture);

double fl_scn_picture_x(const struct fl_scn_picture *picture, uint64_t ns);
/* Where a bar's label of so many characters goes: into the bar if it fits there, else behind it if there is more room.
 */
struct fl_scn_label fl_scn_place_label(const struct fl_scn_place *place, size_t chars);
size_t fl_scn_count_chars(const char *text);
/* A bar that is drawn wider than it is, to be seen at all. */
bool fl_scn_is_short(const struct fl_scn_place *place);

#endif
