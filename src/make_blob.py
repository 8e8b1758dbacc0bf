# SPDX-License-Identifier: Apache-2.0
"""Writes an assembler file that takes a program for guests into read-only data, between NAME_start and NAME_end."""
import os
import sys

name, program, output = sys.argv[1:4]
with open(output, "w", encoding="ascii") as out:
    out.write(f'''\t.section .rodata
\t.globl {name}_start, {name}_end
\t.hidden {name}_start, {name}_end
\t.balign 16
{name}_start:
\t.incbin "{os.path.abspath(program)}"
{name}_end:
\t.byte 0
\t.section .note.GNU-stack,"",@progbits
''')
