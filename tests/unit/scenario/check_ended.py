# SPDX-License-Identifier: Apache-2.0
"""Runs of scenarios that a signal ends: promptly, with results, and with nothing left behind.

usage: check_ended.py LAUNCHER
"""
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

# The first case passes, the second would take ten minutes, the third never begins.
LONG = """# Cases of which one takes long.
limit 600s
matrix what = first, second, third
dir data
file data/log size 8K
guest reader
	open f data/log ro
	pread f 0 8 => 8
	when what=second: mark read
	when what=second: wait late
when what=second: host
	wait read
	$STEP
	mark late
"""
STEPS = {
    "sleeps": "sleep 540s",
    "runs a program": 'run sh -c "echo \\$\\$ >$DIR/pid; exec sleep 3000"',
}
SOON = 20  # what comes at once has come by then, on a busy machine too


def wait_for(happened):
    end = time.monotonic() + SOON
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.02)


def text_of(*path):
    path = pathlib.Path(*path)
    return path.read_text(encoding="utf-8") if path.exists() else ""


def children_of(pid):
    return [int(child) for child in text_of(f"/proc/{pid}/task/{pid}/children").split()]


def begin(launcher, directory, step):
    """A run that is in its second case."""
    scenario = pathlib.Path(directory, "long.scn")
    scenario.write_text(LONG.replace("$STEP", step.replace("$DIR", directory)), encoding="utf-8")
    with open(f"{directory}/out", "wb") as stream:
        ran = subprocess.Popen([launcher, "scenario", "--native", "--quiet", "--json", f"{directory}/results.json",
                                str(scenario)], stdout=stream, stderr=subprocess.STDOUT,
                               env=dict(os.environ, TMPDIR=directory))
    wait_for(lambda: "ok 1 - " in text_of(directory, "out") or ran.poll() is not None)
    assert ran.poll() is None, text_of(directory, "out")
    if "pid" in step:
        wait_for(lambda: text_of(directory, "pid").endswith("\n"))
    return ran


def check_first(launcher, directory, step, number):
    ran = begin(launcher, directory, step)
    ran.send_signal(number)
    assert ran.wait(SOON) == 128 + number, text_of(directory, "out")
    told = text_of(directory, "out")
    assert "\nok 2 - long[what=second] # SKIP It was ended by a signal" in told, told
    assert "\nok 3 - long[what=third] # SKIP It was not run" in told, told
    assert "# 1 passed, 0 failed, 2 skipped" in told and "2 of 3 cases have run" in told, told
    results = json.loads(text_of(directory, "results.json"))
    assert [case["verdict"] for case in results["cases"]] == ["passed", "skipped", "skipped"], results
    left = sorted(os.listdir(directory))
    assert [name for name in left if name not in ("long.scn", "out", "pid", "results.json")] == [], left
    if "pid" in step:  # the case was as far as that, and what it did until then is known
        assert any(event["label"] == "pread f 0 8" for event in results["cases"][1]["events"]), results["cases"][1]
        assert not os.path.exists(f"/proc/{int(text_of(directory, 'pid'))}"), "the program of the case still runs"


def check_second(launcher, directory):
    """Whatever the end waits for: here for actors that do not end, since they are stopped."""
    ran = begin(launcher, directory, STEPS["sleeps"])
    actors = children_of(ran.pid)
    assert actors
    for actor in actors:
        os.kill(actor, signal.SIGSTOP)
    ran.send_signal(signal.SIGINT)
    wait_for(lambda: "a second one ends" in text_of(directory, "out"))
    ran.send_signal(signal.SIGTERM)
    assert ran.wait(SOON) == -signal.SIGTERM, text_of(directory, "out")
    assert text_of(directory, "results.json") == ""
    for actor in actors:
        os.kill(actor, signal.SIGKILL)


def check_ignored(launcher, directory):
    """What whoever started it ignores, as nohup does, ends nothing."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    ran = begin(launcher, directory, STEPS["sleeps"])
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    ran.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert ran.poll() is None, text_of(directory, "out")
    ran.send_signal(signal.SIGTERM)
    assert ran.wait(SOON) == 128 + signal.SIGTERM, text_of(directory, "out")


def main():
    launcher = sys.argv[1]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    for number, name in ((signal.SIGINT, "sleeps"), (signal.SIGTERM, "runs a program"), (signal.SIGHUP, "sleeps")):
        with tempfile.TemporaryDirectory() as directory:
            print(name, flush=True)
            check_first(launcher, directory, STEPS[name], number)
    with tempfile.TemporaryDirectory() as directory:
        check_second(launcher, directory)
    with tempfile.TemporaryDirectory() as directory:
        check_ignored(launcher, directory)


main()
