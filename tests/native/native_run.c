/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/native/native_run.h"

#include <asm/ldt.h>
#include <asm/prctl.h>
#include <cpuid.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>

/* arch/x86/include/uapi/asm/sigcontext.h, prctl.h */
#define XSTATE_MAGIC	 0x46505853u
#define XSTATE_SW_OFFSET 464u
#define ARCH_REQ_PERM	 0x1023
#define XSAVE_XMM	 160u
#define XSAVE_HEADER	 512u
#define XSAVE_LEGACY_LEN 576u
#define COMP_YMM	 2u
#define COMP_OPMASK	 5u
#define COMP_ZMM_HI	 6u
#define COMP_ZMM16	 7u
#define COMP_TILECFG	 17u
#define COMP_TILEDATA	 18u
#define ALT_STACK_LEN	 (256u << 10)
#define ERROR_WRITE	 2u
#define ERROR_FETCH	 16u
#define TRAP_PF		 14u

enum phase { PHASE_IDLE, PHASE_ENTER, PHASE_RUN };

struct native_run {
	volatile enum phase phase;
	const struct insn_state *state;
	struct insn_outcome *outcome;
	gregset_t host;
	uint8_t host_fp[XSAVE_LEGACY_LEN];
	uint32_t offset[32]; /* of each XSAVE component */
	uint8_t stack[ALT_STACK_LEN];
};

/* A signal handler is given no argument. */
static struct native_run *the_run;

