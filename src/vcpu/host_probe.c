/* SPDX-License-Identifier: Apache-2.0 */
#include "vcpu/host_probe.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "mmu_backing/guest_ram.h"
#include "vcpu/host_module.h"
#include "vcpu/vcpu.h"

#include <linux/kvm.h>

#define TIME_LIMIT_S 2
#define PORT	     0x10
#define STAGE_DONE   5
#define STAGE_TRAP   0xff /* an exception, or a wrong result */

/* Guest-physical, all in the first 2 MiB. */
#define GDT_AT	      0x1000u
#define IDT_AT	      0x2000u
#define TABLES_AT     0x3000u
#define CODE_AT	      0x8000u
#define DATA_AT	      0x10000u
#define STACK_AT      0x20000u
#define CR4_SSE_XSAVE (3ull << 9 | 1ull << 18) /* OSFXSR, OSXMMEXCPT, OSXSAVE */

extern const uint8_t fl_probe_guest_start[], fl_probe_guest_end[], fl_probe_guest_int3[], fl_probe_guest_trap[];

static const char *const stage_names[STAGE_DONE] = {"the first instructions", "popcnt", "cmpxchg16b", "xsave/xrstor",
						    "int3 through an IDT gate"};

struct probe {
	struct fl_kvm_vm kvm;
	struct fl_guest_ram ram;
	struct fl_gpa_map map;
	struct fl_log log;
	struct fl_vcpu_env env;
	struct fl_vcpu *vcpu;

	pthread_mutex_t lock; /* guards the rest */
	pthread_cond_t changed;
	unsigned int stage; /* the last one announced */
	bool over, trapped;
	struct fl_diag ended;
};

static void on_pio(void *arg, uint16_t port, bool write, void *data, uint32_t size, uint32_t count)
{
	struct probe *probe = arg;
	uint8_t value = *(uint8_t *)data;

	if (port != PORT || !write || size != 1 || count != 1)
		return;
	FL_LOCKED(&probe->lock);
	if (value == STAGE_TRAP)
		probe->trapped = true;
	else if (value <= STAGE_DONE)
		probe->stage = value;
	probe->over = probe->trapped || value == STAGE_DONE;
	pthread_cond_signal(&probe->changed);
}

static void on_mmio(void *arg, uint64_t gpa, bool write, void *data, uint32_t len)
{
	(void)arg;
	(void)gpa;
	(void)write;
	(void)data;
	(void)len;
}

static void on_ended(void *arg, unsigned int index, enum fl_vcpu_end end, const struct fl_diag *diag)
{
	struct probe *probe = arg;

	(void)index;
	(void)end;
	FL_LOCKED(&probe->lock);
	probe->over = true;
	probe->ended = *diag;
	pthread_cond_signal(&probe->changed);
}

static void set_gate(uint8_t *ram, unsigned int vector, const uint8_t *label)
{
	uint64_t handler = CODE_AT + (uint64_t)(label - fl_probe_guest_start);
	uint64_t gate[2] = {
		(handler & 0xffff) | UINT64_C(0x10) << 16 | UINT64_C(0x8e00) << 32 | (handler >> 16 & 0xffff) << 48, 0};

	memcpy(ram + IDT_AT + (size_t)vector * 16, gate, sizeof(gate));
}

static void fill_memory(uint8_t *ram)
{
	const uint64_t pml4 = (TABLES_AT + 0x1000) | 3, pdpt = (TABLES_AT + 0x2000) | 3, page = 0x83;

	memcpy(ram + TABLES_AT, &pml4, sizeof(pml4));
	memcpy(ram + TABLES_AT + 0x1000, &pdpt, sizeof(pdpt));
	memcpy(ram + TABLES_AT + 0x2000, &page, sizeof(page));
	memcpy(ram + CODE_AT, fl_probe_guest_start, (size_t)(fl_probe_guest_end - fl_probe_guest_start));
	for (unsigned int vector = 0; vector < 32; vector++)
		set_gate(ram, vector, vector == 3 ? fl_probe_guest_int3 : fl_probe_guest_trap);
}

static int set_state(struct probe *probe, struct fl_diag *diag)
{
	const struct fl_vcpu_entry entry = {
		.rip = CODE_AT,
		.rsp = STACK_AT,
		.cr3 = TABLES_AT,
		.gdt_gpa = GDT_AT,
	};
	int fd = fl_vcpu_fd(probe->vcpu);
	int result = fl_vcpu_set_entry(probe->vcpu, &entry, diag);
	struct kvm_sregs sregs;
	struct kvm_regs regs;

	if (result)
		return result;
	if (ioctl(fd, KVM_GET_SREGS, &sregs) < 0 || ioctl(fd, KVM_GET_REGS, &regs) < 0)
		return fl_diag(diag, -errno, "KVM_GET_SREGS: %s", strerror(errno));
	sregs.idt = (struct kvm_dtable){.base = IDT_AT, .limit = 32 * 16 - 1};
	sregs.cr4 |= CR4_SSE_XSAVE;
	regs.rbx = DATA_AT;
	if (ioctl(fd, KVM_SET_SREGS, &sregs) < 0 || ioctl(fd, KVM_SET_REGS, &regs) < 0)
		return fl_diag(diag, -errno, "the probe guest's state was refused: %s", strerror(errno));
	return 0;
}

