/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/cmdline.h"

#include <stdio.h>
#include <string.h>

void fl_cmdline_build(struct fl_blob *out, uint32_t vm_flags, const char *params)
{
	/*
	 * reboot=k: the one way to reset this machine is the i8042's; panic=-1: a panic is a reset at
	 * once; mce=recovery: copies out of DAX memory take the path that survives a fault; the rest: up to Linux 6.1
	 * it is a matter of the kernel's configuration whether seeds count.
	 */
	static const char base[] =
		"console=ttyS0 reboot=k panic=-1 mce=recovery random.trust_cpu=on random.trust_bootloader=on";

	fl_blob_put(out, base, strlen(base));
	if (!(vm_flags & FL_VM_BOOT_MESSAGES)) {
		static const char quiet[] = " quiet loglevel=4";

		fl_blob_put(out, quiet, strlen(quiet));
	}
	if (params && *params) {
		fl_blob_put(out, " ", 1);
		fl_blob_put(out, params, strlen(params));
	}
	fl_blob_put(out, "", 1);
}

static void put_record(struct fl_blob *out, char letter, const char *text)
{
	fl_blob_put(out, &letter, 1);
	fl_blob_put_string(out, text);
}

static void put_mount(struct fl_blob *out, const struct fl_mount *mount)
{
	char options[32];

	snprintf(options, sizeof(options), "%s%s%s", mount->writable ? "rw" : "ro", mount->dax ? ",dax=" : "",
		 mount->dax ? mount->dax : "");
	put_record(out, mount->upper ? 'O' : 'M', mount->tag);
	fl_blob_put_string(out, mount->path);
	fl_blob_put_string(out, options);
	if (mount->upper)
		fl_blob_put_string(out, mount->upper);
}

void fl_agent_conf_build(struct fl_blob *out, const struct fl_mount *mounts, unsigned int mount_count,
			 const struct fl_command *command, const char *hostname, uint64_t now_ns)
{
	static const char *const default_env[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
						  "TERM=dumb", NULL};
	const char *const *env = command->envp ? command->envp : default_env;
	char now[48];

	for (unsigned int pass = 0; pass < 2; pass++)
		for (unsigned int i = 0; i < mount_count; i++)
			if ((strcmp(mounts[i].path, "/") == 0) == (pass == 0))
				put_mount(out, &mounts[i]);
	for (const char *const *arg = command->argv; *arg; arg++)
		put_record(out, 'A', *arg);
	for (; *env; env++)
		put_record(out, 'E', *env);
	put_record(out, 'C', command->cwd ? command->cwd : "/");
	put_record(out, 'H', hostname);
	if (command->flags & FL_COMMAND_TTY) {
		char size[16];

		snprintf(size, sizeof(size), "%u %u", (unsigned int)command->rows, (unsigned int)command->cols);
		put_record(out, 'P', size);
	}
	if (command->user)
		put_record(out, 'U', command->user);
	snprintf(now, sizeof(now), "%llu.%09llu", (unsigned long long)(now_ns / 1000000000),
		 (unsigned long long)(now_ns % 1000000000));
	put_record(out, 'T', now);
}

static void put_address(struct fl_blob *out, const char *address, const char *gateway)
{
	if (!address)
		return;
	put_record(out, 'N', address);
	fl_blob_put_string(out, gateway ? gateway : "");
}

void fl_agent_conf_add_net(struct fl_blob *out, const struct fl_net_config *net)
{
	put_address(out, net->address, net->gateway);
	put_address(out, net->address6, net->gateway6);
	if (net->resolv_conf)
		put_record(out, 'R', net->resolv_conf);
}
