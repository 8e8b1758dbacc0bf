# SPDX-License-Identifier: Apache-2.0
"""The completions, as a person at a terminal sees them: a line is typed, the tabulator is pressed, and the line is read.

usage: check_completions.py BUILD-DIRECTORY bash|zsh
"""
import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time

PATIENCE_S = 15

# what is typed before the tabulator, and what the line is then
CASES = [
    ("faultline doc", "faultline doctor"),
    ("faultline --ver", "faultline --version"),
    ("faultline help doc", "faultline help doctor"),
    ("faultline run --kern", "faultline run --kernel="),
    ("faultline run --dry", "faultline run --dry-run"),
    ("faultline run -c 2 --mem", "faultline run -c 2 --memory="),
    ("faultline run --dax alw", "faultline run --dax always"),
    ("faultline run --dax=alw", "faultline run --dax=always"),
    ("faultline run --dax /tmp=nev", "faultline run --dax /tmp=never"),
    ("faultline run --dax=/tmp=nev", "faultline run --dax=/tmp=never"),
    ("faultline run --on-fault reflect,sub", "faultline run --on-fault reflect,substitute"),
    ("faultline run --on-fault /tmp=reflect,sub", "faultline run --on-fault /tmp=reflect,substitute"),
    ("faultline run -k bzI", "faultline run -k bzImage"),
    ("faultline run --kernel=bzI", "faultline run --kernel=bzImage"),
    ("faultline run --root sha", "faultline run --root share/"),
    ("faultline run --rwdir /tmp/a=sha", "faultline run --rwdir /tmp/a=share/"),
    ("faultline run --rwdir=/tmp/a=sha", "faultline run --rwdir=/tmp/a=share/"),
    ("faultline run --volume sha", "faultline run --volume share/"),
    ("faultline run unhea", "faultline run unheard-of"),
    ("faultline run -c 2 -- unhea", "faultline run -c 2 -- unheard-of"),
    ("faultline run --memory 1G unheard-of bzI", "faultline run --memory 1G unheard-of bzImage"),
    # not faultline's own any more
    ("faultline run unheard-of --kern", "faultline run unheard-of --kern"),
    # no file where a number is wanted
    ("faultline run -c bzI", "faultline run -c bzI"),
    ("faultline doctor bzI", "faultline doctor bzI"),
]
VM_CASES = [
    ("faultline stop bui", "faultline stop build-1"),
    ("faultline status oth", "faultline status other"),
]

BASH = r"""
PS1='$ '
bind 'set bell-style none'
bind 'set enable-bracketed-paste off'
bind -x '"\C-t": printf "\n<<%s>>\n" "$READLINE_LINE"'
source "$COMPLETIONS/faultline"
"""
ZSH = r"""
PS1='$ '
unsetopt beep prompt_sp prompt_cr
fpath=("$COMPLETIONS" $fpath)
autoload -Uz compinit
compinit -u -d "$PWD/zcompdump"
shown() { zle -I; print -r -- "<<$BUFFER>>"; BUFFER= }
zle -N shown
bindkey '^T' shown
bindkey '^U' kill-whole-line
"""
# stands for the launcher where the names of VMs are asked for
LAUNCHER = """#!/bin/sh
[ "$1" = ps ] || exit 2
printf 'NAME STATE\\nbuild-1 running\\nother running\\n'
"""


class Shell:
    """An interactive shell in a terminal of its own."""

    def __init__(self, kind, build, directory):
        environment = {"PATH": f"{directory}/bin:/usr/bin:/bin", "TERM": "dumb", "HOME": str(directory), "LC_ALL": "C",
                       "COMPLETIONS": str(build / "docs" / "completions")}
        start = {"bash": ["bash", "--noprofile", "--rcfile", "rc", "-i"], "zsh": ["zsh", "-d", "-i"]}[kind]
        (directory / {"bash": "rc", "zsh": ".zshrc"}[kind]).write_text({"bash": BASH, "zsh": ZSH}[kind])
        ours, theirs = pty.openpty()
        self.fd = ours
        self.process = subprocess.Popen(start, stdin=theirs, stdout=theirs, stderr=theirs, cwd=directory,
                                        env=environment, start_new_session=True)
        os.close(theirs)
        # longer lines than any here: none is broken
        subprocess.run(["stty", "cols", "500"], stdin=ours, check=True, timeout=5)
        self.read_until(rb"\$ (\x1b\S*)?$")

    def read_until(self, pattern):
        seen = b""
        deadline = time.monotonic() + PATIENCE_S
        while not re.search(pattern, seen):
            if not select.select([self.fd], [], [], max(0, deadline - time.monotonic()))[0]:
                raise TimeoutError(f"the shell said only {seen!r}")
            seen += os.read(self.fd, 4096)
        return seen

    def complete(self, typed):
        os.write(self.fd, typed.encode() + b"\t\x14")
        seen = self.read_until(rb"<<.*>>")
        os.write(self.fd, b"\x15")
        return re.search(rb"<<(.*)>>", seen)[1].decode()

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.fd)


def check(kind, build, directory):
    verbs = subprocess.run([build / "src/cli/faultline-pages", "verbs"], check=True, capture_output=True, text=True,
                           timeout=10).stdout.split()
    for name, text in [("unheard-of", "#!/bin/sh\n"), ("faultline", LAUNCHER)]:
        (directory / "bin" / name).write_text(text)
        (directory / "bin" / name).chmod(0o755)
    cases = CASES + [case for case in VM_CASES if case[0].split()[1] in verbs]
    shell = Shell(kind, build, directory)
    try:
        for typed, wanted in cases:
            found = shell.complete(typed).rstrip(" ")
            if found != wanted:
                yield f"{typed!r} became {found!r} and not {wanted!r}"
    finally:
        shell.close()


def main():
    build, kind = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2]
    if not shutil.which(kind):
        print(f"skipped: {kind} is not installed")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as scratch:
        directory = pathlib.Path(scratch)
        for name in ["bin", "share"]:
            (directory / name).mkdir()
        (directory / "bzImage").write_text("")
        wrong = list(check(kind, build, directory))
    print("\n".join(wrong) or "the completions are right")
    sys.exit(bool(wrong))


main()
