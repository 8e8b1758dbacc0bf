/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/control_server.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "cli/control_request.h"
#include "cli/diag.h"
#include "cli/runtime_dir.h"

#define REQUEST_PATIENCE_MS 5000
#define CHUNK_LEN	    4096

struct client {
	int fd; /* -1: nobody */
	int64_t since_ms;
	char request[FL_CLI_CONTROL_REQUEST_MAX];
	size_t request_len;
	bool asked; /* the request is whole */
	char *reply;
	size_t reply_len, sent_len;
	struct fl_cli_ring *ring; /* goes on with what is in it */
	uint64_t ring_at;
	bool follows;	    /* also what is still to come */
	bool waits_for_end; /* gets its answer when the guest has ended */
};

struct fl_cli_control {
	char *name;
	struct fl_cli_control_ops ops;
	int dir_fd, listen_fd, wake_fd;
	pthread_t thread;
	atomic_int closing_ms;				   /* 0: not closing; else the patience, plus 1 */
	struct client clients[FL_CLI_CONTROL_CLIENTS_MAX]; /* the thread's */
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void drop(struct client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	free(client->reply);
	*client = (struct client){.fd = -1};
}

/* The answer so far; the client gets no more if there is no memory for it. */
static void set_reply(struct client *client, char *text, size_t len)
{
	free(client->reply);
	client->reply = text;
	client->reply_len = text ? len : 0;
	client->sent_len = 0;
}

static void reply_line(struct client *client, const char *word, const char *sentence)
{
	char *text = NULL;
	int len = asprintf(&text, "%s%s%s\n", word, sentence ? " " : "", sentence ? sentence : "");

	set_reply(client, len < 0 ? NULL : text, len < 0 ? 0 : (size_t)len);
}

static void describe(struct fl_cli_control *control, struct client *client,
		     const struct fl_cli_control_request *request)
{
	struct fl_diag diag = {0};
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out) {
		reply_line(client, "error", "Out of memory.");
		return;
	}
	fputs("ok\n", out);
	int ret = control->ops.describe(control->ops.arg, request->what, request->json, out, &diag);

	if (fclose(out) != 0 && ret == 0)
		ret = fl_cli_diag(&diag, -ENOMEM, "Out of memory.");
	if (ret == 0) {
		set_reply(client, text, len);
		return;
	}
	free(text);
	reply_line(client, "error", diag.text);
}

static void follow(struct client *client, struct fl_cli_ring *ring, bool follows)
{
	reply_line(client, "ok", NULL);
	client->ring = ring;
	client->follows = follows;
}

static void change(struct fl_cli_control *control, struct client *client, int (*op)(void *, struct fl_diag *))
{
	struct fl_diag diag = {0};

	if (op(control->ops.arg, &diag) < 0)
		reply_line(client, "error", diag.text);
	else
		reply_line(client, "ok", NULL);
}

static void resize(struct fl_cli_control *control, struct client *client, const struct fl_cli_control_request *request)
{
	struct fl_diag diag = {0};
	int ret = control->ops.resize(control->ops.arg, (uint16_t)request->rows, (uint16_t)request->columns, &diag);

	reply_line(client, ret < 0 ? "error" : "ok", ret < 0 ? diag.text : NULL);
}

static void answer(struct fl_cli_control *control, struct client *client)
{
	const struct fl_cli_control_ops *ops = &control->ops;
	struct fl_cli_control_request request;
	struct fl_diag diag = {0};

	client->asked = true;
	if (fl_cli_control_parse(client->request, &request, &diag) < 0) {
		reply_line(client, "error", diag.text);
		return;
	}
	switch (request.verb) {
	case FL_CLI_CONTROL_DESCRIBE:
		describe(control, client, &request);
		break;
	case FL_CLI_CONTROL_FAULTS:
		follow(client, request.json ? ops->faults_json : ops->faults_text, request.follow);
		break;
	case FL_CLI_CONTROL_CONSOLE:
		follow(client, ops->console, request.follow);
		break;
	case FL_CLI_CONTROL_PAUSE:
		change(control, client, ops->pause);
		break;
	case FL_CLI_CONTROL_RESUME:
		change(control, client, ops->resume);
		break;
	case FL_CLI_CONTROL_STOP:
		client->waits_for_end = true;
		ops->stop(ops->arg, request.timeout_s);
		break;
	case FL_CLI_CONTROL_TERMINAL:
		resize(control, client, &request);
		break;
	}
}

