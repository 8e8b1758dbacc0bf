/* SPDX-License-Identifier: Apache-2.0 */
const timelines = new Map();

/* A timeline that nobody has opened has no width yet. */
function wake(details) {
	const figure = details.querySelector(".timeline");
	if (details.open && figure && !timelines.has(figure))
		timelines.set(figure, new Timeline(figure));
}

function copy(button) {
	const code = button.parentElement.querySelector("code");
	const said = text => {
		button.textContent = text;
		setTimeout(() => { button.textContent = "Copy"; }, 2000);
	};
	const by_selection = () => {
		getSelection().selectAllChildren(code);
		said(document.execCommand("copy") ? "Copied" : "Selected");
	};
	if (navigator.clipboard)
		navigator.clipboard.writeText(code.textContent).then(() => said("Copied"), by_selection);
	else
		by_selection();
}

function open_named() {
	const named = /^#case-\d+/.exec(location.hash);
	const details = named && document.querySelector(named[0]);
	if (details)
		details.open = true;
}

const cases = [...document.querySelectorAll("details.case")];
const controls = document.querySelector(".controls");
const texts = cases.map(details => [".name", ".about", ".failures", ".reason", ".facts"].map(part => (details.querySelector(part) || {}).textContent || "").join("\n").toLowerCase());

function filter() {
	const words = controls.elements.text.value.toLowerCase().split(/\s+/);
	let shown = 0;
	cases.forEach((details, i) => {
		details.hidden = !controls.elements[details.dataset.verdict].checked || !words.every(word => texts[i].includes(word));
		shown += !details.hidden;
	});
	controls.querySelector(".shown").textContent = `${shown} of ${cases.length} shown`;
}

function all(open) {
	for (const details of cases)
		if (!details.hidden)
			details.open = open;
}

controls.hidden = false;
controls.addEventListener("input", filter);
controls.addEventListener("submit", event => event.preventDefault());
controls.elements.open.addEventListener("click", () => all(true));
controls.elements.close.addEventListener("click", () => all(false));
for (const details of cases)
	details.addEventListener("toggle", () => wake(details));
for (const button of document.querySelectorAll("button.copy")) {
	button.hidden = false;
	button.addEventListener("click", () => copy(button));
}
document.addEventListener("click", event => {
	const link = event.target.closest("a[data-fault]");
	const timeline = link && timelines.get(link.closest(".case").querySelector(".timeline"));
	if (timeline) {
		event.preventDefault();
		timeline.show_fault(Number(link.dataset.fault));
	}
});
document.addEventListener("keydown", event => {
	if (event.key === "/" && !/^(INPUT|TEXTAREA)$/.test(event.target.tagName) && !event.ctrlKey && !event.altKey && !event.metaKey) {
		event.preventDefault();
		controls.elements.text.focus();
	}
});
/* what is printed is the whole time, as wide as paper */
addEventListener("beforeprint", () => {
	for (const timeline of timelines.values()) {
		timeline.before_print = timeline.view;
		timeline.view = {...timeline.whole};
		timeline.draw(PRINT_PX);
	}
});
addEventListener("afterprint", () => {
	for (const timeline of timelines.values()) {
		timeline.view = timeline.before_print || timeline.view;
		timeline.draw();
	}
});
addEventListener("hashchange", open_named);
filter();
open_named();
cases.forEach(wake);
