/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What test_kvm_vm.c boots in place of a kernel: the 64-bit entry point of boot.rst, with the first 4 GiB mapped one to
 * one. It reads two pages of a window into memory, writes to the first, and powers the machine off. The numbers are those
 * of test_kvm_vm.c and of the machine's syscon.
 */
	.section .rodata
	.globl vm_guest_start, vm_guest_end
	.code64
vm_guest_start:
	mov	$0x8000000, %rbx
	mov	(%rbx), %rax
	mov	$0x2000000, %rcx
	mov	%rax, (%rcx)
	mov	$0x55aa, %rax
	mov	%rax, 8(%rbx)
	mov	0x1000(%rbx), %rax
	mov	%rax, 8(%rcx)
	mov	$0xd0000000, %rdx
	mov	$0x5555, %eax
	mov	%eax, (%rdx)
1:	jmp	1b
vm_guest_end:
	.section .note.GNU-stack, "", @progbits
