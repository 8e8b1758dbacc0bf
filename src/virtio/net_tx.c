/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of the guest's: from the transmit queue (virtio 1.2, 5.1.6.2) into the socket. */
#include "virtio/net_impl.h"

#include <endian.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define FILLER_PIECE_LEN 4096u

static void on_writable(void *arg, int fd, uint32_t events)
{
	struct fl_net *net = arg;

	(void)fd;
	(void)events; /* the next sendmsg() says what is wrong */
	fl_net_unwatch(net, &net->tx.source);
	fl_net_send(net);
}

static void wait_until_writable(struct fl_net *net)
{
	if (net->tx.source)
		return;
	if (fl_loop_add_fd(net->loop, net->fd, POLLOUT, on_writable, net, &net->tx.source))
		fl_net_link_down(net, "its socket cannot be watched");
}

/* Bytes, or 0 if none can be sent now or ever, -EFAULT if the guest's memory is not there. */
static ssize_t send_some(struct fl_net *net, struct iovec *iov, unsigned int count)
{
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = count};
	ssize_t n;

	do
		n = sendmsg(net->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n >= 0 || errno == EFAULT)
		return n < 0 ? -EFAULT : n;
	if (errno == EAGAIN || errno == ENOBUFS)
		wait_until_writable(net);
	else
		fl_net_link_down(net, strerror(errno));
	return 0;
}

static void finish(struct fl_net *net, uint64_t *count)
{
	net->tx.held = false;
	(*count)++;
	fl_virtio_put(net->transport, FL_NET_TX_QUEUE, net->tx.chain.head, 0);
}

/* What the peer has been told to expect has to come, or all later frames would be in the wrong place. */
static void finish_with_filler(struct fl_net *net)
{
	struct fl_net_tx *tx = &net->tx;

	tx->filler = tx->done ? tx->len - tx->done : 0;
	finish(net, &net->stats.sent_dropped);
}

static bool send_filler(struct fl_net *net)
{
	static const uint8_t zeros[FILLER_PIECE_LEN];
	struct iovec iov = {.iov_base = (void *)(uintptr_t)zeros, .iov_len = FL_MIN(net->tx.filler, FILLER_PIECE_LEN)};
	ssize_t n = send_some(net, &iov, 1);

	net->tx.filler -= n > 0 ? (uint32_t)n : 0;
	return n > 0;
}

static bool hold(struct fl_net *net)
{
	struct fl_net_tx *tx = &net->tx;
	uint64_t len;
	uint32_t head;

	if (!fl_net_take(net, FL_NET_TX_QUEUE, &tx->chain))
		return false;
	tx->held = true;
	tx->done = 0;
	/* the header says nothing that counts: no offload was offered */
	len = tx->chain.readable_len < FL_NET_HDR_LEN ? 0 : tx->chain.readable_len - FL_NET_HDR_LEN;
	if (len < FL_NET_FRAME_MIN || len > FL_NET_FRAME_MAX || atomic_load(&net->down)) {
		finish(net, &net->stats.sent_dropped);
		return true;
	}
	tx->len = FL_NET_LEN_LEN + (uint32_t)len;
	head = htobe32((uint32_t)len);
	memcpy(tx->head, &head, sizeof(head));
	return true;
}

/* What is left of the held frame; 0 entries if its memory is not there. */
static unsigned int gather(struct fl_net *net)
{
	struct fl_net_tx *tx = &net->tx;
	unsigned int used = 0, count = 0;
	uint32_t from = tx->done > FL_NET_LEN_LEN ? tx->done - FL_NET_LEN_LEN : 0;

	if (tx->done < FL_NET_LEN_LEN)
		tx->iov[used++] = (struct iovec){.iov_base = tx->head + tx->done, .iov_len = FL_NET_LEN_LEN - tx->done};
	if (fl_chain_iov(net->map, &tx->chain, false, FL_NET_HDR_LEN + from, tx->len - FL_NET_LEN_LEN - from,
			 tx->iov + used, FL_ARRAY_SIZE(tx->iov) - used, &count))
		return 0;
	return used + count;
}

/* False if nothing more can be sent now. */
static bool send_held(struct fl_net *net)
{
	struct fl_net_tx *tx = &net->tx;
	unsigned int count = gather(net);
	ssize_t n = count ? send_some(net, tx->iov, count) : -EFAULT;

	if (n < 0) {
		finish_with_filler(net);
		return true;
	}
	tx->done += (uint32_t)n;
	if (tx->done == tx->len)
		finish(net, &net->stats.sent);
	return n > 0;
}

static bool step(struct fl_net *net)
{
	struct fl_net_tx *tx = &net->tx;

	if (!tx->held && (!tx->filler || atomic_load(&net->down)))
		return hold(net);
	if (!tx->held)
		return send_filler(net);
	if (!atomic_load(&net->down))
		return send_held(net);
	finish(net, &net->stats.sent_dropped);
	return true;
}

void fl_net_send(struct fl_net *net)
{
	unsigned int steps = 0;

	if (net->tx.source)
		return; /* the socket is full */
	/* two for each frame: taken, sent */
	while (steps < 2 * FL_NET_BUDGET && step(net))
		steps++;
	fl_virtio_announce(net->transport, FL_NET_TX_QUEUE);
	if (steps == 2 * FL_NET_BUDGET)
		fl_virtio_requeue(net->transport, FL_NET_TX_QUEUE);
}

void fl_net_tx_abort(struct fl_net *net)
{
	if (!net->tx.held)
		return;
	finish_with_filler(net);
	fl_virtio_announce(net->transport, FL_NET_TX_QUEUE);
}
