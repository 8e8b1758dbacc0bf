/* SPDX-License-Identifier: Apache-2.0 */
/* Steps that go through a pipe, which holds pages and not bytes: those of a file, or of a mapping. */
#include "guest/actor.h"

#include <fcntl.h>
#include <sys/uio.h>

/* What a pipe takes from the start; what is in it is always taken out before more is put in. */
#define PIECE_LEN UINT64_C(65536)

struct pipe {
	int out, in;
};

/* From where the next `len` bytes come at `done`: into the pipe; as splice(2). */
typedef ssize_t (*fill_fn)(const struct pipe *pipe, void *arg, uint64_t done, size_t len);

/* What is in the pipe goes to the file. How many bytes; less than len at an error, with errno. */
static uint64_t drain(const struct pipe *pipe, int fd, uint64_t offset, uint64_t len)
{
	uint64_t done = 0;

	while (done < len) {
		off_t at = (off_t)(offset + done);
		ssize_t moved = splice(pipe->out, NULL, fd, &at, len - done, 0);

		if (moved <= 0)
			break;
		done += (uint64_t)moved;
	}
	return done;
}

/* Bytes that came to the file, or errno if none did. */
static struct fl_actor_result pump(int fd, uint64_t offset, uint64_t len, fill_fn fill, void *arg)
{
	struct pipe pipe;
	int ends[2];
	uint64_t done = 0, moved = 0;
	ssize_t filled = 0;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return fl_actor_cannot(errno);
	pipe = (struct pipe){.out = ends[0], .in = ends[1]};
	errno = 0;
	while (done < len && moved == (uint64_t)filled) {
		filled = fill(&pipe, arg, done, FL_MIN(len - done, PIECE_LEN));
		if (filled <= 0)
			break;
		moved = drain(&pipe, fd, offset + done, (uint64_t)filled);
		done += moved;
	}
	bool failed = done == 0 && (filled < 0 || moved < (uint64_t)filled);
	struct fl_actor_result result = failed ? fl_actor_called(-1) : fl_actor_did(done);

	close(ends[0]);
	close(ends[1]);
	return result;
}

struct file_source {
	int fd;
	uint64_t offset;
};

static ssize_t fill_from_file(const struct pipe *pipe, void *arg, uint64_t done, size_t len)
{
	const struct file_source *source = arg;
	off_t at = (off_t)(source->offset + done);

	return splice(source->fd, &at, pipe->in, NULL, len, 0);
}

struct fl_actor_result fl_actor_op_splice(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	struct file_source source = {.fd = fl_actor_fd(self, step->n[2]), .offset = step->n[3]};

	return pump(fl_actor_fd(self, step->n[0]), step->n[1], step->n[4], fill_from_file, &source);
}

static ssize_t fill_from_memory(const struct pipe *pipe, void *arg, uint64_t done, size_t len)
{
	const struct iovec memory = {.iov_base = (uint8_t *)arg + done, .iov_len = len};

	/* some of it may be there, and the rest not, for which nobody would make room */
	return vmsplice(pipe->in, &memory, 1, SPLICE_F_NONBLOCK);
}

struct fl_actor_result fl_actor_op_vmsplice(struct fl_actor_self *self, const struct fl_actor_step *step)
{
	uint8_t *at = FL_ACTOR_AT_OR_RETURN(&step->n[2], step->n[4]);

	return pump(fl_actor_fd(self, step->n[0]), step->n[1], step->n[4], fill_from_memory, at);
}
