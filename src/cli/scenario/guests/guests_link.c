/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario/guests/guests_impl.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/diag.h"

#define PIECE_LEN 65536

static void tell_case(const struct fl_scn_guests *guests)
{
	if (guests->current.scenario_case)
		guests->current.changed(guests->current.changed_arg);
}

static uint64_t to_host(const struct fl_scn_guests *guests, uint64_t guest_ns)
{
	return guest_ns - guests->guest_minus_host_ns;
}

static void on_hello(void *arg, const struct fl_scn_wire_hello *hello)
{
	struct fl_scn_guests *guests = arg;

	(void)hello;
	guests->hello_seen = true;
}

static void on_pong(void *arg, const struct fl_scn_wire_time *pong)
{
	struct fl_scn_guests *guests = arg;

	if (pong->cookie != guests->ping_cookie)
		return;
	guests->pong_taken_ns = fl_scn_now_ns();
	guests->pong_guest_ns = pong->ns;
	guests->has_pong = true;
}

static void on_stopped(void *arg)
{
	((struct fl_scn_guests *)arg)->stopped = true;
}

static void on_loaded(void *arg, uint32_t actor)
{
	(void)actor;
	((struct fl_scn_guests *)arg)->loaded++;
}

/* What an actor of the current case did; NULL if there is none. */
static struct fl_scn_actor_seen *seen_of(struct fl_scn_guests *guests, uint32_t number, uint32_t *index)
{
	if (!guests->current.scenario_case || number >= guests->actors)
		return NULL;
	*index = guests->of_actor[number];
	return &guests->current.seen[*index];
}

static void break_off(struct fl_scn_guests *guests, int error, const char *text)
{
	if (!guests->broken)
		(void)fl_cli_diag(&guests->why_broken, error, "%s", text);
	guests->broken = true;
}

static void on_outcome(void *arg, const struct fl_scn_wire_outcome *outcome)
{
	struct fl_scn_guests *guests = arg;
	uint32_t index;
	struct fl_scn_actor_seen *actor = seen_of(guests, outcome->actor, &index);
	struct fl_scn_seen seen = {
		.kind = (enum fl_scn_outcome_kind)outcome->kind,
		.code = outcome->code,
		.value = outcome->value,
		.addr = outcome->addr,
		.map = outcome->map,
		.offset = outcome->offset,
		.cause = (enum fl_cause)outcome->cause,
		.access = (enum fl_access)outcome->access,
		.has_records = !guests->opts.native && guests->opts.machine->kernel == FL_SCN_KERNEL_SMALL,
		.longest_ns = outcome->end_ns - outcome->begin_ns,
		.begin_ns = to_host(guests, outcome->begin_ns),
		.end_ns = to_host(guests, outcome->end_ns),
		.last_ns = to_host(guests, outcome->end_ns),
		.count = 1,
	};

	if (!actor)
		return;
	const struct fl_scn_step *step = &guests->current.scenario_case->actors[index].steps[outcome->step];

	if (step->row->op == FL_SCN_OP_MAP && seen.kind == FL_SCN_DID)
		seen.value = 0; /* where it is is nobody's expectation */
	if (fl_scn_seen_add(&actor->steps[outcome->step], outcome->number, &seen) < 0)
		break_off(guests, -EPROTO, "The actors' outcomes do not follow one another.");
	tell_case(guests);
}

static void on_counts(void *arg, const struct fl_scn_wire_counts *counts)
{
	struct fl_scn_guests *guests = arg;
	uint32_t index;
	struct fl_scn_actor_seen *actor = seen_of(guests, counts->actor, &index);

	if (!actor || counts->number >= actor->steps[counts->step].count)
		return;
	actor->steps[counts->step].all[counts->number].count = counts->count;
	actor->steps[counts->step].all[counts->number].last_ns = to_host(guests, counts->last_ns);
	actor->steps[counts->step].all[counts->number].longest_ns = counts->longest_ns;
}

static void on_done(void *arg, const struct fl_scn_wire_done *done)
{
	struct fl_scn_guests *guests = arg;
	uint32_t index;
	struct fl_scn_actor_seen *actor = seen_of(guests, done->actor, &index);

	if (!actor)
		return;
	actor->done = true;
	actor->signal = done->signal;
	actor->next_step = done->next_step;
	actor->clock_error_ns = guests->clock_error_ns;
	guests->done++;
	tell_case(guests);
}

