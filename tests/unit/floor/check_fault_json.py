# SPDX-License-Identifier: Apache-2.0
"""Gives faults to fl_fault_format_json(), reads what comes out with Python's JSON parser, and compares every member.

usage: check_fault_json.py FAULT_JSON_LINES EVENTS_MD
"""
import datetime
import json
import pathlib
import random
import re
import subprocess
import sys

GPA, GVA, FILE = 1, 2, 4
ACCESS = {0: "unknown", 1: "read", 2: "write", 4: "fetch", 9: "unknown"}
CAUSE = ["none", "truncated", "no-space", "io-error", "memory-failure", "unmapped", "not-permitted", "unknown"]
OUTCOME = ["retried", "record", "plain", "stopped", "substituted"]
TIMES = ["intake", "locate", "classify", "decide", "deliver"]
TEXTS = [None, b"", b"data", b"/a b", b'/"q"/\\/\\101', b"/nl\n\t\x01\x1f\x7f", b"/\xff\xc3", b"/\xc2\x9b31m", b"/\xc0\xaf",
         b"/\xed\xa0\x80", b"/\xf4\x90\x80\x80", "/dünn/€/\U0001f427".encode(), bytes(range(1, 256)), b"/x (deleted)",
         b"\\" * 99]
NUMBERS = [0, 1, 4095, 2**31, 2**53 - 1, 2**53, 2**63 - 1, 2**64 - 1]


def text_to_bytes(text):
    """What docs/events.md says."""
    return re.sub(rb"\\(\\|[0-7]{3})", lambda m: b"\\" if m[1] == b"\\" else bytes([int(m[1], 8)]), text.encode())


def number(value):
    return value if value < 2**53 else str(value)


def when(time_ns):
    utc = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=time_ns // 10**9)
    return f"{utc.isoformat()}.{time_ns % 10**9:09}Z"


def fault(rnd):
    pick = rnd.choice
    return {
        "flags": rnd.randrange(8), "id": pick(NUMBERS), "time_ns": pick(NUMBERS + [1764000000 * 10**9 + 5]),
        "vcpu": rnd.randrange(64), "cpl": pick([0, 3]), "rip": pick(NUMBERS), "gva": pick(NUMBERS),
        "gpa": pick(NUMBERS), "access": pick(list(ACCESS)), "cause": rnd.randrange(8), "outcome": rnd.randrange(5),
        "guest_seq": pick([0, 1, 2**32 - 1]), "file_offset": pick(NUMBERS), "file_len": pick(NUMBERS),
        "mapped_file_len": pick(NUMBERS), **{t: pick([0, 77, 2**32 - 1]) for t in TIMES},
        "region": pick(TEXTS), "path": pick(TEXTS + [rnd.randbytes(40).replace(b"\0", b"x")]),
        "shape": pick([None, b"efault", b"request"]),
    }


def expected(f):
    has_file = f["flags"] & FILE
    of_file = lambda value: number(value) if has_file else None
    return {
        "event": "fault", "id": number(f["id"]), "time": when(f["time_ns"]), "vcpu": f["vcpu"], "cpl": f["cpl"],
        "rip": hex(f["rip"]), "gva": hex(f["gva"]) if f["flags"] & GVA else None,
        "gpa": hex(f["gpa"]) if f["flags"] & GPA else None, "access": ACCESS[f["access"]], "cause": CAUSE[f["cause"]],
        "outcome": OUTCOME[f["outcome"]], "guest_seq": f["guest_seq"], "region": f["region"] or None,
        "path": f["path"] if has_file else None, "file_offset": of_file(f["file_offset"]),
        "file_len": of_file(f["file_len"]), "mapped_file_len": of_file(f["mapped_file_len"]), "shape": f["shape"],
        "times_ns": {t: f[t] for t in TIMES},
    }


def members(pairs):
    names = [name for name, _ in pairs]
    assert len(names) == len(set(names)), f"a member twice: {names}"
    return dict(pairs)


def decoded(line):
    assert all(byte >= 0x20 and byte != 0x7f for byte in line), f"a control character in {line!r}"
    got = json.loads(line.decode(), object_pairs_hook=members)
    return {name: text_to_bytes(value) if name in ("region", "path", "shape") and value is not None else value
            for name, value in got.items()}


def to_line(f):
    words = [("-" if v is None else v.hex() or "00") if k in ("region", "path", "shape") else str(v)
             for k, v in f.items()]
    return " ".join(words)


def documented(events_md):
    section = re.search(r"^## `fault`\n(.*?)(?=^## |\Z)", pathlib.Path(events_md).read_text(), re.M | re.S)[1]
    return re.findall(r"^\| `(\w+)` \|", section, re.M)


def main(program, events_md):
    rnd = random.Random(1)
    faults = [fault(rnd) for _ in range(3000)]
    run = subprocess.run([program], input="\n".join(map(to_line, faults)).encode(), stdout=subprocess.PIPE,
                         timeout=60, check=True)
    lines = run.stdout.splitlines()
    assert len(lines) == len(faults), f"{len(lines)} lines for {len(faults)} faults"
    for f, line in zip(faults, lines):
        got, want = decoded(line), expected(f)
        assert got == want, f"{line!r}\n got {got}\nwant {want}"
        assert list(got) == documented(events_md), f"docs/events.md has other members than {list(got)}"
    print(f"{len(faults)} faults came back as they went in")


main(*sys.argv[1:])
