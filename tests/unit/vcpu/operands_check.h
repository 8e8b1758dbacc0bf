/* SPDX-License-Identifier: Apache-2.0 */
/* An instruction's bytes and the accesses that the manuals say it makes. */
#ifndef FL_TEST_OPERANDS_CHECK_H
#define FL_TEST_OPERANDS_CHECK_H

#include "tests/lib/fl_test.h"

#include "vcpu/operands.h"

#define R FL_ACCESS_READ
#define W FL_ACCESS_WRITE

struct expected {
	const char *name;
	const char *bytes;
	size_t len;
	struct fl_operand_access item[10];
};
#define INSN(text, code, ...)                 \
	{                                     \
		text, code, sizeof(code) - 1, \
		{                             \
			__VA_ARGS__           \
		}                             \
	}

static inline void list_with(const char *bytes, size_t len, const struct fl_cpu_view *cpu, struct fl_access_list *list)
{
	struct fl_insn insn;

	assert_int_equal(fl_insn_decode((const uint8_t *)bytes, len, cpu->sregs, &insn), 0);
	assert_int_equal(insn.head.length, len);
	fl_operands_list(&insn, cpu, list);
}

static inline void check(const struct expected *want, const struct fl_cpu_view *cpu)
{
	struct fl_access_list list;
	unsigned int count = 0;

	list_with(want->bytes, want->len, cpu, &list);
	while (count < FL_ARRAY_SIZE(want->item) && want->item[count].len)
		count++;
	if (list.count != count)
		fail_msg("%s: %u accesses instead of %u", want->name, list.count, count);
	for (unsigned int i = 0; i < count; i++)
		if (list.item[i].linear != want->item[i].linear || list.item[i].len != want->item[i].len ||
		    list.item[i].access != want->item[i].access)
			fail_msg("%s: access %u is 0x%llx, %u bytes, kind %u", want->name, i,
				 (unsigned long long)list.item[i].linear, list.item[i].len, list.item[i].access);
}

static inline void check_all(const struct expected *table, size_t count, const struct fl_cpu_view *cpu)
{
	for (size_t i = 0; i < count; i++)
		check(&table[i], cpu);
}

#endif