/* Beside what the kernel says: it is as much a part of the story. */
static void on_say(void *arg, uint32_t actor, const char *text, size_t len)
{
	struct fl_scn_guests *guests = arg;
	uint32_t index;

	if (!seen_of(guests, actor, &index))
		return;
	const char *name = guests->current.scenario_case->actors[index].name;

	fl_cli_ring_put(&guests->console, name, strlen(name));
	fl_cli_ring_put(&guests->console, ": ", 2);
	fl_cli_ring_put(&guests->console, text, len);
	fl_cli_ring_put(&guests->console, "\n", 1);
}

/* False: there will be nothing more. */
static bool take_some(struct fl_scn_guests *guests)
{
	char bytes[PIECE_LEN];
	ssize_t len = recv(guests->channel, bytes, sizeof(bytes), MSG_DONTWAIT);
	struct fl_diag diag;

	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	pthread_mutex_lock(&guests->lock);
	if (len <= 0)
		break_off(guests, -EPIPE, "Its actors' program has ended.");
	else if (fl_scn_wire_take(guests->wire, bytes, (size_t)len, &diag) < 0)
		break_off(guests, diag.error, diag.text);
	bool goes_on = !guests->broken;

	if (!goes_on)
		tell_case(guests);
	pthread_cond_broadcast(&guests->changed);
	pthread_mutex_unlock(&guests->lock);
	return goes_on;
}

/* Is there more to write than the other end takes now? */
static bool give_some(struct fl_scn_guests *guests)
{
	bool left;

	pthread_mutex_lock(&guests->lock);
	for (;;) {
		size_t len;
		const void *bytes = fl_scn_wire_pending(guests->wire, &len);
		ssize_t done = len ? send(guests->channel, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;

		left = len > 0;
		if (done <= 0)
			break;
		fl_scn_wire_written(guests->wire, (size_t)done);
	}
	pthread_mutex_unlock(&guests->lock);
	return left;
}

static void *speak(void *arg)
{
	struct fl_scn_guests *guests = arg;
	bool goes_on = true;

	while (goes_on) {
		short events = (short)(POLLIN | (give_some(guests) ? POLLOUT : 0));
		struct pollfd polled[] = {{.fd = guests->channel, .events = events},
					  {.fd = guests->wake_fd, .events = POLLIN}};
		uint64_t woken;

		if (poll(polled, 2, -1) < 0 && errno != EINTR)
			break;
		if (polled[1].revents && read(guests->wake_fd, &woken, sizeof(woken)) < 0 && errno != EAGAIN)
			break;
		if (polled[0].revents & (POLLIN | POLLHUP | POLLERR))
			goes_on = take_some(guests);
		pthread_mutex_lock(&guests->lock);
		goes_on = goes_on && !guests->closing;
		pthread_mutex_unlock(&guests->lock);
	}
	return NULL;
}

int fl_scn_link_start(struct fl_scn_guests *guests, struct fl_diag *diag)
{
	struct fl_scn_wire_ops ops = {
		.hello = on_hello,
		.pong = on_pong,
		.stopped = on_stopped,
		.loaded = on_loaded,
		.outcome = on_outcome,
		.counts = on_counts,
		.done = on_done,
		.say = on_say,
		.arg = guests,
	};
	int ret = fl_scn_wire_new(&ops, &guests->wire);

	if (ret == 0)
		ret = fl_scn_wire_hello(guests->wire, diag);
	if (ret < 0)
		return fl_cli_diag(diag, ret, "Out of memory.");
	guests->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (guests->wake_fd < 0)
		return fl_cli_diag(diag, -errno, "eventfd: %s.", strerror(errno));
	ret = -pthread_create(&guests->link, NULL, speak, guests);
	guests->has_link = ret == 0;
	return ret < 0 ? fl_cli_diag(diag, ret, "No thread can be started: %s.", strerror(-ret)) : 0;
}

void fl_scn_link_wake(struct fl_scn_guests *guests)
{
	uint64_t one = 1;

	/* cannot fail: it is woken long before the count is at its end */
	(void)!write(guests->wake_fd, &one, sizeof(one));
}

void fl_scn_link_stop(struct fl_scn_guests *guests)
{
	if (guests->has_link) {
		pthread_mutex_lock(&guests->lock);
		guests->closing = true;
		pthread_mutex_unlock(&guests->lock);
		fl_scn_link_wake(guests);
		pthread_join(guests->link, NULL);
	}
	if (guests->wake_fd >= 0)
		close(guests->wake_fd);
	fl_scn_wire_free(guests->wire);
}
