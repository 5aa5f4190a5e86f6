/* The live network drawing: kraftflyt.network.mount(container, geometry, options) -> {update, setSplit, ...}.
 *
 * geometry is NetworkGeometry.to_json() of energy_sim/figures/network.py; nothing is laid out here. ribbon() and the
 * widths are the same formulas as there (a browser test compares the coordinates). Colours are CSS variables, motion is
 * CSS (assets/network.css), so a tick only sets attributes of elements that are already there.
 * options: {label, compact: a second geometry for containers narrower than compactBelow (520 px), onHidden(count)}. */
(function () {
  'use strict';
  const SVG = 'http://www.w3.org/2000/svg';
  const THIN = '\u202f', NBSP = '\u00a0', MINUS = '\u2212';
  const SPLIT_GAP = 3;
  const LIVE_MWH = 1e-6;
  let mounted = 0;

  // --- formulas shared with Python ---------------------------------------------------------------------------------
  function unit(dx, dy) { const l = Math.hypot(dx, dy) || 1; return [dx / l, dy / l]; }

  function ribbon(path, width) {
    const n = path.length, along = [0], body = [], left = [], right = [];
    for (let i = 1; i < n; i++) along.push(along[i - 1] + Math.hypot(path[i][0] - path[i - 1][0], path[i][1] - path[i - 1][1]));
    const neck = along[n - 1] - Math.min(4 + 1.1 * width, 0.6 * along[n - 1]);
    for (let k = 0, i = 0; k < n; k++) {
      const s = neck * k / (n - 1);
      while (i < n - 2 && along[i + 1] < s) i++;
      const f = (s - along[i]) / ((along[i + 1] - along[i]) || 1);
      body.push([path[i][0] + f * (path[i + 1][0] - path[i][0]), path[i][1] + f * (path[i + 1][1] - path[i][1])]);
    }
    let u = [1, 0];
    for (let k = 0; k < n; k++) {
      const a = body[Math.max(k - 1, 0)], b = k < n - 1 ? body[k + 1] : path[n - 1];
      u = k < n - 1 ? unit(b[0] - a[0], b[1] - a[1]) : unit(path[n - 1][0] - body[k][0], path[n - 1][1] - body[k][1]);
      left.push([body[k][0] + u[1] * width / 2, body[k][1] - u[0] * width / 2]);
      right.push([body[k][0] - u[1] * width / 2, body[k][1] + u[0] * width / 2]);
    }
    const h = 2 + 0.8 * width, e = body[n - 1];
    return [...left, [e[0] + u[1] * h, e[1] - u[0] * h], path[n - 1], [e[0] - u[1] * h, e[1] + u[0] * h], ...right.reverse()];
  }

  function arrowWidth(geometry, mwh) {
    return geometry.widthMin + (geometry.widthMax - geometry.widthMin) * Math.min(Math.max(mwh / geometry.fullScale, 0), 1);
  }

  function splitPaths(path) {
    const a = path[0], b = path[path.length - 1];
    const half = 0.5 * SPLIT_GAP / (Math.hypot(b[0] - a[0], b[1] - a[1]) || 1);
    const at = f => [a[0] + f * (b[0] - a[0]), a[1] + f * (b[1] - a[1])];
    return [[a, at(0.5 - half)], [at(0.5 + half), b]];
  }

  function formatNumber(value, decimals) {
    const text = Math.abs(value).toFixed(decimals || 0);
    const [whole, part] = text.split('.');
    const grouped = whole.replace(/\B(?=(\d{3})+$)/g, THIN) + (part ? '.' + part : '');
    return value < 0 && /[1-9]/.test(text) ? MINUS + grouped : grouped;
  }

  function formatEnergy(mwh) {
    return Math.abs(mwh) < 999.5 ? formatNumber(mwh) + NBSP + 'MWh' : formatNumber(mwh / 1000) + NBSP + 'GWh';
  }

  // --- small drawing tools -----------------------------------------------------------------------------------------
  function el(name, attributes, parent) {
    const e = document.createElementNS(SVG, name);
    for (const k in attributes) e.setAttribute(k, attributes[k]);
    if (parent) parent.appendChild(e);
    return e;
  }
  function element(name, cls, parent) {
    const e = document.createElement(name);
    e.className = cls;
    if (parent) parent.appendChild(e);
    return e;
  }
  const n1 = v => Math.round(v * 100) / 100;
  const polygonPath = points => 'M' + points.map(p => n1(p[0]) + ',' + n1(p[1])).join('L') + 'Z';
  const linePath = points => 'M' + points.map(p => n1(p[0]) + ',' + n1(p[1])).join('L');

  // --- one drawing of one geometry ---------------------------------------------------------------------------------
  function drawing(host, g, label) {
    const uid = 'kfn' + (++mounted);
    const svg = el('svg', { class: 'kf-net-svg', viewBox: `0 0 ${g.width} ${g.height}`, role: 'group', 'aria-label': label }, host);
    svg.style.setProperty('--kf-net-font', g.font + 'px');
    const defs = el('defs', {}, svg);
    drawLand(svg, defs, g, uid);
    drawIdleLinks(svg, g);
    const layers = {};
    for (const name of ['direct', 'twohop', 'leaders', 'nodes', 'labels']) layers[name] = el('g', { class: 'kf-layer-' + name }, svg);
    const nodes = g.nodes.map((node, i) => drawNode(layers.nodes, defs, node, uid + 'n' + i));
    if (g.legend) {
      const box = el('g', { transform: `translate(${g.legend[0]},${g.legend[1]})` }, svg);
      drawLegend(box, 1);
    } else {
      const below = el('svg', { class: 'kf-net-legend-below', viewBox: '0 0 392 78' }, host);
      drawLegend(el('g', {}, below), 2);
    }
    return { svg, layers, nodes, arrows: new Map() };
  }

  function drawLand(svg, defs, g, uid) {
    if (!g.outline.length) return;
    const fade = el('linearGradient', { id: uid + 'fade', x1: 0, y1: 0, x2: 0, y2: 1 }, defs);
    el('stop', { offset: 0, 'stop-color': '#000' }, fade);
    el('stop', { offset: 0.11, 'stop-color': '#fff' }, fade);
    const mask = el('mask', { id: uid + 'mask', maskUnits: 'userSpaceOnUse', x: 0, y: 0, width: g.width, height: g.height }, defs);
    el('rect', { width: g.width, height: g.height, fill: `url(#${uid}fade)` }, mask);
    const land = el('g', { class: 'kf-land', mask: `url(#${uid}mask)`, 'aria-hidden': 'true' }, svg);
    const all = g.outline.map(zone => zone.rings.map(polygonPath).join(''));
    el('path', { class: 'kf-shelf kf-shelf-far', d: all.join('') }, land);
    el('path', { class: 'kf-shelf', d: all.join('') }, land);
    all.forEach((d, i) => el('path', { class: 'kf-zone' + (i % 2 ? ' kf-zone-alt' : ''), d }, land));
  }

  function drawIdleLinks(svg, g) {
    const layer = el('g', { class: 'kf-idle-links', 'aria-hidden': 'true' }, svg), seen = new Set();
    for (const a of g.arrows) {
      const key = Math.min(a.supplier, a.importer) + '-' + Math.max(a.supplier, a.importer);
      if (a.hops !== 1 || seen.has(key)) continue;
      seen.add(key);
      const s = g.nodes[a.supplier], t = g.nodes[a.importer];
      el('line', { x1: s.x, y1: s.y, x2: t.x, y2: t.y }, layer);
    }
  }

  function drawNode(layer, defs, node, id) {
    const clip = el('clipPath', { id }, defs), r = node.r, k = r / 30;
    el('circle', { r: r - 1 }, clip);
    const group = el('g', { class: 'kf-node', transform: `translate(${node.x},${node.y})`, tabindex: 0, role: 'img' }, layer);
    el('circle', { class: 'kf-node-halo', r: r + 4 }, group);
    el('circle', { class: 'kf-node-disc', r }, group);
    const water = el('g', { 'clip-path': `url(#${id})`, 'aria-hidden': 'true' }, group);
    const fill = el('g', { class: 'kf-node-water' }, water);
    el('rect', { class: 'kf-node-fill', x: -r, y: 0, width: 2 * r, height: 2 * r, fill: node.color }, fill);
    el('line', { class: 'kf-node-surface', x1: -r, y1: 0, x2: r, y2: 0, stroke: node.color }, fill);
    const mark = r - 2 * r * node.force / 100, half = Math.sqrt(Math.max(r * r - mark * mark, 0));
    el('line', { class: 'kf-node-force', x1: -half, y1: mark, x2: half, y2: mark }, group);
    el('circle', { class: 'kf-node-rim', r }, group);
    for (const side of [-1, 1]) {
      const x = side * (half + 1.5), s = side * 6 * k;
      el('path', { class: 'kf-node-notch', d: `M${x},${mark}l${s},${-4 * k}l0,${8 * k}Z` }, group);
    }
    const name = el('text', { class: 'kf-node-id', y: -2 * k }, group);
    name.textContent = node.id;
    if (node.id.length > 5) { name.setAttribute('textLength', 1.7 * r); name.setAttribute('lengthAdjust', 'spacingAndGlyphs'); }
    const level = el('text', { class: 'kf-node-level', y: 13 * k }, group);
    const short = el('text', { class: 'kf-node-short', y: 16 * k }, group);
    const low = el('g', { class: 'kf-node-low', transform: `translate(${0.8 * r},${0.74 * r}) scale(${Math.max(k, 0.8)})` }, group);
    el('path', { d: 'M0,-10L10.5,8.5L-10.5,8.5Z' }, low);
    el('text', { y: 6.4 }, low).textContent = '!';
    return { group, fill, level, short, r };
  }

  function drawLegend(parent, columns) {
    parent.setAttribute('class', 'kf-legend');
    parent.setAttribute('aria-hidden', 'true');
    const rows = [
      ['Direct transfer', 'normal', s => el('path', { class: 'kf-ribbon kf-export', d: polygonPath(ribbon([[0, 0], [30, 0]], 6)) }, s)],
      ['▲ export side (sent)', 'split', s => el('path', { class: 'kf-ribbon kf-export', d: polygonPath(ribbon([[0, 0], [30, 0]], 6)) }, s)],
      ['▼ import side (delivered)', 'split', s => el('path', { class: 'kf-ribbon kf-import', d: polygonPath(ribbon([[0, 0], [30, 0]], 6)) }, s)],
      ['Two-hop transfer', '', s => {
        const arc = []; for (let i = 0; i <= 12; i++) arc.push([2.5 * i, 6 - 44 * (i / 12) * (1 - i / 12)]);
        el('path', { class: 'kf-ribbon kf-two-hop', d: polygonPath(ribbon(arc, 4)) }, s);
      }],
      ['Reservoir, % of full', '', s => {
        el('path', { class: 'kf-legend-water', d: 'M5.6,3A10,10 0 0 0 24.4,3Z' }, s);
        el('circle', { class: 'kf-node-rim', cx: 15, cy: 0, r: 10 }, s);
      }],
      ['Force-export level', '', s => {
        el('line', { class: 'kf-node-force', x1: 8, y1: 0, x2: 22, y2: 0 }, s);
        el('path', { class: 'kf-node-notch', d: 'M8,0l-6,-4l0,8ZM22,0l6,-4l0,8Z' }, s);
      }],
      ['Below minimum', '', s => {
        const low = el('g', { class: 'kf-node-low kf-on', transform: 'translate(15,0) scale(.9)' }, s);
        el('path', { d: 'M0,-10L10.5,8.5L-10.5,8.5Z' }, low);
        el('text', { y: 6.4 }, low).textContent = '!';
      }],
    ];
    for (const mode of ['normal', 'split']) {
      const group = el('g', { class: 'kf-legend-' + mode }, parent);
      const shown = rows.filter(r => r[1] === '' || r[1] === mode), per = Math.ceil(shown.length / columns);
      shown.forEach((row, i) => {
        const line = el('g', { transform: `translate(${8 + 200 * Math.floor(i / per)},${14 + 25 * (i % per)})` }, group);
        row[2](line);
        el('text', { x: 42, y: 4 }, line).textContent = row[0];
      });
    }
  }

  function pill(layer, cls, lines) {
    const group = el('g', { class: 'kf-pill ' + cls }, layer);
    const rect = el('rect', { rx: 5 }, group);
    const texts = Array.from({ length: lines }, () => el('text', {}, group));
    return { group, rect, texts };
  }

  /** A pill as wide as its text, moved inside its slot towards the arrow it belongs to. */
  function placePill(p, slot, anchor, box, font, lines) {
    const longest = Math.max(...lines.map(l => [...l].length)), w = Math.min(box[0], longest * 0.63 * font + 13), h = box[1];
    const slack = (box[0] - w) / 2, shift = Math.min(Math.max(anchor[0] - slot[0], -slack), slack);
    p.group.setAttribute('transform', `translate(${n1(slot[0] + shift)},${slot[1]})`);
    p.rect.setAttribute('x', -w / 2); p.rect.setAttribute('y', -h / 2);
    p.rect.setAttribute('width', w); p.rect.setAttribute('height', h);
    p.texts.forEach((t, i) => {
      if (lines.length > 1) {
        if (!t.firstChild) { el('tspan', { class: i ? 'kf-glyph-import' : 'kf-glyph-export' }, t); el('tspan', {}, t); }
        t.firstChild.textContent = lines[i][0];
        t.lastChild.textContent = lines[i].slice(1);
      } else t.textContent = lines[0];
      t.setAttribute('y', (i - (lines.length - 1) / 2) * 1.2 * font + 0.355 * font);
    });
  }

  function arrowElements(d, g, index) {
    const a = g.arrows[index], direct = a.hops === 1;
    const group = el('g', { class: 'kf-arrow kf-off', role: 'img', 'data-key': a.key }, direct ? d.layers.direct : d.layers.twohop);
    const e = { group, labels: [], leaders: [] };
    const part = (cls, path) => {
      const sub = el('g', { class: cls }, group);
      return { path, ribbon: el('path', { class: 'kf-ribbon ' + (cls.includes('import') ? 'kf-import' : direct ? 'kf-export' : 'kf-two-hop') }, sub),
        dash: el('path', { class: 'kf-flow', d: linePath(path) }, sub) };
    };
    e.whole = part(direct ? 'kf-when-normal' : 'kf-always', a.path);
    if (direct) {
      const halves = splitPaths(a.path);
      e.out = part('kf-when-split', halves[0]);
      e.into = part('kf-when-split kf-side-import', halves[1]);
    }
    el('path', { class: 'kf-hit', d: linePath(a.path) }, group);
    const label = (slot, anchor, leader, cls, lines) => {
      if (!slot) return null;
      const tone = !direct ? 'kf-tone-two-hop' : lines > 1 ? 'kf-tone-split' : 'kf-tone-export';
      const p = pill(d.layers.labels, `${cls} ${tone} kf-off`, lines);
      e.labels.push(p.group);
      if (leader) {
        const l = el('g', { class: `kf-leader ${cls} ${tone} kf-off` }, d.layers.leaders);
        el('line', { x1: anchor[0], y1: anchor[1], x2: slot[0], y2: slot[1] }, l);
        el('circle', { cx: anchor[0], cy: anchor[1], r: 2.6 }, l);
        e.labels.push(l);
      }
      return p;
    };
    e.label = label(a.label, a.anchor, a.leader, 'kf-when-normal', 1);
    e.splitLabel = label(a.splitLabel, a.splitAnchor, a.splitLeader, 'kf-when-split', direct ? 2 : 1);
    return e;
  }

  // --- the public handle -------------------------------------------------------------------------------------------
  function mount(container, geometry, options) {
    const opt = Object.assign({ label: 'Energy exchange between zones', compact: null, compactBelow: 520 }, options);
    const root = element('div', 'kf-net', container);
    const note = element('div', 'kf-net-note', root), tip = element('div', 'kf-net-tip', root);
    tip.setAttribute('role', 'tooltip'); tip.id = 'kf-net-tip-' + (++mounted); tip.hidden = true;
    let g = geometry, host = null, d = null, last = null, split = false, live = new Map(), shown = null;

    function rebuild(next) {
      hideTip();
      g = next;
      if (host) host.remove();
      root.classList.toggle('kf-compact', !g.legend);
      host = element('div', 'kf-net-picture', null);
      root.insertBefore(host, root.firstChild);
      d = drawing(host, g, opt.label);
      d.nodes.forEach((n, i) => listen(n.group, () => nodeTip(i)));
      if (last) update(last);
    }

    function listen(target, content) {
      const show = () => showTip(target, content);
      target.addEventListener('pointerenter', show);
      target.addEventListener('focus', show);
      target.addEventListener('pointerleave', hideTip);
      target.addEventListener('blur', hideTip);
    }

    function setSplit(on) {
      split = Boolean(on);
      root.classList.toggle('kf-split', split);
      countHidden();
    }

    function update(tick) {
      last = tick;
      live = new Map();
      for (const [index, delivered, sent, phase2, phase4] of tick.arrows || []) {
        if (g.arrows[index] && Math.max(delivered, sent) > LIVE_MWH) live.set(index, { delivered, sent, phase2, phase4 });
      }
      for (const [index, e] of d.arrows) if (!live.has(index)) setLive(e, false);
      for (const [index, amount] of live) drawArrow(index, amount);
      (tick.levels_pct || []).forEach((pct, i) => drawLevel(i, pct));
      countHidden();
      if (shown) showTip(shown.target, shown.content);
    }

    function drawArrow(index, amount) {
      let e = d.arrows.get(index);
      if (!e) {
        e = arrowElements(d, g, index);
        d.arrows.set(index, e);
        listen(e.group, () => arrowTip(index));
        e.group.getBoundingClientRect(); // so that the first appearance fades in, too
      }
      const a = g.arrows[index];
      setRibbon(e.whole, arrowWidth(g, amount.delivered));
      if (e.out) { setRibbon(e.out, arrowWidth(g, amount.sent)); setRibbon(e.into, arrowWidth(g, amount.delivered)); }
      if (e.label) placePill(e.label, a.label, a.anchor, g.labelBox, g.font, [formatEnergy(amount.delivered)]);
      if (e.splitLabel) {
        if (a.hops === 1) placePill(e.splitLabel, a.splitLabel, a.splitAnchor, g.splitLabelBox, g.font, ['▲' + THIN + formatEnergy(amount.sent), '▼' + THIN + formatEnergy(amount.delivered)]);
        else placePill(e.splitLabel, a.splitLabel, a.splitAnchor, g.labelBox, g.font, [formatEnergy(amount.delivered)]);
      }
      e.group.setAttribute('aria-label', arrowTip(index).map(row => row.join(' ')).join(', '));
      setLive(e, true);
    }

    function setRibbon(part, width) {
      part.ribbon.setAttribute('d', polygonPath(ribbon(part.path, width)));
      part.dash.style.strokeWidth = Math.min(2.6, Math.max(1.3, width * 0.22));
    }

    function setLive(e, on) {
      e.group.classList.toggle('kf-off', !on);
      for (const l of e.labels) l.classList.toggle('kf-off', !on);
      if (on) e.group.setAttribute('tabindex', 0); else { e.group.removeAttribute('tabindex'); if (shown && shown.target === e.group) hideTip(); }
    }

    function drawLevel(i, pct) {
      const n = d.nodes[i];
      if (!n) return;
      const known = Number.isFinite(pct), below = (last.flags || [])[i], forced = (last.forced || [])[i];
      n.fill.style.transform = `translateY(${n1(n.r - 2 * n.r * Math.min(Math.max(known ? pct : 0, 0), 100) / 100)}px)`;
      n.level.textContent = known ? formatNumber(pct) + NBSP + '%' : '–';
      const unmet = ((last.zones || [])[i] || [])[4] || 0;
      n.short.textContent = unmet > LIVE_MWH ? MINUS + formatEnergy(unmet) : '';
      n.group.classList.toggle('kf-short', unmet > LIVE_MWH);
      n.group.classList.toggle('kf-below-min', Boolean(below));
      n.group.classList.toggle('kf-forced', Boolean(forced));
      n.group.setAttribute('aria-label', nodeTip(i).map(row => row.join(' ')).join(', '));
    }

    function countHidden() {
      let hidden = 0;
      for (const index of live.keys()) if (!(split ? g.arrows[index].splitLabel : g.arrows[index].label)) hidden++;
      note.textContent = hidden ? `${hidden} label${hidden > 1 ? 's' : ''} hidden: see the table` : '';
      if (opt.onHidden) opt.onHidden(hidden);
      return hidden;
    }

    function arrowTip(index) {
      const a = g.arrows[index], amount = live.get(index), name = i => g.nodes[i].id;
      const rows = [[name(a.supplier) + ' → ' + name(a.importer) + (a.transit === null ? '' : ' via ' + name(a.transit)), '']];
      if (!amount) return rows;
      if (amount.phase2 > LIVE_MWH) rows.push(['Phase 2, forced export', formatEnergy(amount.phase2)]);
      if (amount.phase4 > LIVE_MWH) rows.push(['Phase 4, import', formatEnergy(amount.phase4)]);
      rows.push(['Sent', formatEnergy(amount.sent)], ['Delivered', formatEnergy(amount.delivered)]);
      const lost = amount.sent - amount.delivered;
      rows.push(['Lost on the way', lost > 0 && lost < 0.5 ? '<' + NBSP + '1' + NBSP + 'MWh' : formatEnergy(lost)]);
      return rows;
    }

    function nodeTip(i) {
      const n = g.nodes[i], rows = [[n.id + (n.name && n.name !== n.id ? ' · ' + n.name : ''), '']];
      if (!last) return rows;
      const pct = (last.levels_pct || [])[i];
      if (Number.isFinite(pct)) rows.push(['Reservoir', formatNumber(pct, 1) + NBSP + '% of full']);
      if ((last.forced || [])[i]) rows.push(['Force-export', `level ≥ ${formatNumber(n.force)}${NBSP}%`]);
      if ((last.flags || [])[i]) rows.push(['Below minimum', `level < ${formatNumber(n.min, 1)}${NBSP}%`]);
      const names = ['Demand', 'Wind used', 'Own hydro', 'Imported', 'Unmet', 'Exported'];
      ((last.zones || [])[i] || []).forEach((mwh, k) => { if (names[k]) rows.push([names[k], formatEnergy(mwh)]); });
      return rows;
    }

    function showTip(target, content) {
      shown = { target, content };
      tip.replaceChildren();
      content().forEach(([left, right], i) => {
        const row = element('div', i ? 'kf-tip-row' : 'kf-tip-head', tip);
        element('span', '', row).textContent = left;
        if (right) element('span', 'kf-tip-value', row).textContent = right;
      });
      tip.hidden = false;
      const area = root.getBoundingClientRect(), box = (target.querySelector('.kf-hit') || target).getBoundingClientRect();
      const x = box.left + box.width / 2 - area.left, w = tip.offsetWidth, h = tip.offsetHeight;
      let y = box.top - area.top - h - 10;
      if (target.classList.contains('kf-arrow')) y = box.top + box.height / 2 - area.top - h - 18;
      if (y < 4) y = Math.min(box.bottom - area.top + 10, area.height - h - 4);
      tip.style.left = Math.min(Math.max(x - w / 2, 4), Math.max(area.width - w - 4, 4)) + 'px';
      tip.style.top = Math.max(y, 4) + 'px';
      target.setAttribute('aria-describedby', tip.id);
    }

    function hideTip() {
      if (shown) shown.target.removeAttribute('aria-describedby');
      shown = null;
      tip.hidden = true;
    }

    /** Polygons as drawn now, unrounded, by arrow key; of the split drawing "key ▲" and "key ▼". */
    function polygons() {
      const out = {};
      for (const [index, amount] of live) {
        const a = g.arrows[index];
        if (split && a.hops === 1) {
          const halves = splitPaths(a.path);
          out[a.key + ' ▲'] = ribbon(halves[0], arrowWidth(g, amount.sent));
          out[a.key + ' ▼'] = ribbon(halves[1], arrowWidth(g, amount.delivered));
        } else out[a.key] = ribbon(a.path, arrowWidth(g, amount.delivered));
      }
      return out;
    }

    const onVisibility = () => root.classList.toggle('kf-hidden', document.hidden);
    const onKey = event => { if (event.key === 'Escape' && shown) hideTip(); };
    document.addEventListener('visibilitychange', onVisibility);
    document.addEventListener('keydown', onKey);
    const fit = width => { const next = opt.compact && width > 0 && width < opt.compactBelow ? opt.compact : geometry; if (next !== g || !d) rebuild(next); };
    fit(root.clientWidth);
    let observer = null;
    if (opt.compact && window.ResizeObserver) { observer = new ResizeObserver(() => fit(root.clientWidth)); observer.observe(root); }

    function destroy() {
      document.removeEventListener('visibilitychange', onVisibility);
      document.removeEventListener('keydown', onKey);
      if (observer) observer.disconnect();
      root.remove();
    }

    return { update, setSplit, polygons, destroy, hiddenLabels: () => countHidden(), element: root };
  }

  window.kraftflyt = window.kraftflyt || {};
  window.kraftflyt.network = { mount, ribbon, splitPaths, arrowWidth, formatEnergy, formatNumber, element };
})();
