/* SPDX-License-Identifier: Apache-2.0 */
#include "virtq_echo.h"

#define BUDGET 64u /* chains in one go */

static void shadow_put(struct machine *m, uint64_t gpa, uint64_t value, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i++)
		m->shadow[gpa - RAM_GPA + i] = (uint8_t)(value >> 8 * i);
}

void echo_complete(struct machine *m, unsigned int index, uint16_t head, uint32_t written_len)
{
	const struct fl_virtq *vq = fl_virtio_queue(m->dev, index);
	struct model_queue *queue = &m->expected[index];
	uint64_t entry = vq->used_gpa + 4 + 8ull * (queue->used_idx & (vq->size - 1u));

	if (queue->ready && !fl_virtio_is_broken(m->dev)) {
		shadow_put(m, entry, head, 4);
		shadow_put(m, entry + 4, written_len, 4);
		shadow_put(m, vq->used_gpa + 2, ++queue->used_idx, 2);
	}
	fl_virtio_complete(m->dev, index, head, written_len);
}

static int64_t echo_read(struct machine *m, uint64_t offset, size_t len)
{
	int64_t expected = model_copy(&m->model, &m->chain, false, offset, len, m->gpas);
	int64_t got = fl_chain_read(&m->model.guest.map, &m->chain, offset, m->bytes, len);

	FUZZ_CHECK(got == expected);
	for (int64_t i = 0; i < got; i++)
		if (model_is_ram(m->gpas[i]))
			FUZZ_CHECK(m->bytes[i] == m->shadow[m->gpas[i] - RAM_GPA]);
	return got;
}

static int64_t echo_write(struct machine *m, uint64_t offset, size_t len)
{
	int64_t expected = model_copy(&m->model, &m->chain, true, offset, len, m->gpas);
	int64_t got;

	for (size_t i = 0; i < len; i++)
		m->bytes[i] = (uint8_t)(i * 31 + m->chain.head);
	got = fl_chain_write(&m->model.guest.map, &m->chain, offset, m->bytes, len);
	FUZZ_CHECK(got == expected);
	for (int64_t i = 0; i < got; i++)
		if (model_is_ram(m->gpas[i]))
			shadow_put(m, m->gpas[i], m->bytes[i], 1);
	return got;
}

static bool in_host_memory(const struct machine *m, const struct iovec *iov)
{
	uintptr_t start = (uintptr_t)iov->iov_base;
	uintptr_t ram = (uintptr_t)m->model.guest.ram, window = (uintptr_t)fl_window_hva(m->window);

	return fl_range_fits(start - ram, iov->iov_len, MEMORY_LEN) ||
	       fl_range_fits(start - window, iov->iov_len, WINDOW_LEN);
}

static void check_iov(struct machine *m, bool writable, uint64_t offset, uint64_t len)
{
	uint64_t part_len = writable ? m->chain.writable_len : m->chain.readable_len;
	struct iovec iov[16];
	unsigned int count = 0;
	uint64_t sum = 0;
	int rc = fl_chain_iov(&m->model.guest.map, &m->chain, writable, offset, len, iov, FL_ARRAY_SIZE(iov), &count);

	FUZZ_CHECK(rc == 0 || rc == -EFAULT || rc == -E2BIG || rc == -EINVAL);
	FUZZ_CHECK((rc == -EINVAL) == !fl_range_fits(offset, len, part_len));
	for (unsigned int i = 0; !rc && i < count; i++) {
		FUZZ_CHECK(in_host_memory(m, &iov[i]));
		sum += iov[i].iov_len;
	}
	FUZZ_CHECK(rc || sum == len);
	fuzz_digest(&m->digest, (uint64_t)rc + count);
}

static void serve_chain(struct machine *m, unsigned int index)
{
	uint64_t offset = fuzz_number(&m->in);
	size_t len = (size_t)fuzz_take(&m->in, 2) % (ECHO_MAX + 1);
	int64_t read = echo_read(m, offset, len);
	int64_t written;

	check_iov(m, false, offset, len);
	check_iov(m, true, offset, len);
	written = echo_write(m, offset, len);
	fuzz_digest(&m->digest, (uint64_t)read);
	fuzz_digest(&m->digest, (uint64_t)written);
	if (m->hold && m->held_count < HELD_MAX) {
		m->held[m->held_count].queue = index;
		m->held[m->held_count++].head = m->chain.head;
	} else {
		echo_complete(m, index, m->chain.head, written > 0 ? (uint32_t)written : 0);
	}
}

static int take_chain(struct machine *m, unsigned int index, struct fl_virtq *vq)
{
	int expected = model_pop(&m->model, &m->expected[index], vq, &m->expected_chain);
	int got = fl_virtq_pop(vq, &m->chain);
	const struct fl_chain *want = &m->expected_chain;

	FUZZ_CHECK(got == expected);
	fuzz_digest(&m->digest, (uint64_t)got);
	if (got <= 0)
		return got;
	m->expected[index].last_avail++;
	FUZZ_CHECK(m->chain.head == want->head);
	FUZZ_CHECK(m->chain.readable_count == want->readable_count && m->chain.readable_len == want->readable_len);
	FUZZ_CHECK(m->chain.writable_count == want->writable_count && m->chain.writable_len == want->writable_len);
	for (unsigned int i = 0; i < want->readable_count + want->writable_count; i++)
		FUZZ_CHECK(m->chain.segs[i].gpa == want->segs[i].gpa && m->chain.segs[i].len == want->segs[i].len);
	return got;
}

static void queue_notified(void *arg, unsigned int index)
{
	struct machine *m = arg;
	struct fl_virtq *vq = fl_virtio_queue(m->dev, index);
	uint32_t status = mmio_get(m->dev, MMIO_STATUS);

	FUZZ_CHECK(m->expected[index].ready && status & STATUS_DRIVER_OK && !(status & STATUS_NEEDS_RESET));
	for (unsigned int i = 0; i < BUDGET; i++) {
		int got = take_chain(m, index, vq);

		if (got < 0) {
			fl_virtio_needs_reset(m->dev, "malformed");
			return;
		}
		if (got) {
			serve_chain(m, index);
			continue;
		}
		if (vq->event_idx)
			shadow_put(m, vq->used_gpa + 4 + 8ull * vq->size, m->expected[index].last_avail, 2);
		if (!fl_virtq_enable_notify(vq))
			return;
	}
	fl_virtio_requeue(m->dev, index);
}

static void on_reset(void *arg)
{
	struct machine *m = arg;

	m->held_count = 0;
	memset(m->expected, 0, sizeof(m->expected));
}

static void config_read(void *arg, uint32_t offset, void *buf, uint32_t len)
{
	(void)arg;
	FUZZ_CHECK(offset + len <= 10 && len);
	memset(buf, (int)offset, len);
}

struct fl_virtio_ops echo_ops(struct machine *m)
{
	return (struct fl_virtio_ops){
		.queue_notified = queue_notified, .reset = on_reset, .config_read = config_read, .arg = m};
}
