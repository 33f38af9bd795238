// Controls of the widgets that ask the kernel, and a table: sorted by a click on a column, a row chosen by a click.

// columns: names; rows: texts, each as long; keys: one per row; pick(key) is called for a row that is chosen.
function table({ caption, pick = null, sort = null, empty = "Nothing is here." }) {
  const head = el("tr");
  const body = el("tbody");
  const node = el("div", { class: "box", tabindex: 0, role: "region", "aria-label": caption },
    el("table", {}, el("caption", {}, caption), el("thead", {}, head), body));
  let shown = { header: [], rows: [], keys: [], chosen: null, order: null };
  let own = null; // [column, descending], where the kernel does not sort

  const value = (text) => {
    const number = Number(text.replace(/[,\s]/g, "").replace("∞", "Infinity"));
    return text === "–" ? -Infinity : Number.isNaN(number) ? text.toLowerCase() : number;
  };

  function sortBy(column) {
    const [before, descending] = (sort ? shown.order : own) ?? [-1, false];
    const next = [column, before === column && !descending];
    if (sort) return sort(next);
    own = next;
    draw();
  }

  function draw() {
    const { header, rows, keys, chosen } = shown;
    const order = sort ? shown.order : own;
    const numeric = header.map((_, j) => rows.length > 0 && rows.every((row) => typeof value(row[j]) === "number"));
    head.replaceChildren(...header.map((name, j) => {
      const way = order?.[0] === j ? (order[1] ? "descending" : "ascending") : "none";
      const sign = { none: "", ascending: " ▲", descending: " ▼" }[way];
      return el("th", { scope: "col", "aria-sort": way, class: numeric[j] ? "number" : null },
        el("button", { type: "button", title: `Sort by ${name}`, onclick: () => sortBy(j) }, name + sign));
    }));
    let places = rows.map((_, i) => i);
    if (order && !sort) {
      const [j, descending] = order;
      const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
      places.sort((a, b) => (descending ? -1 : 1) * compare(value(rows[a][j]), value(rows[b][j])) || a - b);
    }
    const line = (i) => {
      const here = keys[i] !== undefined && keys[i] === chosen;
      const [first, ...rest] = rows[i].map((text, j) => el(j ? "td" : "th", { class: numeric[j] ? "number" : null, scope: j ? null : "row" }, text));
      const row = el("tr", { "aria-selected": pick ? String(here) : null, tabindex: pick ? (here || (chosen === null && !i) ? 0 : -1) : null,
        onclick: pick ? () => pick(keys[i]) : null }, first, ...rest);
      return row;
    };
    const focused = body.contains(body.getRootNode().activeElement);
    body.replaceChildren(...places.map(line));
    if (!rows.length) body.append(el("tr", {}, el("td", { colspan: Math.max(1, header.length), class: "nothing" }, empty)));
    if (focused) body.querySelector('tr[aria-selected="true"]')?.focus();
  }

  body.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const lines = [...body.children];
    const here = lines.indexOf(event.target.closest("tr"));
    if (!pick || here < 0 || !(step || event.key === "Enter" || event.key === " ")) return;
    event.preventDefault();
    lines[step ? Math.min(lines.length - 1, Math.max(0, here + step)) : here].click();
  });
  if (pick) body.closest("table").setAttribute("role", "grid");

  return {
    node,
    show(next) {
      shown = { keys: [], chosen: null, order: null, ...next };
      if (next.caption) node.querySelector("caption").textContent = next.caption;
      draw();
    },
  };
}

// A widget whose every answer comes from the kernel: data holds what is shown, ask says what somebody wants.
function asking(model, name, make) {
  const status = el("p", { class: "status", role: "status", "aria-live": "polite" });
  const refused = el("p", { class: "refused", role: "alert" });
  const image = el("img", { class: "picture", alt: "" });
  const ask = (what, value = null) => model.send({ do: what, with: value });
  const parts = make({ ask, status, refused, image });
  const node = el("div", { class: `toriwork ${name}` }, ...parts.nodes);

  function show() {
    const data = model.get("data");
    const picture = new DOMParser().parseFromString(model.get("still"), "text/html").querySelector("img");
    status.textContent = data.sentence;
    refused.textContent = data.refused;
    image.hidden = !picture; // there is nothing to draw: the sentence says why
    if (picture) Object.assign(image, { src: picture.src, alt: picture.alt });
    parts.show(data);
  }
  const paint = () => node.classList.toggle("dark", isDark(node));
  const unwatch = watchTheme(paint);
  model.on("change:data", show);
  show();
  requestAnimationFrame(paint); // when it is on the page
  return {
    node,
    still: () => ({ html: model.get("still"), text: model.get("plain") }),
    close() {
      unwatch();
      model.off("change:data", show);
    },
  };
}

// A field for a text that counts with Enter, or when it is left.
function textField(name, placeholder, changed) {
  let said = "";
  const commit = () => {
    if (input.value === said) return;
    said = input.value;
    changed();
  };
  const entered = (event) => event.key === "Enter" && commit();
  const input = el("input", { type: "text", placeholder, title: placeholder, size: 14, autocomplete: "off", onchange: commit, onkeydown: entered });
  return {
    node: labelled(name, input),
    input,
    // What is refused stays in the field to be corrected.
    show(value, refused) {
      if (!refused) input.value = said = value ?? "";
      input.setAttribute("aria-invalid", String(Boolean(refused) && input.value !== (value ?? "")));
    },
  };
}

// A list to choose one of; "every" stands for none.
function choice(name, changed) {
  const input = el("select", { onchange: changed });
  return {
    node: labelled(name, input),
    get value() { return input.value || null; },
    show(options, chosen) {
      input.replaceChildren(el("option", { value: "" }, "every"), ...options.map((one) => el("option", { value: one }, one)));
      input.value = chosen ?? "";
    },
  };
}
