/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/fl_test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#include "mmu_backing/watch.h"
#include "tests/kvm/mini_vm.h"
#include "vcpu/vcpu_priv.h"
#include "vcpu/watchdog.h"

#define PAGE_PRESENT_ALL 0x07 /* present, writable, user */
#define PAGE_LARGE	 0x80
#define PAGE_UNCACHED	 0x18
#define WAIT_S		 30u
#define TSS_LIMIT	 (0x67u + 0x40u) /* with a bitmap of ports 0 to 0x1f7 */

uint8_t mini_pattern(uint64_t offset)
{
	return (uint8_t)(offset * 7 + (offset >> 8) * 13 + 1);
}

uint64_t mini_pattern64(uint64_t offset)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < 8; i++)
		value |= (uint64_t)mini_pattern(offset + i) << (8 * i);
	return value;
}

void mini_truncate(struct mini_vm *vm, uint64_t len)
{
	assert_int_equal(ftruncate(vm->file, (off_t)len), 0);
}

void mini_refill(struct mini_vm *vm)
{
	FL_FREE uint8_t *bytes = malloc(MINI_FILE_LEN);

	assert_non_null(bytes);
	for (uint64_t i = 0; i < MINI_FILE_LEN; i++)
		bytes[i] = mini_pattern(i);
	assert_int_equal(pwrite(vm->file, bytes, MINI_FILE_LEN, 0), MINI_FILE_LEN);
}

uint64_t mini_file64(struct mini_vm *vm, uint64_t offset)
{
	uint64_t value = 0;

	assert_int_equal(pread(vm->file, &value, 8, (off_t)offset), 8);
	return value;
}

static unsigned int checked_index(uint8_t index)
{
	assert_true(index < MINI_VCPUS_MAX);
	return index;
}

static void on_pio(void *arg, uint16_t port, bool write, void *data, uint32_t size, uint32_t count)
{
	struct mini_vm *vm = arg;
	unsigned int index = checked_index(*(uint8_t *)data);

	if (!write || size != 1 || count != 1)
		return;
	if (port == MINI_PORT_EXCEPTION) {
		if (vm->on_exception)
			vm->on_exception(vm, index);
		return;
	}
	FL_LOCKED(&vm->lock);
	if (port == MINI_PORT_DONE)
		vm->done[index] = true;
	else if (port == MINI_PORT_READY)
		vm->ready[index] = true;
	pthread_cond_broadcast(&vm->changed);
}

static void on_mmio(void *arg, uint64_t gpa, bool write, void *data, uint32_t len)
{
	(void)arg;
	(void)write;
	(void)data;
	printf("# unexpected MMIO at 0x%llx, %u bytes\n", (unsigned long long)gpa, len);
}

static void on_fault(void *arg, const struct fl_fault *fault)
{
	struct mini_vm *vm = arg;
	struct timespec now;
	struct mini_seen *seen;

	clock_gettime(CLOCK_REALTIME, &now);
	FL_LOCKED(&vm->lock);
	if (fault->outcome <= FL_OUTCOME_SUBSTITUTED)
		vm->outcomes[fault->outcome]++;
	if (vm->faults >= MINI_FAULTS_MAX)
		return;
	seen = &vm->seen[vm->faults++];
	seen->fault = *fault;
	seen->cost_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec - fault->time_ns;
	snprintf(seen->share, sizeof(seen->share), "%s", fault->share);
	snprintf(seen->path, sizeof(seen->path), "%s", fault->path);
	snprintf(seen->shape, sizeof(seen->shape), "%s", fault->shape);
}

static void on_ended(void *arg, unsigned int index, enum fl_vcpu_end end, const struct fl_diag *diag)
{
	struct mini_vm *vm = arg;

	FL_LOCKED(&vm->lock);
	vm->ended[index] = true;
	vm->end[index] = end;
	vm->diag[index] = *diag;
	pthread_cond_broadcast(&vm->changed);
}

static void on_log(void *arg, enum fl_log_level level, const char *text)
{
	(void)arg;
	(void)level;
	printf("# %s\n", text);
}

static uint64_t *table(struct mini_vm *vm, unsigned int number)
{
	return (uint64_t *)(void *)(vm->ram.hva + MINI_TABLES + number * 0x1000u);
}

