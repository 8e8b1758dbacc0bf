/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/fs_ops.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* xorshift64 */
uint64_t fs_any(struct fs_work *work, uint64_t below)
{
	work->seed ^= work->seed << 13;
	work->seed ^= work->seed >> 7;
	work->seed ^= work->seed << 17;
	return work->seed % below;
}

static void put_args(struct fs_call *call, const void *args, size_t len)
{
	memcpy(call->args, args, len);
	call->args_len = (uint32_t)len;
}

/* After what arguments there are: the name of a file, with its NUL. */
static void put_name(struct fs_call *call, uint64_t number)
{
	char *name = (char *)call->args + call->args_len;

	snprintf(name, FS_NAME_LEN, "file-%04u", (unsigned int)(number % FS_FILES));
	call->args_len += (uint32_t)strlen(name) + 1;
}

static bool run(struct fs_work *work, unsigned int depth, uint64_t count,
		void (*fill)(void *, unsigned int, uint64_t, struct fs_call *),
		bool (*done)(void *, unsigned int, uint64_t, const struct fs_reply *))
{
	const struct fs_job job = {.fill = fill, .done = done, .arg = work};

	return fs_mount_run(work->mount, &job, depth, count);
}

/* ---- names and attributes ---- */

static void fill_lookup(struct fs_call *call, uint64_t parent, uint64_t number)
{
	call->opcode = FUSE_LOOKUP;
	call->nodeid = parent;
	call->reply_len = sizeof(struct fuse_entry_out);
	put_name(call, number);
}

static void fill_lookup_known(void *arg, unsigned int slot, uint64_t number, struct fs_call *call)
{
	const struct fs_work *work = arg;

	(void)slot;
	fill_lookup(call, work->known_dir, number);
}

static bool done_lookup_known(void *arg, unsigned int slot, uint64_t number, const struct fs_reply *reply)
{
	const struct fuse_entry_out *out = reply->body;
	struct fs_work *work = arg;
	uint64_t *known = &work->known[number % FS_FILES];

	(void)slot;
	/* one host file is one node, however often it is looked up */
	if (!*known)
		*known = out->nodeid;
	return reply->len == sizeof(*out) && out->nodeid == *known;
}

static void fill_lookup_fresh(void *arg, unsigned int slot, uint64_t number, struct fs_call *call)
{
	const struct fs_work *work = arg;

	(void)slot;
	fill_lookup(call, work->fresh_dir, number);
}

static bool done_lookup_fresh(void *arg, unsigned int slot, uint64_t number, const struct fs_reply *reply)
{
	const struct fuse_entry_out *out = reply->body;
	struct fs_work *work = arg;

	(void)slot;
	work->fresh[number] = out->nodeid;
	return reply->len == sizeof(*out) && S_ISREG(out->attr.mode);
}

static bool forget_fresh(struct fs_work *work, uint64_t count)
{
	return fs_mount_forget(work->mount, work->fresh, count);
}

static void fill_getattr(void *arg, unsigned int slot, uint64_t number, struct fs_call *call)
{
	const struct fs_work *work = arg;
	const struct fuse_getattr_in in = {0};

	(void)slot;
	call->opcode = FUSE_GETATTR;
	call->nodeid = work->known[number % FS_FILES];
	call->reply_len = sizeof(struct fuse_attr_out);
	put_args(call, &in, sizeof(in));
}

static bool done_getattr(void *arg, unsigned int slot, uint64_t number, const struct fs_reply *reply)
{
	const struct fuse_attr_out *out = reply->body;

	(void)arg;
	(void)slot;
	(void)number;
	return reply->len == sizeof(*out) && S_ISREG(out->attr.mode);
}

/* ---- files that come and go ---- */

