/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/native/native_world.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vcpu/cpu_vendor.h"

#define CODE	    UINT64_C(0x30000000)
#define ARENA_1	    UINT64_C(0x20018000)
#define ARENA_2	    UINT64_C(0x7e9000018000)
#define ARENA_3	    UINT64_C(0x4000)
#define READ_ONLY_1 UINT64_C(0x28000000)
#define READ_ONLY_2 UINT64_C(0x7e9800000000)
#define TINY_LEN    (4 * 4096u)
#define GS_BASE	    UINT64_C(0x12345670)
#define LDT_BASE    0x01234567u

static bool map_at(uint64_t at, size_t len, int prot, int flags, int fd)
{
	void *want = (void *)(uintptr_t)at;

	return mmap(want, len, prot, flags | MAP_FIXED_NOREPLACE, fd, 0) == want;
}

/* The good pages are a whole file, the lost ones lie beyond the end of a file; or are read-only. */
static bool make_arena(struct insn_arena *arena, uint64_t start, uint32_t lost_len, uint32_t good_len, bool read_only)
{
	int all = PROT_READ | PROT_WRITE | PROT_EXEC, prot = read_only ? PROT_READ : all;
	FL_CLOSE int good = memfd_create("good", MFD_CLOEXEC), lost = memfd_create("lost", MFD_CLOEXEC);
	uint64_t middle = start + lost_len;

	if (good < 0 || lost < 0 || ftruncate(good, (off_t)good_len) < 0 ||
	    (read_only && ftruncate(lost, (off_t)lost_len) < 0))
		return false;
	if (!map_at(start, lost_len, prot, MAP_SHARED, lost) ||
	    !map_at(middle, good_len + (read_only ? 0 : lost_len), all, MAP_SHARED, good) ||
	    (read_only && !map_at(middle + good_len, lost_len, prot, MAP_SHARED, lost)))
		return false;
	*arena = (struct insn_arena){start, lost_len, good_len, lost_len};
	return true;
}

/* NOP and INT3 in a 32-bit code segment. */
static bool try_compat(struct native_run *run, uint64_t code)
{
	struct insn_state state = {.cs = INSN_CS_32, .ss = 0x2b, .ds = 0x2b, .es = 0x2b, .rip = code, .rflags = 0x202};
	struct insn_outcome outcome;

	memcpy((void *)(uintptr_t)code, "\x90\xcc", 2);
	native_insn(run, &state, &outcome);
	return outcome.end == INSN_END_DONE && outcome.state.rip == code + 2;
}

bool native_world_like(struct insn_world *world, uint64_t code, uint64_t low, uint64_t high, uint64_t gs_base)
{
	int all = PROT_READ | PROT_WRITE | PROT_EXEC;

	*world = (struct insn_world){.code = code, .fs_base = native_fs_base(), .gs_base = gs_base};
	world->amd = fl_cpu_is_amd();
	fl_xsave_layout_init(&world->xsave);
	if (map_at(code, FL_PAGE_LEN, all, MAP_PRIVATE | MAP_ANONYMOUS, -1) &&
	    make_arena(&world->arena[ARENA_LOW], low - NATIVE_LOST_LEN, NATIVE_LOST_LEN, NATIVE_GOOD_LEN, false) &&
	    make_arena(&world->arena[ARENA_HIGH], high - NATIVE_LOST_LEN, NATIVE_LOST_LEN, NATIVE_GOOD_LEN, false))
		return true;
	printf("# cannot map the pages: %s\n", strerror(errno));
	return false;
}

bool native_world_init(struct insn_world *world, struct native_run *run)
{
	if (!native_world_like(world, CODE, ARENA_1, ARENA_2, GS_BASE))
		return false;
	if (!make_arena(&world->read_only[ARENA_LOW], READ_ONLY_1, NATIVE_LOST_LEN, NATIVE_GOOD_LEN, true) ||
	    !make_arena(&world->read_only[ARENA_HIGH], READ_ONLY_2, NATIVE_LOST_LEN, NATIVE_GOOD_LEN, true)) {
		printf("# cannot map the read-only pages: %s\n", strerror(errno));
		return false;
	}
	world->compat = try_compat(run, CODE);
	if (!world->compat)
		printf("# not here: 32-bit code (no such code segment)\n");
	if (world->compat && !make_arena(&world->arena[ARENA_TINY], ARENA_3, TINY_LEN, TINY_LEN, false))
		printf("# not here: 16-bit addresses (vm.mmap_min_addr): %s\n", strerror(errno));
	if (world->compat && native_set_ldt(0, LDT_BASE, false, true)) {
		world->ldt_base = LDT_BASE;
		world->ldt_data = 7; /* entry 0 of the LDT, RPL 3 */
	} else if (world->compat) {
		printf("# not here: segment bases (modify_ldt): %s\n", strerror(errno));
	}
	return true;
}

static bool is_inside(const struct insn_arena *arena, uint64_t at)
{
	return arena->start && at >= arena->start &&
	       at - arena->start < arena->before_len + arena->good_len + arena->after_len;
}

static bool is_good(const struct insn_arena *arena, uint64_t at)
{
	return is_inside(arena, at) && at - arena->start >= arena->before_len &&
	       at - arena->start - arena->before_len < arena->good_len;
}

