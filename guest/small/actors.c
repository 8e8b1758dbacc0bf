/* SPDX-License-Identifier: Apache-2.0 */
/* The actors, in turn. One that touches what is lost goes on behind its step, as one of Linux does that catches
 * signals. */
#include "guest/small/small.h"

#include <signal.h>

#include "vcpu/pvpf_abi.h"

#define STACK_LEN	  32768u
#define VECTOR_UNDEFINED  6u
#define VECTOR_PROTECTION 13u
#define VECTOR_PAGE	  14u
#define CPUID_FROM	  0x40000000u
#define CPUID_STEP	  0x100u
#define CPUID_TO	  0x40010000u

enum turn { NOT_BEGUN, GOES_ON, OVER };

struct fl_actor_thread {
	struct fl_actor_self self;
	struct fl_actor_process *process; /* its own, or that of the actor whose thread it is */
	uint32_t number;		  /* of the process */
	enum turn turn;
	uint64_t stack; /* its pointer, when another has the turn */
	uint64_t wake_ns;
	struct fl_actor_process own;
	uint8_t bytes[STACK_LEN] __attribute__((aligned(16)));
	uint8_t scratch[SMALL_PIECE_LEN];
};

static struct fl_actor_thread threads[FL_SCN_ACTORS_MAX];
static struct fl_actor_thread *current; /* NULL: the kernel itself */
static uint64_t kernel_stack;
static struct pvpf_record records[PVPF_RECORDS] __attribute__((aligned(256)));

uint8_t *small_scratch(const struct fl_actor_self *self)
{
	return self->thread->scratch;
}

uint32_t small_process_number(const struct fl_actor_self *self)
{
	return self->thread->number;
}

const struct fl_actor_thread *small_current(void)
{
	return current;
}

int32_t fl_actor_cpu(void)
{
	return 0;
}

void fl_actor_note(const struct fl_actor_world *world)
{
	world->system->news = true;
}

/* ---- turns -------------------------------------------------------------------------------- */

/* What is tried is tried by one actor: the next one tries nothing yet. */
static void give_turn_back(struct fl_actor_thread *thread)
{
	uint64_t tried = small_try_stack;

	small_try_stack = 0;
	current = NULL;
	small_switch(&thread->stack, kernel_stack);
	small_try_stack = tried;
}

void small_give_way(uint64_t ns)
{
	if (!current) {
		if (ns)
			small_idle(small_events, ns);
		return;
	}
	current->wake_ns = ns ? fl_now_ns(CLOCK_MONOTONIC) + ns : 0;
	give_turn_back(current);
}

static uint64_t turn_of(struct fl_actor_thread *thread)
{
	uint64_t now = thread->wake_ns ? fl_now_ns(CLOCK_MONOTONIC) : 0;

	if (thread->wake_ns > now)
		return thread->wake_ns - now;
	current = thread;
	small_switch(&kernel_stack, thread->stack);
	return 0;
}

uint64_t small_actors_turn(void)
{
	uint64_t least = UINT64_MAX;

	for (uint32_t i = 0; i < FL_SCN_ACTORS_MAX; i++)
		if (threads[i].turn == GOES_ON) {
			uint64_t left = turn_of(&threads[i]);

			least = FL_MIN(least, left);
		}
	return least;
}

void small_actors_forget(void)
{
	for (uint32_t i = 0; i < FL_SCN_ACTORS_MAX; i++)
		threads[i].turn = NOT_BEGUN;
}

/* ---- beginning and end -------------------------------------------------------------------- */

static void __attribute__((noreturn)) end(struct fl_actor_thread *thread)
{
	thread->turn = OVER;
	for (;;)
		give_turn_back(thread);
}

static void set_ended(struct fl_actor_self *self)
{
	__atomic_store_n(&self->progress->state, FL_ACTOR_ENDED, __ATOMIC_RELAXED);
	__atomic_store_n(&self->actor->state, FL_ACTOR_ENDED, __ATOMIC_RELEASE);
	fl_actor_note(self->process->world);
}

static void be_actor(void)
{
	struct fl_actor_self *self = &current->self;

	self->now_ns = fl_now_ns(CLOCK_MONOTONIC);
	__atomic_store_n(&self->progress->state, FL_ACTOR_RUNS, __ATOMIC_RELAXED);
	fl_actor_run_steps(self);
	set_ended(self);
	end(self->thread);
}

