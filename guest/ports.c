/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/ports.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "guest/agent_conf.h"

#define PORT_CLASS_DIR "/sys/class/virtio-ports"
#define PORT_NAME_LEN  64 /* virtio-console's own limit is the library's, 63 */

static const char *const port_names[FL_PORT_COUNT] = {
	[FL_PORT_STATUS] = FL_AGENT_PORT_STATUS,   [FL_PORT_STDIN] = FL_AGENT_PORT_STDIN,
	[FL_PORT_STDOUT] = FL_AGENT_PORT_STDOUT,   [FL_PORT_STDERR] = FL_AGENT_PORT_STDERR,
	[FL_PORT_CONTROL] = FL_AGENT_PORT_CONTROL,
};

int64_t fl_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void sleep_ms(long ms)
{
	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* The host tells a port's name after the port: the file `name` appears some time after its directory. */
static bool read_name(int class_dir, const char *device, char name[PORT_NAME_LEN])
{
	char path[300];

	snprintf(path, sizeof(path), "%.200s/name", device);
	FL_CLOSE int fd = openat(class_dir, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, name, PORT_NAME_LEN - 1);

	if (n <= 0)
		return false;
	name[n] = '\0';
	name[strcspn(name, "\n")] = '\0';
	return true;
}

static int port_of_device(int class_dir, const char *device)
{
	char name[PORT_NAME_LEN];

	if (!read_name(class_dir, device, name))
		return -1;
	for (int port = 0; port < FL_PORT_COUNT; port++)
		if (strcmp(name, port_names[port]) == 0)
			return port;
	return -1;
}

static int open_device(const char *device, int *fd, struct fl_diag *diag)
{
	char path[300];

	snprintf(path, sizeof(path), "/dev/%.200s", device);
	*fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	/* devtmpfs makes the node a moment after sysfs shows the device */
	if (*fd < 0 && errno != ENOENT)
		return fl_diag(diag, -errno, "%s cannot be opened: %s", path, strerror(errno));
	return 0;
}

static int open_present(int fds[FL_PORT_COUNT], struct fl_diag *diag)
{
	DIR *class_dir = opendir(PORT_CLASS_DIR);
	const struct dirent *entry;
	int ret = 0;

	while (class_dir && ret == 0 && (entry = readdir(class_dir))) {
		int port = entry->d_name[0] == '.' ? -1 : port_of_device(dirfd(class_dir), entry->d_name);

		if (port >= 0 && fds[port] < 0)
			ret = open_device(entry->d_name, &fds[port], diag);
	}
	if (class_dir)
		closedir(class_dir);
	return ret;
}

static const char *missing_port(const int fds[FL_PORT_COUNT])
{
	for (int port = 0; port < FL_PORT_COUNT; port++)
		if (fds[port] < 0)
			return port_names[port];
	return NULL;
}

int fl_ports_open(int fds[FL_PORT_COUNT], int timeout_ms, struct fl_diag *diag)
{
	int64_t deadline = fl_now_ms() + timeout_ms;

	for (int port = 0; port < FL_PORT_COUNT; port++)
		fds[port] = -1;
	for (;;) {
		int ret = open_present(fds, diag);

		if (ret < 0 || !missing_port(fds))
			return ret;
		if (fl_now_ms() >= deadline)
			return fl_diag(diag, -ETIMEDOUT, "the virtio-console port %s did not appear within %d s",
				       missing_port(fds), timeout_ms / 1000);
		sleep_ms(2);
	}
}

static int open_named(const char *wanted, int *fd, struct fl_diag *diag)
{
	DIR *class_dir = opendir(PORT_CLASS_DIR);
	const struct dirent *entry;
	char name[PORT_NAME_LEN];
	int ret = 0;

	while (class_dir && ret == 0 && *fd < 0 && (entry = readdir(class_dir)))
		if (entry->d_name[0] != '.' && read_name(dirfd(class_dir), entry->d_name, name) &&
		    strcmp(name, wanted) == 0)
			ret = open_device(entry->d_name, fd, diag);
	if (class_dir)
		closedir(class_dir);
	return ret;
}

int fl_port_open(const char *name, int *fd, int timeout_ms, struct fl_diag *diag)
{
	int64_t deadline = fl_now_ms() + timeout_ms;
	int ret;

	*fd = -1;
	while ((ret = open_named(name, fd, diag)) == 0 && *fd < 0) {
		if (fl_now_ms() >= deadline)
			return fl_diag(diag, -ETIMEDOUT, "there is no virtio-console port %s", name);
		sleep_ms(2);
	}
	return ret;
}

int fl_port_write(int fd, const char *bytes, size_t len, int timeout_ms)
{
	int64_t deadline = fl_now_ms() + timeout_ms;

	while (len > 0) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
			continue;
		}
		if (fl_now_ms() >= deadline)
			return -ETIMEDOUT;
		/* POLLHUP (the host has not opened the port yet) comes back at once: so not poll() alone */
		struct pollfd pollfd = {.fd = fd, .events = POLLOUT};

		if (poll(&pollfd, 1, 100) > 0 && !(pollfd.revents & POLLOUT))
			sleep_ms(2);
	}
	return 0;
}
