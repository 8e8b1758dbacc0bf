# SPDX-License-Identifier: Apache-2.0
"""The scenarios of the tree whose machines have the small kernel, on this host's own /dev/kvm.

usage: check_small_scenarios.py LAUNCHER SCENARIOS

Prints the launcher's TAP, and its own checks behind it as one test more.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

WRONG = """# A store is lost, and not a load: the record says so.
dir data
file data/log size 8K
machine
	kernel small
	share data at /data
guest writer
	open f data/log rw
	map m f 0 8K rw shared
	mark mapped
	wait cut
	write m+4K => lost at m+4K record truncated read
host
	wait mapped
	truncate data/log 0
	mark cut
"""
LINUX = """# A machine that Linux runs in.
guest idler
	sleep 1ms
"""


def run(launcher, *arguments):
    known = pathlib.Path(__file__).resolve().parent / "guest_orders.tsan"
    environment = {**os.environ, "TSAN_OPTIONS": f"{os.environ.get('TSAN_OPTIONS', '')} suppressions={known}"}
    return subprocess.run([launcher, "scenario", "--quiet", *arguments], capture_output=True, text=True, timeout=240, check=False,
                          env=environment)


def check_wrong(launcher, directory):
    """What the guest was told is held against what was wished, with its line."""
    path = pathlib.Path(directory, "wrong.scn")
    path.write_text(WRONG, encoding="utf-8")
    failed = run(launcher, "--host=kvm", str(path))
    assert failed.returncode == 1 and "not ok 1 - wrong" in failed.stdout, failed
    assert "got SIGBUS BUS_ADRERR at m+4096 record truncated write" in failed.stdout, failed.stdout
    assert "line: 12" in failed.stdout and "kernel small" in failed.stdout, failed.stdout


def check_linux(launcher, directory):
    """Where this KVM cannot run Linux, what needs it is skipped, with that reason, and not waited for."""
    doctor = subprocess.run([launcher, "doctor"], capture_output=True, text=True, timeout=60, check=False)
    path = pathlib.Path(directory, "linux.scn")
    path.write_text(LINUX, encoding="utf-8")
    if "cannot run Linux" not in doctor.stdout:
        return
    skipped = run(launcher, "--host=kvm", str(path))
    assert skipped.returncode == 1 and "# SKIP /dev/kvm here cannot run Linux guests" in skipped.stdout, skipped


def main():
    launcher, scenarios = sys.argv[1:3]
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        print("1..0 # SKIP there is no /dev/kvm that can be used here")
        return
    # --host is left out: nothing of this needs another host than this one
    ran = run(launcher, "--filter", "small", scenarios)
    sys.stderr.write(ran.stderr)
    plan = re.search(r"^1\.\.([0-9]+)$", ran.stdout, re.MULTILINE)
    count = int(plan.group(1)) if plan else 0
    print(re.sub(r"^1\.\.[0-9]+$", f"1..{count + 1}", ran.stdout, flags=re.MULTILINE), end="")
    try:
        assert count > 40 and len(re.findall("^(?:not )?ok ", ran.stdout, re.MULTILINE)) == count, "cases are missing"
        assert (ran.returncode == 0) == ("not ok" not in ran.stdout), f"status {ran.returncode}"
        with tempfile.TemporaryDirectory() as directory:
            check_wrong(launcher, directory)
            check_linux(launcher, directory)
        print(f"ok {count + 1} - what was run, and what comes of what is wrong")
    except AssertionError as why:
        print(f"not ok {count + 1} - what was run, and what comes of what is wrong")
        print("# " + str(why).replace("\n", "\n# "))
        sys.exit(1)


main()
