/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An actor's steps on its thread. A signal that a step causes is an outcome like any other: the handler, on a stack of
 * its own, jumps back to where the step began.
 */
#include "guest/actor.h"

#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>

/* With the largest of x86's register files some pages; the handler calls nothing deep. */
#define SIGNAL_STACK_LEN 65536u
/* Until a grandchild is the manager's, which is a matter of its parent's exit. */
#define ADOPTION_NS UINT64_C(5000000000)

static const int caught[] = {SIGBUS, SIGSEGV, SIGILL, SIGFPE, SIGTRAP};

static void __attribute__((noreturn)) die_of(int number)
{
	signal(number, SIG_DFL);
	syscall(SYS_tgkill, getpid(), gettid(), number);
	_exit(FL_ACTOR_EXIT_BAD);
}

/* Whoever took the page's file away makes waits late (deadline 0), and nothing else. */
static bool replace_page(const struct fl_actor_world *world, const siginfo_t *info)
{
	uintptr_t at = (uintptr_t)info->si_addr, page = (uintptr_t)world->page;

	return at >= page && at - page < FL_SCN_PAGE_LEN &&
	       mmap(world->page, FL_SCN_PAGE_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		    0) != MAP_FAILED;
}

/* The thread's own data is found at the far end of its signal stack: see take_signal_stack(). */
static void on_signal(int number, siginfo_t *info, void *context)
{
	const ucontext_t *ucontext = context;
	struct fl_actor_self *const *stack = ucontext->uc_stack.ss_sp;
	struct fl_actor_self *self = stack ? *stack : NULL;

	if (self && replace_page(self->process->world, info))
		return;
	if (!self || !self->thread->armed || (self->actor->head.flags & FL_SCN_ACTOR_FATAL))
		die_of(number);
	self->thread->signal = *info;
	siglongjmp(self->thread->jump, 1);
}

static void catch_signals(struct fl_actor_process *process, bool catches)
{
	/* not blocked in the handler, so that jumping out of it needs no system call */
	struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};

	if (catches)
		action.sa_sigaction = on_signal;
	for (size_t i = 0; i < FL_ARRAY_SIZE(caught); i++)
		sigaction(caught[i], &action, NULL);
	process->catches = catches;
}

