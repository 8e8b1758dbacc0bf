/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /init of an initramfs as a user may bring it along: says a line on the console, then does what the last word of the
 * kernel's command line says: off, reset, return, status (which is said on the agent's port), or read, which tells
 * what is typed on the console.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "guest/agent_conf.h"

#define PORT_TRIES 600

/* A descriptor of the port, or -1: it may not have been announced yet. */
static int open_port(const char *name)
{
	struct dirent *entry;
	char path[300], found[64];
	int port = -1;
	DIR *dir = opendir("/sys/class/virtio-ports");

	while (dir && port < 0 && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name", entry->d_name);
		FILE *file = fopen(path, "re");

		if (!file)
			continue;
		if (fscanf(file, "%63s", found) == 1 && strcmp(found, name) == 0) {
			snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
			port = open(path, O_WRONLY | O_CLOEXEC);
		}
		fclose(file);
	}
	if (dir)
		closedir(dir);
	return port;
}

static void tell_status(void)
{
	struct timespec pause = {.tv_nsec = 50000000};
	int port = -1;

	for (int i = 0; i < PORT_TRIES && port < 0; i++) {
		port = open_port(FL_AGENT_PORT_STATUS);
		if (port < 0)
			nanosleep(&pause, NULL);
	}
	dprintf(port, "exit 3\n");
}

/* Line by line, as a terminal gives them, until its end. */
static void read_console(int console)
{
	char line[256];
	unsigned int lines = 0;
	size_t bytes = 0;
	ssize_t n;

	while ((n = read(console, line, sizeof(line))) > 0) {
		lines++;
		bytes += (size_t)n;
		if (n < 60)
			dprintf(console, "init has read: %.*s", (int)n, line);
	}
	dprintf(console, "init has read %u lines, %zu bytes\n", lines, bytes);
}

int main(int argc, char **argv)
{
	const char *what = argv[argc - 1];

	mkdir("/dev", 0755);
	mkdir("/sys", 0755);
	if (getpid() != 1 || (mount("devtmpfs", "/dev", "devtmpfs", 0, NULL) < 0 && access("/dev/console", F_OK) < 0) ||
	    mount("sysfs", "/sys", "sysfs", 0, NULL) < 0)
		return 1;
	int console = open("/dev/console", O_RDWR | O_CLOEXEC);

	dprintf(console, "hello from an initramfs\n");
	if (strcmp(what, "status") == 0)
		tell_status();
	if (strcmp(what, "read") == 0)
		read_console(console);
	if (strcmp(what, "off") == 0 || strcmp(what, "read") == 0 || strcmp(what, "status") == 0)
		reboot(RB_POWER_OFF);
	if (strcmp(what, "reset") == 0)
		reboot(RB_AUTOBOOT);
	return 7; /* the kernel panics */
}
