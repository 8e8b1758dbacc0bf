/* SPDX-License-Identifier: Apache-2.0 */
#include "vcpu/host_module.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fl_base.h"

static bool is_live(const char *sys, const char *module)
{
	char path[PATH_MAX], state[16] = "";

	if (snprintf(path, sizeof(path), "%s/module/%s/initstate", sys, module) >= (int)sizeof(path))
		return false;
	FILE *file = fopen(path, "re");

	if (!file)
		return false;
	bool live = fgets(state, sizeof(state), file) && strcmp(state, "live\n") == 0;

	fclose(file);
	return live;
}

const char *fl_kvm_hardware(const char *sys)
{
	static const char *const modules[][2] = {{"kvm_intel", "VMX"}, {"kvm_amd", "SVM"}};
	char pvm[PATH_MAX];

	/* virtualisation by software, whose authors may let it stand beside the others one day */
	if (snprintf(pvm, sizeof(pvm), "%s/module/kvm_pvm", sys) >= (int)sizeof(pvm) || access(pvm, F_OK) == 0)
		return NULL;
	for (size_t i = 0; i < FL_ARRAY_SIZE(modules); i++)
		if (is_live(sys, modules[i][0]))
			return modules[i][1];
	return NULL;
}