/* Large pages: RAM one to one, the LAPIC, and the window at MINI_WINDOW_GVA. */
static void make_tables(struct mini_vm *vm)
{
	uint64_t *pml4 = table(vm, 0), *pdpt = table(vm, 1), *low = table(vm, 2), *apic = table(vm, 3);
	uint64_t *window = table(vm, 4);

	pml4[0] = (MINI_TABLES + 0x1000) | PAGE_PRESENT_ALL;
	pdpt[0] = (MINI_TABLES + 0x2000) | PAGE_PRESENT_ALL;
	pdpt[3] = (MINI_TABLES + 0x3000) | PAGE_PRESENT_ALL;
	pdpt[4] = (MINI_TABLES + 0x4000) | PAGE_PRESENT_ALL;
	for (uint64_t i = 0; i < MINI_RAM_LEN / FL_RANGE_LEN; i++)
		low[i] = i * FL_RANGE_LEN | PAGE_LARGE | PAGE_PRESENT_ALL;
	apic[(0xfee00000 >> 21) & 511] = 0xfee00000 | PAGE_LARGE | PAGE_UNCACHED | PAGE_PRESENT_ALL;
	for (uint64_t i = 0; i < MINI_WINDOW_LEN / FL_RANGE_LEN; i++)
		window[i] = (MINI_WINDOW_GPA + i * FL_RANGE_LEN) | PAGE_LARGE | PAGE_PRESENT_ALL;
}

static void set_gate(struct mini_vm *vm, unsigned int vector, uint64_t handler)
{
	uint64_t *gate = (uint64_t *)(void *)(vm->ram.hva + MINI_IDT + vector * 16);

	/* interrupt gate, DPL 3, code selector 0x10 */
	gate[0] = (handler & 0xffff) | 0x10u << 16 | UINT64_C(0xee00) << 32 | (handler >> 16 & 0xffff) << 48;
	gate[1] = handler >> 32;
}

static void make_memory(struct mini_vm *vm)
{
	memcpy(vm->ram.hva + MINI_CODE, mini_guest_start, (size_t)(mini_guest_end - mini_guest_start));
	make_tables(vm);
	for (unsigned int i = 0; i < 32; i++)
		set_gate(vm, i, mini_code(mini_stubs) + (uint64_t)i * MINI_STUB_LEN);
	set_gate(vm, 6, mini_code(mini_finish));
	set_gate(vm, MINI_TIMER_VECTOR, mini_code(mini_interrupt_stub));
	for (unsigned int i = 0; i < vm->count; i++) {
		mini_write64(vm, i, MINI_INDEX, i);
		mini_write64(vm, i, MINI_SELF, MINI_BLOCKS + i * MINI_BLOCK_LEN);
	}
}

static void make_window(struct mini_vm *vm, struct fl_policy policy)
{
	struct fl_region ram = {
		.kind = FL_REGION_RAM,
		.len = MINI_RAM_LEN,
		.hva = vm->ram.hva,
		.name = "ram",
	};
	struct fl_region window = {
		.kind = FL_REGION_WINDOW,
		.gpa = MINI_WINDOW_GPA,
		.len = MINI_WINDOW_LEN,
		.name = "share0",
		.policy = policy,
	};
	struct fl_backing *backing;
	struct fl_diag diag = {0};
	int fd;

	vm->file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	assert_true(vm->file >= 0);
	mini_refill(vm);
	fd = dup(vm->file);
	assert_true(fd >= 0);
	assert_int_equal(fl_backing_new(fd, true, &backing), 0);
	assert_int_equal(fl_window_new(MINI_WINDOW_LEN, &vm->window, &diag), 0);
	if (vm->watch)
		fl_window_set_watch(vm->window, vm->watch, true);
	assert_int_equal(fl_window_map(vm->window, 0, FL_RANGE_LEN, backing, 0, true), 0);
	fl_backing_unref(backing);
	window.window = vm->window;
	window.hva = fl_window_hva(vm->window);
	assert_int_equal(fl_gpa_map_add(&vm->map, &ram, &diag), 0);
	assert_int_equal(fl_gpa_map_add(&vm->map, &window, &diag), 0);
	assert_int_equal(fl_gpa_map_install(&vm->map, vm->kvm.vm_fd, &diag), 0);
}

static void make_watch(struct mini_vm *vm)
{
	struct fl_diag diag = {0};

	if (fl_watch_new(&vm->log, &vm->watch, &diag) || fl_watch_start(vm->watch, &diag))
		fail_msg("%s", diag.text);
}

