/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage: first_line
 *
 * Says one line and then waits for ever: a guest's command, or as /init the whole of an initramfs.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define SERIAL_MAJOR 4 /* of ttyS0: Documentation/admin-guide/devices.txt */
#define SERIAL_MINOR 64

int main(void)
{
	static const char line[] = "first line\n";
	int fd = STDOUT_FILENO;

	if (getpid() == 1) {
		/* an initramfs without /dev/console leaves init without descriptors */
		(void)mknod("/serial", S_IFCHR | 0600, makedev(SERIAL_MAJOR, SERIAL_MINOR));
		fd = open("/serial", O_WRONLY | O_NOCTTY | O_CLOEXEC);
	}
	if (write(fd, line, sizeof(line) - 1) < 0)
		return 1;
	for (;;)
		pause();
}
