/* SPDX-License-Identifier: Apache-2.0 */
/* What the host says to a manager of actors, checked, in its order, and answered. */
#ifndef FL_ACTOR_TALK_H
#define FL_ACTOR_TALK_H

#include "guest/actor_port.h"
#include "guest/actor_script.h"

/* 0, or -errno with a sentence: then it is the end. */
struct fl_actor_talk_ops {
	int (*map_page)(void *arg, struct fl_diag *diag);
	int (*start)(void *arg, struct fl_diag *diag); /* all that are loaded, which fit together */
	int (*stop)(void *arg, struct fl_diag *diag);  /* nothing is left of the case, and none is loaded */
};

struct fl_actor_talk {
	struct fl_actor_world *world;
	struct fl_actor_port *port;
	const struct fl_actor_talk_ops *ops;
	void *arg;
	bool hello_came, started;
};

void fl_actor_talk_hello(struct fl_actor_talk *talk, uint32_t cpus, uint32_t page_len);
/* Takes what has come, as long as there is room for the answers: a host that does not take them is asked nothing more.
 */
FL_CHECKED_RESULT int fl_actor_talk_take(struct fl_actor_talk *talk, struct fl_diag *diag);
bool fl_actor_talk_has_message(const struct fl_actor_talk *talk);

#endif