static void make_watchdog(struct mini_vm *vm)
{
	struct fl_diag diag = {0};

	if (fl_watchdog_new(vm->vcpus, vm->count, 0, &vm->log, &vm->watchdog, &diag) ||
	    fl_watchdog_start(vm->watchdog, &diag))
		fail_msg("%s", diag.text);
}

static struct mini_vm *make_vm(unsigned int count, struct fl_policy policy, bool watch_mode, bool watched)
{
	struct mini_vm *vm = calloc(1, sizeof(*vm));
	struct fl_diag diag = {0};

	assert_non_null(vm);
	pthread_mutex_init(&vm->lock, NULL);
	pthread_cond_init(&vm->changed, NULL);
	vm->count = count;
	vm->log = (struct fl_log){.sink = on_log, .level = FL_LOG_WARN};
	if (fl_kvm_vm_init(&vm->kvm, !watch_mode, &diag))
		fail_msg("%s", diag.text);
	assert_int_equal(fl_guest_ram_init(&vm->ram, MINI_RAM_LEN, &diag), 0);
	if (watched)
		make_watch(vm);
	make_window(vm, policy);
	make_memory(vm);
	if (fl_kvm_vm_add_irqchip(&vm->kvm, &diag))
		fail_msg("%s", diag.text);
	vm->env = (struct fl_vcpu_env){
		.kvm = &vm->kvm,
		.map = &vm->map,
		.log = &vm->log,
		.ops = {.pio = on_pio, .mmio = on_mmio, .fault = on_fault, .ended = on_ended, .arg = vm},
		.kick_signal = SIGRTMIN + 3,
		.offer_pvpf = true,
		.vcpu_count = count,
	};
	for (unsigned int i = 0; i < count; i++)
		if (fl_vcpu_new(&vm->env, i, &vm->vcpus[i], &diag))
			fail_msg("%s", diag.text);
	if (watched)
		make_watchdog(vm);
	return vm;
}

struct mini_vm *mini_new(unsigned int count, struct fl_policy policy)
{
	return make_vm(count, policy, false, false);
}

struct mini_vm *mini_new_mode(unsigned int count, struct fl_policy policy, bool watch_mode)
{
	return make_vm(count, policy, watch_mode, false);
}

struct mini_vm *mini_new_watched(unsigned int count, struct fl_policy policy)
{
	return make_vm(count, policy, true, true);
}

static void say_shapes(const struct mini_vm *vm)
{
	static const char *const shapes[] = {"efault", "annotated", "mmio", "mceerr", "emulation", "stall"};

	for (size_t s = 0; s < FL_ARRAY_SIZE(shapes); s++) {
		unsigned int count = 0;

		for (unsigned int i = 0; i < vm->faults; i++)
			count += strcmp(vm->seen[i].shape, shapes[s]) == 0;
		if (count)
			printf("# shape: %s (%u)\n", shapes[s], count);
	}
}

void mini_free(struct mini_vm *vm)
{
	fl_watchdog_free(vm->watchdog);
	for (unsigned int i = 0; i < vm->count; i++)
		fl_vcpu_free(vm->vcpus[i]);
	say_shapes(vm);
	fl_kvm_vm_fini(&vm->kvm);
	fl_window_free(vm->window);
	fl_watch_free(vm->watch);
	fl_guest_ram_fini(&vm->ram);
	close(vm->file);
	pthread_cond_destroy(&vm->changed);
	pthread_mutex_destroy(&vm->lock);
	free(vm);
}

static void make_block(struct mini_vm *vm, unsigned int index)
{
	uint64_t base = MINI_BLOCKS + (uint64_t)index * MINI_BLOCK_LEN, tss = base + MINI_TSS;
	uint64_t *gdt = (uint64_t *)(void *)(mini_block(vm, index) + MINI_GDT);
	uint32_t *tss_words = (uint32_t *)(void *)(mini_block(vm, index) + MINI_TSS);

	gdt[4] = TSS_LIMIT | (tss & 0xffffff) << 16 | UINT64_C(0x8b) << 40;
	gdt[6] = 0x00cff3000000ffff;			/* 0x33: user data */
	gdt[7] = 0x00affb000000ffff;			/* 0x3b: user code */
	tss_words[1] = (uint32_t)base + MINI_STACK_TOP; /* RSP0 */
	tss_words[25] = 0x68u << 16;			/* I/O bitmap: CPL 3 may use all ports that it covers */
}

