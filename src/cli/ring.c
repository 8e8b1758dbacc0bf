/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/ring.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void fl_cli_ring_init(struct fl_cli_ring *ring, size_t size, bool of_lines)
{
	*ring = (struct fl_cli_ring){.size = size, .of_lines = of_lines, .wake_fd = -1};
	pthread_mutex_init(&ring->lock, NULL);
}

void fl_cli_ring_fini(struct fl_cli_ring *ring)
{
	pthread_mutex_destroy(&ring->lock);
	free(ring->bytes);
}

void fl_cli_ring_wakes(struct fl_cli_ring *ring, int wake_fd)
{
	pthread_mutex_lock(&ring->lock);
	ring->wake_fd = wake_fd;
	pthread_mutex_unlock(&ring->lock);
}

static void put(struct fl_cli_ring *ring, const char *bytes, size_t len)
{
	if (!ring->bytes && !(ring->bytes = malloc(ring->size)))
		return;
	while (len > 0) {
		size_t offset = (size_t)(ring->end % ring->size);
		size_t piece = len < ring->size - offset ? len : ring->size - offset;

		memcpy(ring->bytes + offset, bytes, piece);
		ring->end += piece;
		bytes += piece;
		len -= piece;
	}
}

void fl_cli_ring_put(struct fl_cli_ring *ring, const void *bytes, size_t len)
{
	uint64_t one = 1;

	pthread_mutex_lock(&ring->lock);
	put(ring, bytes, len);
	/* the counter of an eventfd cannot become so large that this waits: a reader takes it to 0 again */
	if (ring->wake_fd >= 0 && write(ring->wake_fd, &one, sizeof(one)) < 0)
		ring->wake_fd = -1;
	pthread_mutex_unlock(&ring->lock);
}

uint64_t fl_cli_ring_end(struct fl_cli_ring *ring)
{
	pthread_mutex_lock(&ring->lock);
	uint64_t end = ring->end;

	pthread_mutex_unlock(&ring->lock);
	return end;
}

static char byte_at(const struct fl_cli_ring *ring, uint64_t at)
{
	return ring->bytes[at % ring->size];
}

/* The first place that is still there, from `at` on. */
static uint64_t catch_up(const struct fl_cli_ring *ring, uint64_t at)
{
	uint64_t oldest = ring->end > ring->size ? ring->end - ring->size : 0;

	if (at > ring->end)
		return ring->end;
	if (at >= oldest)
		return at;
	if (!ring->of_lines)
		return oldest;
	while (oldest < ring->end && byte_at(ring, oldest) != '\n')
		oldest++;
	return oldest < ring->end ? oldest + 1 : oldest;
}

size_t fl_cli_ring_read(struct fl_cli_ring *ring, uint64_t *at, void *buf, size_t len)
{
	size_t copied = 0;

	pthread_mutex_lock(&ring->lock);
	*at = catch_up(ring, *at);
	while (*at < ring->end && copied < len) {
		size_t offset = (size_t)(*at % ring->size);
		size_t piece = ring->size - offset;

		if (piece > ring->end - *at)
			piece = (size_t)(ring->end - *at);
		if (piece > len - copied)
			piece = len - copied;
		memcpy((char *)buf + copied, ring->bytes + offset, piece);
		copied += piece;
		*at += piece;
	}
	pthread_mutex_unlock(&ring->lock);
	return copied;
}
