/* SPDX-License-Identifier: Apache-2.0 */
#include "vcpu/vcpu.h"

#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#include "mmu_backing/fault_site.h"
#include "mmu_backing/gmem.h"
#include "vcpu/cpu_vendor.h"
#include "vcpu/guest_cpuid.h"
#include "vcpu/vcpu_priv.h"

/* asm/processor-flags.h, asm/msr-index.h */
#define CR0_PE			(1ull << 0)
#define CR0_MP			(1ull << 1)
#define CR0_ET			(1ull << 4)
#define CR0_NE			(1ull << 5)
#define CR0_WP			(1ull << 16)
#define CR0_PG			(1ull << 31)
#define CR4_PAE			(1ull << 5)
#define EFER_LME		(1ull << 8)
#define EFER_LMA		(1ull << 10)
#define MSR_IA32_MISC_ENABLE	0x1a0
#define MISC_ENABLE_FAST_STRING 1ull
#define MSR_MTRR_DEF_TYPE	0x2ff
#define MTRR_ENABLED_WRITE_BACK 0x806ull

#define KERNEL_SIGSET_LEN 8 /* what KVM_SET_SIGNAL_MASK takes: _NSIG / 8 */

static bool tsc_deadline_works(const struct fl_vcpu *vcpu)
{
	/* a failed set_tsc_khz inside KVM_CREATE_VCPU leaves 0, and then the timer never fires */
	return ioctl(vcpu->env->kvm->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) > 0 &&
	       ioctl(vcpu->fd, KVM_GET_TSC_KHZ, 0) > 0;
}

static bool may_substitute(const struct fl_gpa_map *map)
{
	for (unsigned int i = 0; i < map->count; i++)
		if (map->regions[i].kind == FL_REGION_WINDOW &&
		    fl_policy_has(&map->regions[i].policy, FL_ACTION_SUBSTITUTE))
			return true;
	return false;
}

static int set_cpuid(struct fl_vcpu *vcpu, struct fl_diag *diag)
{
	FL_FREE struct fl_cpuid *cpuid = malloc(sizeof(*cpuid));
	const struct fl_cpuid_facts facts = {
		.apic_id = vcpu->index,
		.vcpu_count = vcpu->env->vcpu_count,
		.tsc_deadline = tsc_deadline_works(vcpu),
		.strict = vcpu->env->kvm->strict,
		.offer_pvpf = vcpu->env->offer_pvpf,
		.offer_substitute = may_substitute(vcpu->env->map),
	};
	int result;

	if (!cpuid)
		return fl_diag(diag, -ENOMEM, "no memory for the CPUID table");
	*cpuid = *vcpu->env->kvm->cpuid;
	result = fl_cpuid_shape(cpuid, &facts);
	if (result)
		return fl_diag(diag, result, "the host's CPUID table leaves no room for ours");
	if (ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid) < 0)
		return fl_diag(diag, -errno, "KVM_SET_CPUID2: %s", strerror(errno));
	if (!facts.tsc_deadline && vcpu->index == 0)
		fl_log(vcpu->env->log, FL_LOG_WARN,
		       "KVM knows no TSC frequency: the guest gets no TSC-deadline timer (in an emulated host, boot it "
		       "with kvm.tsc_tolerance_ppm=50000)");
	return 0;
}

/* What CPUID hides cannot be had: KVM_FEATURE_ASYNC_PF above all (guest_cpuid.c). Linux 5.10. */
static void enforce_pv_features(struct fl_vcpu *vcpu)
{
	struct kvm_enable_cap enable = {.cap = KVM_CAP_ENFORCE_PV_FEATURE_CPUID, .args = {1}};

	if (ioctl(vcpu->fd, KVM_ENABLE_CAP, &enable) < 0)
		fl_log(vcpu->env->log, FL_LOG_DEBUG, "vCPU %u: KVM_CAP_ENFORCE_PV_FEATURE_CPUID: %s", vcpu->index,
		       strerror(errno));
}

