/* SPDX-License-Identifier: Apache-2.0 */
/* Who else is hit by a lost page: nobody. Processes beside each other, CPUs at once, and a long stress. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/box/guest_dax.h"

#define STRESS_PAGES   64
#define STRESS_THREADS 4

static void load_page_1(uint8_t *map)
{
	(void)*(volatile uint8_t *)(map + PAGE);
}

static void load_page_2(uint8_t *map)
{
	(void)*(volatile uint8_t *)(map + 2 * PAGE);
}

static const char *wait_text(int wait_status, char text[64])
{
	if (WIFSIGNALED(wait_status))
		snprintf(text, 64, "died of signal %d", WTERMSIG(wait_status));
	else
		snprintf(text, 64, "exit %d", WEXITSTATUS(wait_status));
	return text;
}

static void die_without_handler(const struct test_file *file)
{
	signal(SIGBUS, SIG_DFL);
	load_page_1(file->map);
	_exit(0);
}

/* The handler's frame cannot be put on a stack that is lost itself: the kernel has only SIGSEGV left. */
static void die_on_lost_stack(const struct test_file *file)
{
	asm volatile("movq %0, %%rsp\n\tpushq $0" : : "r"(file->map + 3 * PAGE) : "memory");
	_exit(0);
}

static void run_child(const char *name, void (*fn)(const struct test_file *file))
{
	struct test_file file = open_file(name, FILE_PAGES);
	char text[64];
	int wait_status = 0;

	ask("truncate", name, PAGE);
	pid_t pid = fork();

	if (pid == 0)
		fn(&file);
	waitpid(pid, &wait_status, 0);
	say("case %s: %s", name, wait_text(wait_status, text));
	close_file(&file);
}

/* Reads its own file until told to end; exit 0 if it never saw anything but what is in it. */
static void __attribute__((noreturn)) bystander(const struct test_file *file, int started, int stop)
{
	unsigned long rounds = 0;
	char byte = 1;

	signal(SIGBUS, SIG_DFL);
	for (;; rounds++) {
		for (size_t at = 0; at < file->len; at += 512)
			if (*(volatile uint64_t *)(file->map + at) != pattern_word(at))
				_exit(1);
		if (rounds == 0 && write(started, &byte, 1) != 1)
			_exit(2);
		if (rounds > 0 && read(stop, &byte, 1) == 0)
			_exit(0);
	}
}

static void run_two_processes(void)
{
	struct test_file lost = open_file("lost", FILE_PAGES);
	struct test_file kept = open_file("kept", FILE_PAGES);
	int started[2], stop[2];
	int wait_status = 0;
	char byte, text[96], other[64];

	if (pipe(started) < 0 || pipe2(stop, O_NONBLOCK) < 0)
		return;
	pid_t pid = fork();

	if (pid == 0) {
		close(stop[1]);
		bystander(&kept, started[1], stop[0]);
	}
	if (read(started[0], &byte, 1) != 1)
		say("case two_processes: the other one did not start");
	ask("truncate", lost.name, PAGE);
	const char *here = caught_text(try_access(load_page_1, lost.map), lost.map, text);

	close(stop[1]);
	waitpid(pid, &wait_status, 0);
	say("case two_processes: this one %s; the other one %s", here, wait_text(wait_status, other));
	close_file(&lost);
	close_file(&kept);
}

struct at_once {
	pthread_barrier_t *barrier;
	struct test_file *file;
	int cpu;
	struct caught caught;
};

static void *touch_at_once(void *arg)
{
	struct at_once *at_once = arg;
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET((size_t)at_once->cpu, &cpus);
	/* with one CPU alone this is still a test of two threads */
	sched_setaffinity(0, sizeof(cpus), &cpus);
	pthread_barrier_wait(at_once->barrier);
	at_once->caught = try_access(at_once->cpu ? load_page_2 : load_page_1, at_once->file->map);
	return NULL;
}