static void fill_create(void *arg, unsigned int slot, uint64_t number, struct fs_call *call)
{
	const struct fs_work *work = arg;
	const struct fuse_create_in in = {.flags = O_CREAT | O_EXCL | O_RDWR, .mode = S_IFREG | 0644, .umask = 022};

	(void)slot;
	call->opcode = FUSE_CREATE;
	call->nodeid = work->made_dir;
	call->reply_len = sizeof(struct fuse_entry_out) + sizeof(struct fuse_open_out);
	put_args(call, &in, sizeof(in));
	put_name(call, number);
}

static bool done_create(void *arg, unsigned int slot, uint64_t number, const struct fs_reply *reply)
{
	const struct fuse_entry_out *entry = reply->body;
	const struct fuse_open_out *opened = (const void *)(entry + 1);
	struct fs_work *work = arg;

	(void)slot;
	work->fresh[number] = entry->nodeid;
	work->fhs[number] = opened->fh;
	return reply->len == sizeof(*entry) + sizeof(*opened);
}

static void fill_release(void *arg, unsigned int slot, uint64_t number, struct fs_call *call)
{
	const struct fs_work *work = arg;
	const struct fuse_release_in in = {.fh = work->fhs[number], .flags = O_RDWR};

	(void)slot;
	call->opcode = FUSE_RELEASE;
	call->nodeid = work->fresh[number];
	put_args(call, &in, sizeof(in));
}

static void fill_unlink(void *arg, unsigned int slot, uint64_t number, struct fs_call *call)
{
	const struct fs_work *work = arg;

	(void)slot;
	call->opcode = FUSE_UNLINK;
	call->nodeid = work->made_dir;
	put_name(call, number);
}

static bool after_create(struct fs_work *work, uint64_t count)
{
	return run(work, FS_SLOTS, count, fill_release, NULL) && run(work, FS_SLOTS, count, fill_unlink, NULL) &&
	       forget_fresh(work, count);
}

static bool before_unlink(struct fs_work *work, uint64_t count)
{
	return run(work, FS_SLOTS, count, fill_create, done_create) && run(work, FS_SLOTS, count, fill_release, NULL);
}

/* ---- directories ---- */

static void fill_opendir(void *arg, unsigned int slot, uint64_t number, struct fs_call *call)
{
	const struct fs_work *work = arg;
	const struct fuse_open_in in = {.flags = O_RDONLY | O_DIRECTORY};

	(void)slot;
	(void)number;
	call->opcode = FUSE_OPENDIR;
	call->nodeid = work->known_dir;
	call->reply_len = sizeof(struct fuse_open_out);
	put_args(call, &in, sizeof(in));
}

static bool done_opendir(void *arg, unsigned int slot, uint64_t number, const struct fs_reply *reply)
{
	const struct fuse_open_out *out = reply->body;
	struct fs_work *work = arg;

	(void)slot;
	work->dir_fhs[number] = out->fh;
	work->dir_offsets[number] = 0;
	return reply->len == sizeof(*out);
}

static bool before_readdir(struct fs_work *work, uint64_t count)
{
	(void)count;
	return run(work, 1, work->depth, fill_opendir, done_opendir);
}

/* Each slot reads the directory from its beginning to its end, and again. Linux asks for a page of it at a time. */
static void fill_readdir(void *arg, unsigned int slot, uint64_t number, struct fs_call *call)
{
	const struct fs_work *work = arg;
	const struct fuse_read_in in = {
		.fh = work->dir_fhs[slot], .offset = work->dir_offsets[slot], .size = FL_PAGE_LEN};

	(void)number;
	call->opcode = FUSE_READDIR;
	call->nodeid = work->known_dir;
	call->reply_max_len = FL_PAGE_LEN;
	put_args(call, &in, sizeof(in));
}

static void fill_readdirplus(void *arg, unsigned int slot, uint64_t number, struct fs_call *call)
{
	fill_readdir(arg, slot, number, call);
	call->opcode = FUSE_READDIRPLUS;
}

