/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/actor_case.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* A process that waits for the host's memory or disk dies when it has it. */
#define KILL_NS UINT64_C(5000000000)

#define ACTORS_LEN (FL_SCN_ACTORS_MAX * sizeof(struct fl_actor))

int fl_actor_case_new(struct fl_actor_case *of, struct fl_actor_world *world, struct fl_diag *diag)
{
	void *actors =
		mmap(NULL, ACTORS_LEN, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (actors == MAP_FAILED)
		return fl_diag(diag, -errno, "no memory for actors: %s", strerror(errno));
	if (world->actors)
		munmap(world->actors, ACTORS_LEN);
	world->actors = actors;
	*of = (struct fl_actor_case){.world = world};
	return 0;
}

static bool is_on(const struct fl_actor *actor, enum fl_actor_state state)
{
	return actor->loaded && __atomic_load_n(&actor->state, __ATOMIC_ACQUIRE) == (uint32_t)state;
}

/* ---- beginning ---------------------------------------------------------------------------- */

/* What is the manager's alone is none of an actor's, nor of what that runs. */
static void leave_manager(const struct fl_actor_case *of)
{
	const struct fl_actor_world *world = of->world;
	const struct rlimit no_core = {0};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != world->manager)
		_exit(FL_ACTOR_EXIT_BAD);
	setpgid(0, of->group);
	close(world->port_fd);
	setrlimit(RLIMIT_CORE, &no_core);
	prctl(PR_SET_TIMERSLACK, 1);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &world->mask, NULL);
}

static void __attribute__((noreturn)) be_actor(const struct fl_actor_case *of, struct fl_actor *actor)
{
	struct fl_actor_process process = {.world = of->world};

	leave_manager(of);
	for (uint32_t i = 0; i < FL_SCN_HANDLES_MAX; i++)
		process.fds[i] = -1;
	fl_actor_run_process(&process, actor);
}

/* As long as there is one process of the group nobody else gets its number, and actors can join it. */
static int make_group(struct fl_actor_case *of, struct fl_diag *diag)
{
	pid_t pid = fork();

	if (pid == 0) {
		leave_manager(of);
		for (;;)
			pause();
	}
	if (pid < 0)
		return fl_diag(diag, -errno, "no process for the actors: %s", strerror(errno));
	setpgid(pid, pid); /* whoever comes first */
	of->group = pid;
	return 0;
}

static int start_actor(struct fl_actor_case *of, struct fl_actor *actor, struct fl_diag *diag)
{
	pid_t pid;

	fl_actor_begin(actor);
	pid = fork();
	if (pid == 0)
		be_actor(of, actor);
	if (pid < 0)
		return fl_diag(diag, -errno, "no process for an actor: %s", strerror(errno));
	setpgid(pid, of->group);
	/* it may die before it says so itself */
	__atomic_store_n(&actor->pid, pid, __ATOMIC_RELEASE);
	return 0;
}

int fl_actor_case_start(struct fl_actor_case *of, struct fl_diag *diag)
{
	int ret = make_group(of, diag);

	of->started = true;
	for (uint32_t i = 0; !ret && i < FL_SCN_ACTORS_MAX; i++) {
		struct fl_actor *actor = &of->world->actors[i];

		if (actor->loaded && actor->head.relation == FL_SCN_PROCESS)
			ret = start_actor(of, actor, diag);
	}
	return ret;
}

/* ---- ends of processes -------------------------------------------------------------------- */

/* Its thread is gone, and with it whoever else could write here. */
static void process_has_ended(struct fl_actor_case *of, struct fl_actor *actor, int status)
{
	struct fl_actor_told *told = &of->told[actor->head.actor];
	uint32_t step = __atomic_load_n(&actor->step, __ATOMIC_ACQUIRE);
	uint64_t now = fl_now_ns(CLOCK_MONOTONIC);
	struct fl_actor_outcome outcome = {
		.kind = FL_SCN_KILLED, .map = FL_SCN_NO_MAP, .cpu = -1, .begin_ns = now, .end_ns = now};

	if (WIFSIGNALED(status)) {
		told->signal = (uint32_t)WTERMSIG(status);
		outcome.value = told->signal;
		if (step < actor->head.steps)
			fl_actor_record(actor, step, &outcome);
	}
	__atomic_store_n(&actor->state, FL_ACTOR_ENDED, __ATOMIC_RELEASE);
}

void fl_actor_case_reap(struct fl_actor_case *of)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (uint32_t i = 0; of->started && i < FL_SCN_ACTORS_MAX; i++) {
			struct fl_actor *actor = &of->world->actors[i];

			if (is_on(actor, FL_ACTOR_RUNS) && __atomic_load_n(&actor->pid, __ATOMIC_ACQUIRE) == pid)
				process_has_ended(of, actor, status);
		}
	}
}

/* ---- telling ------------------------------------------------------------------------------ */

static void tell_outcome(struct fl_actor_port *port, const struct fl_actor *actor, uint32_t step, uint32_t number)
{
	const struct fl_actor_outcome *outcome = &actor->outcomes[step].each[number];
	const struct fl_scn_wire_outcome wire = {
		.actor = actor->head.actor,
		.step = step,
		.kind = outcome->kind,
		.number = number,
		.code = outcome->code,
		.cpu = outcome->cpu,
		.value = outcome->value,
		.addr = outcome->addr,
		.begin_ns = outcome->begin_ns,
		.end_ns = outcome->end_ns,
		.offset = outcome->offset,
		.map = outcome->map,
	};

	fl_actor_port_put(port, FL_SCN_OUTCOME, &wire, sizeof(wire), NULL, 0);
}

