/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/describe_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/diag.h"
#include "cli/units.h"

/* Names and words are of people, guests and files: bytes that are none of ASCII's signs must not drive a terminal. */
static void print_plain(FILE *out, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c >= ' ' && c < 0x7f)
			fputc(c, out);
		else
			fprintf(out, "\\%03o", c);
	}
}

static void print_command(FILE *out, char *const *word)
{
	for (bool first = true; word && *word; word++, first = false) {
		if (!first)
			fputc(' ', out);
		print_plain(out, *word);
	}
}

static void print_ps(FILE *out, const struct fl_cli_described *described, const struct fl_vm_info *info)
{
	char up[FL_CLI_UNITS_LEN], memory[FL_CLI_UNITS_LEN];

	fprintf(out, "%s\t%" PRIu32 "\t%s\t%s\t%" PRIu32 "\t%s\t%" PRIu64 "\t", info->name, described->pid,
		fl_vm_state_name(info->state), fl_cli_time_text(info->uptime_ns, up), info->vcpus,
		fl_cli_bytes_text(info->ram_len, memory), info->faults);
	print_command(out, described->options->command);
	fputc('\n', out);
}

static void print_faults(FILE *out, struct fl_vm *vm, const struct fl_vm_info *info)
{
	struct fl_counters counters = {.size = sizeof(counters)};
	const char *before = ": ";

	fprintf(out, "faults    %" PRIu64, info->faults);
	if (info->faults && fl_vm_get_counters(vm, NULL, &counters) == 0) {
		for (unsigned int i = FL_OUTCOME_RETRIED; i <= FL_OUTCOME_SUBSTITUTED; i++) {
			if (!counters.outcome[i])
				continue;
			fprintf(out, "%s%" PRIu64 " %s", before, counters.outcome[i],
				fl_outcome_name((enum fl_outcome)i));
			before = ", ";
		}
	}
	fprintf(out, " (%s mode)\n", fl_fault_mode_name(info->mode));
}

static void print_shares(FILE *out, struct fl_vm *vm, const struct fl_vm_info *info)
{
	struct fl_share_info share = {.size = sizeof(share)};

	for (uint32_t i = 0; i < info->shares && fl_vm_get_share(vm, i, &share) == 0; i++) {
		fputs(i ? "          " : "shares    ", out);
		print_plain(out, share.mount);
		fputs(" is ", out);
		print_plain(out, share.dir);
		fprintf(out, ", %s, %" PRIu64 " requests\n", share.flags & FL_SHARE_WRITABLE ? "writable" : "read-only",
			share.requests);
	}
}

static void print_status(FILE *out, const struct fl_cli_described *described, const struct fl_vm_info *info)
{
	char text[FL_CLI_UNITS_LEN], used[FL_CLI_UNITS_LEN];

	fprintf(out, "name      %s\npid       %" PRIu32 "\nstate     %s, %s since its start", info->name,
		described->pid, fl_vm_state_name(info->state), fl_cli_time_text(info->uptime_ns, text));
	if (info->paused_ns)
		fprintf(out, ", of that %s paused", fl_cli_time_text(info->paused_ns, text));
	fputs("\ncommand   ", out);
	print_command(out, described->options->command);
	fputs("\nkernel    ", out);
	print_plain(out, described->kernel);
	fprintf(out, "\ncpus      %" PRIu32 "\nmemory    %s, of that %s used on the host\n", info->vcpus,
		fl_cli_bytes_text(info->ram_len, text), fl_cli_bytes_text(info->ram_host_len, used));
	print_shares(out, described->vm, info);
	print_faults(out, described->vm, info);
}

static void print_vcpus(FILE *out, struct fl_vm *vm, uint32_t count)
{
	struct fl_vcpu_info vcpu = {.size = sizeof(vcpu)};
	char text[FL_CLI_UNITS_LEN];

	fputs("\nCPU  STATE        CPU TIME        EXITS   FAULTS  RIP\n", out);
	for (uint32_t i = 0; i < count && fl_vm_get_vcpu(vm, i, &vcpu) == 0; i++) {
		fprintf(out, "%-3" PRIu32 "  %-11s  %-10s %10" PRIu64 " %8" PRIu64, vcpu.index,
			fl_vcpu_state_name(vcpu.state), fl_cli_time_text(vcpu.cpu_time_ns, text), vcpu.exits,
			vcpu.faults);
		if (vcpu.flags & FL_VCPU_RIP_VALID)
			fprintf(out, "  0x%" PRIx64, vcpu.rip);
		fputc('\n', out);
	}
}

