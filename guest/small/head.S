/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of the small kernel is not C: the header by which it is loaded as a Linux kernel is (boot.rst), the tables of the
 * CPU, which are whole as they stand here, the way to CPL 3, where all of its C code runs, and the few things for which
 * it comes back. CPL 0 is kept this simple because software KVMs run it in an incomplete emulator, while CPL 3 is run by
 * the CPU itself.
 */
#include "guest/small/small_layout.h"

#define SERIAL_PORT	0x3f8
#define I8042_PORT	0x64
#define I8042_RESET	0xfe
#define LAPIC_EOI	(SMALL_LAPIC + 0xb0)
#define LAPIC_TIMER	(SMALL_LAPIC + 0x380)
#define CR4_SSE		0x600 /* OSFXSR, OSXMMEXCPT */
#define RFLAGS		0x202 /* interrupts on */

	.code64

/* ---- the real-mode kernel header: what a 64-bit loader looks at ---- */
	.section .setup, "a"
setup:
	.org setup + 0x1f1
	.byte	1			/* setup_sects */
	.org setup + 0x1f4
	.long	small_paragraphs	/* syssize */
	.org setup + 0x1fe
	.word	0xaa55
	.byte	0xeb, 0x6a		/* the header ends 0x6a bytes from here */
	.ascii	"HdrS"
	.word	0x020f			/* the protocol's version */
	.org setup + 0x20e
	.word	small_version - setup - 0x200
	.byte	0, 1			/* loadflags: LOADED_HIGH */
	.org setup + 0x22c
	.long	0x3fffffff		/* initrd_addr_max */
	.long	0x200000		/* kernel_alignment */
	.org setup + 0x236
	.word	1			/* xloadflags: XLF_KERNEL_64 */
	.long	4095			/* cmdline_size */
	.org setup + 0x258
	.quad	SMALL_BASE		/* pref_address */
	.long	small_init_len
	.org setup + 0x280
small_version:
	.asciz	"faultline-small"
	.org setup + 0x400

/* ---- the entry point: %rsi, the zero page ---- */
	.section .head, "ax"
head:
	.org head + 0x200
	mov	$SMALL_TABLES, %eax
	mov	%rax, %cr3
	mov	%cr4, %rax
	or	$CR4_SSE, %rax
	mov	%rax, %cr4
	mov	$gdt_pointer, %eax
	lgdt	(%rax)
	mov	$idt_pointer, %eax
	lidt	(%rax)
	mov	$SMALL_TSS_SEL, %eax
	ltr	%ax
	mov	$kernel_stack_end, %esp
	mov	$SMALL_USER_DATA, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%rsi, %rdi
	push	%rax
	mov	$small_stack_end - 8, %eax
	push	%rax
	mov	$RFLAGS, %eax
	push	%rax
	mov	$SMALL_USER_CODE, %eax
	push	%rax
	mov	$small_main, %eax
	push	%rax
	iretq

/* ---- exceptions and interrupts ---- */
	.macro stub vector, has_error
	.balign SMALL_STUB_LEN
	.if !\has_error
	pushq	$0
	.endif
	pushq	$\vector
	jmp	exception
	.endm

	.section .stubs, "ax"
	.set i, 0
	.rept SMALL_EXCEPTIONS
	.if (i == 8) || ((i >= 10) && (i <= 14)) || (i == 17) || (i == 21)
	stub i, 1
	.else
	stub i, 0
	.endif
	.set i, i + 1
	.endr
	.balign SMALL_STUB_LEN
	jmp	event

	/*
	 * The shadow of STI can be lost where SVM is emulated: the interrupt is then taken between STI and
	 * HLT, and HLT would wait for one that never comes, as the timer fires once. It goes on behind HLT.
	 */
event:
	push	%rax
	push	%rbx
	mov	$idle_halt, %eax
	cmp	%rax, 16(%rsp)		/* RIP */
	jne	1f
	movq	$idle_woken, 16(%rsp)
1:	mov	$small_events, %ebx
	mov	(%rbx), %rax
	inc	%rax
	mov	%rax, (%rbx)
	mov	$LAPIC_EOI, %ebx
	movl	$0, (%rbx)
	pop	%rbx
	pop	%rax
	iretq

	/* vector, error code, RIP, CS, RFLAGS, RSP, SS */
exception:
	push	%rax
	push	%rbx
	mov	24+16(%rsp), %rax	/* CS */
	test	$3, %al
	jz	reset
	mov	16(%rsp), %rax
	cmp	$6, %rax
	jne	trap
	mov	16+16(%rsp), %rax
	cmp	$small_call_insn, %rax
	je	call

	/* CPL 3 goes on at small_trapped, and finds here what it was */
trap:
	mov	$small_trap, %ebx
	mov	16(%rsp), %rax
	mov	%rax, (%rbx)
	mov	24(%rsp), %rax
	mov	%rax, 8(%rbx)
	mov	32(%rsp), %rax
	mov	%rax, 16(%rbx)
	mov	%cr2, %rax
	mov	%rax, 24(%rbx)
	mov	$small_trapped, %eax
	mov	%rax, 32(%rsp)
	pop	%rbx
	pop	%rax
	add	$16, %rsp
	iretq

	/* its registers are free to be used, but for RBX and those that C keeps */