/* What small_switch() finds on it: six registers, where to go on, and above that what a call would have left. */
static uint64_t make_stack(struct fl_actor_thread *thread)
{
	uint64_t *top = (uint64_t *)(void *)(thread->bytes + STACK_LEN);

	for (int i = 1; i <= 8; i++)
		top[-i] = 0;
	top[-2] = (uintptr_t)be_actor;
	return (uintptr_t)(top - 8);
}

/* parent NULL: a process of its own */
static void begin(struct fl_actor_world *world, struct fl_actor *actor, const struct fl_actor_thread *parent)
{
	struct fl_actor_thread *thread = &threads[actor->head.actor];

	thread->number = parent ? parent->number : actor->head.actor;
	thread->process = parent ? parent->process : &thread->own;
	if (!parent)
		thread->own = (struct fl_actor_process){.world = world, .catches = true};
	for (uint32_t i = 0; !parent && i < FL_SCN_HANDLES_MAX; i++)
		thread->own.fds[i] = -1;
	thread->self = (struct fl_actor_self){.process = thread->process,
					      .actor = actor,
					      .progress = &world->page->progress[actor->head.actor],
					      .thread = thread};
	thread->stack = make_stack(thread);
	thread->wake_ns = 0;
	thread->turn = GOES_ON;
	__atomic_store_n(&actor->state, FL_ACTOR_RUNS, __ATOMIC_RELEASE);
}

void small_actors_start(struct fl_actor_world *world)
{
	for (uint32_t i = 0; i < FL_SCN_ACTORS_MAX; i++)
		if (world->actors[i].loaded && world->actors[i].head.relation == FL_SCN_PROCESS)
			begin(world, &world->actors[i], NULL);
}

struct fl_actor_result fl_actor_op_thread(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	struct fl_actor *actor = &self->process->world->actors[step->n[0]];

	if (!fl_actor_is(actor, FL_ACTOR_WAITS))
		return fl_actor_cannot(EBUSY);
	begin(self->process->world, actor, self->thread);
	return fl_actor_did(0);
}

/* There are no processes to be made; the host does not ask for any. */
struct fl_actor_result fl_actor_op_fork(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	(void)self;
	(void)step;
	return fl_actor_cannot(ENOSYS);
}

/* ---- faults ------------------------------------------------------------------------------- */

/* The highest that is posted for the instruction; it is free from then on. */
static bool take_record(uint64_t rip, struct pvpf_record *record)
{
	for (uint32_t i = PVPF_RECORDS; i-- > 0;) {
		volatile struct pvpf_record *posted = &records[i];

		if (posted->state != PVPF_RECORD_POSTED || posted->rip != rip)
			continue;
		*record = *posted;
		__asm__ volatile("" : : : "memory");
		posted->state = PVPF_RECORD_FREE;
		return true;
	}
	return false;
}

static void set_signal(struct fl_actor_outcome *outcome, int number, int code, uint64_t addr)
{
	outcome->kind = FL_SCN_SIGNAL;
	outcome->value = (uint64_t)number;
	outcome->code = code;
	outcome->addr = addr;
}

/* What Linux without a host below does to who touches such a page; a stock one, if nobody knows which byte it was. */
static void take_cause(const struct pvpf_record *record, struct fl_actor_outcome *outcome)
{
	if (!(record->flags & PVPF_FLAG_GVA)) {
		set_signal(outcome, SIGBUS, SI_KERNEL, 0);
		return;
	}
	if (record->gva != SMALL_WINDOWS + record->gpa)
		small_die("a record names 0x%llx and 0x%llx", (unsigned long long)record->gva,
			  (unsigned long long)record->gpa);
	outcome->cause = (uint16_t)record->cause;
	outcome->access = (uint16_t)record->access;
	switch (record->cause) {
	case PVPF_CAUSE_MEMORY_FAILURE:
		set_signal(outcome, SIGBUS, BUS_MCEERR_AR, record->gva);
		break;
	case PVPF_CAUSE_UNMAPPED:
		set_signal(outcome, SIGSEGV, SEGV_MAPERR, record->gva);
		break;
	case PVPF_CAUSE_NOT_PERMITTED:
		set_signal(outcome, SIGSEGV, SEGV_ACCERR, record->gva);
		break;
	default:
		set_signal(outcome, SIGBUS, BUS_ADRERR, record->gva);
	}
}

