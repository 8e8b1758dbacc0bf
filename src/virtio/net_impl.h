/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside net: the device (net.c), what comes in (net_rx.c), what goes out (net_tx.c). All of it belongs to the loop's
 * thread but `down`, which a vCPU reads too.
 */
#ifndef FL_NET_IMPL_H
#define FL_NET_IMPL_H

#include <linux/virtio_net.h>
#include <stdatomic.h>

#include "virtio/net.h"

#define FL_NET_RX_QUEUE 0u /* 5.1.2 */
#define FL_NET_TX_QUEUE 1u
#define FL_NET_HDR_LEN	12u /* struct virtio_net_hdr_v1, 5.1.6 */
#define FL_NET_LEN_LEN	4u  /* of a frame's length on the socket */
/* Frames in one go, so that one direction does not keep the other waiting. */
#define FL_NET_BUDGET 64u
/* Buffers that one frame may be spread over: the largest fits into 44 of Linux's smallest. */
#define FL_NET_HELD_MAX	  64u
#define FL_NET_RX_IOV_MAX 256u

struct fl_net_rx {
	uint8_t head[FL_NET_LEN_LEN]; /* of the next frame */
	unsigned int head_len;
	uint32_t frame_len;
	uint32_t left; /* bytes of this frame still in the socket; 0: between two frames */
	bool skip;     /* they go nowhere */
	bool placed;   /* iov has room for them */
	bool waits;    /* for buffers */
	/* buffers taken for this frame, and how much each of them gets */
	struct fl_virtq_used held[FL_NET_HELD_MAX];
	unsigned int held_count;
	uint64_t room;				 /* in them, with the header */
	struct iovec iov[FL_NET_RX_IOV_MAX + 1]; /* one more for the next head */
	unsigned int iov_count, iov_at;
	struct fl_chain first, chain; /* first: where the header goes, when all is known */
	unsigned int source;
};

struct fl_net_tx {
	bool held;		      /* chain is taken and not given back */
	uint8_t head[FL_NET_LEN_LEN]; /* goes out before it */
	uint32_t len, done;	      /* both with the head */
	uint32_t filler; /* zeros that the peer still gets for a frame whose memory went away while it was sent */
	struct fl_chain chain;
	struct iovec iov[FL_CHAIN_SEGS_MAX + 8];
	unsigned int source;
};

struct fl_net {
	struct fl_virtio_mmio *transport;
	struct fl_loop *loop;
	const struct fl_gpa_map *map;
	const struct fl_log *log;
	int fd;
	struct virtio_net_config config; /* but for status */
	atomic_bool down;
	struct fl_net_stats stats;
	struct fl_net_rx rx;
	struct fl_net_tx tx;
};

/* The next chain of the queue, with notifications on if there is none. A malformed ring breaks the device. */
bool fl_net_take(struct fl_net *net, unsigned int queue, struct fl_chain *chain);
/* The socket is of no use any more. */
void fl_net_link_down(struct fl_net *net, const char *why);

/* Goes on after the guest has given buffers, or may have. */
void fl_net_receive(struct fl_net *net);
void fl_net_send(struct fl_net *net);
/* Lets go of the guest's buffers; the frame that is on its way ends in a way that the peer understands. */
void fl_net_rx_abort(struct fl_net *net);
void fl_net_tx_abort(struct fl_net *net);
void fl_net_unwatch(struct fl_net *net, unsigned int *source);

#endif
