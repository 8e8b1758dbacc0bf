/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage: bench_fs [--rounds N] [--ms N] [--dir DIR] [--virtiofsd PROGRAM] [--only REQUEST]
 *
 * Our virtio-fs server against Debian's virtiofsd (the one in C, of qemu-system-common), without a guest: one driver
 * plays the guest's part on the virtqueues of both. The same requests for the same tree, from the same pages, in rings
 * of the same size, both with EVENT_IDX; the driver sleeps until an interrupt, which is an eventfd, as a guest that has
 * nothing else to do. virtiofsd runs once without a pool of threads, its default, and once with one of 64; a row is
 * held against the one that is faster there. In each round all servers are measured next to each other in time.
 *
 * What the server's CPU time is held against, on the main thread: loops of the system call that a request comes to
 * (fs_bare.h). For SETUPMAPPING the window is measured without the server, too.
 *
 * With 1 request in flight driver and server take turns: they run on one CPU then. On two, what was measured would be
 * how long a CPU that sleeps takes to wake up, for the most part, and that differs from round to round.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>

#include "bench/figures.h"
#include "bench/fs_bare.h"
#include "bench/paired.h"

#define POOL	    64u
#define GOAL	    1.5 /* times virtiofsd */
#define COUNT_LEAST 64u
#define PREFAULTS   100u /* in a round: each takes long */

enum server { OURS, ALONE, POOLED, SERVERS };
enum { DEPTHS = 2 };
static const unsigned int depths[DEPTHS] = {1, FS_SLOTS};

/* One kind of request at one depth, and for each round what it took, in ns for a request. */
struct cellar {
	uint64_t count;
	double ns[SERVERS][PAIRED_ROUNDS_MAX];
	double cpu_ns[SERVERS][PAIRED_ROUNDS_MAX];
	double bare_ns[PAIRED_ROUNDS_MAX];
	double window_ns[PAIRED_ROUNDS_MAX];
	double prefault_ns[PAIRED_ROUNDS_MAX];
};

struct run {
	struct fs_tree tree;
	struct fs_memory memory;
	struct fs_server servers[SERVERS];
	struct fs_work work[SERVERS];
	struct cellar cells[FS_OPS][DEPTHS];
	struct fs_bare bare;
	struct fl_backing *data; /* the file "data", for the window */
	size_t rounds;
	uint64_t slice_ns;
	cpu_set_t all_cpus, one_cpu;
	const char *only; /* what names of requests begin with */
};

/* The first that is asked for from `op` on, or FS_OPS. */
static size_t wanted(const struct run *run, size_t op)
{
	while (op < FS_OPS && strncmp(fs_ops[op].name, run->only, strlen(run->only)) != 0)
		op++;
	return op;
}

/* ---- what there is to be held against ---- */

/* What SETUPMAPPING asks of the window, and nothing else. */
static bool window_map(struct run *run)
{
	uint64_t place = fs_any(&run->bare.numbers, FS_WINDOW_LEN / FL_RANGE_LEN) * FL_RANGE_LEN;
	uint64_t offset = fs_any(&run->bare.numbers, FS_DATA_LEN / FL_RANGE_LEN) * FL_RANGE_LEN;

	return fl_window_map(run->servers[OURS].window, place, FL_RANGE_LEN, run->data, offset, true) == 0;
}

static bool measure_window(struct run *run, uint64_t count, double *ns)
{
	uint64_t began = fs_bare_cpu_ns();

	for (uint64_t i = 0; i < count; i++)
		if (!window_map(run))
			return false;
	*ns = (double)(fs_bare_cpu_ns() - began) / (double)count;
	return true;
}

/* The same with all 512 pages read at once, from the host's page cache. */
static bool measure_prefault(struct run *run, double *ns)
{
	struct fl_window *window = run->servers[OURS].window;
	bool good;

	fl_window_set_prefault(window, true);
	good = measure_window(run, PREFAULTS, ns);
	fl_window_set_prefault(window, false);
	/* or the next ones would have their pages to give back */
	fl_window_unmap_all(window);
	return good;
}

static bool measure_bare(struct run *run, const struct fs_op *op, struct cellar *cellar, size_t round)
{
	if (fs_bare_name(op) && !fs_bare_run(&run->bare, op, cellar->count, &cellar->bare_ns[round]))
		return false;
	return !op->needs_window || (measure_window(run, cellar->count, &cellar->window_ns[round]) &&
				     measure_prefault(run, &cellar->prefault_ns[round]));
}

/* ---- rounds ---- */

static bool measure(struct run *run, size_t op, unsigned int depth, enum server server, size_t round)
{
	struct cellar *cellar = &run->cells[op][depth];
	const struct fs_server *place = &run->servers[server];
	struct fs_spent spent;

	if (fs_ops[op].needs_window && server != OURS)
		return true;
	if (!fs_server_move(place, depths[depth] == 1 ? &run->one_cpu : &run->all_cpus)) {
		fprintf(stderr, "%s: cannot choose CPUs: %s\n", place->name, strerror(errno));
		return false;
	}
	if (!fs_op_run(&run->work[server], &run->servers[server], &fs_ops[op], depths[depth], cellar->count, &spent)) {
		fprintf(stderr, "%s: %s, %u in flight, failed\n", run->servers[server].name, fs_ops[op].name,
			depths[depth]);
		return false;
	}
	cellar->ns[server][round] = (double)spent.ns / (double)cellar->count;
	cellar->cpu_ns[server][round] = (double)spent.cpu_ns / (double)cellar->count;
	return true;
}

