# SPDX-License-Identifier: Apache-2.0
"""The scenarios of the tree on this host itself: what they expect of a guest is what Linux does without one.

usage: check_native.py LAUNCHER SCENARIOS
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

WRONG = """# Nothing is cut, so that the expectation cannot hold.
dir data
file data/log size 8K
guest reader
	open f data/log ro
	map m f 0 8K ro shared
	read m+4K => lost at m+4K
	read m+0 => 1
host
	wait never
"""


def run(launcher, *arguments):
    return subprocess.run([launcher, "scenario", "--native", *arguments], capture_output=True, text=True, timeout=240,
                          check=False)


def check_all(launcher, scenarios, directory):
    """Every case has a verdict, and none is "failed"; the plan, the summary and the JSON agree."""
    names = subprocess.run([launcher, "scenario", "--list", scenarios], capture_output=True, text=True, check=True)
    listed = names.stdout.split("\n")[:-1]
    assert len(listed) == len(set(listed)) > 20, listed
    assert all(name[0].islower() for name in listed), "the box runs them by their first letters"
    some = subprocess.run([launcher, "scenario", "--list", "--filter", "mail*", scenarios], capture_output=True, text=True, check=True)
    assert some.stdout.split("\n")[:-1] == [name for name in listed if name.startswith("mail")], some.stdout
    # what shows a policy has nothing native, and some hosts let nobody mount: both are skipped
    ran = run(launcher, "--allow-skipped", "--json", f"{directory}/results.json", "--jobs", "2", scenarios)
    print(ran.stdout)
    assert ran.returncode == 0, ran.stderr
    results = json.loads(pathlib.Path(directory, "results.json").read_text(encoding="utf-8"))
    verdicts = {case["name"]: case["verdict"] for case in results["cases"]}
    assert set(verdicts) == set(listed), set(verdicts) ^ set(listed)
    assert "failed" not in verdicts.values()
    assert list(verdicts.values()).count("passed") > len(listed) / 2, "most cases were skipped"


def check_readme(scenarios):
    """The table of the directory has each file, with its first line."""
    readme = pathlib.Path(scenarios, "README.md").read_text(encoding="utf-8")
    files = sorted(pathlib.Path(scenarios).glob("*.scn"))
    rows = [f"| [`{file.stem}`]({file.name}) | {file.read_text(encoding='utf-8').partition(chr(10))[0][2:]} |" for file in files]
    missing = [row for row in rows if row not in readme.split("\n")]
    assert not missing, f"scenarios/README.md lacks: {missing}"
    assert readme.count(".scn) |") == len(files), "scenarios/README.md names a file that is not there"


def check_wrong(launcher, directory):
    """What does not come is told with its line, what cannot come is refused, and the command for a repetition repeats it."""
    path = pathlib.Path(directory, "wrong.scn")
    path.write_text(WRONG, encoding="utf-8")
    refused = run(launcher, str(path))
    assert refused.returncode == 2 and f"{path}:10:" in refused.stderr, refused
    path.write_text(WRONG.replace("host\n\twait never\n", ""), encoding="utf-8")
    failed = run(launcher, "--seed", "7", str(path))
    assert failed.returncode == 1 and "not ok 1 - wrong" in failed.stdout, failed
    assert "expected lost at m+4096, got" in failed.stdout and "line: 7" in failed.stdout, failed.stdout
    assert "expected 1, got" in failed.stdout and "line: 8" in failed.stdout, failed.stdout
    assert f"faultline scenario --native --seed 7 --filter wrong {path}" in failed.stdout, failed.stdout


def check_skipped(launcher, scenarios):
    """A run in which everything was skipped has shown nothing."""
    skipped = run(launcher, "--allow-skipped", "--filter", "policy-", scenarios)
    assert skipped.returncode == 1 and "nothing was tried" in skipped.stderr, skipped
    assert "# 0 passed, 0 failed, 5 skipped" in skipped.stdout, skipped.stdout


def check_partly_skipped(launcher, scenarios, directory):
    """A run in which something was skipped has not shown all."""
    path = pathlib.Path(directory, "host.scn")
    path.write_text("# The host does something.\nhost\n\tsleep 1ms\n", encoding="utf-8")
    skipped = run(launcher, str(path), f"{scenarios}/policy-stop.scn")
    assert skipped.returncode == 3 and "--allow-skipped" in skipped.stderr, skipped
    assert "# 1 passed, 0 failed, 2 skipped" in skipped.stdout, skipped.stdout
    allowed = run(launcher, "--allow-skipped", str(path), f"{scenarios}/policy-stop.scn")
    assert allowed.returncode == 0 and "not all" not in allowed.stderr, allowed
    path.write_text(WRONG.replace("host\n\twait never\n", ""), encoding="utf-8")
    failed = run(launcher, "--allow-skipped", str(path), f"{scenarios}/policy-stop.scn")
    assert failed.returncode == 1, failed


def check_slow(launcher, directory):
    """How long a step may take depends on what the host is taken to be."""
    path = pathlib.Path(directory, "slow.scn")
    path.write_text("# A step that takes its time.\nhost\n\tsleep 30ms within 2ms\n", encoding="utf-8")
    late = run(launcher, str(path))
    assert late.returncode == 1 and "more than 2.000 ms." in late.stdout, late.stdout
    late = run(launcher, "--slowness", "10", str(path))
    assert late.returncode == 1 and "more than 20.000 ms (2.000 ms, 10 times as long" in late.stdout, late.stdout
    in_time = run(launcher, "--slowness", "1000", str(path))
    assert in_time.returncode == 0, in_time.stdout


def check_needs(launcher, directory):
    """A case whose program is not there is skipped for that reason; one whose program is there is run."""
    path = pathlib.Path(directory, "needs.scn")
    path.write_text("# A program.\nmatrix what = sh, faultline-no-such-program\nneeds $what\nguest a\n\trun sh -c \"exit 3\" => 3\n",
                    encoding="utf-8")
    ran = run(launcher, str(path))
    assert ran.returncode == 3 and "ok 1 - needs[what=sh]\n" in ran.stdout, ran
    assert "ok 2 - needs[what=faultline-no-such-program] # SKIP There is no program" in ran.stdout, ran.stdout


def check_cpus(launcher, directory):
    """A guest that is bound to a CPU which this host has not is skipped."""
    path = pathlib.Path(directory, "cpus.scn")
    path.write_text("# CPUs.\nmachine\n\tcpus 64\nguest a on cpu 63\n\tsleep 1ms\n", encoding="utf-8")
    ran = run(launcher, str(path))
    wanted = "# SKIP This host has" if os.cpu_count() < 64 else "ok 1 - cpus\n"
    assert wanted in ran.stdout, ran


def check_poison(launcher, directory):
    """Memory of this host is spared unless somebody wants it otherwise."""
    path = pathlib.Path(directory, "poison.scn")
    path.write_text("# Memory.\ndir data tmpfs 1M\nfile data/f size 8K\nhost\n\tpoison data/f 0\n", encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if name not in ("FAULTLINE_POISON", "FAULTLINE_IN_BOX")}
    ran = subprocess.run([launcher, "scenario", "--native", str(path)], capture_output=True, text=True, timeout=60,
                         check=False, env=environment)
    assert ran.returncode == 1 and "# SKIP It takes memory from this host" in ran.stdout, ran


def check_programs(launcher, directory):
    """What the launcher ignores or blocks it does not have its programs ignore."""
    path = pathlib.Path(directory, "programs.scn")
    path.write_text("# Programs.\nguest a\n\trun sh -c \"kill -PIPE \\$\\$\" => killed SIGPIPE\n"
                    "\trun sh -c \"kill -TERM \\$\\$\" => killed SIGTERM\n"
                    "host\n\trun sh -c \"kill -PIPE \\$\\$\" => 141\n\trun sh -c \"kill -TERM \\$\\$\" => 143\n",
                    encoding="utf-8")
    ran = run(launcher, str(path))
    assert ran.returncode == 0, ran.stdout + ran.stderr


def check_explored(launcher, scenarios):
    """A truncation before and after a copy: both ends of the span come out in their own way."""
    ran = run(launcher, "--explore=24", "--filter", "copy-race", scenarios)
    print(ran.stdout)
    assert ran.returncode == 0, ran
    assert "ok 1 - copy-race[" in ran.stdout and "lost at m+262144..m+16777215" in ran.stdout, ran.stdout
    with tempfile.NamedTemporaryFile("w", suffix=".scn") as always_late:
        always_late.write("# Each run is late by a time of its own.\nhost\n\tsleep span 1ms..2ms within 1us\n")
        always_late.flush()
        ran = run(launcher, "--explore=4", "--slowness", "1", always_late.name)
    assert ran.returncode == 1 and "# outcome 1: 4 runs" in ran.stdout, ran
    refused = run(launcher, "--explore", "--filter", "unlinked", scenarios)
    assert refused.returncode != 0 and "no free moment" in refused.stderr, refused


def main():
    launcher, scenarios = sys.argv[1:3]
    with tempfile.TemporaryDirectory() as directory:
        check_all(launcher, scenarios, directory)
        check_wrong(launcher, directory)
        check_slow(launcher, directory)
        check_programs(launcher, directory)
        check_partly_skipped(launcher, scenarios, directory)
        check_readme(scenarios)
        check_needs(launcher, directory)
        check_poison(launcher, directory)
        check_cpus(launcher, directory)
    check_skipped(launcher, scenarios)
    check_explored(launcher, scenarios)


main()
