# SPDX-License-Identifier: Apache-2.0
"""Is the table in docs/faults.md the one that the test of its cells has?

usage: check_cells_table.py TEST-KVM-CELLS docs/faults.md [--write]

--write puts it there instead.
"""
import pathlib
import subprocess
import sys

BEGIN = "<!-- cells: begin -->\n"
END = "<!-- cells: end -->\n"


def main():
    program, page = sys.argv[1], pathlib.Path(sys.argv[2])
    table = subprocess.run([program, "--table"], check=True, capture_output=True, text=True).stdout
    text = page.read_text()
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        sys.exit(f"{page}: not exactly one {BEGIN.strip()} and {END.strip()}")
    head, rest = text.split(BEGIN)
    there, tail = rest.split(END)
    if not table.strip():
        sys.exit(f"{program} --table prints nothing")
    if sys.argv[3:] == ["--write"]:
        page.write_text(head + BEGIN + table + END + tail)
    elif there != table:
        sys.exit(f"{page} is not up to date: {sys.argv[0]} {program} {page} --write")


main()
