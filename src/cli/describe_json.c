/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cli/describe_parts.h"
#include "cli/diag.h"

/* RFC 8259, 6: integers up to here are the same number for every reader. */
#define NUMBER_MAX ((UINT64_C(1) << 53) - 1)

/* Separates from what came before, and names what comes. NULL: an element of an array. */
static void print_name(FILE *out, bool first, const char *name)
{
	fputs(first ? "" : ",", out);
	if (name)
		fprintf(out, "\"%s\":", name);
}

static void print_number(FILE *out, const char *name, uint64_t number)
{
	print_name(out, false, name);
	fprintf(out, number <= NUMBER_MAX ? "%" PRIu64 : "\"%" PRIu64 "\"", number);
}

/* Of bytes that are none of ASCII's signs it has "\\ooo", a backslash is doubled: docs/events.md. */
static void print_string(FILE *out, bool first, const char *name, const char *value)
{
	print_name(out, first, name);
	fputc('"', out);
	for (; *value; value++) {
		unsigned char c = (unsigned char)*value;

		if (c == '\\')
			fputs("\\\\\\\\", out);
		else if (c == '"')
			fputs("\\\"", out);
		else if (c < ' ' || c >= 0x7f)
			fprintf(out, "\\\\%03o", c);
		else
			fputc(c, out);
	}
	fputc('"', out);
}

static void print_policy(FILE *out, const struct fl_policy *policy)
{
	print_name(out, false, "policy");
	fputc('[', out);
	for (size_t i = 0; i < FL_POLICY_MAX; i++) {
		print_string(out, i == 0, NULL, fl_action_name(policy->action[i]));
		if (policy->action[i] == FL_ACTION_STOP)
			break;
	}
	fputc(']', out);
}

static void print_shares(FILE *out, struct fl_vm *vm, uint32_t count)
{
	struct fl_share_info share = {.size = sizeof(share)};

	print_name(out, false, "shares");
	fputc('[', out);
	for (uint32_t i = 0; i < count && fl_vm_get_share(vm, i, &share) == 0; i++) {
		fputs(i ? ",{" : "{", out);
		print_string(out, true, "mount", share.mount);
		print_string(out, false, "dir", share.dir);
		print_name(out, false, "writable");
		fputs(share.flags & FL_SHARE_WRITABLE ? "true" : "false", out);
		print_number(out, "requests", share.requests);
		print_number(out, "errors", share.errors);
		print_number(out, "malformed", share.malformed);
		print_number(out, "lost", share.lost);
		fputc('}', out);
	}
	fputc(']', out);
}

static void print_status(FILE *out, const struct fl_cli_described *described, const struct fl_vm_info *info)
{
	print_string(out, true, "name", info->name);
	print_number(out, "pid", described->pid);
	print_string(out, false, "state", fl_vm_state_name(info->state));
	print_number(out, "uptime_ns", info->uptime_ns);
	print_number(out, "paused_ns", info->paused_ns);
	print_name(out, false, "command");
	fputc('[', out);
	for (char *const *word = described->options->command; word && *word; word++)
		print_string(out, word == described->options->command, NULL, *word);
	fputc(']', out);
	print_string(out, false, "kernel", described->kernel);
	print_number(out, "vcpus", info->vcpus);
	print_number(out, "memory", info->ram_len);
	print_number(out, "memory_on_host", info->ram_host_len);
	print_string(out, false, "mode", fl_fault_mode_name(info->mode));
	print_number(out, "faults", info->faults);
	print_shares(out, described->vm, info->shares);
}