/* Everything blocked during KVM_RUN but the kick and SIGBUS (BUS_MCEERR_AR). */
static int set_signal_mask(struct fl_vcpu *vcpu, struct fl_diag *diag)
{
	struct {
		uint32_t len; /* as struct kvm_signal_mask */
		uint8_t set[KERNEL_SIGSET_LEN];
	} mask = {.len = KERNEL_SIGSET_LEN};
	uint64_t open = UINT64_C(1) << (vcpu->env->kick_signal - 1) | UINT64_C(1) << (SIGBUS - 1);
	uint64_t blocked = ~open;

	memcpy(mask.set, &blocked, sizeof(blocked));
	if (ioctl(vcpu->fd, KVM_SET_SIGNAL_MASK, &mask) < 0)
		return fl_diag(diag, -errno, "KVM_SET_SIGNAL_MASK: %s", strerror(errno));
	return 0;
}

/* What firmware would have set; a KVM that knows one of them not at all loses little. */
static void set_msrs(struct fl_vcpu *vcpu)
{
	const struct kvm_msr_entry wanted[] = {
		{.index = MSR_IA32_MISC_ENABLE, .data = MISC_ENABLE_FAST_STRING},
		{.index = MSR_MTRR_DEF_TYPE, .data = MTRR_ENABLED_WRITE_BACK},
	};

	for (size_t i = 0; i < FL_ARRAY_SIZE(wanted); i++) {
		struct {
			uint32_t nmsrs, pad; /* as struct kvm_msrs */
			struct kvm_msr_entry entry;
		} one = {.nmsrs = 1, .entry = wanted[i]};

		if (ioctl(vcpu->fd, KVM_SET_MSRS, &one) != 1)
			fl_log(vcpu->env->log, FL_LOG_DEBUG, "vCPU %u: MSR 0x%x not set", vcpu->index, wanted[i].index);
	}
}

static int set_mp_state(struct fl_vcpu *vcpu, struct fl_diag *diag)
{
	struct kvm_mp_state state = {
		.mp_state = vcpu->index == 0 ? KVM_MP_STATE_RUNNABLE : KVM_MP_STATE_UNINITIALIZED,
	};

	if (ioctl(vcpu->fd, KVM_SET_MP_STATE, &state) < 0)
		return fl_diag(diag, -errno, "KVM_SET_MP_STATE: %s", strerror(errno));
	return 0;
}

/* Before the vCPU runs: the ioctl would wait for KVM_RUN to return. A kernel that has no counters is the watchdog's
 * affair. */
static int open_stats(struct fl_vcpu *vcpu, struct fl_diag *diag)
{
	int result = fl_kvm_stats_open(&vcpu->stats, vcpu->fd);

	if (result == -ENOTSUP) {
		fl_log(vcpu->env->log, FL_LOG_DEBUG, "vCPU %u: KVM counts no page faults", vcpu->index);
		return 0;
	}
	if (result)
		return fl_diag(diag, result, "vCPU %u: KVM's counters cannot be read: %s", vcpu->index,
			       strerror(-result));
	return 0;
}

static int set_up(struct fl_vcpu *vcpu, struct fl_diag *diag)
{
	void *run;
	int result;

	vcpu->fd = ioctl(vcpu->env->kvm->vm_fd, KVM_CREATE_VCPU, (unsigned long)vcpu->index);
	if (vcpu->fd < 0)
		return fl_diag(diag, -errno, "KVM_CREATE_VCPU %u: %s", vcpu->index, strerror(errno));
	run = mmap(NULL, vcpu->env->kvm->vcpu_mmap_len, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (run == MAP_FAILED)
		return fl_diag(diag, -errno, "cannot map vCPU %u: %s", vcpu->index, strerror(errno));
	vcpu->run = run;
	result = open_stats(vcpu, diag);
	if (result)
		return result;
	vcpu->sync_regs = fl_sync_regs_works(vcpu->env->kvm->vm_fd);
	vcpu->amd = fl_cpu_is_amd();
	fl_xsave_layout_init(&vcpu->xsave);
	result = set_cpuid(vcpu, diag);
	if (!result)
		result = set_signal_mask(vcpu, diag);
	if (!result)
		result = set_mp_state(vcpu, diag);
	if (!result) {
		enforce_pv_features(vcpu);
		set_msrs(vcpu);
	}
	return result;
}

static void init_sync(struct fl_vcpu *vcpu)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&vcpu->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&vcpu->gate, &attr);
	pthread_condattr_destroy(&attr);
}

