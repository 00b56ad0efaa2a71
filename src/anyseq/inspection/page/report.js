// The views, each for one model and the chosen input.

const data = revive(JSON.parse(document.getElementById("data").textContent));
const models = data.models;
const remembered = {};  // what was chosen in a view, by the view's name

function remember(name, otherwise) { return remembered[name] ?? otherwise; }

const draws = {
  attention(model, at, redraw) {
    const maps = model.attention.items[at];
    if (!maps.length) return make("p", {}, "Nothing attends here.");
    const first = Math.max(0, maps.findLastIndex((map) => map.looks === "output" && map.at !== "itself"));
    const chosen = Math.min(remember("map", first), maps.length - 1);
    const map = maps[chosen], heads = map.weights.shape[0];
    const head = Math.min(remember("head", 0), heads);
    const all = [...Array(heads).keys()];
    const value = (row, column) => head ? map.weights.at(head - 1, row, column)
      : all.reduce((sum, each) => sum + map.weights.at(each, row, column), 0) / heads;
    const item = model.items[at];
    const source = map.at === "itself" || !item.numbers ? null : make("div");
    const shift = map.at === "elements" ? 1 : 0;
    const over = (row) => source.replaceChildren(overNumbers(item.numbers, (place) => value(row, place + shift)));
    if (source) over(0);
    return make("div", {},
      make("div", { class: "controls" },
        choice("Layer", maps.map((each) => `${each.path}: ${each.looks} → ${each.at}`), chosen,
          (place) => { remembered.map = place; redraw(); }),
        heads > 1 ? choice("Head", ["mean of all", ...all.map((each) => `${each + 1}`)], head,
          (place) => { remembered.head = place; redraw(); }) : null),
      heat({ rows: map.rows, columns: map.columns, value, most: 1, known: map.known, label: `Attention of ${map.path}`,
        tell: (row, column) => `“${seen(map.rows[row])}” looks at “${seen(map.columns[column])}”: ${number(value(row, column))}`,
        chosen: source ? over : null }),
      source,
      map.known.length ? make("p", {}, model.attention.known_from === "given" ? "Framed in green: what is known to belong together."
        : "Framed in green: what the output copies, so that it is known where it comes from.") : null,
      model.attention.known.length ? make("h3", {}, "Does it look where it should?") : null,
      model.attention.known.length ? make("p", {}, "Of what the output should look at: how much of the attention is there, and how often most of it"
        + (model.attention.known_from === "given" ? ", while the right answer is written. Alignment error rate: 0 is perfect." : ".")) : null,
      model.attention.known.length ? table(["layer", "head", "attention on the right places", "most of it", "error rate", "places"],
        model.attention.known.map((each) => [each.path, each.head ? String(each.head) : "mean", each.weight,
          `${number(100 * each.found)} %`, each.error_rate, each.places]), "Attention against known alignments") : null);
  },

  gates(model, at, redraw) {
    const traces = model.gates.items[at];
    const chosen = Math.min(remember("trace", 0), traces.length - 1);
    const trace = traces[chosen];
    const found = model.gates.found;
    const options = [...found.filter((each) => each.path === trace.path).map((each) => ({
      state: each.state, cell: each.cell,
      text: `${each.state} of cell ${each.cell}: ${each.property} (${measured(each)})` })),
    ...Object.keys(trace.states).flatMap((state) => listed(trace.cells).map((cell) => ({ state, cell,
      text: `${state} of cell ${cell}` })))];
    const cellAt = Math.min(remember("cell", 0), options.length - 1);
    const lines = Object.entries(trace.gates).map(([name, gate]) => ({ name: `${name} gate`,
      points: trace.places.map((text, place) => [place + 1, gate.at(place, 0),
        `“${seen(text)}” ${number(gate.at(place, 0))}`]) }));
    const full = model.gates.saturation.filter((each) => each.path === trace.path);
    return make("div", {},
      make("div", { class: "controls" },
        choice("Layer", traces.map((each) => `${each.path} (reads the ${each.over})`), chosen,
          (place) => { remembered.trace = place; remembered.cell = 0; redraw(); }),
        choice("Cell", options.map((each) => each.text), cellAt, (place) => { remembered.cell = place; redraw(); })),
      coloured(trace, options[cellAt]),
      make("div", { class: "charts" },
        chart({ series: [{ name: "", points: cellByPlace(trace, options[cellAt]) }], x: "place",
          y: `${options[cellAt].state} of cell ${options[cellAt].cell}`, label: "The cell by place" }),
        lines.length ? chart({ series: lines, x: "place", y: "mean over cells", low: 0, high: 1, label: "Mean gates by place" }) : null,
        ...full.map((each) => chart({ series: [{ name: "", points: listed(each.shut).map((shut, cell) =>
          [shut, listed(each.open)[cell], `cell ${cell}: shut ${number(shut)}, open ${number(listed(each.open)[cell])} of the time`]) }],
        x: `${each.gate} gate shut (< .1)`, y: "open (> .9)", low: 0, high: 1, left: 0, right: 1, dots: true,
        label: `Saturation of the ${each.gate} gate, a point for each cell` }))),
      found.length ? make("h3", {}, "Cells that follow a property") : null,
      found.length ? make("p", {}, "AUC: 1 where the cell is always higher where it is so, 0 where always lower, 0.5 by chance; ",
        "correlation: 1 or -1 where it follows exactly, 0 by chance. Found on one half of the inputs, measured on the other.") : null,
      found.length ? table(["property", "cell", "score", "places"], found.map((each) =>
        [each.property, `${each.state} of ${each.path}, cell ${each.cell}`, measured(each), each.places]),
      "Cells that follow a property") : null,
      model.gates.moments.length ? make("h3", {}, "Gates at a moment") : null,
      model.gates.moments.length ? make("p", {}, "A cell that remembers something should forget when it is told anew: there its forget "
        + "gate (of a GRU, reset and update) is lower, and its input gate higher, than elsewhere. Means over places.") : null,
      model.gates.moments.length ? table(["moment", "gate", "cell", "the cell, then", "elsewhere", "all cells, then", "elsewhere", "places"],
        model.gates.moments.map((each) => [each.moment, each.gate, `cell ${each.cell} of ${each.path} (${each.property})`, each.cell_there,
          each.cell_elsewhere, each.layer_there, each.layer_elsewhere, `${each.places} of ${each.places + each.others}`]),
        "Gates at a moment and elsewhere") : null);
  },

  gradients(model, at) {
    const { rows, columns, norms } = model.gradients.items[at];
    const flat = [...norms.data].reduce((most, each) => Math.max(most, each), 0) * norms.step + norms.low;
    const all = model.gradients;
    return make("div", {},
      heat({ rows, columns, value: norms.at.bind(norms), most: flat, label: "Norm of the gradient",
        tell: (row, column) => `“${seen(rows[row])}” depends on “${seen(columns[column])}”: ${number(norms.at(row, column))}` }),
      chart({ series: [{ name: "", points: listed(all.distance).map((distance, place) => [distance, listed(all.norm)[place],
        `${distance} steps back: ${number(listed(all.norm)[place])} (${listed(all.pairs)[place]} pairs)`]) }],
      x: "steps between reading and saying", y: "mean norm", low: 0, label: "Norm of the gradient by distance" }));
  },

  search(model, at) {
    const found = model.search[at];
    const same = found.parted === null;
    const word = (symbols) => make("span", { class: "symbols" }, ...symbols.map((symbol, place) => make("span",
      place === found.parted ? { class: "wrong", title: "here they part" } : {}, seen(symbol) + " ")));
    return make("div", {},
      found.nodes.length ? beamTree(found) : null,
      found.beam.length ? table(["search", "says", "log-probability"], [
        ["greedy", word(found.greedy), found.greedy_log_prob],
        [`beam of ${found.beam_size}`, word(found.beam), found.beam_log_prob]], "Greedy and beam") : null,
      found.beam.length ? make("p", {}, same ? "Both say the same." : `They part at place ${found.parted + 1}.`) : null,
      table(["place", "said", "probability", "runners-up"], found.choices.map((each, place) => [place + 1, seen(each.said),
        each.probability, each.symbols.map((symbol, which) => `${seen(symbol)} ${number(each.probabilities[which], 2)}`)
          .filter((_, which) => each.symbols[which] !== each.said).join("   ")]), "Choices at each place"));
  },

  errors(model) {
    const found = model.errors, few = 10;
    const row = (each) => [each.place, each.given, each.said, each.wanted, each.score, each.loss];
    const heads = ["line", "input", "output", "wanted", found.metric || "score", "loss a symbol"];
    const groups = (several) => several.map((each) => [(each.low + each.high) / 2, each.value,
      `${each.low === each.high ? each.low : `${each.low}–${each.high}`}: ${number(each.value)} (${each.count})`]);
    const worst = found.items.slice(0, few), best = found.items.slice(few).slice(-few).reverse();
    const counts = (pairs) => pairs.map(([word, count]) => `${seen(word)} ×${count}`).join(", ");
    return make("div", {},
      make("h3", {}, "Worst"), table(heads, worst.map(row), "Worst items"),
      best.length ? make("h3", {}, "Best") : null, best.length ? table(heads, best.map(row), "Best items") : null,
      make("div", { class: "charts" },
        found.by_length.length ? chart({ series: [{ name: "", points: groups(found.by_length) }], x: "places of the input",
          y: found.metric, label: "Score by length" }) : null,
        found.by_position.length ? chart({ series: [{ name: "", points: groups(found.by_position) }], x: "place in the target",
          y: "loss, nats", low: 0, label: "Loss by position" }) : null,
        found.calibration.length ? chart({ series: [{ name: "", points: found.calibration.map((each) => [each.expected, each.value,
          `said to be ${number(each.expected)}, right ${number(each.value)} of ${each.count}`]) }], x: "probability it gives",
        y: "share right", low: 0, high: 1, left: 0, right: 1, diagonal: true, label: "Calibration" }) : null),
      found.calibration_error === null ? null
        : make("p", {}, `Calibration error (mean distance from the diagonal): ${number(found.calibration_error)}`),
      found.confusions.length ? make("h3", {}, "Most frequent confusions") : null,
      found.confusions.length ? table(["wanted", "given", "times"], found.confusions.map(([wanted, given, count]) =>
        [seen(wanted), seen(given), count]), "Confusions") : null,
      found.repeated.length ? make("p", {}, `Said again without need: ${counts(found.repeated)}`) : null,
      found.missing.length ? make("p", {}, `Missing most often: ${counts(found.missing)}`) : null);
  },

  about(model) {
    const found = model.about;
    const total = found.parts.reduce((sum, part) => sum + part.parameters, 0) || 1;
    return make("div", {},
      table(["side", "mean length", "longest", "fully known", "unknown"], found.sides.map((side) => [side.name, side.mean,
        side.longest, side.covered === null ? "–" : `${number(100 * side.covered)} %`,
        side.unknown.map(([text, count]) => `${text} ×${count}`).join(", ") || "–"]), "The data"),
      make("div", { class: "charts" }, ...found.sides.map((side) => chart({ series: [{ name: "", points: side.lengths.map((each) =>
        [(each.low + each.high) / 2, each.count, `${each.low}–${each.high}: ${each.count} items`]) }], x: `length of the ${side.name}`,
      y: "items", low: 0, label: `Lengths of the ${side.name}` }))),
      make("p", {}, `${found.count} items; ${number(100 * found.padding)} % of the places are padding when they are searched together.`),
      table(["part", "parameters", "share", "products a place"], found.parts.map((part) => [part.name,
        part.parameters.toLocaleString("en"), `${number(100 * part.parameters / total)} %`, part.products.toLocaleString("en")]),
      "Parts of the model"));
  },
};

