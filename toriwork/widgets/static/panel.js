// The panel of the monitors: their states in words, their curves, and whether it follows them.

const build = (model) => asking(model, "panel", ({ ask, status, refused, image }) => {
  const refresh = el("button", { type: "button", title: "Read the monitors again", onclick: () => ask("refresh") }, "Refresh");
  const follow = el("input", { type: "checkbox", title: "Read them again every two seconds", onchange: () => ask("follow", follow.checked) });
  const states = table({ caption: "State of the monitors" });
  return {
    nodes: [el("div", { class: "controls" }, refresh, labelled("Follow", follow)), refused, states.node, image, status],
    show(data) {
      follow.checked = data.following;
      states.show(data);
    },
  };
});

export default front(build);
