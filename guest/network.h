/* SPDX-License-Identifier: Apache-2.0 */
/* The guest's network, as the configuration says: addresses are told, nobody has to be asked. */
#ifndef FL_NETWORK_H
#define FL_NETWORK_H

#include <netinet/in.h>

#include "guest/conf_parse.h"

struct fl_network_address {
	int family; /* AF_INET or AF_INET6 */
	union {
		struct in_addr v4;
		struct in6_addr v6;
	} address, gateway;
	unsigned int prefix_len;
	bool has_gateway;
};

/* Takes an N record apart. -EINVAL. Pure. */
FL_CHECKED_RESULT int fl_network_parse(const struct fl_conf_address *conf, struct fl_network_address *address);

/* eth0 with its addresses and routes; nothing to do without N records. Before or after the root is entered. */
FL_CHECKED_RESULT int fl_network_up(const struct fl_conf *conf, struct fl_diag *diag);

/*
 * Inside the root, after /run is there: puts the text of the R record where programs look for it, by a mount over
 * /etc/resolv.conf, since the root may be read-only and is the host's anyway. Where a root has no such file, there is
 * no place for it (-ENOENT, with a sentence; the guest works, but for names).
 */
FL_CHECKED_RESULT int fl_network_resolv_conf(const struct fl_conf *conf, struct fl_diag *diag);

#endif
