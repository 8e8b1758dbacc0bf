/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/kvm/hostile.h"

#include "tests/lib/fl_test.h"

#include <sys/ioctl.h>

static const struct fl_policy reflect = {{FL_ACTION_REFLECT, FL_ACTION_STOP}};

void hostile_gate(struct mini_vm *vm, unsigned int vector, const uint8_t *program)
{
	uint64_t *gate = (uint64_t *)(void *)(vm->ram.hva + MINI_IDT + vector * 16);
	uint64_t handler = mini_code(program);

	/* interrupt gate, DPL 3, code selector 0x10 */
	gate[0] = (handler & 0xffff) | 0x10u << 16 | UINT64_C(0xee00) << 32 | (handler >> 16 & 0xffff) << 48;
	gate[1] = handler >> 32;
}

void hostile_idt_in_file(struct mini_vm *vm, uint64_t offset)
{
	assert_int_equal(pwrite(vm->file, vm->ram.hva + MINI_IDT, 0x1000, (off_t)offset), 0x1000);
}

uint64_t *hostile_table(struct mini_vm *vm, unsigned int number)
{
	return (uint64_t *)(void *)(vm->ram.hva + MINI_TABLES + number * 0x1000u);
}

enum hostile_end hostile_settle(struct mini_vm *vm, unsigned int index, unsigned int limit_ms)
{
	bool done = false, ended = false;

	for (unsigned int waited = 0; waited < limit_ms && !done && !ended; waited += 10) {
		usleep(10000);
		pthread_mutex_lock(&vm->lock);
		done = vm->done[index];
		ended = vm->ended[index];
		pthread_mutex_unlock(&vm->lock);
	}
	if (ended)
		print_message("# vCPU %u ended: %s\n", index, vm->diag[index].text);
	fl_vcpu_stop(vm->vcpus[index]);
	return done ? HOSTILE_DONE : ended ? HOSTILE_ENDED : HOSTILE_STOPPED;
}

unsigned int hostile_count(struct mini_vm *vm, enum fl_outcome outcome)
{
	unsigned int count = 0;

	FL_LOCKED(&vm->lock);
	for (unsigned int i = 0; i < vm->faults; i++)
		count += vm->seen[i].fault.outcome == outcome;
	return count;
}

struct mini_vm *hostile_bystander(void)
{
	struct mini_start start = {.program = mini_count_loop, .cpl = 3};
	struct mini_vm *vm = mini_new(1, reflect);

	mini_start(vm, 0, &start);
	assert_true(hostile_goes_on(vm, 0));
	return vm;
}

bool hostile_goes_on(struct mini_vm *bystander, unsigned int index)
{
	uint64_t before =
		__atomic_load_n((uint64_t *)(void *)(mini_block(bystander, index) + MINI_RESULT), __ATOMIC_RELAXED);

	for (unsigned int i = 0; i < 20000; i++) {
		if (__atomic_load_n((uint64_t *)(void *)(mini_block(bystander, index) + MINI_RESULT),
				    __ATOMIC_RELAXED) > before + 100)
			return true;
		usleep(1000);
	}
	return false;
}

void hostile_bystander_free(struct mini_vm *bystander)
{
	assert_true(hostile_goes_on(bystander, 0));
	mini_write64(bystander, 0, MINI_STOP, 1);
	assert_true(mini_wait(bystander, 0));
	assert_int_equal(bystander->faults, 0);
	mini_free(bystander);
}