static void make_sregs(struct mini_vm *vm, unsigned int index, const struct mini_start *start)
{
	uint64_t base = MINI_BLOCKS + (uint64_t)index * MINI_BLOCK_LEN;
	int fd = fl_vcpu_fd(vm->vcpus[index]);
	struct kvm_sregs sregs;

	assert_int_equal(ioctl(fd, KVM_GET_SREGS, &sregs), 0);
	sregs.gdt.limit = 8 * 8 - 1;
	sregs.idt.base = MINI_IDT;
	sregs.idt.limit = 256 * 16 - 1;
	sregs.tr.base = base + MINI_TSS;
	sregs.tr.limit = TSS_LIMIT;
	sregs.cr4 |= 0x600; /* OSFXSR, OSXMMEXCPT */
	if (start->cpl == 3) {
		sregs.cs.selector = 0x3b;
		sregs.ss.selector = sregs.ds.selector = sregs.es.selector = sregs.fs.selector = sregs.gs.selector =
			0x33;
		sregs.cs.dpl = sregs.ss.dpl = sregs.ds.dpl = sregs.es.dpl = sregs.fs.dpl = sregs.gs.dpl = 3;
	}
	sregs.gs.base = base;
	assert_int_equal(ioctl(fd, KVM_SET_SREGS, &sregs), 0);
}

static void enable_pvpf(struct mini_vm *vm, unsigned int index, uint64_t flags)
{
	uint64_t area = MINI_BLOCKS + (uint64_t)index * MINI_BLOCK_LEN + MINI_AREA;

	assert_int_equal(fl_pvpf_write_ctl(&vm->vcpus[index]->pvpf, &vm->map, area | flags), 0);
}

void mini_start(struct mini_vm *vm, unsigned int index, const struct mini_start *start)
{
	uint64_t base = MINI_BLOCKS + (uint64_t)index * MINI_BLOCK_LEN;
	struct fl_vcpu_entry entry = {.rip = 1, .cr3 = MINI_TABLES, .gdt_gpa = base + MINI_GDT};
	struct kvm_mp_state runnable = {.mp_state = KVM_MP_STATE_RUNNABLE};
	struct kvm_regs regs = {
		.rip = mini_code(start->program),
		.rflags = 2 | (start->interrupts_off ? 0u : 0x200u) | start->rflags,
		.rsp = start->rsp ? start->rsp : base + (start->cpl == 3 ? MINI_USER_TOP : MINI_STACK_TOP - 0x1000),
		.rax = start->rax,
		.rbx = start->rbx,
		.rcx = start->rcx,
		.rdx = start->rdx,
		.rsi = start->rsi,
		.rdi = start->rdi,
		.r8 = start->r8,
		.r15 = 0x1515151515151515,
	};
	struct fl_diag diag = {0};
	int fd = fl_vcpu_fd(vm->vcpus[index]);

	if (fl_vcpu_set_entry(vm->vcpus[index], &entry, &diag))
		fail_msg("%s", diag.text);
	make_block(vm, index);
	make_sregs(vm, index, start);
	assert_int_equal(ioctl(fd, KVM_SET_REGS, &regs), 0);
	assert_int_equal(ioctl(fd, KVM_SET_MP_STATE, &runnable), 0);
	if (start->pvpf_ctl)
		enable_pvpf(vm, index, start->pvpf_ctl);
	if (start->before_run)
		start->before_run(vm, index);
	if (fl_vcpu_start(vm->vcpus[index], &diag))
		fail_msg("%s", diag.text);
}

/* Where it hangs, for whoever reads the log. */
static void say_place(struct mini_vm *vm, unsigned int index)
{
	struct kvm_vcpu_events events = {0};
	struct kvm_regs regs = {0};

	fl_vcpu_stop(vm->vcpus[index]);
	ioctl(fl_vcpu_fd(vm->vcpus[index]), KVM_GET_REGS, &regs);
	ioctl(fl_vcpu_fd(vm->vcpus[index]), KVM_GET_VCPU_EVENTS, &events);
	for (unsigned int i = 0; i < 3 && i < mini_read64(vm, index, MINI_COUNT); i++) {
		const struct mini_log *log = mini_entry(vm, index, i);

		printf("# exception %u: vector %llu error 0x%llx at 0x%llx, cs 0x%llx, rsp 0x%llx, ss 0x%llx, rflags 0x%llx\n",
		       i, (unsigned long long)log->vector, (unsigned long long)log->error, (unsigned long long)log->rip,
		       (unsigned long long)log->cs, (unsigned long long)log->rsp, (unsigned long long)log->ss,
		       (unsigned long long)log->rflags);
	}
	printf("# vCPU %u: rip 0x%llx rsp 0x%llx rflags 0x%llx, exceptions %llu (last vector %llu), "
	       "faults %u, injected %u nr %u\n",
	       index, regs.rip, regs.rsp, regs.rflags, (unsigned long long)mini_read64(vm, index, MINI_COUNT),
	       (unsigned long long)mini_read64(vm, index, MINI_LOG + 15 * 8), vm->faults, events.exception.injected,
	       events.exception.nr);
}

