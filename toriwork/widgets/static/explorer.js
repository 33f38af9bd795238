// The diagram explorer: one scale, four pictures, drawn here without asking the kernel.

const POSITIONS = 500; // of the slider
const LISTED = 60; // classes in the list, the longest

const numbers = (view, Kind) =>
  view.byteLength ? new Kind(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength)) : new Kind(0);

function readBars(data) {
  const pairs = numbers(data.pairs, Float64Array);
  const n = pairs.length / 3;
  const pick = (column) => Float64Array.from({ length: n }, (_, i) => pairs[3 * i + column]);
  const [k, birth, death] = [pick(0), pick(1), pick(2)];
  const dimensions = Array.from({ length: data.dimensions }, (_, i) => i);
  const indices = Array.from({ length: n }, (_, i) => i);
  const count = dimensions.map((dimension) => indices.filter((i) => k[i] === dimension).length);
  const seen = dimensions.map(() => 0);
  const row = indices.map((i) => seen[k[i]]++); // in its own dimension
  return {
    n, k, birth, death, dimensions, indices, count, row,
    censored: numbers(data.censored, Uint8Array), unit: data.unit, threshold: data.threshold ?? Infinity,
    low: Math.min(0, data.low), top: data.top,
    length: (i) => death[i] - birth[i],
    betti(scale) {
      const found = dimensions.map(() => 0);
      for (let i = 0; i < n; i++) if (birth[i] <= scale && scale < death[i]) found[k[i]]++;
      return found;
    },
    name: (i) => `H${k[i]}: ${short(birth[i])} to ${short(death[i])}`,
  };
}

