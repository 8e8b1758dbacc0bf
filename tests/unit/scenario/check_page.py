# SPDX-License-Identifier: Apache-2.0
"""The page of results in a browser: what is drawn is where the times say, and whoever reads it can use it.

usage: check_page.py WRITE-SAMPLES

Prints TAP. Skipped where there is no Chromium; scripts/deps installs it.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "lib"))
from browser import Browser, missing  # noqa: E402

STORM = 300
BAR_LEAST_PX = 3

# What the checks ask of the page. `rows` is in CSS pixels, from the left edge of the timeline.
HELPERS = """
const plot = document.querySelector("#case-2 .plot");
const box = plot.getBoundingClientRect();
function placed(element) {
	const its = element.getBoundingClientRect();
	return {left: its.left - box.left - plot.clientLeft, width: its.width, top: its.top - box.top, height: its.height};
}
function events(kind) {
	return [...plot.querySelectorAll(".ev." + kind)].map(group => ({
		i: Number(group.dataset.i), short: group.classList.contains("short"), chosen: group.classList.contains("chosen"),
		text: (group.querySelector("text") || {}).textContent, ...placed(group.querySelector("rect, line, path"))}));
}
"""

# Each text that is seen, with its colour and the one behind it. Texts of a timeline may stand on its bars.
CONTRASTS = """
function parse(colour) {
	const parts = colour.match(/[\\d.]+/g).map(Number);
	return {rgb: parts.slice(0, 3), alpha: parts.length > 3 ? parts[3] : 1};
}
function luminance(rgb) {
	const [r, g, b] = rgb.map(c => c / 255).map(c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
	return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function contrast(a, b) {
	const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p);
	return (x + 0.05) / (y + 0.05);
}
function ground(element) {
	for (let at = element; at; at = at.parentElement) {
		const {rgb, alpha} = parse(getComputedStyle(at).backgroundColor);
		if (alpha > 0)
			return rgb;
	}
	return [255, 255, 255];
}
const seen = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
	const element = walker.currentNode.parentElement;
	if (!walker.currentNode.data.trim() || element.closest("script, title") || !element.checkVisibility())
		continue;
	const style = getComputedStyle(element), svg = element.closest("svg.plot");
	const colour = parse(svg ? style.fill : style.color).rgb;
	const grounds = [ground(element)];
	const group = element.closest(".ev");
	const bar = group && group.querySelector("rect");
	if (bar && !group.classList.contains("short")) {
		const fill = getComputedStyle(bar).fill;
		grounds.push(parse(fill.startsWith("url") ? getComputedStyle(document.querySelector(".hatch-ground")).fill : fill).rgb);
	}
	const band = svg && element.closest(".lane") && svg.querySelector(".band.odd");
	if (band)
		grounds.push(parse(getComputedStyle(band).fill).rgb);
	seen.push([Math.min(...grounds.map(rgb => contrast(colour, rgb))), walker.currentNode.data.trim().slice(0, 40)]);
}
return seen;
"""


class Fixture:
    def __init__(self, browser, program, home):
        self.browser = browser
        self.path = f"{home}/page.html"
        written = subprocess.run([program, "html", str(STORM)], check=True, capture_output=True, timeout=30).stdout
        pathlib.Path(self.path).write_bytes(written)
        output = subprocess.run([program, "json", str(STORM)], check=True, capture_output=True, timeout=30).stdout
        self.case = json.loads(output)["cases"][1]

    def open(self, width=1280, **how):
        self.browser.look(width, **how)
        self.browser.open(self.path)

    def run(self, script, *arguments):
        return self.browser.run(HELPERS + script, *arguments)

    def bars(self):
        return {bar["i"]: bar for kind in ("step", "wait", "fault") for bar in self.run(f"return events('{kind}')")}

    def focus(self):
        self.run("plot.focus()")

    def seen_ns(self):
        """The span that is seen, by the widest bar that is seen whole; what is drawn to scale agrees on it."""
        width = self.run("return plot.clientWidth")
        bar = max((bar for bar in self.bars().values() if bar["left"] >= 0 and bar["left"] + bar["width"] <= width),
                  key=lambda bar: bar["width"])
        event = self.case["events"][bar["i"]]
        per_px = (event["end_ns"] - event["begin_ns"]) / bar["width"]
        return event["begin_ns"] - bar["left"] * per_px, per_px


def near(a, b, tolerance=1.0):
    return abs(a - b) <= tolerance


def the_console_stays_empty(page):
    page.open()
    page.run("for (const details of document.querySelectorAll('details')) details.open = true;")
    page.focus()
    page.browser.press("+", "ArrowRight", "ArrowDown", "Enter", "f", "Shift+ArrowLeft", "-", "0", "Escape")
    complaints = page.browser.complaints()
    assert not complaints, complaints
    assert page.run("return document.querySelectorAll('.tools').length") == 4, "a timeline was not made ready"
    assert page.run("return performance.getEntriesByType('resource').length") == 0


def check_scale(page):
    events, bars = page.case["events"], page.bars()
    wanted = {i for i, event in enumerate(events) if event["kind"] in ("step", "wait", "fault")}
    assert set(bars) == wanted, wanted ^ set(bars)
    from_ns, per_px = page.seen_ns()
    for i, bar in bars.items():
        event = events[i]
        assert near(bar["left"], (event["begin_ns"] - from_ns) / per_px), (event, bar)
        length = (event["end_ns"] - event["begin_ns"]) / per_px
        assert near(bar["width"], max(length, BAR_LEAST_PX)), (event, bar)
        assert bar["short"] == (length < BAR_LEAST_PX) or near(length, BAR_LEAST_PX, 0.1), (event, bar)
    for mark in page.run("return events('mark')"):
        assert near(mark["left"] + mark["width"] / 2, (events[mark["i"]]["begin_ns"] - from_ns) / per_px, 1.5), mark
    for delivery in page.run("return events('delivery')"):
        assert near(delivery["left"] + delivery["width"] / 2, (events[delivery["i"]]["begin_ns"] - from_ns) / per_px, 1.5), delivery


def bars_are_as_long_as_their_time(page):
    page.open()
    check_scale(page)


def bars_are_as_long_as_their_time_without_script(page):
    page.open(script=False)
    check_scale(page)
    assert page.run("return getComputedStyle(document.querySelector('.controls')).display") == "none"
    assert page.run("return [...document.querySelectorAll('button')].every(b => !b.checkVisibility())")
    texts = {bar["text"] for bar in page.bars().values()}
    assert {"wait mapped", "wait cut", "fault 1 \u2192 truncated, read at data/log:12288", "loop until done"} <= texts, texts


def a_line_leads_to_the_last_time(page):
    events = page.case["events"]
    index = next(i for i, event in enumerate(events) if event["count"] > 1)
    for script in True, False:
        page.open(script=script)
        from_ns, per_px = page.seen_ns()
        lines = page.run("return [...plot.querySelectorAll('.step, .wait, .fault')].filter(e => e.querySelector('line'))"
                         ".map(e => ({i: Number(e.dataset.i), x1: e.querySelector('line').x1.baseVal.value, x2: e.querySelector('line').x2.baseVal.value}))")
        assert [line["i"] for line in lines] == [index], lines
        assert near(lines[0]["x1"], (events[index]["end_ns"] - from_ns) / per_px)
        assert near(lines[0]["x2"], (events[index]["last_ns"] - from_ns) / per_px)
    page.open()
    page.run("plot.scrollIntoView({block: 'center'})")
    x, y = page.run("const b = plot.querySelector(`[data-i='${arguments[0]}'] rect`).getBoundingClientRect(); return [b.left + 1, b.top + 5]", index)
    page.browser.mouse("mouseMoved", x, y)
    said = page.run("return document.querySelector('#case-2 .readout').textContent")
    assert "10000 times until 7899.000 \u00b5s" in said, said
    page.focus()
    page.browser.press("f")
    bar = page.bars()[index]
    text = page.run("return placed(plot.querySelector(`[data-i='${arguments[0]}'] text`))", index)
    assert bar["left"] + bar["width"] < 0 <= text["left"] and bar["text"].startswith("pread"), (bar, text)


def what_overlaps_stands_in_rows(page):
    page.open()
    events, bars = page.case["events"], list(page.bars().values())
    for a in bars:
        for b in bars:
            first, second = events[a["i"]], events[b["i"]]
            if a["i"] < b["i"] and first["lane"] == second["lane"] and second["begin_ns"] < first["end_ns"]:
                assert a["top"] + a["height"] <= b["top"] or b["top"] + b["height"] <= a["top"], (first, second)


def an_arrow_leads_from_the_fault_to_what_it_hit(page):
    page.open()
    hit = page.run("const line = plot.querySelector('.hit'); return {...placed(line), x1: line.x1.baseVal.value, x2: line.x2.baseVal.value, "
                   "y1: line.y1.baseVal.value, y2: line.y2.baseVal.value}")
    fault, delivery = page.run("return [events('fault')[0], events('delivery')[0]]")
    assert near(hit["x1"], fault["left"] + fault["width"]) and near(hit["y1"], fault["top"], 2), (hit, fault)
    assert near(hit["x2"], delivery["left"] + delivery["width"] / 2) and near(hit["y2"], delivery["top"] + delivery["height"], 3), (hit, delivery)
    step = page.bars()[next(i for i, event in enumerate(page.case["events"]) if event["unexpected"])]
    assert step["left"] < hit["x2"] < step["left"] + step["width"] and step["top"] < hit["y2"] < step["top"] + 2 * step["height"]


def keys_zoom_and_move(page):
    page.open()
    page.focus()
    begin, per_px = page.seen_ns()
    page.browser.press("+")
    zoomed_begin, zoomed = page.seen_ns()
    assert near(zoomed / per_px, 0.5, 0.01), (per_px, zoomed)
    check_scale(page)
    page.browser.press("Shift+ArrowRight")
    moved_begin, moved = page.seen_ns()
    assert near(moved / zoomed, 1, 0.01) and moved_begin > zoomed_begin, "Shift and an arrow do not move"
    page.browser.press("0")
    assert near(page.seen_ns()[0], begin, 5 * per_px) and near(page.seen_ns()[1] / per_px, 1, 0.01)
    page.browser.press("-")
    assert near(page.seen_ns()[1] / per_px, 1, 0.01), "more than the whole is shown"


def the_shortest_step_can_be_looked_at(page):
    page.open()
    page.focus()
    index, event = min(((i, e) for i, e in enumerate(page.case["events"]) if e["kind"] == "step"),
                       key=lambda row: row[1]["end_ns"] - row[1]["begin_ns"])
    assert event["end_ns"] - event["begin_ns"] < 1000 and page.bars()[index]["short"]
    dot = "return getComputedStyle(plot.querySelector(`[data-i='${arguments[0]}'] circle`)).display"
    assert page.run(dot, index) != "none", "nothing says that it is shorter than drawn"
    for _ in range(40):
        if page.run("const c = plot.querySelector('.chosen'); return c && Number(c.dataset.i)") == index:
            break
        page.browser.press("ArrowRight" if page.run("return plot.querySelector('.chosen') !== null") else "ArrowDown")
        if page.run("return Number(plot.querySelector('.chosen').dataset.i)") != index:
            lane = page.case["events"][page.run("return Number(plot.querySelector('.chosen').dataset.i)")]["lane"]
            if lane != event["lane"]:
                page.browser.press("ArrowDown" if lane < event["lane"] else "ArrowUp")
    page.browser.press("Enter")
    assert not page.bars()[index]["short"] and page.bars()[index]["width"] > 50 and page.run(dot, index) == "none"
    assert "took 240 ns" in page.run("return document.querySelector('#case-2 .readout').textContent")


def the_wheel_zooms_where_it_points(page):
    page.open()
    x, y = page.run("return [box.left + plot.clientLeft + 600, box.top + 100]")
    begin, per_px = page.seen_ns()
    page.browser.mouse("mouseWheel", x, y, deltaX=0, deltaY=-100, modifiers=2)
    page.run("return new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    zoomed_begin, zoomed = page.seen_ns()
    assert zoomed < per_px * 0.9, (per_px, zoomed)
    assert near(begin + 600 * per_px, zoomed_begin + 600 * zoomed, 3 * per_px), "the time below the pointer moved"
    page.browser.press("0")
    scrolled = "return scrollY"
    page.run("document.activeElement.blur(); scrollTo(0, 0)")
    x, y = page.run("return [box.left + 600, box.top + 100]")
    before = page.seen_ns()[1]
    page.browser.mouse("mouseWheel", x, y, deltaX=0, deltaY=200)
    page.run("return new Promise(done => setTimeout(done, 300))")
    assert page.run(scrolled) > 0 and near(page.seen_ns()[1] / before, 1, 0.01), "a wheel that wants to scroll the page zooms"


def dragging_moves(page):
    page.open()
    page.focus()
    page.browser.press("+")
    begin, per_px = page.seen_ns()
    x, y = page.run("plot.scrollIntoView({block: 'center'}); const b = plot.getBoundingClientRect(); return [b.left + 500, b.top + 8]")
    page.browser.mouse("mousePressed", x, y, button="left", buttons=1, clickCount=1)
    page.browser.mouse("mouseMoved", x - 20, y, button="left", buttons=1)
    page.browser.mouse("mouseMoved", x - 100, y, button="left", buttons=1)
    page.browser.mouse("mouseReleased", x - 100, y, button="left", clickCount=1)
    assert near(page.seen_ns()[0] - begin, 100 * per_px, 3 * per_px), (begin, page.seen_ns(), per_px)


def two_fingers_zoom(page):
    page.open()
    page.run("plot.scrollIntoView({block: 'center'})")
    left, top = page.run("return [box.left + plot.clientLeft, plot.getBoundingClientRect().top + 100]")
    begin, per_px = page.seen_ns()

    def touch(kind, *xs):
        page.browser.cdp("Input.dispatchTouchEvent", type=kind, touchPoints=[{"x": left + x, "y": top, "id": i} for i, x in enumerate(xs)])
    touch("touchStart", 400, 600)
    touch("touchMove", 350, 650)
    touch("touchMove", 300, 700)
    touch("touchEnd")
    zoomed_begin, zoomed = page.seen_ns()
    assert near(zoomed / per_px, 0.5, 0.05), (per_px, zoomed)
    assert near(begin + 500 * per_px, zoomed_begin + 500 * zoomed, 8 * per_px), "the time between the fingers moved"


def a_fault_leads_to_its_record_and_back(page):
    page.open()
    page.run("plot.scrollIntoView({block: 'center'})")
    x, y = page.run("const b = plot.querySelector('.fault rect').getBoundingClientRect(); return [b.left + b.width / 2, b.top + b.height / 2]")
    page.browser.mouse("mousePressed", x, y, button="left", buttons=1, clickCount=1)
    page.browser.mouse("mouseReleased", x, y, button="left", clickCount=1)
    assert page.run("return [...document.querySelectorAll('tr.chosen')].map(row => row.id)") == ["case-2-fault-0"]
    said = page.run("return document.querySelector('#case-2 .readout').textContent")
    for expected in ("truncated", "CPL 3", "0x7f4f2a403000", "12288", "65536", "classify 11 \u00b5s", "5230.000"):
        assert expected in said, (expected, said)
    page.browser.press("Escape")
    assert page.run("return document.querySelectorAll('tr.chosen, .ev.chosen').length") == 0
    page.run("document.querySelector('#case-2-fault-0 a').click()")
    fault = page.bars()[page.run("return Number(plot.querySelector('.chosen').dataset.i)")]
    assert fault["text"].startswith("fault 1") and fault["width"] > 100, fault


def pointing_tells_without_a_click(page):
    page.open()
    page.run("plot.scrollIntoView({block: 'center'})")
    x, y = page.run("const b = plot.querySelector('.unexpected rect').getBoundingClientRect(); return [b.left + 5, b.top + 3]")
    page.browser.mouse("mouseMoved", x, y)
    said = page.run("return document.querySelector('#case-2 .readout').textContent")
    for expected in ("\u2717 not expected", "read m+12K", "SIGBUS BUS_ADRERR at m+12K", "line 18", "clock \u00b11.8 \u00b5s"):
        assert expected in said, (expected, said)


def cases_are_found(page):
    page.open()
    shown = "return [...document.querySelectorAll('details.case')].filter(c => c.checkVisibility()).map(c => c.id)"
    assert len(page.run(shown)) == 6
    page.browser.press("/")
    for letter in "vector":
        page.browser.press(letter)
    assert page.run(shown) == ["case-2"], page.run(shown)
    assert page.run("return document.querySelector('.shown').textContent") == "1 of 6 shown"
    page.run("const text = document.querySelector('.controls').elements.text; text.value = ''; text.dispatchEvent(new Event('input', {bubbles: true}))")
    page.run("document.querySelector('.controls').elements.failed.click()")
    assert page.run(shown) == ["case-1", "case-3", "case-5"], page.run(shown)
    page.run("document.querySelector('.controls').elements.open.click()")
    assert page.run("return document.querySelector('#case-1').open && document.querySelector('#case-5').open")
    page.run("document.querySelector('.controls').elements.close.click()")
    assert not page.run("return document.querySelector('#case-1').open")


def the_command_is_copied(page):
    page.open()
    page.browser.cdp("Browser.grantPermissions", permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])
    page.run("document.querySelector('#case-2 button.copy').click()")
    assert page.run("return new Promise(done => setTimeout(() => navigator.clipboard.readText().then(done, done), 200))") == page.case["repeat"]
    assert page.run("return document.querySelector('#case-2 button.copy').textContent") == "Copied"


def it_fits_any_width(page):
    for width in 400, 1600:
        for scheme in "light", "dark":
            page.open(width, scheme=scheme)
            page.run("for (const details of document.querySelectorAll('details')) details.open = true;")
            overflow = page.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert overflow <= 0, f"{overflow} px too wide at {width}"
            check_scale(page)
            ticks = page.run("return [...plot.querySelectorAll('.tick text')].filter(t => t.checkVisibility()).map(placed)")
            assert len(ticks) >= 3, ticks
            for a, b in zip(ticks, ticks[1:]):
                assert a["left"] + a["width"] < b["left"], f"labels of the axis overlap at {width}"


def names_of_marks_do_not_cover_each_other(page):
    for width in 400, 1600:
        page.open(width)
        page.focus()
        for keys in [], ["+"], ["f"]:
            page.browser.press(*keys)
            names = page.run("return [...plot.querySelectorAll('.mark text')].filter(t => t.textContent).map(placed)")
            assert names
            for i, a in enumerate(names):
                for b in names[i + 1:]:
                    apart = a["left"] + a["width"] <= b["left"] + 1 or b["left"] + b["width"] <= a["left"] + 1
                    assert apart or a["top"] + a["height"] <= b["top"] + 2 or b["top"] + b["height"] <= a["top"] + 2, (width, keys, a, b)


def texts_can_be_read(page):
    for scheme in "light", "dark":
        page.open(scheme=scheme)
        page.run("for (const details of document.querySelectorAll('details')) details.open = true;")
        page.focus()
        page.browser.press("f")
        seen = page.browser.run(CONTRASTS)
        assert len(seen) > 300
        poor = [row for row in seen if row[0] < 4.5]
        assert not poor, (scheme, poor[:10])


def paper_has_no_controls_and_the_whole_time(page):
    page.open(scheme="dark")
    page.focus()
    page.browser.press("f")
    page.browser.look(700, media="print", scheme="dark")
    page.run("dispatchEvent(new Event('beforeprint'))")
    assert page.run("return [...document.querySelectorAll('button, input, .readout, .tools')].every(e => !e.checkVisibility())")
    check_scale(page)
    assert all(0 <= bar["left"] for bar in page.bars().values()), "what is printed is not the whole"
    colours = page.run("return [...new Set([...document.querySelectorAll('.plot text, p, li, td, h1')].map(e => "
                       "e.closest('.plot') ? getComputedStyle(e).fill : getComputedStyle(e).color))]")
    assert colours == ["rgb(0, 0, 0)"], colours
    assert page.run("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.run("dispatchEvent(new Event('afterprint'))")
    page.browser.look(1280)
    assert page.bars()[page.run("return Number(plot.querySelector('.chosen').dataset.i)")]["width"] > 100, "it is not as it was"
    assert page.browser.cdp("Page.printToPDF")["data"].startswith("JVBERi0"), "no PDF"


def everything_has_a_name_and_can_be_reached(page):
    page.open()
    nameless = page.run("return [...document.querySelectorAll('button, input, a, [tabindex], summary')].filter(e => e.checkVisibility() && "
                        "!(e.getAttribute('aria-label') || e.textContent.trim() || (e.labels && e.labels.length))).map(e => e.outerHTML)")
    assert not nameless, nameless
    order = page.run("return [...document.querySelectorAll('#case-2 summary, #case-2 button, #case-2 .plot, #case-2 a')]"
                     ".filter(e => e.checkVisibility() && e.tabIndex < 0).length")
    assert order == 0


def a_link_opens_its_case(page):
    page.browser.look(1280)
    page.browser.call("/url", {"url": f"file://{page.path}#case-5"})
    assert page.run("return document.querySelector('#case-5').open")
    assert page.run("return document.querySelectorAll('#case-5 .tools').length") == 1


def what_is_smuggled_in_does_not_run(page):
    page.open()
    page.browser.complaints()
    page.run("""
        window.ran = [];
        document.addEventListener("securitypolicyviolation", event => ran.push(event.effectiveDirective));
        const script = document.createElement("script");
        script.textContent = "ran.push('a script')";
        const image = document.createElement("img");
        image.src = "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA=";
        image.onload = () => ran.push("an image");
        document.body.append(script, image);
        return new Promise(done => setTimeout(done, 200));
    """)
    assert sorted(page.run("return ran")) == ["img-src", "script-src-elem"], page.run("return ran")
    page.browser.complaints()


CHECKS = [
    the_console_stays_empty, bars_are_as_long_as_their_time, bars_are_as_long_as_their_time_without_script,
    a_line_leads_to_the_last_time, what_overlaps_stands_in_rows, an_arrow_leads_from_the_fault_to_what_it_hit, keys_zoom_and_move,
    the_shortest_step_can_be_looked_at, the_wheel_zooms_where_it_points, dragging_moves, two_fingers_zoom,
    a_fault_leads_to_its_record_and_back, pointing_tells_without_a_click, cases_are_found, the_command_is_copied, it_fits_any_width,
    names_of_marks_do_not_cover_each_other, texts_can_be_read, paper_has_no_controls_and_the_whole_time,
    everything_has_a_name_and_can_be_reached, a_link_opens_its_case, what_is_smuggled_in_does_not_run,
]


def main(program):
    lacking = missing()
    print(f"1..{len(CHECKS)}")
    if lacking:
        for number, check in enumerate(CHECKS, 1):
            print(f"ok {number} - {check.__name__} # SKIP {lacking} is not installed (scripts/deps does that)")
        return 0
    failed = 0
    with tempfile.TemporaryDirectory(prefix="faultline-page-") as home, Browser() as browser:
        page = Fixture(browser, program, home)
        for number, check in enumerate(CHECKS, 1):
            try:
                check(page)
                print(f"ok {number} - {check.__name__}", flush=True)
            except Exception as error:  # pylint: disable=broad-except
                failed += 1
                print("# " + repr(error).replace("\n", "\n# "))
                print(f"not ok {number} - {check.__name__}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
