/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/events.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "cli/diag.h"
#include "cli/outfile.h"

#define ROOM_STEP 4096u

int fl_cli_open_events(const char *where, struct fl_diag *diag)
{
	int fd, given;
	char rest;

	if (!where[0])
		return fl_cli_diag(diag, -EINVAL, "--events wants FILE or fd:N.");
	if (strncmp(where, "fd:", 3) != 0) {
		fd = fl_cli_open_outfile(where, O_APPEND);
		return fd >= 0 ? fd
			       : fl_cli_diag(diag, fd, "--events: %s cannot be written: %s.", where,
					     fl_cli_outfile_error(fd));
	}
	if (sscanf(where + 3, "%9d%c", &given, &rest) != 1 || given < 0)
		return fl_cli_diag(diag, -EINVAL, "--events wants a number after \"fd:\", not \"%s\".", where + 3);
	fd = fcntl(given, F_DUPFD_CLOEXEC, 0);
	if (fd < 0 || (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY) {
		if (fd >= 0)
			close(fd);
		return fl_cli_diag(diag, -EBADF, "--events: descriptor %d is not open for writing.", given);
	}
	return fd;
}

static void give_up(struct fl_cli_events *events, const char *why)
{
	pthread_mutex_lock(&events->lock);
	bool first = !events->failed;
	const char *rest = events->closing ? "" : "; the guest goes on";

	events->failed = true;
	pthread_mutex_unlock(&events->lock);
	if (first)
		fprintf(events->complaints, "faultline: warning: events cannot be written to %s any more: %s%s.\n",
			events->where, why, rest);
}

/* A pipe that poll() calls writable takes PIPE_BUF bytes at once; only a longer line can wait in write(). */
static ssize_t write_when_ready(int fd, const char *bytes, size_t len)
{
	struct pollfd ready = {.fd = fd, .events = POLLOUT};
	int state;

	/* here alone the thread can be stuck, and holds nothing but its lines */
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state);
	ssize_t n = poll(&ready, 1, -1);

	if (n > 0)
		n = write(fd, bytes, len);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	return n;
}

static bool write_line(struct fl_cli_events *events, const char *line, size_t len)
{
	while (len > 0) {
		ssize_t n = write_when_ready(events->fd, line, len);

		if (n < 0 && errno != EINTR && errno != EAGAIN) {
			give_up(events, strerror(errno));
			return false;
		}
		if (n > 0) {
			line += n;
			len -= (size_t)n;
		}
	}
	return true;
}

static void note_written(struct fl_cli_events *events, size_t len)
{
	pthread_mutex_lock(&events->lock);
	events->taken_len -= len;
	pthread_mutex_unlock(&events->lock);
}

static bool write_lines(struct fl_cli_events *events, const char *lines, size_t len)
{
	while (len > 0) {
		const char *end = memchr(lines, '\n', len);
		size_t line_len = (size_t)(end - lines) + 1;

		if (!write_line(events, lines, line_len))
			return false;
		note_written(events, line_len);
		lines += line_len;
		len -= line_len;
	}
	return true;
}

/* What has come in since; false when there is nothing and nothing will come. The caller frees it. */
static bool take_waiting(struct fl_cli_events *events, char **lines, size_t *len)
{
	pthread_mutex_lock(&events->lock);
	*lines = events->waiting;
	*len = events->waiting_len;
	events->taken_len = *len;
	events->waiting = NULL;
	events->waiting_len = events->waiting_size = 0;
	bool more = *len > 0 || !events->closing;

	pthread_mutex_unlock(&events->lock);
	return more;
}

static void *writer(void *arg)
{
	struct fl_cli_events *events = arg;
	char *lines;
	size_t len;
	uint64_t count;
	int state;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
	while (take_waiting(events, &lines, &len)) {
		pthread_cleanup_push(free, lines);
		if (len == 0)
			(void)!read(events->wake_fd, &count, sizeof(count));
		else
			write_lines(events, lines, len);
		pthread_cleanup_pop(1);
	}
	return NULL;
}

static void wake(struct fl_cli_events *events)
{
	uint64_t one = 1;

	(void)!write(events->wake_fd, &one, sizeof(one));
}

void fl_cli_events_none(struct fl_cli_events *events)
{
	*events = (struct fl_cli_events){.fd = -1, .wake_fd = -1};
}

int fl_cli_events_open(struct fl_cli_events *events, const char *where, FILE *complaints, struct fl_diag *diag)
{
	sigset_t all, before;
	int ret = fl_cli_open_events(where, diag);

	fl_cli_events_none(events);
	if (ret < 0)
		return ret;
	events->fd = ret;
	events->where = where;
	events->complaints = complaints;
	events->wake_fd = eventfd(0, EFD_CLOEXEC);
	pthread_mutex_init(&events->lock, NULL);
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	ret = events->wake_fd < 0 ? errno : pthread_create(&events->thread, NULL, writer, events);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!ret)
		return 0;
	pthread_mutex_destroy(&events->lock);
	close(events->fd);
	if (events->wake_fd >= 0)
		close(events->wake_fd);
	fl_cli_events_none(events);
	return fl_cli_diag(diag, -ret, "--events: there is no thread to write them: %s.", strerror(ret));
}

static bool make_room(struct fl_cli_events *events, size_t len, bool last)
{
	size_t size = events->waiting_size;

	if (!last && events->taken_len + events->waiting_len + len > FL_CLI_EVENTS_ROOM)
		return false;
	while (size < events->waiting_len + len)
		size = size ? 2 * size : ROOM_STEP;
	if (size == events->waiting_size)
		return true;
	char *grown = realloc(events->waiting, size);

	if (!grown)
		return false;
	events->waiting = grown;
	events->waiting_size = size;
	return true;
}

void fl_cli_events_put(struct fl_cli_events *events, const char *line, size_t len, bool last)
{
	if (events->fd < 0)
		return;
	pthread_mutex_lock(&events->lock);
	if (!line || events->failed || !make_room(events, len + 1, last)) {
		events->lost++;
	} else {
		memcpy(events->waiting + events->waiting_len, line, len);
		events->waiting[events->waiting_len + len] = '\n';
		events->waiting_len += len + 1;
	}
	pthread_mutex_unlock(&events->lock);
	wake(events);
}

uint64_t fl_cli_events_lost(struct fl_cli_events *events)
{
	if (events->fd < 0)
		return 0;
	pthread_mutex_lock(&events->lock);
	uint64_t lost = events->lost;

	pthread_mutex_unlock(&events->lock);
	return lost;
}

/* A reader that does not read must not keep the launcher. */
static void join_writer(struct fl_cli_events *events, int patience_ms)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += patience_ms / 1000;
	until.tv_nsec += (long)(patience_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	if (pthread_timedjoin_np(events->thread, NULL, &until) == 0)
		return;
	give_up(events, "nobody reads them");
	pthread_cancel(events->thread);
	pthread_join(events->thread, NULL);
}

void fl_cli_events_close(struct fl_cli_events *events, int patience_ms)
{
	if (events->fd < 0)
		return;
	pthread_mutex_lock(&events->lock);
	events->closing = true;
	pthread_mutex_unlock(&events->lock);
	wake(events);
	join_writer(events, patience_ms);
	free(events->waiting);
	close(events->fd);
	close(events->wake_fd);
	pthread_mutex_destroy(&events->lock);
	fl_cli_events_none(events);
}
