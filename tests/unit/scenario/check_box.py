# SPDX-License-Identifier: Apache-2.0
"""Which box scenarios are taken to: a script in its place tells how it was called.

usage: check_box.py LAUNCHER
"""
import os
import pathlib
import subprocess
import sys
import tempfile

PLAIN = "# A host.\nhost\n\tsleep 1ms\n"
SPAN = "# A host with a free moment.\nhost\n\tsleep span 0..1ms\n"


def on(kernel):
    return f"# A host with a kernel.\nhost-kernel {kernel}\nhost\n\tsleep 1ms\n"


def run(launcher, directory, *arguments, inside=None):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FAULTLINE_")}
    environment["FAULTLINE_BOX"] = f"{directory}/box"
    environment.update(inside or {})
    return subprocess.run([launcher, "scenario", *arguments], capture_output=True, text=True, timeout=60, check=False,
                          cwd=directory, env=environment)


def words_of(launcher, directory, *arguments):
    """How the box was called: its own words, and those of the program in it."""
    ran = run(launcher, directory, *arguments)
    assert ran.returncode == 42, ran
    words = ran.stdout.split("\n")[:-1]
    at = words.index("--")
    return words[:at], words[at + 2:]


def check_words(launcher, directory):
    own = ["--cpus", "1", "--memory", "4096M"]
    shown = ["--show", "plain.scn"]
    assert words_of(launcher, directory, "--host=box", "plain.scn") == (
        own + shown, ["scenario", "--host=box", "--host=kvm", "--", "plain.scn"])
    assert words_of(launcher, directory, "--host-kernel", "6.1", "plain.scn") == (
        own + ["--host-kernel", "6.1"] + shown,
        ["scenario", "--host-kernel", "6.1", "--host=kvm", "--", "plain.scn"])
    box, program = words_of(launcher, directory, "--explore=4", "--by", "instructions", "span.scn")
    assert box == own + ["--count-instructions", "--show", "span.scn"], box
    assert program == ["scenario", "--explore=4", "--by", "instructions", "--host=kvm", "--", "span.scn"], program


def kernel_of(launcher, directory, *arguments):
    box, _ = words_of(launcher, directory, *arguments)
    return box[box.index("--host-kernel") + 1] if "--host-kernel" in box else None


def check_chosen(launcher, directory):
    """What the cases say, where they agree, and what the command says before it."""
    assert kernel_of(launcher, directory, "old.scn") == "6.1"
    assert kernel_of(launcher, directory, "--host-kernel", "6.12", "old.scn") == "6.12"
    assert kernel_of(launcher, directory, "--host=box", "old.scn", "plain.scn") == "6.1"
    assert kernel_of(launcher, directory, "--host=box", "old.scn", "patched.scn") is None
    assert kernel_of(launcher, directory, "--filter", "patched", "old.scn", "patched.scn") == "6.12-patched"


def check_skipped(launcher, directory):
    for inside, said in (({}, "this is another host"),
                         ({"FAULTLINE_IN_BOX": "1", "FAULTLINE_BOX_HOST_KERNEL": "6.12"}, "this is the box with 6.12"),
                         ({"FAULTLINE_IN_BOX": "1"}, "this is another host")):
        ran = run(launcher, directory, "--host=kvm", "old.scn", inside=inside)
        assert ran.returncode == 1 and "# SKIP it is for hosts with the kernel 6.1," in ran.stdout, ran
        assert said in ran.stdout, ran.stdout
    assert run(launcher, directory, "--native", "old.scn").returncode == 0


def check_refused(launcher, directory):
    counting = {"FAULTLINE_IN_BOX": "1", "FAULTLINE_BOX_COUNTS": "1"}
    for arguments, inside, said in (
            (("--native", "--host-kernel", "6.1", "plain.scn"), {}, "chooses the kernel of the box"),
            (("--host=kvm", "--host-kernel", "6.1", "plain.scn"), {}, "chooses the kernel of the box"),
            (("--host-kernel", "6.2", "plain.scn"), {}, "no kernel of the box"),
            (("--by", "instructions", "span.scn"), {}, "add one of them"),
            (("--explore", "--by", "steps", "span.scn"), {}, "time or instructions"),
            (("--native", "--explore", "--by", "instructions", "span.scn"), {}, "counted in the box alone"),
            (("--native", "--explore", "--by", "instructions", "span.scn"), counting, "counted in the box alone"),
            (("--host=kvm", "--explore", "--by", "instructions", "span.scn"), {}, "counted in the box alone"),
            (("--host=kvm", "--explore", "--by", "instructions", "span.scn"), {"FAULTLINE_IN_BOX": "1"},
             "counted in the box alone")):
        ran = run(launcher, directory, *arguments, inside=inside)
        assert ran.returncode == 2 and said in ran.stderr, ran


def main():
    launcher = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as directory:
        box = pathlib.Path(directory, "box")
        box.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\nexit 42\n", encoding="utf-8")
        box.chmod(0o755)
        for name, text in (("plain", PLAIN), ("span", SPAN), ("old", on("6.1")), ("patched", on("6.12-patched"))):
            pathlib.Path(directory, f"{name}.scn").write_text(text, encoding="utf-8")
        check_words(launcher, directory)
        check_chosen(launcher, directory)
        check_skipped(launcher, directory)
        check_refused(launcher, directory)


main()
