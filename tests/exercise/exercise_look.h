/* SPDX-License-Identifier: Apache-2.0 */
/* Comparisons of an actor's files with its model. False: something differs, and `said` has what. */
#ifndef EXERCISE_LOOK_H
#define EXERCISE_LOOK_H

#include "tests/exercise/exercise_actor.h"

enum ex_way { EX_BY_READ, EX_BY_MAP };

/* For stores and loads through mappings: a signal ends the access, not the process. */
void ex_catch_signals(void);
/* False if a SIGBUS came; `at` is then where. */
bool ex_guarded_copy(void *to, const void *from, size_t len, const uint8_t **at);

/* Bytes that came from offset of a file with `by`. len: no more than there are in the model. */
bool ex_compare(struct ex_actor *actor, unsigned int file, uint64_t offset, const uint8_t *bytes, uint64_t len,
		const char *by);
/* So much of the place as the file has. */
bool ex_look_at(struct ex_actor *actor, unsigned int file, uint64_t offset, uint64_t len, enum ex_way way);
bool ex_look_at_size(struct ex_actor *actor, unsigned int file);
/* Through the mapping: zeros up to the page's end, then SIGBUS. */
bool ex_look_at_end(struct ex_actor *actor, unsigned int file);

/* A system call that ought not to have failed, or not to have done so little. */
bool ex_failed(struct ex_actor *actor, const char *call, unsigned int file, long long result);

#endif
