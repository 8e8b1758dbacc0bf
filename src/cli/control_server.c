/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/control_server.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/control_peer.h"
#include "cli/control_request.h"
#include "cli/diag.h"
#include "cli/runtime_dir.h"

struct fl_cli_control {
	char *name;
	struct fl_cli_control_ops ops;
	int dir_fd, listen_fd, wake_fd;
	pthread_t thread;
	atomic_int closing_ms;					      /* 0: not closing; else the patience, plus 1 */
	struct fl_cli_control_peer peers[FL_CLI_CONTROL_CLIENTS_MAX]; /* the thread's */
};

static void describe(struct fl_cli_control *control, struct fl_cli_control_peer *peer,
		     const struct fl_cli_control_request *request)
{
	struct fl_diag diag = {0};
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out) {
		fl_cli_control_peer_reply_line(peer, "error", "Out of memory.");
		return;
	}
	fputs("ok\n", out);
	int ret = control->ops.describe(control->ops.arg, request->what, request->json, out, &diag);

	if (fclose(out) != 0 && ret == 0)
		ret = fl_cli_diag(&diag, -ENOMEM, "Out of memory.");
	if (ret == 0) {
		fl_cli_control_peer_reply(peer, text, len);
		return;
	}
	free(text);
	fl_cli_control_peer_reply_line(peer, "error", diag.text);
}

static void change(struct fl_cli_control *control, struct fl_cli_control_peer *peer,
		   int (*op)(void *, struct fl_diag *))
{
	struct fl_diag diag = {0};

	if (op(control->ops.arg, &diag) < 0)
		fl_cli_control_peer_reply_line(peer, "error", diag.text);
	else
		fl_cli_control_peer_reply_line(peer, "ok", NULL);
}

static void resize(struct fl_cli_control *control, struct fl_cli_control_peer *peer,
		   const struct fl_cli_control_request *request)
{
	struct fl_diag diag = {0};
	int ret = control->ops.resize(control->ops.arg, (uint16_t)request->rows, (uint16_t)request->columns, &diag);

	fl_cli_control_peer_reply_line(peer, ret < 0 ? "error" : "ok", ret < 0 ? diag.text : NULL);
}

static void answer(struct fl_cli_control *control, struct fl_cli_control_peer *peer, const char *line)
{
	const struct fl_cli_control_ops *ops = &control->ops;
	struct fl_cli_control_request request;
	struct fl_diag diag = {0};

	if (fl_cli_control_parse(line, &request, &diag) < 0) {
		fl_cli_control_peer_reply_line(peer, "error", diag.text);
		return;
	}
	switch (request.verb) {
	case FL_CLI_CONTROL_DESCRIBE:
		describe(control, peer, &request);
		break;
	case FL_CLI_CONTROL_FAULTS:
		fl_cli_control_peer_show(peer, request.json ? ops->faults_json : ops->faults_text, request.follow);
		break;
	case FL_CLI_CONTROL_CONSOLE:
		fl_cli_control_peer_show(peer, ops->console, request.follow);
		break;
	case FL_CLI_CONTROL_PAUSE:
		change(control, peer, ops->pause);
		break;
	case FL_CLI_CONTROL_RESUME:
		change(control, peer, ops->resume);
		break;
	case FL_CLI_CONTROL_STOP:
		peer->waits_for_end = true;
		ops->stop(ops->arg, request.timeout_s);
		break;
	case FL_CLI_CONTROL_TERMINAL:
		resize(control, peer, &request);
		break;
	}
}

static void serve(struct fl_cli_control *control, struct fl_cli_control_peer *peer, short revents)
{
	const char *line;
	bool stays = fl_cli_control_peer_listen(peer, revents, &line);

	if (line)
		answer(control, peer, line);
	if (stays && peer->asked)
		stays = fl_cli_control_peer_send(peer);
	if (!stays)
		fl_cli_control_peer_drop(peer);
}

static bool is_allowed(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && (peer.uid == 0 || peer.uid == geteuid());
}

