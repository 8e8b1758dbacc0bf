/* SPDX-License-Identifier: Apache-2.0 */
/* Steps with mappings that are system calls: but for FUTEX none of them touches what is mapped. */
#include "guest/actor.h"

#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>

static int protection(uint64_t flags)
{
	return (flags & FL_SCN_MAP_READ ? PROT_READ : 0) | (flags & FL_SCN_MAP_WRITE ? PROT_WRITE : 0) |
	       (flags & FL_SCN_MAP_EXEC ? PROT_EXEC : 0);
}

struct fl_actor_result fl_actor_op_map(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	struct fl_actor_map *map = &self->process->maps[step->n[0]];
	int flags = step->n[4] & FL_SCN_MAP_PRIVATE ? MAP_PRIVATE : MAP_SHARED;
	void *at;

	if (map->at)
		return fl_actor_cannot(EEXIST);
	if (step->n[4] & FL_SCN_MAP_POPULATE)
		flags |= MAP_POPULATE;
	at = mmap(NULL, step->n[3], protection(step->n[4]), flags, self->process->fds[step->n[1]], (off_t)step->n[2]);
	if (at == MAP_FAILED)
		return fl_actor_called(-1);
	*map = (struct fl_actor_map){.at = at, .len = fl_align_up(step->n[3], FL_PAGE_LEN)};
	return fl_actor_did((uintptr_t)at);
}

struct fl_actor_result fl_actor_op_unmap(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	struct fl_actor_map *map = &self->process->maps[step->n[0]];
	struct fl_actor_map gone = *map;

	if (!map->at)
		return fl_actor_cannot(EBADF);
	*map = (struct fl_actor_map){0};
	return fl_actor_called(munmap(gone.at, gone.len));
}

/* These take whole pages; the kernel says if they are not. */
struct fl_actor_result fl_actor_op_msync(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	uint8_t *at = FL_ACTOR_AT_OR_RETURN(step->n, step->n[2]);

	return fl_actor_called(msync(at, step->n[2], MS_SYNC));
}

struct fl_actor_result fl_actor_op_mlock(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	const uint8_t *at = FL_ACTOR_AT_OR_RETURN(step->n, step->n[2]);

	return fl_actor_called(mlock(at, step->n[2]));
}

struct fl_actor_result fl_actor_op_madvise(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	uint8_t *at = FL_ACTOR_AT_OR_RETURN(step->n, step->n[2]);

	return fl_actor_called(madvise(at, step->n[2], (int)step->n[3]));
}

/* Should it be that value after all, there is no time to wait: ETIMEDOUT. */
struct fl_actor_result fl_actor_op_futex(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	const struct timespec at_once = {0};
	uint8_t *at = FL_ACTOR_AT_OR_RETURN(step->n, 4);

	return fl_actor_called(syscall(SYS_futex, at, FUTEX_WAIT, 0x5eedf00du, &at_once, NULL, 0));
}

struct fl_actor_result fl_actor_op_mprotect(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	uint8_t *at = FL_ACTOR_AT_OR_RETURN(step->n, step->n[2]);

	return fl_actor_called(mprotect(at, step->n[2], protection(step->n[3])));
}

/* The mapping keeps its name and length: what touches the hole gets SIGSEGV at a place in it. */
struct fl_actor_result fl_actor_op_unmap_part(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	uint8_t *at = FL_ACTOR_AT_OR_RETURN(step->n, step->n[2]);

	return fl_actor_called(munmap(at, step->n[2]));
}

/* Another thread that is at the old address finds nothing there. */
struct fl_actor_result fl_actor_op_remap(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	struct fl_actor_map *map = &self->process->maps[step->n[0]];
	void *room, *at;

	if (!map->at)
		return fl_actor_cannot(EBADF);
	room = mmap(NULL, map->len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (room == MAP_FAILED)
		return fl_actor_called(-1);
	at = mremap(map->at, map->len, map->len, MREMAP_MAYMOVE | MREMAP_FIXED, room);
	if (at == MAP_FAILED) {
		struct fl_actor_result result = fl_actor_called(-1);

		munmap(room, map->len);
		return result;
	}
	map->at = at;
	return fl_actor_did(0);
}
