"use strict";
// Small parts that draw: elements, heat maps, charts, tables.

const NS = "http://www.w3.org/2000/svg";
const COLOURS = ["--one", "--two", "--three", "--four"];

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function colour(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }

function seen(text) { return text === " " ? "␣" : text === "\n" ? "⏎" : text.trim() || "␣"; }

function number(value, digits = 3) {
  return value === null || value === undefined ? "–" : String(Number(Number(value).toPrecision(digits)));
}

// What was written as bytes or as columns, as it was.
function revive(value) {
  if (Array.isArray(value)) return value.map(revive);
  if (value === null || typeof value !== "object") return value;
  if ("bytes" in value) return new Numbers(value);
  if ("field by field" in value) {
    const fields = value["field by field"], names = Object.keys(fields);
    return fields[names[0]].map((_, at) => Object.fromEntries(names.map((name) => [name, revive(fields[name][at])])));
  }
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, revive(each)]));
}

class Numbers {
  constructor({ shape, low, high, bytes }) {
    this.shape = shape;
    this.low = low;
    this.step = (high - low) / 255;
    this.data = Uint8Array.from(atob(bytes), (character) => character.charCodeAt(0));
  }
  at(...places) {
    const flat = places.reduce((sum, place, axis) => sum * this.shape[axis] + place, 0);
    return this.low + this.step * this.data[flat];
  }
}

// A table of numbers as shades; `tell(row, column)` says a cell in words.
function heat({ rows, columns, value, most, label, tell, chosen, known = [] }) {
  const cell = Math.max(14, Math.min(26, Math.floor(900 / Math.max(1, columns.length))));
  const measure = document.createElement("canvas").getContext("2d");
  measure.font = "12px ui-monospace, monospace";
  const wide = (texts) => Math.min(110, Math.max(14, ...texts.map((text) => measure.measureText(seen(text)).width))) + 6;
  const left = wide(rows), top = wide(columns);
  const width = left + columns.length * cell + 2, height = top + rows.length * cell + 2;
  const ratio = window.devicePixelRatio || 1;
  const canvas = make("canvas", { tabindex: 0, role: "img", width: width * ratio, height: height * ratio,
    style: `width:${width}px;height:${height}px`, "aria-label": `${label}. Arrow keys move from cell to cell.` });
  const said = make("output", { "aria-live": "polite" });
  let at = [0, 0];
  function draw(marked) {
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.font = measure.font;
    pen.textBaseline = "middle";
    pen.fillStyle = colour("--ink");
    rows.forEach((text, row) => { pen.textAlign = "right";
      pen.fillText(seen(text), left - 4, top + (row + .5) * cell, left - 6); });
    columns.forEach((text, column) => {
      pen.save();
      pen.translate(left + (column + .5) * cell, top - 4);
      pen.rotate(-Math.PI / 2);
      pen.textAlign = "left";
      pen.fillText(seen(text), 0, 0, top - 6);
      pen.restore();
    });
    pen.fillStyle = colour("--one");
    rows.forEach((_, row) => columns.forEach((_, column) => {
      pen.globalAlpha = Math.max(0, Math.min(1, value(row, column) / (most || 1)));
      pen.fillRect(left + column * cell, top + row * cell, cell - 1, cell - 1);
    }));
    pen.globalAlpha = 1;
    pen.strokeStyle = colour("--three");
    pen.lineWidth = 1.5;
    for (const [row, column] of known) pen.strokeRect(left + column * cell + 1, top + row * cell + 1, cell - 3, cell - 3);
    if (marked) {
      pen.strokeStyle = colour("--two");
      pen.lineWidth = 2;
      pen.strokeRect(left + at[1] * cell, top + at[0] * cell, cell - 1, cell - 1);
    }
  }
  function go(row, column) {
    at = [Math.max(0, Math.min(rows.length - 1, row)), Math.max(0, Math.min(columns.length - 1, column))];
    draw(true);
    said.textContent = tell(...at);
    if (chosen) chosen(at[0]);
  }
  canvas.addEventListener("mousemove", (event) => {
    const box = canvas.getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left - left) / cell);
    const row = Math.floor((event.clientY - box.top - top) / cell);
    if (row >= 0 && column >= 0 && row < rows.length && column < columns.length) go(row, column);
  });
  canvas.addEventListener("mouseleave", () => draw(false));
  canvas.addEventListener("focus", () => go(...at));
  canvas.addEventListener("keydown", (event) => {
    const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!move) return;
    event.preventDefault();
    go(at[0] + move[0], at[1] + move[1]);
  });
  draw(false);
  return make("div", {}, make("div", { class: "scroll" }, canvas), said);
}

