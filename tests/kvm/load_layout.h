/* SPDX-License-Identifier: Apache-2.0 */
/* Where load_guest.S keeps things, beside mini_layout.h; read by C and by the assembler. */
#ifndef FL_LOAD_LAYOUT_H
#define FL_LOAD_LAYOUT_H

#include "tests/kvm/mini_layout.h"

#define LOAD_CODE	 MINI_SCRATCH
#define LOAD_SHARED	 0x30f000 /* newest and oldest generation of the storm's words */
#define LOAD_NEWEST	 LOAD_SHARED
#define LOAD_OLDEST	 (LOAD_SHARED + 8)
#define LOAD_SAMPLES	 0x310000
#define LOAD_SAMPLES_LEN 0xf0000

/* in a vCPU's block, past its stacks */
#define LOAD_TURNS  0x19000 /* accesses that came to an end, one way or the other */
#define LOAD_FAULTS 0x19008 /* #NP taken */
#define LOAD_ZEROS  0x19010 /* storm: words read as zero */
#define LOAD_WRONG  0x19018 /* storm: words that nobody can have written there */
#define LOAD_BAD    0x19020 /* storm: the last wrong word, its offset, oldest and newest generation then */

#define LOAD_PORT_NOTHING 0xf8 /* an exit that nobody does anything about */
#define LOAD_PORT_FAULT	  0xf9 /* the handler of #NP has been entered */

#define LOAD_GUEST_GENERATION 0xfffffffe /* of a word that a guest wrote */

#endif
