# SPDX-License-Identifier: Apache-2.0
"""Checks who includes whom: floor <- mmu_backing <- {vcpu, virtio <- virtiofs} <- vmm; cli sees the public header alone."""
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
# what two programs say to each other has no side
WIRE = "guest/scenario_wire.h"
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def room_of(include):
    """The directory an include names, or None for what all may see: the public header, and a wire's."""
    parts = include.split("/")
    if parts[0] == "faultline" or include == WIRE:
        return None
    return parts[0] if len(parts) > 1 else "floor"


def violations(source):
    src = source / "src"
    files = sorted(p for p in src.rglob("*") if p.suffix in (".c", ".h"))
    if len(files) < 10:
        yield f"only {len(files)} files below {src}: not the project's tree"
    for path in files:
        parts = path.relative_to(src).parts
        here = parts[0] if len(parts) > 1 else "floor"
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = INCLUDE.match(line)
            room = room_of(match.group(1)) if match else None
            if room and room not in ALLOWED[here]:
                yield f"src/{'/'.join(parts)}:{number}: {here} must not include {match.group(1)}"


def main():
    found = list(violations(pathlib.Path(sys.argv[1])))
    print("\n".join(found) or "layering holds")
    return 1 if found else 0


sys.exit(main())
