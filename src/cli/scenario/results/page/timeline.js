/* SPDX-License-Identifier: Apache-2.0 */
/* A timeline that can be looked at closely. What picture_svg.c has drawn is moved; the rows stay as they are. */
class Timeline {
	constructor(figure) {
		this.figure = figure;
		this.result = data.cases[figure.dataset.case];
		this.svg = figure.querySelector(".plot");
		this.whole = {from: Number(this.svg.dataset.from), to: Number(this.svg.dataset.to)};
		this.view = {...this.whole};
		this.chosen = -1;
		this.pointers = new Map();
		this.find_events();
		this.axis = this.svg.querySelector(".axis");
		this.add_tools();
		this.add_readout();
		this.listen();
		this.draw();
		new ResizeObserver(() => this.draw()).observe(this.svg);
	}

	find_events() {
		this.items = new Map();
		for (const element of this.svg.querySelectorAll(".ev")) {
			const index = Number(element.dataset.i);
			const event = this.result.events[index];
			const begin = Number(event.begin_ns);
			const bar = element.querySelector("rect");
			const end = bar ? Math.max(begin, Number(event.end_ns)) : begin;
			const last = bar ? Math.max(end, Number(event.last_ns)) : begin;
			const y = Number((bar || element.querySelector("svg") || element.querySelector("line")).getAttribute(bar || event.kind === "delivery" ? "y" : "y1"));
			const label = (event.unexpected ? "\u2717 " : "") + plain(event.label) + (bar ? this.outcome_of(event) : "") + (event.count > 1 ? ` \u00d7${event.count}` : "");
			this.items.set(index, {index, event, element, begin, end, last, bar, y, label, text: element.querySelector("text")});
			if (event.kind === "mark")
				this.add_grip(element);
		}
		this.bars = [...this.items.values()].filter(item => item.bar).sort((a, b) => b.begin - a.begin || b.index - a.index);
		this.marks = [...this.items.values()].filter(item => item.event.kind === "mark");
		this.hits = [...this.svg.querySelectorAll(".hit")].map(line => ({line, from: this.items.get(Number(line.dataset.i)), to: this.items.get(Number(line.dataset.to))}));
		this.order = [...this.items.values()].sort((a, b) => a.begin - b.begin || a.index - b.index);
	}

	/* An error, a signal: not that it went well, and not what was read. */
	outcome_of(event) {
		return /^(ok$|\d|$)/.test(event.detail || "") ? "" : ` \u2192 ${plain(event.detail)}`;
	}

	/* A line of one pixel is hard to point at. */
	add_grip(element) {
		const grip = element.querySelector("line").cloneNode();
		grip.setAttribute("class", "grip");
		element.append(grip);
	}

	add_tools() {
		const tools = make("div", "", {class: "tools", role: "toolbar", "aria-label": "Timeline"});
		const add = (text, name, act) => {
			const button = make("button", text, {type: "button", title: name, "aria-label": name});
			button.addEventListener("click", act);
			tools.append(button);
		};
		add("+", "Zoom in", () => this.zoom(0.5));
		add("\u2212", "Zoom out", () => this.zoom(2));
		add("\u25c2", "Earlier", () => this.pan(-0.25));
		add("\u25b8", "Later", () => this.pan(0.25));
		add("Whole", "Show the whole time", () => this.show(this.whole.from, this.whole.to));
		if (this.order.some(item => item.event.kind === "fault"))
			add("Next fault", "Show the next fault", () => this.next_fault());
		tools.append(make("span", "Zoom: Ctrl and wheel, pinch, +, \u2212. Move: drag, Shift and arrows. From event to event: arrows; Enter looks closer, 0 shows all.", {class: "hint"}));
		this.figure.prepend(tools);
	}

	add_readout() {
		this.readout = make("div", "", {class: "readout", "aria-live": "polite"});
		this.figure.insertBefore(this.readout, this.figure.querySelector("figcaption"));
		this.tell(null);
	}