static struct timespec in_wait_s(void)
{
	struct timespec limit;

	clock_gettime(CLOCK_REALTIME, &limit);
	limit.tv_sec += WAIT_S;
	return limit;
}

/*
 * Lost is what does nothing for WAIT_S: a guest that goes on from fault to fault is slow, which a host that has other
 * things to do makes it. How long that may last is for the limit of the whole program to say.
 */
static bool wait_for(struct mini_vm *vm, const bool *flag, unsigned int index)
{
	uint64_t count = mini_read64(vm, index, MINI_COUNT);
	struct timespec limit = in_wait_s();
	int result = 0;
	bool ended;

	pthread_mutex_lock(&vm->lock);
	while (!*flag && !vm->ended[index] && result == 0) {
		uint64_t before = count;

		result = pthread_cond_timedwait(&vm->changed, &vm->lock, &limit);
		if (!result)
			continue;
		count = mini_read64(vm, index, MINI_COUNT);
		limit = in_wait_s();
		result = count == before ? result : 0;
	}
	ended = vm->ended[index];
	pthread_mutex_unlock(&vm->lock);
	if (ended)
		printf("# vCPU %u ended: %s\n", index, vm->diag[index].text);
	if (result) {
		say_place(vm, index);
		fail_msg("vCPU %u: nothing for %u s", index, WAIT_S);
	}
	return !ended;
}

bool mini_wait(struct mini_vm *vm, unsigned int index)
{
	return wait_for(vm, &vm->done[index], index);
}

void mini_wait_ready(struct mini_vm *vm, unsigned int index)
{
	assert_true(wait_for(vm, &vm->ready[index], index));
}

bool mini_is_done(struct mini_vm *vm, unsigned int index)
{
	FL_LOCKED(&vm->lock);

	return vm->done[index];
}

bool mini_has_ended(struct mini_vm *vm, unsigned int index)
{
	FL_LOCKED(&vm->lock);

	return vm->ended[index];
}

unsigned int mini_outcomes(struct mini_vm *vm, enum fl_outcome outcome)
{
	FL_LOCKED(&vm->lock);

	return vm->outcomes[outcome];
}

uint64_t mini_code(const uint8_t *label)
{
	return MINI_CODE + (uint64_t)(label - mini_guest_start);
}

uint64_t mini_gva(uint64_t offset)
{
	return MINI_WINDOW_GVA + offset;
}

uint8_t *mini_block(struct mini_vm *vm, unsigned int index)
{
	return vm->ram.hva + MINI_BLOCKS + (size_t)index * MINI_BLOCK_LEN;
}

uint64_t mini_read64(struct mini_vm *vm, unsigned int index, uint64_t offset)
{
	uint64_t value;

	memcpy(&value, mini_block(vm, index) + offset, sizeof(value));
	return value;
}

void mini_write64(struct mini_vm *vm, unsigned int index, uint64_t offset, uint64_t value)
{
	memcpy(mini_block(vm, index) + offset, &value, sizeof(value));
}

const struct mini_log *mini_entry(struct mini_vm *vm, unsigned int index, unsigned int number)
{
	_Static_assert(sizeof(struct mini_log) == 256, "as mini_guest.S counts");
	assert_true(mini_read64(vm, index, MINI_COUNT) > number && number < MINI_LOG_MAX);
	return (const struct mini_log *)(const void *)(mini_block(vm, index) + MINI_LOG +
						       number * sizeof(struct mini_log));
}

clockid_t mini_thread_clock(struct mini_vm *vm, unsigned int index)
{
	clockid_t clock;

	assert_int_equal(pthread_getcpuclockid(vm->vcpus[index]->thread, &clock), 0);
	return clock;
}
