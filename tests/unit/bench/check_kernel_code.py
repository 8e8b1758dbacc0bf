# SPDX-License-Identifier: Apache-2.0
"""usage: check_kernel_code.py BENCH-DIRECTORY

bench/kernel_code.py on small programs of known differences, as TAP: what a compiler and a linker do to functions that
are the same, and what is really another function.
"""
import pathlib
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import kernel_code  # noqa: E402  # pylint: disable=import-error,wrong-import-position

BEFORE = """
struct thing { long a, b; };
int counter, table[4], limit;
__attribute__((noinline)) int helper(int x) { return x * 3 + counter; }
__attribute__((noinline)) int assistant(int x) { return x * 5 + counter; }
__attribute__((noinline)) int same(struct thing *t) { counter++; return helper(limit) + t->a; }
__attribute__((noinline)) long field(struct thing *t) { return t->b; }
__attribute__((noinline)) int other_callee(void) { return helper(1); }
__attribute__((noinline)) int other_variable(void) { return limit; }
__attribute__((noinline)) const char *same_text(void) { return "the same text"; }
__attribute__((noinline)) const char *other_text(void) { return "one text"; }
__attribute__((noinline)) int longer(int x) { return x; }
__attribute__((noinline)) int sum(void) { int s = 0; for (int *p = table; p != table + 4; p++) s += *p; return s; }
__attribute__((noinline)) int select(int x)
{
	switch (x) { case 0: return counter; case 1: return limit; case 2: return helper(2); case 3: return table[1];
		     case 4: return 77; case 5: return helper(9); default: return 0; }
}
int gone(void) { return 9; }
int _start(void) { return 0; }
"""
CHANGES = (
    # moves everything, code and data, and changes no function
    ("int counter", "int before[1000] = {1};\nint added(int x) { return before[x] / 7; }\nint counter"),
    ("struct thing { long a, b; }", "struct thing { long a, more, b; }"),
    ("other_callee(void) { return helper(1)", "other_callee(void) { return assistant(1)"),
    ("other_variable(void) { return limit", "other_variable(void) { return counter"),
    ('"one text"', '"two texts"'),
    ("longer(int x) { return x", "longer(int x) { return x ? x / 3 : counter"),
    ("int gone(void) { return 9; }\n", ""),
)
EXPECTED = {
    "helper": 0, "assistant": 0, "same": 0, "same_text": 0, "sum": 0, "select": 0,
    "field": 1, "other_callee": 1, "other_variable": 1, "other_text": 1,
    "longer": 2, "added": "new", "gone": "gone",
}


def build(directory, name, text):
    source, program = directory / (name + ".c"), directory / name
    source.write_text(text)
    # absolute addresses, as in a kernel; jump tables and calls as they are
    subprocess.run(["gcc", "-O2", "-fno-pie", "-no-pie", "-mcmodel=kernel", "-nostdlib", "-static", "-fcf-protection=none",
                    "-fno-ipa-icf", "-fno-ipa-cp", "-fno-inline", "-fno-tree-vectorize", "-Wl,--build-id=none",
                    "-Wl,-Ttext-segment=0xffffffff81000000", "-o", program, source], check=True)
    return kernel_code.Kernel(str(program))


def results():
    with tempfile.TemporaryDirectory() as directory:
        directory = pathlib.Path(directory)
        after = BEFORE
        for old, new in CHANGES:
            assert old in after, old
            after = after.replace(old, new)
        before = build(directory, "before", BEFORE)
        found = kernel_code.compare(before, build(directory, "after", after))
        again = kernel_code.compare(before, build(directory, "again", BEFORE))
        reasons = directory / "reasons"
        reasons.write_text("# comment\n\nfield\ta field moved\nother_*\t\tcalls others\nlonger  another\nnothing_*\tno such\n")
        rows, wrong = kernel_code.differing_rows(found, kernel_code.read_reasons(reasons))
    for name, how in EXPECTED.items():
        yield f"{name} is {how}", found.get(name) == how, found.get(name)
    yield "a kernel is the same as itself", not any(again.values()), again
    yield "a reason stands for all that match", ("calls others", "only constants", "other_callee other_text other_variable") \
        in rows, rows
    yield "what has no reason is wrong", sorted(w.split()[0] for w in wrong if "has no reason" in w) == ["added", "gone"], wrong
    yield "a reason for nothing is wrong", [w for w in wrong if "nothing_*" in w] != [], wrong
    all_same = {name: 0 for name in kernel_code.HOT}
    counts, hot = kernel_code.hot_rows(all_same, [])
    yield "hot functions that are the same are right", (hot, counts[0]) == ([], len(kernel_code.HOT)), hot
    counts, hot = kernel_code.hot_rows({**all_same, "exc_page_fault": 2, "vfs_read": 2, "vfs_write": 1},
                                       [("vfs_read", "named"), ("exc_*", "a pattern")])
    yield "one that differs has to be named", [w.split()[0] for w in hot] == ["exc_page_fault"], hot
    yield "hot functions are counted", (counts[1], counts[2]) == (1, 2), counts
    del all_same["do_idle"]
    _, hot = kernel_code.hot_rows(all_same, [])
    yield "one that is not there is wrong", [w.split()[0] for w in hot] == ["do_idle"], hot


def main():
    checks = list(results())
    print(f"1..{len(checks)}")
    for number, (what, good, found) in enumerate(checks, 1):
        print(f"{'ok' if good else 'not ok'} {number} - {what}")
        if not good:
            print(f"# found: {found}")
    return 0 if all(good for _, good, _ in checks) else 1


sys.exit(main())
