// The explorer of tokens and contexts: a budget, filters of what is listed, the choice and the text in its fence.

const build = (model) => asking(model, "context", ({ ask, status, refused, image }) => {
  const unit = el("select", { title: "What the budget limits", onchange: () => ask("unit", unit.value) });
  const slider = el("input", { type: "range", min: 0, class: "scale", title: "What the text may cost" });
  const readout = el("output", { class: "readout" });
  const tell = seldom(250, (value) => ask("limit", value));
  let pulled = false;
  slider.addEventListener("input", () => {
    readout.textContent = slider.value;
    tell(Number(slider.value));
  });
  slider.addEventListener("pointerdown", () => (pulled = true));
  slider.addEventListener("pointerup", () => (pulled = false));
  const changed = () => ask("filter", { source: source.value, type: kind.value, since: since.input.value, until: until.input.value });
  const source = choice("Source", () => changed());
  const kind = choice("Type", () => changed());
  const since = textField("Since", "2026-01-31T12:00", () => changed());
  const until = textField("Until", "2026-01-31T12:00", () => changed());
  const refresh = el("button", { type: "button", title: "Look at what was emitted meanwhile", onclick: () => ask("refresh") }, "Refresh");
  const tokens = table({ caption: "Emissions, the newest first", empty: "No emission matches." });
  const chosen = el("div", { class: "box whole", tabindex: 0, role: "region", "aria-label": "The context" });
  const nodes = [
    el("div", { class: "controls" }, labelled("Budget", unit), el("div", { class: "wide" }, labelled("at most", slider), readout)),
    status, image,
    el("div", { class: "controls", role: "group", "aria-label": "Filters" }, source.node, kind.node, since.node, until.node, refresh),
    refused, tokens.node, chosen,
  ];
  return {
    nodes,
    show(data) {
      unit.replaceChildren(...data.units.map((name) => el("option", { value: name }, name)));
      unit.value = data.unit;
      slider.max = data.highest;
      slider.step = Math.max(1, Math.floor(data.highest / 200));
      if (!pulled) slider.value = data.limit;
      slider.setAttribute("aria-valuetext", `${data.limit} ${data.unit}`);
      readout.textContent = data.limit >= data.highest ? `${data.limit} (all)` : data.limit;
      source.show(data.sources, data.sought.source);
      kind.show(data.types, data.sought.type);
      since.show(data.sought.since, data.refused);
      until.show(data.sought.until, data.refused);
      tokens.show(data);
      chosen.innerHTML = data.context; // the texts in it are escaped where it is made
    },
  };
});

export default front(build);
