# SPDX-License-Identifier: Apache-2.0
"""scripts/lib/series-style keeps what checkpatch-kept names, in the files that it names, and nothing else.

usage: check_series_style.py SOURCE_ROOT

The remarks are those of Linux 6.12's scripts/checkpatch.pl --strict --show-types --terse --showfile.
"""
import pathlib
import subprocess
import sys
import tempfile

KEPT = """# a comment

SPACING arch/x86/include/asm/cpufeatures.h as all of that file
NEW_FILES * whatever
"""
SPACING = "ERROR:SPACING: space prohibited after that open parenthesis '('"
NEW_FILES = "WARNING:NEW_FILES: added, moved or deleted file(s)"
VOLATILE = "WARNING:VOLATILE: Use of volatile is usually wrong"
FEATURES = "arch/x86/include/asm/cpufeatures.h"

# kept, remarks (file, line, what), what has to come out: verdicts, and parts of the texts
CASES = {
    "kept, with the reason": (
        KEPT, [(FEATURES, 240, SPACING), ("a.c", 1, NEW_FILES)],
        [("kept", "as all of that file"), ("kept", "whatever")]),
    "not in another file": (
        KEPT, [(FEATURES, 240, SPACING), ("a.c", 1, NEW_FILES), ("arch/x86/kernel/traps.c", 3, SPACING)],
        [("kept", "cpufeatures"), ("kept", "a.c"), ("wrong", "arch/x86/kernel/traps.c")]),
    "not of another type": (
        KEPT, [(FEATURES, 240, SPACING), (FEATURES, 241, VOLATILE), ("a.c", 1, NEW_FILES)],
        [("kept", "SPACING"), ("wrong", "VOLATILE"), ("kept", "NEW_FILES")]),
    "a pattern goes through directories": (
        "VOLATILE tools/*.h why not\n", [("tools/testing/b.h", 1, VOLATILE), ("tools/b.c", 1, VOLATILE)],
        [("kept", "tools/testing/b.h"), ("wrong", "tools/b.c")]),
    "a remark on the commit message": (
        "", [("", 2, "WARNING:COMMIT_LOG_LONG_LINE: Prefer a maximum 75 chars per line (possible unwrapped ...)")],
        [("wrong", "COMMIT_LOG_LONG_LINE")]),
    "what is not needed any more": (
        KEPT, [(FEATURES, 240, SPACING)], [("kept", "SPACING"), ("wrong", "NEW_FILES *")]),
    "nothing": ("# nothing\n", [], []),
}


def sort(script, kept, remarks):
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(kept)
        file.flush()
        text = "".join(f"0001-a.patch\t{path}:{line}: {what}\n" for path, line, what in remarks)
        done = subprocess.run([script, file.name], input=text, capture_output=True, text=True, timeout=20)
    return done.returncode, [line.split("\t", 1) for line in done.stdout.splitlines()], done.stderr


def differs(script, kept, remarks, expected):
    status, lines, said = sort(script, kept, remarks)
    if said or [verdict for verdict, _ in lines] != [verdict for verdict, _ in expected]:
        return f"{lines} {said}"
    for (_, text), (_, part) in zip(lines, expected):
        if part not in text:
            return f"{part} is not in {text}"
    if status != any(verdict == "wrong" for verdict, _ in expected):
        return f"exit status {status}"
    return None


def main():
    script = pathlib.Path(sys.argv[1]) / "scripts/lib/series-style"
    failed = 0
    for name, case in CASES.items():
        how = differs(script, *case)
        if how:
            print(f"{name}: {how}")
            failed += 1
    status, lines, said = sort(script, "VOLATILE no-reason\n", [])
    if not status or lines or "no-reason" not in said:
        print(f"a line without a reason: {status} {lines} {said}")
        failed += 1
    sys.exit(failed > 0)


main()
