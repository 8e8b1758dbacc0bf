/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fs/ring.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE_LEN  4096u
#define WAITS_MAX 30u

static uint64_t page_up(uint64_t len)
{
	return (len + PAGE_LEN - 1) & ~(uint64_t)(PAGE_LEN - 1);
}

static uint64_t avail_offset(unsigned int size)
{
	return page_up(sizeof(struct vring_desc) * size);
}

/* virtio 1.2, 2.7: flags, idx, the entries, and one index for events */
static uint64_t used_offset(unsigned int size)
{
	return avail_offset(size) + page_up(6 + 2ull * size);
}

uint64_t ring_len(unsigned int size)
{
	return used_offset(size) + page_up(6 + 8ull * size);
}

void ring_init(struct ring *ring, unsigned int size, void *mem, uint64_t gpa)
{
	uint8_t *bytes = mem;

	*ring = (struct ring){
		.vring = {.num = size,
			  .desc = mem,
			  .avail = (void *)(bytes + avail_offset(size)),
			  .used = (void *)(bytes + used_offset(size))},
		.desc_gpa = gpa,
		.avail_gpa = gpa + avail_offset(size),
		.used_gpa = gpa + used_offset(size),
		.kick_fd = -1,
		.call_fd = -1,
	};
}

bool ring_offer(struct ring *ring, uint16_t head)
{
	struct vring *vring = &ring->vring;
	const uint64_t one = 1;
	uint16_t before = ring->avail_idx++, event;

	vring->avail->ring[before & (vring->num - 1)] = head;
	__atomic_store_n(&vring->avail->idx, ring->avail_idx, __ATOMIC_RELEASE);
	/* 2.7.13.4: the index must be out before the device's wish is read */
	__sync_synchronize();
	event = __atomic_load_n(&vring_avail_event(vring), __ATOMIC_RELAXED);
	return !vring_need_event(event, ring->avail_idx, before) || write(ring->kick_fd, &one, sizeof(one)) > 0;
}

bool ring_take(struct ring *ring, uint32_t *head, uint32_t *len)
{
	const struct vring_used *used = ring->vring.used;
	const struct vring_used_elem *elem = &used->ring[ring->used_seen & (ring->vring.num - 1)];

	if (__atomic_load_n(&used->idx, __ATOMIC_ACQUIRE) == ring->used_seen)
		return false;
	*head = elem->id;
	*len = elem->len;
	ring->used_seen++;
	return true;
}

void ring_disable_calls(struct ring *ring)
{
	/* an index that has just been passed: the next wrap is far away */
	__atomic_store_n(&vring_used_event(&ring->vring), (uint16_t)(ring->used_seen - 1), __ATOMIC_RELAXED);
}

bool ring_enable_calls(struct ring *ring)
{
	__atomic_store_n(&vring_used_event(&ring->vring), ring->used_seen, __ATOMIC_RELAXED);
	__sync_synchronize();
	return __atomic_load_n(&ring->vring.used->idx, __ATOMIC_ACQUIRE) == ring->used_seen;
}

static bool a_child_has_ended(void)
{
	siginfo_t info = {0};

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid;
}

bool ring_wait(const struct ring *ring)
{
	uint64_t count;

	for (unsigned int i = 0; i < WAITS_MAX; i++) {
		if (read(ring->call_fd, &count, sizeof(count)) == sizeof(count))
			return true;
		if (errno != EINTR || a_child_has_ended())
			return false;
	}
	return false;
}
