/* SPDX-License-Identifier: Apache-2.0 */
/* What doctor finds out about KVM. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/doctor_impl.h"

struct cpu {
	bool vmx, svm, hypervisor;
};

static bool has_word(const char *line, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = strstr(line, word); at; at = strstr(at + 1, word))
		if ((at == line || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\n' || at[len] == '\0'))
			return true;
	return false;
}

/* By the first CPU's line of flags, which is longer than any buffer that looks large. */
static void look_at_cpu(const struct fl_cli_facts *facts, struct cpu *cpu)
{
	char path[PATH_MAX];
	char *line = NULL;
	size_t size = 0;
	FILE *file;

	*cpu = (struct cpu){0};
	snprintf(path, sizeof(path), "%s/proc/cpuinfo", facts->root);
	file = fopen(path, "re");
	while (file && getline(&line, &size, file) > 0) {
		if (strncmp(line, "flags", 5) != 0)
			continue;
		*cpu = (struct cpu){.vmx = has_word(line, "vmx"),
				    .svm = has_word(line, "svm"),
				    .hypervisor = has_word(line, "hypervisor")};
		break;
	}
	free(line);
	if (file)
		fclose(file);
}

/* Where the CPU shows none. */
static void advise_hardware(const struct cpu *cpu, struct fl_cli_finding *finding)
{
	if (cpu->hypervisor)
		fl_cli_fix(finding, "switch on nested virtualisation where this virtual machine is configured, or "
				    "use run --host=box");
	else
		fl_cli_fix(finding, "switch on VT-x or AMD-V in the firmware's settings, or use run --host=box");
}

static void device(const struct fl_cli_facts *facts, struct fl_cli_finding *finding)
{
	struct cpu cpu;

	if (fl_cli_exists(facts, "/dev/kvm")) {
		fl_cli_state(finding, FL_CLI_STATE_YES, "it is there");
		return;
	}
	look_at_cpu(facts, &cpu);
	fl_cli_state(finding, FL_CLI_STATE_NO, "there is no such device");
	if (cpu.vmx || cpu.svm)
		fl_cli_fix(finding, "as root: modprobe %s; in a container, give it the device /dev/kvm",
			   cpu.vmx ? "kvm_intel" : "kvm_amd");
	else
		advise_hardware(&cpu, finding);
}

/* Where udev runs, the device is the group kvm's, who may read and write it. */
static void explain_refusal(const struct fl_cli_facts *facts, struct fl_cli_finding *finding)
{
	if (!facts->kvm_group_may || strcmp(facts->kvm_group, "root") == 0 || !facts->kvm_group[0])
		fl_cli_fix(finding,
			   "as root: chgrp kvm /dev/kvm; chmod 660 /dev/kvm; adduser %s kvm; then log in again",
			   facts->user);
	else if (!facts->in_kvm_group)
		fl_cli_fix(finding, "as root: adduser %s %s; then log in again", facts->user, facts->kvm_group);
	else
		fl_cli_fix(finding,
			   "a security module or the container's configuration forbids it: allow /dev/kvm there");
}

static void access_to_device(const struct fl_cli_facts *facts, struct fl_cli_finding *finding)
{
	if (facts->kvm_error == 0) {
		fl_cli_state(finding, FL_CLI_STATE_YES, "%s may read and write it", facts->user);
		return;
	}
	fl_cli_state(finding, FL_CLI_STATE_NO, "opening it fails: %s", strerror(facts->kvm_error));
	if (facts->kvm_error == EACCES || facts->kvm_error == EPERM)
		explain_refusal(facts, finding);
	else if (facts->kvm_error == ENODEV || facts->kvm_error == ENXIO)
		fl_cli_fix(finding, "the module behind it is not loaded; as root: modprobe kvm_intel, or kvm_amd");
	else if (facts->kvm_error == ENOENT)
		fl_cli_fix(finding, "get the device first, as above");
	else
		fl_cli_fix(finding, "the host's kernel may say more: dmesg | grep -i kvm");
}