static const int gpr_index[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
				  REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

struct frame_sw {
	uint32_t magic, extended_len;
	uint64_t features;
	uint32_t xstate_len;
};

static uint64_t frame_features(const uint8_t *area)
{
	struct frame_sw sw;

	memcpy(&sw, area + XSTATE_SW_OFFSET, sizeof(sw));
	return sw.magic == XSTATE_MAGIC ? sw.features : 3;
}

/* Moves one component between the frame and the registers' picture. */
static void move(uint8_t *area, uint32_t at, void *reg, size_t len, bool load)
{
	if (!load && !at)
		memset(reg, 0, len);
	else if (load && at)
		memcpy(area + at, reg, len);
	else if (at)
		memcpy(reg, area + at, len);
}

static uint32_t component(const struct native_run *run, uint64_t present, unsigned int number)
{
	return present >> number & 1 ? run->offset[number] : 0;
}

uint64_t native_xcr0(void)
{
	uint32_t eax, edx;

	__asm__ volatile("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
	return (uint64_t)edx << 32 | eax;
}

static void move_vectors(const struct native_run *run, uint8_t *area, struct fl_vectors *v, bool load)
{
	uint64_t in_use, features = frame_features(area), present;

	memcpy(&in_use, area + XSAVE_HEADER, sizeof(in_use));
	if (load) {
		in_use = features & run->state->xinuse;
		memcpy(area + XSAVE_HEADER, &in_use, sizeof(in_use));
	}
	present = in_use & features;
	for (unsigned int i = 0; i < 16; i++) {
		uint32_t ymm = component(run, present, COMP_YMM), zmm = component(run, present, COMP_ZMM_HI);
		uint32_t high = component(run, present, COMP_ZMM16);

		move(area, present & 2 ? XSAVE_XMM + i * 16 : 0, &v->zmm[i][0], 16, load);
		move(area, ymm ? ymm + i * 16 : 0, &v->zmm[i][16], 16, load);
		move(area, zmm ? zmm + i * 32 : 0, &v->zmm[i][32], 32, load);
		move(area, high ? high + i * 64 : 0, v->zmm[16 + i], 64, load);
	}
	move(area, component(run, present, COMP_OPMASK), v->k, sizeof(v->k), load);
	move(area, component(run, present, COMP_TILECFG), v->tile_config, sizeof(v->tile_config), load);
	if (!load)
		v->xcr0 = native_xcr0();
}

static void enter(struct native_run *run, ucontext_t *context)
{
	greg_t *regs = context->uc_mcontext.gregs;
	uint8_t *area = (uint8_t *)context->uc_mcontext.fpregs;
	const struct insn_state *state = run->state;
	struct fl_vectors vectors = state->vectors;

	memcpy(run->host, regs, sizeof(run->host));
	memcpy(run->host_fp, area, sizeof(run->host_fp));
	for (unsigned int i = 0; i < 16; i++)
		regs[gpr_index[i]] = (greg_t)state->gpr[i];
	regs[REG_RIP] = (greg_t)state->rip;
	regs[REG_EFL] = (greg_t)state->rflags;
	regs[REG_CSGSFS] = (greg_t)(state->cs | (uint64_t)state->ss << 48);
	move_vectors(run, area, &vectors, true);
}

static void leave(struct native_run *run, int signal, const siginfo_t *info, ucontext_t *context)
{
	greg_t *regs = context->uc_mcontext.gregs;
	uint8_t *area = (uint8_t *)context->uc_mcontext.fpregs;
	struct insn_outcome *outcome = run->outcome;
	uint64_t error = (uint64_t)regs[REG_ERR];

	outcome->state = *run->state;
	for (unsigned int i = 0; i < 16; i++)
		outcome->state.gpr[i] = (uint64_t)regs[gpr_index[i]];
	outcome->state.rip = (uint64_t)regs[REG_RIP];
	outcome->state.rflags = (uint64_t)regs[REG_EFL];
	move_vectors(run, area, &outcome->state.vectors, false);
	outcome->signal = signal;
	outcome->trap = (unsigned int)regs[REG_TRAPNO];
	outcome->address = (uint64_t)info->si_addr;
	outcome->access = error & ERROR_FETCH	? FL_ACCESS_FETCH
			  : error & ERROR_WRITE ? FL_ACCESS_WRITE
						: FL_ACCESS_READ;
	if (outcome->state.rip != run->state->rip)
		outcome->end = INSN_END_DONE;
	else if (outcome->trap == TRAP_PF && (signal == SIGBUS || signal == SIGSEGV))
		outcome->end = INSN_END_FAULT;
	else
		outcome->end = INSN_END_OTHER;
	memcpy(regs, run->host, sizeof(run->host));
	memcpy(area, run->host_fp, XSTATE_SW_OFFSET);
	regs[REG_RIP] += 2; /* behind the UD2 of native_insn() */
}

static void on_signal(int signal_number, siginfo_t *info, void *context)
{
	struct native_run *run = the_run;

	switch (run->phase) {
	case PHASE_ENTER:
		run->phase = PHASE_RUN;
		enter(run, context);
		break;
	case PHASE_RUN:
		run->phase = PHASE_IDLE;
		leave(run, signal_number, info, context);
		break;
	case PHASE_IDLE: /* a fault of the test itself, which it dies of */
		(void)sigaction(signal_number, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
		break;
	}
}

static void find_components(struct native_run *run)
{
	unsigned int eax, ebx, ecx, edx;

	for (unsigned int i = 2; i < 32; i++)
		if (__get_cpuid_count(0xd, i, &eax, &ebx, &ecx, &edx) && eax)
			run->offset[i] = ebx;
}

struct native_run *native_new(void)
{
	static const int signals[] = {SIGBUS, SIGSEGV, SIGILL, SIGTRAP, SIGFPE};
	struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
	struct native_run *run = calloc(1, sizeof(*run));
	stack_t stack = {.ss_size = ALT_STACK_LEN};

	if (run)
		stack.ss_sp = run->stack;
	if (!run || sigaltstack(&stack, NULL) < 0) {
		printf("# no alternate stack for signals: %s\n", strerror(errno));
		free(run);
		return NULL;
	}
	find_components(run);
	the_run = run;
	for (size_t i = 0; i < FL_ARRAY_SIZE(signals); i++)
		sigaction(signals[i], &action, NULL);
	return run;
}

void native_insn(struct native_run *run, const struct insn_state *state, struct insn_outcome *outcome)
{
	run->state = state;
	run->outcome = outcome;
	if (state->gs)
		__asm__ volatile("mov %0, %%gs" ::"r"((uint32_t)state->gs));
	else
		syscall(SYS_arch_prctl, ARCH_SET_GS, state->gs_base);
	__asm__ volatile("mov %0, %%ds; mov %1, %%es" ::"r"((uint32_t)state->ds), "r"((uint32_t)state->es));
	run->phase = PHASE_ENTER;
	__asm__ volatile("ud2" ::
				 : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
				   "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
	__asm__ volatile("mov %0, %%ds; mov %0, %%es" ::"r"(0));
	syscall(SYS_arch_prctl, ARCH_SET_GS, 0ul);
}

void native_use_amx(void)
{
	uint8_t config[64] = {[0] = 1, [16] = 64, [48] = 1};

	if (!native_has_amx())
		return;
	__asm__ volatile(".byte 0xc4, 0xe2, 0x78, 0x49, 0x00\n" /* ldtilecfg (%%rax) */
			 ".byte 0xc4, 0xe2, 0x7b, 0x49, 0xc0\n" /* tilezero %%tmm0 */
			 ".byte 0xc4, 0xe2, 0x78, 0x49, 0xc0\n" /* tilerelease */
			 ::"a"(config)
			 : "memory");
}

bool native_has_amx(void)
{
	unsigned int eax, ebx, ecx, edx;

	return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (edx >> 24 & 1) &&
	       syscall(SYS_arch_prctl, ARCH_REQ_PERM, COMP_TILEDATA) == 0;
}

uint64_t native_fs_base(void)
{
	uint64_t base = 0;

	syscall(SYS_arch_prctl, ARCH_GET_FS, &base);
	return base;
}

bool native_set_ldt(unsigned int entry, uint32_t base, bool code, bool wide)
{
	struct user_desc desc = {.entry_number = entry,
				 .base_addr = base,
				 .limit = 0xfffff,
				 .seg_32bit = wide,
				 .contents = code ? MODIFY_LDT_CONTENTS_CODE : MODIFY_LDT_CONTENTS_DATA,
				 .limit_in_pages = 1,
				 .useable = 1};

	return syscall(SYS_modify_ldt, 1, &desc, sizeof(desc)) == 0;
}