static const struct insn_arena *find(const struct insn_world *world, uint64_t at, bool *read_only)
{
	*read_only = false;
	for (unsigned int i = 0; i < ARENA_COUNT; i++)
		if (is_inside(&world->arena[i], at))
			return &world->arena[i];
	*read_only = true;
	for (unsigned int i = 0; i < 2; i++)
		if (is_inside(&world->read_only[i], at))
			return &world->read_only[i];
	return NULL;
}

static bool is_code(const struct insn_world *world, uint64_t at)
{
	return at - world->code < FL_PAGE_LEN;
}

void native_prepare(const struct insn_world *world, const struct insn_case *c)
{
	const struct insn_arena *arena = c->arena;
	bool read_only;

	memset((void *)(uintptr_t)(arena->start + arena->before_len), 0, arena->good_len);
	for (size_t i = 0; i <= c->len; i++) {
		uint64_t at = c->state.rip + i;
		const struct insn_arena *in = find(world, at, &read_only);

		if (is_code(world, at) || (in && is_good(in, at)))
			*(uint8_t *)(uintptr_t)at = c->bytes[i];
	}
}

bool native_is_intact(const struct insn_world *world, const struct insn_case *c)
{
	bool read_only;

	for (size_t i = 0; i < c->len; i++) {
		uint64_t at = c->state.rip + i;
		const struct insn_arena *in = find(world, at, &read_only);

		if ((is_code(world, at) || (in && is_good(in, at))) && *(const uint8_t *)(uintptr_t)at != c->bytes[i])
			return false;
	}
	return true;
}

bool native_is_lost(const struct insn_world *world, uint64_t at, enum fl_access access)
{
	bool read_only;
	const struct insn_arena *arena = find(world, at, &read_only);

	return arena && !is_good(arena, at) && (!read_only || access == FL_ACCESS_WRITE);
}

/* ---- struct fl_locate_ops: guest-physical addresses are the linear ones ---- */

struct asking {
	const struct insn_world *world;
	const struct insn_state *state;
};

static bool translate(void *arg, uint64_t linear, uint64_t *gpa)
{
	const struct asking *asking = arg;
	bool read_only;

	*gpa = linear;
	return is_code(asking->world, linear) || find(asking->world, linear, &read_only);
}

static bool is_bad(void *arg, uint64_t gpa, enum fl_access access)
{
	return native_is_lost(((const struct asking *)arg)->world, gpa, access);
}

static int read_memory(void *arg, uint64_t gpa, void *buf, size_t len)
{
	uint64_t linear;

	if (!translate(arg, gpa, &linear) || is_bad(arg, gpa, FL_ACCESS_READ))
		return -EFAULT;
	memcpy(buf, (const void *)(uintptr_t)gpa, len);
	return 0;
}

static bool is_window(void *arg, uint64_t gpa)
{
	const struct asking *asking = arg;
	bool read_only;

	return find(asking->world, gpa, &read_only) != NULL;
}

static bool give_vectors(void *arg, struct fl_vectors *vectors)
{
	const struct asking *asking = arg;

	*vectors = asking->state->vectors;
	vectors->xsave = &asking->world->xsave;
	return true;
}

static void view(const struct insn_world *world, const struct insn_state *state, struct kvm_regs *regs,
		 struct kvm_sregs *sregs)
{
	const uint64_t *gpr = state->gpr;
	bool ldt = state->ds == world->ldt_data && world->ldt_base;

	*regs = (struct kvm_regs){.rax = gpr[RAX],
				  .rbx = gpr[RBX],
				  .rcx = gpr[RCX],
				  .rdx = gpr[RDX],
				  .rsi = gpr[RSI],
				  .rdi = gpr[RDI],
				  .rsp = gpr[RSP],
				  .rbp = gpr[RBP],
				  .r8 = gpr[R8],
				  .r9 = gpr[R9],
				  .r10 = gpr[R10],
				  .r11 = gpr[R11],
				  .r12 = gpr[R12],
				  .r13 = gpr[R13],
				  .r14 = gpr[R14],
				  .r15 = gpr[R15],
				  .rip = state->rip,
				  .rflags = state->rflags};
	*sregs = (struct kvm_sregs){
		.cr0 = 0x80000011,
		.efer = 0x500,
		.cs = {.l = state->cs == INSN_CS_64, .db = state->cs == INSN_CS_32},
		.ss = {.base = ldt ? world->ldt_base : 0, .db = 1},
		.ds = {.base = ldt ? world->ldt_base : 0},
		.es = {.base = ldt ? world->ldt_base : 0},
		.fs = {.base = state->fs_base},
		.gs = {.base = state->gs_base},
	};
}

enum fl_locate_result native_locate(const struct insn_world *world, const struct insn_state *state,
				    struct fl_location *location)
{
	static const struct fl_intake bare = {.kind = FL_INTAKE_FAULT, .shape = FL_SHAPE_EFAULT};
	struct asking asking = {.world = world, .state = state};
	const struct fl_locate_ops ops = {.translate = translate,
					  .read = read_memory,
					  .is_bad = is_bad,
					  .is_window = is_window,
					  .vectors = give_vectors,
					  .arg = &asking};
	struct kvm_sregs sregs;
	struct kvm_regs regs;
	struct fl_pieces pieces;
	struct fl_cpu_view cpu = {.regs = &regs, .sregs = &sregs, .amd = world->amd};

	view(world, state, &regs, &sregs);

	fl_locate_pieces(&ops, &cpu, &pieces);
	return fl_locate(&ops, &bare, &pieces, location);
}
