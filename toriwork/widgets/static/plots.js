// Colours and axes, and the three pictures of a diagram that do not move: points, bars, Betti curves.

const LIGHT = {
  ink: "#222222", muted: "#6b6b6b", faint: "#cfcfcf", ground: "#ffffff", shade: "#dedede", edge: "#a3a3a3",
  line: "#000000", grey: "#9a9a9a", area: "rgba(0,0,0,0.09)", mark: "#b00068",
  dimensions: ["#0072b2", "#d55e00", "#009e73", "#cc79a7"],
};
const DARK = {
  ink: "#e6e6e6", muted: "#a9a9a9", faint: "#484848", ground: "#111111", shade: "#343434", edge: "#6a6a6a",
  line: "#ffffff", grey: "#6f6f6f", area: "rgba(255,255,255,0.11)", mark: "#ff8ad1",
  dimensions: ["#56b4e9", "#f28e3c", "#35c79b", "#e3a2c6"],
};

const CROWD = 40;

// The colours of the theme around: text and ground are the host's own, and their contrast decides about the rest.
function coloursAt(node) {
  const style = getComputedStyle(node);
  const dark = isDark(node);
  return { ...(dark ? DARK : LIGHT), dark, ground: style.backgroundColor, font: style.fontFamily };
}

// A few round numbers between two.
function ticksBetween(low, high, most = 5) {
  if (!(high > low)) return [low];
  const rough = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= rough);
  const ticks = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) ticks.push(Number((k * step).toPrecision(12)));
  return ticks;
}

// A frame of axes on a canvas of w by h: x and y from data to pixels, and back.
function axesOf(w, h, [x0, x1], [y0, y1], { left = 48, bend = (v) => v } = {}) {
  const box = { left, right: w - 14, top: 10, bottom: h - 38 };
  const [b0, b1] = [bend(y0), bend(y1)];
  const across = (box.right - box.left) / (x1 - x0 || 1);
  const down = (box.bottom - box.top) / (b1 - b0 || 1);
  return {
    box,
    x: (v) => box.left + (v - x0) * across,
    y: (v) => box.bottom - (bend(v) - b0) * down,
    scaleAt: (px) => x0 + (px - box.left) / across,
  };
}

function drawAxes(ctx, axes, colours, { xTicks, yTicks, xName, yName }) {
  const { box } = axes;
  ctx.font = `11px ${colours.font ?? "sans-serif"}`;
  ctx.lineWidth = 1;
  ctx.strokeStyle = colours.muted;
  ctx.fillStyle = colours.ink;
  ctx.beginPath();
  ctx.moveTo(box.left, box.top);
  ctx.lineTo(box.left, box.bottom);
  ctx.lineTo(box.right, box.bottom);
  ctx.stroke();
  ctx.textAlign = "center";
  ctx.textBaseline = "top";
  for (const [value, name] of xTicks) ctx.fillText(name, axes.x(value), box.bottom + 6);
  ctx.fillText(xName, (box.left + box.right) / 2, box.bottom + 21);
  ctx.textAlign = "right";
  ctx.textBaseline = "middle";
  for (const [value, name] of yTicks) ctx.fillText(name, box.left - 6, axes.y(value));
  if (yName) {
    ctx.save();
    ctx.translate(10, (box.top + box.bottom) / 2);
    ctx.rotate(-Math.PI / 2);
    ctx.textAlign = "center";
    ctx.fillText(yName, 0, 0);
    ctx.restore();
  }
}

const named = (ticks) => ticks.map((tick) => [tick, short(tick)]);
const colourOf = (colours, k) => colours.dimensions[Math.min(k, 3)];

function drawMarker(ctx, k, x, y, size) {
  ctx.beginPath();
  if (k === 0) ctx.arc(x, y, size, 0, 7);
  else if (k === 1) ctx.rect(x - size, y - size, 2 * size, 2 * size);
  else if (k === 2) {
    ctx.moveTo(x, y - 1.2 * size);
    ctx.lineTo(x + 1.1 * size, y + 0.9 * size);
    ctx.lineTo(x - 1.1 * size, y + 0.9 * size);
    ctx.closePath();
  } else {
    ctx.moveTo(x, y - 1.3 * size);
    ctx.lineTo(x + 1.3 * size, y);
    ctx.lineTo(x, y + 1.3 * size);
    ctx.lineTo(x - 1.3 * size, y);
    ctx.closePath();
  }
}

// Names of dimensions with their markers, right-aligned in a corner.
function drawLegend(ctx, colours, bars, right, y, line = false) {
  ctx.textAlign = "right";
  ctx.textBaseline = "middle";
  for (const k of [...bars.dimensions].reverse()) {
    const name = line ? `H${k}` : `H${k} (${bars.count[k]})`;
    ctx.fillStyle = colours.ink;
    ctx.fillText(name, right, y);
    const x = right - ctx.measureText(name).width - 10;
    ctx.fillStyle = ctx.strokeStyle = colourOf(colours, k);
    if (line) strokeLine(ctx, x - 8, y, x + 6, y, 2, k);
    else {
      drawMarker(ctx, k, x, y, 3.5);
      ctx.fill();
    }
    y -= line ? 0 : 15;
    if (line) right = x - 20;
  }
}

