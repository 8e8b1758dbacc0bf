# SPDX-License-Identifier: Apache-2.0
"""Writes an assembler file that takes the agent's program into the library's read-only data."""
import os
import sys

agent, output = sys.argv[1:3]
with open(output, "w", encoding="ascii") as out:
    out.write(f'''\t.section .rodata
\t.globl fl_agent_blob_start, fl_agent_blob_end
\t.hidden fl_agent_blob_start, fl_agent_blob_end
\t.balign 16
fl_agent_blob_start:
\t.incbin "{os.path.abspath(agent)}"
fl_agent_blob_end:
\t.byte 0
\t.section .note.GNU-stack,"",@progbits
''')