static bool end_readdir(struct fs_work *work, unsigned int slot, const struct fs_reply *reply, uint32_t entry_len)
{
	const uint8_t *page = fs_page(work->mount->memory, slot, 0);
	uint64_t last = 0;

	/* entry_len: what comes before the fuse_dirent of each entry */
	for (uint32_t at = 0; at + entry_len + FUSE_NAME_OFFSET < reply->len;) {
		const struct fuse_dirent *dirent = (const void *)(page + at + entry_len);

		last = dirent->off;
		at += entry_len + (uint32_t)FUSE_DIRENT_SIZE(dirent);
	}
	if (!reply->len && !work->dir_offsets[slot])
		return false;
	work->dir_offsets[slot] = last;
	return reply->len <= FL_PAGE_LEN;
}

static bool done_readdir(void *arg, unsigned int slot, uint64_t number, const struct fs_reply *reply)
{
	(void)number;
	return end_readdir(arg, slot, reply, 0);
}

static bool done_readdirplus(void *arg, unsigned int slot, uint64_t number, const struct fs_reply *reply)
{
	(void)number;
	return end_readdir(arg, slot, reply, sizeof(struct fuse_entry_out));
}

static void fill_releasedir(void *arg, unsigned int slot, uint64_t number, struct fs_call *call)
{
	const struct fs_work *work = arg;
	const struct fuse_release_in in = {.fh = work->dir_fhs[number], .flags = O_RDONLY | O_DIRECTORY};

	(void)slot;
	call->opcode = FUSE_RELEASEDIR;
	call->nodeid = work->known_dir;
	put_args(call, &in, sizeof(in));
}

static bool after_readdir(struct fs_work *work, uint64_t count)
{
	(void)count;
	return run(work, 1, work->depth, fill_releasedir, NULL);
}

/* ---- data ---- */

static void fill_read(void *arg, unsigned int slot, uint64_t number, struct fs_call *call)
{
	struct fs_work *work = arg;
	uint32_t len = work->op->data_len;
	struct fuse_read_in in = {.fh = work->data_fh, .size = len, .flags = O_RDWR};

	(void)number;
	in.offset = work->places[slot] = fs_any(work, FS_DATA_LEN / len) * len;
	call->opcode = FUSE_READ;
	call->nodeid = work->data;
	call->reply_max_len = len;
	put_args(call, &in, sizeof(in));
}

static uint64_t *word_of(const struct fs_work *work, unsigned int slot, unsigned int page)
{
	return (void *)fs_page(work->mount->memory, slot, page);
}

static bool done_read(void *arg, unsigned int slot, uint64_t number, const struct fs_reply *reply)
{
	const struct fs_work *work = arg;
	uint32_t len = work->op->data_len;
	unsigned int last = (unsigned int)(len / FL_PAGE_LEN) - 1;
	uint64_t first_page = work->places[slot] / FL_PAGE_LEN;

	(void)number;
	return reply->len == len && *word_of(work, slot, 0) == first_page &&
	       *word_of(work, slot, last) == first_page + last;
}

/* The last page of what is written last says so; the others keep what they have. */
static void fill_write(void *arg, unsigned int slot, uint64_t number, struct fs_call *call)
{
	struct fs_work *work = arg;
	uint32_t len = work->op->data_len;
	struct fuse_write_in in = {.fh = work->sink_fh, .size = len, .flags = O_RDWR};

	in.offset = work->places[slot] = fs_any(work, FS_DATA_LEN / len) * len;
	*word_of(work, slot, (unsigned int)(len / FL_PAGE_LEN) - 1) = ~number;
	call->opcode = FUSE_WRITE;
	call->nodeid = work->sink;
	call->sent_len = len;
	call->reply_len = sizeof(struct fuse_write_out);
	put_args(call, &in, sizeof(in));
}