static void print_regions(FILE *out, const struct fl_cli_described *described, uint32_t count)
{
	struct fl_region_info region = {.size = sizeof(region)};
	char text[FL_CLI_UNITS_LEN];

	fputs("\nGUEST-PHYSICAL      LENGTH      WHAT    MAPPED NOW/MOST/ALL  NAME\n", out);
	for (uint32_t i = 0; i < count && fl_vm_get_region(described->vm, i, &region) == 0; i++) {
		char ranges[64] = "-";

		if (region.type != FL_REGION_TYPE_RAM)
			snprintf(ranges, sizeof(ranges), "%" PRIu64 "/%" PRIu64 "/%" PRIu64, region.ranges_mapped,
				 region.ranges_most, region.ranges);
		fprintf(out, "0x%-16" PRIx64 "  %-10s  %-6s  %-19s  ", region.gpa, fl_cli_bytes_text(region.len, text),
			fl_region_type_name(region.type), ranges);
		print_plain(out, fl_cli_region_name(described, &region));
		fputc('\n', out);
	}
}

static void print_mapping(void *arg, const struct fl_region_info *region, const struct fl_mapping *mapping)
{
	char text[FL_CLI_UNITS_LEN];
	FILE *out = arg;

	fprintf(out, "0x%-16" PRIx64 "  %-10s  %s%s%s%s  %10" PRIu64 "  ", region->gpa + mapping->window_offset,
		fl_cli_bytes_text(mapping->len, text), mapping->flags & FL_MAPPING_WRITABLE ? "w" : "-",
		mapping->flags & FL_MAPPING_BEYOND_END ? "e" : "-", mapping->flags & FL_MAPPING_SUBSTITUTED ? "s" : "-",
		mapping->flags & FL_MAPPING_BROKEN ? "b" : "-", mapping->file_offset);
	print_plain(out, mapping->path);
	fputc('\n', out);
}

static int print_mappings(FILE *out, const struct fl_cli_described *described, uint32_t count)
{
	struct fl_region_info region = {.size = sizeof(region)};
	bool more, any = false;
	int ret = 0;

	fputs("\nGUEST-PHYSICAL      LENGTH      FLAGS  AT FILE OFFSET  FILE\n", out);
	for (uint32_t i = 0; ret == 0 && i < count && fl_vm_get_region(described->vm, i, &region) == 0; i++) {
		if (region.type == FL_REGION_TYPE_RAM)
			continue;
		ret = fl_cli_for_each_mapping(described->vm, i, &region, print_mapping, out, &more);
		any = any || more;
	}
	fputs("FLAGS: w writable, e the file ends before it, s zero pages stand for it, b broken\n", out);
	if (any)
		fprintf(out, "Of each window the first %u mappings are shown.\n", FL_CLI_MAPPINGS_SHOWN);
	return ret;
}

int fl_cli_describe_text(const struct fl_cli_described *described, enum fl_cli_control_what what, FILE *out,
			 struct fl_diag *diag)
{
	struct fl_vm_info info = {.size = sizeof(info)};
	int ret = fl_cli_get_info(described, &info, diag);

	if (ret < 0)
		return ret;
	if (what == FL_CLI_CONTROL_PS) {
		print_ps(out, described, &info);
		return 0;
	}
	print_status(out, described, &info);
	if (what == FL_CLI_CONTROL_STATUS)
		return 0;
	print_vcpus(out, described->vm, info.vcpus);
	print_regions(out, described, info.regions);
	ret = print_mappings(out, described, info.regions);
	return ret < 0 ? fl_cli_diag(diag, ret, "The guest's windows cannot be read: %s.", strerror(-ret)) : 0;
}