/* Without an irqchip, which it does not need and for whose grace periods a VM waits when it ends (kvm_vm.h). */
static int make_guest(struct probe *probe, struct fl_diag *diag)
{
	struct fl_region ram = {.kind = FL_REGION_RAM, .len = FL_RANGE_LEN, .name = "ram"};
	int result = fl_guest_ram_init(&probe->ram, FL_RANGE_LEN, diag);

	if (result)
		return result;
	fill_memory(probe->ram.hva);
	ram.hva = probe->ram.hva;
	result = fl_gpa_map_add(&probe->map, &ram, diag);
	if (!result)
		result = fl_gpa_map_install(&probe->map, probe->kvm.vm_fd, diag);
	probe->env = (struct fl_vcpu_env){
		.kvm = &probe->kvm,
		.map = &probe->map,
		.log = &probe->log,
		.ops = {.pio = on_pio, .mmio = on_mmio, .ended = on_ended, .arg = probe},
		.kick_signal = SIGRTMIN + 3,
		.vcpu_count = 1,
	};
	if (!result)
		result = fl_vcpu_new(&probe->env, 0, &probe->vcpu, diag);
	if (!result)
		result = set_state(probe, diag);
	return result;
}

static int run_guest(struct probe *probe, struct fl_diag *diag)
{
	struct timespec limit;
	int result = fl_vcpu_start(probe->vcpu, diag);
	int waited = 0;

	if (result)
		return result;
	clock_gettime(CLOCK_MONOTONIC, &limit);
	limit.tv_sec += TIME_LIMIT_S;
	pthread_mutex_lock(&probe->lock);
	while (!probe->over && waited == 0)
		waited = pthread_cond_timedwait(&probe->changed, &probe->lock, &limit);
	pthread_mutex_unlock(&probe->lock);
	fl_vcpu_stop(probe->vcpu);
	return 0;
}

/* The name is for people; what counts is what the probe guest did. */
static const char *kvm_name(void)
{
	static const char *const names[][2] = {
		{"/sys/module/kvm_pvm", "PVM (software)"},
		{"/sys/module/kvm_amd", "SVM"},
		{"/sys/module/kvm_intel", "VMX"},
	};
	for (size_t i = 0; i < FL_ARRAY_SIZE(names); i++)
		if (access(names[i][0], F_OK) == 0)
			return names[i][1];
	return "unknown";
}

static void report_linux(const char *kvm, bool strict, struct fl_host_report *report)
{
	report->use = FL_HOST_LINUX;
	report->strict = strict;
	snprintf(report->kvm, sizeof(report->kvm), "%s", kvm);
	snprintf(report->text, sizeof(report->text), "/dev/kvm, %s, runs Linux guests%s", kvm,
		 strict ? "" : "; it cannot disable HLT exits, so a failed access may hang a vCPU");
}

static void judge(const struct probe *probe, struct fl_host_report *report)
{
	if (probe->stage == STAGE_DONE) {
		report_linux(kvm_name(), probe->kvm.strict, report);
		return;
	}
	snprintf(report->kvm, sizeof(report->kvm), "%s", kvm_name());
	report->strict = probe->kvm.strict;
	report->use = FL_HOST_SMALL;
	snprintf(report->text, sizeof(report->text),
		 "/dev/kvm, %s, cannot run Linux: at CPL 0 the probe guest did not get through %s%s%.200s", report->kvm,
		 stage_names[probe->stage],
		 probe->trapped		? " (exception or wrong result)"
		 : probe->ended.text[0] ? ": "
					: " (no progress in 2 s)",
		 probe->trapped ? "" : probe->ended.text);
}

static void report_none(const struct fl_diag *diag, struct fl_host_report *report)
{
	report->use = FL_HOST_NONE;
	snprintf(report->text, sizeof(report->text), "%.430s", diag->text);
}

/* What CPUs virtualise runs Linux, if this process may use it, and nobody else has the CPUs. */
static void trust_hardware(const char *hardware, struct fl_host_report *report)
{
	struct fl_diag diag = {0};
	bool strict;

	if (fl_kvm_vm_try(&strict, &diag) < 0)
		report_none(&diag, report);
	else
		report_linux(hardware, strict, report);
}

static int try_host(struct probe *probe, struct fl_host_report *report)
{
	struct fl_diag diag = {0};
	int result = fl_kvm_vm_init(&probe->kvm, true, &diag);

	if (result) {
		report_none(&diag, report);
		return 0;
	}
	result = make_guest(probe, &diag);
	if (!result)
		result = run_guest(probe, &diag);
	if (!result)
		judge(probe, report);
	else
		snprintf(report->text, sizeof(report->text), "%.430s", diag.text);
	fl_vcpu_free(probe->vcpu);
	fl_kvm_vm_fini(&probe->kvm);
	fl_guest_ram_fini(&probe->ram);
	return result;
}

static int run_probe(struct fl_host_report *report)
{
	struct probe probe = {0};
	pthread_condattr_t attr;
	int result;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&probe.lock, NULL);
	pthread_cond_init(&probe.changed, &attr);
	pthread_condattr_destroy(&attr);
	result = try_host(&probe, report);
	pthread_cond_destroy(&probe.changed);
	pthread_mutex_destroy(&probe.lock);
	return result;
}

int fl_kvm_probe_host(struct fl_host_report *report, bool faults)
{
	uint32_t size = report->size ? FL_MIN(report->size, (uint32_t)sizeof(*report)) : (uint32_t)sizeof(*report);
	struct fl_host_report full = {.use = FL_HOST_NONE};
	const char *hardware = faults ? NULL : fl_kvm_hardware("/sys");
	int result = 0;

	if (hardware)
		trust_hardware(hardware, &full);
	else
		result = run_probe(&full);
	if (!result && faults && full.use != FL_HOST_NONE)
		fl_kvm_probe_faults(&full);
	full.size = size;
	memcpy(report, &full, size);
	return result;
}
