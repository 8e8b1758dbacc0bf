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

/* ---- beginning ---------------------------------------------------------------------------- */

/* What is the manager's alone is none of an actor's, nor of what that runs. */
static void leave_manager(const struct fl_actor_case *of)
{
	const struct fl_actor_system *system = of->world->system;
	const struct rlimit no_core = {0};

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != system->manager)
		_exit(FL_ACTOR_EXIT_BAD);
	setpgid(0, of->group);
	close(system->port_fd);
	setrlimit(RLIMIT_CORE, &no_core);
	prctl(PR_SET_TIMERSLACK, 1);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &system->mask, NULL);
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

			if (fl_actor_is(actor, FL_ACTOR_RUNS) && __atomic_load_n(&actor->pid, __ATOMIC_ACQUIRE) == pid)
				process_has_ended(of, actor, status);
		}
	}
}

/* ---- telling ------------------------------------------------------------------------------ */

bool fl_actor_case_tell(struct fl_actor_case *of, struct fl_actor_port *port)
{
	return of->started && fl_actor_tell(of->world, of->told, port);
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
