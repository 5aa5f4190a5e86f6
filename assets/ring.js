/* The ring of a community: kraftflyt.ring.mount(place, geometry, options) -> {update, select, destroy, ...}.
 *
 * geometry is RingGeometry.to_json() of energy_sim/figures/ring.py; nothing is laid out here. tradePath, gridPath,
 * wanted arrows and the places of amounts are the formulas of that file (a browser test compares the coordinates);
 * arrows are ribbon() of network.js. Three canvases: arrows, moving particles, homes with all letters.
 * options: {label, compactGeometry: for places narrower than compactBelow (520 px), maxHeight() px, onSelect(index),
 *   onHidden(count of amounts without room)}.
 * update({homes: [[soc %|null, wallet, saved EUR, production, consumption, buy, sell, p2pBuy, p2pSell, charge,
 *   discharge, curtailed, unserved kWh], ...], trades: [[seller, buyer, kWh], ...], full: kWh of the widest arrow,
 *   barFull: kWh of the longest bar, else the largest seen, grid: [bought, sold, traded kWh] where the homes' rows do
 *   not say it exactly, coarse: true where saved is only a sign}); what a row does not know is null. */
(function () {
  'use strict';
  const kf = window.kraftflyt = window.kraftflyt || {};
  const { element } = kf.network;
  const NBSP = '\u00a0', GAP = 4, POINTS = 20, LEAST = 0.005, ALONG = [0.5, 0.4, 0.6, 0.3, 0.7, 0.22, 0.78];
  const KINDS = ['trade', 'buy', 'sell'], TONES = { trade: 'two-hop', buy: 'import', sell: 'export' };
  const STATUS = ['doing well', 'normal', 'struggling'], SIGNS = ['▲', '●', '▼'], SIGN_TONES = ['export', 'muted', 'import'];
  const EASE_MS = 350, PATHS_MAX = 6000, DOT_GAP = 26;
  const [SOC, WALLET, SAVED, MADE, USED, BUY, SELL, P2P_BUY, P2P_SELL, CHARGE, DISCHARGE, CURTAILED, UNSERVED] = Array(13).keys();
  const FONT = "Inter, 'DejaVu Sans', sans-serif";
  const TOKENS = ['bg', 'panel', 'ink', 'muted', 'grid', 'pill', 'node', 'node-line', 'export', 'import', 'two-hop', 'idle', 'flow', 'wind', 'hydro', 'unmet', 'accent'];

  // --- formulas shared with Python ---------------------------------------------------------------------------------
  function bezier(ax, ay, cx, cy, bx, by, t) {
    const u = 1 - t;
    return [u * u * ax + 2 * u * t * cx + t * t * bx, u * u * ay + 2 * u * t * cy + t * t * by];
  }
  /** The parameter below 0.45 at which the curve leaves the disc of radius r around its start. */
  function leave(ax, ay, cx, cy, bx, by, r) {
    let low = 0, high = 0.45;
    for (let k = 0; k < 24; k++) {
      const middle = (low + high) / 2, [x, y] = bezier(ax, ay, cx, cy, bx, by, middle);
      if (Math.hypot(x - ax, y - ay) < r) low = middle; else high = middle;
    }
    return high;
  }
  /** Centre line of a trade: bent square to its chord towards the grid, or around it, from rim to rim. */
  function tradePath(g, seller, buyer) {
    const [ax, ay] = g.homes[seller], [bx, by] = g.homes[buyer], [hx, hy, hr] = g.hub, mx = (ax + bx) / 2, my = (ay + by) / 2;
    const chord = Math.hypot(bx - ax, by - ay) || 1, least = hr + 10 + 7 * ((seller + buyer) % 3);
    let nx = -(by - ay) / chord, ny = (bx - ax) / chord, d = (mx - hx) * nx + (my - hy) * ny;
    if (d < -1e-6) { nx = -nx; ny = -ny; d = -d; }
    let out = -Math.min(0.32 * d, 0.45 * chord + 12), cx, cy;
    for (let turn = 0; turn < 8; turn++) {
      cx = mx + 2 * out * nx; cy = my + 2 * out * ny;
      let near = Infinity;
      for (let k = 1; k < 16; k++) { const [x, y] = bezier(ax, ay, cx, cy, bx, by, k / 16); near = Math.min(near, Math.hypot(x - hx, y - hy)); }
      if (near >= least - 0.5) break;
      out += 1.1 * (least - near);
    }
    const start = leave(ax, ay, cx, cy, bx, by, g.r + GAP), end = 1 - leave(bx, by, cx, cy, ax, ay, g.r + GAP);
    return Array.from({ length: POINTS }, (_, k) => bezier(ax, ay, cx, cy, bx, by, start + (end - start) * k / (POINTS - 1)));
  }
  function gridPath(g, home, kind, shift) {
    const [x, y] = g.homes[home], [hx, hy, hr] = g.hub, far = Math.hypot(x - hx, y - hy) || 1, ux = (x - hx) / far, uy = (y - hy) / far;
    const inner = hr + GAP, outer = far - g.r - GAP, sign = kind === 'buy' ? 1 : -1, ox = hx - uy * shift * sign, oy = hy + ux * shift * sign;
    const ends = [[ox + ux * inner, oy + uy * inner], [ox + ux * outer, oy + uy * outer]];
    return kind === 'buy' ? ends : ends.reverse();
  }
  const overlap = (a, b) => a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];
  const touches = (box, x, y, r) => Math.hypot(Math.max(box[0] - x, x - box[2], 0), Math.max(box[1] - y, y - box[3], 0)) < r;
  function pointAlong(path, share) {
    const at = share * (path.length - 1), i = Math.min(Math.floor(at), path.length - 2), f = at - i;
    return [path[i][0] + f * (path[i + 1][0] - path[i][0]), path[i][1] + f * (path[i + 1][1] - path[i][1])];
  }
  const statusOf = h => h[UNSERVED] >= LEAST || h[SAVED] <= -LEAST ? 2 : h[SAVED] >= LEAST && h[BUY] < LEAST ? 0 : 1;
  const signOf = eur => eur >= LEAST ? 0 : eur <= -LEAST ? 2 : 1;

  // --- numbers for people ------------------------------------------------------------------------------------------
  function formatAmount(kwh) {
    const large = Math.abs(kwh) >= 999.5, value = large ? kwh / 1000 : kwh, size = Math.abs(value);
    return kf.network.formatNumber(value, size < 9.995 ? 2 : size < 99.95 ? 1 : 0) + NBSP + (large ? 'MWh' : 'kWh');
  }
  const money = eur => kf.network.formatNumber(eur, Math.abs(eur) < 99.995 ? 2 : 0);
  const formatMoney = (eur, signed) => signed ? SIGNS[signOf(eur)] + NBSP + (signOf(eur) === 0 ? '+' : '') + money(eur) : money(eur);

  // --- the public handle -------------------------------------------------------------------------------------------
  function mount(place, geometry, options) {
    const opt = Object.assign({ label: 'Ring of homes', compactGeometry: null, compactBelow: 520, maxHeight: () => Math.max(420, window.innerHeight - 176), onSelect: null, onHidden: null }, options);
    const S = kf.stage(place, {
      name: 'ring', label: opt.label + '. Left and right go from home to home and to the grid, up and down through the arrows there, Enter selects, Escape leaves.',
      canvases: ['arrows', 'moving', 'homes'], tokens: TOKENS, geometry, compact: opt.compactGeometry, compactBelow: opt.compactBelow, maxHeight: opt.maxHeight,
      use: setGeometry, resized, redraw, settle: rest, catchUp: () => { if (!easeStart) settle(); redraw(); }, moves, frame: drawFrame,
      track, leave: away, click: onClick, key: onKey, focus: onFocus, blur: onBlur,
    });
    const { root, stage, canvases, tip: tipBox, legend, calm, colors, visible, run, point } = S, [low, dots, top] = canvases.map(c => c.getContext('2d'));
    const note = element('div', 'kf-ring-note', null);
    legend.before(note);
    let g, shapes, scale = 1, last = null, barFull = 0, hiddenAmounts = 0, undrawn = 0;
    let arrows = new Map(), order = [], paths = new Map(), easeStart = 0, easeMs = EASE_MS, lastUpdate = 0;
    let selected = null, focused = null, hovered = null, tipped = null, pointer = null;
    const timing = { update: 0, draw: 0, draws: 0, frames: 0, particles: 0 };
    const count = () => g.homes.length;

    function setGeometry(next) {
      g = next;
      shapes = { house: new Path2D(g.glyphs.house), marks: g.glyphs.marks.map(m => new Path2D(m)), pylon: new Path2D(g.glyphs.pylon) };
      arrows = new Map(); order = []; paths = new Map(); easeStart = 0;
      hideTip();
      drawLegend();
      if (last) { compute(); settle(); }
    }

    // --- arrows of a state ---
    function pathOf(kind, start, end, shift) {
      const key = (KINDS.indexOf(kind) * 2 + (shift ? 1 : 0)) * 4e6 + (start + 1) * 2000 + end + 1;
      let found = paths.get(key);
      if (found) return found;
      const points = kind === 'trade' ? tradePath(g, start, end) : gridPath(g, kind === 'buy' ? end : start, kind, shift), along = [0];
      for (let i = 1; i < points.length; i++) along.push(along[i - 1] + Math.hypot(points[i][0] - points[i - 1][0], points[i][1] - points[i - 1][1]));
      if (paths.size > PATHS_MAX) paths.clear();
      paths.set(key, found = { key, points, along, length: along[along.length - 1] });
      return found;
    }
    const widthOf = (kwh, most) => g.widths[0] + (most - g.widths[0]) * Math.min(kwh / (last.full || 1), 1);
    function wanted() {
      const all = last.trades.filter(t => t[2] >= LEAST).sort((a, b) => b[2] - a[2]), seen = all.slice(0, g.drawnMax), out = [];
      undrawn = all.length - seen.length;
      for (const [s, b, kwh] of seen) if (s !== b && g.homes[s] && g.homes[b]) out.push({ kind: 'trade', start: s, end: b, kwh, target: widthOf(kwh, g.widths[1]), path: pathOf('trade', s, b, 0) });
      if (g.dots) return out;
      last.homes.forEach((h, i) => {
        if (!g.homes[i]) return;
        const shift = Math.min(h[BUY], h[SELL]) >= LEAST ? 0.5 * g.widths[2] : 0;
        if (h[BUY] >= LEAST) out.push({ kind: 'buy', start: -1, end: i, kwh: h[BUY], target: widthOf(h[BUY], g.widths[2]), path: pathOf('buy', -1, i, shift) });
        if (h[SELL] >= LEAST) out.push({ kind: 'sell', start: i, end: -1, kwh: h[SELL], target: widthOf(h[SELL], g.widths[2]), path: pathOf('sell', i, -1, shift) });
      });
      return out;
    }
    function compute() {
      const next = new Map();
      for (const a of wanted()) {
        const old = arrows.get(a.path.key), twin = next.get(a.path.key);
        if (twin) { twin.kwh += a.kwh; twin.target = Math.max(twin.target, a.target); continue; }
        a.shown = a.from = old ? old.shown : 0; a.phase = old ? old.phase : 7.3 * a.path.key % DOT_GAP; a.spot = old ? old.spot : null;
        next.set(a.path.key, a);
      }
      order = [...next.values()];
      for (const [key, a] of arrows) if (!next.has(key) && a.shown > 0) { a.target = 0; a.from = a.shown; a.box = null; next.set(key, a); }
      arrows = next;
      for (const h of last.homes) barFull = Math.max(barFull, h[MADE], h[USED]);
      placeAmounts();
    }
    function settle() { for (const [key, a] of arrows) if (a.target) a.shown = a.target; else arrows.delete(key); easeStart = 0; }
    function rest() { settle(); S.wipe(dots); }
    const wantsAmount = a => !g.dots && (a.kind === 'trade' || count() <= g.gridAmountsMax);
    /** Boxes for amounts, the place of the step before first: a number that can stay does not jump. */
    function placeAmounts() {
      const [w, h] = g.block, taken = g.slots.filter(Boolean).map(([x, y]) => [x - w / 2, y - h / 2, x + w / 2, y + h / 2]);
      const discs = g.homes.map(([x, y]) => [x, y, g.r + 2]);
      discs.push([g.hub[0], g.hub[1], g.hub[2] + 2]);
      hiddenAmounts = undrawn && g.dots ? 0 : undrawn;
      for (const a of order) {
        a.box = null;
        if (!wantsAmount(a)) continue;
        a.text = formatAmount(a.kwh);
        const px = Math.max(g.font, 10 / scale), hw = (0.6 * px * a.text.length + 8) / 2, hh = (px + 5) / 2;
        for (const share of a.spot === null ? ALONG : [a.spot, ...ALONG]) {
          const [x, y] = pointAlong(a.path.points, share), box = [x - hw, y - hh, x + hw, y + hh];
          if (taken.some(o => overlap(box, o)) || discs.some(d => touches(box, d[0], d[1], d[2]))) continue;
          a.box = box; a.spot = share; taken.push(box);
          break;
        }
        if (!a.box) { hiddenAmounts++; a.spot = null; }
      }
      const parts = [];
      if (hiddenAmounts) parts.push(`${hiddenAmounts} amount${hiddenAmounts > 1 ? 's' : ''} hidden`);
      if (undrawn) parts.push(`${undrawn} smallest trade${undrawn > 1 ? 's' : ''} not drawn`);
      const words = parts.length ? parts.join(', ') + ': see the table' : '';
      if (note.textContent !== words) note.textContent = words;
      if (opt.onHidden) opt.onHidden(hiddenAmounts);
    }

    function update(state) {
      const begun = performance.now(), first = !last;
      const nextMs = first ? EASE_MS : Math.min(EASE_MS, Math.max(0.7 * (begun - lastUpdate), 60)); // at 10 states a second each arrives in time
      if (easeStart) ease(begun); // where the arrows are by now, drawn or not
      last = state; lastUpdate = begun; easeMs = nextMs;
      barFull = state.barFull || barFull;
      compute();
      if (first || calm.matches || !visible()) { settle(); redrawLow(); } else easeStart = performance.now();
      redrawTop();
      redrawTip();
      run();
      timing.update = performance.now() - begun;
    }
    function ease(now) {
      const f = Math.min((now - easeStart) / easeMs, 1), smooth = 1 - (1 - f) ** 3;
      for (const a of arrows.values()) a.shown = a.from + (a.target - a.from) * smooth;
      if (f === 1) settle();
    }

    // --- drawing ---
    const lit = () => focused !== null && focused.home !== undefined ? focused.home : hovered !== null ? hovered : selected;
    const litArrow = a => { const one = focused && focused.arrow !== undefined ? focused.arrow : tipped && tipped.kind === 'arrow' ? tipped.index : null; if (one !== null && arrows.has(one)) return a.path.key === one; const home = lit(); return home === null || a.start === home || a.end === home; };
    function redrawLow() {
      if (S.missed()) return;
      const begun = performance.now();
      S.wipe(low);
      low.lineJoin = 'round'; low.lineWidth = 1.2; low.strokeStyle = colors.panel;
      for (const a of [...arrows.values()].sort((p, q) => q.shown - p.shown)) {
        if (a.shown < 0.15) continue;
        const share = Math.sqrt(Math.min(a.kwh / (last.full || 1), 1)), polygon = kf.network.ribbon(a.path.points, a.shown);
        low.globalAlpha = (litArrow(a) ? 0.5 + 0.5 * share : 0.13) * Math.min(1, a.shown / g.widths[0]); // the small ones fade
        low.fillStyle = colors[TONES[a.kind]];
        low.beginPath();
        low.moveTo(polygon[0][0], polygon[0][1]);
        for (let i = 1; i < polygon.length; i++) low.lineTo(polygon[i][0], polygon[i][1]);
        low.closePath();
        if (a.shown > 2) low.stroke();
        low.fill();
      }
      low.globalAlpha = 1;
      timing.draw = performance.now() - begun; timing.draws++;
    }
    function redrawTop() {
      if (S.missed()) return;
      S.wipe(top);
      top.lineJoin = top.lineCap = 'round';
      drawHub();
      if (g.dots) g.homes.forEach((_, i) => drawDot(i)); else g.homes.forEach((_, i) => drawHome(i));
      if (!g.dots) drawAmounts();
      drawRings();
    }
    function redraw() { redrawLow(); redrawTop(); }
    function font(px, weight) { top.font = `${weight} ${Math.max(px, 9.5 / scale)}px ${FONT}`; }
    function text(string, x, y, px, weight, color, align, halo) {
      font(px, weight); top.textAlign = align || 'center'; top.textBaseline = 'middle';
      if (halo) { top.strokeStyle = halo; top.lineWidth = 3; top.strokeText(string, x, y); }
      top.fillStyle = color;
      top.fillText(string, x, y);
    }
    function inked(shape, x, y, s, how) { top.save(); top.translate(x, y); top.scale(s, s); how(shape, s); top.restore(); }
    const gridSums = () => last.grid || [BUY, SELL, P2P_BUY].map(field => last.homes.reduce((total, h) => total + h[field], 0));
    function drawHub() {
      const [x, y, r] = g.hub, u = r / 58;
      top.beginPath(); top.arc(x, y, r, 0, 7); top.fillStyle = colors.node; top.fill(); top.lineWidth = 2; top.strokeStyle = colors['node-line']; top.stroke();
      inked(shapes.pylon, x, y - 32 * u, 15 * u, (shape, s) => { top.lineWidth = 1.6 / s; top.strokeStyle = colors['node-line']; top.stroke(shape); });
      text('Grid', x, y - 6 * u, 13 * u, 700, colors.ink);
      if (!last) return;
      const [bought, sold] = gridSums();
      text('▼ ' + formatAmount(bought), x, y + 12 * u, 12 * u, 600, colors.import);
      text('▲ ' + formatAmount(sold), x, y + 29 * u, 12 * u, 600, colors.export);
    }
    const tone = status => status === 0 ? colors.export : status === 1 ? colors.idle : colors.unmet;
    function drawHouse(x, y, s, status) { // shape and colour: full with a tick, hollow, full with an exclamation mark
      inked(shapes.house, x, y, s, shape => {
        if (status === 1) { top.lineWidth = 0.26; top.strokeStyle = tone(1); top.stroke(shape); } else { top.fillStyle = tone(status); top.fill(shape); }
        top.lineWidth = 0.26; top.strokeStyle = status === 1 ? tone(1) : colors.node; top.stroke(shapes.marks[status]);
      });
    }
    function drawHome(i) {
      const [x, y] = g.homes[i], r = g.r, h = last && last.homes[i], wide = Math.max(2.4, 0.13 * r), inner = r - wide;
      top.beginPath(); top.arc(x, y, r, 0, 7); top.fillStyle = colors.node; top.fill();
      const battery = h && h[SOC] !== null;
      top.beginPath(); top.arc(x, y, r - wide / 2, 0, 7); top.lineWidth = battery ? wide : 1; top.strokeStyle = battery ? colors.grid : colors.idle; top.stroke();
      if (battery && h[SOC] > 0.1) {
        top.beginPath(); top.arc(x, y, r - wide / 2, -Math.PI / 2, -Math.PI / 2 + 2 * Math.PI * Math.min(h[SOC], 100) / 100);
        top.lineCap = 'butt'; top.strokeStyle = h[SOC] < 15 ? colors.import : colors.hydro; top.stroke(); top.lineCap = 'round';
      }
      const status = h ? statusOf(h) : 1, name = g.names[i], px = Math.min(Math.max(0.46 * r, 9.5), 15, 1.75 * inner / (0.6 * name.length)), roomy = r >= 21, pct = battery && r >= 16 ? Math.round(h[SOC]) + NBSP + '%' : '';
      text(name, x, y + (roomy ? 0.06 * r : pct ? -0.2 * r : 0), px, 700, colors.ink);
      if (pct) text(pct, x, y + (roomy ? 0.5 : 0.4) * r, Math.min(Math.max(0.36 * r, 9), 12), 500, colors.muted);
      if (!h) return;
      if (roomy) drawHouse(x, y - 0.47 * r, 0.23 * r, status);
      else {
        const s = Math.max(4.5, 0.3 * r), bx = x - 0.72 * r, by = y - 0.72 * r;
        top.beginPath(); top.arc(bx, by, 1.45 * s, 0, 7); top.fillStyle = colors.node; top.fill();
        drawHouse(bx, by, s, status);
      }
      if (g.slots[i]) drawBlock(g.slots[i], h);
    }
    function drawBlock([cx, cy, side], h) {
      const [w, high] = g.block, px = g.font, line = 1.16 * px, left = cx - w / 2, y = cy - high / 2, align = side < 0 ? 'left' : side > 0 ? 'right' : 'center';
      const x = side < 0 ? left : side > 0 ? left + w : cx, known = h[WALLET] !== null, sum = known ? formatMoney(h[WALLET]) : '', sign = signOf(h[SAVED]);
      const wallet = sum + (known && w >= 60 ? NBSP + 'EUR' : ''), saved = formatMoney(h[SAVED], true);
      font(px, 650);
      const ground = Math.max(top.measureText(wallet).width, top.measureText(saved).width) + 4;
      top.globalAlpha = 0.7; top.fillStyle = colors.panel; // arrows stay off the letters
      top.fillRect(side < 0 ? x - 2 : side > 0 ? x + 2 - ground : x - ground / 2, y, ground, 2 * line); top.globalAlpha = 1;
      text(wallet, x, y + line / 2, px, 650, colors.ink, align, colors.panel);
      text(saved, x, y + 1.5 * line, px, 600, colors[SIGN_TONES[sign]], align, colors.panel);
      const room = (high - 2 * line - 2) / 2, thick = Math.min(room - 0.5, 4), long = 0.92 * w;
      [[MADE, 'wind'], [USED, 'hydro']].forEach(([field, color], k) => {
        const length = Math.max(h[field] >= LEAST ? 1 : 0, long * Math.min(h[field] / (barFull || 1), 1)), by = y + 2 * line + 2 + k * (thick + 1);
        const bx = side < 0 ? left : side > 0 ? left + w - length : cx - length / 2;
        top.fillStyle = colors[color]; top.fillRect(bx, by, length, thick);
      });
    }
    /** Many homes: triangle up to the grid, down from the grid, diamond in trade, disc idle; larger with energy. */
    function drawDot(i) {
      const [x, y] = g.homes[i], h = last && last.homes[i], trade = h ? h[P2P_BUY] + h[P2P_SELL] : 0, most = h ? Math.max(h[BUY], h[SELL], trade) : 0;
      const way = most < LEAST ? 'idle' : most === trade ? 'trade' : most === h[SELL] ? 'sell' : 'buy', r = g.r * (0.5 + 0.5 * Math.sqrt(Math.min(most / ((last && last.full) || 1), 1)));
      top.beginPath();
      if (way === 'idle') top.arc(x, y, 0.8 * r, 0, 7);
      else if (way === 'trade') { top.moveTo(x, y - r); top.lineTo(x + r, y); top.lineTo(x, y + r); top.lineTo(x - r, y); top.closePath(); } else {
        const s = way === 'sell' ? 1 : -1;
        top.moveTo(x, y - s * r); top.lineTo(x + r, y + 0.72 * s * r); top.lineTo(x - r, y + 0.72 * s * r); top.closePath();
      }
      top.fillStyle = colors[TONES[way] || 'idle']; top.fill();
      if (h && statusOf(h) === 2) { top.lineWidth = 1.2; top.strokeStyle = colors.ink; top.stroke(); }
    }
    function drawAmounts() {
      const px = Math.max(g.font, 10 / scale);
      for (const a of order) {
        if (!a.box || !litArrow(a)) continue;
        const [left, up, right, down] = a.box;
        top.beginPath(); top.roundRect(left, up, right - left, down - up, 4); top.fillStyle = colors.pill; top.fill();
        top.lineWidth = 1; top.strokeStyle = colors[TONES[a.kind]]; top.stroke();
        text(a.text, (left + right) / 2, (up + down) / 2 + 0.5, px, 600, colors.ink);
      }
    }
    function drawRings() {
      if (hovered !== null && hovered !== selected) ring(hovered, 2.5, colors.ink, 1.5, []);
      if (selected !== null) { ring(selected, 2.5, colors.ink, 2.5, []); ring(selected, 6.5, colors.ink, 1.2, []); } // double: told by shape
      if (focused && focused.home !== undefined) ring(focused.home, selected === focused.home ? 10 : 3.5, colors.accent, 2.5, [5, 3.5]);
      if (focused && focused.grid) { top.beginPath(); top.arc(g.hub[0], g.hub[1], g.hub[2] + 4, 0, 7); top.setLineDash([5, 3.5]); top.strokeStyle = colors.accent; top.lineWidth = 2.5; top.stroke(); top.setLineDash([]); }
    }
    function ring(i, gap, color, width, dash) {
      top.beginPath(); top.arc(g.homes[i][0], g.homes[i][1], Math.max(g.r, 3) + gap, 0, 7);
      top.setLineDash(dash); top.strokeStyle = color; top.lineWidth = width; top.stroke(); top.setLineDash([]);
    }

    function drawLegend() {
      legend.replaceChildren();
      const key = (cls, words) => { const row = element('span', 'kf-ring-key', legend); element('i', 'kf-ring-sample kf-ring-' + cls, row).setAttribute('aria-hidden', 'true'); row.append(words); };
      key('buy', '▼ bought from the grid'); key('sell', '▲ sold to the grid'); key('trade', 'trade between homes');
      if (g.dots) { key('dots', 'size: energy; ◆ trade, ● idle, outlined: struggling'); return; }
      key('soc', 'battery, % full');
      if (g.slots.some(Boolean)) { key('made', 'produced'); key('used', 'consumed'); }
      for (const [status, words] of STATUS.entries()) {
        const row = element('span', 'kf-ring-key', legend), svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
        svg.setAttribute('viewBox', '-1.2 -1.2 2.4 2.4'); svg.setAttribute('class', 'kf-ring-house kf-ring-status-' + status); svg.setAttribute('aria-hidden', 'true');
        for (const d of [g.glyphs.house, g.glyphs.marks[status]]) { const p = document.createElementNS('http://www.w3.org/2000/svg', 'path'); p.setAttribute('d', d); svg.appendChild(p); }
        row.prepend(svg); row.append(words);
      }
      if (g.slots.some(Boolean)) element('span', 'kf-ring-key', legend).textContent = 'at each home: wallet and, ▲ ▼, saved against the baseline, EUR';
    }

    // --- particles and frames ---
    function drawParticles(dt) {
      const begun = performance.now();
      S.wipe(dots);
      dots.fillStyle = colors.flow; dots.globalAlpha = 0.9; dots.beginPath();
      for (const a of arrows.values()) {
        if (a.shown < 1.8 || !litArrow(a)) continue;
        const { points, along, length } = a.path, end = length - Math.min(4 + 1.1 * a.shown, 0.6 * length), r = Math.min(Math.max(0.24 * a.shown, 0.6), 2.2);
        a.phase = (a.phase + (16 + 64 * Math.sqrt(Math.min(a.kwh / (last.full || 1), 1))) * dt) % DOT_GAP;
        for (let d = a.phase, i = 0; d < end; d += DOT_GAP) {
          while (i < points.length - 2 && along[i + 1] < d) i++;
          const f = (d - along[i]) / ((along[i + 1] - along[i]) || 1), x = points[i][0] + f * (points[i + 1][0] - points[i][0]), y = points[i][1] + f * (points[i + 1][1] - points[i][1]);
          dots.moveTo(x + r, y); dots.arc(x, y, r, 0, 6.2832);
        }
      }
      dots.fill();
      timing.particles = performance.now() - begun; timing.frames++;
    }
    function moves() { return last && canvases[0].width && (easeStart || (!calm.matches && order.length)); }
    function drawFrame(dt) {
      if (easeStart) { ease(performance.now()); redrawLow(); }
      if (!calm.matches) drawParticles(dt);
    }

    // --- what is where ---
    function nodeAt(x, y) {
      const [hx, hy, hr] = g.hub, [w, h] = g.block;
      if (Math.hypot(x - hx, y - hy) <= hr) return { kind: 'grid', index: -1 };
      let best = -1, least = Math.max(g.r + 3, 8 / scale);
      g.homes.forEach((p, i) => { const d = Math.hypot(p[0] - x, p[1] - y); if (d < least) { least = d; best = i; } });
      if (best < 0) best = g.slots.findIndex(s => s && Math.abs(s[0] - x) <= w / 2 && Math.abs(s[1] - y) <= h / 2);
      return best < 0 ? null : { kind: 'home', index: best };
    }
    function arrowAt(x, y) {
      let best = null, least = Infinity;
      for (const a of order) {
        const p = a.path.points;
        for (let i = 1; i < p.length; i++) {
          const dx = p[i][0] - p[i - 1][0], dy = p[i][1] - p[i - 1][1], f = Math.min(Math.max(((x - p[i - 1][0]) * dx + (y - p[i - 1][1]) * dy) / (dx * dx + dy * dy || 1), 0), 1);
          const d = Math.hypot(x - p[i - 1][0] - f * dx, y - p[i - 1][1] - f * dy) - Math.max(a.target / 2, 4);
          if (d < 1 && d < least) { least = d; best = a.path.key; }
        }
        if (a.box && x >= a.box[0] && x <= a.box[2] && y >= a.box[1] && y <= a.box[3]) return { kind: 'arrow', index: a.path.key };
      }
      return best === null ? null : { kind: 'arrow', index: best };
    }

    // --- tips ---
    const nameOf = i => i < 0 ? 'Grid' : g.ids[i];
    function homeLines(i) {
      const h = last && last.homes[i];
      if (!h) return [nameOf(i)];
      const eur = (v, signed) => formatMoney(v, signed) + NBSP + 'EUR', out = [`${nameOf(i)} · ${STATUS[statusOf(h)]}`, ...(h[WALLET] === null ? [] : [['Wallet', eur(h[WALLET])]])];
      if (!last.coarse) out.push(['Saved against the baseline', eur(h[SAVED], true)]);
      if (h[SOC] !== null) out.push(['Battery', kf.network.formatNumber(h[SOC], 1) + NBSP + '%' + (h[CHARGE] >= LEAST ? ', charges ' + formatAmount(h[CHARGE]) : '') + (h[DISCHARGE] >= LEAST ? ', gives ' + formatAmount(h[DISCHARGE]) : '')]);
      const fields = [['Produced', MADE, true], ['Consumed', USED, true], ['Bought from the grid', BUY], ['Sold to the grid', SELL], ['Bought from homes', P2P_BUY], ['Sold to homes', P2P_SELL], ['Curtailed', CURTAILED], ['▲ Unserved', UNSERVED]];
      for (const [words, field, always] of fields) if (h[field] !== null && (always || h[field] >= LEAST)) out.push([words, formatAmount(h[field])]);
      const own = last.trades.filter(t => (t[0] === i || t[1] === i) && t[2] >= LEAST).sort((a, b) => b[2] - a[2]);
      for (const [s, b, kwh] of own.slice(0, 4)) out.push([s === i ? '→ ' + nameOf(b) : '← ' + nameOf(s), formatAmount(kwh)]);
      if (own.length > 4) out.push([`and ${own.length - 4} more trades`, '']);
      return out;
    }
    function tipLines(kind, index) {
      if (kind === 'home') return homeLines(index);
      if (kind === 'arrow') { const a = arrows.get(index); return a ? [`${nameOf(a.start)} → ${nameOf(a.end)}`, [a.kind === 'trade' ? 'Trade' : a.kind === 'buy' ? 'Bought from the grid' : 'Sold to the grid', formatAmount(a.kwh)]] : null; }
      const [bought, sold, traded] = last ? gridSums() : [0, 0, 0], trades = last ? last.trades.length : 0;
      return ['Grid', ['Homes bought', formatAmount(bought)], ['Homes sold', formatAmount(sold)], [`${trades} trade${trades === 1 ? '' : 's'} between homes`, formatAmount(traded)]];
    }
    function showTip(kind, index) {
      const changes = (tipped && tipped.kind === 'arrow') || kind === 'arrow';
      tipped = { kind, index };
      redrawTip();
      if (changes) redraw();
    }
    function redrawTip() {
      if (!tipped) return;
      const lines = tipLines(tipped.kind, tipped.index);
      if (!lines) { hideTip(); return; }
      S.fillTip(lines);
      placeTip();
    }
    function placeTip() {
      if (!tipped || tipBox.hidden) return;
      const a = tipped.kind === 'arrow' ? arrows.get(tipped.index) : null;
      let [x, y, r] = tipped.kind === 'home' ? [...g.homes[tipped.index], g.r + 6] : a ? [...(pointer || pointAlong(a.path.points, a.spot || 0.5)), 14] : g.hub;
      x *= scale; y *= scale; r *= scale;
      const offset = canvases[0].getBoundingClientRect().left - stage.getBoundingClientRect().left, w = tipBox.offsetWidth, h = tipBox.offsetHeight, wide = stage.clientWidth, high = stage.clientHeight;
      const inside = (left, up) => [Math.min(Math.max(left, 4), Math.max(wide - w - 4, 4)), Math.min(Math.max(up, 4), Math.max(high - h - 4, 4))];
      const cx = offset + x, [hx, hy] = [offset + g.hub[0] * scale, g.hub[1] * scale];
      const spots = [[cx - w / 2, y - r - h - 4], [cx - w / 2, y + r + 4], [cx - r - w - 6, y - h / 2], [cx + r + 6, y - h / 2]].map(p => inside(...p));
      const free = spots.filter(([l, t]) => !touches([l, t, l + w, t + h], cx, y, r - 1)), away = ([l, t]) => Math.hypot(l + w / 2 - hx, t + h / 2 - hy);
      // beside a home the place furthest from the grid, so that its arrows stay in sight; else the first that is free
      const [left, up] = tipped.kind === 'home' ? free.reduce((best, p) => !best || away(p) > away(best) ? p : best, null) || spots[0] : free[0] || spots[0];
      tipBox.style.transform = `translate(${Math.round(left)}px,${Math.round(up)}px)`;
    }
    function hideTip() { const was = tipped; tipped = null; S.hideTip(); if (was && was.kind === 'arrow' && g && last) redraw(); }

    // --- pointer and keys ---
    function setHovered(index) { if (index !== hovered) { hovered = index; redraw(); } }
    function track(event) {
      pointer = point(event);
      const found = nodeAt(...pointer) || arrowAt(...pointer);
      stage.classList.toggle('kf-stage-pick', Boolean(found && found.kind === 'home'));
      if (!found) hideTip();
      else if (!tipped || tipped.kind !== found.kind || tipped.index !== found.index) showTip(found.kind, found.index);
      setHovered(found && found.kind === 'home' ? found.index : null);
    }
    function away() { pointer = null; stage.classList.remove('kf-stage-pick'); hideTip(); setHovered(null); }
    function onClick(event) {
      track(event);
      const found = nodeAt(...pointer);
      setFocused(null);
      if (found && found.kind === 'home') choose(found.index);
    }
    function choose(index) { select(index); if (opt.onSelect) opt.onSelect(index); }
    function select(index) { selected = Number.isInteger(index) && index >= 0 && index < count() ? index : null; redraw(); }
    /** focused: null, {home}, {grid} or {arrow, of: home or -1}. */
    function setFocused(next) {
      focused = next;
      if (next) {
        pointer = null;
        const [kind, index] = next.arrow !== undefined ? ['arrow', next.arrow] : next.grid ? ['grid', -1] : ['home', next.home];
        showTip(kind, index);
        S.tell(tipLines(kind, index) || []);
      }
      redraw();
    }
    function onKey(event) {
      const turns = { ArrowRight: 1, ArrowLeft: -1, PageDown: 5, PageUp: -5 }, through = { ArrowDown: 1, ArrowUp: -1 };
      const own = event.key in turns || event.key in through || ['Home', 'End', 'Enter', 'Escape'].includes(event.key);
      if (event.target !== stage || !own || event.ctrlKey || event.metaKey || event.altKey) return;
      event.stopPropagation(); event.preventDefault();
      const all = count() + 1, at = !focused ? null : focused.grid ? count() : focused.home !== undefined ? focused.home : focused.of < 0 ? count() : focused.of; // the grid comes after the last home
      if (event.key === 'Escape') { setFocused(null); away(); stage.blur(); return; }
      if (event.key === 'Enter') { if (at !== null && at < count()) choose(at); return; }
      if (event.key in through) {
        if (at === null) return;
        const home = at === count() ? -1 : at, here = order.filter(a => a.start === home || a.end === home).map(a => a.path.key), k = focused.arrow === undefined ? -1 : here.indexOf(focused.arrow);
        if (here.length) setFocused({ arrow: here[k < 0 && through[event.key] < 0 ? here.length - 1 : (k + through[event.key] + here.length) % here.length], of: home });
        return;
      }
      const next = event.key === 'Home' ? 0 : event.key === 'End' ? all - 1 : at === null ? (selected === null ? 0 : selected) : (at + turns[event.key] + all) % all;
      setFocused(next === count() ? { grid: true } : { home: next });
    }
    function onFocus() { if (!focused) setFocused({ home: selected === null ? 0 : selected }); }
    function onBlur() { if (focused) { setFocused(null); hideTip(); setHovered(null); } }

    // --- size ---
    function resized(newScale) {
      scale = newScale;
      if (last) placeAmounts();
      redraw();
      placeTip();
    }

    S.begin();
    /** For tests: [kind, start, end, points] of every arrow as it will stand when it has come to rest. */
    const polygons = () => order.map(a => [a.kind, a.start, a.end, kf.network.ribbon(a.path.points, a.target)]);
    return { update, select, destroy: S.destroy, polygons, nodeAt, arrowAt, geometry: () => g, root, stage, timing, redraw,
      amountBoxes: () => order.map(a => a.box || null), hiddenAmounts: () => hiddenAmounts,
      amountTexts: () => order.filter(a => a.box).map(a => { font(Math.max(g.font, 10 / scale), 600); return [top.measureText(a.text).width, a.box[2] - a.box[0]]; }),
      toPage: S.toPage,
      state: () => ({ selected, focused, hovered, moving: S.moving(), easing: easeStart !== 0, arrows: arrows.size }) };
  }

  kf.ring = { mount, tradePath, formatAmount, formatMoney };
})();
