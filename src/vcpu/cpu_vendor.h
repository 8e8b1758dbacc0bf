/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose CPU runs the guest's code. The manuals of Intel and AMD differ in places, and are silent in more, about which
 * bytes an instruction needs: where they do, struct fl_cpu_view says whose habits count, and tests/native compares
 * them with the CPU.
 */
#ifndef FL_CPU_VENDOR_H
#define FL_CPU_VENDOR_H

#include <stdbool.h>

/*
 * Asks the CPU, which is slow in a virtual machine: once. A CPU that QEMU emulates (TCG) is none of AMD's, whatever it
 * is called: it needs what Intel's do.
 */
bool fl_cpu_is_amd(void);

#endif
