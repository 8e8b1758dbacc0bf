/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FL_HOST_MODULE_H
#define FL_HOST_MODULE_H

/*
 * What /dev/kvm is made of, if that is certain and CPUs do it: "VMX" or "SVM"; else NULL. sys: where sysfs is ("/sys").
 *
 * Only one module at a time serves /dev/kvm: the second one's initialisation fails (arch/x86/kvm/x86.c,
 * kvm_x86_vendor_init(): "already loaded vendor module"), as it does on a CPU that cannot, and a module whose
 * initialisation has failed is gone. So one that is "live" is the one. What is built into the kernel has its directory
 * too, whatever became of it, but no initstate (kernel/module/main.c, kernel/params.c): that says nothing.
 */
const char *fl_kvm_hardware(const char *sys);

#endif