static void take_client(struct fl_cli_control *control)
{
	int fd = accept4(control->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	for (size_t i = 0; is_allowed(fd) && i < FL_CLI_CONTROL_CLIENTS_MAX; i++) {
		struct fl_cli_control_peer *peer = &control->peers[i];

		if (peer->fd < 0) {
			fl_cli_control_peer_begin(peer, fd);
			return;
		}
	}
	static const char full[] =
		"error This guest has no room for one more client: end one of those that follow it.\n";

	(void)!send(fd, full, sizeof(full) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	close(fd);
}

static void wait_for_events(struct fl_cli_control *control, struct pollfd *polled, int timeout_ms)
{
	polled[0] = (struct pollfd){.fd = control->listen_fd, .events = POLLIN};
	polled[1] = (struct pollfd){.fd = control->wake_fd, .events = POLLIN};
	for (size_t i = 0; i < FL_CLI_CONTROL_CLIENTS_MAX; i++) {
		const struct fl_cli_control_peer *peer = &control->peers[i];

		polled[2 + i] = (struct pollfd){.fd = peer->fd, .events = fl_cli_control_peer_events(peer)};
		if (peer->fd >= 0 && !peer->asked && timeout_ms < 0)
			timeout_ms = FL_CLI_CONTROL_PATIENCE_MS;
	}
	if (poll(polled, 2 + FL_CLI_CONTROL_CLIENTS_MAX, timeout_ms) < 0)
		for (size_t i = 0; i < 2 + FL_CLI_CONTROL_CLIENTS_MAX; i++)
			polled[i].revents = 0;
}

static void do_round(struct fl_cli_control *control, int timeout_ms)
{
	struct pollfd polled[2 + FL_CLI_CONTROL_CLIENTS_MAX];
	uint64_t count;

	wait_for_events(control, polled, timeout_ms);
	if (polled[1].revents && read(control->wake_fd, &count, sizeof(count)) < 0)
		return;
	for (size_t i = 0; i < FL_CLI_CONTROL_CLIENTS_MAX; i++)
		if (control->peers[i].fd >= 0)
			serve(control, &control->peers[i], polled[2 + i].revents);
	if (polled[0].revents)
		take_client(control);
}

static void tell_the_end(struct fl_cli_control *control, int patience_ms)
{
	int64_t deadline = fl_cli_control_now_ms() + patience_ms;
	bool somebody = true;

	for (size_t i = 0; i < FL_CLI_CONTROL_CLIENTS_MAX; i++) {
		struct fl_cli_control_peer *peer = &control->peers[i];

		if (peer->waits_for_end)
			fl_cli_control_peer_reply_line(peer, "ok", NULL);
		peer->waits_for_end = false;
		peer->follows = false;
	}
	while (somebody && fl_cli_control_now_ms() < deadline) {
		somebody = false;
		for (size_t i = 0; i < FL_CLI_CONTROL_CLIENTS_MAX; i++) {
			struct fl_cli_control_peer *peer = &control->peers[i];

			if (peer->fd >= 0 && !(peer->asked && fl_cli_control_peer_send(peer)))
				fl_cli_control_peer_drop(peer);
			somebody = somebody || peer->fd >= 0;
		}
		int64_t left_ms = deadline - fl_cli_control_now_ms();

		if (somebody)
			do_round(control, (int)(left_ms > 0 ? left_ms : 0));
	}
}

static void *serve_all(void *arg)
{
	struct fl_cli_control *control = arg;
	int closing_ms;

	while ((closing_ms = atomic_load(&control->closing_ms)) == 0)
		do_round(control, -1);
	close(control->listen_fd);
	control->listen_fd = -1;
	tell_the_end(control, closing_ms - 1);
	return NULL;
}

static void set_wakes(struct fl_cli_control *control, int fd)
{
	fl_cli_ring_wakes(control->ops.console, fd);
	fl_cli_ring_wakes(control->ops.faults_text, fd);
	fl_cli_ring_wakes(control->ops.faults_json, fd);
}

static void free_control(struct fl_cli_control *control)
{
	for (size_t i = 0; i < FL_CLI_CONTROL_CLIENTS_MAX; i++)
		fl_cli_control_peer_drop(&control->peers[i]);
	if (control->listen_fd >= 0)
		close(control->listen_fd);
	if (control->wake_fd >= 0)
		close(control->wake_fd);
	if (control->dir_fd >= 0)
		close(control->dir_fd);
	free(control->name);
	free(control);
}

static int start(struct fl_cli_control *control, struct fl_diag *diag)
{
	control->dir_fd = fl_cli_open_runtime_dir(true, diag);
	if (control->dir_fd < 0)
		return control->dir_fd;
	control->wake_fd = eventfd(0, EFD_CLOEXEC);
	if (control->wake_fd < 0)
		return fl_cli_diag(diag, -errno, "There is no eventfd for the control socket: %s.", strerror(errno));
	control->listen_fd = fl_cli_listen(control->dir_fd, control->name, diag);
	if (control->listen_fd < 0)
		return control->listen_fd;
	set_wakes(control, control->wake_fd);
	int error = pthread_create(&control->thread, NULL, serve_all, control);

	if (!error)
		return 0;
	set_wakes(control, -1);
	fl_cli_unlink_socket(control->dir_fd, control->name);
	return fl_cli_diag(diag, -error, "There is no thread for the control socket: %s.", strerror(error));
}

int fl_cli_control_open(const char *name, const struct fl_cli_control_ops *ops, struct fl_cli_control **control,
			struct fl_diag *diag)
{
	struct fl_cli_control *made = calloc(1, sizeof(*made));

	*control = NULL;
	if (!made)
		return fl_cli_diag(diag, -ENOMEM, "Out of memory.");
	for (size_t i = 0; i < FL_CLI_CONTROL_CLIENTS_MAX; i++)
		made->peers[i].fd = -1;
	made->dir_fd = made->listen_fd = made->wake_fd = -1;
	made->ops = *ops;
	made->name = strdup(name);
	int ret = made->name ? start(made, diag) : fl_cli_diag(diag, -ENOMEM, "Out of memory.");

	if (ret < 0)
		free_control(made);
	else
		*control = made;
	return ret;
}

void fl_cli_control_close(struct fl_cli_control *control, int patience_ms)
{
	uint64_t one = 1;

	if (!control)
		return;
	fl_cli_unlink_socket(control->dir_fd, control->name);
	atomic_store(&control->closing_ms, patience_ms + 1);
	(void)!write(control->wake_fd, &one, sizeof(one));
	pthread_join(control->thread, NULL);
	set_wakes(control, -1);
	free_control(control);
}
