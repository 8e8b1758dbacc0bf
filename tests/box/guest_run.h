/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs guest_dax (guest_dax.h), or any command, through the launcher or on this host itself, does what it
 * asks for, and collects what it says.
 */
#ifndef GUEST_RUN_H
#define GUEST_RUN_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define GUEST_ARGS_MAX	   120
#define GUEST_TIME_LIMIT_S "240"

/*
 * In the environment, where the guest's kernel checks itself (scripts/test --guest-kernel): how many seconds a guest
 * of run_guest() may take instead, and a directory for what its kernel said. And what a kernel has to be told to run
 * here at all; -p of a test itself replaces it.
 */
#define GUEST_TIME_LIMIT_VARIABLE "FAULTLINE_TEST_GUEST_LIMIT_S"
#define GUEST_CONSOLES_VARIABLE	  "FAULTLINE_TEST_CONSOLES"
#define GUEST_PARAMETERS_VARIABLE "FAULTLINE_TEST_PARAMETERS"
#define AFTER_GUEST_S		  50 /* what a test has left when its guest's time is over */

/* What main() was given, and a scratch directory on a file system of memory. */
struct bench {
	char launcher[PATH_MAX];
	char program[PATH_MAX];	    /* guest_dax on this host */
	char program_dir[PATH_MAX]; /* its directory */
	char stock_kernel[PATH_MAX];
	char scratch[PATH_MAX];
	char data[PATH_MAX]; /* the shared directory, in scratch */
	bool read_only;	     /* for the guest */
	/* What is asked for besides what guest_dax.h lists, of an open file; negative if it could not be done. */
	long long (*serve)(void *arg, const char *request, int fd, uint64_t number);
	void *serve_arg;
};

struct transcript {
	int status; /* as a shell tells it: the exit status, or 128 + signal */
	char *out;  /* standard output without the requests */
	size_t out_len;
	char *err;
	size_t err_len;
};

/* False, with a line on standard output, if the directories cannot be made. */
bool bench_open(struct bench *bench, const char *launcher, const char *program);
void bench_close(struct bench *bench);

/* Does this host run Linux guests? Its reason otherwise. */
bool bench_runs_linux(const struct bench *bench, char *reason, size_t reason_len);

/* For guests that are not started by run_guest(): its options for this kernel, at most 6; returns the new argc. */
size_t add_kernel_options(const char **argv, size_t argc);

/* Of GUEST_PARAMETERS_VARIABLE, "" if there are none. */
const char *guest_parameters(void);

/*
 * argv: the whole command line; serves requests for files in bench->data until its output ends. "LAUNCHER run" gets
 * guest_parameters() too.
 */
void run_command(const struct bench *bench, const char *const *argv, struct transcript *transcript);

/*
 * launcher run OPTION... -- COMMAND..., both of them ending with NULL and no more than GUEST_ARGS_MAX in all, within
 * guest_time_limit_s(). name: of this guest, for the file of its console if that is to be kept.
 */
void run_guest(const struct bench *bench, const char *const *options, const char *const *command, const char *name,
	       struct transcript *transcript);

/* run_guest() of /tmp/bin/guest_dax /tmp/data MODE, or guest_dax DATA MODE */
void run_in_guest(const struct bench *bench, const char *const *options, const char *mode,
		  struct transcript *transcript);
/* GUEST_TIME_LIMIT_S or what GUEST_TIME_LIMIT_VARIABLE says */
const char *guest_time_limit_s(void);
void run_on_host(const struct bench *bench, const char *mode, struct transcript *transcript);

void transcript_free(struct transcript *transcript);

/* How many lines have `part` in them; one that begins with or goes on after a newline counts where it begins. */
unsigned int lines_with(const char *text, const char *part);

/* Is it the same text? The lines that differ are printed, side by side. */
bool same_lines(const char *expected, const char *seen);

/* What was seen, as TAP comments: for a test that failed. */
void show(const char *title, const struct transcript *transcript);

struct CMUnitTest;
/*
 * What main() of a test program does: LAUNCHER GUEST_DAX [TEST]. Skips all with the reason where no Linux
 * guest can run. The tests' state is the bench.
 */
int bench_main(int argc, char **argv, const struct CMUnitTest *tests, size_t count);

#endif