/* False: the client is to be dropped. */
static bool take_request(struct fl_cli_control *control, struct client *client)
{
	char *to = client->request + client->request_len;
	ssize_t n = recv(client->fd, to, sizeof(client->request) - 1 - client->request_len, MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	client->request_len += (size_t)n;
	client->request[client->request_len] = '\0';
	char *newline = strchr(client->request, '\n');

	if (newline) {
		*newline = '\0';
		answer(control, client);
	} else if (n == 0) {
		return false;
	} else if (client->request_len == sizeof(client->request) - 1) {
		client->asked = true;
		reply_line(client, "error", "The request is too long.");
	}
	return true;
}

/* The next piece of what the client follows, as if it were its answer. False: there is none now. */
static bool refill(struct client *client)
{
	char chunk[CHUNK_LEN];

	if (!client->ring)
		return false;
	size_t len = fl_cli_ring_read(client->ring, &client->ring_at, chunk, sizeof(chunk));
	char *copy = len ? malloc(len) : NULL;

	if (!copy)
		return false;
	memcpy(copy, chunk, len);
	set_reply(client, copy, len);
	return true;
}

/* Sends what there is as far as it goes. False: all is said, or nobody listens, and the client is to be dropped. */
static bool send_more(struct client *client)
{
	do {
		while (client->sent_len < client->reply_len) {
			ssize_t n = send(client->fd, client->reply + client->sent_len,
					 client->reply_len - client->sent_len, MSG_DONTWAIT | MSG_NOSIGNAL);

			if (n < 0)
				return errno == EAGAIN || errno == EINTR;
			client->sent_len += (size_t)n;
		}
	} while (refill(client));
	return client->follows || client->waits_for_end;
}

static bool has_to_send(const struct client *client)
{
	return client->sent_len < client->reply_len;
}

static void serve(struct fl_cli_control *control, struct client *client, short events)
{
	bool stays = true;

	/* who has asked has nothing more to say: what comes then is that it has gone */
	if (client->asked && (events & (POLLIN | POLLHUP | POLLERR))) {
		char byte;

		stays = recv(client->fd, &byte, 1, MSG_DONTWAIT) > 0 || errno == EAGAIN;
	} else if (events & (POLLIN | POLLHUP | POLLERR)) {
		stays = take_request(control, client);
	} else if (!client->asked && now_ms() - client->since_ms > REQUEST_PATIENCE_MS) {
		stays = false;
	}
	if (stays && client->asked)
		stays = send_more(client);
	if (!stays)
		drop(client);
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
		struct client *client = &control->clients[i];

		if (client->fd < 0) {
			*client = (struct client){.fd = fd, .since_ms = now_ms()};
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
		const struct client *client = &control->clients[i];

		polled[2 + i] = (struct pollfd){.fd = client->fd,
						.events = (short)(POLLIN | (has_to_send(client) ? POLLOUT : 0))};
		/* somebody who connects and says nothing does not keep a place */
		if (client->fd >= 0 && !client->asked && timeout_ms < 0)
			timeout_ms = REQUEST_PATIENCE_MS;
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
		if (control->clients[i].fd >= 0)
			serve(control, &control->clients[i], polled[2 + i].revents);
	if (polled[0].revents)
		take_client(control);
}

static void tell_the_end(struct fl_cli_control *control, int patience_ms)
{
	int64_t deadline = now_ms() + patience_ms;
	bool somebody = true;

	for (size_t i = 0; i < FL_CLI_CONTROL_CLIENTS_MAX; i++) {
		struct client *client = &control->clients[i];

		if (client->waits_for_end)
			reply_line(client, "ok", NULL);
		client->waits_for_end = false;
		client->follows = false;
	}
	while (somebody && now_ms() < deadline) {
		somebody = false;
		for (size_t i = 0; i < FL_CLI_CONTROL_CLIENTS_MAX; i++) {
			struct client *client = &control->clients[i];

			if (client->fd >= 0 && !(client->asked && send_more(client)))
				drop(client);
			somebody = somebody || client->fd >= 0;
		}
		if (somebody)
			do_round(control, (int)(deadline - now_ms() > 0 ? deadline - now_ms() : 0));
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
		drop(&control->clients[i]);
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
		made->clients[i].fd = -1;
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