call:
	add	$2, %rax
	mov	%rax, 32(%rsp)
	pop	%rbx
	pop	%rax
	cmp	$SMALL_CALL_IDLE, %eax
	je	call_idle
	cmp	$SMALL_CALL_WRITE, %eax
	je	call_write
	cmp	$SMALL_CALL_WRMSR, %eax
	je	call_wrmsr
	cmp	$SMALL_CALL_CPUID, %eax
	je	call_cpuid
	jmp	reset
called:
	add	$16, %rsp
	iretq

call_cpuid:
	mov	%rbx, %r8
	mov	%edi, %eax
	xor	%ecx, %ecx
	cpuid
	mov	%eax, (%rsi)
	mov	%ebx, 4(%rsi)
	mov	%ecx, 8(%rsi)
	mov	%edx, 12(%rsi)
	mov	%r8, %rbx
	jmp	called

call_wrmsr:
	mov	%edi, %ecx
	mov	%esi, %eax
	mov	%rsi, %rdx
	shr	$32, %rdx
	wrmsr
	jmp	called

call_write:
	mov	$SERIAL_PORT, %edx
1:	test	%rsi, %rsi
	jz	called
	mov	(%rdi), %al
	out	%al, %dx
	inc	%rdi
	dec	%rsi
	jmp	1b

	/* interrupts are off up to the instruction before the one that waits, so that none is missed */
call_idle:
	mov	$small_events, %edx
	mov	(%rdx), %rax
	cmp	%rsi, %rax
	jne	called
	mov	$LAPIC_TIMER, %edx
	mov	%edi, (%rdx)
	mov	$small_idle_msr, %edx
	mov	(%rdx), %ecx
	test	%ecx, %ecx
	jz	2f
	xor	%eax, %eax
	xor	%edx, %edx
	sti
	wrmsr
	cli
	jmp	called
2:	sti
idle_halt:
	hlt
idle_woken:
	cli
	jmp	called

reset:
	mov	$I8042_RESET, %eax
	out	%al, $I8042_PORT
1:	jmp	1b

/* ---- CPL 3 ---- */
	.text
	.globl small_call
small_call:
	mov	%edi, %eax
	mov	%rsi, %rdi
	mov	%rdx, %rsi
small_call_insn:
	ud2
	ret

	/* small_try(fn, arg): 0; -1 if it was left by an exception. None inside another. */
	.globl small_try
small_try:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	sub	$8, %rsp
	mov	%rsp, small_try_stack
	mov	%rdi, %rax
	mov	%rsi, %rdi
	call	*%rax
	xor	%eax, %eax
tried:
	movq	$0, small_try_stack
	add	$8, %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret
small_trapped:
	cld
	mov	small_try_stack, %rsp
	mov	$-1, %eax
	test	%rsp, %rsp
	jnz	tried
	mov	$small_stack_end, %esp
	call	small_lost

	/* small_switch(from, to): stores the stack pointer that is left, takes another */
	.globl small_switch
small_switch:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, (%rdi)
	mov	%rsi, %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret

/* ---- tables ---- */
	.set PRESENT, 0x07 /* writable, for CPL 3 too */
	.set LARGE, 0x80
	.set UNCACHED, 0x10

	.section .tables, "aw"
	.globl small_pdpt
pml4:
	.quad	SMALL_TABLES + 0x1000 + PRESENT
	.org pml4 + 0x1000
small_pdpt:
	.quad	SMALL_TABLES + 0x2000 + PRESENT, 0, 0, SMALL_TABLES + 0x3000 + PRESENT
	.org small_pdpt + 0x1000
	.set i, 0
	.rept 512
	.quad	(i << 21) + PRESENT + LARGE
	.set i, i + 1
	.endr
	.set i, 0
	.rept 512
	.quad	(3 << 30) + (i << 21) + PRESENT + LARGE + UNCACHED
	.set i, i + 1
	.endr

	/* interrupt gates, for CPL 0 and what CPL 3 causes */
	.set i, 0
	.rept SMALL_EXCEPTIONS + 1
	.set at, SMALL_STUBS + i * SMALL_STUB_LEN
	.word	at & 0xffff, SMALL_CODE, 0x8e00, (at >> 16) & 0xffff
	.long	at >> 32, 0
	.set i, i + 1
	.endr
	.org pml4 + 0x5000

	.quad	0, 0
	.quad	0x00af9b000000ffff	/* 0x10: code */
	.quad	0x00cf93000000ffff	/* 0x18: data */
	.quad	0x0000890000000067 + ((SMALL_TSS & 0xffffff) << 16) + ((SMALL_TSS >> 24) << 56), 0
	.quad	0x00cff3000000ffff	/* 0x33: data of CPL 3 */
	.quad	0x00affb000000ffff	/* 0x3b: code of CPL 3 */
	.org pml4 + 0x5100
	.long	0
	.quad	kernel_stack_end	/* RSP0 */
	.org pml4 + 0x5100 + 102
	.word	104			/* no ports for CPL 3 */

	.section .rodata
gdt_pointer:
	.word	8 * 8 - 1
	.quad	SMALL_GDT
idt_pointer:
	.word	(SMALL_EXCEPTIONS + 1) * 16 - 1
	.quad	SMALL_IDT

	.bss
	.balign 16
	.skip 8192
kernel_stack_end:
	.skip 65536
small_stack_end:
	.globl small_events, small_trap, small_idle_msr, small_try_stack
small_events:
	.skip 8
small_trap:
	.skip 32
small_try_stack:
	.skip 8
small_idle_msr:
	.skip 8
	.section .note.GNU-stack, "", @progbits
