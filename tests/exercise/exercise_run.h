/* SPDX-License-Identifier: Apache-2.0 */
/* Starts the actors of the exerciser, on this host and in guests, and gives each of them its turns. */
#ifndef EXERCISE_RUN_H
#define EXERCISE_RUN_H

#include <limits.h>

#include "tests/exercise/exercise.h"

#define EX_OPTIONS_MAX 16

struct ex_place {
	enum ex_kernel kernel;
	const char *options[EX_OPTIONS_MAX]; /* for the launcher, besides those for the shares */
	int errors; /* a descriptor for its standard error; 0: only the end of it is kept, in ex_run */
};

struct ex_run {
	struct ex_config config; /* has_zero_range and has_caches are found out */
	struct ex_place places[EX_ACTORS_MAX];
	const char *dir;      /* on the host; the files are made there */
	const char *launcher; /* if there are guests */
	const char *actor;    /* exercise_actor, a static program */
	uint64_t ops_max;     /* it ends after about so many operations */
	unsigned int seconds; /* or after this time; 0: any */
	/* For tests of the exerciser itself: something that is in no plan. */
	void (*meddle)(void *arg, uint64_t turn);
	void *meddle_arg;

	/* afterwards */
	uint64_t turns;
	uint64_t ops;
	uint64_t took_ms;
	char *said;   /* of the actor that saw a difference, NULL without one; to be freed */
	char *errors; /* the end of what it wrote to standard error; to be freed */
};

/* True if all that was seen was as it had to be. */
bool ex_run(struct ex_run *run);
void ex_run_free(struct ex_run *run);

#endif
