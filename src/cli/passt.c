/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/passt.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/ethernet.h>
#include <netinet/if_ether.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/diag.h"

#define PASST_FD	 3
#define READY_TIMEOUT_MS 10000
#define END_TIMEOUT_MS	 2000
#define SOCKET_LEN	 (4 << 20)
#define MTU		 65520 /* its largest: fewer packets for the same bytes */
#define MTU_TEXT	 "65520"
#define GUEST_MAC                            \
	{                                    \
		0x02, 0x46, 0x4c, 0, 0, 0x15 \
	} /* each guest is alone on its link */
#define GATEWAY_MAC_TEXT "02:46:4c:00:00:02"

void fl_cli_passt_plan(struct fl_cli_passt *passt, const struct fl_cli_host_network *host)
{
	bool alone = !host->routes4 && !host->routes6;

	passt->v4 = host->routes4 || alone;
	passt->v6 = host->routes6;
	snprintf(passt->resolv_conf, sizeof(passt->resolv_conf), "%s%s%s%s%s",
		 passt->v4 && host->dns4 ? "nameserver " FL_CLI_PASST_DNS "\n" : "",
		 passt->v6 && host->dns6 ? "nameserver " FL_CLI_PASST_DNS6 "\n" : "", host->search[0] ? "search " : "",
		 host->search, host->search[0] ? "\n" : "");
}

void fl_cli_passt_args(const struct fl_cli_passt *passt, const struct fl_cli_host_network *host,
		       const char *args[FL_CLI_PASST_ARGS_MAX])
{
	static const char *const always[] = {"passt",	    "--foreground", "--fd",	   "3",
					     "--mtu",	    MTU_TEXT,	    "--mac-addr",  GATEWAY_MAC_TEXT,
					     "--tcp-ports", "none",	    "--udp-ports", "none"};
	/* where a host has no way out, its loopback interface is what there is */
	static const char *const alone[] = {"--interface", "lo"};
	static const char *const v4[] = {"--address", FL_CLI_PASST_ADDRESS, "--netmask",     "24",
					 "--gateway", FL_CLI_PASST_GATEWAY, "--dns-forward", FL_CLI_PASST_DNS};
	static const char *const v6[] = {"--address",		FL_CLI_PASST_ADDRESS6, "--gateway",
					 FL_CLI_PASST_GATEWAY6, "--dns-forward",       FL_CLI_PASST_DNS6};
	const struct {
		bool wanted;
		const char *const *words;
		size_t count;
	} parts[] = {
		{true, always, sizeof(always) / sizeof(always[0])},
		{!host->routes4 && !host->routes6, alone, 2},
		{passt->v4, v4, sizeof(v4) / sizeof(v4[0])},
		{passt->v6, v6, sizeof(v6) / sizeof(v6[0])},
		{!passt->v6, (const char *const[]){"--ipv4-only"}, 1},
		{!passt->v4, (const char *const[]){"--ipv6-only"}, 1},
	};
	size_t used = 0;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (!parts[i].wanted)
			continue;
		memcpy(args + used, parts[i].words, parts[i].count * sizeof(*args));
		used += parts[i].count;
	}
	args[used] = NULL;
}

/* ---- the process ---- */

/*
 * Signals as a program expects them, and a process group of its own: a Ctrl-C is the launcher's to handle, and the
 * network should last as long as the guest.
 */
static int spawn(struct fl_cli_passt *passt, int socket_fd, const char *const *args)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int error;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", 0, 0);
	posix_spawn_file_actions_adddup2(&actions, passt->error_fd, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, passt->error_fd, STDERR_FILENO);
	posix_spawn_file_actions_adddup2(&actions, socket_fd, PASST_FD);
	error = posix_spawnp(&passt->pid, args[0], &actions, &attributes, (char *const *)(uintptr_t)args, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	if (error)
		passt->pid = 0;
	return -error;
}

/* passt drops what does not fit into its socket: let it hold as much as this host allows. */
static void make_room(int socket_fd)
{
	const int len = SOCKET_LEN;

	if (setsockopt(socket_fd, SOL_SOCKET, SO_SNDBUFFORCE, &len, sizeof(len)) < 0)
		(void)setsockopt(socket_fd, SOL_SOCKET, SO_SNDBUF, &len, sizeof(len));
}

