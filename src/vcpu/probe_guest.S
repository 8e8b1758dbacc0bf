/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The probe guest: each stage is announced on a port, so that one that does not get through can be
 * named. Position-independent; %rbx points at its memory, %rsp into it. Numbers: host_probe.c.
 */
	.section .rodata
	.balign 16
	.globl fl_probe_guest_start, fl_probe_guest_end, fl_probe_guest_int3, fl_probe_guest_trap
	.hidden fl_probe_guest_start, fl_probe_guest_end, fl_probe_guest_int3, fl_probe_guest_trap

fl_probe_guest_start:
	mov $1, %al
	out %al, $0x10
	mov $0xf0f, %ecx
	popcnt %ecx, %edx
	cmp $8, %edx
	jne wrong

	mov $2, %al
	out %al, $0x10
	/* 16 bytes at (%rbx) are 1, 2 and become 3, 4 */
	movq $1, (%rbx)
	movq $2, 8(%rbx)
	mov %rbx, %rsi
	mov $1, %eax
	mov $2, %edx
	mov $3, %ebx
	mov $4, %ecx
	lock cmpxchg16b (%rsi)
	mov %rsi, %rbx
	jnz wrong
	cmpq $4, 8(%rbx)
	jne wrong

	mov $3, %al
	out %al, $0x10
	mov $1, %eax
	xor %edx, %edx
	xsave 0x100(%rbx)
	mov $1, %eax
	xor %edx, %edx
	xrstor 0x100(%rbx)

	mov $4, %al
	out %al, $0x10
	xor %ebp, %ebp
	int3
	cmp $0x33, %ebp
	jne wrong

	mov $5, %al
	out %al, $0x10
1:	pause
	jmp 1b

fl_probe_guest_int3:
	mov $0x33, %ebp
	iretq

wrong:
fl_probe_guest_trap:
	mov $0xff, %al
	out %al, $0x10
1:	pause
	jmp 1b
fl_probe_guest_end:
	.section .note.GNU-stack, "", @progbits
