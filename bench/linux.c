/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage: bench_linux LAUNCHER GUEST_DAX
 *
 * SIGBUS in a Linux guest for a page that the host has cut off, against SIGBUS for a page that the guest's own kernel
 * has taken away, in the same loop of the same program (tests/box/guest_figures.c); with records and without.
 */
#include <stdio.h>
#include <string.h>

#include "bench/figures.h"
#include "tests/box/guest_run.h"

struct sigbus {
	double min, median, p99;
	unsigned int count;
};

static bool find(const char *text, const char *name, struct sigbus *sigbus)
{
	char start[64];
	const char *at;

	snprintf(start, sizeof(start), "figure %s ", name);
	at = strstr(text, start);
	return at && sscanf(at + strlen(start), "%lf %lf %lf of %u", &sigbus->min, &sigbus->median, &sigbus->p99,
			    &sigbus->count) == 4;
}

static void sigbus_row(const char *guest, const char *what, const struct sigbus *sigbus, const struct sigbus *native)
{
	row(guest, what, cell("%u", sigbus->count), cell("%.0f", sigbus->min), cell("%.0f", sigbus->median),
	    cell("%.0f", sigbus->p99), cell("%.2f", sigbus->median / native->median), NULL);
}

static bool measure(const struct bench *bench, const char *guest, const char *option)
{
	const char *const options[] = {option, NULL};
	struct sigbus native, first, again;
	struct transcript transcript;
	bool good;

	run_in_guest(bench, options, "figures", &transcript);
	good = transcript.status == 0 && find(transcript.out, "native", &native) &&
	       find(transcript.out, "first", &first) && find(transcript.out, "again", &again);
	if (good) {
		sigbus_row(guest, "of its own kernel", &native, &native);
		sigbus_row(guest, "of the host, first access", &first, &native);
		sigbus_row(guest, "of the host, again", &again, &native);
	} else {
		show(guest, &transcript);
	}
	transcript_free(&transcript);
	return good;
}

int main(int argc, char **argv)
{
	char reason[512];
	struct bench bench;
	bool good;

	if (argc != 3 || !bench_open(&bench, argv[1], argv[2])) {
		fprintf(stderr, "usage: %s LAUNCHER GUEST_DAX\n", argv[0]);
		return 2;
	}
	good = bench_runs_linux(&bench, reason, sizeof(reason));
	if (!good)
		fprintf(stderr, "no Linux guest can run here: %s\n", reason);
	if (good) {
		heading("guest", "SIGBUS", "samples", "min, us", "median, us", "99 %, us", "of its own kernel's", NULL);
		good = measure(&bench, "patched kernel", "-v") && measure(&bench, "without records", "--unpatched");
	}
	bench_close(&bench);
	return good ? 0 : 1;
}