static void hardware(const struct fl_cli_facts *facts, struct fl_cli_finding *finding)
{
	struct cpu cpu;

	look_at_cpu(facts, &cpu);
	const char *name = cpu.vmx ? "VMX" : "SVM", *module = cpu.vmx ? "kvm_intel" : "kvm_amd";
	char module_dir[64];

	snprintf(module_dir, sizeof(module_dir), "/sys/module/%s", module);
	if (fl_cli_exists(facts, "/sys/module/kvm_pvm")) {
		fl_cli_state(finding, FL_CLI_STATE_PARTLY,
			     "KVM is PVM here: virtualisation by software, without VMX or SVM");
		fl_cli_fix(finding,
			   "for Linux guests at full speed, take a host with VMX or SVM; the box does without");
	} else if (!cpu.vmx && !cpu.svm) {
		fl_cli_state(finding, FL_CLI_STATE_NO, "the CPU shows neither VMX nor SVM%s",
			     cpu.hypervisor ? ", and this is a virtual machine itself" : "");
		advise_hardware(&cpu, finding);
	} else if (!fl_cli_exists(facts, module_dir)) {
		fl_cli_state(finding, FL_CLI_STATE_PARTLY, "the CPU has %s, but %s is not loaded", name, module);
		fl_cli_fix(finding, "as root: modprobe %s", module);
	} else {
		fl_cli_state(finding, FL_CLI_STATE_YES, "%s, with %s%s", name, module,
			     cpu.hypervisor ? "; this is a virtual machine itself" : "");
	}
}

/* Of the first module that there is: its parameter. */
static bool read_parameter(const struct fl_cli_facts *facts, const char *const *paths, char *value, size_t value_len)
{
	for (; *paths; paths++)
		if (fl_cli_read_line(facts, *paths, value, value_len))
			return true;
	return false;
}

static bool is_on(const char *value)
{
	return strcmp(value, "Y") == 0 || strcmp(value, "1") == 0;
}

static void nested(const struct fl_cli_facts *facts, struct fl_cli_finding *finding)
{
	static const char *const paths[] = {"/sys/module/kvm_intel/parameters/nested",
					    "/sys/module/kvm_amd/parameters/nested", NULL};
	char value[16];

	if (!read_parameter(facts, paths, value, sizeof(value)))
		fl_cli_state(finding, FL_CLI_STATE_INFO,
			     "guests cannot have /dev/kvm, since neither kvm_intel nor kvm_amd is loaded; nothing "
			     "here needs it");
	else
		fl_cli_state(finding, FL_CLI_STATE_INFO, "%s: guests can%s have /dev/kvm; nothing here needs it",
			     is_on(value) ? "on" : "off", is_on(value) ? "" : "not");
}

static void linux_guests(const struct fl_cli_facts *facts, struct fl_cli_finding *finding)
{
	static const enum fl_cli_state states[] = {
		[FL_HOST_LINUX] = FL_CLI_STATE_YES,
		[FL_HOST_SMALL] = FL_CLI_STATE_PARTLY,
		[FL_HOST_NONE] = FL_CLI_STATE_NO,
	};

	fl_cli_state(finding, states[facts->host.use], "%s", facts->host.text);
	if (facts->host.use == FL_HOST_LINUX)
		return;
	if (facts->in_box)
		fl_cli_fix(finding, "the box should run them: try scripts/box without --host-kernel");
	else if (facts->box_usable)
		fl_cli_fix(finding, "run --host=box (auto does so) takes them to an emulated host");
	else
		fl_cli_fix(finding, "the box below, an emulated host, runs them when it has what it needs");
}

/* For what is tried with a probe guest, where there can be none. */
static bool needs_device(const struct fl_cli_facts *facts, struct fl_cli_finding *finding)
{
	if (facts->host.use != FL_HOST_NONE)
		return false;
	fl_cli_state(finding, FL_CLI_STATE_NO, "nothing could be tried without /dev/kvm");
	fl_cli_fix(finding, "get a usable /dev/kvm first, as above");
	return true;
}

/* What is left where a mode is missing. */
static void advise_mode(bool other, const char *name, struct fl_cli_finding *finding)
{
	if (other)
		fl_cli_fix(finding, "nothing: --fault-mode auto takes %s then", name);
	else
		fl_cli_fix(finding, "let guests map no files: run --dax-window 0");
}

static void shapes(const struct fl_cli_facts *facts, struct fl_cli_finding *finding)
{
	if (facts->host.shapes[0]) {
		fl_cli_state(finding, FL_CLI_STATE_YES, "lost pages come out of KVM as: %s", facts->host.shapes);
	} else if (!needs_device(facts, finding)) {
		fl_cli_state(finding, FL_CLI_STATE_NO, "a probe guest lost a page, and KVM did not tell");
		advise_mode(facts->host.watch, "watch", finding);
	}
}

