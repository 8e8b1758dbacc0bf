# SPDX-License-Identifier: Apache-2.0
"""What is installed: put into a directory of its own, used in its place, and removed again.

usage: check_install.py BUILD-DIRECTORY PREFIX LIBDIR SANITIZERS
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

EXPECTED = ["bin/faultline", "include/faultline/faultline.h", "share/man/man1/faultline.1", "share/man/man1/faultline-run.1",
            "share/man/man1/faultline-doctor.1", "share/man/man1/faultline-scenario.1", "share/man/man5/faultline-scenario.5",
            "share/man/man5/faultline.conf.5", "share/man/man7/faultline-faults.7",
            "share/bash-completion/completions/faultline", "share/zsh/site-functions/_faultline",
            "share/doc/faultline/README.md", "share/doc/faultline/ARCHITECTURE.md"]
DOCUMENTS = [f"share/doc/faultline/docs/{path.name}" for path in (pathlib.Path(__file__).parents[3] / "docs").glob("*.md")]
EMBEDDER = """
#include <faultline/faultline.h>
#include <stdio.h>
int main(void)
{
	struct fl_host_report report = {.size = sizeof(report)};

	if (fl_host_probe(&report) < 0)
		return 1;
	puts(fl_version());
	return 0;
}
"""


class Installed:
    """The files as they will be below the prefix, there for those who are asked, and for nobody else."""

    def __init__(self, build, prefix, destdir):
        self.prefix = prefix
        self.here = pathlib.Path(f"{destdir}{prefix}")
        subprocess.run(["meson", "install", "--quiet", "--no-rebuild", "-C", str(build), "--destdir", str(destdir)],
                       check=True, capture_output=True, timeout=50)

    def run(self, *command, check=True):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FAULTLINE_")}
        script = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
        return subprocess.run(["unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh", self.here, self.prefix,
                               *command], env=environment, check=check, capture_output=True, text=True, timeout=50)

    def uninstall(self, build):
        subprocess.run(["ninja", "-C", str(build), "uninstall"], check=True, capture_output=True, timeout=50)
        return [path for path in self.here.rglob("*") if not path.is_dir()]


def check_launcher(installed, build):
    launcher = f"{installed.prefix}/bin/faultline"
    version = json.loads((build / "meson-info" / "intro-projectinfo.json").read_text())["version"]
    found = installed.run(launcher, "--version").stdout
    if found != f"faultline {version}\n":
        yield f"--version says {found!r} and not {version}"
    doctor = installed.run(launcher, "doctor", check=False)
    if doctor.returncode not in (0, 1, 2) or "/dev/kvm" not in doctor.stdout:
        yield f"doctor: {doctor}"
    if (build / "guest-kernel" / "bzImage").exists():
        kernel = f"kernel = {installed.prefix}/lib/faultline/bzImage"
        tried = installed.run(launcher, "run", "--no-config", "--dry-run", "--", "true", check=False)
        if kernel not in tried.stdout.splitlines():
            yield f"no {kernel!r} in {tried}"


def check_box(installed):
    """Where it stands it finds all its parts; what it needs of this host is another matter."""
    done = installed.run(f"{installed.prefix}/lib/faultline/box", "--check", check=False)
    if done.returncode not in (0, 1) or done.stderr or not done.stdout.strip():
        yield f"the box: {done}"


def check_library(installed, libdir, scratch):
    (scratch / "embedder.c").write_text(EMBEDDER)
    pc = f"{installed.prefix}/{libdir}/pkgconfig"
    script = (f'flags=$(PKG_CONFIG_PATH={pc} pkg-config --static --cflags --libs libfaultline) &&'
              f' cc -o {scratch}/embedder {scratch}/embedder.c $flags && {scratch}/embedder')
    done = installed.run("sh", "-c", script, check=False)
    if done.returncode:
        yield f"a program that uses the library: {done.stderr or done}"


def check(build, prefix, libdir, sanitizers, scratch):
    installed = Installed(build, prefix, scratch / "destdir")
    for name in EXPECTED + DOCUMENTS + [f"{libdir}/libfaultline.a", f"{libdir}/pkgconfig/libfaultline.pc"]:
        if not (installed.here / name).exists():
            yield f"{name} is not installed"
    yield from check_launcher(installed, build)
    yield from check_box(installed)
    if sanitizers == "none":
        yield from check_library(installed, libdir, scratch)
    left = installed.uninstall(build)
    if left:
        yield f"uninstall leaves {left}"


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)


def main():
    build, prefix, libdir, sanitizers = pathlib.Path(sys.argv[1]).resolve(), *sys.argv[2:5]
    if not shutil.which("meson") or not (build / "build.ninja").exists():
        skip("meson is not here, or this is no build directory of it")
    if not os.path.isdir(prefix) or shutil.which("sh").startswith(f"{prefix}/"):
        skip(f"the files cannot be put in the place of {prefix}")
    if subprocess.run(["unshare", "--map-root-user", "--mount", "true"], capture_output=True, timeout=10).returncode:
        skip("this user may not make a mount name space")
    # it says what "ninja uninstall" removes, and that is not to be what is installed here
    log = build / "meson-logs" / "install-log.txt"
    before = log.read_bytes() if log.exists() else None
    try:
        with tempfile.TemporaryDirectory() as scratch:
            wrong = list(check(build, prefix, libdir, sanitizers, pathlib.Path(scratch)))
    finally:
        if before is not None:
            log.write_bytes(before)
        else:
            log.unlink(missing_ok=True)
    print("\n".join(wrong) or "what is installed works, and can be removed")
    sys.exit(bool(wrong))


main()