	listen() {
		const svg = this.svg;
		set(svg, {tabindex: "0", role: "application", "aria-roledescription": "timeline"});
		svg.classList.add("live");
		svg.addEventListener("keydown", event => this.key(event));
		svg.addEventListener("wheel", event => this.wheel(event), {passive: false});
		svg.addEventListener("pointerdown", event => this.press(event));
		svg.addEventListener("pointermove", event => this.move(event));
		for (const name of ["pointerup", "pointercancel"])
			svg.addEventListener(name, event => this.release(event));
		svg.addEventListener("dblclick", event => this.zoom(0.33, this.time_at(event.clientX)));
		svg.addEventListener("mouseover", event => this.hover(event.target));
		svg.addEventListener("mouseleave", () => this.tell(this.items.get(this.chosen)));
		/* the browser's own tooltips would stand over what the line below says */
		for (const title of svg.querySelectorAll("title"))
			title.remove();
	}

	/* ---- drawing: across only, the rows stay ---- */

	x(ns) {
		return (ns - this.view.from) / (this.view.to - this.view.from) * 100;
	}

	/* Far outside is as good as just outside, and browsers draw it. */
	near_x(ns) {
		return Math.min(Math.max(this.x(ns), -100), 200);
	}

	draw(width) {
		this.width = width || this.svg.clientWidth || PRINT_PX;
		this.draw_bars();
		this.draw_marks();
		for (const item of this.items.values())
			if (item.event.kind === "delivery")
				set(item.element.querySelector("svg"), {x: `${this.near_x(item.begin)}%`});
		for (const hit of this.hits)
			set(hit.line, {x1: `${this.near_x(hit.from.end)}%`, x2: `${this.near_x(this.hit_ns(hit))}%`});
		this.draw_axis();
	}

	hit_ns(hit) {
		return Math.min(Math.max(hit.from.end, hit.to.begin), hit.to.end);
	}

	draw_bars() {
		const next = {};
		for (const item of this.bars) {
			const x = this.near_x(item.begin), end = this.near_x(item.end);
			const short = (end - x) * this.width / 100 < BAR_LEAST_PX;
			item.element.classList.toggle("short", short);
			set(item.bar, {x: `${x}%`, width: short ? BAR_LEAST_PX : `${end - x}%`});
			set(item.element.querySelector("circle"), {cx: `${x}%`});
			if (item.last > item.end)
				set(item.element.querySelector("line"), {x1: `${end}%`, x2: `${this.near_x(item.last)}%`});
			this.draw_label(item, x, end, item.y in next ? next[item.y] : 100, short);
			next[item.y] = x;
		}
	}

	/*
	 * In the bar, or what is seen of it, if it fits there, else behind it if there is more room: as picture.c does it. Of a
	 * loop the bar may be out of sight, and the line to its last turn not.
	 */
	draw_label(item, x, end, next, short) {
		const last = this.near_x(item.last), passes = end <= 0 && last > 0;
		const seen = x < 0 && (end > 0 || passes) ? 0 : x, behind_at = passes ? 0 : end;
		const inside = (Math.min(end, 100) - seen) * this.width / 100 - 8, behind = (next - behind_at) * this.width / 100 - 10;
		const goes_behind = [...item.label].length * CHAR_PX > inside && behind > inside;
		set(item.text, {x: `${goes_behind ? behind_at : seen}%`, dx: goes_behind && short && !passes ? 7 : 5});
		item.text.textContent = this.cut(item.label, goes_behind ? behind : inside);
	}

	cut(label, room) {
		const chars = Math.floor(room / CHAR_PX), letters = [...label];
		if (letters.length <= chars)
			return label;
		return chars < 3 ? "" : letters.slice(0, chars - 1).join("") + "\u2026";
	}