function listed(array) { return Array.isArray(array) ? array : [...array.data].map((_, place) => array.at(place)); }

function measured(found) { return `${found.measure === "auc" ? "AUC" : "correlation"} ${number(found.score)}`; }

function cellByPlace(trace, { state, cell }) {
  const column = listed(trace.cells).indexOf(cell), values = trace.states[state];
  return trace.places.map((text, place) => [place + 1, values.at(place, column), `“${seen(text)}” ${number(values.at(place, column))}`]);
}

function coloured(trace, { state, cell }) {
  const values = trace.states[state], column = listed(trace.cells).indexOf(cell);
  const most = Math.max(1e-6, ...trace.places.map((_, place) => Math.abs(values.at(place, column))));
  return make("p", { class: "flow symbols", "aria-label": `The text, coloured by ${state} of cell ${cell}` },
    ...trace.places.map((text, place) => {
      const value = values.at(place, column);
      const shade = value > 0 ? "239,68,68" : "59,130,246";
      const space = trace.places.some((each) => /\s/.test(each)) ? "" : " ";
      return make("span", { style: `background:rgba(${shade},${(Math.abs(value) / most * .75).toFixed(3)})`,
        title: `${state} = ${number(value)}` }, (text === "\n" ? "⏎\n" : text) + space);
    }));
}

