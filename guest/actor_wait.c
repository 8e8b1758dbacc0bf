/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting on the page. There is nobody who could wake a guest's process from the host, so it looks: without a pause for
 * a short while, then at intervals that grow with the time waited, since who waits long is not hurt by a little more.
 */
#include "guest/actor_script.h"

#define SPIN_NS	     20000u
#define PAUSE_MIN_NS 10000u
#define PAUSE_MAX_NS 500000u
#define PAUSE_PART   16	       /* of the time waited */
#define EARLY_NS     100000u   /* a timer may be that late: the rest is spun */
#define SLEEP_MAX_NS 10000000u /* then the page is looked at */

static void pause_ns(uint64_t ns)
{
	nanosleep(&(struct timespec){.tv_nsec = (long)ns}, NULL);
}

/* On the clock of this side. */
static uint64_t deadline_ns(const struct fl_scn_page *page)
{
	return __atomic_load_n(&page->deadline_host_ns, __ATOMIC_RELAXED) +
	       __atomic_load_n(&page->guest_minus_host_ns, __ATOMIC_RELAXED);
}

bool fl_actor_may_go_on(const struct fl_actor_self *self, uint64_t now_ns)
{
	const struct fl_scn_page *page = self->process->world->page;

	return !__atomic_load_n(&page->stop, __ATOMIC_RELAXED) && now_ns < deadline_ns(page);
}

bool fl_actor_wait(struct fl_actor_self *self, bool (*fn)(void *arg), void *arg)
{
	uint64_t begin = fl_now_ns(CLOCK_MONOTONIC), now = begin;

	while (!fn(arg)) {
		uint64_t waited = now - begin;

		if (!fl_actor_may_go_on(self, now))
			return false;
		if (waited < SPIN_NS)
			__builtin_ia32_pause();
		else
			pause_ns(FL_MAX((uint64_t)PAUSE_MIN_NS, FL_MIN(waited / PAUSE_PART, (uint64_t)PAUSE_MAX_NS)));
		now = fl_now_ns(CLOCK_MONOTONIC);
	}
	return true;
}

bool fl_actor_sleep_until(struct fl_actor_self *self, uint64_t until_ns)
{
	uint64_t now;

	while ((now = fl_now_ns(CLOCK_MONOTONIC)) < until_ns) {
		uint64_t left = until_ns - now;

		if (!fl_actor_may_go_on(self, now))
			return false;
		if (left > EARLY_NS)
			pause_ns(FL_MIN(left - EARLY_NS, (uint64_t)SLEEP_MAX_NS));
		else
			__builtin_ia32_pause();
	}
	return true;
}