/* As many requests as our server needs a slice of time for; all servers get as many. */
static bool choose_count(struct run *run, size_t op, unsigned int depth)
{
	struct cellar *cellar = &run->cells[op][depth];
	uint64_t count_max = fs_ops[op].count_max ? fs_ops[op].count_max : UINT64_MAX / 2;

	for (cellar->count = COUNT_LEAST;; cellar->count *= 2) {
		if (!measure(run, op, depth, OURS, 0))
			return false;
		if (cellar->count * 2 > count_max ||
		    cellar->ns[OURS][0] * (double)cellar->count * 1.5 > (double)run->slice_ns)
			break;
	}
	/* the others have seen it once, too */
	return measure(run, op, depth, ALONE, 0) && measure(run, op, depth, POOLED, 0);
}

static bool run_round(struct run *run, size_t round)
{
	for (size_t op = wanted(run, 0); op < FS_OPS; op = wanted(run, op + 1)) {
		for (unsigned int depth = 0; depth < DEPTHS; depth++) {
			/* each server is first as often as any other */
			for (size_t i = 0; i < SERVERS; i++)
				if (!measure(run, op, depth, (enum server)((i + round) % SERVERS), round))
					return false;
			if (!measure_bare(run, &fs_ops[op], &run->cells[op][depth], round))
				return false;
		}
	}
	fprintf(stderr, "round %zu is done\n", round + 1);
	return true;
}

static bool run_rounds(struct run *run)
{
	for (size_t op = wanted(run, 0); op < FS_OPS; op = wanted(run, op + 1))
		for (unsigned int depth = 0; depth < DEPTHS; depth++)
			if (!choose_count(run, op, depth))
				return false;
	for (size_t round = 0; round < run->rounds; round++)
		if (!run_round(run, round))
			return false;
	return true;
}

/* ---- tables ---- */

static double median_in(const struct run *run, const double *samples)
{
	double sorted[PAIRED_ROUNDS_MAX];

	memcpy(sorted, samples, run->rounds * sizeof(*samples));
	return median_of(sorted, run->rounds);
}

static const char *interval_cell(const struct interval *interval)
{
	return cell("%.2f (%.2f to %.2f)", interval->mid, interval->low, interval->high);
}

static const char *goal_cell(bool met, bool missed)
{
	return met ? "yes" : missed ? "no" : "cannot be told";
}

static void speed_row(const struct run *run, size_t op, unsigned int depth)
{
	const struct cellar *cellar = &run->cells[op][depth];
	enum server other = median_in(run, cellar->ns[POOLED]) < median_in(run, cellar->ns[ALONE]) ? POOLED : ALONE;
	struct interval ratio = ratio_of(cellar->ns[other], cellar->ns[OURS], run->rounds);

	row(fs_ops[op].name, cell("%u", depths[depth]), cell("%.0f", 1e9 / median_in(run, cellar->ns[OURS])),
	    cell("%.0f", 1e9 / median_in(run, cellar->ns[other])), other == POOLED ? cell("%u", POOL) : "none",
	    interval_cell(&ratio), goal_cell(ratio.low >= GOAL, ratio.high < GOAL),
	    cell("%.2f", median_in(run, cellar->cpu_ns[OURS]) / 1000),
	    cell("%.2f", median_in(run, cellar->cpu_ns[other]) / 1000), NULL);
}

static void speed_table(const struct run *run)
{
	heading("request", "in flight", "per s", "virtiofsd's", "its pool", "times virtiofsd", "at least 1.5",
		"CPU time, us", "virtiofsd's, us", NULL);
	for (size_t op = wanted(run, 0); op < FS_OPS; op = wanted(run, op + 1))
		for (unsigned int depth = 0; depth < DEPTHS && !fs_ops[op].needs_window; depth++)
			speed_row(run, op, depth);
}

/* goal: 0 for none */
static void bare_row(const struct run *run, const char *name, const struct cellar *cellar, const char *bare,
		     unsigned int depth, const double *ns, double goal)
{
	struct interval ratio = ratio_of(ns, cellar->bare_ns, run->rounds);

	row(name, depth ? cell("%u", depth) : "", cell("%.2f", median_in(run, ns) / 1000), bare,
	    cell("%.2f", median_in(run, cellar->bare_ns) / 1000), interval_cell(&ratio),
	    goal > 0 ? cell("%.1f", goal) : "", goal > 0 ? goal_cell(ratio.high <= goal, ratio.low > goal) : "", NULL);
}

