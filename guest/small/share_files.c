/* SPDX-License-Identifier: Apache-2.0 */
/* Steps with files: what system calls are for Linux's actors is a request here. */
#include "guest/small/small.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <string.h>

#define FILES_MAX (FL_SCN_ACTORS_MAX * FL_SCN_HANDLES_MAX)

static struct small_file files[FILES_MAX];

/* What a request came to: 0, or -errno. */
static struct fl_actor_result answered(int error)
{
	return error ? (struct fl_actor_result){.kind = FL_SCN_ERROR, .value = (uint64_t)-error} : fl_actor_did(0);
}

const struct small_file *small_file_of(int number)
{
	return &files[number];
}

const struct small_file *small_file(const struct fl_actor_self *self, uint64_t number)
{
	int file = self->process->fds[number];

	return file < 0 ? NULL : small_file_of(file);
}

/* ---- opening ------------------------------------------------------------------------------ */

static uint32_t open_flags(uint32_t how)
{
	uint32_t flags = O_RDONLY;

	if (how & FL_SCN_O_WRITE)
		flags = how & FL_SCN_O_READ ? O_RDWR : O_WRONLY;
	return flags | (how & FL_SCN_O_TRUNC ? O_TRUNC : 0) | (how & FL_SCN_O_DIRECT ? O_DIRECT : 0);
}

static int create(struct small_share *share, const char *rest, struct small_file *file)
{
	struct fuse_create_in in = {.flags = open_flags(file->how) | O_CREAT, .mode = 0100644};
	struct {
		struct fuse_entry_out entry;
		struct fuse_open_out open;
	} out;
	const char *name = "";
	uint64_t dir, len;
	int error = small_walk(share, rest, &dir, &len, &name);

	if (error)
		return error;
	struct small_request request = {.opcode = FUSE_CREATE,
					.node = dir,
					.in = {{&in, sizeof(in)}, {name, (uint32_t)strlen(name) + 1}},
					.out = &out,
					.out_len = sizeof(out)};

	error = small_fuse(share, &request);
	small_forget(share, dir);
	file->node = out.entry.nodeid;
	file->handle = out.open.fh;
	return error;
}

static int open_node(struct small_share *share, struct small_file *file)
{
	struct fuse_open_in in = {.flags = open_flags(file->how)};
	struct fuse_open_out out;
	struct small_request request = {.opcode = FUSE_OPEN,
					.node = file->node,
					.in = {{&in, sizeof(in)}},
					.out = &out,
					.out_len = sizeof(out)};
	int error = small_fuse(share, &request);

	file->handle = out.fh;
	if (error)
		small_forget(share, file->node);
	return error;
}

int small_open(const char *path, uint32_t how)
{
	struct small_file file = {.how = how};
	const char *rest;
	uint64_t len;
	int number = 0, error;

	file.share = small_share_of(path, &rest);
	if (!file.share)
		return -ENOENT;
	error = small_walk(file.share, rest, &file.node, &len, NULL);
	if (!error)
		error = open_node(file.share, &file);
	else if (error == -ENOENT && how & FL_SCN_O_CREATE)
		error = create(file.share, rest, &file);
	if (error)
		return error;
	while ((uint32_t)number < FILES_MAX && files[number].share)
		number++;
	if (number == FILES_MAX)
		small_die("more files are open than actors can open");
	files[number] = file;
	return number;
}

static int release(struct small_file *file)
{
	struct fuse_release_in in = {.fh = file->handle, .flags = open_flags(file->how)};
	struct small_request request = {.opcode = FUSE_RELEASE, .node = file->node, .in = {{&in, sizeof(in)}}};
	struct small_file gone = *file;

	*file = (struct small_file){0};
	int error = small_fuse(gone.share, &request);

	small_forget(gone.share, gone.node);
	return error;
}

/* The first is the kernel's own, the page of marks. */
void small_close_all(void)
{
	for (uint32_t i = 1; i < FILES_MAX; i++)
		if (files[i].share)
			(void)release(&files[i]);
}

struct fl_actor_result fl_actor_op_open(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	int *fd = &self->process->fds[step->n[0]];

	if (*fd >= 0)
		return fl_actor_cannot(EEXIST);
	*fd = small_open(step->text, (uint32_t)step->n[1]);
	return answered(FL_MIN(*fd, 0));
}

struct fl_actor_result fl_actor_op_close(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	int fd = fl_steal_fd(&self->process->fds[step->n[0]]);

	return answered(fd < 0 ? -EBADF : release(&files[fd]));
}

/* ---- data --------------------------------------------------------------------------------- */

/* Piece by piece; one that is short, or fails, is the last. */
static struct fl_actor_result move(const struct fl_actor_self *self, const struct fl_actor_step *step,
				   int (*fn)(const struct small_file *file, uint64_t offset, uint8_t *bytes,
					     uint32_t *len))
{
	const struct small_file *file = small_file(self, step->n[0]);
	uint64_t done = 0;
	int error = 0;

	while (!error && done < step->n[2]) {
		uint32_t wanted = (uint32_t)FL_MIN(step->n[2] - done, (uint64_t)SMALL_PIECE_LEN), len = wanted;

		error = fn(file, step->n[1] + done, small_scratch(self), &len);
		done += error ? 0 : len;
		if (len < wanted)
			break;
	}
	return error && !done ? answered(error) : fl_actor_did(done);
}

