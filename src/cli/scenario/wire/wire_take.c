/* SPDX-License-Identifier: Apache-2.0 */
/* What a guest says, held against its ranges and against what it was told. */
#include "cli/scenario/wire/wire_impl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/diag.h"

#define SIGNAL_MAX 64u
#define ERRNO_MAX  4095u /* MAX_ERRNO of Linux, include/linux/err.h */
#define CPUS_MAX   8192	 /* NR_CPUS, with CONFIG_MAXSMP */

static bool is_signal(uint64_t number)
{
	return number >= 1 && number <= SIGNAL_MAX;
}

/* An actor whose steps run, and for which there can be more. */
static struct fl_scn_wire_peer *running_peer(struct fl_scn_wire *wire, uint32_t actor)
{
	struct fl_scn_wire_peer *peer = actor < FL_SCN_ACTORS_MAX ? &wire->peers[actor] : NULL;

	return wire->started && peer && peer->loaded && !peer->done ? peer : NULL;
}

static bool take_hello(struct fl_scn_wire *wire, const struct fl_scn_wire_hello *hello, const char **why)
{
	*why = hello->version == FL_SCN_VERSION ? "a HELLO with numbers that cannot be"
						: "another version of the protocol";
	if (wire->hello_came || hello->version != FL_SCN_VERSION || hello->cpus < 1 || hello->cpus > CPUS_MAX ||
	    hello->page_len < 4096 || (hello->page_len & (hello->page_len - 1)) || hello->reserved)
		return false;
	wire->hello_came = true;
	wire->ops.hello(wire->ops.arg, hello);
	return true;
}

static bool take_pong(struct fl_scn_wire *wire, const struct fl_scn_wire_time *pong, const char **why)
{
	*why = "a PONG without its PING";
	if (!wire->ping_open || pong->cookie != wire->ping_cookie)
		return false;
	wire->ping_open = false;
	wire->ops.pong(wire->ops.arg, pong);
	return true;
}

static bool take_stopped(struct fl_scn_wire *wire, const char **why)
{
	*why = "a STOPPED without a STOP";
	if (wire->state != FL_SCN_WIRE_STOPPING)
		return false;
	memset(wire->peers, 0, sizeof(wire->peers));
	wire->actors = 0;
	wire->started = false;
	wire->state = FL_SCN_WIRE_LOADING;
	wire->ops.stopped(wire->ops.arg);
	return true;
}

static bool take_loaded(struct fl_scn_wire *wire, const struct fl_scn_wire_actor_id *id, const char **why)
{
	struct fl_scn_wire_peer *peer = id->actor < FL_SCN_ACTORS_MAX ? &wire->peers[id->actor] : NULL;

	*why = "a LOADED for what was not sent";
	if (!peer || !peer->sent || peer->loaded || id->reserved)
		return false;
	peer->loaded = true;
	wire->ops.loaded(wire->ops.arg, id->actor);
	return true;
}

/* Both or neither, as enum fl_cause and fl_access have them. */
static bool is_record(const struct fl_scn_wire_outcome *outcome)
{
	switch (outcome->access) {
	case FL_ACCESS_UNKNOWN:
		return outcome->cause == FL_CAUSE_NONE;
	case FL_ACCESS_READ:
	case FL_ACCESS_WRITE:
	case FL_ACCESS_FETCH:
		return outcome->cause != FL_CAUSE_NONE && outcome->cause <= FL_CAUSE_UNKNOWN;
	default:
		return false;
	}
}

static bool is_outcome(const struct fl_scn_wire_outcome *outcome)
{
	uint64_t value = outcome->value;

	switch (outcome->kind) {
	case FL_SCN_DID:
		break;
	case FL_SCN_SIGNAL:
		return is_signal(value) && is_record(outcome);
	case FL_SCN_KILLED:
		if (!is_signal(value))
			return false;
		break;
	case FL_SCN_ERROR:
	case FL_SCN_CANNOT:
		if (value < 1 || value > ERRNO_MAX)
			return false;
		break;
	case FL_SCN_LATE:
		if (value)
			return false;
		break;
	default:
		return false;
	}
	return outcome->code == 0 && outcome->addr == 0 && outcome->map == FL_SCN_NO_MAP && outcome->cause == 0 &&
	       outcome->access == 0;
}

static bool is_place(const struct fl_scn_wire_outcome *outcome)
{
	if (outcome->map == FL_SCN_NO_MAP)
		return outcome->offset == 0;
	return outcome->map < FL_SCN_HANDLES_MAX && outcome->offset <= outcome->addr;
}

/* Outcomes are numbered in the order of their coming. */
static bool is_next_outcome(const struct fl_scn_wire_peer *peer, uint32_t step, uint32_t number)
{
	return step < peer->steps && number < FL_SCN_OUTCOMES_MAX && peer->outcomes[step] == (1u << number) - 1;
}

static bool take_outcome(struct fl_scn_wire *wire, const struct fl_scn_wire_outcome *outcome, const char **why)
{
	struct fl_scn_wire_peer *peer = running_peer(wire, outcome->actor);

	*why = "an OUTCOME that cannot be";
	if (!peer || !is_next_outcome(peer, outcome->step, outcome->number) || !is_outcome(outcome) ||
	    outcome->cpu < -1 || outcome->cpu >= CPUS_MAX || outcome->begin_ns > outcome->end_ns || !is_place(outcome))
		return false;
	peer->outcomes[outcome->step] |= (uint16_t)(1u << outcome->number);
	wire->ops.outcome(wire->ops.arg, outcome);
	return true;
}

