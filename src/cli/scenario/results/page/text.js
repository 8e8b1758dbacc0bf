/* SPDX-License-Identifier: Apache-2.0 */
/* What the page's script is made of: this, timeline.js and page.js, one behind the other. */
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const SVG = "http://www.w3.org/2000/svg";
/* of a printed page, as in picture.h */
const PRINT_PX = 700;
const CHAR_PX = 6.7;
const BAR_LEAST_PX = 3;
const MARK_ROWS = 3;
const MARK_ROW_PX = 16;
const VIEW_LEAST_NS = 50;

/* docs/events.md, "text": a byte that is a control or no UTF-8 is \ooo, a backslash is doubled. Here as in text.c. */
function plain(text) {
	const shown = (text || "").replace(/\\(\\|[0-7]{3})/g, (all, escape) => {
		const byte = parseInt(escape, 8);
		if (escape === "\\")
			return "\\";
		return byte < 32 ? String.fromCharCode(0x2400 + byte) : byte === 127 ? "\u2421" : "\ufffd";
	});
	return shown.replace(/[\u2028-\u202e\u2066-\u2069\ufffe\uffff]/g, "\ufffd");
}

function duration(ns) {
	for (const [unit, size] of [["s", 1e9], ["ms", 1e6], ["\u00b5s", 1e3]])
		if (ns >= size)
			return `${+(ns / size).toPrecision(4)} ${unit}`;
	return `${Math.round(ns)} ns`;
}

function moment(ns) {
	return `${(ns / 1000).toFixed(3)} \u00b5s`;
}

function make(name, text, attributes) {
	const element = document.createElement(name);
	if (text)
		element.textContent = text;
	for (const key in attributes || {})
		element.setAttribute(key, attributes[key]);
	return element;
}

function set(element, attributes) {
	for (const key in attributes)
		element.setAttribute(key, attributes[key]);
}
