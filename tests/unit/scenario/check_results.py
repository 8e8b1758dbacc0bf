# SPDX-License-Identifier: Apache-2.0
"""What is written of results, read by parsers that are not ours.

usage: check_results.py WRITE-SAMPLES FORMAT

WRITE-SAMPLES writes results that were made by hand in samples.c, among them one with hostile bytes wherever there are
bytes. Prints TAP.
"""
import base64
import hashlib
import html.parser
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET

NAMES = ["reader[access=read]", "reader[access=vector] (run 2)", "disk-full", "hostile", "storm", "unbootable"]
VERDICTS = ["passed", "failed", "skipped", "failed", "passed", "failed"]
STORM = 300


def written(program, what, events=STORM):
    done = subprocess.run([program, what, str(events)], check=True, capture_output=True, timeout=30)
    return done.stdout.decode("utf-8", "strict")


def no_controls(text):
    bad = [c for c in text if ord(c) < 32 and c not in "\n\t" or 0x7f <= ord(c) < 0xa0 or 0x202a <= ord(c) <= 0x202e]
    assert not bad, f"controls: {bad}"


# ---- TAP 14 ---------------------------------------------------------------------------------

TEST_POINT = re.compile(r"(not )?ok (\d+) - ((?:[^\\#]|\\[\\#])*?)(?: # (SKIP|TODO) (.*))?$")


def yaml_member(line):
    """A member of a block: its name, and its value, which is a double-quoted scalar that is JSON too, or a number."""
    match = re.fullmatch(r" *(?:- )?(\w+): (.+)", line)
    assert match, f"no member: {line!r}"
    return match[1], json.loads(match[2])


def tap_points(text):
    lines = text.split("\n")
    assert lines.pop() == "" and lines[0] == "TAP version 14" and lines[1] == f"1..{len(NAMES)}", lines[:2]
    points, block = [], None
    for line in lines[2:]:
        if line == "  ---":
            block = points[-1]["block"] = []
        elif line == "  ...":
            block = None
        elif block is not None:
            assert line.startswith("  "), line
            block.append(line)
        else:
            match = TEST_POINT.fullmatch(line)
            assert match, f"no test point: {line!r}"
            points.append({"ok": not match[1], "number": int(match[2]), "name": re.sub(r"\\(.)", r"\1", match[3]),
                           "directive": match[4], "reason": match[5]})
    return points


def tap_has_a_line_for_each_case(program):
    text = written(program, "tap")
    no_controls(text)
    points = tap_points(text)
    assert [p["number"] for p in points] == list(range(1, len(NAMES) + 1))
    for point, name, verdict in zip(points, NAMES, VERDICTS):
        assert point["name"].startswith(name), point["name"]
        assert point["ok"] == (verdict != "failed") and (point["directive"] == "SKIP") == (verdict == "skipped"), point
        assert ("block" in point) == (verdict == "failed"), point
    assert points[2]["reason"] == "it needs root: dir small is a tmpfs"


def tap_says_what_failed_and_how_to_repeat_it(program):
    block = [line for line in tap_points(written(program, "tap"))[1]["block"]]
    members = [yaml_member(line) for line in block if line != "  failures:"]
    assert [value for name, value in members if name == "line"] == [18, 33]
    assert [value for name, value in members if name == "column"] == [2, 2]
    single = dict(members)
    assert single["message"].startswith('The step "vector m+12K" should have lost'), single
    assert single["repeat"].startswith("faultline scenario --seed") and single["file"] == "scenarios/reader.scn"
    assert single["seed"] == 0x9e3779b97f4a7c15 and single["duration_ms"] == 8.401
    try:
        import yaml
    except ImportError:
        return
    document = yaml.safe_load("\n".join(block))
    assert [f["line"] for f in document["failures"]] == [18, 33] and document["message"] == single["message"]


def tap_is_not_written_by_what_it_tells(program):
    point = tap_points(written(program, "tap"))[3]
    assert "# SKIP [[ATTACHMENT" in point["name"] and "not ok 9" in point["name"], point["name"]
    assert "\u241b[31m\u2401\u2421\ufffd" in point["name"] and point["name"].endswith(" ä"), point["name"]
    text = dict(yaml_member(line) for line in point["block"] if line != "  failures:")["text"]
    assert "\n\u240d\tnot ok 9" in text, text


# ---- JUnit ----------------------------------------------------------------------------------


def suites_of(program):
    text = written(program, "junit")
    no_controls(text)
    return ET.fromstring(text.encode())


