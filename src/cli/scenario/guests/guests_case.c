/* SPDX-License-Identifier: Apache-2.0 */
/* A case in guests: its actors are taken in, begin, and are stopped. */
#include "cli/scenario/guests/guests_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/diag.h"

#define PINGS 8

static int say_broken(const struct fl_scn_guests *guests, struct fl_diag *diag)
{
	return fl_cli_diag(diag, guests->why_broken.error, "Machine %s: %s", guests->opts.machine->name,
			   guests->why_broken.text);
}

/* Under the lock, until *flag. A machine that does not answer is of no use any more. */
static int wait_for(struct fl_scn_guests *guests, const bool *flag, const char *what)
{
	uint64_t deadline_ns = fl_scn_guests_patience(guests);

	fl_scn_link_wake(guests);
	while (!*flag && !guests->broken)
		if (!fl_scn_guests_wait(guests, deadline_ns) && !*flag) {
			guests->broken = true;
			return fl_cli_diag(&guests->why_broken, -ETIMEDOUT, "Its actors' program did not %s in %u s.",
					   what, guests->opts.patience_ms / 1000);
		}
	return *flag ? 0 : guests->why_broken.error;
}

/* The answer that took the least time says most about the other clock: it was read somewhere in between. */
static int set_clock(struct fl_scn_guests *guests, struct fl_diag *diag)
{
	uint64_t best_ns = UINT64_MAX;
	int ret = 0;

	for (unsigned int i = 0; ret == 0 && i < PINGS; i++) {
		guests->has_pong = false;
		guests->ping_cookie++;
		guests->ping_sent_ns = fl_scn_now_ns();
		ret = fl_scn_wire_ping(guests->wire, guests->ping_cookie, guests->ping_sent_ns, diag);
		if (ret == 0)
			ret = wait_for(guests, &guests->has_pong, "answer");
		uint64_t took_ns = guests->pong_taken_ns - guests->ping_sent_ns;

		if (ret == 0 && took_ns < best_ns) {
			best_ns = took_ns;
			guests->guest_minus_host_ns = guests->pong_guest_ns - (guests->ping_sent_ns + took_ns / 2);
			guests->clock_error_ns = took_ns / 2;
		}
	}
	return ret;
}

static int path_in_guest(void *arg, uint32_t dir, const char *rest, char *buf, size_t buf_len)
{
	const struct fl_scn_guests *guests = arg;
	const struct fl_scn_case *of = guests->current.scenario_case;
	const struct fl_scn_machine *machine = &of->machines[guests->current.machine];
	char path[PATH_MAX];
	int len = -1;

	if (guests->opts.native) {
		int ret = fl_scn_workdir_file(guests->opts.workdir, &of->dirs[dir], guests->current.number, rest, path);

		len = ret == 0 ? snprintf(buf, buf_len, "%s", path) : ret;
		return len < 0 || (size_t)len >= buf_len ? -ENAMETOOLONG : 0;
	}
	for (uint32_t i = 0; i < machine->shares_count; i++)
		if (machine->shares[i].dir == dir) {
			const char *mount = machine->shares[i].mount;

			if (fl_scn_case_path(guests->current.number, rest, path) == 0)
				len = snprintf(buf, buf_len, "%s/%s", strcmp(mount, "/") == 0 ? "" : mount, path);
			return len < 0 || (size_t)len >= buf_len ? -ENAMETOOLONG : 0;
		}
	return -ENOENT;
}

static uint64_t time_of(void *arg, const struct fl_scn_operand *operand)
{
	const struct fl_scn_guests *guests = arg;

	return guests->current.time(guests->current.time_arg, operand);
}

/* Parents come before their children, so numbers rise along. */
static void number_actors(struct fl_scn_guests *guests, uint32_t *numbers)
{
	const struct fl_scn_case *of = guests->current.scenario_case;

	guests->actors = 0;
	for (uint32_t i = 0; i < of->actors_count; i++) {
		numbers[i] = UINT32_MAX;
		if (of->actors[i].by_host || of->actors[i].machine != guests->current.machine ||
		    guests->actors >= FL_SCN_ACTORS_MAX)
			continue;
		numbers[i] = guests->actors;
		guests->of_actor[guests->actors++] = i;
	}
}

