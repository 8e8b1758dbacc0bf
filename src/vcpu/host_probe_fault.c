/* SPDX-License-Identifier: Apache-2.0 */
/* How do lost pages come out of this KVM? Two vCPUs, at CPL 3 and CPL 0, load from a file that has no such page. */
#include <linux/kvm.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#include "mmu_backing/guest_ram.h"
#include "mmu_backing/window.h"
#include "vcpu/host_probe.h"
#include "vcpu/vcpu.h"

#define TIME_LIMIT_MS	1000u
#define WATCH_LIMIT_MS	100
#define VCPUS		2u
#define USER_VCPU	0u /* the other one is at CPL 0 */
#define SHAPE_ROOM	16
#define GDT_AT(vcpu)	(0x1000u + (vcpu)*0x1000u)
#define TABLES_AT	0x4000u
#define CODE_AT		0x8000u
#define STACK_AT(vcpu)	(0x20000u + (vcpu)*0x10000u)
#define WINDOW_GPA	FL_GIB
#define USER_CODE	0x3b
#define USER_DATA	0x33
#define PAGE_ALL	0x07 /* present, writable, user */
#define PAGE_LARGE	0x80
#define FLAGS_INTERRUPT 0x200u /* with it a KVM that can hide the failure does so */

/* mov (%rbx),%rax; 1: pause; jmp 1b */
static const uint8_t guest[] = {0x48, 0x8b, 0x03, 0xf3, 0x90, 0xeb, 0xfc};

struct fault_probe {
	struct fl_kvm_vm kvm;
	struct fl_guest_ram ram;
	struct fl_window *window;
	struct fl_gpa_map map;
	struct fl_log log;
	struct fl_vcpu_env env;
	struct fl_vcpu *vcpus[VCPUS];

	pthread_mutex_t lock; /* guards the rest */
	pthread_cond_t changed;
	unsigned int ended;
	char shape[VCPUS][SHAPE_ROOM]; /* empty: nothing came out */
};

static void on_pio(void *arg, uint16_t port, bool write, void *data, uint32_t size, uint32_t count)
{
	(void)arg;
	(void)port;
	(void)write;
	(void)data;
	(void)size;
	(void)count;
}

static void on_mmio(void *arg, uint64_t gpa, bool write, void *data, uint32_t len)
{
	(void)arg;
	(void)gpa;
	(void)write;
	(void)data;
	(void)len;
}

static void on_fault(void *arg, const struct fl_fault *fault)
{
	struct fault_probe *probe = arg;

	FL_LOCKED(&probe->lock);
	snprintf(probe->shape[fault->vcpu], SHAPE_ROOM, "%s", fault->shape);
}

static void on_ended(void *arg, unsigned int index, enum fl_vcpu_end end, const struct fl_diag *diag)
{
	struct fault_probe *probe = arg;

	(void)index;
	(void)end;
	(void)diag;
	FL_LOCKED(&probe->lock);
	probe->ended++;
	pthread_cond_signal(&probe->changed);
}

/* The first 2 MiB one to one, and the window likewise, for user and supervisor. */
static void fill_memory(uint8_t *ram)
{
	uint64_t *pml4 = (uint64_t *)(void *)(ram + TABLES_AT), *pdpt = pml4 + 512, *low = pdpt + 512,
		 *high = low + 512;

	pml4[0] = (TABLES_AT + 0x1000) | PAGE_ALL;
	pdpt[0] = (TABLES_AT + 0x2000) | PAGE_ALL;
	pdpt[WINDOW_GPA / FL_GIB] = (TABLES_AT + 0x3000) | PAGE_ALL;
	low[0] = PAGE_LARGE | PAGE_ALL;
	high[0] = WINDOW_GPA | PAGE_LARGE | PAGE_ALL;
	memcpy(ram + CODE_AT, guest, sizeof(guest));
}

