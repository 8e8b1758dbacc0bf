/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/lib/fl_test.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>

#include "tests/kvm/load.h"
#include "vcpu/pvpf_abi.h"

/* Not every KVM heeds IOPL (PVM), nor the bitmap of a busy TSS (nested SVM in QEMU 7.2): mini_vm has that as well. */
#define RFLAGS_IOPL_3 0x3000u
#define PLAIN_GIB     UINT64_C(5) /* where load_add_plain() puts its linear addresses; mini_vm uses the first five */
#define PLAIN_TABLE   (MINI_TABLES + 0x7000)

uint64_t load_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t code(const uint8_t *label)
{
	return LOAD_CODE + (uint64_t)(label - load_guest_start);
}

static void set_gate(struct mini_vm *vm, unsigned int vector, uint64_t handler)
{
	uint64_t gate[2];

	/* interrupt gate, DPL 3, code selector 0x10 */
	gate[0] = (handler & 0xffff) | 0x10u << 16 | UINT64_C(0xee00) << 32 | (handler >> 16 & 0xffff) << 48;
	gate[1] = handler >> 32;
	memcpy(vm->ram.hva + MINI_IDT + vector * 16, gate, sizeof(gate));
}

static void on_pio(void *arg, uint16_t port, bool write, void *data, uint32_t size, uint32_t count)
{
	struct load *load = arg;
	unsigned int index = *(uint8_t *)data;

	if (port == LOAD_PORT_NOTHING)
		return;
	if (port == LOAD_PORT_FAULT) {
		if (load->on_handler)
			load->on_handler(load, index);
		return;
	}
	if (port == MINI_PORT_READY && index < MINI_VCPUS_MAX)
		getrusage(RUSAGE_THREAD, &load->seen[index].usage_ready);
	if (port == MINI_PORT_DONE && index < MINI_VCPUS_MAX)
		getrusage(RUSAGE_THREAD, &load->seen[index].usage_done);
	load->ops.pio(load->ops.arg, port, write, data, size, count);
}

static void on_mmio(void *arg, uint64_t gpa, bool write, void *data, uint32_t len)
{
	struct load *load = arg;

	load->ops.mmio(load->ops.arg, gpa, write, data, len);
}

static void on_fault(void *arg, const struct fl_fault *fault)
{
	struct load *load = arg;

	if (fault->vcpu < MINI_VCPUS_MAX && (unsigned int)fault->outcome < 8)
		atomic_fetch_add_explicit(&load->seen[fault->vcpu].outcome[fault->outcome], 1, memory_order_relaxed);
	if (load->on_fault)
		load->on_fault(load, fault);
}

static void on_ended(void *arg, unsigned int index, enum fl_vcpu_end end, const struct fl_diag *diag)
{
	struct load *load = arg;

	load->ops.ended(load->ops.arg, index, end, diag);
}

void load_init(struct load *load, struct mini_vm *vm, const uint8_t *handler)
{
	*load = (struct load){.vm = vm, .ops = vm->env.ops};
	memcpy(vm->ram.hva + LOAD_CODE, load_guest_start, (size_t)(load_guest_end - load_guest_start));
	set_gate(vm, PVPF_HOST_VECTOR, code(handler));
	vm->env.ops.pio = on_pio;
	vm->env.ops.mmio = on_mmio;
	vm->env.ops.fault = on_fault;
	vm->env.ops.ended = on_ended;
	vm->env.ops.arg = load;
}

void load_start(struct load *load, unsigned int index, struct mini_start start)
{
	/* mini_vm counts from the start of its own programs */
	start.program = mini_guest_start + (LOAD_CODE - MINI_CODE) + (start.program - load_guest_start);
	start.rflags = RFLAGS_IOPL_3;
	start.pvpf_ctl = PVPF_CTL_ENABLE | PVPF_CTL_CPL0;
	mini_start(load->vm, index, &start);
}

void load_stop(struct load *load, unsigned int index)
{
	mini_write64(load->vm, index, MINI_STOP, 1);
	assert_true(mini_wait(load->vm, index));
}

void load_add_plain(struct load *load, unsigned int slot, uint64_t gpa, void *hva, uint64_t len)
{
	uint64_t *pdpt = (uint64_t *)(void *)(load->vm->ram.hva + MINI_TABLES + 0x1000);
	uint64_t *table = (uint64_t *)(void *)(load->vm->ram.hva + PLAIN_TABLE);
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.guest_phys_addr = gpa,
		.memory_size = len,
		.userspace_addr = (uintptr_t)hva,
	};

	assert_true(gpa / FL_GIB == PLAIN_GIB && fl_is_aligned(gpa | len, FL_RANGE_LEN));
	assert_int_equal(ioctl(load->vm->kvm.vm_fd, KVM_SET_USER_MEMORY_REGION, &region), 0);
	pdpt[PLAIN_GIB] = PLAIN_TABLE | 7;
	for (uint64_t at = 0; at < len; at += FL_RANGE_LEN)
		table[(gpa + at) / FL_RANGE_LEN % 512] = (gpa + at) | 0x87;
}

uint64_t load_tsc_khz(const struct load *load)
{
	int khz = ioctl(fl_vcpu_fd(load->vm->vcpus[0]), KVM_GET_TSC_KHZ, 0);

	assert_true(khz > 0);
	return (uint64_t)khz;
}
