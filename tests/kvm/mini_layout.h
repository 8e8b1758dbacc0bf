/* SPDX-License-Identifier: Apache-2.0 */
/* Where things are in a mini guest; read by C and by the assembler. */
#ifndef FL_MINI_LAYOUT_H
#define FL_MINI_LAYOUT_H

#define MINI_VCPUS_MAX 4

/* guest-physical = linear for RAM */
#define MINI_RAM_LEN   0x400000
#define MINI_IDT       0x8000
#define MINI_TABLES    0x9000  /* page tables */
#define MINI_BLOCKS    0x20000 /* one block a vCPU */
#define MINI_BLOCK_LEN 0x20000
#define MINI_CODE      0x200000
#define MINI_SCRATCH   0x300000 /* ordinary memory for programs */

#define MINI_WINDOW_GPA 0x40000000
#define MINI_WINDOW_LEN 0x400000
#define MINI_WINDOW_GVA 0x100000000 /* not the same as the gpa, so that mixing them up shows */

/* in a vCPU's block */
#define MINI_GDT	0x0000
#define MINI_TSS	0x1000
#define MINI_AREA	0x2000 /* PVPF */
#define MINI_COUNT	0x3000 /* exceptions so far */
#define MINI_RESUME	0x3008 /* where to return to; 0: to the instruction */
#define MINI_INTERRUPTS 0x3010 /* interrupts so far */
#define MINI_INDEX	0x3018
#define MINI_SELF	0x3020 /* address of the block */
#define MINI_RESULT	0x3028 /* rax, rcx, rsi, rdi, rdx at the end */
#define MINI_STOP	0x3058 /* not 0: read_loop ends */
#define MINI_ROUNDS	0x3060 /* of read_loop so far */
#define MINI_TAKEN	0x3068 /* log entries: one is taken when its exception comes, and counted when it is filled */
#define MINI_LOG	0x4000 /* MINI_LOG_MAX entries of 256 bytes, the last ones */
#define MINI_LOG_MAX	64
#define MINI_STACK_TOP	0x10000
#define MINI_USER_TOP	0x18000

#define MINI_PORT_DONE	    0xf0
#define MINI_PORT_EXCEPTION 0xf1
#define MINI_PORT_READY	    0xf2

#define MINI_STUB_LEN	  16
#define MINI_TIMER_VECTOR 0x40

#endif
