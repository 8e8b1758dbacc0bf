/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What test_kvm_idle.c boots in place of a kernel: it sleeps for ever, with interrupts off, by HLT or by PVPF_MSR_IDLE
 * (docs/abi.md).
 */
	.section .rodata
	.globl idle_by_hlt_start, idle_by_hlt_end, idle_by_msr_start, idle_by_msr_end
	.code64
idle_by_hlt_start:
	cli
1:	hlt
	jmp	1b
idle_by_hlt_end:

idle_by_msr_start:
	cli
1:	mov	$0x50564601, %ecx
	xor	%eax, %eax
	xor	%edx, %edx
	wrmsr
	jmp	1b
idle_by_msr_end:
	.section .note.GNU-stack, "", @progbits
