/* SPDX-License-Identifier: Apache-2.0 */
#include "vcpu/watchdog.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "vcpu/kvm_stats.h"
#include "vcpu/stall.h"
#include "vcpu/vcpu_priv.h"

#define NS_PER_MS	UINT64_C(1000000)
#define TICK_MS_DEFAULT 50
#define TICK_MS_MAX	10000u
/*
 * Nothing hangs that does nothing: while no vCPU takes more than this part of a CPU (one that hangs takes much more),
 * the vCPUs are looked at more and more rarely, at last after so many ticks.
 */
#define QUIET_PART	16
#define QUIET_TICKS_MAX 8
/*
 * A suspected vCPU looks at itself this often in a row, each time for this long in the guest in between: longer than a
 * round of KVM's, shorter than the time slices of a guest's scheduler, which may run something healthy in between.
 */
#define LOOKS	     4
#define LOOK_EACH_NS (1 * NS_PER_MS)

struct patient {
	struct fl_vcpu *vcpu;
	int64_t unresolved; /* at the last look around */
	uint64_t cpu_ns;    /* its CPU time then */
	bool suspected;
};

struct fl_watchdog {
	const struct fl_log *log;
	struct fl_log_limit lines;
	uint64_t tick_ms;
	uint64_t wait_ms; /* to the next look around: tick_ms, or more while all is quiet; the watchdog thread's */
	unsigned int count;

	pthread_mutex_t lock; /* guards stop and started */
	pthread_cond_t changed;
	bool stop;
	bool started;
	pthread_t thread; /* the owner's, who starts and stops */

	struct patient patients[]; /* the watchdog thread's while it runs */
};

static void add_ns(struct timespec *time, uint64_t ns)
{
	ns += (uint64_t)time->tv_nsec;
	time->tv_sec += (time_t)(ns / 1000000000u);
	time->tv_nsec = (long)(ns % 1000000000u);
}

/* False: it is time to stop. */
static bool sleep_for(struct fl_watchdog *watchdog, uint64_t ns)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	add_ns(&until, ns);
	FL_LOCKED(&watchdog->lock);
	while (!watchdog->stop)
		if (pthread_cond_timedwait(&watchdog->changed, &watchdog->lock, &until) == ETIMEDOUT)
			return true;
	return false;
}

static bool is_quiet(struct patient *patient, int64_t unresolved, uint64_t wait_ms)
{
	uint64_t cpu_ns = fl_vcpu_cpu_time_ns(patient->vcpu);
	bool quiet = cpu_ns - patient->cpu_ns < wait_ms * NS_PER_MS / QUIET_PART && unresolved <= patient->unresolved;

	patient->cpu_ns = cpu_ns;
	return quiet;
}

/* How many are suspected. */
static unsigned int look_around(struct fl_watchdog *watchdog)
{
	unsigned int suspected = 0;
	bool quiet = true;

	for (unsigned int i = 0; i < watchdog->count; i++) {
		struct patient *patient = &watchdog->patients[i];
		int64_t now;

		patient->suspected = false;
		if (fl_kvm_stats_unresolved(&patient->vcpu->stats, &now))
			continue;
		patient->suspected = fl_stall_suspect(patient->unresolved, now, watchdog->wait_ms);
		if (patient->suspected)
			fl_log_limited(watchdog->log, &watchdog->lines, FL_LOG_DEBUG,
				       "vCPU %u seems to stand still: %lld page faults came to nothing in %llu ms", i,
				       (long long)(now - patient->unresolved), (unsigned long long)watchdog->wait_ms);
		quiet &= is_quiet(patient, now, watchdog->wait_ms);
		patient->unresolved = now;
		suspected += patient->suspected;
	}
	watchdog->wait_ms =
		quiet ? FL_MIN(2 * watchdog->wait_ms, QUIET_TICKS_MAX * watchdog->tick_ms) : watchdog->tick_ms;
	return suspected;
}