static bool take_counts(struct fl_scn_wire *wire, const struct fl_scn_wire_counts *counts, const char **why)
{
	struct fl_scn_wire_peer *peer = running_peer(wire, counts->actor);
	unsigned int bit = counts->number < FL_SCN_OUTCOMES_MAX ? 1u << counts->number : 0;

	*why = "COUNTS of what did not happen";
	if (!peer || counts->step >= peer->steps || !(peer->outcomes[counts->step] & bit) ||
	    (peer->counted[counts->step] & bit) || counts->count < 1 || counts->reserved)
		return false;
	peer->counted[counts->step] |= (uint16_t)bit;
	wire->ops.counts(wire->ops.arg, counts);
	return true;
}

static bool take_done(struct fl_scn_wire *wire, const struct fl_scn_wire_done *done, const char **why)
{
	struct fl_scn_wire_peer *peer = running_peer(wire, done->actor);

	*why = "a DONE that cannot be";
	if (!peer || (done->signal && !is_signal(done->signal)) || done->next_step > peer->steps || done->reserved)
		return false;
	/* none is left out, so that what is missing is known not to have happened */
	*why = "a DONE before all COUNTS";
	if (memcmp(peer->outcomes, peer->counted, sizeof(peer->outcomes)) != 0)
		return false;
	peer->done = true;
	wire->ops.done(wire->ops.arg, done);
	return true;
}

static bool take_say(struct fl_scn_wire *wire, const char **why)
{
	struct fl_scn_wire_actor_id id;
	struct fl_scn_wire_peer *peer;

	memcpy(&id, wire->body, sizeof(id));
	peer = running_peer(wire, id.actor);
	*why = "a SAY of nobody, or too many";
	if (!peer || id.reserved || peer->says >= FL_SCN_SAYS_MAX)
		return false;
	peer->says++;
	wire->ops.say(wire->ops.arg, id.actor, (const char *)wire->body + sizeof(id), wire->head.len - sizeof(id));
	return true;
}

bool fl_scn_wire_len_is_right(uint32_t type, uint32_t len)
{
	switch (type) {
	case FL_SCN_HELLO:
		return len == sizeof(struct fl_scn_wire_hello);
	case FL_SCN_PONG:
		return len == sizeof(struct fl_scn_wire_time);
	case FL_SCN_STOPPED:
		return len == 0;
	case FL_SCN_LOADED:
		return len == sizeof(struct fl_scn_wire_actor_id);
	case FL_SCN_OUTCOME:
		return len == sizeof(struct fl_scn_wire_outcome);
	case FL_SCN_COUNTS:
		return len == sizeof(struct fl_scn_wire_counts);
	case FL_SCN_DONE:
		return len == sizeof(struct fl_scn_wire_done);
	case FL_SCN_SAY:
		return len >= sizeof(struct fl_scn_wire_actor_id) && len <= FL_SCN_BODY_MAX;
	default:
		return false;
	}
}

/* The body is bytes: what is looked at is a copy. */
#define TAKE(wire, type, fn, why)                                \
	__extension__({                                          \
		struct type message;                             \
		memcpy(&message, (wire)->body, sizeof(message)); \
		fn(wire, &message, why);                         \
	})

bool fl_scn_wire_dispatch(struct fl_scn_wire *wire, const char **why)
{
	*why = "something before its HELLO";
	if (!wire->hello_came && wire->head.type != FL_SCN_HELLO)
		return false;
	switch (wire->head.type) {
	case FL_SCN_HELLO:
		return TAKE(wire, fl_scn_wire_hello, take_hello, why);
	case FL_SCN_PONG:
		return TAKE(wire, fl_scn_wire_time, take_pong, why);
	case FL_SCN_STOPPED:
		return take_stopped(wire, why);
	case FL_SCN_LOADED:
		return TAKE(wire, fl_scn_wire_actor_id, take_loaded, why);
	case FL_SCN_OUTCOME:
		return TAKE(wire, fl_scn_wire_outcome, take_outcome, why);
	case FL_SCN_COUNTS:
		return TAKE(wire, fl_scn_wire_counts, take_counts, why);
	case FL_SCN_DONE:
		return TAKE(wire, fl_scn_wire_done, take_done, why);
	case FL_SCN_SAY:
		return take_say(wire, why);
	default:
		return false;
	}
}

/* Moves bytes up to what is wanted; true when all of it is there. */
static bool collect(void *into, size_t *have, size_t want, const uint8_t **bytes, size_t *len)
{
	size_t piece = want - *have < *len ? want - *have : *len;

	if (piece)
		memcpy((uint8_t *)into + *have, *bytes, piece);
	*have += piece;
	*bytes += piece;
	*len -= piece;
	return *have == want;
}

/* Takes what completes a head or a body. False if it is bad. */
static bool take_piece(struct fl_scn_wire *wire, const uint8_t **bytes, size_t *len, const char **why)
{
	if (!wire->has_head) {
		if (!collect(&wire->head, &wire->have, sizeof(wire->head), bytes, len))
			return true;
		*why = "no message that there is";
		if (!fl_scn_wire_len_is_right(wire->head.type, wire->head.len))
			return false;
		wire->has_head = true;
		wire->have = 0;
	}
	if (!collect(wire->body, &wire->have, wire->head.len, bytes, len))
		return true;
	wire->has_head = false;
	wire->have = 0;
	return fl_scn_wire_dispatch(wire, why);
}

int fl_scn_wire_take(struct fl_scn_wire *wire, const void *bytes, size_t len, struct fl_diag *diag)
{
	const uint8_t *at = bytes;
	const char *why = "more after what was wrong";

	while (len > 0 && !wire->bad)
		wire->bad = !take_piece(wire, &at, &len, &why);
	if (!wire->bad)
		return 0;
	return fl_cli_diag(
		diag, -EPROTO,
		"what runs the scenario in the guest said %s (message of type %u, %u bytes); the machine is of "
		"no more use",
		why, wire->head.type, wire->head.len);
}
