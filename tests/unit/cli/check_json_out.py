# SPDX-License-Identifier: Apache-2.0
"""Has cli/json_out.h write random documents, reads them with Python's JSON parser, and compares.

usage: check_json_out.py JSON_OUT_LINES
"""
import json
import random
import re
import subprocess
import sys

NUMBERS = [0, 1, 4095, 2**31, 2**53 - 1, 2**53, 2**63 - 1, 2**64 - 1]
TEXTS = [b"", b"data", b"/a b", b'/"q"/\\/\\101', b"\0nl\n\t\x01\x1f\x7f", b"/\xff\xc3", b"\xc2\x9b31m",
         "dünn/€/\U0001f427".encode(), bytes(range(256)), b"\\" * 99]


def text_to_bytes(text):
    """What docs/events.md says."""
    return re.sub(rb"\\(\\|[0-7]{3})", lambda m: b"\\" if m[1] == b"\\" else bytes([int(m[1], 8)]), text.encode())


def any_bytes(rnd, without_nul):
    text = rnd.choice(TEXTS + [rnd.randbytes(rnd.randrange(200))])
    return text.replace(b"\0", b"") if without_nul else text


def document(rnd, depth):
    """A document as Python has it, its texts as bytes."""
    kind = rnd.choice(["object", "array"] if depth == 0 else ["object", "array", "string", "u64", "i64", "bool", "null"])
    if depth < 8 and kind == "object":
        return {any_bytes(rnd, True): document(rnd, depth + 1) for _ in range(rnd.randrange(5))}
    if depth < 8 and kind == "array":
        return [document(rnd, depth + 1) for _ in range(rnd.randrange(5))]
    if kind == "u64":
        return rnd.choice(NUMBERS)
    if kind == "i64":
        return -rnd.choice(NUMBERS[1:-1])
    return {"string": any_bytes(rnd, False), "bool": rnd.random() < 0.5}.get(kind)


def calls(value, key="-"):
    if isinstance(value, dict):
        yield f"object {key} -"
        for name, member in value.items():
            yield from calls(member, "=" + name.hex())
        yield "close - -"
    elif isinstance(value, list):
        yield f"array {key} -"
        for member in value:
            yield from calls(member)
        yield "close - -"
    elif isinstance(value, bytes):
        yield f"string {key} ={value.hex()}"
    elif isinstance(value, bool):
        yield f"bool {key} {int(value)}"
    elif value is None:
        yield f"null {key} -"
    else:
        yield f"{'u64' if value >= 0 else 'i64'} {key} {value}"


def expected(value):
    """As it is read: numbers beyond 2^53 - 1 are strings of digits."""
    if isinstance(value, dict):
        return {name: expected(member) for name, member in value.items()}
    if isinstance(value, list):
        return [expected(member) for member in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 2**53:
        return str(value).encode()
    return value


def decoded(value):
    if isinstance(value, dict):
        return {text_to_bytes(name): decoded(member) for name, member in value.items()}
    if isinstance(value, list):
        return [decoded(member) for member in value]
    return text_to_bytes(value) if isinstance(value, str) else value


def same(a, b):
    """== takes True for 1, and a dict in another order for the same."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[name], b[name]) for name in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


def main(program):
    rnd = random.Random(1)
    documents = [document(rnd, 0) for _ in range(1000)]
    lines = "".join(f"{call}\n" for value in documents for call in [*calls(value), "end - -"])
    run = subprocess.run([program], input=lines.encode(), stdout=subprocess.PIPE, timeout=50, check=True)
    got = run.stdout.decode().split("\n")
    assert got.pop() == "" and len(got) == len(documents), f"{len(got)} lines for {len(documents)} documents"
    for value, line in zip(documents, got):
        assert all(ord(c) >= 0x20 and not 0x7f <= ord(c) < 0xa0 for c in line), f"a control character in {line!r}"
        assert same(decoded(json.loads(line)), expected(value)), f"{line!r}\nwant {expected(value)}"
    print(f"{len(documents)} documents came back as they went in, {sum(map(len, got))} characters")


main(*sys.argv[1:])
