/* SPDX-License-Identifier: Apache-2.0 */
/* The memory that the cases run in, in this process, and how locating asks about it. */
#ifndef FL_NATIVE_WORLD_H
#define FL_NATIVE_WORLD_H

#include "tests/native/insn_cases.h"
#include "tests/native/native_run.h"
#include "vcpu/locate.h"

/* Maps the arenas that are possible here and says on stdout what is not. False: nothing can be run. */
bool native_world_init(struct insn_world *world, struct native_run *run);
/* The same memory as another machine has at code and behind the last lost page before low and high; 64-bit code only.
 */
bool native_world_like(struct insn_world *world, uint64_t code, uint64_t low, uint64_t high, uint64_t gs_base);

#define NATIVE_LOST_LEN (24 * 4096u)
#define NATIVE_GOOD_LEN (32 * 4096u)

/* Fresh pages, then the case's bytes where its RIP is, as far as pages are there. */
void native_prepare(const struct insn_world *world, const struct insn_case *c);

/* Are the case's bytes what they were? */
bool native_is_intact(const struct insn_world *world, const struct insn_case *c);

/* Would this access to the byte fail? */
bool native_is_lost(const struct insn_world *world, uint64_t at, enum fl_access access);

/* What src/vcpu says of state: FL_LOCATE_BAD and where. */
enum fl_locate_result native_locate(const struct insn_world *world, const struct insn_state *state,
				    struct fl_location *location);

#endif
