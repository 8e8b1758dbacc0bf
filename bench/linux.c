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
	double min, median, p99, per_s;
	unsigned int count;
};

/* What the guests said, for two tables. */
struct seen {
	const char *guest;
	struct sigbus native, first, again;
};

static const char *find(const char *text, const char *what, const char *name)
{
	char start[64];
	const char *at;

	snprintf(start, sizeof(start), "%s %s ", what, name);
	at = strstr(text, start);
	return at ? at + strlen(start) : "";
}

static bool read_sigbus(const char *text, const char *name, struct sigbus *sigbus)
{
	return sscanf(find(text, "figure", name), "%lf %lf %lf of %u", &sigbus->min, &sigbus->median, &sigbus->p99,
		      &sigbus->count) == 4 &&
	       sscanf(find(text, "rate", name), "%lf", &sigbus->per_s) == 1;
}

static void sigbus_row(const char *guest, const char *what, const struct sigbus *sigbus, const struct sigbus *native)
{
	row(guest, what, cell("%u", sigbus->count), cell("%.0f", sigbus->min), cell("%.0f", sigbus->median),
	    cell("%.0f", sigbus->p99), cell("%.2f", sigbus->median / native->median), NULL);
}

static void rate_row(const char *guest, const char *what, const struct sigbus *sigbus, const struct sigbus *native)
{
	row(guest, what, cell("%.0f", sigbus->per_s), cell("%.3f", sigbus->per_s / native->per_s), NULL);
}

static bool measure(const struct bench *bench, struct seen *seen, const char *option)
{
	const char *const options[] = {option, NULL};
	struct transcript transcript;
	bool good;

	run_in_guest(bench, options, "figures", &transcript);
	good = transcript.status == 0 && read_sigbus(transcript.out, "native", &seen->native) &&
	       read_sigbus(transcript.out, "first", &seen->first) && read_sigbus(transcript.out, "again", &seen->again);
	if (!good)
		show(seen->guest, &transcript);
	transcript_free(&transcript);
	return good;
}

static void times_table(const struct seen *seen, size_t count)
{
	heading("guest", "SIGBUS", "samples", "min, us", "median, us", "99 %, us", "of its own kernel's", NULL);
	for (size_t i = 0; i < count; i++, seen++) {
		sigbus_row(seen->guest, "of its own kernel", &seen->native, &seen->native);
		sigbus_row(seen->guest, "of the host, first access", &seen->first, &seen->native);
		sigbus_row(seen->guest, "of the host, again", &seen->again, &seen->native);
	}
}

static void rates_table(const struct seen *seen, size_t count)
{
	printf("\n");
	heading("guest", "SIGBUS", "per s", "of its own kernel's", NULL);
	for (size_t i = 0; i < count; i++, seen++) {
		rate_row(seen->guest, "of its own kernel", &seen->native, &seen->native);
		rate_row(seen->guest, "of the host, first access", &seen->first, &seen->native);
		rate_row(seen->guest, "of the host, again", &seen->again, &seen->native);
	}
}

int main(int argc, char **argv)
{
	struct seen seen[] = {{.guest = "patched kernel"}, {.guest = "without records"}};
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
	good = good && measure(&bench, &seen[0], "-v") && measure(&bench, &seen[1], "--unpatched");
	if (good) {
		times_table(seen, 2);
		rates_table(seen, 2);
	}
	bench_close(&bench);
	return good ? 0 : 1;
}
