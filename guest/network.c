/* SPDX-License-Identifier: Apache-2.0 */
#include "guest/network.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/ipv6.h>
#include <net/if.h>
#include <net/route.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define INTERFACE   "eth0"
#define RESOLV_CONF "/etc/resolv.conf"
#define OUR_CONF    "/run/faultline.resolv.conf"
/*
 * What is on its way to the guest waits in the socket behind its network, which by default holds 416 KiB; who sends
 * into a full one (passt) drops, and sends again seconds later. A connection's window is below that, which costs it
 * nothing: the other end of the link is a few microseconds away, and what comes from farther waits at the host's own
 * connection.
 */
#define TCP_RMEM "4096 131072 393216"

int fl_network_parse(const struct fl_conf_address *conf, struct fl_network_address *address)
{
	const char *slash = strchr(conf->address, '/');
	char text[INET6_ADDRSTRLEN];
	char *end;

	*address = (struct fl_network_address){.family = strchr(conf->address, ':') ? AF_INET6 : AF_INET};
	if (!slash || (size_t)(slash - conf->address) >= sizeof(text) || slash[1] < '0' || slash[1] > '9')
		return -EINVAL;
	unsigned long prefix_len = strtoul(slash + 1, &end, 10);

	memcpy(text, conf->address, (size_t)(slash - conf->address));
	text[slash - conf->address] = '\0';
	if (*end || prefix_len > (address->family == AF_INET ? 32u : 128u) ||
	    inet_pton(address->family, text, &address->address) != 1)
		return -EINVAL;
	address->prefix_len = (unsigned int)prefix_len;
	address->has_gateway = conf->gateway[0];
	if (address->has_gateway && inet_pton(address->family, conf->gateway, &address->gateway) != 1)
		return -EINVAL;
	return 0;
}

static void put_setting(const char *path, const char *value)
{
	FL_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);

	/* the kernel's own choice costs time, nothing else */
	if (fd >= 0 && write(fd, value, strlen(value)) < 0)
		return;
}

/* ---- IPv4 ---- */

static void put_inet(struct sockaddr *to, in_addr_t address)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = address};

	memcpy(to, &in, sizeof(in));
}

static int configure_inet(int fd, const struct fl_network_address *address)
{
	struct ifreq request = {.ifr_name = INTERFACE};
	struct rtentry route = {.rt_flags = RTF_UP | RTF_GATEWAY};

	put_inet(&request.ifr_addr, address->address.v4.s_addr);
	if (ioctl(fd, SIOCSIFADDR, &request) < 0)
		return -errno;
	put_inet(&request.ifr_netmask,
		 address->prefix_len ? htonl(UINT32_MAX << (32 - address->prefix_len)) : INADDR_ANY);
	if (ioctl(fd, SIOCSIFNETMASK, &request) < 0)
		return -errno;
	if (!address->has_gateway)
		return 0;
	put_inet(&route.rt_dst, INADDR_ANY);
	put_inet(&route.rt_genmask, INADDR_ANY);
	put_inet(&route.rt_gateway, address->gateway.v4.s_addr);
	return ioctl(fd, SIOCADDRT, &route) < 0 ? -errno : 0;
}

/* ---- IPv6 ---- */

/* Nobody else is on this link: to look for a double would keep the address unusable for a second (RFC 4862, 5.4). */
static void expect_nobody(void)
{
	put_setting("/proc/sys/net/ipv6/conf/" INTERFACE "/accept_dad", "0");
	put_setting("/proc/sys/net/ipv6/conf/" INTERFACE "/accept_ra", "0");
}

static int configure_inet6(int fd, const struct fl_network_address *address)
{
	int index = (int)if_nametoindex(INTERFACE);
	struct in6_ifreq request = {
		.ifr6_addr = address->address.v6, .ifr6_prefixlen = address->prefix_len, .ifr6_ifindex = index};
	struct in6_rtmsg route = {.rtmsg_gateway = address->gateway.v6,
				  .rtmsg_metric = 1,
				  .rtmsg_flags = RTF_UP | RTF_GATEWAY,
				  .rtmsg_ifindex = index};

	if (ioctl(fd, SIOCSIFADDR, &request) < 0)
		return -errno;
	return address->has_gateway && ioctl(fd, SIOCADDRT, &route) < 0 ? -errno : 0;
}

/* ---- all of it ---- */

static int set_up(int fd)
{
	struct ifreq request = {.ifr_name = INTERFACE};

	if (ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		return -errno;
	request.ifr_flags |= IFF_UP;
	return ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? -errno : 0;
}

static int configure(const struct fl_network_address *address)
{
	FL_CLOSE int fd = socket(address->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int ret = fd < 0 ? -errno : set_up(fd);

	if (ret < 0)
		return ret;
	return address->family == AF_INET ? configure_inet(fd, address) : configure_inet6(fd, address);
}

int fl_network_up(const struct fl_conf *conf, struct fl_diag *diag)
{
	int ret = 0;

	if (conf->address_count && if_nametoindex(INTERFACE) == 0)
		return fl_diag(
			diag, -ENODEV,
			"the guest kernel has no driver for its network (CONFIG_VIRTIO_NET); give it one, or run "
			"it without a network");
	if (conf->address_count) {
		expect_nobody();
		put_setting("/proc/sys/net/ipv4/tcp_rmem", TCP_RMEM);
	}
	for (size_t i = 0; ret == 0 && i < conf->address_count; i++) {
		struct fl_network_address address;

		ret = fl_network_parse(&conf->addresses[i], &address);
		if (ret == 0)
			ret = configure(&address);
		if (ret < 0)
			(void)fl_diag(diag, ret, "the address %s, gateway \"%s\", cannot be set in the guest: %s%s",
				      conf->addresses[i].address, conf->addresses[i].gateway, strerror(-ret),
				      ret == -EAFNOSUPPORT ? "; its kernel lacks CONFIG_INET or CONFIG_IPV6" : "");
	}
	return ret;
}

static int write_file(const char *path, const char *text)
{
	FL_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	size_t len = strlen(text);

	if (fd < 0)
		return -errno;
	return write(fd, text, len) == (ssize_t)len ? 0 : -EIO;
}

/*
 * Where resolv.conf is a link to what systemd-resolved or resolvconf keep in /run, the guest's own /run is empty: the
 * file is made there.
 */
static int make_link_target(const char *text)
{
	char target[PATH_MAX], path[PATH_MAX];
	ssize_t len = readlink(RESOLV_CONF, target, sizeof(target) - 1);
	const char *in_run;

	if (len < 0)
		return -errno;
	target[len] = '\0';
	in_run = strncmp(target, "../run/", 7) == 0 ? target + 2 : target;
	if (strncmp(in_run, "/run/", 5) != 0 || strstr(in_run, "/../"))
		return -ENOENT;
	snprintf(path, sizeof(path), "%s", in_run);
	for (char *slash = strchr(path + 5, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return write_file(path, text);
}

int fl_network_resolv_conf(const struct fl_conf *conf, struct fl_diag *diag)
{
	int ret;

	if (!conf->resolv_conf)
		return 0;
	ret = write_file(OUR_CONF, conf->resolv_conf);
	if (ret == 0 && mount(OUR_CONF, RESOLV_CONF, NULL, MS_BIND, NULL) < 0)
		ret = errno == ENOENT ? make_link_target(conf->resolv_conf) : -errno;
	if (ret == 0)
		return 0;
	return fl_diag(diag, ret,
		       "names cannot be looked up in the guest, since there is no place for its %s (%s): make that "
		       "file, it may be empty, in the host directory given as root",
		       RESOLV_CONF, strerror(-ret));
}
