// The cloud with its growing complex: pan and zoom, turning in space, a lasso, a class that is highlighted.

const CIVIDIS = [[0, 32, 76], [53, 69, 108], [102, 105, 112], [149, 143, 120], [203, 186, 105], [255, 234, 70]];

function depthColour(share) {
  const place = Math.min(0.9999, Math.max(0, share)) * (CIVIDIS.length - 1);
  const [from, to] = [CIVIDIS[Math.floor(place)], CIVIDIS[Math.floor(place) + 1]];
  return `rgb(${from.map((v, i) => Math.round(v + (to[i] - v) * (place % 1))).join(",")})`;
}

const DEPTHS = Array.from({ length: 32 }, (_, i) => depthColour(i / 31));

// The area that triangles cover, in one colour, filled line by line: a path takes twenty times as long.
function areaOf(triangles) {
  let [canvas, image, pixels, key] = [null, null, null, ""];
  return {
    lay(w, h) {
      if (canvas?.width === w && canvas.height === h) return;
      canvas = new OffscreenCanvas(w, h);
      image = new ImageData(w, h);
      pixels = new Uint32Array(image.data.buffer);
      key = "";
    },
    moved: () => (key = ""),
    filled(sx, sy, n, colour) {
      if (key === `${n} ${colour}`) return canvas;
      key = `${n} ${colour}`;
      const { width: w, height: h } = canvas;
      const [r, g, b] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
      const ink = ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
      pixels.fill(0);
      for (let i = 0; i < 3 * n; i += 3) fillTriangle(triangles[i], triangles[i + 1], triangles[i + 2], sx, sy, w, h, ink);
      canvas.getContext("2d").putImageData(image, 0, 0);
      return canvas;
    },
  };

  function fillTriangle(i, j, k, sx, sy, w, h, ink) {
    if (sy[j] < sy[i]) [i, j] = [j, i];
    if (sy[k] < sy[i]) [i, k] = [k, i];
    if (sy[k] < sy[j]) [j, k] = [k, j];
    const [top, bottom] = [Math.max(0, Math.ceil(sy[i] - 0.5)), Math.min(h - 1, Math.floor(sy[k] - 0.5))];
    for (let y = top; y <= bottom; y++) {
      const at = y + 0.5;
      const [from, to] = at < sy[j] ? [i, j] : [j, k];
      const long = sx[i] + ((sx[k] - sx[i]) * (at - sy[i])) / (sy[k] - sy[i] || 1);
      const side = sx[from] + ((sx[to] - sx[from]) * (at - sy[from])) / (sy[to] - sy[from] || 1);
      const [left, right] = [Math.max(0, Math.round(Math.min(long, side))), Math.min(w, Math.round(Math.max(long, side)))];
      if (left < right) pixels.fill(ink, y * w + left, y * w + right);
    }
  }
}

