/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net: network device (virtio 1.2, 5.1), one pair of queues, without offloads. Behind it is a connected stream
 * socket on which each Ethernet frame follows its length (4 bytes, big-endian), as passt and QEMU's "-netdev stream"
 * speak.
 *
 * Frames go between the socket and the guest's memory without a copy in between. Nothing is read from the socket
 * without a place for it, and a guest's buffer is given back only when its frame is sent: who is slow, is waited for,
 * and the other direction goes on. When the peer has gone, or says what makes no sense, the link is down for the rest
 * of the VM's life: one line in the log, and the guest sees a cable that was pulled (VIRTIO_NET_F_STATUS).
 */
#ifndef FL_NET_H
#define FL_NET_H

#include "virtio/virtio_mmio.h"

/* Of a frame, without the length before it: the largest MTU, Ethernet's header, a VLAN tag. */
#define FL_NET_FRAME_MAX (65535u + 14 + 4)
#define FL_NET_FRAME_MIN 14u /* Ethernet's header; shorter ones are dropped */

struct fl_net;

struct fl_net_device_opts {
	struct fl_virtio_mmio_opts
		transport; /* gpa, gsi, vm_fd, map, loop, log are set by the caller, the rest is ours */
	int fd; /* connected stream socket, the caller's until fl_net_free(); blocking or not: each call says that it
		   won't wait */
	uint8_t mac[6];
	uint16_t mtu; /* told to the guest (VIRTIO_NET_F_MTU); 0: not */
};

struct fl_net_stats {
	uint64_t sent, received;		 /* frames */
	uint64_t sent_dropped, received_dropped; /* no link, bad length, memory that is gone */
};

FL_CHECKED_RESULT int fl_net_new(const struct fl_net_device_opts *opts, struct fl_net **net, struct fl_diag *diag);
struct fl_virtio_mmio *fl_net_transport(struct fl_net *net);
void fl_net_get_stats(const struct fl_net *net, struct fl_net_stats *stats); /* loop thread, or stopped */
void fl_net_free(struct fl_net *net);					     /* loop stopped; NULL allowed */

#endif