/* A window over a file of no length at all. */
static int make_window(struct fault_probe *probe, struct fl_diag *diag)
{
	FL_CLOSE int fd = memfd_create("probe", MFD_CLOEXEC);
	struct fl_backing *backing;
	int result;

	if (fd < 0)
		return fl_diag(diag, -errno, "memfd_create: %s", strerror(errno));
	result = fl_window_new(FL_RANGE_LEN, &probe->window, diag);
	if (result)
		return result;
	result = fl_backing_new(fd, true, &backing);
	if (result)
		return fl_diag(diag, result, "a memfd cannot be mapped");
	fl_steal_fd(&fd);
	result = fl_window_map(probe->window, 0, FL_RANGE_LEN, backing, 0, true);
	fl_backing_unref(backing);
	return result ? fl_diag(diag, result, "cannot map a memfd: %s", strerror(-result)) : 0;
}

static int make_memory(struct fault_probe *probe, struct fl_diag *diag)
{
	struct fl_region ram = {.kind = FL_REGION_RAM, .len = FL_RANGE_LEN, .name = "ram"};
	struct fl_region window = {.kind = FL_REGION_WINDOW, .gpa = WINDOW_GPA, .len = FL_RANGE_LEN, .name = "probe"};
	int result = fl_guest_ram_init(&probe->ram, FL_RANGE_LEN, diag);

	if (!result)
		result = make_window(probe, diag);
	if (result)
		return result;
	fill_memory(probe->ram.hva);
	ram.hva = probe->ram.hva;
	window.window = probe->window;
	window.hva = fl_window_hva(probe->window);
	result = fl_gpa_map_add(&probe->map, &ram, diag);
	if (!result)
		result = fl_gpa_map_add(&probe->map, &window, diag);
	return result ? result : fl_gpa_map_install(&probe->map, probe->kvm.vm_fd, diag);
}

static void make_user(struct kvm_sregs *sregs)
{
	struct kvm_segment *const data[] = {&sregs->ss, &sregs->ds, &sregs->es, &sregs->fs, &sregs->gs};

	sregs->cs.selector = USER_CODE;
	sregs->cs.dpl = 3;
	for (size_t i = 0; i < FL_ARRAY_SIZE(data); i++) {
		data[i]->selector = USER_DATA;
		data[i]->dpl = 3;
	}
}

static int make_vcpu(struct fault_probe *probe, unsigned int index, struct fl_diag *diag)
{
	const struct fl_vcpu_entry entry = {
		.rip = CODE_AT,
		.rsp = STACK_AT(index),
		.rflags = FLAGS_INTERRUPT,
		.cr3 = TABLES_AT,
		.gdt_gpa = GDT_AT(index),
	};
	struct kvm_mp_state runnable = {.mp_state = KVM_MP_STATE_RUNNABLE};
	struct kvm_sregs sregs;
	struct kvm_regs regs;
	int result, fd;

	result = fl_vcpu_new(&probe->env, index, &probe->vcpus[index], diag);
	if (!result)
		result = fl_vcpu_set_entry(probe->vcpus[index], &entry, diag);
	if (result)
		return result;
	fd = fl_vcpu_fd(probe->vcpus[index]);
	if (ioctl(fd, KVM_GET_SREGS, &sregs) < 0 || ioctl(fd, KVM_GET_REGS, &regs) < 0)
		return fl_diag(diag, -errno, "KVM_GET_SREGS: %s", strerror(errno));
	if (index == USER_VCPU)
		make_user(&sregs);
	regs.rbx = WINDOW_GPA;
	if (ioctl(fd, KVM_SET_SREGS, &sregs) < 0 || ioctl(fd, KVM_SET_REGS, &regs) < 0 ||
	    ioctl(fd, KVM_SET_MP_STATE, &runnable) < 0)
		return fl_diag(diag, -errno, "the probe guest's state was refused: %s", strerror(errno));
	return 0;
}