static void ask_suspects(struct fl_watchdog *watchdog)
{
	for (unsigned int i = 0; i < watchdog->count; i++) {
		struct patient *patient = &watchdog->patients[i];
		int64_t now;

		if (patient->suspected && fl_kvm_stats_unresolved(&patient->vcpu->stats, &now) == 0)
			fl_vcpu_ask_to_look(patient->vcpu, now);
	}
}

static void *watchdog_thread(void *arg)
{
	struct fl_watchdog *watchdog = arg;

	prctl(PR_SET_NAME, "fl-watchdog");
	while (sleep_for(watchdog, watchdog->wait_ms * NS_PER_MS)) {
		if (!look_around(watchdog))
			continue;
		for (unsigned int i = 0; i < LOOKS; i++) {
			ask_suspects(watchdog);
			if (!sleep_for(watchdog, LOOK_EACH_NS))
				break;
		}
	}
	return NULL;
}

static int need_stats(struct fl_vcpu *const *vcpus, unsigned int count, struct fl_diag *diag)
{
	for (unsigned int i = 0; i < count; i++)
		if (vcpus[i]->stats.fd < 0)
			return fl_diag(
				diag, -ENOTSUP,
				"KVM does not count page faults here (Linux 5.14 or newer does), by which a vCPU that "
				"hangs on a lost page is noticed: use strict mode");
	return 0;
}

int fl_watchdog_new(struct fl_vcpu *const *vcpus, unsigned int count, unsigned int tick_ms, const struct fl_log *log,
		    struct fl_watchdog **out, struct fl_diag *diag)
{
	struct fl_watchdog *watchdog;
	pthread_condattr_t attr;
	int result;

	if (tick_ms > TICK_MS_MAX)
		return fl_diag(diag, -EINVAL, "a watchdog's tick of %u ms is too long: at most %u", tick_ms,
			       TICK_MS_MAX);
	result = need_stats(vcpus, count, diag);
	if (result)
		return result;
	watchdog = calloc(1, sizeof(*watchdog) + count * sizeof(watchdog->patients[0]));
	if (!watchdog)
		return fl_diag(diag, -ENOMEM, "no memory for the watchdog");
	watchdog->log = log;
	watchdog->wait_ms = watchdog->tick_ms = tick_ms ? tick_ms : TICK_MS_DEFAULT;
	watchdog->count = count;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&watchdog->lock, NULL);
	pthread_cond_init(&watchdog->changed, &attr);
	pthread_condattr_destroy(&attr);
	for (unsigned int i = 0; i < count; i++)
		watchdog->patients[i].vcpu = vcpus[i];
	*out = watchdog;
	return 0;
}

int fl_watchdog_start(struct fl_watchdog *watchdog, struct fl_diag *diag)
{
	sigset_t all, old;
	int error;

	FL_LOCKED(&watchdog->lock);
	if (watchdog->started || watchdog->stop)
		return fl_diag(diag, -EBUSY, "the watchdog was started already");
	/* the new thread inherits the mask: no signal of the process ever lands on it */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&watchdog->thread, NULL, watchdog_thread, watchdog);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (error)
		return fl_diag(diag, -error, "cannot start the watchdog: %s", strerror(error));
	watchdog->started = true;
	return 0;
}

static bool begin_stop(struct fl_watchdog *watchdog)
{
	FL_LOCKED(&watchdog->lock);
	watchdog->stop = true;
	pthread_cond_signal(&watchdog->changed);
	if (!watchdog->started)
		return false;
	watchdog->started = false;
	return true;
}

void fl_watchdog_stop(struct fl_watchdog *watchdog)
{
	if (begin_stop(watchdog))
		pthread_join(watchdog->thread, NULL);
}

void fl_watchdog_free(struct fl_watchdog *watchdog)
{
	if (!watchdog)
		return;
	fl_watchdog_stop(watchdog);
	pthread_cond_destroy(&watchdog->changed);
	pthread_mutex_destroy(&watchdog->lock);
	free(watchdog);
}
