/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What test_kvm_vm.c and test_kvm_windows.c boot in place of a kernel: the 64-bit entry point of boot.rst, with the first 4 GiB mapped one to
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

/*
 * The same for a window of 64 GiB at 64 GiB, whose first and last 2 MiB are put at 5 GiB by entries in the tables that the
 * machine has made (layout.h): the first word of the first, the last one of the second, are read and written.
 */
	.globl vm_far_guest_start, vm_far_guest_end
vm_far_guest_start:
	mov	$0x2100000, %rbx
	mov	$0x1000000087, %rax
	mov	%rax, (%rbx)
	mov	$0x1fffe00087, %rax
	mov	%rax, 8(%rbx)
	mov	$0xa028, %rcx
	mov	$0x2100007, %rax
	mov	%rax, (%rcx)
	mov	$0x140000000, %rbx
	mov	$0x2000000, %rcx
	mov	(%rbx), %rax
	mov	%rax, (%rcx)
	mov	0x3ffff8(%rbx), %rax
	mov	%rax, 8(%rcx)
	mov	$0x55aa, %rax
	mov	%rax, 8(%rbx)
	mov	%rax, 0x3ffff0(%rbx)
	mov	$0xd0000000, %rdx
	mov	$0x5555, %eax
	mov	%eax, (%rdx)
1:	jmp	1b
vm_far_guest_end:
	.section .note.GNU-stack, "", @progbits
