/* SPDX-License-Identifier: Apache-2.0 */
/* Frames for the guest: from the socket into the buffers of the receive queue (virtio 1.2, 5.1.6.3 and 5.1.6.4). */
#include "virtio/net_impl.h"

#include <endian.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define SKIP_PIECE_LEN 16384u

/* ---- buffers ---- */

static void forget_buffers(struct fl_net_rx *rx)
{
	rx->placed = false;
	rx->held_count = 0;
	rx->room = 0;
	rx->iov_count = 0;
	rx->iov_at = 0;
}

/* A frame that cannot be delivered: the rest of it is read and thrown away, its buffers go back empty. */
static void drop_frame(struct fl_net *net)
{
	struct fl_net_rx *rx = &net->rx;

	net->stats.received_dropped++;
	rx->skip = true;
	for (unsigned int i = 0; i < rx->held_count; i++)
		rx->held[i].written_len = 0;
	fl_virtio_put_all(net->transport, FL_NET_RX_QUEUE, rx->held, rx->held_count);
	forget_buffers(rx);
}

/* Takes the chain for the frame. -EINVAL: the driver broke the rules; others: the frame cannot lie there. */
static int hold(struct fl_net *net, const struct fl_chain *chain)
{
	struct fl_net_rx *rx = &net->rx;
	uint64_t header_len = rx->held_count ? 0 : FL_NET_HDR_LEN;
	uint64_t needed = FL_NET_HDR_LEN + (uint64_t)rx->frame_len - rx->room;
	uint64_t len = FL_MIN(chain->writable_len, needed);
	unsigned int count = 0;
	int rc;

	if (chain->writable_len == 0 || len < header_len) {
		fl_virtio_needs_reset(net->transport,
				      "a receive buffer of the network device has no room for a header");
		return -EINVAL;
	}
	rx->held[rx->held_count++] = (struct fl_virtq_used){.head = chain->head, .written_len = (uint32_t)len};
	rx->room += len;
	rc = fl_chain_iov(net->map, chain, true, header_len, len - header_len, rx->iov + rx->iov_count,
			  FL_NET_RX_IOV_MAX - rx->iov_count, &count);
	rx->iov_count += count;
	return rc;
}

static bool may_hold_more(const struct fl_net *net)
{
	const struct fl_net_rx *rx = &net->rx;
	const struct fl_virtq *vq = fl_virtio_queue(net->transport, FL_NET_RX_QUEUE);
	bool merges = fl_virtio_features(net->transport) & (UINT64_C(1) << VIRTIO_NET_F_MRG_RXBUF);

	/* all that the guest can ever give at a time would not do: to wait for more is to wait for ever */
	return rx->held_count == 0 || (merges && rx->held_count < FL_NET_HELD_MAX && rx->held_count < vq->size);
}

/* Finds room for the frame. False: the guest has no buffers for it now, or is at odds with the device. */
static bool place(struct fl_net *net)
{
	struct fl_net_rx *rx = &net->rx;

	while (rx->room < FL_NET_HDR_LEN + (uint64_t)rx->frame_len) {
		struct fl_chain *chain = rx->held_count ? &rx->chain : &rx->first;
		int rc;

		if (!may_hold_more(net)) {
			drop_frame(net);
			return true;
		}
		if (!fl_net_take(net, FL_NET_RX_QUEUE, chain))
			return false;
		rc = hold(net, chain);
		if (rc == -EINVAL)
			return false;
		if (rc) {
			drop_frame(net);
			return true;
		}
	}
	rx->placed = true;
	return true;
}

/* 5.1.6.4.1: the number of buffers stands in the first, and the driver sees all of them at once. */
static void deliver(struct fl_net *net)
{
	struct fl_net_rx *rx = &net->rx;
	const struct virtio_net_hdr_v1 header = {.num_buffers = htole16((uint16_t)rx->held_count)};

	if (fl_chain_write(net->map, &rx->first, 0, &header, sizeof(header)) != sizeof(header)) {
		drop_frame(net);
		return;
	}
	fl_virtio_put_all(net->transport, FL_NET_RX_QUEUE, rx->held, rx->held_count);
	forget_buffers(rx);
	net->stats.received++;
}

/* ---- the socket ---- */

/* Bytes; 0 if there are none now or ever; -EFAULT if the guest's memory is not there. */
static ssize_t receive_some(struct fl_net *net, struct iovec *iov, unsigned int count)
{
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = count};
	ssize_t n;

	do
		n = recvmsg(net->fd, &msg, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n > 0 || (n < 0 && errno == EAGAIN))
		return FL_MAX(n, (ssize_t)0);
	if (n < 0 && errno == EFAULT)
		return -EFAULT;
	fl_net_link_down(net, n < 0 ? strerror(errno) : "its other end was closed");
	return 0;
}

