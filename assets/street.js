/* The live drawing of a street: kraftflyt.street.mount(container, geometry, options) -> {update, select, ...}.
 *
 * geometry is StreetGeometry.to_json() of energy_sim/figures/street.py; nothing is laid out here. lines() and arrows()
 * are edge_lines and edge_polygons of that file (a browser test compares the coordinates). One canvas holds the street,
 * one above it the moving particles. Powers in W, positive flows from the house; coordinates are those of the geometry.
 * options: {label, compact: a second geometry for containers narrower than compactBelow (520 px), maxHeight() px,
 *   houses: [[id, pv_kwp, ...], ...], full_scale_w, onSelect(index), onHover(index or null), tip(kind, index) -> lines};
 *   a line is a text, or [text, value]; kind: 'house', 'edge' (of a house), 'trunk', 'grid' or 'bus'.
 * update({net, states, trunks, grid_w, shared_w}): net W of each house or null, states 0 idle, 1 export, 2 import,
 *   trunks W of each feeder or null (then summed from net), grid_w W of all (positive: to the grid). */
(function () {
  'use strict';
  const kf = window.kraftflyt = window.kraftflyt || {};
  const { element, formatNumber } = kf.network;
  const MINUS = '\u2212', NBSP = '\u00a0';
  const IDLE = 0, EXPORT = 1, IMPORT = 2, GLYPHS = ['●', '▲', '▼'];
  const HOUSE_GAP = 3, HUB_GAP = 4, EASE_MS = 350, EASE_MAX = 1000;
  const FONT = "Inter, 'DejaVu Sans', sans-serif";
  const TOKENS = ['bg', 'panel', 'ink', 'muted', 'grid', 'pill', 'node', 'node-line', 'export', 'import', 'idle', 'flow', 'accent'];

  // --- formulas shared with Python ---------------------------------------------------------------------------------
  /** Centre lines, 4 numbers each: houses, trunks, grid; from the house's side to the bus, the grid's from the bus. */
  function lines(g) {
    const feeders = g.trunks.length / 2, out = new Float64Array(4 * (g.count + feeders + 1)), [bx, by, br] = g.hub;
    for (let i = 0; i < g.count; i++) {
      const x = g.houses[2 * i], y = g.houses[2 * i + 1];
      let jx = bx, jy = by, start = g.r + HOUSE_GAP, end = br + HUB_GAP;
      if (g.per) {
        const f = Math.floor(i / g.per), rho = g.rho[i % g.per];
        jx = bx + (g.trunks[2 * f] - bx) * rho; jy = by + (g.trunks[2 * f + 1] - by) * rho; start = g.r + 0.5; end = 1;
      }
      const l = Math.hypot(jx - x, jy - y), ux = (jx - x) / l, uy = (jy - y) / l;
      start = Math.min(start, 0.5 * l); end = Math.min(end, l / 2);
      out.set([x + ux * start, y + uy * start, jx - ux * end, jy - uy * end], 4 * i);
    }
    for (let f = 0; f < feeders; f++) {
      const x = g.trunks[2 * f], y = g.trunks[2 * f + 1], l = Math.hypot(x - bx, y - by), r = br + HUB_GAP;
      out.set([x, y, bx + (x - bx) / l * r, by + (y - by) / l * r], 4 * (g.count + f));
    }
    const [x, y, w, h] = g.grid;
    out.set(g.compact ? [bx, by - br - HUB_GAP, x, y + h / 2 + HUB_GAP] : [bx - br - HUB_GAP, by, x + w / 2 + HUB_GAP, y], 4 * (g.count + feeders));
    return out;
  }

  /** Power of the widest line of a house, a trunk, the grid. */
  const fullScales = (g, w) => [w, w * Math.max(1, g.sumShare * g.per), w * Math.max(1, g.sumShare * g.count)];
  const stateOf = (g, w) => w >= g.idle ? EXPORT : w <= -g.idle ? IMPORT : IDLE;

  /** The arrow of width |s| px along line e, forward for s > 0: 7 points into out. */
  function arrow(g, L, e, s, out) {
    const o = 4 * e, forward = s >= 0 ? 0 : 2, ax = L[o + forward], ay = L[o + forward + 1], bx = L[o + 2 - forward], by = L[o + 3 - forward];
    const l = Math.hypot(bx - ax, by - ay), ux = (bx - ax) / Math.max(l, 1e-9), uy = (by - ay) / Math.max(l, 1e-9), nx = uy, ny = -ux;
    const half = Math.abs(s) / 2, cap = s ? Math.min(4 * g.head + 2.2 * half, 0.6 * l) : 0, wide = s ? 2 * g.head + 1.6 * half : 0;
    const kx = bx - ux * cap, ky = by - uy * cap;
    out[0] = ax + nx * half; out[1] = ay + ny * half; out[2] = kx + nx * half; out[3] = ky + ny * half;
    out[4] = kx + nx * wide; out[5] = ky + ny * wide; out[6] = bx; out[7] = by;
    out[8] = kx - nx * wide; out[9] = ky - ny * wide; out[10] = kx - nx * half; out[11] = ky - ny * half;
    out[12] = ax - nx * half; out[13] = ay - ny * half;
    return out;
  }

  // --- numbers for people ------------------------------------------------------------------------------------------
  const fixed = (value, decimals) => formatNumber(Math.abs(value), decimals);
  /** kW with one decimal, without from 100 kW; MW with two from 1,000 kW. No sign. */
  function formatPower(w) {
    const kw = Math.abs(w) / 1000;
    if (kw >= 999.5) return fixed(kw / 1000, 2) + NBSP + 'MW';
    return fixed(kw, kw >= 99.95 ? 0 : 1) + NBSP + 'kW';
  }
  /** '▲ +3.2', '▼ −1.4', '● 0.0': kW beside a house. */
  function formatNet(w, state) {
    const kw = Math.abs(w) / 1000, text = fixed(kw, kw >= 99.95 ? 0 : 1);
    return GLYPHS[state] + NBSP + (state === IDLE || !/[1-9]/.test(text) ? '' : w > 0 ? '+' : MINUS) + text;
  }

  const house = (c, x, y, r) => { // a house's front with eaves
    c.moveTo(x, y - r); c.lineTo(x + r, y - 0.16 * r); c.lineTo(x + 0.78 * r, y - 0.16 * r); c.lineTo(x + 0.78 * r, y + 0.86 * r);
    c.lineTo(x - 0.78 * r, y + 0.86 * r); c.lineTo(x - 0.78 * r, y - 0.16 * r); c.lineTo(x - r, y - 0.16 * r); c.closePath();
  };
  const glyph = (c, x, y, r, state) => {
    if (state === IDLE) { c.moveTo(x + 0.75 * r, y); c.arc(x, y, 0.75 * r, 0, 7); return; }
    const s = state === EXPORT ? 1 : -1;
    c.moveTo(x, y - s * r); c.lineTo(x + r, y + s * 0.72 * r); c.lineTo(x - r, y + s * 0.72 * r); c.closePath();
  };
  /** A pen for many shapes of one colour: one path of thousands costs more than many of a hundred. */
  function batch(c, finish) {
    let n = 0;
    return { next: () => { if (n++ % 100 === 0) { if (n > 1) finish(); c.beginPath(); } }, end: () => { if (n) finish(); } };
  }
  const rounded = (c, x, y, w, h, r) => { c.beginPath(); c.roundRect(x, y, w, h, r); };

  // --- the public handle -------------------------------------------------------------------------------------------
  function mount(container, geometry, options) {
    const opt = Object.assign({ label: 'Street', compact: null, compactBelow: 520, houses: null, full_scale_w: 11000,
      maxHeight: () => Math.max(420, window.innerHeight - 176), onSelect: null, onHover: null, tip: null }, options);
    const S = kf.stage(container, {
      name: 'street', label: opt.label + '. Arrow keys go from house to house, Enter selects, Escape leaves.',
      canvases: ['houses', 'moving'], tokens: TOKENS, geometry, compact: opt.compact, compactBelow: opt.compactBelow, maxHeight: opt.maxHeight,
      use: setGeometry, resized, redraw, settle: rest, catchUp: redraw, moves, frame: drawFrame,
      track, leave, click: onClick, key: onKey, focus: onFocus, blur: onBlur,
    });
    const { root, stage, canvases: [canvas], tip: tipBox, legend, calm, colors, visible, run, point } = S, [pen, dots] = S.canvases.map(c => c.getContext('2d'));
    let g, L, E, shownLabels = [], scale = 1, last = {};
    let state, power, target, shown, from, phase, easeStart = 0;
    let selected = null, focused = null, hovered = null, tipped = null, pointer = null, tipWaits = 0;
    const poly = new Float64Array(14), timing = { draw: 0, draws: 0, particles: 0, frames: 0, update: 0 };
    const feeders = () => g.trunks.length / 2;
    const kindOf = e => e < g.count ? 0 : e < E - 1 ? 1 : 2;

    function setGeometry(next) {
      g = next; L = lines(g); E = g.count + feeders() + 1;
      state = new Uint8Array(E); power = new Float64Array(E);
      target = new Float64Array(E); shown = new Float64Array(E); from = new Float64Array(E);
      phase = Float64Array.from({ length: E }, (_, e) => 7.3 * e % 26);
      hideTip();
      drawLegend();
      compute();
      shown.set(target);
    }

    // --- powers ---
    function compute() {
      const { net, states, trunks } = last, full = fullScales(g, opt.full_scale_w), summed = new Float64Array(feeders());
      let total = 0, surplus = 0, deficit = 0;
      for (let i = 0; i < g.count; i++) {
        const w = net && i < net.length ? net[i] : 0;
        power[i] = w; total += w;
        if (w > 0) surplus += w; else deficit -= w;
        if (g.per) summed[Math.floor(i / g.per)] += w;
        state[i] = net ? stateOf(g, w) : states && i < states.length ? states[i] : IDLE;
      }
      if (!net && trunks) total = trunks.reduce((a, b) => a + b, 0);
      for (let f = 0; f < summed.length; f++) power[g.count + f] = trunks ? trunks[f] || 0 : summed[f];
      power[E - 1] = last.grid_w === undefined || last.grid_w === null ? total : last.grid_w;
      for (let e = g.count; e < E; e++) state[e] = stateOf(g, power[e]);
      for (let e = 0; e < E; e++) {
        const k = kindOf(e), [least, wide] = g.widths[k];
        const share = k === 0 && (g.count > g.statesAbove || !net) ? 0 : Math.min(Math.abs(power[e]) / full[k], 1);
        target[e] = state[e] === IDLE ? 0 : Math.max(least, wide * share) * (state[e] === EXPORT ? 1 : -1);
      }
      last.shared = last.shared_w !== undefined && last.shared_w !== null ? last.shared_w : net ? Math.min(surplus, deficit) : null;
    }

    function update(tick) {
      const begun = performance.now(), first = !last.known;
      last = Object.assign({ known: true }, tick);
      compute();
      if (first || g.count > EASE_MAX || calm.matches || !visible()) { shown.set(target); easeStart = 0; } else { from.set(shown); easeStart = performance.now(); }
      if (!easeStart) redraw();
      redrawTip();
      run();
      timing.update = performance.now() - begun;
    }

    function ease(now) {
      const f = Math.min((now - easeStart) / EASE_MS, 1), smooth = 1 - (1 - f) ** 3;
      for (let e = 0; e < E; e++) shown[e] = from[e] + (target[e] - from[e]) * smooth; // a turn passes through zero
      if (f === 1) { shown.set(target); easeStart = 0; }
    }

    // --- the street ---
    function redraw() {
      if (S.missed()) return;
      const begun = performance.now();
      S.wipe(pen);
      pen.lineJoin = 'round'; pen.lineCap = 'round';
      drawHubGround();
      if (g.per) { drawArrows(g.count, E - 1, 0.9); drawArrows(0, g.count, 1); } else drawArrows(0, g.count, 1);
      drawArrows(E - 1, E, 1);
      drawHouses();
      drawRings();
      drawHub();
      drawGrid();
      drawNumbers();
      timing.draw = performance.now() - begun; timing.draws++;
    }

    const tone = s => s === EXPORT ? colors.export : s === IMPORT ? colors.import : colors.idle;
    function tracePolygon(c, p) {
      c.moveTo(p[0], p[1]);
      for (let i = 2; i < 14; i += 2) c.lineTo(p[i], p[i + 1]);
      c.closePath();
    }
    function drawArrows(first, end, alpha) {
      const soft = !g.per || first === E - 1, stub = g.per && first === 0, plain = stub && g.count > g.statesAbove; // too small for heads
      pen.globalAlpha = alpha;
      for (const s of [IDLE, EXPORT, IMPORT]) {
        pen.fillStyle = pen.strokeStyle = tone(s);
        pen.lineWidth = stub ? Math.min(1, 0.5 * g.r) : 1.6;
        if (s === IDLE && !stub) pen.setLineDash([0.1, 6]);
        const many = batch(pen, () => { if (s === IDLE || plain) pen.stroke(); else pen.fill(); });
        for (let e = first; e < end; e++) {
          const way = Math.abs(shown[e]) < 0.3 ? IDLE : shown[e] > 0 ? EXPORT : IMPORT, o = 4 * e;
          if (way !== s) continue;
          const line = s === IDLE || plain;
          if (!line) arrow(g, L, e, shown[e], poly);
          if (!line && soft) { softArrow(s === EXPORT ? o : o + 2, s === EXPORT ? o + 2 : o, tone(s)); continue; }
          many.next();
          if (line) { pen.moveTo(L[o], L[o + 1]); pen.lineTo(L[o + 2], L[o + 3]); } else tracePolygon(pen, poly);
        }
        many.end();
        pen.setLineDash([]);
      }
      pen.globalAlpha = 1;
    }
    function softArrow(tail, tip, color) { // fainter at its tail, so that the eye goes with it
      const fade = pen.createLinearGradient(L[tail], L[tail + 1], L[tip], L[tip + 1]);
      fade.addColorStop(0, color + 'b8'); fade.addColorStop(0.75, color);
      pen.beginPath(); tracePolygon(pen, poly);
      pen.fillStyle = fade; pen.fill();
    }

    function drawHouses() {
      const r = g.r, tiny = r < 6;
      for (const s of [IDLE, EXPORT, IMPORT]) {
        pen.fillStyle = pen.strokeStyle = tone(s);
        pen.lineWidth = Math.min(2, 0.12 * r);
        const many = batch(pen, () => { pen.fill(); if (!tiny) pen.stroke(); });
        for (let i = 0; i < g.count; i++) {
          if (state[i] !== s) continue;
          many.next();
          if (r < 2) pen.rect(g.houses[2 * i] - r, g.houses[2 * i + 1] - r, 2 * r, 2 * r);
          else if (tiny) glyph(pen, g.houses[2 * i], g.houses[2 * i + 1], r, s); else house(pen, g.houses[2 * i], g.houses[2 * i + 1], r);
        }
        many.end();
      }
      if (r < 11) {
        if (r >= 5) { // the state by its sign too, where no number stands in the house
          pen.fillStyle = colors.bg;
          pen.beginPath();
          for (let i = 0; i < g.count; i++) glyph(pen, g.houses[2 * i], g.houses[2 * i + 1] + 0.3 * r, 0.42 * r, state[i]);
          pen.fill();
        }
        return;
      }
      pen.textAlign = 'center'; pen.textBaseline = 'middle';
      for (let i = 0; i < g.count; i++) {
        const x = g.houses[2 * i], y = g.houses[2 * i + 1];
        if (opt.houses && opt.houses[i] && opt.houses[i][1] > 0) { // panels on the roof
          pen.strokeStyle = colors['node-line']; pen.lineWidth = 0.16 * r; pen.lineCap = 'butt'; pen.beginPath();
          pen.moveTo(x + 0.22 * r, y - 1.06 * r); pen.lineTo(x + 0.62 * r, y - 0.724 * r); pen.moveTo(x + 0.68 * r, y - 0.674 * r); pen.lineTo(x + 1.08 * r, y - 0.338 * r); pen.stroke();
        }
        font(Math.max(9, (i >= 99 ? 0.6 : 0.72) * r), 700);
        pen.fillStyle = colors.bg;
        pen.fillText(i + 1, x, y + 0.36 * r);
      }
    }

    function drawRings() {
      if (hovered !== null && hovered !== selected) ring(hovered, 4, colors.ink, 1.5, []);
      if (selected !== null) { ring(selected, 5, colors.ink, 2.5, []); ring(selected, 9, colors.ink, 1.2, []); } // double: told by shape
      if (focused !== null) ring(focused, selected === focused ? 13 : 5, colors.accent, 2.5, [5, 3.5]);
    }
    function ring(i, gap, color, width, dash) {
      const [x, y] = at(i);
      pen.beginPath(); pen.arc(x, y, Math.max(g.r, 3) + gap, 0, 7);
      pen.setLineDash(dash); pen.lineCap = 'butt'; pen.strokeStyle = color; pen.lineWidth = width; pen.stroke();
      pen.setLineDash([]); pen.lineCap = 'round';
    }
    const at = i => [g.houses[2 * i], g.houses[2 * i + 1]];
    function font(px, weight) { pen.font = `${weight} ${px}px ${FONT}`; }

    function drawHubGround() {
      const [x, y, r] = g.hub, glow = pen.createRadialGradient(x, y, 0.8 * r, x, y, 1.75 * r);
      glow.addColorStop(0, colors['node-line'] + '38'); glow.addColorStop(1, colors['node-line'] + '00');
      pen.fillStyle = glow; pen.beginPath(); pen.arc(x, y, 1.75 * r, 0, 7); pen.fill();
    }
    function drawHub() {
      const [x, y, r] = g.hub, u = r / 60, shared = last.shared;
      pen.beginPath(); pen.arc(x, y, r, 0, 7); pen.fillStyle = colors.node; pen.fill();
      pen.lineWidth = 2; pen.strokeStyle = colors['node-line']; pen.stroke();
      const count = fixed(g.count, 0) + (g.count === 1 ? ' house' : ' houses'), more = shared !== null && shared !== undefined;
      const rows = [['Bus', 15, 700, colors.ink], [count, 12, 500, colors.muted]], step = Math.max(16 * u, 12.8 / scale);
      if (more) rows.push(['shares', 11, 500, colors.muted], [formatPower(shared), 13, 650, colors.ink]);
      rows.forEach(([string, px, weight, color], i) => text(string, x, y + (i - (rows.length - 1) / 2) * step, px * u, weight, color));
    }
    function drawGrid() {
      const [x, y, w, h] = g.grid, s = state[E - 1], color = last.known ? tone(s) : colors['node-line'];
      rounded(pen, x - w / 2, y - h / 2, w, h, 12);
      pen.fillStyle = colors.node; pen.fill(); pen.lineWidth = 2; pen.strokeStyle = color; pen.stroke();
      const word = s === EXPORT ? 'to grid' : s === IMPORT ? 'from grid' : 'balanced';
      if (g.compact) {
        pylon(x - w / 2 + 28, y, 17); text('Grid', x - w / 2 + 62, y, 14, 700, colors.ink);
        if (last.known) { text(formatPower(power[E - 1]), x + 46, y - 9, 14, 650, colors.ink); text(GLYPHS[s] + ' ' + word, x + 46, y + 10, 11, 600, color); }
        return;
      }
      pylon(x - 22, y - 27, 15); text('Grid', x + 14, y - 26, 15, 700, colors.ink);
      if (last.known) { text(formatPower(power[E - 1]), x, y + 7, 18, 650, colors.ink); text(GLYPHS[s] + ' ' + word, x, y + 32, 12, 600, color); }
    }
    function pylon(x, y, s) {
      pen.strokeStyle = colors['node-line']; pen.lineWidth = 1.5; pen.beginPath();
      for (const d of [-1, 1]) {
        pen.moveTo(x + d * 0.55 * s, y + s); pen.lineTo(x + d * 0.16 * s, y - 0.2 * s); pen.lineTo(x, y - s);
        pen.moveTo(x + d * 0.4 * s, y + 0.5 * s); pen.lineTo(x - d * 0.16 * s, y - 0.2 * s);
      }
      pen.moveTo(x - 0.6 * s, y - 0.5 * s); pen.lineTo(x + 0.6 * s, y - 0.5 * s);
      pen.moveTo(x - 0.75 * s, y - 0.12 * s); pen.lineTo(x + 0.75 * s, y - 0.12 * s);
      pen.stroke();
    }
    function text(string, x, y, px, weight, color, align) {
      font(Math.max(px, 10.5 / scale), weight); pen.textAlign = align || 'center'; pen.textBaseline = 'middle'; pen.fillStyle = color;
      pen.fillText(string, x, y);
    }

    /** Which numbers are shown, once per size: letters are never under 11 px, and what then collides stays away. */
    function placeLabels() {
      const px = Math.max(g.font, 11 / scale), grow = px / g.font, taken = [];
      shownLabels = g.labels.map(slot => {
        if (!slot) return null;
        const [x, y, align] = slot, w = g.labelBox[0] * grow, h = g.labelBox[1] * grow;
        const cx = x - align * (w - g.labelBox[0]) / 2, box = [cx - w / 2, y - h / 2, cx + w / 2, y + h / 2];
        const clash = box[0] < 0 || box[1] < 0 || box[2] > g.width || box[3] > g.height || taken.some(o => box[0] < o[2] && o[0] < box[2] && box[1] < o[3] && o[1] < box[3]);
        if (clash) return null;
        taken.push(box);
        return { x: align < 0 ? box[0] : align > 0 ? box[2] : cx, y, align, box, px };
      });
    }
    function drawNumbers() {
      if (!last.known || (!last.net && !g.per)) return;
      shownLabels.forEach((slot, i) => {
        const e = g.per ? g.count + i : i;
        if (!slot) return;
        const exact = formatNet(power[e], state[e]), string = last.net ? exact : exact.replace(/\.\d+$/, ''), align = slot.align < 0 ? 'left' : slot.align > 0 ? 'right' : 'center';
        if (e === selected || e === focused || e === hovered) { // rings stay off the letters
          font(slot.px, 600); pen.textAlign = align; pen.textBaseline = 'middle'; pen.strokeStyle = colors.panel; pen.lineWidth = 5;
          pen.strokeText(string, slot.x, slot.y);
        }
        text(string, slot.x, slot.y, slot.px, 600, tone(state[e]), align);
      });
    }

    function drawLegend() {
      const full = fullScales(g, opt.full_scale_w), rows = [['export', 'Export ▲'], ['import', 'Import ▼'], ['idle', 'Idle ●']];
      legend.replaceChildren();
      for (const [cls, words] of rows) {
        const row = element('span', 'kf-street-key', legend);
        element('i', 'kf-street-sample kf-street-' + cls, row).setAttribute('aria-hidden', 'true');
        row.append(words);
      }
      const sizes = [g.count > g.statesAbove ? '' : 'house ' + formatPower(full[0]), g.per ? 'feeder ' + formatPower(full[1]) : '', 'grid ' + formatPower(full[2])];
      const note = element('span', 'kf-street-widest', legend);
      note.append('numbers in kW,', Object.assign(document.createElement('br')), 'widest =');
      for (const size of sizes) if (size) note.append(' ', Object.assign(document.createElement('b'), { textContent: size }));
    }

    // --- particles ---
    function drawParticles(dt) {
      const begun = performance.now();
      S.wipe(dots);
      dots.fillStyle = colors.flow;
      dots.beginPath();
      const full = fullScales(g, opt.full_scale_w), gap = 26;
      for (let e = g.per ? g.count : 0; e < E; e++) {
        const s = shown[e], width = Math.abs(s);
        if (width < 0.8) continue;
        const o = 4 * e, a = s > 0 ? o : o + 2, b = s > 0 ? o + 2 : o, dx = L[b] - L[a], dy = L[b + 1] - L[a + 1], l = Math.hypot(dx, dy);
        phase[e] = (phase[e] + (16 + 84 * Math.sqrt(Math.min(Math.abs(power[e]) / full[kindOf(e)], 1))) * dt) % gap;
        const r = Math.min(Math.max(0.26 * width, 0.6), 3.2), end = l - Math.min(4 * g.head + 1.1 * width, 0.6 * l);
        for (let d = phase[e]; d < end; d += gap) {
          const x = L[a] + dx * d / l, y = L[a + 1] + dy * d / l;
          dots.moveTo(x + r, y); dots.arc(x, y, r, 0, 6.2832);
        }
      }
      dots.globalAlpha = 0.9;
      dots.fill();
      timing.particles = performance.now() - begun; timing.frames++;
    }

    function moves() { return last.known && (easeStart || !calm.matches); }
    function drawFrame(dt) {
      if (easeStart) { ease(performance.now()); redraw(); }
      if (!calm.matches) drawParticles(dt);
    }
    function rest() { shown.set(target); easeStart = 0; S.wipe(dots); }

    // --- what is where ---
    function nodeAt(x, y) {
      const [hx, hy, hr] = g.hub, [gx, gy, gw, gh] = g.grid;
      if (Math.hypot(x - hx, y - hy) <= hr) return { kind: 'bus', index: 0 };
      if (Math.abs(x - gx) <= gw / 2 && Math.abs(y - gy) <= gh / 2) return { kind: 'grid', index: 0 };
      let best = -1, least = Math.max(g.r + 4, Math.min(9 / scale, 2.5 * g.r + 2)) ** 2;
      for (let i = 0; i < g.count; i++) {
        const dx = g.houses[2 * i] - x, dy = g.houses[2 * i + 1] - y, d = dx * dx + dy * dy;
        if (d < least) { least = d; best = i; }
      }
      return best < 0 ? null : { kind: 'house', index: best };
    }
    function edgeAt(x, y) {
      let best = -1, least = Infinity;
      for (let e = g.count > g.statesAbove ? g.count : 0; e < E; e++) {
        const o = 4 * e, dx = L[o + 2] - L[o], dy = L[o + 3] - L[o + 1];
        const f = Math.min(Math.max(((x - L[o]) * dx + (y - L[o + 1]) * dy) / (dx * dx + dy * dy || 1), 0), 1);
        const d = Math.hypot(x - L[o] - f * dx, y - L[o + 1] - f * dy) - Math.max(Math.abs(target[e]) / 2, e < g.count && g.per ? 2 : 6);
        if (d < 1 && d < least) { least = d; best = e; }
      }
      if (best < 0) return null;
      return best < g.count ? { kind: 'edge', index: best } : best < E - 1 ? { kind: 'trunk', index: best - g.count } : { kind: 'grid', index: 0 };
    }

    // --- tip ---
    const nameOf = i => 'House ' + (opt.houses && opt.houses[i] ? String(opt.houses[i][0]).replace(/^house[_ ]/i, '') : i + 1);
    function ownTip(kind, index) {
      const e = { house: index, edge: index, trunk: g.count + index, grid: E - 1 }[kind];
      if (kind === 'bus') return ['Bus', `${fixed(g.count, 0)} houses`];
      const words = [['idle', 'exports', 'imports'], ['balanced', 'to grid', 'from grid']][kind === 'grid' ? 1 : 0][state[e]];
      const known = kind !== 'house' && kind !== 'edge' || last.net;
      return [kind === 'grid' ? 'Grid' : kind === 'trunk' ? `Feeder ${index + 1}` : nameOf(index), GLYPHS[state[e]] + ' ' + words + (known ? ' ' + formatPower(power[e]) : '')];
    }
    const tipLines = (kind, index) => (opt.tip && opt.tip(kind, index)) || ownTip(kind, index);
    function showTip(kind, index) { tipped = { kind, index }; redrawTip(); }
    function redrawTip() {
      if (!tipped) return;
      S.fillTip(tipLines(tipped.kind, tipped.index));
      placeTip();
    }
    function placeTip() {
      tipWaits = 0;
      if (!tipped || tipBox.hidden) return;
      const { kind, index } = tipped, o = 4 * (kind === 'trunk' ? g.count + index : index);
      let x, y, r = 10;
      if (kind === 'house') { [x, y] = at(index); r = g.r + 10; } else if (kind === 'bus') { [x, y, r] = g.hub; } else if (pointer) { [x, y] = pointer; r = 12; } else if (kind === 'grid') { [x, y] = g.grid; r = g.grid[3] / 2 + 8; } else { x = (L[o] + L[o + 2]) / 2; y = (L[o + 1] + L[o + 3]) / 2; }
      if (kind === 'grid' && pointer && nodeAt(pointer[0], pointer[1])) { [x, y] = g.grid; r = g.grid[3] / 2 + 8; }
      x *= scale; y *= scale; r *= scale;
      const offset = canvas.getBoundingClientRect().left - stage.getBoundingClientRect().left, w = tipBox.offsetWidth, h = tipBox.offsetHeight, wide = stage.clientWidth, high = stage.clientHeight;
      let left = offset + x - w / 2, top = y - r - h - 4;
      if (top < 4) top = y + r + 4;
      if (top + h > high - 4) { top = Math.max(4, Math.min(y - h / 2, high - h - 4)); left = offset + (x + r + w + 8 < wide ? x + r + 6 : x - r - w - 6); }
      tipBox.style.transform = `translate(${Math.round(Math.min(Math.max(left, 4), Math.max(wide - w - 4, 4)))}px,${Math.round(top)}px)`;
    }
    function hideTip() { tipped = null; S.hideTip(); }

    // --- pointer and keys ---
    function setHovered(index) {
      if (index === hovered) return;
      hovered = index;
      redraw();
      if (opt.onHover) opt.onHover(index);
    }
    function track(event) {
      pointer = point(event);
      const found = nodeAt(pointer[0], pointer[1]) || edgeAt(pointer[0], pointer[1]);
      stage.classList.toggle('kf-stage-pick', Boolean(found && (found.kind === 'house' || found.kind === 'edge')));
      if (!found) hideTip();
      else if (!tipped || tipped.kind !== found.kind || tipped.index !== found.index) showTip(found.kind, found.index);
      else if (found.kind !== 'house' && !tipWaits) tipWaits = requestAnimationFrame(placeTip);
      setHovered(found && (found.kind === 'house' || found.kind === 'edge') ? found.index : null);
    }
    function leave() { pointer = null; stage.classList.remove('kf-stage-pick'); hideTip(); setHovered(null); }
    function onClick(event) {
      track(event);
      const found = nodeAt(pointer[0], pointer[1]) || edgeAt(pointer[0], pointer[1]);
      setFocused(null);
      if (found && (found.kind === 'house' || found.kind === 'edge')) choose(found.index);
    }
    function choose(index) { select(index); if (opt.onSelect) opt.onSelect(index); }
    function select(index) {
      selected = index === null || index === undefined || index < 0 || index >= g.count ? null : index;
      redraw();
    }
    function setFocused(index) {
      focused = index;
      if (index !== null) {
        pointer = null;
        showTip('house', index);
        S.tell(tipLines('house', index));
      }
      redraw();
    }
    function onKey(event) {
      const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, PageDown: g.per || 5, PageUp: -(g.per || 5) };
      const own = event.key in steps || ['Home', 'End', 'Enter', 'Escape'].includes(event.key);
      if (event.target !== stage || !own || event.ctrlKey || event.metaKey || event.altKey) return;
      event.stopPropagation();
      event.preventDefault();
      if (event.key === 'Escape') { setFocused(null); leave(); stage.blur(); return; }
      if (event.key === 'Enter') { if (focused !== null) choose(focused); return; }
      const start = focused === null ? selected : focused;
      const next = event.key === 'Home' ? 0 : event.key === 'End' ? g.count - 1 : start === null ? 0 : (start + steps[event.key] + g.count) % g.count;
      setFocused(next);
      setHovered(next);
    }
    function onFocus() { if (focused === null) setFocused(selected === null ? 0 : selected); }
    function onBlur() { if (focused !== null) { setFocused(null); hideTip(); setHovered(null); } }

    // --- size ---
    function resized(newScale) {
      scale = newScale;
      root.classList.toggle('kf-street-below', g.compact || scale < 0.7);
      placeLabels();
      redraw();
      placeTip();
    }

    S.begin();
    /** For tests: [status, 7 points] of every line as it will stand when it has come to rest. */
    const polygons = () => Array.from({ length: E }, (_, e) => {
      const p = arrow(g, L, e, target[e], poly);
      return [state[e], Array.from({ length: 7 }, (_, k) => [p[2 * k], p[2 * k + 1]])];
    });
    return { update, select, redrawTip, nodeAt, edgeAt, destroy: S.destroy, polygons, geometry: () => g, root, stage, timing,
      labelBoxes: () => shownLabels.map(s => s && s.box).filter(Boolean),
      labelTexts: () => shownLabels.map((s, i) => { if (!s) return null; const e = g.per ? g.count + i : i; font(s.px, 600); const t = formatNet(power[e], state[e]); return [t, pen.measureText(t).width, s.box[2] - s.box[0]]; }).filter(Boolean),
      toPage: S.toPage,
      state: () => ({ selected, focused, hovered, moving: S.moving(), easing: easeStart !== 0 }),
      drawParticles, redraw };
  }

  kf.street = { mount, formatPower, formatNet };
})();
