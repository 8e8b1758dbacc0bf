/* SPDX-License-Identifier: Apache-2.0 */
/* Operations as system calls, loads and stores. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/falloc.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/exercise/exercise_look.h"

static bool open_file(struct ex_actor *actor, unsigned int index)
{
	struct ex_open_file *file = &actor->files[index];
	char name[EX_NAME_LEN];

	ex_file_name(index, name);
	file->fd = open(name, O_RDWR | O_CLOEXEC);
	file->append_fd = open(name, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (file->fd < 0 || file->append_fd < 0)
		return ex_failed(actor, "open", index, -1);
	void *map = mmap(NULL, actor->model.config.max_len + EX_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd, 0);

	if (map == MAP_FAILED)
		return ex_failed(actor, "mmap", index, -1);
	file->map = map;
	return true;
}

static void close_file(struct ex_actor *actor, unsigned int index)
{
	struct ex_open_file *file = &actor->files[index];

	if (file->map)
		munmap(file->map, actor->model.config.max_len + EX_PAGE);
	if (file->fd >= 0)
		close(file->fd);
	if (file->append_fd >= 0)
		close(file->append_fd);
	file->map = NULL;
	file->fd = file->append_fd = -1;
}

bool ex_actor_open(struct ex_actor *actor)
{
	for (unsigned int i = 0; i < actor->model.config.files; i++)
		actor->files[i] = (struct ex_open_file){.fd = -1, .append_fd = -1};
	for (unsigned int i = 0; i < actor->model.config.files; i++)
		if (!open_file(actor, i))
			return false;
	return true;
}

void ex_actor_close(struct ex_actor *actor)
{
	for (unsigned int i = 0; i < actor->model.config.files; i++)
		close_file(actor, i);
}

static bool done_whole(struct ex_actor *actor, const struct ex_op *op, const char *call, ssize_t done)
{
	return done == (ssize_t)op->len || ex_failed(actor, call, op->file, done);
}

/* The same bytes in two parts, so that one of them begins at an odd place of the buffer. */
static void split(struct ex_actor *actor, const struct ex_op *op, struct iovec parts[2])
{
	size_t first = op->len / 3;

	parts[0] = (struct iovec){.iov_base = actor->buffer, .iov_len = first};
	parts[1] = (struct iovec){.iov_base = actor->buffer + first, .iov_len = op->len - first};
}

static bool do_read(struct ex_actor *actor, const struct ex_op *op)
{
	uint64_t size = actor->model.files[op->file].size;
	uint64_t there = op->offset < size ? size - op->offset : 0;
	int fd = actor->files[op->file].fd;
	struct iovec parts[2];
	ssize_t n;

	if (op->kind == EX_READV) {
		split(actor, op, parts);
		n = lseek(fd, (off_t)op->offset, SEEK_SET) < 0 ? -1 : readv(fd, parts, 2);
	} else {
		n = pread(fd, actor->buffer, op->len, (off_t)op->offset);
	}
	uint64_t expected = op->len < there ? op->len : there;

	if (n != (ssize_t)expected) {
		fprintf(actor->said, "%" PRIu64 " bytes expected at %" PRIu64 ": ", expected, op->offset);
		return ex_failed(actor, "reading", op->file, n);
	}
	return !expected || ex_compare(actor, op->file, op->offset, actor->buffer, expected, "reading");
}

static bool do_store(struct ex_actor *actor, const struct ex_op *op)
{
	uint8_t *map = actor->files[op->file].map;
	const uint8_t *at;

	actor->files[op->file].stored = true;
	if (ex_guarded_copy(map + op->offset, actor->buffer, op->len, &at))
		return true;
	fprintf(actor->said, "at %td SIGBUS, ", at - map);
	return ex_failed(actor, "mapwrite", op->file, 0);
}

static bool do_write(struct ex_actor *actor, const struct ex_op *op)
{
	struct ex_open_file *file = &actor->files[op->file];
	struct iovec parts[2];

	ex_fill(op, actor->buffer);
	if (op->kind == EX_MAPWRITE)
		return do_store(actor, op);
	file->written = true;
	if (op->kind == EX_APPEND)
		return done_whole(actor, op, "append", write(file->append_fd, actor->buffer, op->len));
	if (op->kind == EX_PWRITE)
		return done_whole(actor, op, "pwrite", pwrite(file->fd, actor->buffer, op->len, (off_t)op->offset));
	split(actor, op, parts);
	if (lseek(file->fd, (off_t)op->offset, SEEK_SET) < 0)
		return ex_failed(actor, "lseek", op->file, -1);
	return done_whole(actor, op, "writev", writev(file->fd, parts, 2));
}