def junit_counts_what_it_has(program):
    root = suites_of(program)
    assert root.tag == "testsuites" and {child.tag for child in root} == {"testsuite"}
    assert [suite.get("name")[:7] for suite in root] == ["scenari", "./scena", "hostile", "scenari"]
    for group in [root, *root]:
        cases = list(group.iter("testcase"))
        for attribute, tag in ("tests", None), ("failures", "failure"), ("skipped", "skipped"), ("errors", "error"):
            count = len(cases) if tag is None else sum(case.find(tag) is not None for case in cases)
            assert int(group.get(attribute)) == count, (group.attrib, attribute, count)
        float(group.get("time"))
    for suite in root:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.get("timestamp")), suite.get("timestamp")
        properties = {p.get("name"): p.get("value") for p in suite.find("properties")}
        assert properties == {"host": "in the box (Linux 6.12, SVM under emulation)", "seed": "42"}, properties


def junit_has_each_case_with_its_verdict(program):
    cases = {case.get("name"): case for case in suites_of(program).iter("testcase")}
    assert len(cases) == len(NAMES)
    for name, verdict in zip(NAMES, VERDICTS):
        case = next(case for full, case in cases.items() if full.startswith(name))
        assert (case.find("failure") is not None) == (verdict == "failed")
        assert (case.find("skipped") is not None) == (verdict == "skipped")
        assert [child.tag for child in case][-1] == "system-out", "the schema wants it behind the verdict"
    case = cases[NAMES[1]]
    assert case.get("classname") == "scenarios.reader" and float(case.get("time")) == 0.008401
    assert cases["disk-full"].get("classname") == "scenarios.disk-full"
    assert cases["disk-full"].find("skipped").get("message") == "it needs root: dir small is a tmpfs"
    assert cases["unbootable"].find("failure").get("message").startswith("The machine vm ended")


def junit_tells_a_failure_with_all_that_is_known(program):
    case = next(c for c in suites_of(program).iter("testcase") if c.get("name") == NAMES[1])
    lines = case.find("failure").text.splitlines()
    assert [line.split(": ")[0] for line in lines] == ["scenarios/reader.scn:18:2", "scenarios/reader.scn:33:2"], lines
    output = case.find("system-out").text
    assert "SIGBUS BUS_ADRERR at m+12K" in output and "reader! read m+12K" in output, output
    assert "(10000 times)" in output and "host memory is lost" in output and "repeat: faultline scenario" in output


def junit_passes_no_orders_on(program):
    root = suites_of(program)
    case = next(c for c in root.iter("testcase") if c.get("name").startswith("hostile"))
    console = case.find("system-out").text.rpartition("console of")[2]
    assert "[ [ATTACHMENT|/etc/passwd]]" in console and "\u2400" in console, console
    assert "]]>&amp;\"'`{{data}}\\ # SKIP" in case.get("name"), case.get("name")
    assert {element.tag for element in root.iter()} == {
        "testsuites", "testsuite", "properties", "property", "testcase", "failure", "skipped", "system-out"}


# ---- JSON -----------------------------------------------------------------------------------


def text_to_bytes(text):
    """What docs/events.md says."""
    return re.sub(rb"\\(\\|[0-7]{3})", lambda m: b"\\" if m[1] == b"\\" else bytes([int(m[1], 8)]), text.encode())


def json_counts_what_it_has(program):
    text = written(program, "json")
    assert text.count("\n") == 1 and text.endswith("\n")
    document = json.loads(text)
    cases = document.pop("cases")
    assert document == {
        "faultline": document["faultline"], "host": "in the box (Linux 6.12, SVM under emulation)", "seed": 42,
        "started": "2026-03-01T12:00:00.000000000Z", "took_ns": 61 * 10**9, "passed": 2, "failed": 3, "skipped": 1}
    assert [case["verdict"] for case in cases] == VERDICTS
    assert [case["name"] for case in cases][:3] == ["reader[access=read]", "reader[access=vector]", "disk-full"]
    for case in cases:
        assert list(case) == ["name", "file", "about", "verdict", "reason", "repeat", "machine", "seed", "run", "started",
                              "took_ns", "checks", "failures", "lanes", "events", "faults", "consoles"], list(case)


