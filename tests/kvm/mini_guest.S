/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mini guest: exception handlers and small programs. Everything is position-independent and
 * simple, because software KVMs run CPL 0 code in an incomplete emulator. mini_vm.h has the layout;
 * GS points at the vCPU's block.
 */
#include "tests/kvm/mini_layout.h"

	.section .rodata
	.balign 4096
	.globl mini_guest_start, mini_guest_end
mini_guest_start:

	.macro program name
	.globl mini_\name
mini_\name:
	.endm

/* ---- exception entries: MINI_STUB_LEN bytes each ---- */
	.macro stub vector, has_error
	.balign MINI_STUB_LEN
	.if !\has_error
	pushq $0
	.endif
	pushq $\vector
	jmp exception
	.endm

	program stubs
	.set i, 0
	.rept 32
	.if (i == 8) || ((i >= 10) && (i <= 14)) || (i == 17) || (i == 21)
	stub i, 1
	.else
	stub i, 0
	.endif
	.set i, i + 1
	.endr
	.balign MINI_STUB_LEN
	program interrupt_stub
	push %rax
	push %rbx
	mov %gs:MINI_INTERRUPTS, %rax
	inc %rax
	mov %rax, %gs:MINI_INTERRUPTS
	mov $0xfee000b0, %ebx
	movl $0, (%rbx)
	pop %rbx
	pop %rax
	iretq

exception:
	push %r15
	push %r14
	push %r13
	push %r12
	push %r11
	push %r10
	push %r9
	push %r8
	push %rbp
	push %rdi
	push %rsi
	push %rdx
	push %rcx
	push %rbx
	push %rax
	mov %gs:MINI_SELF, %rbp
	/* %rdi: this exception's log entry, which an NMI that comes in from here on cannot take; the log wraps */
	mov $1, %eax
	xadd %rax, %gs:MINI_TAKEN
	and $(MINI_LOG_MAX - 1), %eax
	mov %rax, %rdi
	shl $8, %rdi
	add $MINI_LOG, %rdi
	add %rbp, %rdi
	/* the 15 registers, vector, error code and the CPU's frame of 5 */
	mov %rsp, %rsi
	mov $22, %ecx
1:	mov (%rsi), %rax
	mov %rax, (%rdi)
	add $8, %rsi
	add $8, %rdi
	sub $1, %ecx
	jnz 1b
	/* the highest posted record with the saved RIP */
	mov 17*8(%rsp), %rdx
	mov $MINI_AREA + 192, %rsi
	add %rbp, %rsi
	mov $4, %ebx
2:	cmpl $1, (%rsi)
	jne 3f
	cmp %rdx, 48(%rsi)
	je 4f
3:	sub $64, %rsi
	sub $1, %ebx
	jnz 2b
	jmp 5f
4:	mov %rsi, %rdx
	mov $8, %ecx
1:	mov (%rsi), %rax
	mov %rax, (%rdi)
	add $8, %rsi
	add $8, %rdi
	sub $1, %ecx
	jnz 1b
	movl $0, (%rdx)
5:	addq $1, %gs:MINI_COUNT
	mov %gs:MINI_INDEX, %rax
	out %al, $MINI_PORT_EXCEPTION
	mov %gs:MINI_RESUME, %rax
	test %rax, %rax
	jz 6f
	mov %rax, 17*8(%rsp)
	xor %eax, %eax
	mov %rax, %gs:MINI_RESUME
6:	pop %rax
	pop %rbx
	pop %rcx
	pop %rdx
	pop %rsi
	pop %rdi
	pop %rbp
	pop %r8
	pop %r9
	pop %r10
	pop %r11
	pop %r12
	pop %r13
	pop %r14
	pop %r15
	add $16, %rsp
	iretq

