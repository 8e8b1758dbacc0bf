/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "cli/describe_parts.h"
#include "cli/diag.h"
#include "cli/json_out.h"

static void add_policy(struct fl_json *json, const struct fl_policy *policy)
{
	fl_json_array(json, "policy");
	for (size_t i = 0; i < FL_POLICY_MAX; i++) {
		fl_json_string(json, NULL, fl_action_name(policy->action[i]));
		if (policy->action[i] == FL_ACTION_STOP)
			break;
	}
	fl_json_close(json);
}

static void add_shares(struct fl_json *json, struct fl_vm *vm, uint32_t count)
{
	struct fl_share_info share = {.size = sizeof(share)};

	fl_json_array(json, "shares");
	for (uint32_t i = 0; i < count && fl_vm_get_share(vm, i, &share) == 0; i++) {
		fl_json_object(json, NULL);
		fl_json_string(json, "mount", share.mount);
		fl_json_string(json, "dir", share.dir);
		fl_json_bool(json, "writable", share.flags & FL_SHARE_WRITABLE);
		fl_json_u64(json, "requests", share.requests);
		fl_json_u64(json, "errors", share.errors);
		fl_json_u64(json, "malformed", share.malformed);
		fl_json_u64(json, "lost", share.lost);
		fl_json_close(json);
	}
	fl_json_close(json);
}

static void add_status(struct fl_json *json, const struct fl_cli_described *described, const struct fl_vm_info *info)
{
	fl_json_string(json, "name", info->name);
	fl_json_u64(json, "pid", described->pid);
	fl_json_string(json, "state", fl_vm_state_name(info->state));
	fl_json_u64(json, "uptime_ns", info->uptime_ns);
	fl_json_u64(json, "paused_ns", info->paused_ns);
	fl_json_array(json, "command");
	for (char *const *word = described->options->command; word && *word; word++)
		fl_json_string(json, NULL, *word);
	fl_json_close(json);
	fl_json_string(json, "kernel", described->kernel);
	fl_json_u64(json, "vcpus", info->vcpus);
	fl_json_u64(json, "memory", info->ram_len);
	fl_json_u64(json, "memory_on_host", info->ram_host_len);
	fl_json_string(json, "mode", fl_fault_mode_name(info->mode));
	fl_json_u64(json, "faults", info->faults);
	add_shares(json, described->vm, info->shares);
}

static void add_vcpus(struct fl_json *json, struct fl_vm *vm, uint32_t count)
{
	struct fl_vcpu_info vcpu = {.size = sizeof(vcpu)};

	fl_json_array(json, "cpus");
	for (uint32_t i = 0; i < count && fl_vm_get_vcpu(vm, i, &vcpu) == 0; i++) {
		fl_json_object(json, NULL);
		fl_json_string(json, "state", fl_vcpu_state_name(vcpu.state));
		fl_json_u64(json, "index", vcpu.index);
		fl_json_u64(json, "cpu_time_ns", vcpu.cpu_time_ns);
		fl_json_u64(json, "exits", vcpu.exits);
		fl_json_u64(json, "faults", vcpu.faults);
		if (vcpu.flags & FL_VCPU_RIP_VALID)
			fl_json_address(json, "rip", vcpu.rip);
		fl_json_close(json);
	}
	fl_json_close(json);
}

static void add_mapping(void *arg, const struct fl_region_info *region, const struct fl_mapping *mapping)
{
	struct fl_json *json = arg;

	fl_json_object(json, NULL);
	fl_json_string(json, "path", mapping->path);
	fl_json_address(json, "gpa", region->gpa + mapping->window_offset);
	fl_json_u64(json, "length", mapping->len);
	fl_json_u64(json, "offset", mapping->file_offset);
	fl_json_u64(json, "file_size", mapping->file_len);
	fl_json_u64(json, "file_size_when_mapped", mapping->mapped_file_len);
	fl_json_u64(json, "dev", mapping->dev);
	fl_json_u64(json, "ino", mapping->ino);
	fl_json_bool(json, "writable", mapping->flags & FL_MAPPING_WRITABLE);
	fl_json_bool(json, "beyond_end", mapping->flags & FL_MAPPING_BEYOND_END);
	fl_json_bool(json, "substituted", mapping->flags & FL_MAPPING_SUBSTITUTED);
	fl_json_bool(json, "broken", mapping->flags & FL_MAPPING_BROKEN);
	fl_json_close(json);
}

static int add_region(struct fl_json *json, const struct fl_cli_described *described, uint32_t index,
		      const struct fl_region_info *region)
{
	bool more = false;
	int ret = 0;

	fl_json_object(json, NULL);
	fl_json_string(json, "type", fl_region_type_name(region->type));
	fl_json_string(json, "name", fl_cli_region_name(described, region));
	fl_json_address(json, "gpa", region->gpa);
	fl_json_u64(json, "length", region->len);
	add_policy(json, &region->policy);
	if (region->type != FL_REGION_TYPE_RAM) {
		fl_json_u64(json, "ranges", region->ranges);
		fl_json_u64(json, "ranges_mapped", region->ranges_mapped);
		fl_json_u64(json, "ranges_most", region->ranges_most);
		fl_json_u64(json, "substitutes", region->substitutes);
		fl_json_array(json, "mappings");
		ret = fl_cli_for_each_mapping(described->vm, index, region, add_mapping, json, &more);
		fl_json_close(json);
		fl_json_bool(json, "more_mappings", more);
	}
	fl_json_close(json);
	return ret;
}

static int add_regions(struct fl_json *json, const struct fl_cli_described *described, uint32_t count)
{
	struct fl_region_info region = {.size = sizeof(region)};
	int ret = 0;

	fl_json_array(json, "regions");
	for (uint32_t i = 0; ret == 0 && i < count && fl_vm_get_region(described->vm, i, &region) == 0; i++)
		ret = add_region(json, described, i, &region);
	fl_json_close(json);
	return ret;
}

int fl_cli_describe_json(const struct fl_cli_described *described, enum fl_cli_control_what what, FILE *out,
			 struct fl_diag *diag)
{
	struct fl_vm_info info = {.size = sizeof(info)};
	int ret = fl_cli_get_info(described, &info, diag);
	struct fl_json json;

	if (ret < 0)
		return ret;
	fl_json_begin(&json, out);
	fl_json_object(&json, NULL);
	add_status(&json, described, &info);
	if (what == FL_CLI_CONTROL_INSPECT) {
		add_vcpus(&json, described->vm, info.vcpus);
		ret = add_regions(&json, described, info.regions);
	}
	fl_json_close(&json);
	if (ret < 0)
		return fl_cli_diag(diag, ret, "The guest's windows cannot be read: %s.", strerror(-ret));
	ret = fl_json_end(&json);
	return ret < 0 ? fl_cli_diag(diag, ret, "What the guest is doing cannot be written: %s.", strerror(-ret)) : 0;
}
