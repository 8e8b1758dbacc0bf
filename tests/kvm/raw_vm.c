/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/fl_test.h"

#include "tests/kvm/raw_vm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm_para.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "vcpu/kvm_extra.h"

#define KICK_SIGNAL	 (SIGRTMIN + 4)
#define PAGE_PRESENT_ALL 0x07 /* present, writable, user */
#define PAGE_LARGE	 0x80
#define PAGE_UNCACHED	 0x18
#define CPUID_ENTRIES	 256
#define USER_CODE	 0x2b
#define USER_DATA	 0x23
#define TSS_SELECTOR	 0x30
#define RFLAGS		 0x3202 /* IF, and IOPL 3 for the ports */

static int must(int result)
{
	if (result < 0)
		fail_msg("%s", strerror(errno));
	return result;
}

static void on_kick(int signal)
{
	(void)signal;
}

static void make_timer(struct raw_vm *vm)
{
	struct sigaction action = {.sa_handler = on_kick};
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = KICK_SIGNAL};

	event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	must(sigaction(KICK_SIGNAL, &action, NULL));
	must(timer_create(CLOCK_MONOTONIC, &event, &vm->timer));
}

static void put64(struct raw_vm *vm, uint64_t gpa, uint64_t value)
{
	memcpy(vm->ram + gpa, &value, sizeof(value));
}

uint64_t raw_code(const uint8_t *label)
{
	return RAW_CODE + (uint64_t)(label - raw_guest_start);
}

static void put_gate(struct raw_vm *vm, unsigned int vector, uint64_t handler)
{
	/* interrupt gate, code selector 8 */
	put64(vm, RAW_IDT + vector * 16,
	      (handler & 0xffff) | 8u << 16 | UINT64_C(0x8e00) << 32 | (handler >> 16 & 0xffff) << 48);
	put64(vm, RAW_IDT + vector * 16 + 8, handler >> 32);
}

/* Linear is guest-physical: RAM, the window and the LAPIC in large pages. */
static void make_tables(struct raw_vm *vm)
{
	put64(vm, RAW_TABLES, (RAW_TABLES + 0x1000) | PAGE_PRESENT_ALL);
	for (uint64_t i = 0; i < 3; i++) {
		static const uint64_t gib[] = {0, RAW_WINDOW_GPA >> 30, 3};

		put64(vm, RAW_TABLES + 0x1000 + gib[i] * 8, (RAW_TABLES + 0x2000 + i * 0x1000) | PAGE_PRESENT_ALL);
	}
	put64(vm, RAW_TABLES + 0x2000, PAGE_LARGE | PAGE_PRESENT_ALL);
	put64(vm, RAW_TABLES + 0x3000, RAW_WINDOW_GPA | PAGE_LARGE | PAGE_PRESENT_ALL);
	put64(vm, RAW_TABLES + 0x4000 + ((0xfee00000 >> 21) & 511) * 8,
	      0xfee00000 | PAGE_LARGE | PAGE_UNCACHED | PAGE_PRESENT_ALL);
}

static void make_memory(struct raw_vm *vm)
{
	memcpy(vm->ram + RAW_CODE, raw_guest_start, (size_t)(raw_guest_end - raw_guest_start));
	make_tables(vm);
	put64(vm, RAW_GDT + 0x08, 0x00af9b000000ffff);
	put64(vm, RAW_GDT + 0x10, 0x00cf93000000ffff);
	put64(vm, RAW_GDT + 0x20, 0x00cff3000000ffff);
	put64(vm, RAW_GDT + 0x28, 0x00affb000000ffff);
	put64(vm, RAW_GDT + TSS_SELECTOR, 0x67 | (uint64_t)RAW_TSS << 16 | UINT64_C(0x8b) << 40);
	put64(vm, RAW_TSS + 4, RAW_STACK_TOP); /* RSP0 */
	put_gate(vm, 14, raw_code(raw_guest_page_fault));
	put_gate(vm, RAW_APF_VECTOR, raw_code(raw_guest_ready));
}

static void add_slot(struct raw_vm *vm, uint32_t slot, uint64_t gpa, uint64_t len, void *hva)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.guest_phys_addr = gpa,
		.memory_size = len,
		.userspace_addr = (uintptr_t)hva,
	};

	must(ioctl(vm->vm, KVM_SET_USER_MEMORY_REGION, &region));
}

static void go_strict(struct raw_vm *vm)
{
	struct kvm_enable_cap enable = {
		.cap = KVM_CAP_X86_DISABLE_EXITS,
		.args = {KVM_X86_DISABLE_EXITS_HLT},
	};

	must(ioctl(vm->vm, KVM_ENABLE_CAP, &enable));
}

