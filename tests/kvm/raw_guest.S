/* SPDX-License-Identifier: Apache-2.0 */
/* The guest of raw_vm: reads one byte at CPL 3, says before and after that it does; and takes KVM's asynchronous
   page faults. Position-independent; raw_vm.h has the layout. */
#include "tests/kvm/raw_vm.h"

	.section .rodata
	.balign 16
	.globl raw_guest_start, raw_guest_end, raw_guest_read, raw_guest_insn, raw_guest_page_fault, raw_guest_ready
raw_guest_start:
raw_guest_read:
	out %al, $RAW_PORT_ABOUT_TO_READ
raw_guest_insn:
	movb (%rdi), %al
	out %al, $RAW_PORT_HAVE_READ
	jmp raw_guest_read

	/* #PF, "page not present": takes the reason and goes back to the instruction, as an idle guest would */
raw_guest_page_fault:
	push %rax
	mov $RAW_APF_AREA, %eax
	movl $0, (%rax)
	mov $RAW_COUNTS, %eax
	addq $1, (%rax)
	pop %rax
	add $8, %rsp
	iretq

	/* "page ready": takes the token, says so, ends the interrupt */
raw_guest_ready:
	push %rax
	push %rcx
	push %rdx
	mov $RAW_COUNTS + 8, %eax
	addq $1, (%rax)
	mov $RAW_APF_AREA + 4, %eax
	movl $0, (%rax)
	mov $0xfee000b0, %eax
	movl $0, (%rax)
	mov $RAW_MSR_APF_ACK, %ecx
	mov $1, %eax
	xor %edx, %edx
	wrmsr
	pop %rdx
	pop %rcx
	pop %rax
	iretq
raw_guest_end:

	.section .note.GNU-stack, "", @progbits