static int read_piece(const struct small_file *file, uint64_t offset, uint8_t *bytes, uint32_t *len)
{
	struct fuse_read_in in = {.fh = file->handle, .offset = offset, .size = *len};
	struct small_request request = {
		.opcode = FUSE_READ, .node = file->node, .in = {{&in, sizeof(in)}}, .out = bytes, .out_len = *len};
	int error = small_fuse(file->share, &request);

	*len = request.out_len;
	return error;
}

static int write_piece(const struct small_file *file, uint64_t offset, uint8_t *bytes, uint32_t *len)
{
	struct fuse_write_in in = {.fh = file->handle, .offset = offset, .size = *len};
	struct fuse_write_out out = {0};
	struct small_request request = {.opcode = FUSE_WRITE,
					.node = file->node,
					.in = {{&in, sizeof(in)}, {bytes, *len}},
					.out = &out,
					.out_len = sizeof(out)};

	fl_actor_put_pattern(bytes, offset, *len);
	int error = small_fuse(file->share, &request);

	*len = out.size;
	return error;
}

struct fl_actor_result fl_actor_op_pread(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	const struct small_file *file = small_file(self, step->n[0]);

	return file && file->how & FL_SCN_O_READ ? move(self, step, read_piece) : answered(-EBADF);
}

struct fl_actor_result fl_actor_op_pwrite(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	const struct small_file *file = small_file(self, step->n[0]);

	return file && file->how & FL_SCN_O_WRITE ? move(self, step, write_piece) : answered(-EBADF);
}

struct fl_actor_result fl_actor_op_fsync(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	const struct small_file *file = small_file(self, step->n[0]);
	struct fuse_fsync_in in = {.fh = file ? file->handle : 0};
	struct small_request request = {.opcode = FUSE_FSYNC, .node = file ? file->node : 0, .in = {{&in, sizeof(in)}}};

	return answered(file ? small_fuse(file->share, &request) : -EBADF);
}

struct fl_actor_result fl_actor_op_fallocate(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	const struct small_file *file = small_file(self, step->n[0]);

	if (!file || !(file->how & FL_SCN_O_WRITE))
		return answered(-EBADF);
	struct fuse_fallocate_in in = {
		.fh = file->handle, .offset = step->n[1], .length = step->n[2], .mode = (uint32_t)step->n[3]};
	struct small_request request = {.opcode = FUSE_FALLOCATE, .node = file->node, .in = {{&in, sizeof(in)}}};

	return answered(small_fuse(file->share, &request));
}

/* ---- lengths and names -------------------------------------------------------------------- */

/* handle NULL: by name */
static int set_len(struct small_share *share, uint64_t node, const uint64_t *handle, uint64_t len)
{
	struct fuse_setattr_in in = {
		.valid = FATTR_SIZE | (handle ? FATTR_FH : 0), .fh = handle ? *handle : 0, .size = len};
	struct fuse_attr_out out;
	struct small_request request = {
		.opcode = FUSE_SETATTR, .node = node, .in = {{&in, sizeof(in)}}, .out = &out, .out_len = sizeof(out)};

	return small_fuse(share, &request);
}

struct fl_actor_result fl_actor_op_ftruncate(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	const struct small_file *file = small_file(self, step->n[0]);

	if (!file || !(file->how & FL_SCN_O_WRITE))
		return answered(file ? -EINVAL : -EBADF);
	return answered(set_len(file->share, file->node, &file->handle, step->n[1]));
}

struct fl_actor_result fl_actor_op_truncate(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	const char *rest;
	struct small_share *share = small_share_of(step->text, &rest);
	uint64_t node, len;
	int error = share ? small_walk(share, rest, &node, &len, NULL) : -ENOENT;

	(void)self;
	if (error)
		return answered(error);
	error = set_len(share, node, NULL, step->n[0]);
	small_forget(share, node);
	return answered(error);
}

struct fl_actor_result fl_actor_op_stat(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	const char *rest;
	struct small_share *share = small_share_of(step->text, &rest);
	uint64_t node, len = 0;
	int error = share ? small_walk(share, rest, &node, &len, NULL) : -ENOENT;

	(void)self;
	if (error)
		return answered(error);
	small_forget(share, node);
	return fl_actor_did(len);
}

struct fl_actor_result fl_actor_op_unlink(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	const char *rest, *name = "";
	struct small_share *share = small_share_of(step->text, &rest);
	uint64_t dir, len;
	int error = share ? small_walk(share, rest, &dir, &len, &name) : -ENOENT;

	(void)self;
	if (error)
		return answered(error);
	struct small_request request = {.opcode = FUSE_UNLINK, .node = dir, .in = {{name, (uint32_t)strlen(name) + 1}}};

	error = small_fuse(share, &request);
	small_forget(share, dir);
	return answered(error);
}

struct fl_actor_result fl_actor_op_rename(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	const char *rest, *to_rest, *name = "", *to_name = "", *to = step->text + strlen(step->text) + 1;
	struct small_share *share = small_share_of(step->text, &rest), *to_share = small_share_of(to, &to_rest);
	struct fuse_rename_in in;
	uint64_t dir, len;
	int error = share && to_share ? small_walk(share, rest, &dir, &len, &name) : -ENOENT;

	(void)self;
	if (error)
		return answered(error);
	error = share == to_share ? small_walk(share, to_rest, &in.newdir, &len, &to_name) : -EXDEV;
	struct small_request request = {.opcode = FUSE_RENAME,
					.node = dir,
					.in = {{&in, sizeof(in)},
					       {name, (uint32_t)strlen(name) + 1},
					       {to_name, (uint32_t)strlen(to_name) + 1}}};

	if (!error) {
		error = small_fuse(share, &request);
		small_forget(share, in.newdir);
	}
	small_forget(share, dir);
	return answered(error);
}