static void bare_table(const struct run *run)
{
	printf("\n");
	heading("request", "in flight", "CPU time, us", "a loop of", "its CPU time, us", "ratio", "goal", "met", NULL);
	for (size_t op = wanted(run, 0); op < FS_OPS; op = wanted(run, op + 1)) {
		const struct cellar *cells = run->cells[op], *last = &cells[DEPTHS - 1];
		const char *bare = fs_bare_name(&fs_ops[op]);
		double goal = fs_bare_goal(&fs_ops[op]);

		for (unsigned int depth = 0; depth < DEPTHS && bare; depth++)
			bare_row(run, fs_ops[op].name, &cells[depth], bare, depths[depth], cells[depth].cpu_ns[OURS],
				 goal);
		if (!fs_ops[op].needs_window)
			continue;
		bare_row(run, "its window alone", last, bare, 0, last->window_ns, goal);
		bare_row(run, "the same with prefault", last, bare, 0, last->prefault_ns, 0);
	}
}

/* ---- beginning and end ---- */

static const char *text_option(int argc, char **argv, const char *name, const char *otherwise)
{
	for (int i = 1; i + 1 < argc; i++)
		if (strncmp(argv[i], "--", 2) == 0 && strcmp(argv[i] + 2, name) == 0)
			return argv[i + 1];
	return otherwise;
}

static bool open_data(struct run *run)
{
	FL_CLOSE int fd = openat(run->tree.dir_fd, "data", O_RDWR | O_CLOEXEC);

	if (fd < 0 || fl_backing_new(fd, true, &run->data))
		return false;
	(void)fl_steal_fd(&fd);
	return true;
}

static bool start(struct run *run, const char *dir, const char *virtiofsd)
{
	struct fs_server *servers = run->servers;

	if (!fs_tree_make(&run->tree, dir) || !fs_memory_init(&run->memory))
		return false;
	if (!fs_bare_begin(&run->bare, &run->tree, &run->memory))
		return false;
	/* the daemons first: what is forked has no threads */
	if (!fs_server_start_virtiofsd(&servers[ALONE], &run->memory, run->tree.path, virtiofsd, 0) ||
	    !fs_server_start_virtiofsd(&servers[POOLED], &run->memory, run->tree.path, virtiofsd, POOL) ||
	    !fs_server_start_ours(&servers[OURS], &run->memory, run->tree.path))
		return false;
	for (size_t i = 0; i < SERVERS; i++)
		if (!fs_work_begin(&run->work[i], &servers[i], &run->tree))
			return false;
	return open_data(run);
}

static void stop(struct run *run)
{
	for (size_t i = 0; i < SERVERS; i++)
		fs_server_stop(&run->servers[i]);
	fs_bare_end(&run->bare);
	fl_backing_unref(run->data);
	fs_memory_fini(&run->memory);
	fs_tree_remove(&run->tree);
	free(run);
}

/* As many files as the launcher would let a share have; virtiofsd raises its own limit. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static bool find_cpus(struct run *run)
{
	size_t last = CPU_SETSIZE - 1;

	if (sched_getaffinity(0, sizeof(run->all_cpus), &run->all_cpus)) {
		fprintf(stderr, "cannot tell which CPUs there are: %s\n", strerror(errno));
		return false;
	}
	/* not the first: it has the machine's interrupts */
	while (last && !CPU_ISSET(last, &run->all_cpus))
		last--;
	CPU_SET(last, &run->one_cpu);
	return true;
}

static void on_signal(int signal)
{
	(void)signal;
}

/* For ring_wait(): an answer that never comes looks like a hang. */
static void limit_waiting(void)
{
	const struct sigaction action = {.sa_handler = on_signal};
	const struct itimerval every_second = {.it_interval.tv_sec = 1, .it_value.tv_sec = 1};

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &every_second, NULL);
}

int main(int argc, char **argv)
{
	uint64_t rounds = option(argc, argv, "rounds", 15), ms = option(argc, argv, "ms", 50);
	struct run *run = calloc(1, sizeof(*run));
	bool good;

	if (!run || rounds < PAIRED_ROUNDS_MIN || rounds > PAIRED_ROUNDS_MAX || !ms) {
		fprintf(stderr,
			"usage: %s [--rounds N] [--ms N] [--dir DIR] [--virtiofsd PROGRAM] [--only REQUEST], N from %d to %d\n",
			argv[0], PAIRED_ROUNDS_MIN, PAIRED_ROUNDS_MAX);
		return 2;
	}
	limit_waiting();
	raise_limit();
	run->memory.ram.fd = -1;
	run->only = text_option(argc, argv, "only", "");
	run->rounds = rounds;
	run->slice_ns = ms * UINT64_C(1000000);
	good = find_cpus(run) &&
	       start(run, text_option(argc, argv, "dir", "/dev/shm"),
		     text_option(argc, argv, "virtiofsd", "/usr/lib/qemu/virtiofsd")) &&
	       run_rounds(run);
	if (good) {
		speed_table(run);
		bare_table(run);
	}
	stop(run);
	return good ? 0 : 1;
}
