/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest programs that fault as fast as they can, for measurements and for the storm. Unlike mini_guest.S their
 * #NP handler logs nothing: it frees the record, steps over the instruction and returns. Every instruction that
 * may fault here is 3 bytes long. GS points at the vCPU's block.
 */
#include "tests/kvm/load_layout.h"

	.section .rodata
	.balign 4096
	.globl load_guest_start, load_guest_end
load_guest_start:

	.macro program name
	.globl load_\name
load_\name:
	.endm

	/* nothing nests here, so the record is always the first */
	program skip
	movl $0, %gs:MINI_AREA
	addq $3, 8(%rsp)
	add $8, %rsp
	iretq

	/* the same, and it tells: %r12, a count */
	program skip_and_tell
	movl $0, %gs:MINI_AREA
	addq $3, 8(%rsp)
	mov $1, %r12d
	addq $1, %gs:LOAD_FAULTS
	add $8, %rsp
	iretq

	/* the same, and the first thing it does is an exit */
	program say_and_skip
	push %rax
	mov %gs:MINI_INDEX, %rax
	out %al, $LOAD_PORT_FAULT
	pop %rax
	movl $0, %gs:MINI_AREA
	addq $3, 8(%rsp)
	addq $1, %gs:LOAD_FAULTS
	add $8, %rsp
	iretq

	.macro time into
	rdtsc
	shl $32, %rdx
	or %rdx, %rax
	mov %rax, \into
	.endm

finish:
	mov %cs, %eax
	test $3, %al
	jz 1f
	ud2
1:	mov %gs:MINI_INDEX, %rax
	out %al, $MINI_PORT_DONE
2:	pause
	jmp 2b

	/* %rcx times: a port exit, a fault at %rbx, nothing; to %rdi how many ticks each took */
	program pair
1:	time %r8
	out %al, $LOAD_PORT_NOTHING
	time %r9
	mov (%rbx), %rax
	time %r10
	time %r11
	sub %r10, %r11
	sub %r9, %r10
	sub %r8, %r9
	mov %r9, (%rdi)
	mov %r10, 8(%rdi)
	mov %r11, 16(%rdi)
	add $24, %rdi
	sub $1, %rcx
	jnz 1b
	jmp finish

	/* loads from %rbx, which may fault, until it is told to stop */
	program faults
	mov %gs:MINI_INDEX, %rax
	out %al, $MINI_PORT_READY
1:	mov (%rbx), %rax
	mov %gs:LOAD_TURNS, %rax
	add $1, %rax
	mov %rax, %gs:LOAD_TURNS
	mov %gs:MINI_STOP, %rax
	test %rax, %rax
	jz 1b
	jmp finish

	/* port exits until it is told to stop */
	program exits
	mov %gs:MINI_INDEX, %rax
	out %al, $MINI_PORT_READY
1:	out %al, $LOAD_PORT_NOTHING
	mov %gs:LOAD_TURNS, %rax
	add $1, %rax
	mov %rax, %gs:LOAD_TURNS
	mov %gs:MINI_STOP, %rax
	test %rax, %rax
	jz 1b
	jmp finish

	.macro read_all base
	time %r9
	mov \base, %rax
	lea (%rax,%rsi), %r10
2:	mov (%rax), %r11
	add %rbp, %rax
	cmp %r10, %rax
	jb 2b
	mov %rax, %r10
	time %r10
	sub %r9, %r10
	mov %r10, (%rdi)
	add $8, %rdi
	.endm

	/* %r8 times: read %rsi bytes, one word in %rdx, at each of four places (the table at %rbx); ticks to %rdi */
	program reads
	mov %rdx, %rbp
	mov 0(%rbx), %r13
	mov 8(%rbx), %r14
	mov 16(%rbx), %r15
	mov 24(%rbx), %r12
1:	read_all %r13
	read_all %r14
	read_all %r15
	read_all %r12
	sub $1, %r8
	jnz 1b
	jmp finish

	/*
	 * Loads, and one time in four a store, at places from a generator seeded with %r8, below %rsi (a power of
	 * two) from %rbx, until told to stop. A word that was loaded is zero, or says which place it is made for and in
	 * which generation; stores go to the upper half and have a generation of their own.
	 */
	program storm
	movabs $6364136223846793005, %r9
	movabs $1442695040888963407, %r10
	sub $8, %rsi
	and $-8, %rsi
	mov %rsi, %rbp
	add $8, %rbp
	shr $1, %rbp
1:	imul %r9, %r8
	add %r10, %r8
	mov %r8, %rax
	shr $33, %rax
	and %rsi, %rax
	mov %rax, %r11
	lea (%rbx,%rax), %r14
	xor %r12d, %r12d
	bt $40, %r8
	jc 3f
	bt $41, %r8
	jc 3f
	cmp %rbp, %r11
	jb 3f
	mov $LOAD_GUEST_GENERATION, %eax
	shl $32, %rax
	or %r11, %rax
	mov %rax, (%r14)
	jmp 7f
3:	mov LOAD_OLDEST, %r13
	mov (%r14), %rax
	mov LOAD_NEWEST, %r15
	test %r12, %r12
	jnz 7f
	test %rax, %rax
	jnz 4f
	mov %gs:LOAD_ZEROS, %rcx
	add $1, %rcx
	mov %rcx, %gs:LOAD_ZEROS
	jmp 7f
4:	mov %rax, %rcx
	shr $32, %rcx
	cmp %r11d, %eax
	jne 6f
	mov $LOAD_GUEST_GENERATION, %edx
	cmp %rdx, %rcx
	jne 5f
	cmp %rbp, %r11
	jb 6f
	jmp 7f
5:	cmp %r13, %rcx
	jb 6f
	cmp %r15, %rcx
	jbe 7f
6:	mov %rax, %gs:LOAD_BAD
	mov %r11, %gs:LOAD_BAD+8
	mov %r13, %gs:LOAD_BAD+16
	mov %r15, %gs:LOAD_BAD+24
	mov %gs:LOAD_WRONG, %rcx
	add $1, %rcx
	mov %rcx, %gs:LOAD_WRONG
7:	mov %gs:LOAD_TURNS, %rcx
	add $1, %rcx
	mov %rcx, %gs:LOAD_TURNS
	mov %gs:MINI_STOP, %rcx
	test %rcx, %rcx
	jz 1b
	jmp finish

load_guest_end:
	.section .note.GNU-stack, "", @progbits
