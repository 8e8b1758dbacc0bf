/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest that uses its network; the other side is box_net.c.
 *
 * usage: guest_net transfer PORT	sends and receives NET_LEN bytes at once, says how many were right
 *	  guest_net datagrams PORT	sends datagrams of several lengths, says which came back
 *	  guest_net until-down PORT	sends until the link is down
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/box/net_pattern.h"

#define GATEWAY	   "10.0.2.2" /* where the host's loopback services are */
#define PIECE_LEN  65536u
#define PATIENCE_S 120

static int reach(int type, const char *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, GATEWAY, &address.sin_addr);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		printf("cannot reach %s port %s: %s\n", GATEWAY, port, strerror(errno));
		exit(1);
	}
	return fd;
}

static int send_all(int fd)
{
	static uint8_t piece[PIECE_LEN];

	for (uint64_t done = 0; done < NET_LEN;) {
		for (uint64_t i = 0; i < sizeof(piece); i++)
			piece[i] = net_pattern(NET_FROM_GUEST, done + i);
		for (size_t sent = 0; sent < sizeof(piece);) {
			ssize_t n = send(fd, piece + sent, sizeof(piece) - sent, MSG_NOSIGNAL);

			if (n <= 0)
				return 1;
			sent += (size_t)n;
		}
		done += sizeof(piece);
	}
	return 0;
}

static int transfer(const char *port)
{
	static uint8_t piece[PIECE_LEN];
	int fd = reach(SOCK_STREAM, port);
	uint64_t done = 0, wrong = 0;
	int status = -1;
	pid_t sender = fork();
	ssize_t n;

	if (sender == 0)
		_exit(send_all(fd));
	/* nobody ends its half: after that this passt answers late, and data goes on only every two seconds */
	while (done < NET_LEN && (n = read(fd, piece, sizeof(piece))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			wrong += piece[i] != net_pattern(NET_FROM_HOST, done + (uint64_t)i);
		done += (uint64_t)n;
	}
	waitpid(sender, &status, 0);
	printf("sent %d received %llu wrong %llu\n", status, (unsigned long long)done, (unsigned long long)wrong);
	return 0;
}

/* A datagram may be lost: each is tried some times. */
static int comes_back(int fd, size_t len)
{
	static uint8_t out[65536], in[65536];
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};

	for (size_t i = 0; i < len; i++)
		out[i] = net_pattern(NET_FROM_GUEST, i + len);
	for (int attempt = 0; attempt < 10; attempt++) {
		if (send(fd, out, len, 0) != (ssize_t)len)
			continue;
		while (poll(&pollfd, 1, 2000) == 1) {
			if (recv(fd, in, sizeof(in), 0) == (ssize_t)len && memcmp(in, out, len) == 0)
				return 1;
		}
	}
	return 0;
}

static int datagrams(const char *port)
{
	static const size_t lens[] = {1, 100, 1472, 9000, 30000};
	int fd = reach(SOCK_DGRAM, port);

	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++)
		printf("%zu %s\n", lens[i], comes_back(fd, lens[i]) ? "came back" : "is lost");
	return 0;
}

static char carrier(void)
{
	char c = '?';
	int fd = open("/sys/class/net/eth0/carrier", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, &c, 1) != 1)
		c = '?';
	close(fd);
	return c;
}

static int until_down(const char *port)
{
	static uint8_t piece[PIECE_LEN];
	int fd = reach(SOCK_STREAM, port);

	printf("carrier %c\n", carrier());
	for (int i = 0; i < PATIENCE_S * 10 && carrier() == '1'; i++) {
		struct pollfd pollfd = {.fd = fd, .events = POLLOUT};

		if (poll(&pollfd, 1, 100) == 1 && send(fd, piece, sizeof(piece), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
		    errno != EAGAIN)
			break;
	}
	printf("carrier %c\n", carrier());
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "transfer") == 0)
		return transfer(argv[2]);
	if (argc == 3 && strcmp(argv[1], "datagrams") == 0)
		return datagrams(argv[2]);
	if (argc == 3 && strcmp(argv[1], "until-down") == 0)
		return until_down(argv[2]);
	fprintf(stderr, "usage: guest_net transfer|datagrams|until-down PORT\n");
	return 2;
}