// Lines or points over two axes: series [{name, points: [[x, y, text?], ...]}].
function chart({ series, x, y, label, low, high, left, right, dots, diagonal }) {
  const [width, height, pad] = [380, 220, 42];
  const all = series.flatMap((each) => each.points);
  const span = (values, from, to) => {
    const [a, b] = [from ?? Math.min(...values), to ?? Math.max(...values)];
    return a === b ? [a - .5, b + .5] : [a, b];
  };
  const [x0, x1] = span(all.map((point) => point[0]), left, right);
  const [y0, y1] = span(all.map((point) => point[1]), low, high);
  const place = ([a, b]) => [pad + (a - x0) / (x1 - x0) * (width - pad - 12),
    height - pad + (y0 - b) / (y1 - y0) * (height - pad - 14)];
  const told = make("output", { "aria-live": "polite" });
  const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, style: "max-width:100%", role: "img", tabindex: 0,
    "aria-label": `${label}. Left and right move along.` });
  picture.append(svg("line", { class: "axis", x1: pad, x2: width - 12, y1: height - pad, y2: height - pad }),
    svg("line", { class: "axis", x1: pad, x2: pad, y1: 14, y2: height - pad }));
  for (const [value, at] of [[y0, height - pad], [y1, 18]]) {
    picture.append(svg("text", { x: pad - 4, y: at, "text-anchor": "end", class: "soft" }, number(value)));
  }
  for (const [value, at, anchor] of [[x0, pad, "start"], [x1, width - 12, "end"]]) {
    picture.append(svg("text", { x: at, y: height - pad + 14, "text-anchor": anchor, class: "soft" }, number(value)));
  }
  picture.append(svg("text", { x: (width + pad) / 2, y: height - 8, "text-anchor": "middle" }, x),
    svg("text", { x: pad, y: 10 }, y));
  if (diagonal) {
    const [[ax, ay], [bx, by]] = [place([x0, y0]), place([x1, y1])];
    picture.append(svg("line", { x1: ax, y1: ay, x2: bx, y2: by, class: "axis", "stroke-dasharray": "4 4" }));
  }
  const marks = [];
  series.forEach((each, at) => {
    const stroke = `var(${COLOURS[at % COLOURS.length]})`;
    if (!dots) {
      picture.append(svg("polyline", { points: each.points.map((point) => place(point).join(",")).join(" "), fill: "none",
        stroke, "stroke-width": 2 }));
    }
    for (const point of each.points) {
      const [cx, cy] = place(point);
      const text = `${each.name ? each.name + ": " : ""}${point[2] ?? `${number(point[0])}, ${number(point[1])}`}`;
      const dot = svg("circle", { cx, cy, r: dots ? 3 : 2.5, fill: stroke, "fill-opacity": dots ? .45 : 1 },
        svg("title", {}, text));
      dot.addEventListener("mouseenter", () => { told.textContent = text; });
      marks.push([dot, text]);
      picture.append(dot);
    }
  });
  let at = -1;
  picture.addEventListener("keydown", (event) => {
    const move = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!move || !marks.length) return;
    event.preventDefault();
    if (at >= 0) marks[at][0].setAttribute("stroke", "none");
    at = Math.max(0, Math.min(marks.length - 1, at + move));
    marks[at][0].setAttribute("stroke", "var(--ink)");
    told.textContent = marks[at][1];
  });
  const names = series.filter((each) => each.name);
  const legend = make("p", { class: "legend" }, ...names.flatMap((each) =>
    [make("span", { style: `color:var(${COLOURS[series.indexOf(each) % COLOURS.length]})` }, `● ${each.name} `)]));
  return make("figure", { style: "margin:0" }, picture, names.length > 1 ? legend : null, told);
}

function table(heads, rows, label) {
  const numeric = (value) => typeof value === "number";
  const cell = (value) => value instanceof Node ? make("td", {}, value)
    : make("td", numeric(value) ? { class: "number" } : {}, numeric(value) ? number(value, 4) : value ?? "–");
  const kind = (at) => rows.length && numeric(rows[0][at]) ? { class: "number", scope: "col" } : { scope: "col" };
  return make("div", { class: "scroll" }, make("table", { "aria-label": label },
    make("thead", {}, make("tr", {}, ...heads.map((head, at) => make("th", kind(at), head)))),
    make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map(cell))))));
}

let counted = 0;
function choice(label, options, chosen, change) {
  const id = `choice${counted++}`;
  const select = make("select", { id, onchange: () => change(Number(select.value)) },
    ...options.map((text, at) => make("option", { value: at }, text)));
  select.value = chosen;
  return make("span", {}, make("label", { for: id }, `${label} `), select);
}
