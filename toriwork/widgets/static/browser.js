// The browser of a registry: filters, a page as a table, the chosen row with its picture and its metadata.

const build = (model) => asking(model, "browser", ({ ask, status, refused, image }) => {
  const changed = () => ask("filter", Object.fromEntries(Object.entries(fields).map(([name, one]) => [name, one.input?.value ?? one.value])));
  const fields = {
    band: choice("Band", () => changed()),
    since: textField("Since", "2026-01-31", () => changed()),
    until: textField("Until", "2026-01-31T12:00", () => changed()),
    ...Object.fromEntries([0, 1, 2].map((k) => [`b${k}`, textField(`b${k}`, "2, 1-3, 1-, unknown", () => changed())])),
  };
  const button = (name, title, what) => el("button", { type: "button", title, onclick: () => ask("go", what) }, name);
  const newer = button("◀ newer", "Go to the page before", -1);
  const older = button("older ▶", "Go to the next page", 1);
  const refresh = el("button", { type: "button", title: "Read the registry again", onclick: () => ask("refresh") }, "Refresh");
  const clear = el("button", { type: "button", title: "Show every row", onclick: () => ask("filter", {}) }, "Clear filters");
  const rows = table({ caption: "Rows", pick: (key) => ask("choose", key), sort: (order) => ask("sort", order), empty: "No row matches." });
  const facts = el("dl", { class: "facts" });
  const nodes = [
    el("div", { class: "controls", role: "group", "aria-label": "Filters" }, ...Object.values(fields).map((one) => one.node), clear),
    refused, rows.node, el("div", { class: "controls" }, newer, older, refresh), status,
    el("div", { class: "preview" }, image, facts),
  ];
  return {
    nodes,
    show(data) {
      fields.band.show(data.bands, data.fields.band);
      for (const [name, one] of Object.entries(fields)) {
        if (one.input) one.show(data.fields[name], data.refused);
      }
      newer.disabled = data.page === 0;
      older.disabled = data.page >= data.n_pages - 1;
      rows.show(data);
      facts.replaceChildren(...data.facts.flatMap(([name, text]) => [el("dt", {}, name), el("dd", {}, text)]));
    },
  };
});

export default front(build);
