/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What test_kvm_pause_vm.c boots in place of a kernel: it does for ever what leaves KVM something to finish, in an order
 * in which nothing can be lost or done twice without being seen. Each round counts at RESULTS, sends sixteen bytes that
 * count up to the serial port, fifteen of them by one instruction, reads four registers of the first virtio device by
 * one instruction, and reads the second page of the window. It ends when the third word of the window is not 0.
 * The numbers are those of layout.h and of test_kvm_pause_vm.c.
 */
	.section .rodata
	.globl pause_guest_start, pause_guest_end
	.code64
pause_guest_start:
	mov	$0x2000000, %rbx
	mov	$0x8000000, %r14
	mov	$0xd0010000, %r15d
	xor	%r12d, %r12d
	cld
round:
	incq	(%rbx)
	mov	$0x3f8, %edx
	mov	%r12d, %eax
	out	%al, %dx
	inc	%r12d
	lea	0x100(%rbx), %rdi
	mov	%rdi, %rsi
	mov	$15, %ecx
1:	mov	%r12b, (%rdi)
	inc	%r12d
	inc	%rdi
	dec	%ecx
	jnz	1b
	mov	$15, %ecx
	rep outsb

	mov	%r15, %rsi
	lea	0x200(%rbx), %rdi
	mov	$4, %ecx
	rep movsl
	cmpl	$0x74726976, 0x200(%rbx)	/* MagicValue */
	jne	wrong
	cmpl	$2, 0x204(%rbx)			/* Version */
	jne	wrong
	cmpl	$3, 0x208(%rbx)			/* DeviceID: console */
	jne	wrong

	mov	0x1000(%r14), %rax
	cmp	8(%r14), %rax			/* both pages hold the same word */
	jne	wrong
	cmpq	$0, 16(%r14)
	je	round
	mov	$0xd0000000, %edx
	mov	$0x5555, %eax
	mov	%eax, (%rdx)
2:	jmp	2b
wrong:
	incq	8(%rbx)
	jmp	round
pause_guest_end:
	.section .note.GNU-stack, "", @progbits
