/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An access fails, and before the host looks which it was another CPU of the guest changes the page tables that led
 * there, since it touched the same page and has its answer already. Then the guest is to see what its tables say now,
 * and not a fault that nobody can name.
 */
#include "tests/lib/fl_test.h"

#include <sys/ioctl.h>

#include "tests/kvm/bad_access.h"
#include "vcpu/vcpu_priv.h"

#define STORED	    UINT64_C(0x1122334455667788)
#define WINDOW_PDE  (MINI_TABLES + 0x4000) /* of the window's first range, mini_vm.c */
#define PAGE_FAULT  14u
#define ERROR_WRITE 2u /* of a page fault, SDM vol. 3A, 4.7; a page that is not present is 0 */
#define ERROR_USER  4u
#define MANY	    25u

static const struct fl_policy reflect = {{FL_ACTION_REFLECT, FL_ACTION_STOP}};

struct race {
	struct mini_vm *vm;
	uint64_t before, then;	 /* what the tables hold */
	unsigned int failures;	 /* of KVM_RUN */
	unsigned int exceptions; /* handled so far */
	unsigned int heal_after; /* exceptions: then the file is whole again */
};

static void set_tables(struct race *race, uint64_t value)
{
	uint64_t *entry = (uint64_t *)(void *)(race->vm->ram.hva + WINDOW_PDE);

	__atomic_store_n(entry, value, __ATOMIC_SEQ_CST);
}

/* What another CPU does just now. */
static void be_faster(void *arg)
{
	struct race *race = arg;

	/* a kernel that names the page leaves nothing to find out: this is one that does not */
	race->vm->vcpus[0]->run->exit_reason = KVM_EXIT_UNKNOWN;
	race->failures++;
	set_tables(race, race->then);
}

/* The guest's handler waits. Each time it goes on 8 bytes further, as a loop over an array would. */
static void map_again(struct mini_vm *vm, unsigned int index)
{
	struct race *race = vm->arg;
	struct kvm_regs regs;
	uint64_t *pushed;

	assert_int_equal(ioctl(fl_vcpu_fd(vm->vcpus[index]), KVM_GET_REGS, &regs), 0);
	assert_true(regs.rsp < MINI_RAM_LEN - 2 * sizeof(*pushed));
	pushed = (uint64_t *)(void *)(vm->ram.hva + regs.rsp);
	set_tables(race, race->before);
	if (++race->exceptions == race->heal_after) {
		bad_access_after_failure(NULL, NULL);
		mini_refill(vm);
		return;
	}
	pushed[1] += 8; /* %rbx */
}

static void set_up(struct race *race, uint64_t then)
{
	race->vm = mini_new(1, reflect);
	race->vm->arg = race;
	race->vm->on_exception = map_again;
	race->before = *(const uint64_t *)(const void *)(race->vm->ram.hva + WINDOW_PDE);
	race->then = then;
	mini_truncate(race->vm, BAD_PAGE);
	bad_access_after_failure(be_faster, race);
}

static void run(struct race *race, const uint8_t *program)
{
	const struct mini_start start = {.program = program,
					 .cpl = 3,
					 .rbx = mini_gva(BAD_OFFSET),
					 .rax = STORED,
					 .pvpf_ctl = PVPF_CTL_ENABLE | PVPF_CTL_CPL0};

	mini_start(race->vm, 0, &start);
	assert_true(mini_wait(race->vm, 0));
	bad_access_after_failure(NULL, NULL);
}

/* Its own exceptions, and no record of the host's. */
static void check_page_faults(struct race *race, const uint8_t *program, uint64_t error)
{
	assert_int_equal(mini_read64(race->vm, 0, MINI_COUNT), race->heal_after);
	assert_int_equal(race->failures, race->heal_after);
	assert_int_equal(race->vm->faults, 0);
	for (unsigned int i = 0; i < race->heal_after; i++) {
		const struct mini_log *log = mini_entry(race->vm, 0, i);

		assert_int_equal(log->vector, PAGE_FAULT);
		assert_int_equal(log->error, error);
		assert_int_equal(log->rip, mini_code(program));
		assert_int_equal(log->rbx, mini_gva(BAD_OFFSET + i * 8));
		assert_int_equal(log->rax, STORED);
		assert_int_equal(log->record.seq, 0);
	}
}

static void test_a_read_of_what_is_not_mapped_any_more(void **state)
{
	struct race race = {.heal_after = 1};

	(void)state;
	set_up(&race, 0);
	run(&race, mini_read);
	check_page_faults(&race, mini_read, ERROR_USER);
	assert_int_equal(mini_read64(race.vm, 0, MINI_RESULT), mini_pattern64(BAD_OFFSET));
	mini_free(race.vm);
}

static void test_a_write_to_what_is_not_mapped_any_more(void **state)
{
	struct race race = {.heal_after = 1};

	(void)state;
	set_up(&race, 0);
	run(&race, mini_write);
	check_page_faults(&race, mini_write, ERROR_USER | ERROR_WRITE);
	assert_int_equal(mini_file64(race.vm, BAD_OFFSET), STORED);
	mini_free(race.vm);
}

/* Something else is mapped there now, which is whole. */
static void test_a_read_of_what_is_mapped_anew(void **state)
{
	struct race race = {.heal_after = 1}; /* there is to be no exception at all */
	uint64_t value = STORED + 1;

	(void)state;
	assert_true((uint64_t)(mini_guest_end - mini_guest_start) <= BAD_OFFSET);
	set_up(&race, 0);
	race.then = race.before - MINI_WINDOW_GPA + MINI_CODE;
	memcpy(race.vm->ram.hva + MINI_CODE + BAD_OFFSET, &value, sizeof(value));
	run(&race, mini_read);
	assert_int_equal(race.failures, 1);
	assert_int_equal(race.vm->faults, 0);
	assert_int_equal(mini_read64(race.vm, 0, MINI_COUNT), 0);
	assert_int_equal(mini_read64(race.vm, 0, MINI_RESULT), value);
	mini_free(race.vm);
}

/* Other registers are another access: a loop may lose any number of races, at one instruction. */
static void test_a_loop_that_loses_many_races(void **state)
{
	struct race race = {.heal_after = MANY};

	(void)state;
	set_up(&race, 0);
	run(&race, mini_read);
	check_page_faults(&race, mini_read, ERROR_USER);
	assert_int_equal(mini_read64(race.vm, 0, MINI_RESULT), mini_pattern64(BAD_OFFSET + (MANY - 1) * 8));
	mini_free(race.vm);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_a_read_of_what_is_not_mapped_any_more),
	cmocka_unit_test(test_a_write_to_what_is_not_mapped_any_more),
	cmocka_unit_test(test_a_read_of_what_is_mapped_anew),
	cmocka_unit_test(test_a_loop_that_loses_many_races),
};

FL_TEST_MAIN(60, tests)