	/* The names find their rows anew, the lanes do not move: there are as many rows as there were for the whole. */
	draw_marks() {
		const top = Number(this.axis.dataset.top);
		const rows = Math.min(MARK_ROWS, Math.floor(top / MARK_ROW_PX));
		const free = new Array(rows).fill(0);
		for (const item of this.marks) {
			const at = this.x(item.begin) * this.width / 100, len = item.label.length * CHAR_PX + 10;
			const leftward = at + len > this.width;
			const begin = leftward ? at - len : at;
			const row = free.findIndex(from => from <= begin);
			const seen = at >= 0 && at <= this.width;
			const named = seen && row >= 0 && begin >= 0;
			const x = `${this.near_x(item.begin)}%`, y = named ? row * MARK_ROW_PX : top;
			if (named)
				free[row] = begin + len;
			for (const line of item.element.querySelectorAll("line"))
				set(line, {x1: x, x2: x, y1: y});
			set(item.text, {x, y: y + 12, dx: leftward ? -4 : 4, "text-anchor": leftward ? "end" : "start"});
			item.text.textContent = named ? item.label : "";
		}
	}

	draw_axis() {
		const {from, to} = this.view, y = Number(this.axis.dataset.y), top = this.axis.dataset.top;
		const step = this.round_step((to - from) / Math.max(3, Math.floor(this.width / 80)));
		this.axis.replaceChildren();
		for (let tick = Math.ceil(from / step); tick * step <= to && this.axis.childElementCount < 40; tick++) {
			const group = document.createElementNS(SVG, "g");
			const line = document.createElementNS(SVG, "line");
			const text = document.createElementNS(SVG, "text");
			const x = this.x(tick * step);
			set(group, {class: "tick"});
			set(line, {x1: `${x}%`, x2: `${x}%`, y1: top, y2: y + 5});
			set(text, {x: `${x}%`, y: y + 18, "text-anchor": x < 4 ? "start" : x > 96 ? "end" : "middle"});
			text.textContent = this.tick_text(tick * step, step);
			group.append(line, text);
			this.axis.append(group);
		}
	}

	round_step(least) {
		const power = 10 ** Math.floor(Math.log10(Math.max(least, 1)));
		return power * [1, 2, 5, 10].find(digit => digit * power >= least);
	}

	tick_text(ns, step) {
		const [unit, size] = [["s", 1e9], ["ms", 1e6], ["\u00b5s", 1e3], ["ns", 1]].find(row => this.view.to >= row[1]) || ["ns", 1];
		return `${(ns / size).toFixed(Math.max(0, Math.ceil(Math.log10(size / step) - 1e-9)))} ${unit}`;
	}

	/* ---- looking closer ---- */

	show(from, to) {
		const least = Math.min(VIEW_LEAST_NS, this.whole.to - this.whole.from);
		const len = Math.min(Math.max(to - from, least), this.whole.to - this.whole.from);
		from += (to - from - len) / 2;
		from = Math.min(Math.max(from, this.whole.from), this.whole.to - len);
		this.view = {from, to: from + len};
		this.draw();
	}

	zoom(factor, around) {
		const {from, to} = this.view;
		const item = this.items.get(this.chosen);
		const chosen = item && (item.begin + item.end) / 2;
		const centre = around !== undefined ? around : chosen >= from && chosen <= to ? chosen : (from + to) / 2;
		this.show(centre - (centre - from) * factor, centre + (to - centre) * factor);
	}

	pan(share) {
		const by = (this.view.to - this.view.from) * share;
		this.show(this.view.from + by, this.view.to + by);
	}

	is_whole() {
		return this.view.to - this.view.from >= this.whole.to - this.whole.from;
	}

	time_at(client_x) {
		const box = this.svg.getBoundingClientRect();
		return this.view.from + (client_x - box.left) / box.width * (this.view.to - this.view.from);
	}

	/* ---- events of the user ---- */

	key(event) {
		const acts = {
			"+": () => this.zoom(0.5), "=": () => this.zoom(0.5), "-": () => this.zoom(2), "_": () => this.zoom(2),
			"0": () => this.show(this.whole.from, this.whole.to), "Home": () => this.show(this.whole.from, this.whole.to),
			"ArrowLeft": () => event.shiftKey ? this.pan(-0.25) : this.step(-1),
			"ArrowRight": () => event.shiftKey ? this.pan(0.25) : this.step(1),
			"ArrowUp": () => this.change_lane(-1), "ArrowDown": () => this.change_lane(1),
			"Enter": () => this.look_closer(), "Escape": () => this.choose(null), "f": () => this.next_fault(),
		};
		if (event.ctrlKey || event.metaKey || event.altKey || !acts[event.key])
			return;
		event.preventDefault();
		acts[event.key]();
	}

