/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config: the caller's options, checked and copied, so that the rest of vmm/ deals with sane values of
 * its own. No side effects but allocation.
 */
#ifndef FL_CONFIG_H
#define FL_CONFIG_H

#include "fl_diag.h"

#define FL_VCPUS_MAX   64u
#define FL_SHARES_MAX  16u
#define FL_WINDOWS_MAX 8u
#define FL_PORTS_MAX   4u
#define FL_RAM_MIN     (UINT64_C(64) << 20)
#define FL_RAM_MAX     (UINT64_C(2) << 40)
#define FL_WINDOW_MIN  (UINT64_C(64) << 20)
#define FL_WINDOW_MAX  (UINT64_C(64) << 30)
#define FL_TAG_MAX     35u
#define FL_NAME_MAX    31u
#define FL_RAM_NAME    "ram" /* what guest memory is called where regions are named */

/* Deep copies; strings are owned. */
struct fl_vm_config {
	struct fl_vm_opts opts;
	char *name, *kernel, *initrd, *params;
	char *hostname; /* never NULL */
};
struct fl_share_config {
	struct fl_share_opts opts;
	char *tag, *dir, *mount; /* mount NULL: it keeps the changes of an overlay */
	char *title;		 /* what messages call it: "data (/srv/data at /tmp/data)" */
	char *overlay_dir;
};
struct fl_window_config {
	struct fl_window_opts opts; /* fd is still the caller's */
	char *name;
};
struct fl_port_config {
	struct fl_port_opts opts; /* descriptors are still the caller's */
	char *name;
};
struct fl_net_config {
	struct fl_net_opts opts; /* fd is still the caller's */
	char *address, *gateway, *address6, *gateway6, *resolv_conf;
};
struct fl_command_config {
	struct fl_command opts;
	char **argv, **envp, *cwd, *user; /* argv NULL: no command was set */
};

/*
 * Copies a sized struct of the caller's: shorter ones are padded with zeros, in longer ones the
 * unknown tail must be zero (-E2BIG). Both begin with uint32_t size.
 */
FL_CHECKED_RESULT int fl_copy_sized(void *to, size_t to_len, const void *from);

FL_CHECKED_RESULT int fl_vm_config_init(struct fl_vm_config *config, const struct fl_vm_opts *opts,
					struct fl_diag *diag);
void fl_vm_config_fini(struct fl_vm_config *config);
FL_CHECKED_RESULT int fl_share_config_init(struct fl_share_config *config, const struct fl_share_opts *opts,
					   struct fl_diag *diag);
/* The share that keeps the changes of `lower`, an overlay with an overlay_dir. */
FL_CHECKED_RESULT int fl_share_config_init_changes(struct fl_share_config *config, const struct fl_share_config *lower,
						   struct fl_diag *diag);
void fl_share_config_fini(struct fl_share_config *config);
FL_CHECKED_RESULT int fl_window_config_init(struct fl_window_config *config, const struct fl_window_opts *opts,
					    struct fl_diag *diag);
void fl_window_config_fini(struct fl_window_config *config);
FL_CHECKED_RESULT int fl_port_config_init(struct fl_port_config *config, const struct fl_port_opts *opts,
					  struct fl_diag *diag);
void fl_port_config_fini(struct fl_port_config *config);
FL_CHECKED_RESULT int fl_net_config_init(struct fl_net_config *config, const struct fl_net_opts *opts,
					 struct fl_diag *diag);
void fl_net_config_fini(struct fl_net_config *config);
FL_CHECKED_RESULT int fl_command_config_init(struct fl_command_config *config, const struct fl_command *command,
					     struct fl_diag *diag);
void fl_command_config_fini(struct fl_command_config *config);

#endif
