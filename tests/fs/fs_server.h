/* SPDX-License-Identifier: Apache-2.0 */
/* Servers of one directory behind the same rings: ours in this process, and Debian's virtiofsd over vhost-user. */
#ifndef FS_SERVER_H
#define FS_SERVER_H

#include <sched.h>
#include <sys/types.h>

#include "tests/fs/fs_mount.h"
#include "virtiofs/fs_device.h"

#define FS_WINDOW_GPA UINT64_C(0x100000000)
#define FS_WINDOW_LEN (UINT64_C(256) << 20)

struct fs_server {
	const char *name;
	struct fs_mount mount;
	int kick_fds[FS_QUEUES], call_fds[FS_QUEUES];
	/* ours; its one interrupt line is in call_fds[FS_REQUESTS], and both queues wait for it */
	struct fl_loop *loop;
	struct fl_fs_device *dev;
	struct fl_window *window;
	/* virtiofsd */
	pid_t pid;
	int socket_fd;
};

/*
 * False: a sentence is on stderr, and there is still something to stop. One of ours for one memory: the window is added
 * to its map.
 */
bool fs_server_start_ours(struct fs_server *server, struct fs_memory *memory, const char *dir);
/* threads: 0, or the largest number in virtiofsd's pool of them. */
bool fs_server_start_virtiofsd(struct fs_server *server, struct fs_memory *memory, const char *dir, const char *program,
			       unsigned int threads);
void fs_server_stop(struct fs_server *server); /* of a zeroed or started one */

/*
 * All threads of this process and of the server run on any of cpus from now on, and those that they start. Not
 * io_uring's own, which choose for themselves; it has none where files are in memory.
 */
bool fs_server_move(const struct fs_server *server, const cpu_set_t *cpus);

/* CPU time of all of the server's threads. Ours: of this process's, but for the one that calls. */
uint64_t fs_server_cpu_ns(const struct fs_server *server);

#endif