/* The host's own CPUID: KVM offers its asynchronous page faults there. */
static void set_cpuid(struct raw_vm *vm)
{
	union {
		struct kvm_cpuid2 head;
		uint8_t room[sizeof(struct kvm_cpuid2) + CPUID_ENTRIES * sizeof(struct kvm_cpuid_entry2)];
	} cpuid = {.head.nent = CPUID_ENTRIES};

	must(ioctl(vm->kvm, KVM_GET_SUPPORTED_CPUID, &cpuid));
	must(ioctl(vm->vcpu, KVM_SET_CPUID2, &cpuid));
}

static void enable_lapic(struct raw_vm *vm)
{
	struct kvm_lapic_state lapic;

	must(ioctl(vm->vcpu, KVM_GET_LAPIC, &lapic));
	lapic.regs[0xf0] = (char)0xff;
	lapic.regs[0xf1] = 1; /* software enable */
	must(ioctl(vm->vcpu, KVM_SET_LAPIC, &lapic));
}

static void set_msr(struct raw_vm *vm, uint32_t index, uint64_t value)
{
	union {
		struct kvm_msrs head;
		uint8_t room[sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)];
	} msrs = {.head.nmsrs = 1};

	msrs.head.entries[0] = (struct kvm_msr_entry){.index = index, .data = value};
	assert_int_equal(ioctl(vm->vcpu, KVM_SET_MSRS, &msrs), 1);
}

/* Documentation/virt/kvm/x86/msr.rst: always, not only at CPL 3, with interrupts for "page ready" */
static void ask_for_notice(struct raw_vm *vm)
{
	set_msr(vm, RAW_MSR_APF_INT, RAW_APF_VECTOR);
	set_msr(vm, RAW_MSR_APF_EN,
		RAW_APF_AREA | KVM_ASYNC_PF_ENABLED | KVM_ASYNC_PF_SEND_ALWAYS | KVM_ASYNC_PF_DELIVERY_AS_INT);
}

static void set_segment(struct kvm_segment *segment, uint16_t selector, uint8_t type)
{
	*segment = (struct kvm_segment){
		.limit = 0xffffffff,
		.selector = selector,
		.type = type,
		.present = 1,
		.dpl = 3,
		.db = type == 3,
		.l = type == 11,
		.s = 1,
		.g = 1,
	};
}

static void set_sregs(struct raw_vm *vm)
{
	struct kvm_sregs sregs;

	must(ioctl(vm->vcpu, KVM_GET_SREGS, &sregs));
	sregs.cr0 = 0x80010033; /* PG WP NE ET MP PE */
	sregs.cr3 = RAW_TABLES;
	sregs.cr4 = 0x620;  /* PAE OSFXSR OSXMMEXCPT */
	sregs.efer = 0x500; /* LME LMA */
	set_segment(&sregs.cs, USER_CODE, 11);
	set_segment(&sregs.ss, USER_DATA, 3);
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss;
	sregs.tr = (struct kvm_segment){
		.base = RAW_TSS, .limit = 0x67, .selector = TSS_SELECTOR, .type = 11, .present = 1};
	sregs.gdt = (struct kvm_dtable){.base = RAW_GDT, .limit = 0x3f};
	sregs.idt = (struct kvm_dtable){.base = RAW_IDT, .limit = 0xfff};
	must(ioctl(vm->vcpu, KVM_SET_SREGS, &sregs));
}

static void make_vcpu(struct raw_vm *vm)
{
	vm->vcpu = must(ioctl(vm->vm, KVM_CREATE_VCPU, 0));
	vm->run_len = (size_t)must(ioctl(vm->kvm, KVM_GET_VCPU_MMAP_SIZE, 0));
	vm->run = mmap(NULL, vm->run_len, PROT_READ | PROT_WRITE, MAP_SHARED, vm->vcpu, 0);
	assert_ptr_not_equal(vm->run, MAP_FAILED);
	set_cpuid(vm);
	set_sregs(vm);
	enable_lapic(vm);
}