	/* Without Ctrl the wheel is the page's, but for a timeline that has the focus. */
	wheel(event) {
		const zooms = event.ctrlKey || event.metaKey || (document.activeElement === this.svg && !event.shiftKey);
		const sideways = event.shiftKey ? event.deltaX || event.deltaY : event.deltaX;
		if (Math.abs(sideways) > Math.abs(event.shiftKey ? 0 : event.deltaY)) {
			event.preventDefault();
			this.pan(sideways / this.width);
		} else if (zooms && !(this.is_whole() && event.deltaY > 0 && !event.ctrlKey)) {
			event.preventDefault();
			this.zoom(Math.exp(Math.max(-100, Math.min(100, event.deltaY)) * (event.ctrlKey ? 0.01 : 0.003)), this.time_at(event.clientX));
		}
	}

	press(event) {
		this.pointers.set(event.pointerId, event.clientX);
		this.pressed = {x: event.clientX, moved: false, target: event.target};
		this.start_gesture();
	}

	start_gesture() {
		this.gesture = {view: {...this.view}, at: [...this.pointers.values()]};
	}

	move(event) {
		if (!this.pointers.has(event.pointerId))
			return;
		this.pointers.set(event.pointerId, event.clientX);
		if (Math.abs(event.clientX - this.pressed.x) > 4 && !this.pressed.moved) {
			this.pressed.moved = true;
			this.svg.setPointerCapture(event.pointerId);
			this.svg.classList.add("dragged");
		}
		if (!this.pressed.moved)
			return;
		const {view, at} = this.gesture, now = [...this.pointers.values()];
		const left = this.svg.getBoundingClientRect().left, len = view.to - view.from;
		const time = x => view.from + (x - left) / this.width * len;
		if (now.length === 1)
			return this.show(view.from - (now[0] - at[0]) / this.width * len, view.to - (now[0] - at[0]) / this.width * len);
		/* two fingers: the times below them stay below them */
		const scale = Math.max(Math.abs(at[1] - at[0]), 10) / Math.max(Math.abs(now[1] - now[0]), 10);
		const from = time((at[0] + at[1]) / 2) - ((now[0] + now[1]) / 2 - left) / this.width * len * scale;
		this.show(from, from + len * scale);
	}

	release(event) {
		if (!this.pointers.delete(event.pointerId))
			return;
		this.svg.classList.remove("dragged");
		if (!this.pressed.moved && event.type === "pointerup")
			this.choose(this.item_of(this.pressed.target));
		this.start_gesture();
	}

	item_of(target) {
		const element = target.closest && target.closest(".ev");
		return element ? this.items.get(Number(element.dataset.i)) : null;
	}

	hover(target) {
		this.tell(this.item_of(target) || this.items.get(this.chosen));
	}

	/* ---- one event ---- */

	choose(item) {
		const before = this.items.get(this.chosen);
		if (before)
			before.element.classList.remove("chosen");
		for (const row of document.querySelectorAll("tr.chosen"))
			row.classList.remove("chosen");
		this.chosen = item ? item.index : -1;
		if (item) {
			item.element.classList.add("chosen");
			if (item.end < this.view.from || item.begin > this.view.to)
				this.show(item.begin - (this.view.to - this.view.from) / 2, item.begin + (this.view.to - this.view.from) / 2);
			const row = this.row_of(item);
			if (row)
				row.classList.add("chosen");
		}
		this.tell(item);
	}

	row_of(item) {
		return item.event.fault === null ? null : document.getElementById(`case-${Number(this.figure.dataset.case) + 1}-fault-${item.event.fault}`);
	}

	step(by) {
		const now = this.items.get(this.chosen);
		const lane = now ? this.order.filter(item => item.event.lane === now.event.lane) : this.order.filter(item => item.begin >= this.view.from);
		this.choose(now ? lane[Math.min(Math.max(lane.indexOf(now) + by, 0), lane.length - 1)] : lane[0]);
	}

