/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's network through passt, in a network namespace that has nothing but its loopback interface: services there
 * are what the guest reaches.
 *
 * usage: box_net LAUNCHER GUEST_NET [TEST]
 */
#include "tests/lib/fl_test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "tests/box/guest_run.h"
#include "tests/box/net_pattern.h"

#define PIECE_LEN 65536u
#define DNS_PORT  53

static const char *const net_options[] = {"--net", NULL};

/* ---- a network of our own ---- */

static bool has_passt(void)
{
	return access("/usr/bin/passt", X_OK) == 0 || access("/usr/local/bin/passt", X_OK) == 0;
}

static void bring_loopback_up(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &request), 0);
	close(fd);
}

static void put_file(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* The process keeps it: the tests that follow find it. */
static void enter_network(const struct bench *bench)
{
	char path[PATH_MAX + 32];

	if (!has_passt())
		SKIP_FOR("passt is not installed (apt-get install passt)");
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0)
		SKIP_FOR("no network namespace can be made here: %s", strerror(errno));
	assert_int_equal(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	bring_loopback_up();
	snprintf(path, sizeof(path), "%s/resolv.conf", bench->scratch);
	put_file(path, "nameserver 127.0.0.1\n", 0644);
	assert_int_equal(mount(path, "/etc/resolv.conf", NULL, MS_BIND, NULL), 0);
}

static int listen_at(int type, uint16_t port, uint16_t *chosen)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	*chosen = ntohs(address.sin_port);
	return fd;
}

/* ---- services ---- */

struct service {
	pthread_t thread;
	int fd;
	uint16_t port;
	uint64_t received, wrong;
	const char *pid_file; /* of who is killed in the middle */
	unsigned int asked;
};

static void start_service(struct service *service, int type, uint16_t port, void *(*fn)(void *arg))
{
	service->fd = listen_at(type, port, &service->port);
	assert_int_equal(pthread_create(&service->thread, NULL, fn, service), 0);
}

static void stop_service(struct service *service)
{
	/* who waits in accept() or recvfrom() is let go */
	shutdown(service->fd, SHUT_RDWR);
	pthread_join(service->thread, NULL);
	close(service->fd);
}

static void *send_pattern(void *arg)
{
	static uint8_t piece[PIECE_LEN];
	int fd = *(int *)arg;

	for (uint64_t done = 0; done < NET_LEN; done += sizeof(piece)) {
		for (uint64_t i = 0; i < sizeof(piece); i++)
			piece[i] = net_pattern(NET_FROM_HOST, done + i);
		for (size_t sent = 0; sent < sizeof(piece);) {
			ssize_t n = send(fd, piece + sent, sizeof(piece) - sent, MSG_NOSIGNAL);

			if (n <= 0)
				return NULL;
			sent += (size_t)n;
		}
	}
	return NULL;
}

static void *exchange(void *arg)
{
	static uint8_t piece[PIECE_LEN];
	struct service *service = arg;
	int fd = accept4(service->fd, NULL, NULL, SOCK_CLOEXEC);
	pthread_t sender;
	ssize_t n;

	if (fd < 0)
		return NULL;
	if (pthread_create(&sender, NULL, send_pattern, &fd)) {
		close(fd);
		return NULL;
	}
	while ((n = read(fd, piece, sizeof(piece))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			service->wrong += piece[i] != net_pattern(NET_FROM_GUEST, service->received + (uint64_t)i);
		service->received += (uint64_t)n;
	}
	pthread_join(sender, NULL);
	close(fd);
	return NULL;
}

static void *echo(void *arg)
{
	static uint8_t bytes[65536];
	struct service *service = arg;
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	ssize_t n;

	while ((n = recvfrom(service->fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &from_len)) > 0)
		if (sendto(service->fd, bytes, (size_t)n, 0, (struct sockaddr *)&from, from_len) < 0)
			break;
	return NULL;
}

/* RFC 1035, 4.1: every name has the address 192.0.2.77, and no other records. */
static void *resolve(void *arg)
{
	static const uint8_t answer[16] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 77};
	struct service *service = arg;
	struct sockaddr_in from;
	socklen_t from_len = sizeof(from);
	uint8_t message[512 + sizeof(answer)];
	ssize_t n;

	while ((n = recvfrom(service->fd, message, 512, 0, (struct sockaddr *)&from, &from_len)) > 0) {
		size_t end = 12;

		while (end < (size_t)n && message[end])
			end += message[end] + 1u;
		end += 5; /* the root's label, type and class */
		if (end > (size_t)n)
			continue;
		bool is_a = message[end - 4] == 0 && message[end - 3] == 1;

		service->asked++;
		message[2] = 0x81;
		message[3] = 0x80;
		memset(message + 6, 0, 6);
		message[7] = is_a;
		memcpy(message + end, answer, sizeof(answer));
		end += is_a ? sizeof(answer) : 0;
		if (sendto(service->fd, message, end, 0, (struct sockaddr *)&from, from_len) < 0)
			break;
	}
	return NULL;
}

