# SPDX-License-Identifier: Apache-2.0
"""Puts style and script into the page, says in its policy that they and nothing else may run, and writes it as C.

usage: make_page.py page.html page.css SCRIPT... OUTPUT

The policy names both by their hashes, so that even markup that somebody smuggled into a page could neither run nor
load anything. What is filled in for each page, {{title}}, {{body}} and {{data}}, is where the text is cut.
"""
import base64
import hashlib
import re
import sys

SLOTS = ["{{title}}", "{{body}}", "{{data}}"]


def digest(text):
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


def without_licence(text):
    return re.sub(r"\A\s*(<!--|/\*) SPDX-License-Identifier.*?(-->|\*/)\n", "", text, flags=re.S)


def literal(text):
    escaped = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "?": "\\?"}
    lines = ["".join(escaped.get(c, c) for c in line) for line in text.splitlines(keepends=True)]
    return "\n".join(f'\t"{line}"' for line in lines) or '\t""'


def main():
    page, style, *scripts = (without_licence(open(path, encoding="ascii").read()) for path in sys.argv[1:-1])
    style, script = "\n" + style, "\n" + "\n".join(scripts)
    policy = (f"default-src 'none'; style-src {digest(style)}; script-src {digest(script)}; "
              "base-uri 'none'; form-action 'none'")
    for slot, text in ("{{policy}}", policy), ("{{style}}", style), ("{{script}}", script):
        assert page.count(slot) == 1, slot
        page = page.replace(slot, text)
    parts = []
    for slot in SLOTS:
        before, found, page = page.partition(slot)
        assert found, slot
        parts.append(before)
    parts.append(page)
    with open(sys.argv[-1], "w", encoding="ascii") as out:
        out.write('/* Made by make_page.py. */\n#include "cli/scenario/results/html.h"\n\n')
        out.write("const char *const fl_scn_page_parts[FL_SCN_PAGE_PARTS] = {\n")
        out.write(",\n".join(literal(part) for part in parts) + ",\n};\n")


main()