/* All bytes of the file are 0x2a. */
static void make_window(struct raw_vm *vm)
{
	static const uint8_t page[0x1000] = {[0 ... 0xfff] = 0x2a};

	vm->file = must(open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
	for (off_t at = 0; at < RAW_WINDOW_LEN; at += 0x1000)
		assert_int_equal(pwrite(vm->file, page, sizeof(page), at), sizeof(page));
	vm->window = mmap(NULL, RAW_WINDOW_LEN, PROT_READ | PROT_WRITE, MAP_SHARED, vm->file, 0);
	assert_ptr_not_equal(vm->window, MAP_FAILED);
}

struct raw_vm *raw_new(enum raw_mode mode)
{
	struct raw_vm *vm = calloc(1, sizeof(*vm));
	uint64_t identity_map = 0xfffbc000;

	assert_non_null(vm);
	make_timer(vm);
	vm->kvm = must(open("/dev/kvm", O_RDWR | O_CLOEXEC));
	vm->vm = must(ioctl(vm->kvm, KVM_CREATE_VM, 0));
	if (mode == RAW_STRICT)
		go_strict(vm);
	must(ioctl(vm->vm, KVM_SET_IDENTITY_MAP_ADDR, &identity_map));
	must(ioctl(vm->vm, KVM_SET_TSS_ADDR, 0xfffbd000));
	must(ioctl(vm->vm, KVM_CREATE_IRQCHIP, 0));
	vm->ram = mmap(NULL, RAW_RAM_LEN, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(vm->ram, MAP_FAILED);
	make_memory(vm);
	make_window(vm);
	add_slot(vm, 0, 0, RAW_RAM_LEN, vm->ram);
	add_slot(vm, 1, RAW_WINDOW_GPA, RAW_WINDOW_LEN, vm->window);
	make_vcpu(vm);
	if (mode == RAW_NOTIFY_GUEST)
		ask_for_notice(vm);
	return vm;
}

void raw_free(struct raw_vm *vm)
{
	munmap(vm->run, vm->run_len);
	close(vm->vcpu);
	close(vm->vm);
	close(vm->kvm);
	munmap(vm->ram, RAW_RAM_LEN);
	munmap(vm->window, RAW_WINDOW_LEN);
	close(vm->file);
	timer_delete(vm->timer);
	free(vm);
}

void raw_start(struct raw_vm *vm, uint64_t offset)
{
	struct kvm_regs regs = {
		.rip = raw_code(raw_guest_read),
		.rdi = RAW_WINDOW_GPA + offset,
		.rflags = RFLAGS,
	};

	must(ioctl(vm->vcpu, KVM_SET_REGS, &regs));
}

uint64_t raw_rip(struct raw_vm *vm)
{
	struct kvm_regs regs;

	must(ioctl(vm->vcpu, KVM_GET_REGS, &regs));
	return regs.rip;
}

void raw_block_in_run(struct raw_vm *vm, const sigset_t *set)
{
	uint64_t bits = 0; /* the kernel's sigset_t */
	union {
		struct kvm_signal_mask head;
		uint8_t room[sizeof(struct kvm_signal_mask) + sizeof(bits)];
	} mask = {.head.len = sizeof(bits)};

	for (int signal = 1; signal <= 64; signal++)
		bits |= sigismember(set, signal) == 1 ? UINT64_C(1) << (signal - 1) : 0;
	memcpy(mask.head.sigset, &bits, sizeof(bits));
	must(ioctl(vm->vcpu, KVM_SET_SIGNAL_MASK, &mask));
}

static void set_timer(struct raw_vm *vm, unsigned int ms)
{
	/* again and again, so that one which comes before KVM_RUN does no harm */
	struct itimerspec at = {
		.it_value = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L},
		.it_interval = {.tv_nsec = ms ? 100000000 : 0},
	};

	must(timer_settime(vm->timer, 0, &at, NULL));
}

static double seconds(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void take_details(const struct kvm_run *run, struct raw_exit *out)
{
	struct fl_kvm_memory_fault fault;

	if ((out->error == EFAULT || out->error == EHWPOISON) && run->exit_reason == FL_KVM_EXIT_MEMORY_FAULT) {
		fl_kvm_read_memory_fault(run, &fault);
		out->annotated = true;
		out->gpa = fault.gpa;
		out->len = fault.size;
	} else if (out->error == 0 && run->exit_reason == KVM_EXIT_IO) {
		out->port = run->io.port;
		out->byte = *((const uint8_t *)run + run->io.data_offset);
	} else if (out->error == 0 && run->exit_reason == KVM_EXIT_MMIO) {
		out->gpa = run->mmio.phys_addr;
		out->len = run->mmio.len;
	}
}

struct raw_exit raw_run(struct raw_vm *vm, unsigned int limit_ms)
{
	struct raw_exit out = {0};
	double cpu_before = seconds(CLOCK_THREAD_CPUTIME_ID), before = seconds(CLOCK_MONOTONIC);

	/* older kernels leave the last one there when KVM_RUN fails */
	vm->run->exit_reason = KVM_EXIT_UNKNOWN;
	set_timer(vm, limit_ms);
	out.error = ioctl(vm->vcpu, KVM_RUN, 0) < 0 ? errno : 0;
	set_timer(vm, 0);
	out.reason = vm->run->exit_reason;
	out.cpu_s = seconds(CLOCK_THREAD_CPUTIME_ID) - cpu_before;
	out.kicked = out.error == EINTR && (seconds(CLOCK_MONOTONIC) - before) * 1000 >= limit_ms;
	take_details(vm->run, &out);
	return out;
}