static void take_trap(struct fl_actor_outcome *outcome)
{
	struct small_trap trap = small_trap;
	struct pvpf_record record;

	if (trap.vector == PVPF_HOST_VECTOR && take_record(trap.rip, &record))
		take_cause(&record, outcome);
	else if (trap.vector == PVPF_HOST_VECTOR)
		set_signal(outcome, SIGBUS, SI_KERNEL, 0);
	else if (trap.vector == VECTOR_PAGE)
		set_signal(outcome, SIGSEGV, SEGV_MAPERR, trap.cr2);
	else if (trap.vector == VECTOR_PROTECTION)
		set_signal(outcome, SIGSEGV, SI_KERNEL, 0);
	else if (trap.vector == VECTOR_UNDEFINED)
		set_signal(outcome, SIGILL, ILL_ILLOPN, trap.rip);
	else
		set_signal(outcome, SIGTRAP, SI_KERNEL, trap.rip);
}

/* All actors of the process end where they are, as processes do that do not catch a signal. */
static void __attribute__((noreturn)) kill_process(struct fl_actor_thread *killed, uint64_t signal)
{
	for (uint32_t i = 0; i < FL_SCN_ACTORS_MAX; i++) {
		struct fl_actor_thread *thread = &threads[i];
		uint64_t now = fl_now_ns(CLOCK_MONOTONIC);
		const struct fl_actor_outcome outcome = {.kind = FL_SCN_KILLED,
							 .value = signal,
							 .map = FL_SCN_NO_MAP,
							 .cpu = -1,
							 .begin_ns = now,
							 .end_ns = now};

		if (thread->turn != GOES_ON || thread->process != killed->process)
			continue;
		thread->turn = OVER;
		small_abandon(thread);
		small_killed(thread->self.actor->head.actor, (uint32_t)signal);
		if (thread->self.actor->step < thread->self.actor->head.steps)
			(void)fl_actor_record(thread->self.actor, thread->self.actor->step, &outcome);
		set_ended(&thread->self);
	}
	end(killed);
}

struct tried {
	struct fl_actor_self *self;
	const struct fl_actor_step *step;
	struct fl_actor_outcome *outcome;
};

static void try_it(void *arg)
{
	const struct tried *tried = arg;
	struct fl_actor_result result = tried->step->op->run(tried->self, tried->step);

	tried->outcome->kind = result.kind;
	tried->outcome->value = result.value;
}

void fl_actor_try_step(struct fl_actor_self *self, const struct fl_actor_step *step, struct fl_actor_outcome *outcome)
{
	struct tried tried = {.self = self, .step = step, .outcome = outcome};

	small_give_way(0);
	if (small_try(try_it, &tried) == 0)
		return;
	take_trap(outcome);
	fl_actor_locate(self, outcome);
	if (self->actor->head.flags & FL_SCN_ACTOR_FATAL)
		kill_process(self->thread, outcome->value);
}

void small_lost(void)
{
	small_die("exception %u at 0x%llx, of 0x%llx", (unsigned int)small_trap.vector,
		  (unsigned long long)small_trap.rip, (unsigned long long)small_trap.cr2);
}

/* ---- PVPF --------------------------------------------------------------------------------- */

void small_pvpf_init(void)
{
	uint32_t words[4];

	for (uint32_t base = CPUID_FROM; base < CPUID_TO; base += CPUID_STEP) {
		small_cpuid(base, words);
		if (words[1] != PVPF_CPUID_SIG_EBX || words[2] != PVPF_CPUID_SIG_ECX || words[3] != PVPF_CPUID_SIG_EDX)
			continue;
		small_cpuid(base + 1, words);
		small_call(SMALL_CALL_WRMSR, words[2] + PVPF_MSR_CTL, (uintptr_t)records | PVPF_CTL_ENABLE);
		if (words[1] & PVPF_FEAT_IDLE)
			small_idle_msr = words[2] + PVPF_MSR_IDLE;
		return;
	}
	small_die("the host offers no PVPF");
}
