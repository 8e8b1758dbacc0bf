/* SPDX-License-Identifier: Apache-2.0 */
/* System calls without files, signals, processes, and going idle. */
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "bench/guest_ops.h"

/* long enough for the guest to be idle in between, with all that goes with it */
#define SLEEP_NS 2000000

static struct {
	int zero, own[2], there[2], back[2], timer;
	pid_t peer;
	char *forbidden;
	uint32_t futex;
} state;

static void run_getpid(unsigned int count)
{
	while (count--)
		syscall(SYS_getpid);
}

/* the system call: the vDSO's clock never enters the kernel */
static void run_clock(unsigned int count)
{
	struct timespec now;

	while (count--)
		syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
}

static void open_zero(void)
{
	state.zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	need(state.zero >= 0, "/dev/zero");
}

static void run_zero(unsigned int count)
{
	char byte;

	while (count--)
		need(read(state.zero, &byte, 1) == 1, "read of /dev/zero");
}

static void close_zero(void)
{
	close(state.zero);
}

static void open_own(void)
{
	need(pipe2(state.own, O_CLOEXEC) == 0, "pipe");
}

static void run_own(unsigned int count)
{
	char byte = 'x';

	while (count--)
		need(write(state.own[1], &byte, 1) == 1 && read(state.own[0], &byte, 1) == 1, "pipe");
}

static void close_own(void)
{
	close(state.own[0]);
	close(state.own[1]);
}

static void serve_echo(void)
{
	char byte;

	close(state.there[1]);
	close(state.back[0]);
	while (read(state.there[0], &byte, 1) == 1)
		if (write(state.back[1], &byte, 1) != 1)
			break;
	_exit(0);
}

static void open_peer(void)
{
	need(pipe2(state.there, O_CLOEXEC) == 0 && pipe2(state.back, O_CLOEXEC) == 0, "pipe");
	state.peer = fork();
	need(state.peer >= 0, "fork");
	if (state.peer == 0)
		serve_echo();
	close(state.there[0]);
	close(state.back[1]);
}

static void run_peer(unsigned int count)
{
	char byte = 'x';

	while (count--)
		need(write(state.there[1], &byte, 1) == 1 && read(state.back[0], &byte, 1) == 1, "echo");
}

static void close_peer(void)
{
	close(state.there[1]);
	close(state.back[0]);
	waitpid(state.peer, NULL, 0);
}

static void run_fork(unsigned int count)
{
	while (count--) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		need(pid > 0 && waitpid(pid, NULL, 0) == pid, "fork");
	}
}

static void on_nothing(int number)
{
	(void)number;
}

static void catch_usr1(void)
{
	struct sigaction action = {.sa_handler = on_nothing};

	need(sigaction(SIGUSR1, &action, NULL) == 0, "sigaction");
}

static void run_signal(unsigned int count)
{
	pid_t pid = getpid();

	while (count--)
		syscall(SYS_kill, pid, SIGUSR1);
}

#define LOAD_LEN 2 /* 8a 00: movb (%rax), %al */

static void on_segv(int number, siginfo_t *info, void *context)
{
	ucontext_t *interrupted = context;

	(void)number;
	(void)info;
	interrupted->uc_mcontext.gregs[REG_RIP] += LOAD_LEN;
}

static void catch_segv(void)
{
	struct sigaction action = {.sa_sigaction = on_segv, .sa_flags = SA_SIGINFO};

	state.forbidden = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	need(state.forbidden != MAP_FAILED && sigaction(SIGSEGV, &action, NULL) == 0, "SIGSEGV");
}

static void run_segv(unsigned int count)
{
	while (count--) {
		void *at = state.forbidden;

		asm volatile(".byte 0x8a, 0x00" : "+a"(at) : : "memory");
	}
}

static void leave_segv(void)
{
	signal(SIGSEGV, SIG_DFL);
	munmap(state.forbidden, PAGE);
}

static void run_futex(unsigned int count)
{
	while (count--)
		syscall(SYS_futex, &state.futex, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0);
}

static void open_timer(void)
{
	state.timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	need(state.timer >= 0, "timerfd");
}

/* From when the timer is due until the program runs again. */
static uint64_t idle_ticks(unsigned int count)
{
	uint64_t late_ns = 0, expirations;

	for (unsigned int i = 0; i < count; i++) {
		struct itimerspec due = {0};
		struct timespec now;

		clock_gettime(CLOCK_MONOTONIC, &due.it_value);
		due.it_value.tv_nsec += SLEEP_NS;
		if (due.it_value.tv_nsec >= 1000000000) {
			due.it_value.tv_nsec -= 1000000000;
			due.it_value.tv_sec++;
		}
		need(timerfd_settime(state.timer, TFD_TIMER_ABSTIME, &due, NULL) == 0 &&
			     read(state.timer, &expirations, sizeof(expirations)) == sizeof(expirations),
		     "timerfd");
		clock_gettime(CLOCK_MONOTONIC, &now);
		late_ns += (uint64_t)((now.tv_sec - due.it_value.tv_sec) * 1000000000 + now.tv_nsec -
				      due.it_value.tv_nsec);
	}
	return (uint64_t)((double)late_ns * (double)ticks_per_s / 1e9);
}

static void close_timer(void)
{
	close(state.timer);
}

const struct op call_ops[] = {
	{"getpid", 500, NULL, run_getpid, NULL, NULL},
	{"clock", 300, NULL, run_clock, NULL, NULL},
	{"read-zero", 300, open_zero, run_zero, NULL, close_zero},
	{"pipe", 150, open_own, run_own, NULL, close_own},
	{"futex-wake", 400, NULL, run_futex, NULL, NULL},
	{"switch", 20, open_peer, run_peer, NULL, close_peer},
	{"fork-exit", 3, NULL, run_fork, NULL, NULL},
	{"signal", 100, catch_usr1, run_signal, NULL, NULL},
	{"sigsegv", 100, catch_segv, run_segv, NULL, leave_segv},
	{"idle", 2, open_timer, NULL, idle_ticks, close_timer},
	{NULL, 0, NULL, NULL, NULL, NULL},
};
