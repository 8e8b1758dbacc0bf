/* SPDX-License-Identifier: Apache-2.0 */
/* The manager's side of a case: its processes, and what is told of them. */
#ifndef FL_ACTOR_CASE_H
#define FL_ACTOR_CASE_H

#include "guest/actor.h"
#include "guest/actor_tell.h"

struct fl_actor_case {
	struct fl_actor_world *world;
	bool started;
	pid_t group; /* a process that holds the group's number; 0: none */
	struct fl_actor_told told[FL_SCN_ACTORS_MAX];
};

/* -errno with a sentence: there is no memory. */
FL_CHECKED_RESULT int fl_actor_case_new(struct fl_actor_case *of, struct fl_actor_world *world, struct fl_diag *diag);
/* All loaded actors that are processes of their own begin. */
FL_CHECKED_RESULT int fl_actor_case_start(struct fl_actor_case *of, struct fl_diag *diag);
/* Some children may have ended. */
void fl_actor_case_reap(struct fl_actor_case *of);
/* Puts what is new, as far as there is room; true if there is more. */
bool fl_actor_case_tell(struct fl_actor_case *of, struct fl_actor_port *port);
/* Nothing is left of it when this returns 0. -EBUSY: a process cannot be killed. */
FL_CHECKED_RESULT int fl_actor_case_stop(struct fl_actor_case *of, struct fl_diag *diag);

#endif