// Where the source is points in a plane, or goes over time: how much each is looked at.
function overNumbers(numbers, weight) {
  const rows = Array.isArray(numbers) ? numbers : [...Array(numbers.shape[0]).keys()].map((row) =>
    [...Array(numbers.shape[1]).keys()].map((column) => numbers.at(row, column)));
  const plane = rows[0].length === 2;
  const points = rows.map((row, place) => plane ? row : [place + 1, row[0]]);
  const figure = chart({ series: [{ name: "", points: points.map((point, place) => [...point, `${place + 1}: ${number(weight(place))}`]) }],
    x: plane ? "first number" : "place", y: plane ? "second number" : "value", dots: true, label: "How much each place of the source is looked at" });
  figure.querySelectorAll("circle").forEach((dot, place) => {
    dot.setAttribute("r", 3 + 14 * Math.sqrt(Math.max(0, weight(place))));
  });
  return figure;
}

function beamTree({ nodes, beam_size: beam }) {
  const steps = new Map();
  nodes.forEach((node) => { if (!steps.has(node.step)) steps.set(node.step, []); steps.get(node.step).push(node); });
  const first = nodes[0].step, [wide, high] = [84, 20];
  const most = Math.max(...[...steps.values()].map((each) => each.length));
  const place = (node) => [20 + (node.step - first) * wide, 16 + steps.get(node.step).indexOf(node) * high];
  const width = steps.size * wide + 60, height = most * high + 20;
  const told = make("output", { "aria-live": "polite" });
  const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", tabindex: 0,
    "aria-label": `Tree of a beam of ${beam}. Left and right go along a branch, up and down through a step.` });
  const marks = new Map();
  const tell = (node) => `${seen(node.symbol)}: log-probability ${number(node.log_prob)}; ${node.best ? "part of what the beam says; " : ""}${
    { lives: "lived on", ended: "ended", pruned: "pruned" }[node.fate]} at step ${node.step}`;
  for (const node of nodes) {
    const [x, y] = place(node);
    const stroke = node.best ? "var(--three)" : node.fate === "pruned" ? "var(--line)" : "var(--soft)";
    if (node.parent >= 0) {
      const [px, py] = place(nodes[node.parent]);
      picture.append(svg("line", { x1: px + 4, y1: py, x2: x - 4, y2: y, stroke, "stroke-width": node.best ? 2.5 : 1 }));
    }
    const dot = svg("circle", { cx: x, cy: y, r: node.fate === "ended" ? 6 : 4,
      fill: node.best ? "var(--three)" : node.fate === "pruned" ? "var(--line)" : "var(--one)" }, svg("title", {}, tell(node)));
    const text = svg("text", { x: x + 8, y: y + 4, opacity: node.fate === "pruned" ? .55 : 1 }, seen(node.symbol).slice(0, 9));
    for (const part of [dot, text]) part.addEventListener("mouseenter", () => { told.textContent = tell(node); });
    marks.set(node, dot);
    picture.append(dot, text);
  }
  let at = nodes[0];
  picture.addEventListener("keydown", (event) => {
    const row = steps.get(at.step), here = row.indexOf(at);
    const next = { ArrowUp: row[here - 1], ArrowDown: row[here + 1], ArrowLeft: nodes[at.parent],
      ArrowRight: nodes.find((node) => nodes[node.parent] === at) }[event.key];
    if (!event.key.startsWith("Arrow")) return;
    event.preventDefault();
    marks.get(at).removeAttribute("stroke");
    at = next || at;
    marks.get(at).setAttribute("stroke", "var(--ink)");
    told.textContent = tell(at);
  });
  return make("div", {}, make("div", { class: "scroll" }, picture), told);
}