/* ---- programs ---- */
	program done
	mov %gs:MINI_SELF, %rbp
	mov %rax, MINI_RESULT(%rbp)
	mov %rcx, MINI_RESULT + 8(%rbp)
	mov %rsi, MINI_RESULT + 16(%rbp)
	mov %rdi, MINI_RESULT + 24(%rbp)
	mov %rdx, MINI_RESULT + 32(%rbp)
	mov %cs, %eax
	test $3, %al
	jz mini_finish
	ud2
	/* the gate of #UD: not every KVM lets CPL 3 do port I/O */
	program finish
	mov %gs:MINI_INDEX, %rax
	out %al, $MINI_PORT_DONE
1:	pause
	jmp 1b

	program read
	mov (%rbx), %rax
	jmp mini_done

	program write
	mov %rax, (%rbx)
	jmp mini_done

	program atomic
	lock addq $1, (%rbx)
	jmp mini_done

	program fetch
	jmp *%rbx

	program push
	xchg %rsp, %rbx
	program push_insn
	push %rax
	xchg %rsp, %rbx
	jmp mini_done

	program call
	xchg %rsp, %rbx
	program call_insn
	call 1f
1:	xchg %rsp, %rbx
	jmp mini_done

	program rep_movsb
	rep movsb
	jmp mini_done

	program rep_stosl
	rep stosl
	jmp mini_done

	program movsq
	movsq
	jmp mini_done

	program read_loop
1:	mov (%rbx), %rax
	incq %gs:MINI_ROUNDS
	mov %gs:MINI_STOP, %rcx
	test %rcx, %rcx
	jz 1b
	jmp mini_done

	/* an exception whose frame cannot be pushed */
	program bad_stack
	mov %rbx, %rsp
	ud2

	/* wrmsr %rcx, then rdmsr */
	program wrmsr_rdmsr
	wrmsr
	xor %eax, %eax
	xor %edx, %edx
	rdmsr
	jmp mini_done

	program wrmsr_read
	wrmsr
	mov (%rbx), %rax
	jmp mini_done

	/*
	 * %r8 times: a one-shot timer of %rsi ticks of 1 ns (none if 0), then idle by MSR %rdi, in the shadow
	 * of STI, until an interrupt has come
	 */
	program idle
	mov $0xfee00000, %ebx
	movl $0x1ff, 0xf0(%rbx)
	movl $0xb, 0x3e0(%rbx)
	movl $MINI_TIMER_VECTOR, 0x320(%rbx)
	mov %gs:MINI_INDEX, %rax
	out %al, $MINI_PORT_READY
1:	cli
	mov %gs:MINI_INTERRUPTS, %rbp
	mov $0xfee00000, %ebx
	test %rsi, %rsi
	jz 2f
	mov %esi, 0x380(%rbx)
2:	cli
	mov %gs:MINI_INTERRUPTS, %rax
	cmp %rbp, %rax
	jne 3f
	mov %rdi, %rcx
	xor %eax, %eax
	xor %edx, %edx
	sti
	wrmsr
	jmp 2b
3:	sub $1, %r8
	jnz 1b
	jmp mini_done

	/* send the vector in %rsi to APIC id %rdi, by the xAPIC */
	program ipi
	mov $0xfee00000, %ebx
	movl $0x1ff, 0xf0(%rbx)
	shl $24, %edi
	mov %edi, 0x310(%rbx)
	mov %esi, 0x300(%rbx)
	jmp mini_done

	program spin
1:	pause
	jmp 1b

	/* the tightest loop there is */
	program still
	jmp mini_still

	/* CPL 0 */
	program halt
1:	hlt
	jmp 1b

	/* CPL 0: one exit after the other, until MINI_STOP */
	program exits
	mov %gs:MINI_INDEX, %rax
1:	out %al, $MINI_PORT_READY
	mov %gs:MINI_STOP, %rcx
	test %rcx, %rcx
	jz 1b
	jmp mini_done

#include "tests/kvm/hostile_guest.inc"

mini_guest_end:
	.section .note.GNU-stack, "", @progbits
