# SPDX-License-Identifier: Apache-2.0
"""scripts/lib/kernel-reports finds what a kernel complains of, and nothing else.

usage: check_kernel_reports.py SOURCE_ROOT

The lines are written after the format strings of Linux 6.12, in the files that are named beside them.
"""
import pathlib
import subprocess
import sys
import tempfile

REPORTS = [
    "WARNING: CPU: 0 PID: 1 at mm/memory.c:3145 wp_page_copy+0x10/0x20",  # kernel/panic.c, __warn()
    "BUG: KASAN: slab-use-after-free in f+0x1/0x2",  # mm/kasan/report.c
    "BUG: sleeping function called from invalid context at mm/memory.c:1",  # kernel/sched/core.c
    "BUG: scheduling while atomic: a/1/0x00000002",  # kernel/sched/core.c
    "BUG: using smp_processor_id() in preemptible [00000000] code: a/1",  # lib/smp_processor_id.c
    "BUG: unable to handle page fault for address: ffff888000000000",  # arch/x86/mm/fault.c
    "BUG: soft lockup - CPU#0 stuck for 22s! [a:1]",  # kernel/watchdog.c, after "watchdog: "
    "WARNING: possible circular locking dependency detected",  # kernel/locking/lockdep.c
    "WARNING: inconsistent lock state",
    "WARNING: suspicious RCU usage",
    "WARNING: bad unlock balance detected!",
    "[ BUG: Invalid wait context ]",
    "BUG: MAX_LOCKDEP_KEYS too low!",
    "turning off the locking correctness validator.",
    "INFO: task a:1 blocked for more than 120 seconds.",  # kernel/hung_task.c
    "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",  # kernel/rcu/tree_stall.h
    "Oops: segment not present: 0000 [#1] PREEMPT SMP KASAN NOPTI",  # arch/x86/kernel/dumpstack.c
    "Oops: general protection fault, probably for non-canonical address 0x1: 0000 [#1] SMP",
    "kernel BUG at mm/memory.c:1!",  # lib/bug.c
    "list_add corruption. next->prev should be prev (1), but was 2. (next=3).",  # lib/list_debug.c
    "Kernel panic - not syncing: Fatal exception",  # kernel/panic.c
    "unchecked MSR access error: RDMSR from 0x1 at rIP: 0x2 (f+0x1/0x2)",  # arch/x86/mm/extable.c
]
HARMLESS = [
    "Linux version 6.12.117 (faultline@faultline) #1 SMP PREEMPT",
    "Running RCU self tests",
    "Lock dependency validator: Copyright (c) 2006 Red Hat, Inc., Ingo Molnar",
    "RCU lockdep checking is enabled.",
    "kasan: KernelAddressSanitizer initialized (generic)",
    "Spectre V2 : Vulnerable",
    "debug_vm_pgtable: [debug_vm_pgtable         ]: Validating architecture page table helpers",
    "pvpf: a page was lost",
]
# What QEMU makes Linux say at boot: the title stands in front of the report (kernel/fpu/xstate.c).
KNOWN = [
    "------------[ cut here ]------------",
    "XSAVE consistency problem: size 1000 != kernel_size 900",
    "WARNING: CPU: 0 PID: 0 at arch/x86/kernel/fpu/xstate.c:615 paranoid_xstate_size_valid+0x1/0x2",
]


def found(script, lines):
    with tempfile.NamedTemporaryFile("w", suffix=".log") as log:
        log.write("".join(f"[    1.000000] {line}\r\n" for line in lines))
        log.flush()
        done = subprocess.run([script, log.name], capture_output=True, text=True, timeout=20)
    return done.returncode, done.stdout.splitlines()


def main():
    script = pathlib.Path(sys.argv[1]) / "scripts/lib/kernel-reports"
    wrong = []
    for line in REPORTS:
        status, out = found(script, [*HARMLESS, line])
        if status == 0 or len(out) != 1 or line not in out[0]:
            wrong.append(f"not found, or more than that: {line}: {out}")
    for lines in ([], HARMLESS, KNOWN):
        status, out = found(script, lines)
        if status != 0 or out:
            wrong.append(f"taken for a report: {out}")
    status, out = found(script, [*KNOWN, REPORTS[0]])
    if status == 0 or len(out) != 1:
        wrong.append(f"behind a known one, a report is not found: {out}")
    sys.exit("\n".join(wrong) or 0)


main()