	/* The event of the next lane that has one, nearest in time. */
	change_lane(by) {
		const now = this.items.get(this.chosen);
		if (!now)
			return this.step(1);
		for (let lane = now.event.lane + by; lane >= 0 && lane < this.result.lanes.length; lane += by) {
			const there = this.order.filter(item => item.event.lane === lane);
			if (there.length)
				return this.choose(there.reduce((a, b) => Math.abs(b.begin - now.begin) < Math.abs(a.begin - now.begin) ? b : a));
		}
	}

	look_closer() {
		const item = this.items.get(this.chosen);
		if (item)
			this.look_at(item);
	}

	/* A fault with the step that it hit, anything else alone; twice as much time on each side. */
	look_at(item) {
		const all = item.event.fault === null ? [item] : this.order.filter(other => other.event.fault === item.event.fault && other.event.kind !== "step");
		const from = Math.min(...all.map(other => other.begin), item.begin), to = Math.max(...all.map(other => other.end), item.end);
		const margin = Math.max((to - from) * 2, 200);
		this.show(from - margin, to + margin);
		this.choose(item);
	}

	next_fault() {
		const faults = this.order.filter(item => item.event.kind === "fault");
		const now = this.items.get(this.chosen);
		const next = faults.find(item => now && (item.begin > now.begin || (item.begin === now.begin && item.index > now.index))) || faults[0];
		if (next)
			this.look_at(next);
	}

	show_fault(fault) {
		const item = this.order.find(other => other.event.fault === fault && other.event.kind === "fault") || this.order.find(other => other.event.fault === fault);
		if (item) {
			this.look_at(item);
			this.svg.focus({preventScroll: true});
			this.figure.scrollIntoView({block: "nearest"});
		}
	}

	tell(item) {
		this.readout.replaceChildren();
		if (!item) {
			this.readout.append(make("p", "Point at an event, or go to it with the arrow keys, to read about it here.", {class: "quiet"}));
			return;
		}
		const {event} = item, lane = this.result.lanes[event.lane];
		const first = make("p");
		first.append(make("b", `${event.unexpected ? "\u2717 not expected: " : ""}${/^(mark|delivery)$/.test(event.kind) ? event.kind + " " : ""}${plain(event.label)}`));
		if (event.detail)
			first.append(` \u2192 ${plain(event.detail)}`);
		if (event.wish)
			first.append(make("span", ` (expected: ${plain(event.wish)})`, {class: "quiet"}));
		this.readout.append(first, make("p", this.circumstances(item, lane), {class: "quiet"}));
		const record = this.result.faults[event.fault];
		if (event.fault !== null && record)
			this.readout.append(make("p", this.record_text(record)));
	}

	circumstances(item, lane) {
		const {event} = item;
		const parts = [plain(lane.name) + (lane.machine === null ? "" : ` in ${plain(lane.machine)}`)];
		if (event.line)
			parts.push(`line ${event.line}`);
		parts.push(item.bar ? `${moment(item.begin)} to ${moment(item.end)}, took ${duration(item.end - item.begin)}` : `at ${moment(item.begin)}`);
		if (Number(lane.clock_error_ns))
			parts.push(`clock \u00b1${duration(Number(lane.clock_error_ns))}`);
		if (event.count > 1)
			parts.push(`${event.count} times until ${moment(item.last)}; this is the first`);
		return parts.join(" \u00b7 ");
	}

	record_text(record) {
		const known = (name, value) => value === null ? "" : ` \u00b7 ${name} ${value}`;
		const times = Object.entries(record.times_ns || {}).map(([name, ns]) => `${name} ${duration(ns)}`).join(", ");
		return `Fault ${record.id}: ${record.access} at CPL ${record.cpl}, ${record.cause}, ${record.outcome} (${plain(record.shape)})` +
			known("file", record.path === null ? null : plain(record.path)) + known("offset", record.file_offset) + known("length", record.file_len) +
			known("when mapped", record.mapped_file_len) + known("gva", record.gva) + known("gpa", record.gpa) + known("rip", record.rip) + ` \u00b7 ${times}`;
	}
}
