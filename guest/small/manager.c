/* SPDX-License-Identifier: Apache-2.0 */
/* Talks to the runner and keeps the case, between the actors' turns. */
#include "guest/actor_talk.h"
#include "guest/actor_tell.h"
#include "guest/small/small.h"

#include <string.h>

/* What waits for the host's file system is in its hands. */
#define STOP_NS	 UINT64_C(5000000000)
#define LOOK_NS	 UINT64_C(1000000)
#define SLEEP_NS UINT64_C(100000000)

static struct fl_actor actors[FL_SCN_ACTORS_MAX];

static struct {
	struct fl_actor_world world;
	struct fl_actor_system system;
	struct fl_actor_talk talk;
	struct fl_actor_port port;
	struct fl_actor_told told[FL_SCN_ACTORS_MAX];
	bool more; /* than there was room for */
} manager;

void small_killed(uint32_t actor, uint32_t signal)
{
	manager.told[actor].signal = signal;
}

/* ---- what the runner says ----------------------------------------------------------------- */

/* fl.page=PATH: a file of a share, like any other's. */
static int map_page(void *arg, struct fl_diag *diag)
{
	char path[SMALL_PATH_MAX];
	const char *at = NULL, *word;
	uint8_t *page;
	size_t len;

	(void)arg;
	word = small_machine_word("fl.page", &at, &len);
	if (!word || len >= sizeof(path))
		return fl_diag(diag, -EPROTO, "the command line does not say where the page of marks is");
	memcpy(path, word, len);
	path[len] = '\0';
	int file = small_open(path, FL_SCN_O_READ | FL_SCN_O_WRITE);

	if (file < 0)
		return fl_diag(diag, file, "%s cannot be opened: error %d", path, -file);
	int error = small_map_own(file, FL_SCN_PAGE_LEN, &page);

	if (error)
		return fl_diag(diag, error, "%s cannot be mapped: error %d", path, -error);
	manager.world.page = (struct fl_scn_page *)(void *)page;
	return manager.world.page->magic == FL_SCN_PAGE_MAGIC ? 0
							      : fl_diag(diag, -EPROTO, "%s is no page of marks", path);
}

static int start(void *arg, struct fl_diag *diag)
{
	(void)arg;
	(void)diag;
	small_actors_start(&manager.world);
	return 0;
}

/* What takes long to be forgotten is what no actor had. */
static void forget_actors(void)
{
	for (uint32_t i = 0; i < FL_SCN_ACTORS_MAX && actors[i].loaded; i++)
		memset(&actors[i], 0, sizeof(actors[i]));
	memset(manager.told, 0, sizeof(manager.told));
}

static int stop(void *arg, struct fl_diag *diag)
{
	uint64_t begin = fl_now_ns(CLOCK_MONOTONIC);

	(void)arg;
	small_actors_forget();
	while (!small_shares_are_idle()) {
		if (fl_now_ns(CLOCK_MONOTONIC) - begin > STOP_NS)
			return fl_diag(diag, -EBUSY, "a request of the scenario is not answered");
		small_idle(small_events, LOOK_NS);
	}
	small_unmap_all();
	small_close_all();
	forget_actors();
	return 0;
}

static const struct fl_actor_talk_ops talk_ops = {.map_page = map_page, .start = start, .stop = stop};

/* ---- turns -------------------------------------------------------------------------------- */

/* False: the host has not taken all that is to be told. */
static bool talk(void)
{
	struct fl_diag diag;

	(void)small_channel_read(&manager.port);
	if (fl_actor_talk_take(&manager.talk, &diag))
		small_die("%s", diag.text);
	if (manager.talk.started && (manager.system.news || manager.more)) {
		manager.system.news = false;
		manager.more = fl_actor_tell(&manager.world, manager.told, &manager.port);
	}
	return !small_channel_flush(&manager.port);
}

/*
 * What is new is with the host before an actor goes on: its next step may be the last of the machine, where the policy
 * is to stop.
 */
void small_manage(void)
{
	manager.world = (struct fl_actor_world){.actors = actors, .system = &manager.system};
	manager.talk = (struct fl_actor_talk){.world = &manager.world, .port = &manager.port, .ops = &talk_ops};
	fl_actor_talk_hello(&manager.talk, 1, FL_PAGE_LEN);
	for (;;) {
		uint64_t events = small_events, left = SLEEP_NS;

		if (talk())
			left = small_actors_turn();
		if (left)
			small_idle(events, FL_MIN(left, SLEEP_NS));
	}
}