const DASHES = [[], [5, 3], [6, 2, 1, 2], [1, 2]];

function strokeLine(ctx, x0, y0, x1, y1, width, k = 0) {
  ctx.lineWidth = width;
  ctx.setLineDash(DASHES[Math.min(k, 3)]);
  ctx.beginPath();
  ctx.moveTo(x0, y0);
  ctx.lineTo(x1, y1);
  ctx.stroke();
  ctx.setLineDash([]);
}

// The three pictures. Each: still(ctx, w, h, colours) draws what stays, moving(...) what follows the scale and the
// chosen bar, at(x, y) finds the bar under a place.
function diagramPicture(bars) {
  const infinity = bars.low + 1.12 * (bars.top - bars.low);
  const high = bars.low + 1.2 * (bars.top - bars.low);
  const low = bars.low - 0.05 * (bars.top - bars.low);
  let axes = null;
  const place = (i) => [axes.x(bars.birth[i]), axes.y(Math.min(bars.death[i], infinity))];
  return {
    title: "Diagram",
    still(ctx, w, h, colours) {
      axes = axesOf(w, h, [low, high], [low, high]);
      const ticks = ticksBetween(low, bars.top).filter((tick) => tick <= bars.top);
      drawAxes(ctx, axes, colours, {
        xTicks: named(ticks), yTicks: [...named(ticks), [infinity, "∞"]],
        xName: `birth (${bars.unit})`, yName: `death (${bars.unit})`,
      });
      ctx.strokeStyle = colours.muted;
      strokeLine(ctx, axes.x(low), axes.y(low), axes.x(high), axes.y(high), 1);
      strokeLine(ctx, axes.x(low), axes.y(infinity), axes.x(high), axes.y(infinity), 1, 1);
      for (let i = 0; i < bars.n; i++) {
        drawMarker(ctx, bars.k[i], ...place(i), 3.5);
        ctx.globalAlpha = 0.8;
        ctx.fillStyle = bars.censored[i] ? colours.ground : colourOf(colours, bars.k[i]);
        ctx.fill();
        ctx.globalAlpha = 1;
        if (!bars.censored[i] && bars.n > CROWD) continue; // rims would hide the neighbours
        ctx.lineWidth = bars.censored[i] ? 1.4 : 0.5;
        ctx.strokeStyle = bars.censored[i] ? colourOf(colours, bars.k[i]) : colours.ground;
        ctx.stroke();
      }
      drawLegend(ctx, colours, bars, axes.box.right - 4, axes.box.bottom - 12);
    },
    moving(ctx, colours, scale, chosen, hovered) {
      const [x, y] = [axes.x(scale), axes.y(scale)];
      ctx.fillStyle = colours.area;
      ctx.fillRect(axes.box.left, axes.box.top, Math.max(0, x - axes.box.left), Math.max(0, y - axes.box.top));
      ctx.strokeStyle = colours.line;
      strokeLine(ctx, axes.box.left, y, x, y, 1);
      strokeLine(ctx, x, axes.box.top, x, y, 1);
      for (const [i, width] of [[hovered, 1.5], [chosen, 2.5]]) {
        if (i < 0) continue;
        ctx.strokeStyle = width > 2 ? colours.mark : colours.ink;
        ctx.lineWidth = width;
        ctx.beginPath();
        ctx.arc(...place(i), 8, 0, 7);
        ctx.stroke();
      }
    },
    at: (x, y) => nearest(bars.n, 10, (i) => Math.hypot(...place(i).map((v, j) => v - [x, y][j])) - 0.1 * Math.min(9, bars.length(i))),
  };
}