static bool take_signal_stack(struct fl_actor_self *self)
{
	stack_t stack = {.ss_size = SIGNAL_STACK_LEN};

	stack.ss_sp = mmap(NULL, SIGNAL_STACK_LEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (stack.ss_sp == MAP_FAILED)
		return false;
	*(struct fl_actor_self **)stack.ss_sp = self;
	return sigaltstack(&stack, NULL) == 0;
}

/* ---- steps -------------------------------------------------------------------------------- */

static void take_signal(const struct fl_actor_self *self, struct fl_actor_outcome *outcome)
{
	outcome->kind = FL_SCN_SIGNAL;
	outcome->value = (uint64_t)self->thread->signal.si_signo;
	outcome->code = self->thread->signal.si_code;
	outcome->addr = (uintptr_t)self->thread->signal.si_addr;
	fl_actor_locate(self, outcome);
}

/* Nothing of this frame changes between the two returns of sigsetjmp(). */
void __attribute__((noinline))
fl_actor_try_step(struct fl_actor_self *self, const struct fl_actor_step *step, struct fl_actor_outcome *outcome)
{
	if (sigsetjmp(self->thread->jump, 0)) {
		self->thread->armed = 0;
		take_signal(self, outcome);
		return;
	}
	self->thread->armed = 1;
	struct fl_actor_result result = step->op->run(self, step);

	self->thread->armed = 0;
	outcome->kind = result.kind;
	outcome->value = result.value;
}

int32_t fl_actor_cpu(void)
{
	return sched_getcpu();
}

void fl_actor_note(const struct fl_actor_world *world)
{
	uint64_t one = 1;

	/* it cannot fail but when it is full of notes, and then the manager is awake */
	if (write(world->system->note_fd, &one, sizeof(one)) < 0)
		return;
}

/* ---- beginning and end -------------------------------------------------------------------- */

static bool bind_to_cpu(const struct fl_actor_self *self)
{
	cpu_set_t cpus = self->process->world->system->affinity;

	if (self->actor->head.cpu >= 0) {
		CPU_ZERO(&cpus);
		CPU_SET((size_t)self->actor->head.cpu, &cpus);
	}
	return sched_setaffinity(0, sizeof(cpus), &cpus) == 0;
}

/* What is caught otherwise cannot be while it is blocked: the kernel ends the process, whatever handler there is. */
static bool block_signals(const struct fl_actor_self *self)
{
	sigset_t set;

	if (!(self->actor->head.flags & FL_SCN_ACTOR_BLOCKED))
		return true;
	sigemptyset(&set);
	for (size_t i = 0; i < FL_ARRAY_SIZE(caught); i++)
		sigaddset(&set, caught[i]);
	errno = pthread_sigmask(SIG_BLOCK, &set, NULL);
	return errno == 0;
}

/* The manager is told, by the first step's outcome, that none of the steps could be tried. */
static void record_no_beginning(struct fl_actor_self *self, int error)
{
	const struct fl_actor_outcome outcome = {.kind = FL_SCN_CANNOT,
						 .value = (uint64_t)error,
						 .map = FL_SCN_NO_MAP,
						 .cpu = -1,
						 .begin_ns = self->now_ns,
						 .end_ns = self->now_ns};

	if (self->actor->head.steps)
		fl_actor_record(self->actor, 0, &outcome);
}

static void end(struct fl_actor_self *self)
{
	self->thread->armed = 0;
	__atomic_store_n(&self->progress->state, FL_ACTOR_ENDED, __ATOMIC_RELAXED);
	__atomic_store_n(&self->actor->state, FL_ACTOR_ENDED, __ATOMIC_RELEASE);
	fl_actor_note(self->process->world);
	for (uint32_t i = 0; i < self->thread->thread_count; i++)
		pthread_join(self->thread->threads[i], NULL);
}

static void run(struct fl_actor_process *process, struct fl_actor *actor)
{
	struct fl_actor_thread thread = {0};
	struct fl_actor_self self = {.process = process,
				     .actor = actor,
				     .progress = &process->world->page->progress[actor->head.actor],
				     .thread = &thread};

	if (!process->catches && !(actor->head.flags & FL_SCN_ACTOR_FATAL))
		catch_signals(process, true);
	__atomic_store_n(&actor->pid, getpid(), __ATOMIC_RELEASE);
	self.now_ns = fl_now_ns(CLOCK_MONOTONIC);
	if (!take_signal_stack(&self) || !bind_to_cpu(&self) || !block_signals(&self)) {
		record_no_beginning(&self, errno);
	} else {
		__atomic_store_n(&self.progress->state, FL_ACTOR_RUNS, __ATOMIC_RELAXED);
		fl_actor_run_steps(&self);
	}
	end(&self);
	stack_t none = {.ss_flags = SS_DISABLE};

	sigaltstack(&none, NULL); /* it names this frame */
}

bool fl_actor_begin(struct fl_actor *actor)
{
	uint32_t waits = FL_ACTOR_WAITS;

	return __atomic_compare_exchange_n(&actor->state, &waits, FL_ACTOR_RUNS, false, __ATOMIC_ACQ_REL,
					   __ATOMIC_RELAXED);
}

void fl_actor_run_process(struct fl_actor_process *process, struct fl_actor *actor)
{
	catch_signals(process, !(actor->head.flags & FL_SCN_ACTOR_FATAL));
	run(process, actor);
	_exit(0);
}

/* ---- threads and children ----------------------------------------------------------------- */

struct thread_start {
	struct fl_actor_process *process;
	struct fl_actor *actor;
};

static void *thread_main(void *arg)
{
	struct thread_start start = *(struct thread_start *)arg;

	free(arg);
	run(start.process, start.actor);
	return NULL;
}

struct fl_actor_result fl_actor_op_thread(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	struct fl_actor *actor = &self->process->world->actors[step->n[0]];
	struct thread_start *start = malloc(sizeof(*start));

	if (!start)
		return fl_actor_cannot(ENOMEM);
	if (!fl_actor_begin(actor)) {
		free(start);
		return fl_actor_cannot(EBUSY);
	}
	*start = (struct thread_start){.process = self->process, .actor = actor};
	/* the process may die before the thread says so itself */
	__atomic_store_n(&actor->pid, getpid(), __ATOMIC_RELEASE);
	int ret = pthread_create(&self->thread->threads[self->thread->thread_count], NULL, thread_main, start);

	if (ret) {
		free(start);
		__atomic_store_n(&actor->state, FL_ACTOR_WAITS, __ATOMIC_RELEASE);
		return fl_actor_cannot(ret);
	}
	self->thread->thread_count++;
	return fl_actor_did(0);
}

/* Only the manager can learn how a process ended, so that it must be its child: no actor ever waits for another. */
static bool wait_for_adoption(const struct fl_actor_world *world)
{
	uint64_t give_up_ns = fl_now_ns(CLOCK_MONOTONIC) + ADOPTION_NS;

	while (getppid() != world->system->manager)
		if (fl_now_ns(CLOCK_MONOTONIC) > give_up_ns)
			return false;
		else
			sched_yield();
	return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == world->system->manager;
}

static void __attribute__((noreturn)) be_forked(struct fl_actor_self *self, struct fl_actor *actor)
{
	pid_t pid = fork();

	if (pid)
		_exit(pid < 0);
	__atomic_store_n(&actor->pid, getpid(), __ATOMIC_RELEASE);
	if (!wait_for_adoption(self->process->world))
		_exit(FL_ACTOR_EXIT_BAD);
	fl_actor_run_process(self->process, actor);
}

struct fl_actor_result fl_actor_op_fork(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	struct fl_actor *actor = &self->process->world->actors[step->n[0]];
	int status = 0;
	pid_t pid;

	if (!fl_actor_begin(actor))
		return fl_actor_cannot(EBUSY);
	pid = fork();
	if (pid == 0)
		be_forked(self, actor);
	if (pid > 0 && waitpid(pid, &status, 0) == pid && status == 0)
		return fl_actor_did(0);
	__atomic_store_n(&actor->state, FL_ACTOR_WAITS, __ATOMIC_RELEASE);
	return fl_actor_cannot(pid < 0 ? errno : EAGAIN);
}