static void strict(const struct fl_cli_facts *facts, struct fl_cli_finding *finding)
{
	if (facts->host.strict) {
		fl_cli_state(finding, FL_CLI_STATE_YES,
			     "HLT exits can be disabled: every lost page is reported at once");
	} else if (!needs_device(facts, finding)) {
		fl_cli_state(finding, FL_CLI_STATE_NO, "HLT exits cannot be disabled, or a lost page was not reported");
		advise_mode(facts->host.watch, "watch", finding);
	}
}

static void watch(const struct fl_cli_facts *facts, struct fl_cli_finding *finding)
{
	if (facts->host.watch) {
		fl_cli_state(finding, FL_CLI_STATE_YES, "the lengths of files can be followed with inotify");
		return;
	}
	if (needs_device(facts, finding))
		return;
	fl_cli_state(finding, FL_CLI_STATE_NO, "inotify did not tell of a file that was truncated");
	fl_cli_fix(finding, "%s",
		   facts->host.strict ? "as root: sysctl fs.inotify.max_user_instances=1024"
				      : "as root: sysctl fs.inotify.max_user_instances=1024; until then, "
					"run --dax-window 0");
}

static void one_mode(const struct fl_cli_facts *facts, struct fl_cli_finding *finding, size_t index)
{
	const char *mode = fl_fault_mode_name(facts->modes[index].mode);

	if (facts->modes[index].mode == FL_FAULT_MODE_AUTO)
		mode = "none";
	fl_cli_state(finding, facts->modes[index].mode == FL_FAULT_MODE_AUTO ? FL_CLI_STATE_NO : FL_CLI_STATE_INFO,
		     "%s: %s: %s", facts->modes[index].guest, mode, facts->modes[index].why);
	if (finding->state == FL_CLI_STATE_NO && !needs_device(facts, finding))
		fl_cli_fix(finding, "make one of the two modes above possible, or run --dax-window 0");
}

static void own_mode(const struct fl_cli_facts *facts, struct fl_cli_finding *finding)
{
	one_mode(facts, finding, 0);
}

static void other_mode(const struct fl_cli_facts *facts, struct fl_cli_finding *finding)
{
	one_mode(facts, finding, 1);
}

static void many_mode(const struct fl_cli_facts *facts, struct fl_cli_finding *finding)
{
	if (facts->modes[2].guest[0])
		one_mode(facts, finding, 2);
	else
		fl_cli_state(finding, FL_CLI_STATE_INFO, "no guest can have more virtual CPUs than this host has CPUs");
}

static void settings(const struct fl_cli_facts *facts, struct fl_cli_finding *finding)
{
	static const char *const paging[] = {"/sys/module/kvm_intel/parameters/ept",
					     "/sys/module/kvm_amd/parameters/npt", NULL};
	char paging_value[16], nx[16], poll[32];

	if (!fl_cli_read_line(facts, "/sys/module/kvm/parameters/nx_huge_pages", nx, sizeof(nx)))
		strcpy(nx, "?");
	if (!fl_cli_read_line(facts, "/sys/module/kvm/parameters/halt_poll_ns", poll, sizeof(poll)))
		strcpy(poll, "?");
	if (!read_parameter(facts, paging, paging_value, sizeof(paging_value))) {
		fl_cli_state(finding, FL_CLI_STATE_INFO,
			     "neither kvm_intel nor kvm_amd is loaded, so none of EPT or NPT; nx_huge_pages %s, "
			     "halt_poll_ns %s",
			     nx, poll);
	} else if (is_on(paging_value)) {
		fl_cli_state(finding, FL_CLI_STATE_YES, "EPT or NPT is on; nx_huge_pages %s, halt_poll_ns %s", nx,
			     poll);
	} else {
		fl_cli_state(finding, FL_CLI_STATE_PARTLY,
			     "EPT or NPT is off: guests are slow, and this is not tested");
		fl_cli_fix(finding, "load kvm_intel without ept=0, kvm_amd without npt=0");
	}
}

const struct fl_cli_check fl_cli_kvm_checks[] = {
	{"kvm-device", "/dev/kvm", device},
	{"kvm-access", "access to it", access_to_device},
	{"hardware", "hardware", hardware},
	{"nested", "nested", nested},
	{"kvm-settings", "KVM settings", settings},
	{"linux-guests", "Linux guests", linux_guests},
	{"fault-shapes", "fault shapes", shapes},
	{"strict", "mode strict", strict},
	{"watch", "mode watch", watch},
	{"mode-own-kernel", "mode auto", own_mode},
	{"mode-other-kernel", "", other_mode},
	{"mode-many-vcpus", "", many_mode},
	{NULL, NULL, NULL},
};