int fl_vcpu_new(struct fl_vcpu_env *env, unsigned int index, struct fl_vcpu **out, struct fl_diag *diag)
{
	struct fl_vcpu *vcpu;
	int result;

	if (env->kick_signal < SIGRTMIN || env->kick_signal > SIGRTMAX)
		return fl_diag(diag, -EINVAL, "kick_signal %d is not a real-time signal (%d to %d)", env->kick_signal,
			       SIGRTMIN, SIGRTMAX);
	vcpu = calloc(1, sizeof(*vcpu));
	if (!vcpu)
		return fl_diag(diag, -ENOMEM, "no memory for vCPU %u", index);
	vcpu->env = env;
	vcpu->index = index;
	vcpu->fd = -1;
	vcpu->stats.fd = -1;
	init_sync(vcpu);
	result = set_up(vcpu, diag);
	if (result) {
		fl_vcpu_free(vcpu);
		return result;
	}
	*out = vcpu;
	return 0;
}

int fl_vcpu_fd(const struct fl_vcpu *vcpu)
{
	return vcpu->fd;
}

static void write_gdt(uint64_t *gdt, uint64_t tss_base)
{
	memset(gdt, 0, FL_PAGE_LEN);
	gdt[2] = 0x00af9b000000ffff; /* 0x10: 64-bit code */
	gdt[3] = 0x00cf93000000ffff; /* 0x18: data */
	gdt[4] = 0x00008b0000000067 | (tss_base & 0xffffff) << 16 | (tss_base >> 24 & 0xff) << 56; /* 0x20: busy TSS */
	gdt[5] = tss_base >> 32;
}

static void fill_segments(struct kvm_sregs *sregs, uint64_t gdt_gpa, uint64_t tss_base)
{
	const struct kvm_segment code = {
		.limit = 0xffffffff,
		.selector = 0x10,
		.type = 0xb,
		.present = 1,
		.s = 1,
		.l = 1,
		.g = 1,
	};
	const struct kvm_segment data = {
		.limit = 0xffffffff,
		.selector = 0x18,
		.type = 0x3,
		.present = 1,
		.s = 1,
		.db = 1,
		.g = 1,
	};

	sregs->cs = code;
	sregs->ds = sregs->es = sregs->fs = sregs->gs = sregs->ss = data;
	sregs->tr = (struct kvm_segment){.base = tss_base, .limit = 0x67, .selector = 0x20, .type = 0xb, .present = 1};
	sregs->ldt = (struct kvm_segment){.type = 0x2, .unusable = 1};
	sregs->gdt = (struct kvm_dtable){.base = gdt_gpa, .limit = 6 * 8 - 1};
	sregs->idt = (struct kvm_dtable){.limit = 0};
}

