# SPDX-License-Identifier: Apache-2.0
"""The manual pages: what mandoc says of them, that they fit a terminal, and that nothing of --help is missing.

usage: check_pages.py BUILD-DIRECTORY
"""
import pathlib
import re
import shutil
import subprocess
import sys

COLUMNS = 80
OWN_PAGE = {"run", "scenario", "doctor"}
NO_PAGE = {"help", "version"}


def output_of(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=20).stdout


def complaints_of_mandoc(page):
    done = subprocess.run(["mandoc", "-Tlint", "-W", "warning", page], capture_output=True, text=True, timeout=20)
    return done.stdout.splitlines() + done.stderr.splitlines()


def rendered(page):
    # "X\bX" is a bold X, "_\bX" an underlined one
    return re.sub(r".\x08", "", output_of("mandoc", "-Tascii", f"-Owidth={COLUMNS - 2}", str(page)))


def options_of(help_text):
    """The options that --help lists, each with its letter if it has one."""
    return re.findall(r"^  (?:(-\w), |    )(--[\w-]+)", help_text, re.M)


def missing_options(launcher, verb, page):
    words = [verb, "--help=all"] if verb == "run" else ["help", verb]
    options = options_of(output_of(str(launcher), *words))
    if not options:
        yield f"faultline {' '.join(words)} lists no options"
    for letter, name in options:
        if verb not in OWN_PAGE and name == "--help":
            continue
        if not re.search(rf"^ +{re.escape(f'{letter}, ' if letter else '')}{name}\b(?!-)", page, re.M):
            yield f"{name} of faultline {verb} is not in its page"


def check(build):
    pages = sorted((build / "docs" / "man").glob("*.[1-9]"))
    launcher = build / "faultline"
    verbs = output_of(str(build / "src/cli/faultline-pages"), "verbs").split()
    if len(pages) < 5:
        yield f"only {len(pages)} pages are in {build}/docs/man"
    texts = {page.name: rendered(page) for page in pages}
    for page in pages:
        yield from complaints_of_mandoc(page)
        for line in texts[page.name].splitlines():
            if len(line) > COLUMNS:
                yield f"{page.name}: {len(line)} columns: {line.strip()}"
    shared = [verb for verb in verbs if verb not in OWN_PAGE | NO_PAGE]
    # they are in its title, which is what makes "man faultline-stop" and apropos work
    found = [text for text in texts.values() if shared and f"faultline-{shared[0]}" in text.split("SYNOPSIS")[0]]
    if shared and not found:
        yield f"docs/man/meson.build: vm_verbs must be: {shared}"
        return
    for verb in verbs:
        if f"\n     {verb}" not in texts["faultline.1"]:
            yield f"faultline.1 does not list {verb}"
        if verb not in NO_PAGE:
            page = texts[f"faultline-{verb}.1"] if verb in OWN_PAGE else found[0]
            yield from missing_options(launcher, verb, page)
    installed = output_of("meson", "introspect", "--installed", str(build)) if shutil.which("meson") else ""
    for verb in shared:
        if installed and f"/man1/faultline-{verb}.1" not in installed:
            yield f"docs/man/meson.build: vm_verbs must be: {shared}"


def main():
    if not shutil.which("mandoc"):
        print("skipped: mandoc is not installed (scripts/deps installs it)")
        sys.exit(77)
    wrong = list(check(pathlib.Path(sys.argv[1])))
    print("\n".join(wrong) or "the pages are whole")
    sys.exit(bool(wrong))


main()
