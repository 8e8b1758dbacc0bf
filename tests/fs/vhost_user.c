/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fs/vhost_user.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define VERSION	   1u
#define FLAGS_MASK 3u /* the version; other bits say what kind of message it is */

enum request {
	GET_FEATURES = 1,
	SET_FEATURES = 2,
	SET_OWNER = 3,
	SET_MEM_TABLE = 5,
	SET_VRING_NUM = 8,
	SET_VRING_ADDR = 9,
	SET_VRING_BASE = 10,
	SET_VRING_KICK = 12,
	SET_VRING_CALL = 13,
};

struct vring_state {
	uint32_t index, num;
};

struct vring_address {
	uint32_t index, flags;
	uint64_t desc, used, avail; /* in the front end's address space */
	uint64_t log;
};

struct memory_table {
	uint32_t count, padding;
	uint64_t gpa, len, hva, offset;
};

struct message {
	uint32_t request, flags, size; /* size: of what follows */
	union {
		uint64_t number;
		struct vring_state state;
		struct vring_address address;
		struct memory_table memory;
	};
} __attribute__((packed));

#define HEADER_LEN 12u
_Static_assert(__builtin_offsetof(struct message, number) == HEADER_LEN, "vhost-user header");
_Static_assert(sizeof(struct vring_address) == 40 && sizeof(struct memory_table) == 40, "vhost-user payloads");

static bool say(int socket_fd, enum request request, struct message *message, uint32_t size, int fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec iov = {.iov_base = message, .iov_len = HEADER_LEN + size};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	message->request = request;
	message->flags = VERSION;
	message->size = size;
	if (fd >= 0) {
		struct cmsghdr *header = &control.align;

		msg.msg_control = control.bytes;
		msg.msg_controllen = sizeof(control.bytes);
		*header = (struct cmsghdr){
			.cmsg_len = CMSG_LEN(sizeof(fd)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	}
	return sendmsg(socket_fd, &msg, MSG_NOSIGNAL) == (ssize_t)iov.iov_len;
}

/* Messages are handled one after the other, so an answer to this one means that all before are done. */
static bool ask_features(int socket_fd, uint64_t *features)
{
	struct message message = {0};
	const size_t len = HEADER_LEN + sizeof(message.number);

	if (!say(socket_fd, GET_FEATURES, &message, 0, -1) ||
	    recv(socket_fd, &message, len, MSG_WAITALL) != (ssize_t)len)
		return false;
	*features = message.number;
	return message.request == GET_FEATURES && (message.flags & FLAGS_MASK) == VERSION;
}

static bool give_memory(int socket_fd, const struct vhost_memory *memory)
{
	struct message message = {
		.memory = {.count = 1, .gpa = memory->gpa, .len = memory->len, .hva = (uintptr_t)memory->hva}};

	return say(socket_fd, SET_MEM_TABLE, &message, sizeof(message.memory), memory->fd);
}

static bool give_ring(int socket_fd, uint32_t index, const struct ring *ring)
{
	struct message num = {.state = {.index = index, .num = ring->vring.num}};
	struct message base = {.state = {.index = index}};
	struct message call = {.number = index}, kick = {.number = index};
	struct message address = {.address = {.index = index,
					      .desc = (uintptr_t)ring->vring.desc,
					      .used = (uintptr_t)ring->vring.used,
					      .avail = (uintptr_t)ring->vring.avail}};

	/* the kick last: it starts the ring */
	return say(socket_fd, SET_VRING_NUM, &num, sizeof(num.state), -1) &&
	       say(socket_fd, SET_VRING_BASE, &base, sizeof(base.state), -1) &&
	       say(socket_fd, SET_VRING_ADDR, &address, sizeof(address.address), -1) &&
	       say(socket_fd, SET_VRING_CALL, &call, sizeof(call.number), ring->call_fd) &&
	       say(socket_fd, SET_VRING_KICK, &kick, sizeof(kick.number), ring->kick_fd);
}

bool vhost_user_start(int socket_fd, uint64_t features, const struct vhost_memory *memory, const struct ring *rings,
		      unsigned int count)
{
	struct message owner = {0}, chosen = {.number = features};
	uint64_t offered = 0;
	bool good = say(socket_fd, SET_OWNER, &owner, 0, -1) && ask_features(socket_fd, &offered);

	if (good && (offered & features) != features) {
		fprintf(stderr, "the daemon offers the features %#llx and not all of %#llx\n",
			(unsigned long long)offered, (unsigned long long)features);
		return false;
	}
	/* without PROTOCOL_FEATURES rings are enabled from the start */
	good = good && say(socket_fd, SET_FEATURES, &chosen, sizeof(chosen.number), -1) &&
	       give_memory(socket_fd, memory);
	for (uint32_t i = 0; good && i < count; i++)
		good = give_ring(socket_fd, i, &rings[i]);
	good = good && ask_features(socket_fd, &offered);
	if (!good)
		fprintf(stderr, "the daemon at the vhost-user socket went away\n");
	return good;
}
