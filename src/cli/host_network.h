/* SPDX-License-Identifier: Apache-2.0 */
/* What this host has of a network, for the guest's. */
#ifndef FL_CLI_HOST_NETWORK_H
#define FL_CLI_HOST_NETWORK_H

#include <stdbool.h>
#include <stdio.h>

struct fl_cli_host_network {
	bool routes4, routes6; /* there is a default route */
	bool dns4, dns6;       /* resolv.conf names a server with such an address */
	char search[256];      /* its last line of "search" or "domain", without the word; "": none */
};

/* Read what their names say; what cannot be opened is not there. PURE but for reading the streams, which may be NULL.
 */
bool fl_cli_has_default_route4(FILE *proc_net_route);
bool fl_cli_has_default_route6(FILE *proc_net_ipv6_route);
void fl_cli_read_resolv_conf(FILE *resolv_conf, struct fl_cli_host_network *network);

void fl_cli_look_at_host_network(struct fl_cli_host_network *network);

#endif
