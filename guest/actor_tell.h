/* SPDX-License-Identifier: Apache-2.0 */
/* What came of actors, told to the host in its order: news, and at an actor's end its counts and that it is done. */
#ifndef FL_ACTOR_TELL_H
#define FL_ACTOR_TELL_H

#include "guest/actor_port.h"
#include "guest/actor_script.h"

/* How far the telling about an actor is. */
struct fl_actor_told {
	uint32_t log;	       /* entries */
	uint32_t step, number; /* next of the COUNTS */
	uint32_t signal;       /* that ended its process */
	bool done;
};

/* Puts what is new of all that are loaded, as far as there is room; true if there is more. */
bool fl_actor_tell(const struct fl_actor_world *world, struct fl_actor_told all[FL_SCN_ACTORS_MAX],
		   struct fl_actor_port *port);

#endif