int fl_vcpu_set_entry(struct fl_vcpu *vcpu, const struct fl_vcpu_entry *entry, struct fl_diag *diag)
{
	uint64_t tss_base = entry->gdt_gpa + 0x100;
	struct kvm_regs regs = {
		.rip = entry->rip,
		.rsp = entry->rsp,
		.rsi = entry->rsi,
		.rflags = entry->rflags | 2,
	};
	struct kvm_sregs sregs;
	uint64_t *gdt;

	if (!fl_is_aligned(entry->gdt_gpa, FL_PAGE_LEN))
		return fl_diag(diag, -EINVAL, "the GDT at 0x%llx is not page-aligned",
			       (unsigned long long)entry->gdt_gpa);
	gdt = fl_gmem_ram(vcpu->env->map, entry->gdt_gpa, FL_PAGE_LEN);
	if (!gdt)
		return fl_diag(diag, -EINVAL, "no RAM for the GDT at 0x%llx", (unsigned long long)entry->gdt_gpa);
	if (ioctl(vcpu->fd, KVM_GET_SREGS, &sregs) < 0)
		return fl_diag(diag, -errno, "KVM_GET_SREGS: %s", strerror(errno));
	write_gdt(gdt, tss_base);
	fill_segments(&sregs, entry->gdt_gpa, tss_base);
	sregs.cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
	sregs.cr3 = entry->cr3;
	sregs.cr4 = CR4_PAE;
	sregs.efer = EFER_LME | EFER_LMA;
	if (ioctl(vcpu->fd, KVM_SET_SREGS, &sregs) < 0)
		return fl_diag(diag, -errno, "KVM_SET_SREGS: %s", strerror(errno));
	if (ioctl(vcpu->fd, KVM_SET_REGS, &regs) < 0)
		return fl_diag(diag, -errno, "KVM_SET_REGS: %s", strerror(errno));
	return 0;
}

static void *vcpu_thread(void *arg)
{
	fl_run_loop(arg);
	fl_vcpu_note_end(arg);
	return NULL;
}

int fl_vcpu_start(struct fl_vcpu *vcpu, struct fl_diag *diag)
{
	sigset_t all, old;
	int error;

	FL_LOCKED(&vcpu->lock);
	if (vcpu->started)
		return fl_diag(diag, -EBUSY, "vCPU %u runs already", vcpu->index);
	/* the new thread inherits the mask: no signal of the process ever lands on it */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&vcpu->thread, NULL, vcpu_thread, vcpu);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (error)
		return fl_diag(diag, -error, "cannot start the thread of vCPU %u: %s", vcpu->index, strerror(error));
	vcpu->started = true;
	return 0;
}

/*
 * The flag first: a kick that comes before KVM_RUN stays pending and makes it return at once. A parked vCPU is not
 * there, but at the gate.
 */
static void kick(struct fl_vcpu *vcpu, atomic_bool *flag)
{
	atomic_store(flag, true);
	if (vcpu->started && !vcpu->joining)
		pthread_kill(vcpu->thread, vcpu->env->kick_signal);
	pthread_cond_broadcast(&vcpu->gate);
}

void fl_vcpu_request_stop(struct fl_vcpu *vcpu)
{
	FL_LOCKED(&vcpu->lock);
	kick(vcpu, &vcpu->stop);
}

void fl_vcpu_request_pause(struct fl_vcpu *vcpu)
{
	FL_LOCKED(&vcpu->lock);
	kick(vcpu, &vcpu->pause);
}

void fl_vcpu_ask_to_look(struct fl_vcpu *vcpu, int64_t unresolved)
{
	FL_LOCKED(&vcpu->lock);
	atomic_store(&vcpu->look_unresolved, unresolved);
	kick(vcpu, &vcpu->look);
}

static bool begin_join(struct fl_vcpu *vcpu)
{
	FL_LOCKED(&vcpu->lock);
	kick(vcpu, &vcpu->stop);
	if (!vcpu->started || vcpu->joining)
		return false;
	vcpu->joining = true;
	return true;
}

void fl_vcpu_stop(struct fl_vcpu *vcpu)
{
	if (begin_join(vcpu))
		pthread_join(vcpu->thread, NULL);
}

void fl_vcpu_free(struct fl_vcpu *vcpu)
{
	if (!vcpu)
		return;
	fl_vcpu_stop(vcpu);
	if (vcpu->run)
		munmap(vcpu->run, vcpu->env->kvm->vcpu_mmap_len);
	fl_kvm_stats_close(&vcpu->stats);
	fl_close(&vcpu->fd);
	pthread_cond_destroy(&vcpu->gate);
	pthread_mutex_destroy(&vcpu->lock);
	free(vcpu);
}