static bool do_truncate(struct ex_actor *actor, const struct ex_op *op)
{
	struct ex_open_file *file = &actor->files[op->file];
	char name[EX_NAME_LEN];

	if (op->kind == EX_TRUNCATE)
		return ftruncate(file->fd, (off_t)op->offset) == 0 || ex_failed(actor, "ftruncate", op->file, -1);
	ex_file_name(op->file, name);
	if (op->kind == EX_TRUNCATE_PATH)
		return truncate(name, (off_t)op->offset) == 0 || ex_failed(actor, "truncate", op->file, -1);
	int fd = open(name, O_RDWR | O_TRUNC | O_CLOEXEC);

	if (fd < 0)
		return ex_failed(actor, "open with O_TRUNC", op->file, -1);
	close(fd);
	return true;
}

static bool do_fallocate(struct ex_actor *actor, const struct ex_op *op)
{
	static const int modes[EX_KINDS] = {
		[EX_PUNCH] = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		[EX_ZERO] = FALLOC_FL_ZERO_RANGE,
		[EX_ZERO_KEEP] = FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
	};

	return fallocate(actor->files[op->file].fd, modes[op->kind], (off_t)op->offset, (off_t)op->len) == 0 ||
	       ex_failed(actor, "fallocate", op->file, -1);
}

/* A short copy is no error: copy_file_range(2). */
static bool do_copy_range(struct ex_actor *actor, const struct ex_op *op)
{
	off_t from = (off_t)op->other_offset, to = (off_t)op->offset;

	for (uint64_t done = 0; done < op->len;) {
		ssize_t n = copy_file_range(actor->files[op->other].fd, &from, actor->files[op->file].fd, &to,
					    op->len - done, 0);

		if (n <= 0)
			return ex_failed(actor, "copy_file_range", op->file, n);
		done += (uint64_t)n;
	}
	return true;
}

/* A place is made for what will be read into the mapping, which cannot make the file longer. */
static bool do_copy(struct ex_actor *actor, const struct ex_op *op)
{
	struct ex_open_file *to = &actor->files[op->file], *from = &actor->files[op->other];

	if (op->kind != EX_READ_MAPPED)
		to->written = true;
	if (op->kind == EX_COPY_RANGE)
		return do_copy_range(actor, op);
	if (op->kind == EX_WRITE_MAPPED)
		return done_whole(actor, op, "pwrite of a mapping",
				  pwrite(to->fd, from->map + op->other_offset, op->len, (off_t)op->offset));
	to->stored = true;
	return done_whole(actor, op, "pread into the mapping",
			  pread(from->fd, to->map + op->offset, op->len, (off_t)op->other_offset));
}

static bool do_other(struct ex_actor *actor, const struct ex_op *op)
{
	struct ex_open_file *file = &actor->files[op->file];

	if (op->kind == EX_MSYNC)
		return msync(file->map, actor->model.config.max_len, MS_SYNC) == 0 ||
		       ex_failed(actor, "msync", op->file, -1);
	if (op->kind == EX_FSYNC)
		return fsync(file->fd) == 0 || ex_failed(actor, "fsync", op->file, -1);
	close_file(actor, op->file);
	return open_file(actor, op->file);
}

static bool do_with_files(struct ex_actor *actor, const struct ex_op *op)
{
	if (op->kind == EX_MAPREAD)
		return ex_look_at(actor, op->file, op->offset, op->len, EX_BY_MAP);
	if (op->kind == EX_MAPEND)
		return ex_look_at_end(actor, op->file);
	if (op->kind == EX_SIZE)
		return ex_look_at_size(actor, op->file);
	if (op->kind == EX_PREAD || op->kind == EX_READV)
		return do_read(actor, op);
	if (ex_is_write(op->kind))
		return do_write(actor, op);
	if (ex_is_copy(op->kind))
		return do_copy(actor, op);
	if (op->kind >= EX_TRUNCATE && op->kind <= EX_OPEN_TRUNC)
		return do_truncate(actor, op);
	if (op->kind >= EX_PUNCH && op->kind <= EX_ALLOCATE)
		return do_fallocate(actor, op);
	return do_other(actor, op);
}

bool ex_do(struct ex_actor *actor, const struct ex_op *op)
{
	bool good = do_with_files(actor, op);

	ex_model_apply(&actor->model, op);
	if (!good) {
		fprintf(actor->said, "in ");
		ex_op_print(actor->said, op);
		return false;
	}
	actor->files[op->file].known_size = actor->model.files[op->file].size;
	if (!op->look_back)
		return true;
	/* by the other way than it went */
	enum ex_way way = ex_is_mapped_write(op->kind) ? EX_BY_READ : EX_BY_MAP;

	if (ex_is_write(op->kind) || ex_is_copy(op->kind) || (op->kind >= EX_PUNCH && op->kind <= EX_ALLOCATE))
		return ex_look_at(actor, op->file, op->offset, op->len, way);
	if (op->kind >= EX_TRUNCATE && op->kind <= EX_OPEN_TRUNC)
		return ex_look_at_end(actor, op->file);
	return true;
}