// places: Float64Array of x, y, z of every point, z zero for all in the plane.
function cloudPicture({ places, n, space, names, edges, triangles }) {
  const middle = [0, 1, 2].map((axis) => {
    let [low, high] = [Infinity, -Infinity];
    for (let i = axis; i < places.length; i += 3) [low, high] = [Math.min(low, places[i]), Math.max(high, places[i])];
    return n ? { at: (low + high) / 2, wide: high - low } : { at: 0, wide: 1 };
  });
  const radius = space ? Math.hypot(...middle.map((axis) => axis.wide)) / 2 || 1 : 0;
  const spread = middle.map((axis) => (space ? 1.5 * radius : axis.wide) || 1);
  const [sx, sy, sz] = [new Float64Array(n), new Float64Array(n), new Float64Array(n)];
  const view = { zoom: 1, panX: 0, panY: 0, turn: [1, 0, 0, 0, 1, 0, 0, 0, 1] };
  const area = areaOf(triangles);
  let [box, unit] = [null, 1];
  let order = null; // from the back to the front
  let laid = "";

  function lay(w, h) {
    area.lay(w, h);
    const now = JSON.stringify([w, h, view]);
    if (now === laid) return;
    laid = now;
    area.moved();
    box = space ? { left: 8, right: w - 8, top: 8, bottom: h - 8 } : axesOf(w, h, [0, 1], [0, 1]).box;
    unit = 0.92 * view.zoom * Math.min((box.right - box.left) / spread[0], (box.bottom - box.top) / spread[1]);
    if (!space && !(middle[1].wide > 0)) unit = (0.92 * view.zoom * (box.right - box.left)) / spread[0];
    const [cx, cy] = [(box.left + box.right) / 2 + view.panX, (box.top + box.bottom) / 2 + view.panY];
    const t = view.turn;
    for (let i = 0; i < n; i++) {
      const [x, y, z] = [places[3 * i] - middle[0].at, places[3 * i + 1] - middle[1].at, places[3 * i + 2] - middle[2].at];
      sx[i] = cx + unit * (t[0] * x + t[1] * y + t[2] * z);
      sy[i] = cy - unit * (t[3] * x + t[4] * y + t[5] * z);
      sz[i] = t[6] * x + t[7] * y + t[8] * z;
    }
    order = space ? Uint32Array.from(sz.keys()).sort((a, b) => sz[a] - sz[b]) : null;
  }

  const moveTo = (ctx, i) => ctx.moveTo(sx[i], sy[i]);
  const lineTo = (ctx, i) => ctx.lineTo(sx[i], sy[i]);

  function drawComplex(ctx, colours, nEdges, nTriangles, faint) {
    if (nTriangles) ctx.drawImage(area.filled(sx, sy, nTriangles, colours.shade), 0, 0);
    ctx.strokeStyle = faint ? colours.faint : colours.edge;
    ctx.lineWidth = 0.6;
    ctx.beginPath();
    for (let i = 0; i < nEdges; i++) {
      moveTo(ctx, edges[2 * i]);
      lineTo(ctx, edges[2 * i + 1]);
    }
    ctx.stroke();
  }

  function drawPoints(ctx, colours, grey) {
    const crowd = n > 600; // squares are drawn several times as fast
    const size = crowd ? 1.6 : 2.8;
    const [back, front] = order ? [sz[order[0]], sz[order[n - 1]]] : [0, 1];
    const darkest = colours.dark ? 11 : 0; // dark blue is not seen on black
    ctx.fillStyle = grey ? colours.grey : colours.dimensions[0];
    for (let j = 0; j < n; j++) {
      const i = order ? order[j] : j;
      if (space && !grey) ctx.fillStyle = DEPTHS[darkest + Math.round(((31 - darkest) * (sz[i] - back)) / (front - back || 1))];
      if (crowd) ctx.fillRect(sx[i] - size, sy[i] - size, 2 * size, 2 * size);
      else {
        ctx.beginPath();
        ctx.arc(sx[i], sy[i], size, 0, 7);
        ctx.fill();
      }
    }
  }

  function drawClass(ctx, colours, shown) {
    const colour = colourOf(colours, shown.dimension);
    if (shown.death?.length === 3) {
      ctx.beginPath();
      moveTo(ctx, shown.death[0]);
      for (const corner of shown.death.slice(1)) lineTo(ctx, corner);
      ctx.closePath();
      ctx.globalAlpha = 0.3;
      ctx.fillStyle = colour;
      ctx.fill();
      ctx.globalAlpha = 1;
    }
    ctx.globalAlpha = 0.15;
    ctx.fillStyle = colour;
    for (const [first, second, third] of shown.triangles ?? []) {
      ctx.beginPath();
      moveTo(ctx, first);
      lineTo(ctx, second);
      lineTo(ctx, third);
      ctx.fill();
    }
    ctx.globalAlpha = 1;
    ctx.strokeStyle = colours.ink;
    ctx.setLineDash([3, 3]);
    ctx.lineWidth = 1.5;
    ctx.beginPath();
    if (shown.death) {
      moveTo(ctx, shown.death[shown.death.length - 1]);
      for (const corner of shown.death) lineTo(ctx, corner);
      for (const place of [0, 1]) {
        if (shown.death.length < 4) break;
        moveTo(ctx, shown.death[place]); // the edges of a tetrahedron that are left
        lineTo(ctx, shown.death[place + 2]);
      }
    }
    ctx.stroke();
    ctx.setLineDash([]);
    ctx.strokeStyle = ctx.fillStyle = colour;
    ctx.lineWidth = 2;
    ctx.beginPath();
    shown.cycle.forEach((point, j) => (j ? lineTo : moveTo)(ctx, point));
    ctx.stroke();
    if (shown.birth.length === 2) {
      ctx.strokeStyle = colours.mark;
      ctx.lineWidth = 4.5;
      ctx.beginPath();
      moveTo(ctx, shown.birth[0]);
      lineTo(ctx, shown.birth[1]);
      ctx.stroke();
    }
    for (const point of shown.points) {
      ctx.beginPath();
      ctx.arc(sx[point], sy[point], 3.8, 0, 7);
      ctx.fill();
    }
  }

  return {
    title: "Cloud",
    view,
    // what: {nEdges, nTriangles, shown (a class) or null, selection, hovered, lasso}
    draw(ctx, w, h, colours, what) {
      lay(w, h);
      ctx.save();
      ctx.beginPath();
      ctx.rect(box.left, box.top - 4, box.right - box.left + 6, box.bottom - box.top + 4);
      ctx.clip();
      drawComplex(ctx, colours, what.nEdges, what.nTriangles, what.shown !== null);
      drawPoints(ctx, colours, what.shown !== null);
      if (what.shown) drawClass(ctx, colours, what.shown);
      ctx.strokeStyle = colours.mark;
      ctx.lineWidth = 1.6;
      for (const i of what.hovered < 0 ? what.selection : [...what.selection, what.hovered]) {
        ctx.beginPath();
        ctx.arc(sx[i], sy[i], i === what.hovered ? 7 : 4.6, 0, 7);
        ctx.stroke();
      }
      if (what.lasso.length) {
        ctx.strokeStyle = colours.ink;
        ctx.lineWidth = 1;
        ctx.setLineDash([4, 3]);
        ctx.beginPath();
        what.lasso.forEach(([x, y], j) => (j ? ctx.lineTo(x, y) : ctx.moveTo(x, y)));
        ctx.stroke();
        ctx.setLineDash([]);
      }
      ctx.restore();
      if (!space) this.drawRulers(ctx, w, h, colours);
      else {
        ctx.font = `11px ${colours.font ?? "sans-serif"}`;
        ctx.fillStyle = colours.muted;
        ctx.textAlign = "left";
        ctx.textBaseline = "top";
        ctx.fillText(`seen along its ${names[2]}`.replace(/component 3 \((.*)\)/, "third direction ($1)"), 8, 6);
      }
    },
    drawRulers(ctx, w, h, colours) {
      const back = (px, centre, pan, axis, sign) => middle[axis].at + (sign * (px - centre - pan)) / unit;
      const [cx, cy] = [(box.left + box.right) / 2, (box.top + box.bottom) / 2];
      const [x0, x1] = [box.left, box.right].map((px) => back(px, cx, view.panX, 0, 1));
      const [y0, y1] = [box.bottom, box.top].map((px) => back(px, cy, view.panY, 1, -1));
      drawAxes(ctx, axesOf(w, h, [x0, x1], [y0, y1]), colours, {
        xTicks: named(ticksBetween(x0, x1)), yTicks: names[1] ? named(ticksBetween(y0, y1, 4)) : [],
        xName: names[0], yName: names[1],
      });
    },
    at: (x, y) => nearest(n, 9, (i) => Math.hypot(sx[i] - x, sy[i] - y)),
    zoomBy(factor, x = (box.left + box.right) / 2, y = (box.top + box.bottom) / 2) {
      const next = Math.min(60, Math.max(0.2, view.zoom * factor));
      const [fx, fy] = [x - (box.left + box.right) / 2, y - (box.top + box.bottom) / 2];
      view.panX = fx - ((fx - view.panX) * next) / view.zoom;
      view.panY = fy - ((fy - view.panY) * next) / view.zoom;
      view.zoom = next;
    },
    panBy(dx, dy) {
      view.panX += dx;
      view.panY += dy;
    },
    turnBy(dx, dy) {
      const [a, b] = [dx / 120, dy / 120];
      const around = (m) => {
        const t = view.turn;
        const next = [];
        for (let r = 0; r < 3; r++) for (let c = 0; c < 3; c++) next.push(m[3 * r] * t[c] + m[3 * r + 1] * t[3 + c] + m[3 * r + 2] * t[6 + c]);
        view.turn = next;
      };
      around([Math.cos(a), 0, Math.sin(a), 0, 1, 0, -Math.sin(a), 0, Math.cos(a)]);
      around([1, 0, 0, 0, Math.cos(b), -Math.sin(b), 0, Math.sin(b), Math.cos(b)]);
    },
    reset() {
      Object.assign(view, { zoom: 1, panX: 0, panY: 0, turn: [1, 0, 0, 0, 1, 0, 0, 0, 1] });
    },
    // Indices of the points inside a polygon of places on the canvas, ascending.
    inside(polygon) {
      const found = [];
      for (let i = 0; i < n; i++) {
        let odd = false;
        polygon.forEach(([x1, y1], j) => {
          const [x0, y0] = polygon[(j || polygon.length) - 1];
          if (y1 > sy[i] !== y0 > sy[i] && sx[i] < x1 + ((x0 - x1) * (sy[i] - y1)) / (y0 - y1)) odd = !odd;
        });
        if (odd) found.push(i);
      }
      return found;
    },
  };
}