const TITLES = { attention: "Attention", gates: "Gates and cells", gradients: "Memory by gradient", search: "The search",
  errors: "Errors", about: "The data and the model" };
const BY_ITEM = new Set(["attention", "gates", "gradients", "search"]);
const chooser = document.getElementById("item");

function show(view) {
  const place = Number(chooser.value);
  const home = document.querySelector(`#${view} .models`);
  const held = [...home.querySelectorAll("select")].indexOf(document.activeElement);
  home.replaceChildren(...models.map((model) => {
    const several = model[view] && BY_ITEM.has(view) ? model[view].items ?? model[view] : null;
    const body = !model[view] ? make("p", {}, "This model has none.")
      : several && place >= several.length ? make("p", {}, `This is told of the first ${several.length} inputs.`)
        : draws[view](model, place, () => show(view));
    return make("div", {}, models.length > 1 ? make("h3", {}, model.model) : null, body);
  }));
  if (held >= 0) home.querySelectorAll("select")[held]?.focus();  // who chooses by keyboard goes on choosing
}

function outputs() {
  const place = Number(chooser.value);
  document.querySelector("#outputs .models").replaceChildren(...models.map((model) => {
    const item = model.items[place];
    if (!item) return make("div");
    const right = item.wanted.length ? (item.wanted.includes(item.said) ? "right" : "wrong") : "";
    return make("div", {}, models.length > 1 ? make("h3", {}, model.model) : null,
      table(["", ""], [["input", item.given], ["output", make("span", { class: right }, item.said + (right ? ` (${right})` : ""))],
        ...item.wanted.map((text) => ["wanted", text]), ...(item.log_prob === null ? [] : [["log-probability", item.log_prob]])],
      "Input and output"));
  }));
}

