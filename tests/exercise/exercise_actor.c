/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An actor of the exerciser (exercise.h). It says "done 0" when it is ready, and is told on standard input:
 *
 *	turn N	it is its turn: "done OPERATIONS" is the answer
 *	end N	N turns are over: the last look at all files, then "done OPERATIONS" and the end
 *
 * Anything else that it says is a difference, after which it ends.
 *
 * usage: exercise_actor DIR CONFIG SELF [cache]
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/exercise/exercise_look.h"

static void skip_to(struct ex_model *model, uint64_t *next, uint64_t turn)
{
	while (*next < turn)
		ex_skip_turn(model, (*next)++);
}

static bool take_turn(struct ex_actor *actor, uint64_t number)
{
	struct ex_turn turn = ex_turn(&actor->model.config, number);

	if (turn.actor != actor->self) {
		fprintf(actor->said, "turn %" PRIu64 " is actor %u's\n", number, turn.actor);
		return false;
	}
	if (!ex_look(actor))
		return false;
	for (unsigned int i = 0; i < turn.op_count; i++) {
		struct ex_op op = ex_next_op(&actor->model, &turn);

		if (!ex_do(actor, &op))
			return false;
	}
	return (!turn.look_at_all || ex_look_at_all(actor)) && ex_hand_over(actor);
}

static void say_done(const struct ex_actor *actor)
{
	printf("done %" PRIu64 "\n", actor->model.ops);
	fflush(stdout);
}

static bool serve(struct ex_actor *actor)
{
	uint64_t next = 0, number;
	char line[64], request[8];

	say_done(actor);
	while (fgets(line, sizeof(line), stdin)) {
		if (sscanf(line, "%7s %" SCNu64, request, &number) != 2)
			return false;
		skip_to(&actor->model, &next, number);
		bool is_end = strcmp(request, "end") == 0;
		bool good = is_end ? ex_look(actor) && ex_look_at_all(actor) : take_turn(actor, number);

		if (!good) {
			fprintf(actor->said, "actor %u, in turn %" PRIu64 " (%s)\n", actor->self, number, request);
			return false;
		}
		next += !is_end;
		say_done(actor);
		if (is_end)
			return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	static struct ex_actor actor;
	struct ex_config config;

	if (argc != 5 || !ex_config_parse(argv[2], &config) || !ex_kernel_parse(argv[4], &actor.kernel)) {
		fprintf(stderr, "usage: exercise_actor DIR CONFIG SELF host|dax|stock|cached\n");
		return 2;
	}
	actor.said = stdout;
	actor.self = (unsigned int)strtoul(argv[3], NULL, 10);
	ex_catch_signals();
	if (chdir(argv[1]) < 0 || !ex_model_init(&actor.model, &config)) {
		perror("exercise_actor");
		return 2;
	}
	bool good = ex_actor_open(&actor) && serve(&actor);

	fflush(stdout);
	ex_actor_close(&actor);
	ex_model_free(&actor.model);
	return good ? 0 : 1;
}
