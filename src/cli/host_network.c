/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/host_network.h"

#include <net/route.h>
#include <string.h>

#define LINE_ROOM 1024
#define BLANKS	  " \t\n"

/* Iface Destination Gateway Flags RefCnt Use Metric Mask ..., numbers in hexadecimal (proc(5)) */
bool fl_cli_has_default_route4(FILE *proc_net_route)
{
	char line[LINE_ROOM];
	unsigned int destination, flags, mask;

	while (proc_net_route && fgets(line, sizeof(line), proc_net_route)) {
		if (sscanf(line, "%*s %x %*x %x %*d %*d %*d %x", &destination, &flags, &mask) == 3 &&
		    destination == 0 && mask == 0 && (flags & RTF_UP) && !(flags & RTF_REJECT))
			return true;
	}
	return false;
}

/* destination, its length, source, its length, next hop, metric, references, use, flags, interface (net/ipv6/route.c)
 */
bool fl_cli_has_default_route6(FILE *proc_net_ipv6_route)
{
	char line[LINE_ROOM], destination[33];
	unsigned int prefix_len, flags;

	while (proc_net_ipv6_route && fgets(line, sizeof(line), proc_net_ipv6_route)) {
		if (sscanf(line, "%32s %x %*s %*x %*s %*x %*x %*x %x", destination, &prefix_len, &flags) == 3 &&
		    prefix_len == 0 && strspn(destination, "0") == 32 && (flags & RTF_UP) && !(flags & RTF_REJECT))
			return true;
	}
	return false;
}

void fl_cli_read_resolv_conf(FILE *resolv_conf, struct fl_cli_host_network *network)
{
	char line[LINE_ROOM];

	while (resolv_conf && fgets(line, sizeof(line), resolv_conf)) {
		char *rest = NULL;
		const char *word = strtok_r(line, BLANKS, &rest);

		if (!word)
			continue;
		if (strcmp(word, "nameserver") == 0) {
			const char *address = strtok_r(NULL, BLANKS, &rest);

			network->dns6 |= address && strchr(address, ':');
			network->dns4 |= address && !strchr(address, ':');
		} else if (strcmp(word, "search") == 0 || strcmp(word, "domain") == 0) {
			rest[strcspn(rest, "\n")] = '\0';
			snprintf(network->search, sizeof(network->search), "%s", rest + strspn(rest, BLANKS));
		}
	}
}

static void close_stream(FILE *stream)
{
	if (stream)
		fclose(stream);
}

void fl_cli_look_at_host_network(struct fl_cli_host_network *network)
{
	FILE *route = fopen("/proc/net/route", "re");
	FILE *route6 = fopen("/proc/net/ipv6_route", "re");
	FILE *resolv_conf = fopen("/etc/resolv.conf", "re");

	*network = (struct fl_cli_host_network){0};
	network->routes4 = fl_cli_has_default_route4(route);
	network->routes6 = fl_cli_has_default_route6(route6);
	fl_cli_read_resolv_conf(resolv_conf, network);
	close_stream(route);
	close_stream(route6);
	close_stream(resolv_conf);
}
