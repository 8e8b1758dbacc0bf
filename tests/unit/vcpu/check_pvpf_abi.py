# SPDX-License-Identifier: Apache-2.0
"""Compares the two copies of the PVPF ABI: src/vcpu/pvpf_abi.h and the header that guest-kernel-patches/ adds.

usage: check_pvpf_abi.py SOURCE_ROOT COMPILER...

Both are compiled; every PVPF_* macro and every member of struct pvpf_record must have the same value, offset and size.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

GUEST_HEADER = "arch/x86/include/uapi/asm/pvpf.h"
HOST_HEADER = "src/vcpu/pvpf_abi.h"
MACRO = re.compile(r"^\s*#\s*define\s+(PVPF_\w+)\s+\S", re.M)
RECORD = re.compile(r"struct\s+pvpf_record\s*\{(.*?)\};", re.S)
MEMBER = re.compile(r"^\s*(?:__u|uint)(?:32|64)(?:_t)?\s+(\w+)\s*;", re.M)


def guest_header(root, work):
    """Applies what the patches do to that one file; returns the resulting file."""
    patches = [p for p in sorted((root / "guest-kernel-patches").glob("*.patch")) if f"b/{GUEST_HEADER}" in p.read_text()]
    if not patches:
        sys.exit(f"no patch in {root}/guest-kernel-patches adds {GUEST_HEADER}")
    for patch in patches:
        subprocess.run(["git", "apply", f"--include={GUEST_HEADER}", str(patch.resolve())], cwd=work, check=True)
    return work / GUEST_HEADER


def describe(header, compiler, work):
    """name -> value of everything a header says, as its compiler sees it."""
    text = header.read_text()
    macros = [name for name in MACRO.findall(text) if not name.startswith("PVPF_HOST_")]
    members = MEMBER.findall(RECORD.search(text).group(1))
    lines = [f'#include "{header}"', "#include <stddef.h>", "#include <stdio.h>", "int main(void) {"]
    lines += [f'printf("{m} %llu\\n", (unsigned long long)({m}));' for m in macros]
    for member in members:
        lines.append(f'printf("offset of {member} %llu\\n", (unsigned long long)offsetof(struct pvpf_record, {member}));')
        lines.append(f'printf("size of {member} %llu\\n", '
                     f'(unsigned long long)sizeof(((struct pvpf_record *)0)->{member}));')
    lines += ['printf("size %llu\\n", (unsigned long long)sizeof(struct pvpf_record));', "return 0; }"]
    program = work / "program.c"
    program.write_text("\n".join(lines))
    subprocess.run(compiler + ["-o", str(work / "program"), str(program)], check=True)
    output = subprocess.run([str(work / "program")], check=True, capture_output=True, text=True).stdout
    return dict(line.rsplit(" ", 1) for line in output.splitlines())


def main():
    root, compiler = pathlib.Path(sys.argv[1]), sys.argv[2:]
    with tempfile.TemporaryDirectory() as directory:
        work = pathlib.Path(directory)
        guest = describe(guest_header(root, work), compiler, work)
        host = describe((root / HOST_HEADER).resolve(), compiler, work)
    # the ABI has 27 numbers and 10 members: finding hardly any means that the headers were not understood
    if len(host) < 45:
        sys.exit(f"only {len(host)} facts found in {HOST_HEADER}")
    different = [name for name in sorted(guest.keys() | host.keys()) if guest.get(name) != host.get(name)]
    for name in different:
        print(f"{name}: guest {guest.get(name, 'has none')}, host {host.get(name, 'has none')}")
    print(f"{len(host)} facts compared, {len(different)} differ")
    return 1 if different else 0


sys.exit(main())
