/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The front end of vhost-user, as much of it as a device needs that has all its queues from the start: what a VMM says
 * to a daemon (virtiofsd, say) over its socket. Written from the protocol's specification
 * (https://qemu-project.gitlab.io/qemu/interop/vhost-user.html).
 */
#ifndef FS_VHOST_USER_H
#define FS_VHOST_USER_H

#include "tests/fs/ring.h"

/* Guest memory: one region, from the beginning of a file. */
struct vhost_memory {
	int fd;
	const void *hva; /* where the front end has it: ring addresses are told relative to that */
	uint64_t gpa, len;
};

/*
 * Brings the device behind the connected socket up, with these features of virtio and these rings, whose kick_fd and
 * call_fd are set: when it returns true all of it has been taken in. Otherwise a sentence is on stderr.
 */
bool vhost_user_start(int socket_fd, uint64_t features, const struct vhost_memory *memory, const struct ring *rings,
		      unsigned int count);

#endif
