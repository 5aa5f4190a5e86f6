/* The live drawing of a fleet: kraftflyt.fleet.mount(container, places, options) -> {update, select, ...}.
 *
 * places {wide, compact} are FleetPlaces.to_json() of energy_sim/figures/fleet_places.py; nothing is laid out here.
 * Arrows are flow_arrow of energy_sim/figures/fleet.py (a browser test compares the polygons). One canvas; frames only
 * while values ease. Powers in kW, consumption positive.
 * options: {label, maxHeight() px, onSelect(id), tip(id) -> lines}.
 * update({hub: {word, bad}, transformers: [{name, load, unc, limit, exportLimit, before, help, curtailed, short, assumed}], ties: [kW],
 *   agents: {id: {name, role, net, soc, state, age, mode, limit, process, bad, seen}}});
 * `bad`: its process is not well; `seen`: by the fleet, not by the grid agent; `assumed`: of agents that are not heard. */
(function () {
  'use strict';
  const kf = window.kraftflyt = window.kraftflyt || {};
  const NBSP = '\u00a0', EASE_MS = 300, IDLE_KW = 0.05, OVER_KW = 0.2, FULL_KW = 12, WIDTHS = [2, 13], STEP = 6;
  const FONT = "Inter, 'DejaVu Sans', sans-serif";
  const TOKENS = ['bg', 'panel', 'ink', 'muted', 'grid', 'node', 'node-line', 'export', 'import', 'two-hop', 'idle', 'hydro', 'unmet', 'accent', 'on-accent'];
  const STATES = { online: ['●', 'export'], late: ['◐', 'import'], lost: ['✕', 'unmet'], gone: ['○', 'idle'], alone: ['○', 'muted'] };
  const MODES = { init: 'waits for a limit', unlimited: 'no limit', limited: 'limited', failsafe: 'failsafe' };
  const PROCESSES = { running: '', hung: 'hangs', killed: 'killed', slow: 'slow', cut: 'cut off', error: 'answers 500', malformed: 'malformed', ended: 'ended' };
  const BADGES = { hung: '❚❚', killed: '✕', ended: '✕', slow: '…', error: '500', malformed: '{?' };
  const HOUSE = 'M0,-1L1,-0.12L0.74,-0.12L0.74,0.9L-0.74,0.9L-0.74,-0.12L-1,-0.12Z';
  const BATTERY = 'M-0.6,-0.7L-0.25,-0.7L-0.25,-1L0.25,-1L0.25,-0.7L0.6,-0.7L0.6,0.95L-0.6,0.95Z';
  const SHIELD = 'M0,-1L0.85,-0.65L0.85,0.05C0.85,0.55 0.45,0.85 0,1.05C-0.45,0.85 -0.85,0.55 -0.85,0.05L-0.85,-0.65Z';
  const PYLON = 'M-0.55,1L-0.16,-0.2L0,-1L0.16,-0.2L0.55,1M-0.4,0.5L0.16,-0.2M0.4,0.5L-0.16,-0.2M-0.6,-0.5L0.6,-0.5M-0.78,-0.12L0.78,-0.12';

  // --- formulas shared with Python ---------------------------------------------------------------------------------
  const arrowWidth = kw => WIDTHS[0] + (WIDTHS[1] - WIDTHS[0]) * Math.sqrt(Math.min(Math.abs(kw) / FULL_KW, 1));
  function fine(line) {
    const points = [line[0]];
    for (let i = 1; i < line.length; i++) {
      const [[x0, y0], [x1, y1]] = [line[i - 1], line[i]], n = Math.max(1, roundEven(Math.max(Math.abs(x1 - x0), Math.abs(y1 - y0)) / STEP));
      for (let k = 1; k <= n; k++) points.push([x0 + (x1 - x0) * k / n, y0 + (y1 - y0) * k / n]);
    }
    return points;
  }
  const roundEven = v => { const r = Math.round(v); return Math.abs(v % 1) === 0.5 && r % 2 ? r - 1 : r; }; // as Python rounds
  /** The polygon of a power along a line; the line itself while nothing flows. */
  const arrow = (line, kw) => Math.abs(kw) < IDLE_KW ? line : kf.network.ribbon(fine(kw > 0 ? line : [...line].reverse()), arrowWidth(kw));

  function mount(container, places, options) {
    const opt = Object.assign({ label: 'Fleet', maxHeight: () => Math.max(460, window.innerHeight - 210), onSelect: null, tip: null }, options);
    const { formatNumber } = kf.network, kw = v => formatNumber(Math.abs(v), 1) + NBSP + 'kW';
    const S = kf.stage(container, {
      name: 'fleet', label: opt.label + '. Arrow keys go from agent to agent, Enter chooses, Escape leaves.',
      canvases: ['all'], tokens: TOKENS, geometry: places.wide, compact: places.compact, compactBelow: 700, maxHeight: opt.maxHeight,
      use: next => { g = next; }, resized, redraw, settle: rest, catchUp: redraw, moves: () => easeStart !== 0, frame: () => { ease(performance.now()); redraw(); },
      track, leave, click: onClick, key: onKey, focus: () => { if (focused === null) setFocused(selected || 'grid'); }, blur: () => { if (focused !== null) { setFocused(null); S.hideTip(); } },
    });
    const { root, stage, canvases: [canvas], tip: tipBox, colors, calm, visible } = S, pen = canvas.getContext('2d');
    const shapes = { house: new Path2D(HOUSE), battery: new Path2D(BATTERY), shield: new Path2D(SHIELD), pylon: new Path2D(PYLON) };
    let g, scale = 1, last = null, easeStart = 0, selected = null, focused = null, hovered = null, tipped = null;
    let shown = {}, from = {}, target = {}, draws = 0;
    const order = ['grid', ...places.wide.agents.map(a => a.id)];

    // --- values on their way ---
    function update(scene) {
      const first = !last;
      last = scene;
      target = {};
      scene.transformers.forEach((t, k) => { for (const part of ['load', 'unc', 'before']) target[`t${k}${part}`] = t[part]; });
      scene.ties.forEach((flow, k) => { target['l' + k] = flow; });
      for (const [id, a] of Object.entries(scene.agents)) { target['n/' + id] = a.net; target['s/' + id] = a.soc === null ? 0 : a.soc; }
      for (const key of Object.keys(target)) if (!(key in shown)) shown[key] = target[key];
      if (first || calm.matches || !visible()) rest(); else { from = Object.assign({}, shown); easeStart = performance.now(); }
      redraw();
      if (tipped) showTip(tipped);
      S.run();
    }
    function ease(now) {
      const f = Math.min((now - easeStart) / EASE_MS, 1), smooth = 1 - (1 - f) ** 3;
      for (const key of Object.keys(target)) shown[key] = from[key] === undefined ? target[key] : from[key] + (target[key] - from[key]) * smooth;
      if (f === 1) easeStart = 0;
    }
    function rest() { shown = Object.assign({}, target); easeStart = 0; }

    // --- drawing ---
    const tone = v => Math.abs(v) < IDLE_KW ? colors.idle : v > 0 ? colors.import : colors.export;
    const glyph = v => Math.abs(v) < IDLE_KW ? '●' : v > 0 ? '▼' : '▲';
    function font(px, weight) { pen.font = `${weight} ${Math.max(px, 10.5 / scale)}px ${FONT}`; }
    function text(string, x, y, px, weight, color, align, halo) {
      font(px, weight); pen.textAlign = align || 'center'; pen.textBaseline = 'middle';
      if (halo) { pen.strokeStyle = colors.panel; pen.lineWidth = 4; pen.lineJoin = 'round'; pen.strokeText(string, x, y); }
      pen.fillStyle = color; pen.fillText(string, x, y);
    }
    /** The words in one line, in as much room as there is. */
    function fitted(string, x, y, px, weight, color, room, align, halo) {
      let cut = string;
      font(px, weight);
      while (cut.length > 3 && pen.measureText(cut).width > room) cut = cut.slice(0, -2).trimEnd() + '…';
      text(cut, x, y, px, weight, color, align, halo);
    }
    function drawPath(shape, x, y, s, fill, stroke, wide) {
      pen.save(); pen.translate(x, y); pen.scale(s, s);
      if (fill) { pen.fillStyle = fill; pen.fill(shape); }
      if (stroke) { pen.strokeStyle = stroke; pen.lineWidth = wide / s; pen.lineJoin = 'round'; pen.stroke(shape); }
      pen.restore();
    }
    function drawArrow(line, power, color) {
      const points = arrow(line, power);
      pen.beginPath();
      points.forEach(([x, y], i) => i ? pen.lineTo(x, y) : pen.moveTo(x, y));
      if (Math.abs(power) < IDLE_KW) {
        pen.setLineDash([1, 5]); pen.lineCap = 'round'; pen.lineWidth = 1.6; pen.strokeStyle = colors.idle; pen.stroke();
        pen.setLineDash([]);
        return;
      }
      pen.closePath(); pen.fillStyle = color; pen.fill();
    }

    function redraw() {
      if (S.missed()) return;
      S.wipe(pen);
      draws++;
      if (!last) return;
      drawLinks();
      g.ties.forEach((tie, k) => drawTie(tie, shown['l' + k] || 0));
      g.supply.forEach((line, k) => drawSupply(line, shown[`t${k}load`] || 0, last.transformers[k]));
      for (const place of g.agents) if (last.agents[place.id]) drawArrow(place.line, shown['n/' + place.id] || 0, tone(shown['n/' + place.id] || 0));
      g.boxes.forEach((box, k) => drawBox(box, last.transformers[k], k));
      for (const place of g.agents) drawAgent(place, last.agents[place.id]);
      drawHub();
      drawRings();
    }
    /** Who can talk to the grid agent: faint while all is well, broken in the middle when not. */
    function drawLinks() {
      const [x, y, r] = g.hub;
      for (const place of g.agents) {
        const a = last.agents[place.id];
        if (!a) continue;
        const broken = a.state !== 'online' || last.hub.bad, color = !broken ? colors.idle : a.state === 'late' ? colors.import : colors.unmet;
        const l = Math.hypot(place.x - x, place.y - y) || 1, ux = (place.x - x) / l, uy = (place.y - y) / l;
        pen.globalAlpha = broken ? 0.9 : 0.4;
        pen.setLineDash(broken ? [5, 5] : [1, 6]); pen.lineCap = 'round'; pen.lineWidth = broken ? 1.6 : 1.2; pen.strokeStyle = color;
        pen.beginPath(); pen.moveTo(x + ux * r, y + uy * r); pen.lineTo(place.x - ux * g.r, place.y - uy * g.r); pen.stroke();
        pen.setLineDash([]); pen.globalAlpha = 1;
      }
    }
    function drawTie(tie, flow) {
      drawArrow(tie.line, flow, colors['two-hop']);
      if (Math.abs(flow) < IDLE_KW) return;
      const [x, y] = tie.text;
      if (g.compact) text(`help ${kw(flow)}`, x, y, 12, 650, colors['two-hop'], 'center', true);
      else { if (scale >= 0.7) text('help', x, y - 34, 11.5, 500, colors.muted, 'center', true); text(kw(flow), x, y - 18, 13.5, 650, colors['two-hop'], 'center', true); }
    }
    function drawSupply(line, load, t) {
      const [x, y] = line[0];
      if (!g.compact) drawPath(shapes.pylon, x, y - 18, 15, null, colors['node-line'], 1.5);
      drawArrow(line, load, tone(load));
      const label = glyph(load) + ' ' + kw(t ? t.load : 0);
      if (g.compact) text(label, x + 14, (y + line[1][1]) / 2, 12, 650, tone(load), 'left', true);
      else { text(label, x - 16, y + 24, 13.5, 650, tone(load), 'right', true); if (scale >= 0.7) text(load < 0 ? 'to the grid' : 'from the grid', x - 16, y + 6, 11, 500, colors.muted, 'right', true); }
    }
    function drawBox([x, y, w, h], t, k) {
      if (!t) return;
      const over = t.over >= OVER_KW, left = x - w / 2 + 14, wide = w - 28, top = y - h / 2;
      pen.beginPath(); pen.roundRect(x - w / 2, top, w, h, 12); pen.fillStyle = colors.node; pen.fill();
      pen.lineWidth = over ? 3 : 1.6; pen.strokeStyle = over ? colors.unmet : colors['node-line']; pen.stroke();
      const load = shown[`t${k}load`], exporting = load < -IDLE_KW, limit = exporting ? t.exportLimit : t.limit, unc = Math.max(shown[`t${k}unc`], 0);
      text(w * scale < 210 ? t.name.replace('Transformer ', '') : t.name, left, top + 21, 14, 650, colors.ink, 'left');
      text(`${formatNumber(Math.abs(t.load), 1)} of ${formatNumber(limit, 1)}${NBSP}kW`, left + wide, top + 21, 13, 600, colors.ink, 'right');
      const full = Math.max(1.25 * limit, Math.abs(load) + unc, Math.abs(shown[`t${k}before`]), 1e-9), px = v => wide * Math.min(Math.abs(v) / full, 1), by = top + 40, bh = 16;
      pen.save(); pen.beginPath(); pen.roundRect(left, by, wide, bh, 4); pen.clip();
      pen.fillStyle = colors.grid; pen.fillRect(left, by, wide, bh);
      pen.fillStyle = tone(load); pen.fillRect(left, by, px(load), bh);
      if (unc > IDLE_KW) hatch(left + px(load), by, px(unc), bh, tone(load));
      pen.restore();
      const mark = left + px(limit), wanted = shown[`t${k}before`];
      pen.strokeStyle = colors.ink; pen.lineWidth = 2; pen.beginPath(); pen.moveTo(mark, by - 5); pen.lineTo(mark, by + bh + 5); pen.stroke();
      if (Math.abs(wanted - load) > 0.2) { // what they would draw without help and orders
        const wx = left + px(wanted);
        pen.setLineDash([2, 3]); pen.lineWidth = 1.6; pen.strokeStyle = colors.muted; pen.beginPath(); pen.moveTo(wx, by - 3); pen.lineTo(wx, by + bh + 3); pen.stroke(); pen.setLineDash([]);
      }
      const notes = [t.help > IDLE_KW ? `gets ${kw(t.help)}` : t.help < -IDLE_KW ? `gives ${kw(t.help)}` : '', t.curtailed > IDLE_KW ? `curtailed ${kw(t.curtailed)}` : '', t.short > IDLE_KW ? `short ${kw(t.short)}` : ''].filter(Boolean);
      const uncertain = unc > IDLE_KW ? ` ± ${kw(unc)}` : '';
      const status = over ? `▲ over its limit by ${kw(t.over)}` : Math.abs(t.assumed) > IDLE_KW ? `◐ ${formatNumber(t.assumed, 1)}${uncertain || NBSP + 'kW'} of it assumed` : t.before > t.limit + IDLE_KW ? `● held: ${kw(t.before)} wanted` : '● within its limits' + (uncertain && uncertain + ' unknown');
      fitted(status, left, top + h - 37, 12, over ? 650 : 500, over ? colors.unmet : colors.muted, wide, 'left');
      fitted(notes.join(' · ') || 'no help, no orders', left, top + h - 17, 12, notes.length ? 600 : 400, notes.length ? colors.ink : colors.muted, wide, 'left');
    }
    function hatch(x, y, w, h, color) {
      pen.save(); pen.beginPath(); pen.rect(x, y, w, h); pen.clip();
      pen.globalAlpha = 0.3; pen.fillStyle = color; pen.fillRect(x, y, w, h); pen.globalAlpha = 1;
      pen.strokeStyle = color; pen.lineWidth = 1.6; pen.beginPath();
      for (let d = -h; d < w; d += 5) { pen.moveTo(x + d, y + h); pen.lineTo(x + d + h, y); }
      pen.stroke(); pen.restore();
    }
    function drawAgent(place, a) {
      const { x, y } = place, r = g.r, [mark, token] = STATES[a ? a.state : 'gone'] || STATES.gone, color = colors[token];
      if (!a) return;
      pen.globalAlpha = a.state === 'gone' ? 0.6 : 1;
      pen.beginPath(); pen.arc(x, y, r, 0, 7); pen.fillStyle = colors.node; pen.fill();
      const wide = Math.max(3, 0.13 * r);
      if (a.soc !== null) {
        pen.lineWidth = wide; pen.strokeStyle = colors.grid; pen.lineCap = 'butt';
        pen.beginPath(); pen.arc(x, y, r - wide / 2 - 2, 0, 7); pen.stroke();
        const soc = shown['s/' + place.id];
        pen.strokeStyle = soc < 0.15 ? colors.import : colors.hydro;
        if (soc > 0.005) { pen.beginPath(); pen.arc(x, y, r - wide / 2 - 2, -Math.PI / 2, -Math.PI / 2 + 2 * Math.PI * Math.min(soc, 1)); pen.stroke(); }
      }
      pen.lineWidth = 2.4; pen.strokeStyle = color;
      if (a.state !== 'online') pen.setLineDash([6, 4]);
      pen.beginPath(); pen.arc(x, y, r, 0, 7); pen.stroke(); pen.setLineDash([]);
      const roomy = r >= 26, net = a.net;
      if (roomy) {
        drawPath(a.role === 'battery' ? shapes.battery : shapes.house, x, y - 0.43 * r, 0.2 * r, null, colors['node-line'], 1.6);
        text(`${glyph(net)} ${formatNumber(Math.abs(net), 1)}`, x, y + 0.06 * r, 0.34 * r, 700, a.state === 'online' || a.state === 'late' ? tone(net) : colors.muted);
        text(a.soc === null ? 'kW' : formatNumber(100 * a.soc, 0) + NBSP + '%', x, y + 0.46 * r, 0.26 * r, 500, colors.muted);
      } else if (r >= 14) {
        drawPath(a.role === 'battery' ? shapes.battery : shapes.house, x, y, 0.42 * r, null, colors['node-line'], 1.4);
      }
      const b = Math.max(9, 0.26 * r);
      if (a.mode === 'failsafe' || a.mode === 'limited') {
        const bx = x + 0.76 * r, by = y - 0.76 * r;
        pen.beginPath(); pen.arc(bx, by, b + 2, 0, 7); pen.fillStyle = colors.panel; pen.fill();
        if (a.mode === 'failsafe') drawPath(shapes.shield, bx, by, 0.85 * b, colors.accent, colors.ink, 1);
        else { pen.fillStyle = colors.accent; pen.beginPath(); pen.roundRect(bx - 0.8 * b, by - 0.28 * b, 1.6 * b, 0.56 * b, 2); pen.fill(); }
      }
      if (a.bad) {
        const bx = x - 0.78 * r, by = y - 0.72 * r;
        pen.beginPath(); pen.arc(bx, by, b + 3, 0, 7); pen.fillStyle = colors.unmet; pen.fill();
        if (a.process === 'cut') { // a line with a gap
          pen.strokeStyle = colors.panel; pen.lineWidth = 2; pen.lineCap = 'round'; pen.beginPath();
          for (const s of [-1, 1]) { pen.moveTo(bx + s * 0.9 * b, by); pen.lineTo(bx + s * 0.3 * b, by); pen.moveTo(bx + s * 0.3 * b - 1.5, by + 4); pen.lineTo(bx + s * 0.3 * b + 1.5, by - 4); }
          pen.stroke();
        } else text(BADGES[a.process] || '!', bx, by + 0.5, a.process === 'error' ? 0.72 * b : b, 700, colors.panel);
      }
      pen.globalAlpha = 1;
      if (!g.labels) return;
      const room = g.cell[0] - 4, rows = [[a.name, 13, 650, colors.ink], [`${mark} ${a.state}` + (a.age > 1e6 ? '' : ` · ${formatNumber(a.age, 0)}${NBSP}s`), 12, 600, color]];
      const limit = a.limit === null || a.limit === undefined ? '' : ` ≤${NBSP}${kw(a.limit)}`, eye = a.seen ? NBSP + '◉' : '';
      if (a.mode === 'failsafe' || a.mode === 'limited') rows.push([(a.mode === 'failsafe' ? 'failsafe' : 'limited') + limit + eye, 12, 600, colors.ink]);
      else rows.push([(a.state === 'online' || a.seen ? '' : 'last: ') + (MODES[a.mode] || 'unknown') + eye, 12, 400, colors.muted]);
      if (a.bad) rows.push([PROCESSES[a.process] || a.process, 12, 650, colors.unmet]);
      else if (a.note) rows.push([a.note, 12, 600, colors.import]);
      rows.forEach(([string, px, weight, ink], i) => fitted(string, x, y + r + 15 + 15.5 * i, px, weight, ink, room, 'center', true));
    }
    function drawHub() {
      const [x, y, r] = g.hub, { bad, word } = last.hub;
      pen.beginPath(); pen.arc(x, y, r, 0, 7); pen.fillStyle = colors.node; pen.fill();
      pen.lineWidth = bad ? 3 : 2; pen.strokeStyle = bad ? colors.unmet : colors['node-line'];
      if (bad) pen.setLineDash([6, 4]);
      pen.stroke(); pen.setLineDash([]);
      if (scale < 0.7) text('Grid', x, y, 13, 700, colors.ink); else { text('Grid', x, y - 8, 13, 700, colors.ink); text('agent', x, y + 8, 13, 700, colors.ink); }
      text(word, x, y + r + 13, 12, 600, bad ? colors.unmet : colors.muted, 'center', true);
    }
    function drawRings() {
      const rings = [[hovered !== selected ? hovered : null, 5, colors.ink, 1.5, []], [selected, 6, colors.ink, 2.5, []], [focused, 10, colors.accent, 2.5, [5, 3.5]]];
      for (const [id, gap, color, wide, dash] of rings) {
        const place = id === null ? null : discOf(id);
        if (!place) continue;
        pen.beginPath(); pen.arc(place[0], place[1], place[2] + gap, 0, 7);
        pen.setLineDash(dash); pen.strokeStyle = color; pen.lineWidth = wide; pen.stroke(); pen.setLineDash([]);
      }
    }

    // --- what is where ---
    function discOf(id) {
      if (id === 'grid') return g.hub;
      const place = g.agents.find(a => a.id === id);
      return place ? [place.x, place.y, g.r] : null;
    }
    function nodeAt(x, y) {
      let best = null, least = Infinity;
      for (const id of order) {
        const disc = discOf(id), d = disc ? Math.hypot(disc[0] - x, disc[1] - y) : Infinity;
        if (disc && d <= Math.max(disc[2] + 6, 14 / scale) && d < least) { least = d; best = id; }
      }
      return best;
    }
    function showTip(id) {
      tipped = id;
      const lines = opt.tip && opt.tip(id), [x, y, r] = discOf(id) || [0, 0, 0];
      if (!lines) { hideTip(); return; }
      S.fillTip(lines);
      const offset = canvas.getBoundingClientRect().left - stage.getBoundingClientRect().left, w = tipBox.offsetWidth, h = tipBox.offsetHeight, wide = stage.clientWidth, high = stage.clientHeight;
      let left = offset + x * scale + r * scale + 10, top = y * scale - h / 2;
      if (left + w > wide - 4) left = offset + x * scale - r * scale - 10 - w;
      if (left < 4) { left = offset + x * scale - w / 2; top = y * scale + r * scale + 10; }
      top = Math.min(Math.max(top, 4), Math.max(high - h - 4, 4));
      tipBox.style.transform = `translate(${Math.round(Math.min(Math.max(left, 4), Math.max(wide - w - 4, 4)))}px,${Math.round(top)}px)`;
    }
    function hideTip() { tipped = null; S.hideTip(); }

    // --- pointer and keys ---
    function track(event) {
      const id = nodeAt(...S.point(event));
      stage.classList.toggle('kf-stage-pick', id !== null);
      if (id === null) hideTip(); else if (id !== tipped) showTip(id);
      if (id !== hovered) { hovered = id; redraw(); }
    }
    function leave() { hovered = null; hideTip(); stage.classList.remove('kf-stage-pick'); redraw(); }
    function onClick(event) {
      const id = nodeAt(...S.point(event));
      setFocused(null);
      if (id !== null) choose(id);
    }
    function choose(id) { select(id); if (opt.onSelect) opt.onSelect(id); }
    function select(id) { selected = id; redraw(); }
    function setFocused(id) {
      focused = id;
      if (id !== null) { showTip(id); S.tell((opt.tip && opt.tip(id)) || [id]); }
      redraw();
    }
    function onKey(event) {
      const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
      const own = event.key in steps || ['Home', 'End', 'Enter', ' ', 'Escape'].includes(event.key);
      if (event.target !== stage || !own || event.ctrlKey || event.metaKey || event.altKey) return;
      event.stopPropagation(); event.preventDefault();
      if (event.key === 'Escape') { setFocused(null); leave(); stage.blur(); return; }
      if (event.key === 'Enter' || event.key === ' ') { if (focused !== null) choose(focused); return; }
      const at = order.indexOf(focused === null ? selected : focused);
      setFocused(event.key === 'Home' ? order[0] : event.key === 'End' ? order[order.length - 1] : order[at < 0 ? 0 : (at + steps[event.key] + order.length) % order.length]);
    }
    function resized(next) { scale = next; redraw(); }

    for (const words of opt.legend ? ['▼ draws', '▲ feeds in', 'ring: charge of the battery', 'stroke: limit', 'dotted: wanted', 'hatched: not known', 'shield: failsafe', 'bar: limited', 'dashed: no word from it', '◉ not seen by the grid agent'] : []) S.legend.append(Object.assign(document.createElement('span'), { textContent: words }));
    S.begin();
    return { update, select, nodeAt, destroy: S.destroy, root, stage, toPage: S.toPage, discOf, geometry: () => g, redrawTip: () => { if (tipped) showTip(tipped); },
      /** For tests: the polygon of every flow as it will stand when it has come to rest. */
      polygons: () => ({ agents: Object.fromEntries(g.agents.filter(p => last.agents[p.id]).map(p => [p.id, arrow(p.line, last.agents[p.id].net)])), ties: g.ties.map((t, k) => arrow(t.line, last.ties[k])) }),
      state: () => ({ selected, focused, hovered, easing: easeStart !== 0, draws }) };
  }

  /** A recorded hour of a small fleet, a cycle at a time, for the overview. */
  (kf.previews = kf.previews || {}).agents = (place, fixed) => ({
    drawing: mount(place, { wide: fixed.places, compact: fixed.places }, { label: 'A fleet of five agents, a cycle at a time', maxHeight: () => 420 }),
    first: 0, state: m => m,
  });
  kf.fleet = { mount, STATES, MODES, PROCESSES };
})();