// How many of the sorted values are <= value.
function upTo(sorted, value) {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

const HEADER = ["dimension", "Betti number", "longest alive from", "to"];

// The moment in words and numbers, as toriwork.plots.explorer.describe_moment says it.
function describe(data, bars, complex, scale, told) {
  const betti = bars.betti(scale);
  const facts = [
    `At scale ${short(scale)} (${bars.unit}): Betti numbers ${betti.map((number, k) => `H${k} ${number}`).join(", ")}.`,
  ];
  if (data.drawable) {
    const parts = [["edge", complex.edgesAt(scale), data.most_edges], ["triangle", complex.trianglesAt(scale), data.most_triangles]];
    const words = parts.map(([noun, number, most]) =>
      number > most ? `more than ${most} ${noun}s` : counted(number, noun));
    const hidden = parts.filter(([, number, most]) => number > most).map(([noun, , most]) => `${noun}s after the first ${most}`);
    facts.push(`The complex has ${words.join(" and ")}.`);
    if (hidden.length) facts.push(`Not shown: ${hidden.join(", ")}.`);
  }
  if (told) facts.push(told);
  const rows = betti.map((number, k) => {
    let longest = -1;
    for (let i = 0; i < bars.n; i++) {
      if (bars.k[i] !== k || !(bars.birth[i] <= scale && scale < bars.death[i])) continue;
      if (longest < 0 || bars.length(i) > bars.length(longest)) longest = i;
    }
    const ends = longest < 0 ? [NaN, NaN] : [bars.birth[longest], bars.death[longest]];
    return [`H${k}`, String(number), ...ends.map(short)];
  });
  return { sentence: facts.join(" "), rows };
}

function build(model) {
  const data = model.get("data");
  const bars = readBars(data);
  const lengths = numbers(data.lengths, Float64Array);
  const entries = numbers(data.entries, Float64Array);
  const complex = { edgesAt: (scale) => upTo(lengths, scale), trianglesAt: (scale) => upTo(entries, scale) };
  const points = numbers(data.points, Float64Array);
  const n = data.n_points;
  const cloud = cloudPicture({
    places: numbers(data.places, Float64Array), n, space: data.space, names: data.names,
    edges: numbers(data.edges, Uint32Array), triangles: numbers(data.triangles, Uint32Array),
  });
  const state = {
    scale: model.get("scale"), chosen: -1, hoveredBar: -1, hoveredPoint: -1, selection: model.get("selection"),
    shown: null, told: "", lasso: [], mode: "move", down: false,
  };
  const pictures = [diagramPicture(bars), barcodePicture(bars), curvesPicture(bars)];
  const words = () => describe(data, bars, complex, state.scale, state.told);

  // --- controls
  const tip = el("div", { class: "tip", hidden: true });
  const status = el("p", { class: "status", role: "status", "aria-live": "polite" });
  const slider = el("input", { type: "range", min: 0, max: POSITIONS, step: 1, class: "scale", oninput: slid });
  const readout = el("output", { class: "readout" });
  const eventButton = (name, step) =>
    el("button", { type: "button", title: `Go to the scale ${name} at which a class is born or dies`, onclick: () => move(step()) },
      name === "before" ? "◀ event" : "event ▶");
  const events = [...bars.birth, ...bars.death].filter((v) => data.low <= v && v <= data.high);
  const before = eventButton("before", () => Math.max(data.low, ...events.filter((v) => v < state.scale)));
  const after = eventButton("after", () => Math.min(data.high, ...events.filter((v) => v > state.scale)));
  before.setAttribute("aria-label", "Scale of the event before");
  after.setAttribute("aria-label", "Scale of the event after");
  const listed = [...bars.indices].sort((i, j) => bars.length(j) - bars.length(i) || i - j).slice(0, LISTED);
  listed.sort((i, j) => bars.k[j] - bars.k[i] || bars.length(j) - bars.length(i) || i - j);
  const chooser = el("select", { title: "Highlight a class in all pictures", onchange: () => choose(Number(chooser.value)) },
    el("option", { value: -1 }, "no class"), ...listed.map((i) => el("option", { value: i }, bars.name(i))));
  const button = (name, title, call) => el("button", { type: "button", title, onclick: call }, name);
  const lasso = button("Lasso", "Select points by drawing around them", () => setMode(state.mode === "lasso" ? "move" : "lasso"));
  lasso.setAttribute("aria-pressed", "false");
  const zoomed = (factor) => () => { cloud.zoomBy(factor); redraw(); };
  const tools = el("div", { class: "tools", role: "group", "aria-label": "Cloud" }, lasso,
    button("+", "Zoom in", zoomed(1.25)), button("−", "Zoom out", zoomed(0.8)),
    button("Reset", "Show the whole cloud from the front", () => { cloud.reset(); redraw(); }),
    button("Select class", "Select the points of the highlighted class", () => state.shown && select(state.shown.points)),
    button("Clear", "Select no point", () => select([])));
  const selected = el("span", { class: "selected" });
  tools.append(selected);

  // --- panels
  const panel = (picture, attributes) => {
    const canvas = el("canvas", { ...attributes, width: 1, height: 1 });
    const node = el("figure", { class: "panel" }, el("figcaption", {}, picture.title), el("div", { class: "stage" }, canvas));
    return { picture, canvas, node, cache: null, w: 0, h: 0 };
  };
  const keys = data.space ? "Arrow keys turn it" : "Arrow keys move it";
  const scene = panel(cloud, { tabindex: 0, role: "application", "aria-label": `Cloud and complex. ${keys}, plus and minus zoom, 0 resets.` });
  const flats = pictures.map((picture) => panel(picture, { role: "img", "aria-label": picture.title }));
  if (n) scene.node.append(tools);
  else scene.node.querySelector(".stage").append(el("p", { class: "empty" }, "A diagram without its cloud."));
  const panels = [scene, ...flats];
  const head = el("div", { class: "controls" },
    el("div", { class: "wide" }, labelled(`Scale (${bars.unit})`, slider), readout, before, after),
    n ? labelled("Highlight", chooser) : labelled("Mark", chooser));
  const node = el("div", { class: "toriwork explorer" }, head, el("div", { class: "grid" }, ...panels.map((one) => one.node)), status, tip);

  // --- drawing
  let colours = null;
  let waiting = 0;
  const what = () => ({
    nEdges: Math.min(complex.edgesAt(state.scale), data.most_edges), lasso: state.lasso, hovered: state.hoveredPoint,
    nTriangles: Math.min(complex.trianglesAt(state.scale), data.most_triangles), shown: state.shown, selection: state.selection,
  });

  function redraw() {
    if (!waiting) waiting = requestAnimationFrame(drawAll);
  }

  function drawAll() {
    waiting = 0;
    if (!node.isConnected) return;
    const begun = performance.now();
    colours ??= coloursAt(node);
    for (const one of panels) draw(one);
    view.milliseconds = performance.now() - begun;
  }

  function draw(one) {
    if (!one.w) return;
    const ratio = devicePixelRatio || 1;
    const ctx = one.canvas.getContext("2d");
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    ctx.clearRect(0, 0, one.w, one.h);
    if (one === scene) {
      cloud.draw(ctx, one.w, one.h, colours, what());
      return;
    }
    if (!one.cache) {
      one.cache = new OffscreenCanvas(one.canvas.width, one.canvas.height);
      const still = one.cache.getContext("2d");
      still.setTransform(ratio, 0, 0, ratio, 0, 0);
      one.picture.still(still, one.w, one.h, colours);
    }
    ctx.drawImage(one.cache, 0, 0, one.w, one.h);
    one.picture.moving(ctx, colours, state.scale, state.chosen, state.hoveredBar);
  }

  function fit() {
    const ratio = devicePixelRatio || 1;
    for (const one of panels) {
      const w = Math.floor(one.canvas.parentElement.clientWidth);
      const h = Math.round(Math.min(340, Math.max(230, 0.68 * w)));
      if (!w || (w === one.w && h === one.h && one.canvas.width === Math.round(w * ratio))) continue;
      Object.assign(one, { w, h, cache: null });
      one.canvas.width = Math.round(w * ratio);
      one.canvas.height = Math.round(h * ratio);
      one.canvas.style.height = `${h}px`;
    }
    drawAll();
  }
  const sizes = new ResizeObserver(fit);
  sizes.observe(node);
  const unwatch = watchTheme(() => {
    colours = null;
    for (const one of panels) one.cache = null;
    redraw();
  });

  // --- the state moves
  const tell = seldom(120, (scale) => send("scale", scale));
  const say = seldom(150, () => {
    const { sentence } = words();
    status.textContent = sentence;
    scene.canvas.setAttribute("aria-description", sentence);
  });

  function send(name, value) {
    model.set(name, value);
    model.save_changes();
  }

  function slid() {
    move(data.low + (Number(slider.value) / POSITIONS) * (data.high - data.low), false);
  }

  function move(scale, setSlider = true) {
    state.scale = Math.min(data.high, Math.max(data.low, scale));
    show(setSlider);
    tell(state.scale);
  }

  function show(setSlider = true) {
    if (setSlider) slider.value = Math.round(((state.scale - data.low) / (data.high - data.low || 1)) * POSITIONS);
    slider.setAttribute("aria-valuetext", short(state.scale));
    readout.textContent = short(state.scale);
    say();
    redraw();
  }

  function choose(i) {
    state.chosen = i;
    state.shown = null;
    state.told = "";
    if (i >= 0 && ![...chooser.options].some((option) => Number(option.value) === i)) chooser.append(el("option", { value: i }, bars.name(i)));
    chooser.value = i;
    send("chosen", i < 0 ? [] : [bars.k[i], bars.row[i]]);
    show(false);
  }

  function highlighted() {
    const { bar, told, refused, ...shown } = model.get("highlight");
    const i = bar ? bars.indices.find((one) => bars.k[one] === bar[0] && bars.row[one] === bar[1]) ?? -1 : -1;
    state.chosen = i;
    state.shown = shown.points ? shown : null;
    state.told = told ?? "";
    chooser.value = i;
    show(false);
  }

  function select(indices) {
    state.selection = [...indices].sort((a, b) => a - b);
    send("selection", state.selection);
    showSelection();
  }

  function showSelection() {
    selected.textContent = state.selection.length ? `${counted(state.selection.length, "point")} selected` : "no point selected";
    redraw();
  }

  function setMode(mode) {
    state.mode = mode;
    lasso.setAttribute("aria-pressed", String(mode === "lasso"));
    scene.canvas.classList.toggle("lasso", mode === "lasso");
  }

  // --- pointer and keys
  const placeOf = (event) => [event.offsetX, event.offsetY];
  const told = (event, text) => {
    tip.hidden = !text;
    if (!text) return;
    tip.textContent = text;
    const box = node.getBoundingClientRect();
    tip.style.left = `${Math.min(event.clientX - box.left + 12, box.width - tip.offsetWidth - 4)}px`;
    tip.style.top = `${event.clientY - box.top + 14}px`;
  };
  for (const one of flats) {
    one.canvas.addEventListener("pointermove", (event) => {
      const [x, y] = placeOf(event);
      const hovered = one.picture.at(x, y);
      one.canvas.style.cursor = hovered >= 0 || one.picture.scaleAt ? "pointer" : "default";
      if (one.picture.scaleAt) {
        const scale = one.picture.scaleAt(x);
        told(event, `scale ${short(scale)}: ${bars.betti(scale).map((number, k) => `H${k} ${number}`).join(", ")}`);
        return;
      }
      told(event, hovered < 0 ? "" : `${bars.name(hovered)}, ${short(bars.length(hovered))} long${bars.censored[hovered] ? ", cut" : ""}`);
      if (hovered !== state.hoveredBar) {
        state.hoveredBar = hovered;
        redraw();
      }
    });
    one.canvas.addEventListener("pointerleave", () => {
      tip.hidden = true;
      state.hoveredBar = -1;
      redraw();
    });
    one.canvas.addEventListener("click", (event) => {
      const [x, y] = placeOf(event);
      if (one.picture.scaleAt) return move(one.picture.scaleAt(x));
      const hit = one.picture.at(x, y);
      choose(hit === state.chosen ? -1 : hit);
    });
  }
  const sketch = scene.canvas;
  sketch.addEventListener("pointerdown", (event) => {
    state.down = true;
    sketch.setPointerCapture(event.pointerId);
    state.lasso = state.mode === "lasso" ? [placeOf(event)] : [];
  });
  sketch.addEventListener("pointermove", (event) => {
    const [x, y] = placeOf(event);
    if (state.down && state.mode === "lasso") state.lasso.push([x, y]);
    else if (state.down && data.space && !event.shiftKey) cloud.turnBy(event.movementX, event.movementY);
    else if (state.down) cloud.panBy(event.movementX, event.movementY);
    else {
      const i = cloud.at(x, y);
      const coordinates = i < 0 ? [] : Array.from(points.subarray(i * data.dim, Math.min(i * data.dim + 6, (i + 1) * data.dim)), short);
      told(event, i < 0 ? "" : `point ${i}: ${coordinates.join(", ")}${data.dim > 6 ? ", …" : ""}`);
      if (i === state.hoveredPoint) return;
      state.hoveredPoint = i;
    }
    redraw();
  });
  const released = () => {
    if (state.lasso.length > 2) select(cloud.inside(state.lasso));
    state.down = false;
    state.lasso = [];
    redraw();
  };
  sketch.addEventListener("pointerup", released);
  sketch.addEventListener("pointercancel", released);
  sketch.addEventListener("pointerleave", () => {
    tip.hidden = true;
    state.hoveredPoint = -1;
    redraw();
  });
  sketch.addEventListener("wheel", (event) => {
    // else the notebook could not be scrolled past it
    if (!event.ctrlKey && sketch.getRootNode().activeElement !== sketch) return;
    event.preventDefault();
    cloud.zoomBy(Math.exp(-event.deltaY / 400), ...placeOf(event));
    redraw();
  }, { passive: false });
  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  sketch.addEventListener("keydown", (event) => {
    const arrow = ARROWS[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (arrow) (data.space && !event.shiftKey ? cloud.turnBy : cloud.panBy)(12 * arrow[0], 12 * arrow[1]);
    else if (event.key === "+" || event.key === "=") cloud.zoomBy(1.25);
    else if (event.key === "-") cloud.zoomBy(0.8);
    else if (event.key === "0") cloud.reset();
    else if (event.key === "Escape") { state.lasso = []; setMode("move"); }
    else return;
    event.preventDefault();
    event.stopPropagation();
    redraw();
  });
  const stopPull = () => (state.down = false);
  slider.addEventListener("pointerdown", () => (state.down = true));
  slider.addEventListener("pointerup", stopPull);
  slider.addEventListener("pointercancel", stopPull);

  const listeners = {
    "change:scale": () => { state.scale = model.get("scale"); if (!state.down) show(); },
    "change:highlight": highlighted,
    "change:selection": () => { state.selection = model.get("selection"); showSelection(); },
  };
  for (const [event, call] of Object.entries(listeners)) model.on(event, call);

  // The still picture of this moment, in light colours whatever the theme.
  function still() {
    const [w, h, gap, ratio] = [440, 300, 22, 1.25];
    const canvas = el("canvas", { width: 2 * w * ratio, height: 2 * (h + gap) * ratio });
    const ctx = canvas.getContext("2d");
    const inLight = { ...LIGHT, font: "DejaVu Sans, Verdana, sans-serif" };
    ctx.scale(ratio, ratio);
    ctx.fillStyle = LIGHT.ground;
    ctx.fillRect(0, 0, 2 * w, 2 * (h + gap));
    panels.forEach((one, place) => {
      ctx.save();
      ctx.translate((place % 2) * w, Math.floor(place / 2) * (h + gap));
      ctx.font = `bold 12px ${inLight.font}`;
      ctx.fillStyle = LIGHT.ink;
      ctx.textAlign = "left";
      ctx.textBaseline = "top";
      ctx.fillText(one.picture.title, 10, 6);
      ctx.translate(0, gap);
      if (one === scene && n) {
        const { panX, panY } = cloud.view;
        const share = one.w ? w / one.w : 1;
        Object.assign(cloud.view, { panX: panX * share, panY: panY * share });
        cloud.draw(ctx, w, h, inLight, { ...what(), hovered: -1, lasso: [] });
        Object.assign(cloud.view, { panX, panY });
      } else if (one !== scene) {
        one.picture.still(ctx, w, h, inLight);
        one.picture.moving(ctx, inLight, state.scale, state.chosen, -1);
        one.cache = null;
      }
      ctx.restore();
    });
    redraw(); // the pictures remember the axes they were drawn with last
    const { sentence, rows } = words();
    const caption = `The filtration at scale ${short(state.scale)} (${bars.unit})`;
    const html = figureHtml(canvas.toDataURL("image/png"), sentence, caption, tableHtml(caption, HEADER, rows));
    const columns = HEADER.map((name, j) => Math.max(name.length, ...rows.map((row) => row[j].length)));
    const lines = [HEADER, ...rows].map((row) => `  ${row.map((cell, j) => cell.padEnd(columns[j])).join("  ")}`.trimEnd());
    return { html, text: [`DiagramExplorer: ${sentence}`, ...lines].join("\n") };
  }

  const view = {
    node, still, milliseconds: 0, busy: () => state.down,
    close() {
      sizes.disconnect();
      unwatch();
      for (const [event, call] of Object.entries(listeners)) model.off(event, call);
    },
  };
  highlighted();
  showSelection();
  show();
  return view;
}

export default front(build);