function start() {
  document.documentElement.style.setProperty("--models", models.length);
  const longest = models.reduce((one, other) => other.items.length > one.items.length ? other : one);
  chooser.replaceChildren(...longest.items.map((item, place) => make("option", { value: place }, `${place + 1}. ${item.given.slice(0, 90)}`)));
  document.getElementById("about-report").textContent = models.map((model) =>
    `${model.model} (${model.task}): ${model.count} inputs, ${model.items.length} of them shown`).join("; ");
  const views = Object.keys(TITLES).filter((view) => models.some((model) => model[view]));
  const main = document.getElementById("sections");
  main.append(make("section", { id: "outputs", "aria-label": "Input and output" }, make("div", { class: "models" })));
  for (const view of views) {
    document.getElementById("views").append(make("a", { href: `#${view}` }, TITLES[view]));
    main.append(make("section", { id: view, "aria-labelledby": `title-${view}` }, make("h2", { id: `title-${view}` }, TITLES[view]),
      make("p", {}, data.explained[view]), make("div", { class: "models" })));
  }
  const all = () => { outputs(); views.filter((view) => BY_ITEM.has(view)).forEach(show); };
  const move = (by) => { const to = Number(chooser.value) + by;
    if (to >= 0 && to < chooser.options.length) { chooser.value = to; all(); } };
  chooser.addEventListener("change", all);
  document.getElementById("previous").addEventListener("click", () => move(-1));
  document.getElementById("next").addEventListener("click", () => move(1));
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", all);
  outputs();
  views.forEach(show);
}

start();
