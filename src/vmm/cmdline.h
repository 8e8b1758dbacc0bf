/* SPDX-License-Identifier: Apache-2.0 */
/* cmdline: the kernel's command line and the agent's configuration, from the VM's options. PURE. */
#ifndef FL_CMDLINE_H
#define FL_CMDLINE_H

#include "vmm/config.h"
#include "vmm/initramfs.h"

/* Appends the command line with its NUL. params may be NULL. */
void fl_cmdline_build(struct fl_blob *out, uint32_t vm_flags, const char *params);

struct fl_mount {
	const char *tag, *path;
	bool writable;
	const char *dax;   /* the guest's mount option dax=; NULL: none */
	const char *upper; /* the tag of what keeps its changes, "" for memory; NULL: it is no overlay */
};
/* Appends the records of guest/agent_conf.h; the mount at "/" is put first. */
void fl_agent_conf_build(struct fl_blob *out, const struct fl_mount *mounts, unsigned int mount_count,
			 const struct fl_command *command, const char *hostname, uint64_t now_ns);
/* Appends what the agent is to do with the network. */
void fl_agent_conf_add_net(struct fl_blob *out, const struct fl_net_config *net);

#endif