/* One that is the only one in flight has to be in the file; so says every 1024th. */
static bool done_write(void *arg, unsigned int slot, uint64_t number, const struct fs_reply *reply)
{
	const struct fs_work *work = arg;
	const struct fuse_write_out *out = reply->body;
	uint32_t len = work->op->data_len;
	uint64_t word = 0;

	if (reply->len != sizeof(*out) || out->size != len)
		return false;
	if (work->depth > 1 || number % 1024)
		return true;
	FL_CLOSE int fd = openat(work->tree->dir_fd, "sink", O_RDONLY | O_CLOEXEC);

	return pread(fd, &word, sizeof(word), (off_t)(work->places[slot] + len - FL_PAGE_LEN)) == sizeof(word) &&
	       word == ~number;
}

static void fill_setupmapping(void *arg, unsigned int slot, uint64_t number, struct fs_call *call)
{
	struct fs_work *work = arg;
	const struct fuse_setupmapping_in in = {
		.fh = UINT64_MAX,
		.foffset = fs_any(work, FS_DATA_LEN / FL_RANGE_LEN) * FL_RANGE_LEN,
		.len = FL_RANGE_LEN,
		.flags = FUSE_SETUPMAPPING_FLAG_READ | FUSE_SETUPMAPPING_FLAG_WRITE,
		.moffset = fs_any(work, FS_WINDOW_LEN / FL_RANGE_LEN) * FL_RANGE_LEN,
	};

	(void)slot;
	(void)number;
	call->opcode = FUSE_SETUPMAPPING;
	call->nodeid = work->data;
	put_args(call, &in, sizeof(in));
}

#define MIB (1u << 20)

const struct fs_op fs_ops[FS_OPS] = {
	{.name = "lookup, known", .fill = fill_lookup_known, .done = done_lookup_known},
	{.name = "lookup, new",
	 .count_max = FS_FILES,
	 .fill = fill_lookup_fresh,
	 .done = done_lookup_fresh,
	 .after = forget_fresh},
	{.name = "getattr", .fill = fill_getattr, .done = done_getattr},
	{.name = "create", .count_max = FS_FILES, .fill = fill_create, .done = done_create, .after = after_create},
	{.name = "unlink", .count_max = FS_FILES, .before = before_unlink, .fill = fill_unlink, .after = forget_fresh},
	{.name = "readdir",
	 .before = before_readdir,
	 .fill = fill_readdir,
	 .done = done_readdir,
	 .after = after_readdir},
	{.name = "readdirplus",
	 .before = before_readdir,
	 .fill = fill_readdirplus,
	 .done = done_readdirplus,
	 .after = after_readdir},
	{.name = "read 4 KiB", .data_len = FL_PAGE_LEN, .fill = fill_read, .done = done_read},
	{.name = "read 1 MiB", .data_len = MIB, .fill = fill_read, .done = done_read},
	{.name = "write 4 KiB", .data_len = FL_PAGE_LEN, .fill = fill_write, .done = done_write},
	{.name = "write 1 MiB", .data_len = MIB, .fill = fill_write, .done = done_write},
	{.name = "SETUPMAPPING", .fill = fill_setupmapping, .needs_window = true},
};

bool fs_op_run(struct fs_work *work, const struct fs_server *server, const struct fs_op *op, unsigned int depth,
	       uint64_t count, struct fs_spent *spent)
{
	uint64_t began, cpu_began, cpu_ended;

	work->op = op;
	work->depth = depth;
	if (op->before && !op->before(work, count))
		return false;
	cpu_began = fs_server_cpu_ns(server);
	began = now_ns();
	if (!run(work, depth, count, op->fill, op->done))
		return false;
	spent->ns = now_ns() - began;
	cpu_ended = fs_server_cpu_ns(server);
	/* ours is a difference of clocks that are read one after the other */
	spent->cpu_ns = cpu_ended > cpu_began ? cpu_ended - cpu_began : 1;
	return !op->after || op->after(work, count);
}