static int run_guest(struct fault_probe *probe, struct fl_diag *diag)
{
	struct timespec limit;
	int result = 0, waited = 0;

	for (unsigned int i = 0; i < VCPUS && !result; i++)
		result = fl_vcpu_start(probe->vcpus[i], diag);
	if (result)
		return result;
	clock_gettime(CLOCK_MONOTONIC, &limit);
	limit.tv_sec += TIME_LIMIT_MS / 1000;
	pthread_mutex_lock(&probe->lock);
	while (probe->ended < VCPUS && waited == 0)
		waited = pthread_cond_timedwait(&probe->changed, &probe->lock, &limit);
	pthread_mutex_unlock(&probe->lock);
	for (unsigned int i = 0; i < VCPUS; i++)
		fl_vcpu_stop(probe->vcpus[i]);
	return 0;
}

static int touch_lost_pages(struct fault_probe *probe, struct fl_diag *diag)
{
	int result = make_memory(probe, diag);

	if (!result)
		result = fl_kvm_vm_add_irqchip(&probe->kvm, diag);
	probe->env = (struct fl_vcpu_env){
		.kvm = &probe->kvm,
		.map = &probe->map,
		.log = &probe->log,
		.ops = {.pio = on_pio, .mmio = on_mmio, .fault = on_fault, .ended = on_ended, .arg = probe},
		.kick_signal = SIGRTMIN + 3,
		.vcpu_count = VCPUS,
	};
	for (unsigned int i = 0; i < VCPUS && !result; i++)
		result = make_vcpu(probe, i, diag);
	return result ? result : run_guest(probe, diag);
}

static void judge(const struct fault_probe *probe, struct fl_host_report *report)
{
	const char *user = probe->shape[USER_VCPU], *kernel = probe->shape[1 - USER_VCPU];
	bool both = user[0] && kernel[0];

	if (both && strcmp(user, kernel) != 0)
		snprintf(report->shapes, sizeof(report->shapes), "%s %s", user, kernel);
	else
		snprintf(report->shapes, sizeof(report->shapes), "%s", user[0] ? user : kernel);
	/* what counts is what was seen */
	report->strict = report->strict && both;
}

/* Does a file that nobody can see any more tell of its length? */
static bool can_watch(void)
{
	FL_CLOSE int inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	FL_CLOSE int fd = memfd_create("probe", MFD_CLOEXEC);
	struct pollfd ready = {.fd = inotify, .events = POLLIN};
	char path[32];
	int result;

	if (inotify < 0 || fd < 0)
		return false;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (inotify_add_watch(inotify, path, IN_MODIFY) < 0 || ftruncate(fd, 1) < 0)
		return false;
	do { /* on a thread of the caller's, which has signals; the event is there already */
		result = poll(&ready, 1, WATCH_LIMIT_MS);
	} while (result < 0 && errno == EINTR);
	return result == 1;
}

static void free_probe(struct fault_probe *probe)
{
	for (unsigned int i = 0; i < VCPUS; i++)
		fl_vcpu_free(probe->vcpus[i]);
	fl_kvm_vm_fini(&probe->kvm);
	fl_window_free(probe->window);
	fl_guest_ram_fini(&probe->ram);
}

void fl_kvm_probe_faults(struct fl_host_report *report)
{
	struct fault_probe *probe = calloc(1, sizeof(*probe));
	struct fl_diag diag = {0};
	pthread_condattr_t attr;

	report->watch = can_watch();
	if (!probe)
		return;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_mutex_init(&probe->lock, NULL);
	pthread_cond_init(&probe->changed, &attr);
	pthread_condattr_destroy(&attr);
	if (fl_kvm_vm_init(&probe->kvm, true, &diag) == 0) {
		if (touch_lost_pages(probe, &diag) == 0)
			judge(probe, report);
		free_probe(probe);
	}
	pthread_cond_destroy(&probe->changed);
	pthread_mutex_destroy(&probe->lock);
	free(probe);
}
