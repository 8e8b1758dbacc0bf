/* SPDX-License-Identifier: Apache-2.0 */
/* What a guest kernel's configuration says of it, before it is started. */
#ifndef FL_CLI_KERNEL_CONFIG_H
#define FL_CLI_KERNEL_CONFIG_H

#include "cli/kernel.h"

enum fl_cli_config_value { FL_CLI_CONFIG_NO, FL_CLI_CONFIG_MODULE, FL_CLI_CONFIG_YES };

#define FL_CLI_CONFIG_OPTIONS_MAX 24

/* One entry for each row of the table in kernel_config.c. */
struct fl_cli_kernel_config {
	enum fl_cli_config_value value[FL_CLI_CONFIG_OPTIONS_MAX];
};

/* What the guest is to do. */
struct fl_cli_kernel_use {
	bool agent;	 /* Faultline's own initramfs: shares are mounted and a command is run */
	bool dax;	 /* some share has a window */
	bool dax_always; /* and must be mapped */
	uint32_t vcpus;
	const char *unpacker; /* fl_cli_initrd_unpacker() */
};

/* The option that unpacks an initramfs, without CONFIG_; NULL: it is not compressed, or what it is cannot be told. */
const char *fl_cli_initrd_unpacker(const char *path);

/*
 * Reads a .config, or the auto.conf made from it, of the kernel of that release. 0; -ESTALE: it is another kernel's, or
 * no whole configuration; -EFBIG, or the errors of open(2) and read(2).
 */
FL_CHECKED int fl_cli_read_kernel_config(const char *path, const char *release, struct fl_cli_kernel_config *config);

/* Was the kernel built with this project's patches? */
bool fl_cli_kernel_is_patched(const struct fl_cli_kernel_config *config);

/* 0; -ENOTSUP if such a guest could not work, with a sentence that names all that is lacking. */
FL_CHECKED int fl_cli_check_kernel_config(const struct fl_cli_kernel_config *config,
					  const struct fl_cli_kernel_use *use, const struct fl_cli_kernel *kernel,
					  struct fl_diag *diag);

/* What such a guest has to do without, a sentence at a time: index from 0 until it returns NULL. */
const char *fl_cli_kernel_config_warning(const struct fl_cli_kernel_config *config, const struct fl_cli_kernel_use *use,
					 size_t index);

#endif
