/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/kernel_check.h"

#include "cli/kernel_config.h"

/* A line about the kernel that was found, for -v. */
static void tell(struct fl_cli_output *output, const struct fl_cli_kernel *kernel, bool known, bool patched)
{
	char line[2 * PATH_MAX + 512];

	snprintf(line, sizeof(line), "the guest's kernel is %s, %s: release %s, %s%s, %s", kernel->path, kernel->why,
		 kernel->release[0] ? kernel->release : "unknown",
		 known ? "configuration " : "no configuration beside it", known ? kernel->config : "",
		 patched ? "with Faultline's patches"
		 : known ? "without Faultline's patches"
			 : "not known to have Faultline's patches");
	fl_cli_on_log(output, FL_LOG_INFO, line);
}

static struct fl_cli_kernel_use use_of(const struct fl_cli_options *options)
{
	struct fl_cli_kernel_use use = {.agent = !options->initrd,
					.vcpus = options->vcpus,
					.unpacker = options->initrd ? fl_cli_initrd_unpacker(options->initrd) : NULL};

	for (size_t i = 0; options->window_len && i < options->share_count; i++) {
		use.dax |= options->shares[i].dax != FL_CLI_DAX_NEVER;
		use.dax_always |= options->shares[i].dax == FL_CLI_DAX_ALWAYS;
	}
	return use;
}

int fl_cli_check_kernel(const struct fl_cli_kernel *kernel, const struct fl_cli_options *options,
			struct fl_cli_output *output, bool *patched, struct fl_diag *diag)
{
	struct fl_cli_kernel_use use = use_of(options);
	struct fl_cli_kernel_config config;
	bool known = kernel->config[0] && fl_cli_read_kernel_config(kernel->config, kernel->release, &config) == 0;
	const char *warning;
	int ret = 0;

	*patched = known ? fl_cli_kernel_is_patched(&config) : kernel->ours;
	if (known) {
		ret = fl_cli_check_kernel_config(&config, &use, kernel, diag);
		for (size_t i = 0; ret == 0 && options->log_level >= FL_LOG_WARN &&
				   (warning = fl_cli_kernel_config_warning(&config, &use, i));
		     i++)
			fl_cli_on_log(output, FL_LOG_WARN, warning);
	}
	if (options->log_level >= FL_LOG_INFO)
		tell(output, kernel, known, *patched);
	return ret;
}
