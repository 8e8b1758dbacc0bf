/* SPDX-License-Identifier: Apache-2.0 */
#include "virtiofs/fuse_flight.h"

#include <string.h>

struct flight {
	struct fl_fs_call call;
	struct fl_fuse_request request; /* call's */
	struct fl_fs_work work;
	struct iovec iov[]; /* work's */
};

int fl_fs_finish_plain(struct fl_fs_call *call, int64_t result)
{
	(void)call;
	return result < 0 ? (int)result : 0;
}

bool fl_fs_can_fly(const struct fl_fs_call *call)
{
	/* nobody else's rights go along with what is done later, by another thread */
	return !call->as_user && call->fs->loop && call->request->io->keep && call->fs->in_flight < FL_FLIGHTS_MAX;
}

/* As a system call that moves less than it was asked to. */
static int64_t sum(const struct fl_fs_work *work, int64_t result)
{
	if (!work->moved)
		return result;
	return (int64_t)work->moved + (result > 0 ? result : 0);
}

static void let_go(struct fl_fs_work *work)
{
	fl_handle_put(work->handle);
	fl_handle_put(work->other);
	fl_close(&work->own_fd);
}

static void on_done(void *arg, int64_t result)
{
	struct flight *flight = arg;
	struct fl_fs_call *call = &flight->call;
	int error = flight->work.finish(call, sum(&flight->work, result));

	call->fs->in_flight--;
	let_go(&flight->work);
	flight->request.io->done(flight->request.arg, fl_fs_answer(call, error));
	free(flight);
}

/* NULL: no memory. */
static struct flight *new_flight(const struct fl_fs_call *call, const struct fl_fs_work *work)
{
	size_t iov_len = work->io.iov_count * sizeof(struct iovec);
	struct flight *flight = malloc(sizeof(*flight) + iov_len);

	if (!flight)
		return NULL;
	flight->request = *call->request;
	flight->request.arg = call->request->io->keep(call->request->arg);
	if (!flight->request.arg) {
		free(flight);
		return NULL;
	}
	flight->call = *call;
	flight->call.request = &flight->request;
	flight->work = *work;
	if (iov_len)
		memcpy(flight->iov, work->io.iov, iov_len);
	flight->work.io.iov = flight->iov;
	flight->work.io.fn = on_done;
	flight->work.io.arg = flight;
	return flight;
}

static bool take_off(struct fl_fs_call *call, const struct fl_fs_work *work)
{
	struct flight *flight = fl_fs_can_fly(call) ? new_flight(call, work) : NULL;

	if (!flight)
		return false;
	if (fl_loop_submit(call->fs->loop, &flight->work.io)) {
		call->request->io->drop(flight->request.arg);
		free(flight);
		return false;
	}
	fl_handle_get(work->handle);
	fl_handle_get(work->other);
	call->fs->in_flight++;
	return true;
}

int fl_fs_start(struct fl_fs_call *call, const struct fl_fs_work *work)
{
	FL_CLOSE int own_fd = work->own_fd;

	if (take_off(call, work)) {
		fl_steal_fd(&own_fd);
		return FL_FS_LATER;
	}
	return work->finish(call, sum(work, fl_loop_run_io(&work->io)));
}