static int send_actors(struct fl_scn_guests *guests, struct fl_diag *diag)
{
	const struct fl_scn_case *of = guests->current.scenario_case;
	uint32_t *numbers = calloc(of->actors_count + 1, sizeof(*numbers));
	int ret = 0;

	if (!numbers)
		return fl_cli_diag(diag, -ENOMEM, "Out of memory.");
	number_actors(guests, numbers);
	struct fl_scn_wire_run run = {.actors = numbers,
				      .actors_count = of->actors_count,
				      .dirs = of->dirs,
				      .dirs_count = of->dirs_count,
				      .path = path_in_guest,
				      .time = time_of,
				      .arg = guests};

	for (uint32_t i = 0; ret == 0 && i < guests->actors; i++)
		ret = fl_scn_wire_actor(guests->wire, i, &of->actors[guests->of_actor[i]], &run, diag);
	free(numbers);
	fl_scn_link_wake(guests);
	return ret;
}

static int wait_for_loaded(struct fl_scn_guests *guests)
{
	uint64_t deadline_ns = fl_scn_guests_patience(guests);

	while (guests->loaded < guests->actors && !guests->broken)
		if (!fl_scn_guests_wait(guests, deadline_ns) && guests->loaded < guests->actors) {
			guests->broken = true;
			return fl_cli_diag(&guests->why_broken, -ETIMEDOUT,
					   "Its actors' program did not take the case in %u s.",
					   guests->opts.patience_ms / 1000);
		}
	return guests->broken ? guests->why_broken.error : 0;
}

static int load(struct fl_scn_guests *guests, const struct fl_scn_guests_case *of, struct fl_diag *diag)
{
	int ret = fl_scn_page_begin(&guests->page, of->deadline_ns);

	if (ret < 0)
		return fl_cli_diag(diag, ret, "The page of marks cannot be written: %s.", strerror(-ret));
	fl_scn_guests_forget_faults(guests);
	guests->console_from = fl_cli_ring_end(&guests->console);
	guests->current = *of;
	guests->loaded = 0;
	guests->done = 0;
	guests->questions = 0;
	guests->lets_go = false;
	ret = guests->broken ? guests->why_broken.error : set_clock(guests, diag);
	if (ret == 0) {
		ret = fl_scn_page_set_clock(&guests->page, guests->guest_minus_host_ns);
		if (ret == 0)
			ret = send_actors(guests, diag);
		if (ret < 0)
			return ret;
		ret = wait_for_loaded(guests);
	}
	return ret < 0 ? say_broken(guests, diag) : 0;
}

int fl_scn_guests_load(struct fl_scn_guests *guests, const struct fl_scn_guests_case *of, struct fl_diag *diag)
{
	pthread_mutex_lock(&guests->lock);
	int ret = load(guests, of, diag);

	if (ret < 0)
		guests->current.scenario_case = NULL;
	pthread_mutex_unlock(&guests->lock);
	return ret;
}

int fl_scn_guests_start(struct fl_scn_guests *guests, struct fl_diag *diag)
{
	pthread_mutex_lock(&guests->lock);
	int ret = fl_scn_wire_start(guests->wire, diag);

	pthread_mutex_unlock(&guests->lock);
	fl_scn_link_wake(guests);
	return ret;
}

bool fl_scn_guests_are_done(struct fl_scn_guests *guests)
{
	fl_scn_guests_look_for_end(guests);
	pthread_mutex_lock(&guests->lock);
	bool done = guests->done >= guests->actors || guests->broken;

	pthread_mutex_unlock(&guests->lock);
	return done;
}

int fl_scn_guests_stop(struct fl_scn_guests *guests, struct fl_diag *diag)
{
	int ret;

	pthread_mutex_lock(&guests->lock);
	guests->stopped = false;
	ret = guests->broken ? guests->why_broken.error : fl_scn_wire_stop(guests->wire, diag);
	/* what was begun and cannot be ended is in nobody's hands any more, such as a case that was taken in half */
	if (ret < 0 && !guests->broken) {
		guests->broken = true;
		guests->why_broken = *diag;
	}
	if (ret == 0)
		ret = wait_for(guests, &guests->stopped, "stop");
	if (ret < 0 && guests->broken)
		(void)say_broken(guests, diag);
	guests->current.scenario_case = NULL;
	pthread_mutex_unlock(&guests->lock);
	return ret;
}
