/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's network: passt(1), which makes connections of this host's out of those of the guest, and so needs no
 * rights. It is started for one VM and goes with it. The guest has fixed addresses, and reaches this host's loopback
 * services at those of the gateway.
 */
#ifndef FL_CLI_PASST_H
#define FL_CLI_PASST_H

#include <sys/types.h>

#include "cli/host_network.h"
#include "faultline/faultline.h"

#define FL_CLI_PASST_ADDRESS  "10.0.2.15"
#define FL_CLI_PASST_GATEWAY  "10.0.2.2"
#define FL_CLI_PASST_DNS      "10.0.2.3"
#define FL_CLI_PASST_ADDRESS6 "fd46:4c00::15"
#define FL_CLI_PASST_GATEWAY6 "fd46:4c00::2"
#define FL_CLI_PASST_DNS6     "fd46:4c00::3"

#define FL_CLI_PASST_ARGS_MAX 40

struct fl_cli_passt {
	pid_t pid;    /* 0: was not started */
	int fd;	      /* frames */
	int error_fd; /* what it says */
	bool v4, v6;  /* what the guest gets */
	char resolv_conf[512];
};

/*
 * What the guest gets from this host: the families that have a default route; on a host without any, IPv4, for the
 * services of the host itself. Fills v4, v6 and resolv_conf. PURE.
 */
void fl_cli_passt_plan(struct fl_cli_passt *passt, const struct fl_cli_host_network *host);
/* passt's command line for that, ending with NULL; its socket is descriptor 3. PURE. */
void fl_cli_passt_args(const struct fl_cli_passt *passt, const struct fl_cli_host_network *host,
		       const char *args[FL_CLI_PASST_ARGS_MAX]);

/* Starts it and waits until it answers. -ENOENT: it is not installed. To be stopped, after a failure too. */
FL_CHECKED int fl_cli_passt_start(struct fl_cli_passt *passt, struct fl_diag *diag);
/* Gives the network to a VM that has not been started. */
FL_CHECKED int fl_cli_passt_add(const struct fl_cli_passt *passt, struct fl_vm *vm, struct fl_diag *diag);
/* After fl_vm_free(): it ends when its socket is closed. All zero is allowed. */
void fl_cli_passt_stop(struct fl_cli_passt *passt);

#endif
