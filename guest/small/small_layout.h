/* SPDX-License-Identifier: Apache-2.0 */
/* Where things are in the small kernel; read by C, by the assembler and by the linker. */
#ifndef FL_SMALL_LAYOUT_H
#define FL_SMALL_LAYOUT_H

/* The image, and what in it the assembler has to know the place of to make tables that name it. */
#define SMALL_BASE     0x1000000
#define SMALL_STUBS    0x1001000 /* one of SMALL_STUB_LEN bytes a vector */
#define SMALL_TABLES   0x1002000 /* PML4, PDPT, the first GiB, the fourth GiB */
#define SMALL_IDT      0x1006000
#define SMALL_GDT      0x1007000
#define SMALL_TSS      0x1007100
#define SMALL_STUB_LEN 16

#define SMALL_CODE	0x10
#define SMALL_TSS_SEL	0x20
#define SMALL_USER_DATA 0x33
#define SMALL_USER_CODE 0x3b

#define SMALL_EXCEPTIONS 32
#define SMALL_EVENT	 0x20 /* the vector of the timer and of all devices */

/* The window of each share is at its guest-physical address and this much, so that mixing the two up shows. */
#define SMALL_WINDOWS 0x4000000000

#define SMALL_LAPIC  0xfee00000
#define SMALL_IOAPIC 0xfec00000

/* What CPL 3 can have done: small_call() */
#define SMALL_CALL_CPUID 1 /* leaf, where four words go */
#define SMALL_CALL_WRMSR 2 /* number, value */
#define SMALL_CALL_WRITE 3 /* text, length: to the serial port */
#define SMALL_CALL_IDLE	 4 /* ticks of the timer (0: none), events seen: until there is one more */
#define SMALL_CALL_RESET 5 /* the machine */

#endif
