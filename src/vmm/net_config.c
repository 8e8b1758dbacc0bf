/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <string.h>
#include <sys/random.h>

#include "vmm/config.h"

#define MTU_MIN		1280 /* the least that IPv6 lives with, RFC 8200, 5 */
#define RESOLV_CONF_MAX 65536u

/* "ADDRESS/BITS", or with bits_max 0 "ADDRESS". */
static bool is_address(const char *text, int family, unsigned int bits_max)
{
	uint8_t address[sizeof(struct in6_addr)];
	char copy[INET6_ADDRSTRLEN];
	size_t len = strcspn(text, "/");
	unsigned int bits = 0;
	const char *digit = text + len + 1;

	if (len >= sizeof(copy) || (text[len] == '/') != (bits_max > 0))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (bits_max && (*digit == '\0' || strlen(digit) > 3))
		return false;
	for (; bits_max && *digit; digit++) {
		if (*digit < '0' || *digit > '9')
			return false;
		bits = bits * 10 + (unsigned int)(*digit - '0');
	}
	return bits <= bits_max && inet_pton(family, copy, address) == 1;
}

static int check_addresses(const struct fl_net_opts *opts, struct fl_diag *diag)
{
	const struct {
		const char *text;
		int family;
		unsigned int bits_max;
		const char *example;
	} given[] = {
		{opts->address, AF_INET, 32, "10.0.2.15/24"},
		{opts->gateway, AF_INET, 0, "10.0.2.2"},
		{opts->address6, AF_INET6, 128, "fd00::15/64"},
		{opts->gateway6, AF_INET6, 0, "fd00::2"},
	};

	for (size_t i = 0; i < FL_ARRAY_SIZE(given); i++)
		if (given[i].text && !is_address(given[i].text, given[i].family, given[i].bits_max))
			return fl_diag(diag, -EINVAL, "the network's address \"%s\" is not of the form %s",
				       given[i].text, given[i].example);
	if ((opts->gateway && !opts->address) || (opts->gateway6 && !opts->address6))
		return fl_diag(diag, -EINVAL, "the network has a gateway, but the guest has no address there");
	return 0;
}

static int check_net_opts(const struct fl_net_opts *opts, struct fl_diag *diag)
{
	if (opts->flags)
		return fl_diag(diag, -EINVAL, "unknown network flags %#x", opts->flags);
	if (opts->fd < 0)
		return fl_diag(diag, -EINVAL, "the network has no socket");
	if (opts->mac[0] & 1)
		return fl_diag(diag, -EINVAL, "the network's MAC address is a group's (its first byte is odd)");
	if (opts->mtu && opts->mtu < MTU_MIN)
		return fl_diag(diag, -EINVAL, "a network's MTU of %u bytes is not possible; give %u to 65535",
			       (unsigned int)opts->mtu, (unsigned int)MTU_MIN);
	if (opts->resolv_conf && strlen(opts->resolv_conf) > RESOLV_CONF_MAX)
		return fl_diag(diag, -EINVAL, "resolv.conf is longer than %u bytes", RESOLV_CONF_MAX);
	return check_addresses(opts, diag);
}

/* Two guests that meet must not have the same. 0x02: for local use, IEEE 802, 8.4.2 */
static int choose_mac(uint8_t mac[6], struct fl_diag *diag)
{
	static const uint8_t none[6];

	if (memcmp(mac, none, sizeof(none)) != 0)
		return 0;
	if (getrandom(mac, sizeof(none), 0) != (ssize_t)sizeof(none))
		return fl_diag(diag, -EIO, "the host gives no random numbers for a MAC address");
	mac[0] = (uint8_t)((mac[0] & 0xfc) | 0x02);
	return 0;
}

/* A copy that stays NULL for NULL; false when memory ran out. */
static bool copy_string(char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return !from || *to;
}

int fl_net_config_init(struct fl_net_config *config, const struct fl_net_opts *opts, struct fl_diag *diag)
{
	const struct fl_net_opts *own = &config->opts;
	int ret;

	memset(config, 0, sizeof(*config));
	ret = fl_copy_sized(&config->opts, sizeof(config->opts), opts);
	if (ret)
		return fl_diag(diag, ret, "struct fl_net_opts %s",
			       ret == -E2BIG ? "asks for something this library does not know; use a newer one"
					     : "has no size; start from its _INIT value");
	ret = check_net_opts(own, diag);
	if (!ret)
		ret = choose_mac(config->opts.mac, diag);
	if (ret)
		return ret;
	if (!copy_string(&config->address, own->address) || !copy_string(&config->gateway, own->gateway) ||
	    !copy_string(&config->address6, own->address6) || !copy_string(&config->gateway6, own->gateway6) ||
	    !copy_string(&config->resolv_conf, own->resolv_conf)) {
		fl_net_config_fini(config);
		return fl_diag(diag, -ENOMEM, "out of memory");
	}
	return 0;
}

void fl_net_config_fini(struct fl_net_config *config)
{
	free(config->address);
	free(config->gateway);
	free(config->address6);
	free(config->gateway6);
	free(config->resolv_conf);
	memset(config, 0, sizeof(*config));
}