static void run_two_cpus(const char *name)
{
	struct test_file file = open_file(name, FILE_PAGES);
	pthread_barrier_t barrier;
	struct at_once threads[2];
	pthread_t ids[2];
	char text[2][96];

	pthread_barrier_init(&barrier, NULL, 2);
	ask("truncate", name, PAGE);
	for (int i = 0; i < 2; i++) {
		threads[i] = (struct at_once){.barrier = &barrier, .file = &file, .cpu = i};
		pthread_create(&ids[i], NULL, touch_at_once, &threads[i]);
	}
	for (int i = 0; i < 2; i++)
		pthread_join(ids[i], NULL);
	say("case %s: %s; %s", name, caught_text(threads[0].caught, file.map, text[0]),
	    caught_text(threads[1].caught, file.map, text[1]));
	close_file(&file);
}

void run_process_cases(void)
{
	run_child("no_handler", die_without_handler);
	run_child("lost_stack", die_on_lost_stack);
	run_two_processes();
	for (int i = 0; i < 8; i++) {
		char name[16];

		snprintf(name, sizeof(name), "two_cpus_%d", i);
		run_two_cpus(name);
	}
}

struct stress {
	struct test_file *file;
	atomic_bool *stop;
	unsigned int seed;
	unsigned long good, zeros, signals, wrong;
};

struct stress_read {
	size_t offset;
	uint64_t word;
};
/* try_access() hands only the mapping on */
static __thread struct stress_read stress_read;

static void read_word(uint8_t *map)
{
	stress_read.word = *(volatile uint64_t *)(map + stress_read.offset);
}

/* The host fills a page byte by byte: a word may be half there yet, but no byte is ever anything else. */
static bool is_partly_filled(uint64_t word, uint64_t pattern)
{
	for (unsigned int shift = 0; shift < 64; shift += 8) {
		uint8_t byte = (uint8_t)(word >> shift);

		if (byte && byte != (uint8_t)(pattern >> shift))
			return false;
	}
	return true;
}

static void *read_all_the_time(void *arg)
{
	struct stress *stress = arg;

	while (!atomic_load(stress->stop)) {
		stress_read.offset = (size_t)(rand_r(&stress->seed)) % (STRESS_PAGES * PAGE / 8) * 8;
		struct caught caught = try_access(read_word, stress->file->map);
		uintptr_t at = (uintptr_t)stress->file->map + stress_read.offset;

		if (caught.signal == SIGBUS && caught.code == BUS_ADRERR && caught.addr == at) {
			stress->signals++;
			fresh_size(stress->file);
		} else if (caught.signal) {
			stress->wrong++;
		} else if (stress_read.word == pattern_word(stress_read.offset)) {
			stress->good++;
		} else if (is_partly_filled(stress_read.word, pattern_word(stress_read.offset))) {
			stress->zeros++;
		} else {
			stress->wrong++;
		}
	}
	return NULL;
}

void run_stress(void)
{
	struct test_file file = open_file("stress", STRESS_PAGES);
	struct stress threads[STRESS_THREADS];
	struct stress sum = {0};
	pthread_t ids[STRESS_THREADS];
	atomic_bool stop = false;

	for (unsigned int i = 0; i < STRESS_THREADS; i++) {
		threads[i] = (struct stress){.file = &file, .stop = &stop, .seed = i + 1};
		pthread_create(&ids[i], NULL, read_all_the_time, &threads[i]);
	}
	ask("stress", file.name, STRESS_PAGES);
	atomic_store(&stop, true);
	for (int i = 0; i < STRESS_THREADS; i++) {
		pthread_join(ids[i], NULL);
		sum.good += threads[i].good;
		sum.zeros += threads[i].zeros;
		sum.signals += threads[i].signals;
		sum.wrong += threads[i].wrong;
	}
	say("stress good=%lu zeros=%lu sigbus=%lu wrong=%lu", sum.good, sum.zeros, sum.signals, sum.wrong);
	close_file(&file);
}