def json_has_all_of_a_case(program):
    case = json.loads(written(program, "json"))["cases"][1]
    assert case["failures"][0]["line"] == 18 and case["failures"][0]["column"] == 2 and len(case["failures"]) == 2
    assert case["lanes"][1] == {"name": "reader", "kind": "actor", "machine": "vm", "clock_error_ns": 1800}
    assert [lane["kind"] for lane in case["lanes"]] == ["host", "actor", "actor", "vcpu", "vcpu"]
    assert case["lanes"][0]["machine"] is None and case["seed"] == "11400714819323198485" and case["run"] == 2
    step = next(event for event in case["events"] if event["unexpected"])
    assert step == {"lane": 1, "kind": "step", "begin_ns": 5212000, "end_ns": 5655000, "count": 1, "last_ns": 5655000,
                    "line": 18, "label": "read m+12K", "detail": "SIGBUS BUS_ADRERR at m+12K", "wish": None, "unexpected": True,
                    "fault": 0}, step
    repeated = next(event for event in case["events"] if event["count"] > 1)
    assert repeated["count"] == 10000 and repeated["end_ns"] == 2440000 and repeated["last_ns"] == 7899000, repeated
    assert {event["kind"] for event in case["events"]} == {"step", "wait", "mark", "fault", "delivery"}
    assert [event["begin_ns"] for event in case["events"]] == sorted(event["begin_ns"] for event in case["events"])
    fault = case["faults"][0]
    assert fault["at_ns"] == 5230000 and fault["machine"] == "vm" and fault["event"] == "fault"
    assert fault["cause"] == "truncated" and fault["file_offset"] == 12288 and fault["times_ns"]["locate"] == 9000


def json_has_the_bytes_themselves(program):
    case = json.loads(written(program, "json"))["cases"][3]
    hostile = text_to_bytes(case["name"])
    assert hostile.startswith(b"hostile</script>") and b"\x1b[31m\x01\x7f\xff\xc3\xe2\x80\xae" in hostile, hostile
    places = [case["about"], case["file"], case["reason"], case["repeat"], case["machine"], case["failures"][0]["text"],
              case["lanes"][0]["name"], case["lanes"][0]["machine"], case["events"][0]["label"],
              case["events"][0]["detail"], case["events"][0]["wish"], case["faults"][0]["region"], case["faults"][0]["path"]]
    assert all(text_to_bytes(place) == hostile for place in places)
    assert text_to_bytes(case["consoles"][0]["text"]) == hostile + b"\0"
    assert case["events"][0]["end_ns"] == str(2**64 - 1)


# ---- HTML -----------------------------------------------------------------------------------

VOID = {"meta", "input"}


class Page(html.parser.HTMLParser):
    """The elements as a tree of [tag, attributes, children], text as str. What is not well nested is refused."""

    def __init__(self, text):
        super().__init__()
        self.open = [["", {}, []]]
        self.feed(text)
        self.close()
        assert len(self.open) == 1, [element[0] for element in self.open]

    def handle_starttag(self, tag, attrs):
        assert len(attrs) == len(dict(attrs)), attrs
        element = [tag, dict(attrs), []]
        self.open[-1][2].append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attrs):
        self.open[-1][2].append([tag, dict(attrs), []])

    def handle_endtag(self, tag):
        assert self.open[-1][0] == tag, f"</{tag}> ends <{self.open[-1][0]}>"
        self.open.pop()

    def handle_data(self, data):
        self.open[-1][2].append(data)

    def handle_comment(self, data):
        raise AssertionError(f"a comment: {data}")

    def all(self, tag=None, css=None, below=None):
        for child in (below or self.open[0])[2]:
            if isinstance(child, list):
                if (tag is None or child[0] == tag) and (css is None or css in child[1].get("class", "").split()):
                    yield child
                yield from self.all(tag, css, child)


def text_of(element):
    return "".join(child if isinstance(child, str) else text_of(child) for child in element[2])


def page_of(program, events=STORM):
    text = written(program, "html", events)
    no_controls(text.partition('<script type="application/json"')[0])
    return Page(text)


