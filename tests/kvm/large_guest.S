/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What test_kvm_large.c boots in place of a kernel. The numbers are those of layout.h and of that test.
 */
	.section .rodata
	.code64
/*
 * Writes to the first and the last word of 2 GiB of memory from 4 GiB on, by linear addresses from 5 GiB on: entries for
 * them go into the tables that the machine has made. Then it powers off.
 */
	.globl above_guest_start, above_guest_end
above_guest_start:
	mov	$0x2100000, %rbx		/* a page directory of its own */
	movabs	$0x100000087, %rax
	mov	%rax, (%rbx)
	movabs	$0x17fe00087, %rax
	mov	%rax, 8(%rbx)
	mov	$0xa028, %rcx			/* the PDPT's entry of 5 GiB */
	mov	$0x2100007, %rax
	mov	%rax, (%rcx)
	movabs	$0x140000000, %rbx
	movabs	$0x0123456789abcdef, %rax
	mov	%rax, (%rbx)
	not	%rax
	mov	%rax, 0x3ffff8(%rbx)
	mov	$0xd0000000, %edx
	mov	$0x5555, %eax
	mov	%eax, (%rdx)
1:	jmp	1b
above_guest_end:

/*
 * Sends INIT and start-up interrupts to all other CPUs (Intel SDM 3A, "MP Initialization Example"), waits until 63 of
 * them have counted themselves at 0x11000, which it tells at 0x2000000, and powers off. They begin at 0x10000.
 */
	.globl cpus_guest_start, cpus_guest_end
cpus_guest_start:
	mov	$0x10000, %edi
	lea	start_up(%rip), %rsi
	mov	$start_up_end - start_up, %ecx
	cld
	rep movsb
	mov	$0xfee00000, %ebx
	movl	$0x1ff, 0xf0(%rbx)		/* the APIC is enabled by software */
	movl	$0x000c4500, 0x300(%rbx)	/* INIT, all but self */
	mov	$100000, %ecx
1:	pause
	dec	%ecx
	jnz	1b
	movl	$0x000c4610, 0x300(%rbx)	/* start up at page 0x10 */
	mov	$0x11000, %esi
	mov	$0x2000000, %edi
2:	pause
	movzwl	(%rsi), %eax
	mov	%rax, (%rdi)
	cmp	$63, %eax
	jb	2b
	mov	$0xd0000000, %edx
	mov	$0x5555, %eax
	mov	%eax, (%rdx)
3:	jmp	3b

	.code16
start_up:
	mov	$0x1100, %ax
	mov	%ax, %ds
	lock incw 0
	cli
4:	hlt
	jmp	4b
start_up_end:
cpus_guest_end:
	.section .note.GNU-stack, "", @progbits