/* Takes what comes until it has been some, then kills who carries it. */
static void *kill_in_the_middle(void *arg)
{
	static uint8_t piece[PIECE_LEN];
	struct service *service = arg;
	int fd = accept4(service->fd, NULL, NULL, SOCK_CLOEXEC);
	FILE *file = fopen(service->pid_file, "re");
	int pid = 0;

	while (fd >= 0 && service->received < NET_LEN / 10) {
		ssize_t n = read(fd, piece, sizeof(piece));

		if (n <= 0)
			break;
		service->received += (uint64_t)n;
	}
	if (file && fscanf(file, "%d", &pid) == 1 && pid > 1)
		kill(pid, SIGKILL);
	if (file)
		fclose(file);
	close(fd);
	return NULL;
}

/* ---- the tests ---- */

static void run_script(const struct bench *bench, const char *script, struct transcript *guest)
{
	char share[PATH_MAX + 20];
	const char *const options[] = {"--rodir", share, net_options[0], NULL};
	const char *const command[] = {"sh", "-c", script, NULL};

	snprintf(share, sizeof(share), "/tmp/bin=%s", bench->program_dir);
	run_guest(bench, options, command, "net", guest);
	if (guest->status != 0)
		show("guest", guest);
	assert_int_equal(guest->status, 0);
}

static void services_of_the_host_are_reached(void **state)
{
	const struct bench *bench = *state;
	struct service tcp = {0}, udp = {0}, dns = {0};
	struct transcript guest;
	char script[512], expected[256];

	enter_network(bench);
	start_service(&tcp, SOCK_STREAM, 0, exchange);
	start_service(&udp, SOCK_DGRAM, 0, echo);
	start_service(&dns, SOCK_DGRAM, DNS_PORT, resolve);
	snprintf(script, sizeof(script),
		 "/tmp/bin/guest_net transfer %u; /tmp/bin/guest_net datagrams %u; "
		 "getent ahostsv4 some.example | sed -n '1s/ .*//p'; cat /sys/class/net/eth0/mtu",
		 tcp.port, udp.port);
	run_script(bench, script, &guest);
	stop_service(&tcp);
	stop_service(&udp);
	stop_service(&dns);
	snprintf(expected, sizeof(expected),
		 "sent 0 received %u wrong 0\n1 came back\n100 came back\n1472 came back\n9000 came back\n"
		 "30000 came back\n192.0.2.77\n65520\n",
		 NET_LEN);
	assert_string_equal(guest.out, expected);
	assert_string_equal(guest.err, "");
	assert_int_equal(tcp.received, NET_LEN);
	assert_int_equal(tcp.wrong, 0);
	assert_true(dns.asked > 0);
	transcript_free(&guest);
}

/* passt is found first in a directory where a script notes its number. */
static void the_end_of_the_link_harms_nobody_else(void **state)
{
	const struct bench *bench = *state;
	struct service tcp = {0};
	struct transcript guest;
	char script[256], path[PATH_MAX + 32], pid_file[PATH_MAX + 32], text[2 * PATH_MAX];
	const char *old_path = getenv("PATH");

	enter_network(bench);
	snprintf(path, sizeof(path), "%s/passt", bench->scratch);
	snprintf(pid_file, sizeof(pid_file), "%s/passt.pid", bench->scratch);
	snprintf(text, sizeof(text), "#!/bin/sh\necho $$ >%s\nPATH=%s exec passt \"$@\"\n", pid_file, old_path);
	put_file(path, text, 0755);
	snprintf(text, sizeof(text), "%s:%s", bench->scratch, old_path);
	setenv("PATH", text, 1);
	tcp.pid_file = pid_file;
	start_service(&tcp, SOCK_STREAM, 0, kill_in_the_middle);
	snprintf(script, sizeof(script),
		 "/tmp/bin/guest_net until-down %u; echo alive; head -c 100000 /usr/bin/env | wc -c", tcp.port);
	run_script(bench, script, &guest);
	stop_service(&tcp);
	assert_int_equal(strncmp(guest.out, "carrier 1\ncarrier 0\nalive\n", 26), 0);
	assert_int_equal(lines_with(guest.err, "the guest's network is down"), 1);
	/* and nothing else was said */
	assert_ptr_equal(strchr(guest.err, '\n'), guest.err + guest.err_len - 1);
	transcript_free(&guest);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(services_of_the_host_are_reached),
	cmocka_unit_test(the_end_of_the_link_harms_nobody_else),
};

int main(int argc, char **argv)
{
	return bench_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
