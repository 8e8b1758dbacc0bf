/* SPDX-License-Identifier: Apache-2.0 */
/* Inside wire: what was said so far, by which both directions are checked. */
#ifndef FL_SCN_WIRE_IMPL_H
#define FL_SCN_WIRE_IMPL_H

#include "cli/scenario/wire/wire.h"

enum fl_scn_wire_state {
	FL_SCN_WIRE_NEW = 0,	  /* HELLO has not been put */
	FL_SCN_WIRE_LOADING = 1,  /* actors may be put */
	FL_SCN_WIRE_RUNNING = 2,  /* START was put */
	FL_SCN_WIRE_STOPPING = 3, /* STOP was put, STOPPED has not come */
};

/* An actor of the case that is on the wire. */
struct fl_scn_wire_peer {
	bool sent, loaded, done;
	uint32_t steps;
	uint32_t says;
	uint16_t outcomes[FL_SCN_STEPS_MAX]; /* bit: an outcome of that number was told */
	uint16_t counted[FL_SCN_STEPS_MAX];
};

struct fl_scn_wire {
	struct fl_scn_wire_ops ops;
	enum fl_scn_wire_state state;
	bool hello_came, bad;
	bool started;	/* of the case: the guest may speak of its actors */
	bool ping_open; /* a PONG is owed */
	uint64_t ping_cookie;
	struct fl_scn_wire_peer peers[FL_SCN_ACTORS_MAX];
	uint32_t actors; /* the next one's number is not lower */
	/* to the guest */
	uint8_t *out;
	size_t out_begin, out_len, out_room; /* bytes [out_begin, out_begin + out_len) of out_room */
	/* from the guest: the message that is not complete yet */
	struct fl_scn_wire_head head;
	size_t have; /* of head, then of the body */
	bool has_head;
	uint8_t body[FL_SCN_BODY_MAX];
};

/* A message whose body is complete. False if it is none; *why says what is wrong. */
bool fl_scn_wire_dispatch(struct fl_scn_wire *wire, const char **why);
/* Could a body of this length follow such a head? */
bool fl_scn_wire_len_is_right(uint32_t type, uint32_t len);

#endif