static void tell_entry(struct fl_actor_port *port, const struct fl_actor *actor, uint32_t entry)
{
	const struct fl_scn_wire_actor_id id = {.actor = actor->head.actor};
	const char *text = actor->steps[entry & (FL_SCN_STEPS_MAX - 1)].text;

	if (entry & FL_ACTOR_LOG_SAY)
		fl_actor_port_put(port, FL_SCN_SAY, &id, sizeof(id), text,
				  FL_MIN(strlen(text), FL_SCN_BODY_MAX - sizeof(id)));
	else
		tell_outcome(port, actor, entry & (FL_SCN_STEPS_MAX - 1), entry / FL_SCN_STEPS_MAX);
}
_Static_assert(FL_SCN_STEPS_MAX == 256 && FL_SCN_OUTCOMES_MAX <= 128, "an entry of the log holds both");

static void tell_log(struct fl_actor_port *port, const struct fl_actor *actor, struct fl_actor_told *told)
{
	uint32_t len = __atomic_load_n(&actor->log_len, __ATOMIC_ACQUIRE);

	while (told->log < len && fl_actor_port_has_room(port))
		tell_entry(port, actor, actor->log[told->log++]);
}

static void tell_counts(struct fl_actor_port *port, const struct fl_actor *actor, struct fl_actor_told *told)
{
	while (told->step < actor->head.steps && fl_actor_port_has_room(port)) {
		const struct fl_actor_outcomes *outcomes = &actor->outcomes[told->step];
		const struct fl_actor_outcome *outcome = &outcomes->each[told->number];

		if (told->number == outcomes->count) {
			told->step++;
			told->number = 0;
			continue;
		}
		const struct fl_scn_wire_counts wire = {
			.actor = actor->head.actor,
			.step = told->step,
			.number = told->number++,
			.count = outcome->count,
			.last_ns = outcome->last_ns,
			.longest_ns = outcome->longest_ns,
		};

		fl_actor_port_put(port, FL_SCN_COUNTS, &wire, sizeof(wire), NULL, 0);
	}
}

static void tell_done(struct fl_actor_port *port, const struct fl_actor *actor, struct fl_actor_told *told)
{
	const struct fl_scn_wire_done done = {
		.actor = actor->head.actor,
		.signal = told->signal,
		.next_step = __atomic_load_n(&actor->step, __ATOMIC_ACQUIRE),
	};

	fl_actor_port_put(port, FL_SCN_DONE, &done, sizeof(done), NULL, 0);
	told->done = true;
}

/* Who has not begun, and whose parent can begin nobody any more. */
static bool will_never_begin(const struct fl_actor_case *of, const struct fl_actor *actor)
{
	return is_on(actor, FL_ACTOR_WAITS) && actor->head.relation != FL_SCN_PROCESS &&
	       of->told[actor->head.parent].done;
}

static bool tell_actor(struct fl_actor_case *of, struct fl_actor_port *port, const struct fl_actor *actor)
{
	struct fl_actor_told *told = &of->told[actor->head.actor];
	/* before the log is looked at: an actor that has ended writes no more */
	bool ended = is_on(actor, FL_ACTOR_ENDED) || will_never_begin(of, actor);

	if (told->done)
		return false;
	tell_log(port, actor, told);
	if (!ended || !fl_actor_port_has_room(port))
		return !fl_actor_port_has_room(port);
	tell_counts(port, actor, told);
	if (!fl_actor_port_has_room(port))
		return true;
	tell_done(port, actor, told);
	return false;
}

bool fl_actor_case_tell(struct fl_actor_case *of, struct fl_actor_port *port)
{
	bool more = false;

	for (uint32_t i = 0; of->started && i < FL_SCN_ACTORS_MAX; i++)
		if (of->world->actors[i].loaded)
			more |= tell_actor(of, port, &of->world->actors[i]);
	return more;
}

/* ---- the end ------------------------------------------------------------------------------ */

static pid_t parent_of(int proc, const char *pid)
{
	char path[32], line[512];
	const char *after_name;
	int parent = 0;

	snprintf(path, sizeof(path), "%.20s/stat", pid);
	FL_CLOSE int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, line, sizeof(line) - 1);

	if (n <= 0)
		return 0;
	line[n] = '\0';
	/* the name may have anything in it, parentheses too: proc(5) */
	after_name = strrchr(line, ')');
	return after_name && sscanf(after_name, ") %*c %d", &parent) == 1 ? parent : 0;
}

/* What has left the group, a daemon say, comes to the manager when its parent has died (PR_SET_CHILD_SUBREAPER). */
static void kill_children(void)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;

	while (proc && (entry = readdir(proc)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
		    parent_of(dirfd(proc), entry->d_name) == getpid())
			kill((pid_t)strtol(entry->d_name, NULL, 10), SIGKILL);
	if (proc)
		closedir(proc);
}

int fl_actor_case_stop(struct fl_actor_case *of, struct fl_diag *diag)
{
	uint64_t give_up_ns = fl_now_ns(CLOCK_MONOTONIC) + KILL_NS;
	pid_t pid;

	of->started = false;
	if (of->group)
		kill(-of->group, SIGKILL);
	for (unsigned int idle = 0; (pid = waitpid(-1, NULL, WNOHANG)) >= 0;) {
		if (pid > 0)
			continue;
		if (fl_now_ns(CLOCK_MONOTONIC) > give_up_ns)
			return fl_diag(diag, -EBUSY, "a process of the scenario cannot be killed");
		if (++idle % 16 == 0)
			kill_children();
		nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
	}
	of->group = 0;
	return 0;
}
