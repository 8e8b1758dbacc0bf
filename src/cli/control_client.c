/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/control_client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/diag.h"
#include "cli/runtime_dir.h"

#define ERROR_PREFIX "error "

static int send_request(int fd, const char *request)
{
	char line[512];
	int len = snprintf(line, sizeof(line), "%s\n", request);

	if (len < 0 || (size_t)len >= sizeof(line))
		return -E2BIG;
	/* a fresh socket has room for that */
	return send(fd, line, (size_t)len, MSG_NOSIGNAL) == len ? 0 : -ECONNRESET;
}

/* The first line, byte by byte: what follows it stays for the caller's stream. -ETIMEDOUT, -ECONNRESET, -EPROTO. */
static int read_line(int fd, int patience_ms, char *line, size_t len)
{
	size_t used = 0;

	while (used < len - 1) {
		struct pollfd polled = {.fd = fd, .events = POLLIN};
		int ready = poll(&polled, 1, patience_ms);

		if (ready < 0 && errno == EINTR)
			continue;
		if (ready <= 0)
			return ready == 0 ? -ETIMEDOUT : -errno;
		if (read(fd, line + used, 1) != 1)
			return -ECONNRESET;
		if (line[used] == '\n') {
			line[used] = '\0';
			return 0;
		}
		used++;
	}
	return -EPROTO;
}

static int explain(const char *name, int error, struct fl_diag *diag)
{
	switch (error) {
	case -ENOENT:
		return fl_cli_diag(diag, error, "No guest with the name %s runs; \"faultline ps\" lists those that do.",
				   name);
	case -ETIMEDOUT:
		return fl_cli_diag(diag, error, "The guest %s does not answer; its process may be stopped.", name);
	case -ECONNRESET:
		return fl_cli_diag(diag, error, "The guest %s ended before it answered.", name);
	default:
		return fl_cli_diag(diag, error, "The guest %s cannot be asked: %s.", name, strerror(-error));
	}
}

static int converse(int fd, const char *name, const char *request, int patience_ms, struct fl_diag *diag)
{
	char line[sizeof(diag->text)];
	int sent = send_request(fd, request);
	/* who has no room says so, and hangs up without listening: the sentence is there all the same */
	int ret = sent == -E2BIG ? sent : read_line(fd, patience_ms, line, sizeof(line));

	if (ret < 0)
		return explain(name, ret, diag);
	if (strcmp(line, "ok") == 0)
		return 0;
	if (strncmp(line, ERROR_PREFIX, strlen(ERROR_PREFIX)) != 0)
		return explain(name, -EPROTO, diag);
	return fl_cli_diag(diag, -EREMOTEIO, "%s", line + strlen(ERROR_PREFIX));
}

int fl_cli_ask(int dir_fd, const char *name, const char *request, int patience_ms, FILE **reply, struct fl_diag *diag)
{
	int fd = fl_cli_connect(dir_fd, name);
	int ret;

	if (fd < 0)
		return explain(name, fd, diag);
	ret = converse(fd, name, request, patience_ms, diag);
	/* reading what follows may wait */
	if (ret == 0 && fcntl(fd, F_SETFL, 0) < 0)
		ret = explain(name, -errno, diag);
	*reply = ret == 0 ? fdopen(fd, "r") : NULL;
	if (*reply)
		return 0;
	close(fd);
	return ret < 0 ? ret : fl_cli_diag(diag, -ENOMEM, "Out of memory.");
}
