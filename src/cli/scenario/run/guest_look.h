/* SPDX-License-Identifier: Apache-2.0 */
/* A file as a guest sees it when a case is over: actors of the runner's own look at it. */
#ifndef FL_SCN_GUEST_LOOK_H
#define FL_SCN_GUEST_LOOK_H

#include "cli/scenario/run/case_state.h"
#include "cli/scenario/verdict/judge.h"

/*
 * Looks at the file of an FL_SCN_EXPECT_FILE that is in_guest. The case's own actors must have been stopped, and what
 * is known of the guests' faults and consoles taken: it begins anew. 0, or -errno: of the guest's system call; -ENOTSUP
 * for contents that actors cannot compare (text, code); -EPIPE if the guest does not answer.
 */
FL_CHECKED int fl_scn_guest_look(struct fl_scn_case_state *state, const struct fl_scn_expect *expect,
				 struct fl_scn_look *look);

#endif
