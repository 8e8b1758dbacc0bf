/* SPDX-License-Identifier: Apache-2.0 */
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "cli/doctor.h"
#include "cli/help.h"
#include "cli/kernel.h"
#include "cli/options.h"
#include "cli/parse.h"

#define VCPUS_MAX 64u

static const char *use_text(enum fl_host_use use)
{
	switch (use) {
	case FL_HOST_LINUX:
		return "yes";
	case FL_HOST_SMALL:
		return "no, only small ones";
	case FL_HOST_NONE:
		break;
	}
	return "no";
}

static const char *lost_pages_text(const struct fl_host_report *report)
{
	if (report->strict)
		return "reported at once (HLT exits can be disabled)";
	if (report->watch)
		return "found by the lengths of files (HLT exits cannot be disabled)";
	return "not found: HLT exits cannot be disabled and files cannot be followed; use --dax-window 0";
}

/* A line about what auto means for such a guest. Nothing is loaded by fl_vm_new(): any name of a kernel will do. */
static void print_mode(FILE *out, const char *label, const char *guest, uint32_t vcpus, uint32_t flags)
{
	struct fl_vm_opts opts = FL_VM_OPTS_INIT;
	struct fl_vm_status status = {.size = sizeof(status)};
	struct fl_diag diag = {0};
	struct fl_vm *vm = NULL;

	opts.kernel = "none";
	opts.vcpus = vcpus;
	opts.flags = flags;
	opts.log_level = FL_LOG_ERROR;
	if (fl_vm_new(&opts, &vm, &diag) < 0)
		fprintf(out, "%-14s %s: none: %s\n", label, guest, diag.text);
	else if (fl_vm_get_status(vm, &status) == 0)
		fprintf(out, "%-14s %s: %s: %s\n", label, guest, fl_fault_mode_name(status.mode), status.mode_why);
	fl_vm_free(vm);
}

static void print_modes(FILE *out)
{
	cpu_set_t set;
	unsigned int cpus = sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned int)CPU_COUNT(&set) : VCPUS_MAX;
	char guest[64];

	print_mode(out, "fault mode", "Faultline's own guest kernel", cpus < VCPUS_MAX ? cpus + 1 : VCPUS_MAX,
		   FL_VM_IDLES_POLITELY);
	print_mode(out, "", "another kernel, 1 vCPU", 1, 0);
	if (cpus >= VCPUS_MAX)
		return; /* no guest has more than this host */
	snprintf(guest, sizeof(guest), "another kernel, %u vCPUs", cpus + 1);
	print_mode(out, "", guest, cpus + 1, 0);
}

/* A number in /proc/sys; "?" where it cannot be read. */
static void read_limit(const char *name, char text[32])
{
	char path[96];
	FILE *file;

	strcpy(text, "?");
	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	file = fopen(path, "re");
	if (!file)
		return;
	if (fscanf(file, "%31[0-9]", text) != 1)
		strcpy(text, "?");
	fclose(file);
}

static void print_limits(FILE *out)
{
	char watches[32], instances[32], mappings[32];

	read_limit("fs/inotify/max_user_watches", watches);
	read_limit("fs/inotify/max_user_instances", instances);
	read_limit("vm/max_map_count", mappings);
	fprintf(out, "files          %s can be followed, by %s guests (fs.inotify.max_user_watches, _instances)\n",
		watches, instances);
	fprintf(out, "mappings       %s (vm.max_map_count)\n", mappings);
}

static int examine(FILE *out)
{
	struct fl_host_report report = {.size = sizeof(report), .use = FL_HOST_NONE};
	struct fl_diag diag = {0};
	struct fl_cli_kernel kernel;
	int ret = fl_host_probe(&report);

	if (ret < 0) {
		fprintf(stderr, "faultline: this host could not be examined: %s.\n", strerror(-ret));
		return FL_HOST_NONE;
	}
	bool has_kernel = fl_cli_default_kernel(NULL, &kernel, &diag) == 0;

	fprintf(out, "faultline      %s\n", fl_version());
	fprintf(out, "/dev/kvm       %s\n",
		report.use == FL_HOST_NONE ? "cannot be used"
		: report.kvm[0]		   ? report.kvm
					   : "usable");
	fprintf(out, "Linux guests   %s\n", use_text(report.use));
	if (report.use != FL_HOST_NONE) {
		fprintf(out, "lost pages     %s\n", lost_pages_text(&report));
		if (report.shapes[0])
			fprintf(out, "seen as        %s\n", report.shapes);
		print_modes(out);
	}
	print_limits(out);
	fprintf(out, "guest kernel   %s\n", has_kernel ? kernel.path : diag.text);
	if (report.text[0])
		fprintf(out, "because        %s\n", report.text);
	return (int)report.use;
}

static int take(void *target, int value, const char *text, const char *next, bool *took_next, struct fl_diag *diag)
{
	bool *help = target;

	(void)text, (void)next, (void)took_next, (void)diag;
	*help = value == 'h';
	return 0;
}

int fl_cli_doctor_main(int argc, char **argv)
{
	const struct fl_cli_verb *verb = fl_cli_find_verb("doctor");
	struct fl_diag diag = {0};
	bool separated, help = false;
	int used;

	if (fl_cli_take_options(verb, argc, argv, take, &help, &used, &separated, &diag) < 0) {
		fprintf(stderr, "faultline: %s\n", diag.text);
		return FL_CLI_EXIT_USAGE;
	}
	if (help) {
		fl_cli_print_verb_help(stdout, verb, true);
		return 0;
	}
	if (used < argc) {
		fputs("faultline: faultline doctor takes no arguments.\n", stderr);
		return FL_CLI_EXIT_USAGE;
	}
	return examine(stdout);
}
