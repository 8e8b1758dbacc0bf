/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The actors of a scenario (scenario_wire.h). A manager, single-threaded, talks to the host; each actor is a process, a
 * thread or a fork()ed child of another. What an actor has to do, and what came of it, lies in memory that all of them
 * share, so that it outlives a process that dies of a signal: the manager reads it there and tells the host. So a step
 * costs no message, and only an outcome that is the first of its kind wakes the manager.
 */
#ifndef FL_ACTOR_H
#define FL_ACTOR_H

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/types.h>

#include "guest/actor_script.h"

/* The program's argument that makes it this; its exit status when the host said what it cannot take. */
#define FL_ACTOR_ARGUMENT  "scenario"
#define FL_ACTOR_EXIT_GOOD 0
#define FL_ACTOR_EXIT_BAD  125

/* What Linux has for a world of actors. */
struct fl_actor_system {
	int note_fd; /* an eventfd that wakes the manager */
	int port_fd; /* the manager's alone */
	pid_t manager;
	sigset_t mask;	    /* that actors and programs run with */
	cpu_set_t affinity; /* likewise, where none is asked for */
};

struct fl_actor_thread {
	/* a signal comes back to where the step began */
	sigjmp_buf jump;
	volatile sig_atomic_t armed;
	siginfo_t signal;
	uint8_t *scratch; /* for reads and writes; page-aligned */
	uint64_t scratch_len;
	pthread_t threads[FL_SCN_ACTORS_MAX]; /* that it has started */
	uint32_t thread_count;
};

/* What a system call returned that says -1 and errno. */
static inline struct fl_actor_result fl_actor_called(int64_t ret)
{
	return ret < 0 ? (struct fl_actor_result){.kind = FL_SCN_ERROR, .value = (uint64_t)errno}
		       : fl_actor_did((uint64_t)ret);
}

/* actor_run.c */
/* The process's first actor, which has been made FL_ACTOR_RUNS; does not return. */
void fl_actor_run_process(struct fl_actor_process *process, struct fl_actor *actor) __attribute__((noreturn));
/* The open file of a handle, or -1. */
static inline int fl_actor_fd(const struct fl_actor_self *self, uint64_t number)
{
	return self->process->fds[number];
}

/* `len` bytes of memory of the actor's own; NULL: too many. */
uint8_t *fl_actor_scratch(struct fl_actor_self *self, uint64_t len);

/* The whole program: `scenario [FD]`. Returns its exit status. */
int fl_actor_main(int argc, char **argv);

#endif
