/* SPDX-License-Identifier: Apache-2.0 */
/* A CPU for tests of what an instruction accesses: its registers are those of insn_regs.h, and a test changes them. */
#ifndef FL_TEST_OPERANDS_SETUP_H
#define FL_TEST_OPERANDS_SETUP_H

#include "tests/unit/vcpu/insn_regs.h"
#include "tests/unit/vcpu/operands_check.h"

struct setup {
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	struct fl_vectors vectors;
	struct fl_xsave_layout layout;
	struct fl_cpu_view cpu;
};

static inline int set_up(void **state)
{
	struct setup *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->regs = test_regs();
	s->sregs = test_sregs();
	s->cpu = (struct fl_cpu_view){.regs = &s->regs, .sregs = &s->sregs, .vectors = &s->vectors};
	*state = s;
	return 0;
}

static inline int tear_down(void **state)
{
	free(*state);
	return 0;
}

#endif