/* n bytes have come: of the frame, and perhaps the first ones of the next one's length. */
static void account(struct fl_net_rx *rx, size_t n)
{
	size_t of_frame = FL_MIN(n, (size_t)rx->left);

	rx->left -= (uint32_t)of_frame;
	rx->head_len += (unsigned int)(n - of_frame);
	while (!rx->skip && of_frame) {
		struct iovec *iov = &rx->iov[rx->iov_at];
		size_t part = FL_MIN(of_frame, iov->iov_len);

		iov->iov_base = (uint8_t *)iov->iov_base + part;
		iov->iov_len -= part;
		of_frame -= part;
		rx->iov_at += iov->iov_len == 0;
	}
}

static bool skip_some(struct fl_net *net)
{
	struct fl_net_rx *rx = &net->rx;
	uint8_t piece[SKIP_PIECE_LEN];
	struct iovec iov[2] = {{.iov_base = piece, .iov_len = FL_MIN(rx->left, SKIP_PIECE_LEN)},
			       {.iov_base = rx->head, .iov_len = sizeof(rx->head)}};
	ssize_t n = receive_some(net, iov, rx->left <= SKIP_PIECE_LEN ? 2 : 1);

	if (n > 0)
		account(rx, (size_t)n);
	return n > 0;
}

/* The length of the next frame is asked for together with this one: one call for each frame of many. */
static bool fill_buffers(struct fl_net *net)
{
	struct fl_net_rx *rx = &net->rx;
	ssize_t n;

	rx->iov[rx->iov_count] = (struct iovec){.iov_base = rx->head, .iov_len = sizeof(rx->head)};
	n = receive_some(net, rx->iov + rx->iov_at, rx->iov_count - rx->iov_at + 1);
	if (n == -EFAULT)
		drop_frame(net);
	if (n <= 0)
		return n != 0;
	account(rx, (size_t)n);
	if (!rx->left)
		deliver(net);
	return true;
}

static bool read_head(struct fl_net *net)
{
	struct fl_net_rx *rx = &net->rx;
	struct iovec iov = {.iov_base = rx->head + rx->head_len, .iov_len = sizeof(rx->head) - rx->head_len};
	ssize_t n = receive_some(net, &iov, 1);

	rx->head_len += n > 0 ? (unsigned int)n : 0;
	return n > 0;
}

static bool begin_frame(struct fl_net *net)
{
	struct fl_net_rx *rx = &net->rx;
	uint32_t len;

	memcpy(&len, rx->head, sizeof(len));
	len = be32toh(len);
	if (len > FL_NET_FRAME_MAX) {
		fl_net_link_down(net, "its other end sent a frame that is too long, or does not speak this protocol");
		return false;
	}
	rx->head_len = 0;
	rx->frame_len = len;
	rx->left = len;
	rx->skip = len < FL_NET_FRAME_MIN;
	net->stats.received_dropped += rx->skip;
	return true;
}

/* False if there is nothing to do until something happens. */
static bool step(struct fl_net *net)
{
	struct fl_net_rx *rx = &net->rx;

	if (!rx->left)
		return rx->head_len < sizeof(rx->head) ? read_head(net) : begin_frame(net);
	if (rx->skip)
		return skip_some(net);
	if (!rx->placed) {
		rx->waits = !place(net);
		return !rx->waits;
	}
	return fill_buffers(net);
}

static void on_readable(void *arg, int fd, uint32_t events)
{
	struct fl_net *net = arg;

	(void)fd;
	(void)events; /* the next recvmsg() says what is wrong */
	fl_net_receive(net);
}

void fl_net_receive(struct fl_net *net)
{
	struct fl_net_rx *rx = &net->rx;
	unsigned int steps = 0;

	rx->waits = fl_virtio_is_broken(net->transport);
	/* two for each frame: placed, filled */
	while (steps < 2 * FL_NET_BUDGET && !rx->waits && !atomic_load(&net->down) && step(net))
		steps++;
	fl_virtio_announce(net->transport, FL_NET_RX_QUEUE);
	if (rx->waits || atomic_load(&net->down)) {
		fl_net_unwatch(net, &rx->source);
		return;
	}
	if (!rx->source && fl_loop_add_fd(net->loop, net->fd, POLLIN, on_readable, net, &rx->source))
		fl_net_link_down(net, "its socket cannot be watched");
}

void fl_net_rx_abort(struct fl_net *net)
{
	struct fl_net_rx *rx = &net->rx;

	if (rx->left && !rx->skip)
		drop_frame(net);
	fl_virtio_announce(net->transport, FL_NET_RX_QUEUE);
	fl_net_unwatch(net, &rx->source);
}