def html_has_what_a_reader_without_script_wants(program):
    page = page_of(program)
    cases = list(page.all("details", "case"))
    assert [case[1]["data-verdict"] for case in cases] == VERDICTS
    assert ["open" in case[1] for case in cases] == [verdict == "failed" for verdict in VERDICTS]
    for case, name, verdict in zip(cases, NAMES, VERDICTS):
        assert text_of(next(page.all("span", "name", case))).startswith(name)
        assert verdict in text_of(next(page.all("span", "verdict", case)))
    failed = text_of(cases[1])
    for expected in ("line 18, column 2:", "should have lost m+12K", "To repeat it:", "11400714819323198485", "clock \u00b11.8 \u00b5s",
                     "2 CPUs, 512 MiB", "5230.000", "host memory is lost", "SIGBUS BUS_ADRERR at m+12K", "pread f 0 4K", "\u00d710000"):
        assert expected in failed, expected
    assert "it needs root: dir small is a tmpfs" in text_of(cases[2])
    assert "its kernel panicked" in text_of(cases[5])
    hidden = [element for element in page.all() if element[0] in ("form", "button") and "hidden" not in element[1]]
    assert all(element[0] == "button" and "name" in element[1] for element in hidden), "a control that does nothing is shown"


def html_loads_nothing_and_runs_its_own_script_only(program):
    page = page_of(program)
    scripts = list(page.all("script"))
    assert [script[1] for script in scripts] == [{"type": "application/json", "id": "data"}, {}]
    policy = next(m[1]["content"] for m in page.all("meta") if m[1].get("http-equiv") == "Content-Security-Policy")
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    digests = {name: f"'sha256-{base64.b64encode(hashlib.sha256(text_of(element).encode()).digest()).decode()}'"
               for name, element in (("script-src", scripts[1]), ("style-src", next(page.all("style"))))}
    assert rules == {"default-src": "'none'", "base-uri": "'none'", "form-action": "'none'", **digests}, policy
    for tag, attributes, _ in page.all():
        assert not [a for a in attributes if a.startswith("on") or a in ("src", "srcset", "style", "action")], attributes
        assert attributes.get("href", "#").startswith("#"), attributes
    assert {element[0] for element in page.all()} <= {
        "html", "head", "meta", "title", "style", "body", "svg", "defs", "pattern", "marker", "rect", "path", "line", "circle", "g",
        "text", "tspan", "header", "h1", "h3", "ul", "li", "b", "span", "dl", "div", "dt", "dd", "form", "label", "input",
        "fieldset", "legend", "button", "output", "main", "details", "summary", "p", "strong", "code", "figure", "figcaption",
        "table", "thead", "tbody", "tr", "th", "td", "a", "pre", "script"}


def html_tells_hostile_texts_as_they_are(program):
    page = page_of(program)
    case = list(page.all("details", "case"))[3]
    name = text_of(next(page.all("span", "name", case)))
    assert name.startswith("hostile</script></details><!--<script>alert(1)</script>]]>&amp;\"'`{{data}}\\ # SKIP"), name
    assert name.endswith("\n\u240d\tnot ok 9\u241b[31m\u2401\u2421" + "\ufffd" * 12 + " \u00e4"), name
    assert text_of(next(page.all("pre", None, case))) == name + "\u2400"


def html_has_the_results_as_data(program):
    page = page_of(program)
    data = next(script for script in page.all("script") if script[1].get("id") == "data")
    assert "<" not in text_of(data)
    assert json.loads(text_of(data)) == json.loads(written(program, "json"))


def html_names_are_unique_and_links_lead_somewhere(program):
    page = page_of(program)
    names = [element[1]["id"] for element in page.all() if "id" in element[1]]
    assert len(names) == len(set(names)), names
    for element in page.all():
        for value in element[1].values():
            for name in re.findall(r"^#([\w-]+)$|url\(#([\w-]+)\)", value or ""):
                assert (name[0] or name[1]) in names, value


def html_has_an_end(program):
    text = written(program, "html", 20000)
    page = Page(text)
    case = list(page.all("details", "case"))[4]
    drawn = [g for g in page.all("g", "ev", case)]
    assert len(drawn) == 1500, len(drawn)
    assert "Only the first 1500 of 20000 events are drawn" in text_of(case) and "The first 500 of 20000 faults" in text_of(case)


# ---------------------------------------------------------------------------------------------


def main():
    program, what = sys.argv[1:3]
    checks = [check for name, check in globals().items() if name.startswith(what + "_")
              and name not in ("tap_points",)]
    failed = 0
    print(f"1..{len(checks)}")
    for number, check in enumerate(checks, 1):
        try:
            check(program)
            print(f"ok {number} - {check.__name__}")
        except (AssertionError, KeyError, ValueError, StopIteration, ET.ParseError, subprocess.SubprocessError) as error:
            failed += 1
            print("# " + repr(error).replace("\n", "\n# "))
            print(f"not ok {number} - {check.__name__}")
    return 1 if failed or not checks else 0


sys.exit(main())
