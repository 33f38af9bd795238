// All live views share this: the element that an output holds, the still picture that a save leaves, small helpers.
// The files of a widget are sent as one module, this one first; none of them imports anything.

// One for a page, whatever the number of widgets. A notebook's output is <toriwork-live data-key=KEY>STILL</...>: the
// picture inside is shown until the model of that key is there, and again when it is gone.
const page = (globalThis[Symbol.for("toriwork.live")] ??= openPage());

function openPage() {
  const entries = new Map(); // key -> {model, build, sheet, views}
  class Live extends HTMLElement {
    connectedCallback() {
      const entry = entries.get(this.dataset.key);
      if (entry) mount(this, entry);
    }
  }
  if (!customElements.get("toriwork-live")) customElements.define("toriwork-live", Live);

  // the keys that a control uses are its own, and no shortcuts of the notebook; saving and running a cell stay
  const quiet = "data-lm-suppress-shortcuts";
  const keyed = (event) => {
    const host = event.composedPath().find((node) => node.localName === "toriwork-live");
    host?.toggleAttribute(quiet, !(event.ctrlKey || event.metaKey || (event.shiftKey && event.key === "Enter")));
  };
  addEventListener("keydown", keyed, true);

  // an output that is drawn anew gets the view of the one that it replaces: nothing is lost but a moment's focus
  function mount(host, entry) {
    if (host.view?.entry === entry) return;
    let view = [...entry.views].find((one) => !one.host.isConnected);
    if (!view) {
      view = entry.build(entry.model);
      view.entry = entry;
      entry.views.add(view);
    }
    view.host = host;
    host.view = view;
    const root = host.shadowRoot ?? host.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [entry.sheet];
    root.replaceChildren(view.node);
    if (view.focused?.isConnected) view.focused.focus({ preventScroll: true });
    view.focused = null;
  }

  function add(key, model, build) {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(model.get("styles"));
    const entry = { key, model, build, sheet, views: new Set() };
    entries.set(key, entry);
    for (const host of hostsOf(key)) mount(host, entry);
    const context = model.widget_manager?.context; // JupyterLab and Notebook; elsewhere the first still stays
    const saving = (_, state) => {
      if (state === "started") leaveStill(entry, context.model);
    };
    context?.saveState.connect(saving);
    const end = () => {
      context?.saveState.disconnect(saving);
      if (entries.get(key) === entry) entries.delete(key);
      for (const view of entry.views) unmount(view);
      entry.views.clear();
    };
    model.on("comm_live_update", end); // its kernel was started anew and knows nothing of it; nobody closes it
    return end;
  }

  function unmount(view) {
    view.host.innerHTML = view.still().html;
    view.host.shadowRoot.replaceChildren(document.createElement("slot"));
    view.host.view = null;
    view.close?.();
  }

  return { add };
}

const hostsOf = (key) => document.querySelectorAll(`toriwork-live[data-key="${key}"]`);

// The notebook that is saved holds a picture of this moment instead of the first one.
function leaveStill(entry, notebook) {
  const view = [...entry.views].find((one) => one.host.isConnected) ?? [...entry.views][0];
  if (!view || view.busy?.()) return; // an output must not be drawn anew under somebody's pointer
  const place = `data-key="${entry.key}"`;
  for (const cell of notebook.cells) {
    for (let i = 0; i < (cell.outputs?.length ?? 0); i++) {
      const output = cell.outputs.get(i).toJSON();
      const before = [output.data?.["text/html"] ?? ""].flat().join("");
      if (!before.includes(place)) continue;
      const { html, text } = view.still();
      const after = `<toriwork-live ${place} style="display:block">${html}</toriwork-live>`;
      if (after === before) continue;
      view.focused = view.host.shadowRoot.activeElement;
      cell.outputs.set(i, { ...output, data: { ...output.data, "text/html": after, "text/plain": text } });
    }
  }
}

// What a widget's module exports: initialize runs when the kernel has made the model, view or no view.
const front = (build) => ({
  initialize: ({ model }) => page.add(model.get("key"), model, build),
  render({ model, el: parent }) {
    parent.append(el("toriwork-live", { "data-key": model.get("key") }));
  },
});

// An element with attributes, listeners (onclick: f) and children.
function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

let labels = 0;

// A control under its visible name.
function labelled(name, control) {
  control.id = `control-${labels++}`;
  return el("span", { class: "field" }, el("label", { for: control.id }, name), control);
}

const escaped = (text) =>
  String(text).replace(/[&<>"']/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;" })[sign]);

// As toriwork.plots.text_alternative writes them.
function short(value) {
  if (Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "-∞";
  const [digits, exponent] = value.toExponential(2).split("e");
  const power = Number(exponent);
  const trimmed = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
  if (power >= -4 && power < 3) return trimmed(value.toFixed(Math.max(0, 2 - power)));
  if (Math.abs(value) >= 1e3 && Math.abs(value) < 1e6) return value.toFixed(0);
  return `${trimmed(digits)}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
}

const counted = (number, noun) => `${number || "no"} ${noun}${number === 1 ? "" : "s"}`;

function tableHtml(caption, header, rows) {
  const head = header.map((cell) => `<th scope="col">${escaped(cell)}</th>`).join("");
  const line = ([first, ...rest]) =>
    `<tr><th scope="row">${escaped(first)}</th>${rest.map((cell) => `<td>${escaped(cell)}</td>`).join("")}</tr>`;
  return (
    `<table><caption>${escaped(caption)}</caption><thead><tr>${head}</tr></thead>` +
    `<tbody>${rows.map(line).join("")}</tbody></table>`
  );
}

function figureHtml(source, alt, caption, tables) {
  return (
    `<figure role="group" aria-label="${escaped(caption)}" style="margin:1em 0"><img alt="${escaped(alt)}" src="${source}" ` +
    `style="max-width:100%"><figcaption>${escaped(caption)}</figcaption></figure>` +
    `<details><summary>The figure in numbers</summary>${tables}</details>`
  );
}

// Calls back at most once in so many milliseconds, the last time with the last arguments.
function seldom(milliseconds, call) {
  let timer = null;
  let waiting = null;
  const run = () => {
    timer = null;
    if (waiting) {
      const now = waiting;
      waiting = null;
      call(...now);
      timer = setTimeout(run, milliseconds);
    }
  };
  return (...now) => {
    waiting = now;
    timer ??= setTimeout(run, 0);
  };
}

// True where the ground of a view is dark, whatever theme makes it so.
function isDark(node) {
  const [r, g, b] = (getComputedStyle(node).backgroundColor.match(/[\d.]+/g) ?? [255, 255, 255]).map(Number);
  return 0.299 * r + 0.587 * g + 0.114 * b < 128;
}

// Watches the theme and calls back when it changes; returns how to stop.
function watchTheme(call) {
  const observer = new MutationObserver(() => requestAnimationFrame(call));
  const attributeFilter = ["data-jp-theme-name", "data-jp-theme-light", "class", "style", "data-theme"];
  for (const node of [document.body, document.documentElement]) observer.observe(node, { attributes: true, attributeFilter });
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  scheme.addEventListener("change", call);
  return () => {
    observer.disconnect();
    scheme.removeEventListener("change", call);
  };
}
