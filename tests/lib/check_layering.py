# SPDX-License-Identifier: Apache-2.0
"""
Checks who includes whom: floor <- mmu_backing <- {vcpu, virtio <- virtiofs} <- vmm; cli sees the public header alone.
Within src/cli/scenario: language <- {wire, host, results <- verdict} <- guests <- run.
"""
import pathlib
import re
import sys

ALLOWED = {
    "floor": {"floor"},
    "mmu_backing": {"floor", "mmu_backing"},
    "vcpu": {"floor", "mmu_backing", "vcpu"},
    "virtio": {"floor", "mmu_backing", "virtio"},
    "virtiofs": {"floor", "mmu_backing", "virtio", "virtiofs"},
    "vmm": {"floor", "mmu_backing", "vcpu", "virtio", "virtiofs", "vmm", "guest"},
    "cli": {"cli"},
}
SCENARIO = {
    "language": {"language"},
    "wire": {"language", "wire"},
    "host": {"language", "host"},
    "results": {"language", "results"},
    "verdict": {"language", "results", "verdict"},
    "guests": {"language", "wire", "host", "results", "verdict", "guests"},
    "run": {"language", "wire", "host", "results", "verdict", "guests", "run"},
}
# what two programs say to each other has no side
WIRE = "guest/scenario_wire.h"
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def room_of(include):
    """The directory an include names, or None for what all may see: the public header, and a wire's."""
    parts = include.split("/")
    if parts[0] == "faultline" or include == WIRE:
        return None
    return parts[0] if len(parts) > 1 else "floor"


def may_include(here, include):
    """Whether a file whose directories below src are `here` may."""
    room = room_of(include)
    if room and room not in ALLOWED[here[0] if here else "floor"]:
        return False
    parts = include.split("/")
    if here[:2] != ("cli", "scenario") or parts[:2] != ["cli", "scenario"] or len(here) < 3:
        return True
    return len(parts) > 3 and parts[2] in SCENARIO[here[2]]


def violations(source):
    src = source / "src"
    files = sorted(p for p in src.rglob("*") if p.suffix in (".c", ".h"))
    if len(files) < 10:
        yield f"only {len(files)} files below {src}: not the project's tree"
    for path in files:
        parts = path.relative_to(src).parts
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = INCLUDE.match(line)
            if match and not may_include(parts[:-1], match.group(1)):
                yield f"src/{'/'.join(parts)}:{number}: {'/'.join(parts[:-1]) or 'floor'} must not include {match.group(1)}"


def main():
    found = list(violations(pathlib.Path(sys.argv[1])))
    print("\n".join(found) or "layering holds")
    return 1 if found else 0


sys.exit(main())
