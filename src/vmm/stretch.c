/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/stretch.h"

static bool goes_on(const struct fl_stretch *stretch, const struct fl_window_view *view)
{
	const struct fl_window_view *first = &stretch->view;

	return first->state == view->state && first->backing == view->backing && first->hidden == view->hidden &&
	       first->substituted == view->substituted &&
	       (!view->backing || first->file_offset + (stretch->end - stretch->start) == view->file_offset);
}

/* Of what follows, all that belongs to it. */
static void extend(struct fl_window *window, struct fl_stretch *stretch)
{
	struct fl_window_view view;
	bool more = true;

	while (more && fl_window_look(window, stretch->end, &view)) {
		more = goes_on(stretch, &view);
		if (more)
			stretch->end += view.run_len;
		fl_window_view_put(&view);
	}
}

bool fl_stretch_next(struct fl_window *window, uint64_t *offset, struct fl_stretch *stretch)
{
	*stretch = (struct fl_stretch){.end = *offset};
	do {
		stretch->start = stretch->end;
		if (!fl_window_look(window, stretch->start, &stretch->view))
			return false;
		stretch->end += stretch->view.run_len;
	} while (stretch->view.state == FL_RANGE_RESERVED);
	extend(window, stretch);
	*offset = stretch->end;
	return true;
}