static int start(struct fl_cli_passt *passt, const char *const *args, struct fl_diag *diag)
{
	int pair[2];
	int ret;

	passt->error_fd = memfd_create("passt", MFD_CLOEXEC);
	if (passt->error_fd < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return fl_cli_diag(diag, -errno, "there is no socket for the guest's network: %s", strerror(errno));
	passt->fd = pair[0];
	make_room(pair[1]);
	ret = spawn(passt, pair[1], args);
	close(pair[1]);
	if (ret == -ENOENT)
		return fl_cli_diag(diag, ret,
				   "--net needs passt, which is not installed here: install the package of that name "
				   "(apt-get install passt)");
	if (ret < 0)
		return fl_cli_diag(diag, ret, "passt, for the guest's network, cannot be run: %s", strerror(-ret));
	return 0;
}

/* ---- is it there? ---- */

struct frame {
	uint32_t len; /* of the rest, big-endian */
	struct ether_header ethernet;
	struct ether_arp arp;
} __attribute__((packed));

/* It answers for every address but the guest's. */
static void make_question(struct frame *frame)
{
	static const uint8_t mac[ETH_ALEN] = GUEST_MAC;

	*frame = (struct frame){
		.len = htonl(sizeof(*frame) - sizeof(frame->len)),
		.ethernet = {.ether_type = htons(ETHERTYPE_ARP)},
		.arp = {.ea_hdr = {.ar_hrd = htons(ARPHRD_ETHER),
				   .ar_pro = htons(ETHERTYPE_IP),
				   .ar_hln = ETH_ALEN,
				   .ar_pln = sizeof(struct in_addr),
				   .ar_op = htons(ARPOP_REQUEST)}},
	};
	memset(frame->ethernet.ether_dhost, 0xff, ETH_ALEN);
	memcpy(frame->ethernet.ether_shost, mac, ETH_ALEN);
	memcpy(frame->arp.arp_sha, mac, ETH_ALEN);
	inet_pton(AF_INET, FL_CLI_PASST_ADDRESS, frame->arp.arp_spa);
	inet_pton(AF_INET, FL_CLI_PASST_GATEWAY, frame->arp.arp_tpa);
}

/* The last line that it said. */
static void read_last_words(const struct fl_cli_passt *passt, char *words, size_t room)
{
	ssize_t len = pread(passt->error_fd, words, room - 1, 0);
	const char *line;

	words[len > 0 ? len : 0] = '\0';
	while (len > 0 && words[len - 1] == '\n')
		words[--len] = '\0';
	line = strrchr(words, '\n');
	if (line)
		memmove(words, line + 1, strlen(line));
}

/* Reads the answer, which is as long as the question. What is wrong with its options it says before it reads. */
static int wait_for_answer(const struct fl_cli_passt *passt, struct fl_diag *diag)
{
	struct pollfd pollfd = {.fd = passt->fd, .events = POLLIN};
	struct frame frame;
	char words[2048];
	int ret;

	make_question(&frame);
	if (send(passt->fd, &frame, sizeof(frame), MSG_NOSIGNAL) < 0 && errno != EPIPE)
		return fl_cli_diag(diag, -errno, "passt, for the guest's network, is not to be reached: %s",
				   strerror(errno));
	do
		ret = poll(&pollfd, 1, READY_TIMEOUT_MS);
	while (ret < 0 && errno == EINTR);
	if (ret == 0)
		return fl_cli_diag(diag, -ETIMEDOUT, "passt, for the guest's network, does not answer");
	if (recv(passt->fd, &frame, sizeof(frame), MSG_WAITALL) == (ssize_t)sizeof(frame))
		return 0;
	read_last_words(passt, words, sizeof(words));
	return fl_cli_diag(diag, -EIO, "passt, for the guest's network, ended at once: %.300s", words);
}

int fl_cli_passt_start(struct fl_cli_passt *passt, struct fl_diag *diag)
{
	struct fl_cli_host_network host;
	const char *args[FL_CLI_PASST_ARGS_MAX];
	int ret;

	*passt = (struct fl_cli_passt){.fd = -1, .error_fd = -1};
	fl_cli_look_at_host_network(&host);
	fl_cli_passt_plan(passt, &host);
	fl_cli_passt_args(passt, &host, args);
	ret = start(passt, args, diag);
	/* a question that needs no checksum of its own exists in IPv4 only */
	return ret == 0 && passt->v4 ? wait_for_answer(passt, diag) : ret;
}

int fl_cli_passt_add(const struct fl_cli_passt *passt, struct fl_vm *vm, struct fl_diag *diag)
{
	static const uint8_t mac[ETH_ALEN] = GUEST_MAC;
	struct fl_net_opts opts = FL_NET_OPTS_INIT;

	opts.fd = passt->fd;
	opts.mtu = MTU;
	memcpy(opts.mac, mac, sizeof(opts.mac));
	opts.address = passt->v4 ? FL_CLI_PASST_ADDRESS "/24" : NULL;
	opts.gateway = passt->v4 ? FL_CLI_PASST_GATEWAY : NULL;
	opts.address6 = passt->v6 ? FL_CLI_PASST_ADDRESS6 "/64" : NULL;
	opts.gateway6 = passt->v6 ? FL_CLI_PASST_GATEWAY6 : NULL;
	opts.resolv_conf = passt->resolv_conf;
	return fl_vm_add_net(vm, &opts, diag);
}

static bool has_ended(pid_t pid, int timeout_ms)
{
	const struct timespec pause = {.tv_nsec = 5 * 1000000};

	for (int waited_ms = 0; waited_ms < timeout_ms; waited_ms += 5) {
		if (waitpid(pid, NULL, WNOHANG) != 0)
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

void fl_cli_passt_stop(struct fl_cli_passt *passt)
{
	if (passt->fd > 0)
		close(passt->fd);
	if (passt->error_fd > 0)
		close(passt->error_fd);
	if (passt->pid && !has_ended(passt->pid, END_TIMEOUT_MS)) {
		kill(passt->pid, SIGKILL);
		waitpid(passt->pid, NULL, 0);
	}
	*passt = (struct fl_cli_passt){0};
}