function barcodePicture(bars) {
  const end = bars.low + 1.06 * (bars.top - bars.low);
  const rows = new Float64Array(bars.n); // where a bar stands
  const gap = Math.max(1, 0.04 * bars.n);
  let floor = 0;
  const groups = [];
  for (const k of bars.dimensions) {
    const inside = bars.indices.filter((i) => bars.k[i] === k);
    if (!inside.length) continue;
    inside.sort((i, j) => bars.birth[i] - bars.birth[j] || bars.death[j] - bars.death[i] || i - j);
    const step = Math.max(1, (0.1 * bars.n) / inside.length);
    inside.forEach((i, row) => (rows[i] = floor + step * row));
    groups.push([floor + (step * (inside.length - 1)) / 2, `H${k}`]);
    floor += step * (inside.length - 1) + 1 + gap;
  }
  const width = Math.min(3.5, Math.max(0.7, 150 / Math.max(bars.n, 1)));
  let axes = null;
  const line = (ctx, i, thick) =>
    strokeLine(ctx, axes.x(bars.birth[i]), axes.y(rows[i]), axes.x(Math.min(bars.death[i], end)), axes.y(rows[i]), thick);
  return {
    title: "Barcode",
    still(ctx, w, h, colours) {
      axes = axesOf(w, h, [Math.min(bars.low, 0), 1.03 * end], [-gap, Math.max(floor, 1)], { left: 40 });
      drawAxes(ctx, axes, colours, {
        xTicks: named(ticksBetween(Math.min(bars.low, 0), end)), yTicks: groups, xName: `scale (${bars.unit})`, yName: "",
      });
      for (let i = 0; i < bars.n; i++) {
        ctx.strokeStyle = colourOf(colours, bars.k[i]);
        line(ctx, i, width);
        if (Number.isFinite(bars.death[i])) continue;
        const [x, y] = [axes.x(end), axes.y(rows[i])];
        ctx.beginPath();
        ctx.moveTo(x, y - 4);
        ctx.lineTo(x + 7, y);
        ctx.lineTo(x, y + 4);
        ctx.closePath();
        ctx.fillStyle = bars.censored[i] ? colours.ground : colourOf(colours, bars.k[i]);
        ctx.fill();
        ctx.lineWidth = 1;
        ctx.stroke();
      }
    },
    moving(ctx, colours, scale, chosen, hovered) {
      for (const i of [hovered, chosen]) {
        if (i < 0) continue;
        ctx.strokeStyle = i === chosen ? colours.mark : colours.ink;
        line(ctx, i, Math.max(4, width + 2));
      }
      ctx.strokeStyle = colours.line;
      strokeLine(ctx, axes.x(scale), axes.box.top, axes.x(scale), axes.box.bottom, 1);
    },
    at(x, y) {
      const within = (i) => x >= axes.x(bars.birth[i]) - 4 && x <= axes.x(Math.min(bars.death[i], end)) + 8;
      return nearest(bars.n, 8, (i) => (within(i) ? Math.abs(axes.y(rows[i]) - y) : Infinity));
    },
  };
}

function curvesPicture(bars) {
  const end = Math.min(bars.low + 1.06 * (bars.top - bars.low), bars.threshold);
  const start = Math.min(bars.low, 0);
  const bend = (v) => (v <= 2 ? v : 2 + Math.log10(v / 2)); // linear up to 2: one loop beside a hundred components
  const curves = bars.dimensions.map((k) => {
    const scales = new Set([start, end]);
    for (const i of bars.indices) {
      if (bars.k[i] !== k) continue;
      for (const scale of [bars.birth[i], bars.death[i]]) if (scale <= end) scales.add(scale);
    }
    const sorted = [...scales].sort((a, b) => a - b);
    return { k, scales: sorted, numbers: sorted.map((scale) => bars.betti(scale)[k]) };
  });
  const most = Math.max(1, ...curves.flatMap((curve) => curve.numbers));
  let axes = null;
  return {
    title: "Betti numbers",
    still(ctx, w, h, colours) {
      const top = 2 * 10 ** Math.max(0.15, 1.2 * Math.log10(Math.max(most, 2) / 2) + 0.1);
      axes = axesOf(w, h, [start, end], [-0.15, top], { bend, left: 48 });
      const ticks = [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000].filter((tick) => tick <= most);
      drawAxes(ctx, axes, colours, {
        xTicks: named(ticksBetween(start, end)), yTicks: ticks.map((tick) => [tick, String(tick)]),
        xName: `scale (${bars.unit})`, yName: "Betti number",
      });
      for (const { k, scales, numbers } of curves) {
        ctx.strokeStyle = colourOf(colours, k);
        ctx.lineWidth = 1.8;
        ctx.setLineDash(DASHES[Math.min(k, 3)]);
        ctx.beginPath();
        scales.forEach((scale, j) => {
          if (j) ctx.lineTo(axes.x(scale), axes.y(numbers[j - 1]));
          ctx.lineTo(axes.x(scale), axes.y(numbers[j]));
        });
        ctx.stroke();
        ctx.setLineDash([]);
      }
      drawLegend(ctx, colours, bars, axes.box.right - 4, axes.box.top + 4, true);
    },
    moving(ctx, colours, scale) {
      const x = axes.x(Math.min(scale, end));
      ctx.strokeStyle = colours.line;
      strokeLine(ctx, x, axes.box.top + 14, x, axes.box.bottom, 1);
      bars.betti(scale).forEach((number, k) => {
        drawMarker(ctx, k, x, axes.y(number), 4);
        ctx.fillStyle = colourOf(colours, k);
        ctx.fill();
      });
    },
    at: () => -1,
    scaleAt: (x) => Math.min(end, Math.max(start, axes.scaleAt(x))),
  };
}

function nearest(n, most, distance) {
  let found = -1;
  for (let i = 0; i < n; i++) {
    const here = distance(i);
    if (here < most) [found, most] = [i, here];
  }
  return found;
}