static void print_vcpus(FILE *out, struct fl_vm *vm, uint32_t count)
{
	struct fl_vcpu_info vcpu = {.size = sizeof(vcpu)};

	print_name(out, false, "cpus");
	fputc('[', out);
	for (uint32_t i = 0; i < count && fl_vm_get_vcpu(vm, i, &vcpu) == 0; i++) {
		fputs(i ? ",{" : "{", out);
		print_string(out, true, "state", fl_vcpu_state_name(vcpu.state));
		print_number(out, "index", vcpu.index);
		print_number(out, "cpu_time_ns", vcpu.cpu_time_ns);
		print_number(out, "exits", vcpu.exits);
		print_number(out, "faults", vcpu.faults);
		if (vcpu.flags & FL_VCPU_RIP_VALID)
			fprintf(out, ",\"rip\":\"0x%" PRIx64 "\"", vcpu.rip);
		fputc('}', out);
	}
	fputc(']', out);
}

static void print_mapping(FILE *out, const struct fl_region_info *region, const struct fl_mapping *mapping, bool first)
{
	static const struct {
		uint32_t flag;
		const char *name;
	} flags[] = {{FL_MAPPING_WRITABLE, "writable"},
		     {FL_MAPPING_BEYOND_END, "beyond_end"},
		     {FL_MAPPING_SUBSTITUTED, "substituted"},
		     {FL_MAPPING_BROKEN, "broken"}};

	fputs(first ? "{" : ",{", out);
	print_string(out, true, "path", mapping->path);
	fprintf(out, ",\"gpa\":\"0x%" PRIx64 "\"", region->gpa + mapping->window_offset);
	print_number(out, "length", mapping->len);
	print_number(out, "offset", mapping->file_offset);
	print_number(out, "file_size", mapping->file_len);
	print_number(out, "file_size_when_mapped", mapping->mapped_file_len);
	print_number(out, "dev", mapping->dev);
	print_number(out, "ino", mapping->ino);
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		print_name(out, false, flags[i].name);
		fputs(mapping->flags & flags[i].flag ? "true" : "false", out);
	}
	fputc('}', out);
}

static int print_region(FILE *out, const struct fl_cli_described *described, uint32_t index,
			const struct fl_region_info *region)
{
	bool more = false;
	int ret = 0;

	fputs(index ? ",{" : "{", out);
	print_string(out, true, "type", fl_region_type_name(region->type));
	print_string(out, false, "name", fl_cli_region_name(described, region));
	fprintf(out, ",\"gpa\":\"0x%" PRIx64 "\"", region->gpa);
	print_number(out, "length", region->len);
	print_policy(out, &region->policy);
	if (region->type != FL_REGION_TYPE_RAM) {
		print_number(out, "ranges", region->ranges);
		print_number(out, "ranges_mapped", region->ranges_mapped);
		print_number(out, "ranges_most", region->ranges_most);
		print_number(out, "substitutes", region->substitutes);
		fputs(",\"mappings\":[", out);
		ret = fl_cli_for_each_mapping(described->vm, index, region, out, print_mapping, &more);
		fprintf(out, "],\"more_mappings\":%s", more ? "true" : "false");
	}
	fputc('}', out);
	return ret;
}

static int print_regions(FILE *out, const struct fl_cli_described *described, uint32_t count)
{
	struct fl_region_info region = {.size = sizeof(region)};
	int ret = 0;

	print_name(out, false, "regions");
	fputc('[', out);
	for (uint32_t i = 0; ret == 0 && i < count && fl_vm_get_region(described->vm, i, &region) == 0; i++)
		ret = print_region(out, described, i, &region);
	fputc(']', out);
	return ret;
}

int fl_cli_describe_json(const struct fl_cli_described *described, enum fl_cli_control_what what, FILE *out,
			 struct fl_diag *diag)
{
	struct fl_vm_info info = {.size = sizeof(info)};
	int ret = fl_cli_get_info(described, &info, diag);

	if (ret < 0)
		return ret;
	fputc('{', out);
	print_status(out, described, &info);
	if (what == FL_CLI_CONTROL_INSPECT) {
		print_vcpus(out, described->vm, info.vcpus);
		ret = print_regions(out, described, info.regions);
	}
	fputs("}\n", out);
	return ret < 0 ? fl_cli_diag(diag, ret, "The guest's windows cannot be read: %s.", strerror(-ret)) : 0;
}
