/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Steps through io_uring, one request on a ring of its own: there is no library in a static program's way, and a ring
 * that lives no longer than a step needs nothing of the process.
 */
#include "guest/actor.h"

#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define ENTRIES 1

struct ring {
	int fd;
	struct io_uring_params params;
	uint8_t *queues; /* both of them */
	size_t queues_len;
	struct io_uring_sqe *sqes;
};

static void *map_ring(const struct ring *ring, size_t len, uint64_t offset)
{
	void *at = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring->fd, (off_t)offset);

	return at == MAP_FAILED ? NULL : at;
}

static void ring_close(struct ring *ring)
{
	if (ring->queues)
		munmap(ring->queues, ring->queues_len);
	if (ring->sqes)
		munmap(ring->sqes, ring->params.sq_entries * sizeof(*ring->sqes));
	close(ring->fd);
}

/* 0 or errno. */
static int ring_open(struct ring *ring)
{
	const struct io_uring_params *params = &ring->params;

	*ring = (struct ring){0};
	ring->fd = (int)syscall(SYS_io_uring_setup, ENTRIES, &ring->params);
	if (ring->fd < 0)
		return errno;
	/* one mapping for both queues is there since Linux 5.4 */
	ring->queues_len = FL_MAX(params->sq_off.array + params->sq_entries * sizeof(uint32_t),
				  params->cq_off.cqes + params->cq_entries * sizeof(struct io_uring_cqe));
	ring->queues = map_ring(ring, ring->queues_len, IORING_OFF_SQ_RING);
	ring->sqes = map_ring(ring, params->sq_entries * sizeof(*ring->sqes), IORING_OFF_SQES);
	if (ring->queues && ring->sqes && (params->features & IORING_FEAT_SINGLE_MMAP))
		return 0;
	int error = ring->queues && ring->sqes ? ENOSYS : errno;

	ring_close(ring);
	return error;
}

static uint32_t *word_of(const struct ring *ring, uint32_t offset)
{
	return (uint32_t *)(void *)(ring->queues + offset);
}

/* What the kernel says of the request: as a system call's, with a negative errno. */
static int64_t ring_do(struct ring *ring, const struct io_uring_sqe *request)
{
	uint32_t *sq_tail = word_of(ring, ring->params.sq_off.tail);
	uint32_t *cq_head = word_of(ring, ring->params.cq_off.head);
	uint32_t *cq_tail = word_of(ring, ring->params.cq_off.tail);
	const struct io_uring_cqe *done = (const void *)(ring->queues + ring->params.cq_off.cqes);
	long submitted;

	ring->sqes[0] = *request;
	*word_of(ring, ring->params.sq_off.array) = 0;
	__atomic_store_n(sq_tail, *sq_tail + 1, __ATOMIC_RELEASE);
	submitted = syscall(SYS_io_uring_enter, ring->fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0);
	while (submitted == 1 && __atomic_load_n(cq_tail, __ATOMIC_ACQUIRE) == *cq_head)
		if (syscall(SYS_io_uring_enter, ring->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0 && errno != EINTR)
			return -errno;
	return submitted == 1 ? done->res : submitted < 0 ? -errno : -EIO;
}

static struct fl_actor_result transfer(struct fl_actor_self *self, const struct fl_actor_step *step, uint8_t opcode)
{
	const uint8_t *at = FL_ACTOR_AT_OR_RETURN(&step->n[2], step->n[4]);
	struct io_uring_sqe request;
	struct ring ring;
	int error = ring_open(&ring);

	if (error)
		return fl_actor_cannot(error);
	memset(&request, 0, sizeof(request));
	request.opcode = opcode;
	request.fd = fl_actor_fd(self, step->n[0]);
	request.off = step->n[1];
	request.addr = (uintptr_t)at;
	request.len = (uint32_t)FL_MIN(step->n[4], (uint64_t)INT32_MAX);
	int64_t res = ring_do(&ring, &request);

	ring_close(&ring);
	return res < 0 ? (struct fl_actor_result){.kind = FL_SCN_ERROR, .value = (uint64_t)-res}
		       : fl_actor_did((uint64_t)res);
}

struct fl_actor_result fl_actor_op_uring_read_to(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	return transfer(self, step, IORING_OP_READ);
}

struct fl_actor_result fl_actor_op_uring_write_from(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	return transfer(self, step, IORING_OP_WRITE);
}
