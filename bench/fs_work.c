/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <string.h>

#include "bench/fs_ops.h"

struct entry {
	const char *name;
	uint64_t node, fh;
};

static void fill_entry(void *arg, unsigned int slot, uint64_t number, struct fs_call *call)
{
	const struct entry *entry = arg;

	(void)slot;
	(void)number;
	call->opcode = FUSE_LOOKUP;
	call->nodeid = FUSE_ROOT_ID;
	call->reply_len = sizeof(struct fuse_entry_out);
	call->args_len = (uint32_t)strlen(entry->name) + 1;
	memcpy(call->args, entry->name, call->args_len);
}

static bool done_entry(void *arg, unsigned int slot, uint64_t number, const struct fs_reply *reply)
{
	struct entry *entry = arg;

	(void)slot;
	(void)number;
	entry->node = ((const struct fuse_entry_out *)reply->body)->nodeid;
	return reply->len == sizeof(struct fuse_entry_out);
}

static void fill_open(void *arg, unsigned int slot, uint64_t number, struct fs_call *call)
{
	const struct entry *entry = arg;
	const struct fuse_open_in in = {.flags = O_RDWR};

	(void)slot;
	(void)number;
	call->opcode = FUSE_OPEN;
	call->nodeid = entry->node;
	call->reply_len = sizeof(struct fuse_open_out);
	call->args_len = sizeof(in);
	memcpy(call->args, &in, sizeof(in));
}

static bool done_open(void *arg, unsigned int slot, uint64_t number, const struct fs_reply *reply)
{
	struct entry *entry = arg;

	(void)slot;
	(void)number;
	entry->fh = ((const struct fuse_open_out *)reply->body)->fh;
	return reply->len == sizeof(struct fuse_open_out);
}

static bool find(struct fs_mount *mount, const char *name, uint64_t *node, uint64_t *fh)
{
	struct entry entry = {.name = name};
	const struct fs_job lookup = {.fill = fill_entry, .done = done_entry, .arg = &entry};
	const struct fs_job open_it = {.fill = fill_open, .done = done_open, .arg = &entry};

	if (!fs_mount_run(mount, &lookup, 1, 1) || (fh && !fs_mount_run(mount, &open_it, 1, 1)))
		return false;
	*node = entry.node;
	if (fh)
		*fh = entry.fh;
	return true;
}

bool fs_work_begin(struct fs_work *work, struct fs_server *server, const struct fs_tree *tree)
{
	struct fs_mount *mount = &server->mount;
	struct fs_spent spent;

	*work = (struct fs_work){.mount = mount, .tree = tree, .seed = FS_SEED};
	return find(mount, "known", &work->known_dir, NULL) && find(mount, "fresh", &work->fresh_dir, NULL) &&
	       find(mount, "made", &work->made_dir, NULL) && find(mount, "data", &work->data, &work->data_fh) &&
	       find(mount, "sink", &work->sink, &work->sink_fh) &&
	       fs_op_run(work, server, &fs_ops[FS_OP_LOOKUP_KNOWN], FS_SLOTS, FS_FILES, &spent);
}
