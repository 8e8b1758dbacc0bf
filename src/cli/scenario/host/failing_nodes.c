/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/scenario/host/failing_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct fl_scn_failing_node *fl_scn_failing_node_of(struct fl_scn_failing_server *server, uint64_t nodeid)
{
	if (nodeid < FUSE_ROOT_ID || nodeid > FL_SCN_FAILING_NODES || server->nodes[nodeid - 1].fd < 0)
		return NULL;
	return &server->nodes[nodeid - 1];
}

static struct fl_scn_failing_node *find_ino(struct fl_scn_failing_server *server, uint64_t ino)
{
	for (uint32_t i = 0; i < FL_SCN_FAILING_NODES; i++)
		if (server->nodes[i].fd >= 0 && server->nodes[i].ino == ino)
			return &server->nodes[i];
	return NULL;
}

static struct fl_scn_failing_node *find_free(struct fl_scn_failing_server *server)
{
	for (uint32_t i = 0; i < FL_SCN_FAILING_NODES; i++)
		if (server->nodes[i].fd < 0)
			return &server->nodes[i];
	return NULL;
}

/* One that fails stays although the kernel has forgotten it: with it goes the memory that it fails. */
static void drop_unused(struct fl_scn_failing_node *node)
{
	if (node->lookups || node->fails)
		return;
	close(node->fd);
	node->fd = -1;
}

void fl_scn_failing_forget(struct fl_scn_failing_server *server, uint64_t nodeid, uint64_t lookups)
{
	struct fl_scn_failing_node *node = fl_scn_failing_node_of(server, nodeid);

	if (!node || nodeid == FUSE_ROOT_ID)
		return;
	node->lookups -= lookups < node->lookups ? lookups : node->lookups;
	drop_unused(node);
}

static void fill_attr(const struct stat *status, struct fuse_attr *attr)
{
	*attr = (struct fuse_attr){
		.ino = status->st_ino,
		.size = (uint64_t)status->st_size,
		.blocks = (uint64_t)status->st_blocks,
		.atime = (uint64_t)status->st_atim.tv_sec,
		.mtime = (uint64_t)status->st_mtim.tv_sec,
		.ctime = (uint64_t)status->st_ctim.tv_sec,
		.atimensec = (uint32_t)status->st_atim.tv_nsec,
		.mtimensec = (uint32_t)status->st_mtim.tv_nsec,
		.ctimensec = (uint32_t)status->st_ctim.tv_nsec,
		.mode = status->st_mode,
		.nlink = (uint32_t)status->st_nlink,
		.uid = status->st_uid,
		.gid = status->st_gid,
		.rdev = (uint32_t)status->st_rdev,
		.blksize = (uint32_t)status->st_blksize,
	};
}

int fl_scn_failing_attr(const struct fl_scn_failing_node *node, struct fuse_attr *attr)
{
	struct stat status;

	if (fstat(node->fd, &status) < 0)
		return -errno;
	fill_attr(&status, attr);
	return 0;
}

int fl_scn_failing_enter(struct fl_scn_failing_call *call, const char *name, struct fuse_entry_out *entry)
{
	struct fl_scn_failing_server *server = call->server;
	int fd = openat(call->node->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat status;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) < 0) {
		int error = errno;

		close(fd);
		return -error;
	}
	struct fl_scn_failing_node *node = find_ino(server, status.st_ino);

	if (node) {
		close(fd);
	} else {
		node = find_free(server);
		if (!node) {
			close(fd);
			return -ENFILE;
		}
		node->fd = fd;
		node->ino = status.st_ino;
		node->generation++;
	}
	node->lookups++;
	/* nothing of it is believed for any time: who looks again asks again, and waits if the server is frozen */
	*entry = (struct fuse_entry_out){
		.nodeid = (uint64_t)(node - server->nodes) + FUSE_ROOT_ID,
		.generation = node->generation,
	};
	fill_attr(&status, &entry->attr);
	return 0;
}

int fl_scn_failing_mark(struct fl_scn_failing_server *server, uint64_t ino, bool fails)
{
	struct fl_scn_failing_node *node = find_ino(server, ino);

	if (!node)
		return -ENOENT;
	node->fails = fails;
	drop_unused(node);
	return 0;
}

void fl_scn_failing_heal_all(struct fl_scn_failing_server *server)
{
	for (uint32_t i = 0; i < FL_SCN_FAILING_NODES; i++) {
		struct fl_scn_failing_node *node = &server->nodes[i];

		if (node->fd < 0 || !node->fails)
			continue;
		node->fails = false;
		drop_unused(node);
	}
}

const char *fl_scn_failing_proc_path(int fd, char path[FL_SCN_FAILING_PROC_LEN])
{
	snprintf(path, FL_SCN_FAILING_PROC_LEN, "/proc/self/fd/%d", fd);
	return path;
}
