/* The community page, drawn from the tick's message (energy_sim/community/message.py says what is in it).
 * assets/live.js keeps what every live page has, assets/street.js draws the street. */
(function () {
  'use strict';
  const kf = window.kraftflyt = window.kraftflyt || {}, live = kf.live = kf.live || {};
  const PRICES = ['price_pv_delivery', 'price_house_consumption', 'price_grid_delivery', 'price_grid_consumption'];
  const DAY_MS = 86400000, ASK_EVERY_MS = 4000, MOST_ROWS = 100;
  let page = null;

  const el = (...given) => live.el(...given), byId = id => document.getElementById(id), number = (v, d) => live.number(v, d);
  const NBSP = '\u00a0';
  /** Power with two or three significant places: W below 1 kW, kW, MW. */
  const power = w => Math.abs(w) < 999.5 ? [number(w, 0), 'W'] : Math.abs(w) < 999500 ? [number(w / 1000, Math.abs(w) < 99950 ? 2 : 1), 'kW'] : [number(w / 1e6, 2), 'MW'];
  const energy = kwh => Math.abs(kwh) < 999.5 ? [number(kwh, Math.abs(kwh) < 99.5 ? 2 : 1), 'kWh'] : [number(kwh / 1000, Math.abs(kwh) < 99500 ? 2 : 0), 'MWh'];
  const said = parts => parts.filter(Boolean).join(NBSP);
  const watts = w => number(w, 0) + NBSP + 'W';
  const money = ct => number(ct / 100, 2);
  const cents = ct => Math.abs(ct) < 9999.5 ? [number(ct, Math.abs(ct) < 999.5 ? 1 : 0), 'ct'] : [number(ct / 1000, Math.abs(ct) < 99950 ? 1 : 0), 'kct'];
  const percent = share => share === null ? ['–', ''] : [number(100 * share, 0), '%'];
  const share = (whole, rest) => whole > 1e-9 ? (whole - rest) / whole : null;

  // --- the street's clock: ticks are of different length where somebody changed the time scale ---
  function timeOf(tick) {
    let at = 0, ms = page.fixed.startMs, scale = page.fixed.scale;
    for (const [when, control, value] of page.events) {
      if (control !== 'time_scale') continue;
      if (when > tick) break;
      ms += (when - at) * Math.round(page.fixed.intervalMs * scale);
      at = when; scale = value;
    }
    return ms + (tick - at) * Math.round(page.fixed.intervalMs * scale);
  }
  const parts = (ms, options) => new Date(ms).toLocaleString('en-GB', Object.assign({ timeZone: page.fixed.timezone }, options));
  const clock = (ms, seconds) => parts(ms, { hour: '2-digit', minute: '2-digit', ...(seconds ? { second: '2-digit' } : {}) });
  const moment = (ms, seconds) => parts(ms, { weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' }) + ', ' + clock(ms, seconds);
  const dayOf = tick => parts(timeOf(tick), { day: 'numeric', month: 'short' });
  const scaleText = scale => scale === 1 ? 'real time' : scale < 60 ? `${number(scale, 0)} times real time` : scale < 3600 ? `${number(scale / 60, 0)} min a second` : `${number(scale / 3600, 0)} h a second`;

  // --- what a message holds of the houses ---
  function bytes(text) {
    const raw = atob(text), out = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i);
    return out;
  }
  function masksOf(text, count) {
    const raw = bytes(text), out = new Uint8Array(count);
    for (let i = 0; i < count; i++) out[i] = raw[i >> 1] >> (4 * (i & 1)) & 15;
    return out;
  }
  /** Four houses a character, states as digits of base 3; the backslash is left out of the characters. */
  function statesOf(text, count) {
    const out = new Uint8Array(count);
    for (let i = 0; i < count; i++) { const c = text.charCodeAt(i >> 2); out[i] = Math.floor((c - 35 - (c > 92)) / 3 ** (i & 3)) % 3; }
    return out;
  }
  function housesOf(m) {
    if (m.f) return { net: Float64Array.from(m.f, r => Math.round(10 * (r[0] - r[1] - r[2])) / 10), masks: Uint8Array.from(m.f, r => r[3]), states: null, trunks: null };
    if (m.h) {
      const raw = bytes(m.h), view = new DataView(raw.buffer), net = new Float64Array(m.H);
      for (let i = 0; i < m.H; i++) net[i] = m.u * view.getInt16(2 * i, true);
      return { net, masks: masksOf(m.k, m.H), states: null, trunks: null };
    }
    return { net: null, masks: null, states: statesOf(m.q, m.H), trunks: m.w.map(kw => 1000 * kw) };
  }
  const picture = (m, houses) => ({ net: houses.net, states: houses.states, trunks: houses.trunks, grid_w: m.c[2], shared_w: m.c[5] });
  const running = mask => page.fixed.appliances.filter((a, i) => mask >> i & 1).map(a => a[1]);
  const idOf = i => page.fixed.houses[i][0];
  const focused = i => (page.last.F || []).find(row => row[0] === i);

  // --- opening ---
  function open(fixed, link) {
    const box = byId('community-street');
    page = live.open({
      name: 'community', path: '/community', prefix: 'community-', box, fixed, session: link.session, key: link.key, charted: 0,
      scrubLabel: 'Moment', rules: Boolean(link.key) && !fixed.speeds, houses: null, focus: [], hovered: null, selected: null, furthest: 0, asked: {}, waiting: {}, stride: fixed.stride,
      draw, drawTab, tabShown: name => ask(name, true), say, marks, hint, lines, appendRows, storyNeeds: () => '', opensAnew: () => Boolean(fixed.run), actions,
      tickText: tick => moment(timeOf(tick), true), endText: tick => (dayOf(page.fixed.first || 0) === dayOf(page.furthest) ? '' : dayOf(tick) + ', ') + clock(timeOf(tick), false), min: () => fixed.first || 0, max: m => fixed.speeds ? m.n : page.furthest,
      speed: fixed.speeds ? { name: 'speed', values: fixed.speeds, of: m => m.r } : { name: 'time_scale', values: fixed.scales, of: m => m.set.time_scale },
      formatRange: (name, value, unit) => name === 'time_scale' ? scaleText(fixed.scales[value]) : name === 'speed' ? number(fixed.speeds[value], 0) + NBSP + 'ticks/s' : unit + NBSP + value.toFixed(2),
      rangeValue: (name, value) => name === 'time_scale' ? fixed.scales[value] : value,
    });
    page.net = kf.street.mount(box, fixed.geometry, { compact: fixed.compact, houses: fixed.houses, full_scale_w: fixed.fullScaleW, label: 'Street of ' + fixed.houses.length + ' houses', tip, onHover: hover, onSelect: select });
    page.cards = live.buildCards(byId('community-cards'), ['Production', 'Consumption', 'From the grid', 'To the grid', 'Shared inside', 'Self-consumption', 'Self-sufficiency', 'Community result']);
    kf.setQuery(Object.fromEntries(['houses', 'seed', 'time_scale', 'place', 'update_interval_ms'].map(name => [name, null])));
    buildInputs();
    drawHouse();
  }

  // --- a tick ---
  function draw(m, before) {
    if (before && m.id !== undefined && m.id !== page.fixed.id) { location.reload(); return; } // begun again as another street
    if (!before || before.ep !== m.ep) page.furthest = 0;
    page.furthest = Math.max(page.furthest, m.t);
    page.houses = housesOf(m);
    page.net.update(picture(m, page.houses));
    page.net.redrawTip();
    drawCards(m);
    byId('community-picture-title').textContent = `The street on ${moment(1000 * m.at[0], m.set.time_scale < 60)}`;
    byId('community-balance').textContent = balance(m);
    drawSettings(m);
    drawHouse();
    const stopped = before && before.p && !m.p;
    if (page.selected !== null) ask('hour', stopped);
    ask(page.tab, stopped);
  }
  function balance(m) {
    const net = m.c[2];
    return Math.abs(net) < 10 ? '● in balance' : net > 0 ? `▲ ${said(power(net))} to the grid` : `▼ ${said(power(-net))} from the grid`;
  }
  function lines(m) {
    const off = [m.set.pv_variation === 'disabled' ? 'clouds off' : '', m.set.flex_load_probability < 1 ? `appliance runs ×${NBSP}${m.set.flex_load_probability}` : ''].filter(Boolean);
    const scale = m.set.time_scale === 1 ? 'real time' : '×' + NBSP + number(m.set.time_scale, m.set.time_scale % 1 ? 1 : 0);
    return [clock(1000 * m.at[0], m.set.time_scale < 60), parts(1000 * m.at[0], { weekday: 'short', day: 'numeric', month: 'long', year: 'numeric' }) + ' · ' + scale + (m.e ? ' · the end' : m.p ? '' : ' · paused'), off.join(', ')];
  }
  function drawCards(m) {
    const [production, consumption, , from, to, shared] = m.c, [made, used, imported, exported, inside] = m.m, since = kwh => said(energy(kwh)) + ' so far';
    const fill = (i, value, note, more) => live.fillCard(page.cards[i], value, note, more || '', false);
    fill(0, power(production), since(made)); fill(1, power(consumption), since(used));
    fill(2, power(from), since(imported)); fill(3, power(to), since(exported)); fill(4, power(shared), since(inside));
    fill(5, percent(share(production, to)), said(percent(share(made, exported))) + ' so far');
    fill(6, percent(share(consumption, from)), said(percent(share(used, imported))) + ' so far');
    fill(7, [...cents(m.x[0])].map((text, i) => i ? text + '/h' : text), said(cents(m.m[5])) + ' so far');
  }
  const say = m => `${clock(1000 * m.at[0])}: production ${said(power(m.c[0]))}, consumption ${said(power(m.c[1]))}, ${balance(m).slice(2)}`;
  const hint = () => '';
  function marks() {
    return page.events.filter(([tick]) => tick <= page.furthest).map(([tick, control, value]) => [tick, `${clock(timeOf(tick), true)}: ${eventText(control, value)}`]);
  }
  function eventText(control, value) {
    const [family, ...rest] = control.split('.'), name = rest.join('.'), labels = { pv_kwp: 'PV kWp of', base_load_kwh: 'base load kWh a year of' };
    if (family === 'start') { const at = name.lastIndexOf('.'); return `${label(name.slice(at + 1))} of ${name.slice(0, at)} started`; }
    return labels[family] ? `${labels[family]} ${name} ${value}` : control.replaceAll('_', ' ') + ' ' + value;
  }
  const label = name => (page.fixed.appliances.find(a => a[0] === name) || [name, name])[1];

  // --- hovering and choosing houses; the server tells more about those that somebody looks at ---
  function tip(kind, i) {
    const m = page.last, h = page.houses, to = w => w > 0 ? ['to', w] : ['from', -w];
    if (kind === 'bus') return ['Community bus', ['Houses', number(m.H, 0)], ['Shared inside', watts(m.c[5])], ['Net', watts(m.c[2])]];
    if (kind === 'grid') { const [word, w] = to(m.c[2]); return ['External grid', [word === 'to' ? 'Bus → grid' : 'Grid → bus', watts(w)]]; }
    if (kind === 'trunk') {
      const per = page.fixed.geometry.per, first = i * per, last = Math.min(first + per, m.H) - 1;
      const w = h.trunks ? h.trunks[i] : h.net.subarray(first, last + 1).reduce((sum, v) => sum + v, 0);
      return [`Feeder ${i + 1}: ${idOf(first)} to ${idOf(last)}`, [w > 0 ? 'Feeder → bus' : 'Bus → feeder', h.trunks ? '≈ ' + number(Math.abs(w) / 1000, 0) + NBSP + 'kW' : watts(Math.abs(w))]];
    }
    const near = focused(i), own = m.f ? m.f[i] : near && near.slice(1, 5), net = own ? Math.round(10 * (own[0] - own[1] - own[2])) / 10 : h.net ? h.net[i] : null;
    const word = net === null ? ['idle', 'exports', 'imports'][h.states[i]] : net > 10 ? 'exports' : net < -10 ? 'imports' : 'idle';
    if (kind === 'edge') return [`${idOf(i)} ${word}`, net === null ? '…' : [net > 0 ? `${idOf(i)} → bus` : `Bus → ${idOf(i)}`, watts(Math.abs(net))]];
    const told = [`${idOf(i)} ${word}`];
    if (own) told.push(['Production', watts(own[0])], ['Base load', watts(own[1])], ['Flexible loads', watts(own[2])]);
    if (net !== null) told.push(['Net', watts(net)]);
    const runs = running(own ? own[3] : h.masks ? h.masks[i] : 0);
    told.push(runs.length ? ['Running', runs.join(', ')] : own || h.masks ? 'No appliance runs' : '…');
    return told;
  }
  function hover(i) { page.hovered = i; refocus(); }
  function select(i) {
    page.selected = i;
    page.net.select(i);
    const hour = byId('community-house-hour');
    if (hour) hour.hidden = i === null;
    drawHouse();
    refocus();
    ask('hour', true);
  }
  function refocus() {
    const wanted = [page.selected, page.last.f ? null : page.hovered].filter((v, at, all) => v !== null && v !== undefined && all.indexOf(v) === at);
    if (String(wanted) === String(page.focus) || page.fixed.speeds) return;
    page.focus = wanted;
    clearTimeout(page.refocusing);
    page.refocusing = setTimeout(() => {
      if (live.page() !== page) return;
      live.setProps('seen', { data: { t: -1, v: -1, ep: page.last.ep, f: page.focus } });
      live.setProps('tick', { n_intervals: Date.now() % 1e9 });
    }, 80);
  }

  // --- the chosen house ---
  function drawHouse() {
    const place = byId('community-house'), i = page.selected;
    if (i === null) { if (place.dataset.house !== 'none') { place.dataset.house = 'none'; place.replaceChildren(el('h2', 'kf-card-title', 'One house'), el('p', 'kf-empty', 'Click a house in the picture to see its meters and its last hour' + (page.rules ? ', to start its appliances, or to change its roof.' : '.'))); } return; }
    if (place.dataset.house !== String(i)) buildHouse(place, i);
    const row = focused(i) || (page.fixed.speeds && page.last.f && [i, ...page.last.f[i], null, null, null, null, null, null]); // a replay has no meters of houses
    if (!row) return;
    const [, pv, base, flex, mask, exported, imported, sold, bought, left, own] = row, net = Math.round(10 * (pv - base - flex)) / 10;
    const texts = { net: (net > 10 ? '▲ exports ' : net < -10 ? '▼ imports ' : '● idle ') + watts(Math.abs(net)), pv: watts(pv), base: watts(base), flex: watts(flex), exported: exported === null ? '–' : said(energy(exported)), imported: imported === null ? '–' : said(energy(imported)), sold: sold === null ? '–' : money(sold), bought: bought === null ? '–' : money(bought) };
    for (const [name, text] of Object.entries(texts)) place.querySelector(`[data-value="${name}"]`).textContent = text;
    page.fixed.appliances.forEach(([name], a) => {
      const state = place.querySelector(`[data-left="${name}"]`);
      if (state) state.textContent = left && left[a] > 0 ? `runs, ${number(Math.ceil(left[a] / 60), 0)}${NBSP}min left` : mask >> a & 1 ? 'runs' : 'off';
    });
    for (const [name, value] of own ? [['pv_kwp', own[0]], ['base_load_kwh', own[1]]] : []) {
      const input = byId('house-' + name);
      if (input && document.activeElement !== input) input.value = value;
    }
  }
  function buildHouse(place, i) {
    const id = idOf(i), owned = page.fixed.houses[i].length > 5 ? page.fixed.houses[i][5] : 15;
    place.dataset.house = i;
    const head = el('div', 'kf-card-head'), close = el('button', 'kf-chip', 'Close'), list = el('dl', 'kf-values');
    close.type = 'button'; close.dataset.action = 'close-house';
    head.append(el('h2', 'kf-card-title', id), close);
    const rows = [['net', 'Net power'], ['pv', 'Production'], ['base', 'Base load'], ['flex', 'Flexible loads'], ['exported', 'Given so far'], ['imported', 'Drawn so far'], ['sold', 'Sold, 100 ct'], ['bought', 'Bought, 100 ct']];
    for (const [name, text] of rows) { const value = el('dd', '', '…'); value.dataset.value = name; list.append(el('dt', '', text), value); }
    place.replaceChildren(head, list);
    const machines = el('ul', 'kf-machines');
    page.fixed.appliances.forEach(([name, text], a) => {
      if (!(owned >> a & 1)) return;
      const item = el('li'), state = el('span', 'kf-machine-state', 'off');
      state.dataset.left = name;
      item.append(el('span', '', text), state);
      if (page.rules) {
        const button = el('button', 'kf-chip', 'Start now');
        button.type = 'button'; button.dataset.action = 'start-appliance'; button.dataset.start = `start.${id}.${name}`;
        button.setAttribute('aria-label', `Start the ${text} of ${id} now`);
        item.append(button);
      }
      machines.append(item);
    });
    place.append(machines.children.length ? machines : el('p', 'kf-empty', 'It has no flexible appliance.'));
    if (!page.rules) return;
    const fields = el('div', 'kf-inputs');
    fields.append(field(`pv_kwp.${id}`, 'house-pv_kwp', 'PV, kWp'), field(`base_load_kwh.${id}`, 'house-base_load_kwh', 'Base load, kWh a year'));
    place.append(fields);
  }
  const actions = {
    'close-house': () => select(null),
    'start-appliance': button => kf.send(button.dataset.start, Date.now()),
    restart: () => kf.send('restart', Object.fromEntries([...document.querySelectorAll('.kf-settings-again input')].map(input => [input.name, input.value]))),
  };

  // --- numbers that people type: the server says what is wrong with them ---
  function field(control, id, text, value, hint) {
    const box = el('div', 'kf-input'), name = el('label', '', text), input = el('input');
    Object.assign(input, { id, type: 'text', inputMode: 'decimal', autocomplete: 'off', value: value === undefined ? '' : value });
    name.htmlFor = id;
    if (hint) input.title = hint;
    input.addEventListener('change', () => kf.send(control, typed(input.value)));
    input.addEventListener('keydown', event => { if (event.key === 'Enter') input.blur(); });
    box.append(name, input);
    return box;
  }
  function typed(text) {
    const plain = text.trim().replace(',', '.').replace('\u2212', '-');
    return /^[-+]?(\d+\.?\d*|\.\d+)$/.test(plain) ? Number(plain) : text;
  }
  function buildInputs() {
    document.querySelectorAll('.kf-input[data-name]:not([data-ready])').forEach(place => {
      const d = place.dataset;
      d.ready = '1';
      if (d.kind === 'price') { place.replaceWith(field(d.name, 'input-' + d.name, d.label, d.value, d.hint)); return; }
      const name = el('label', '', d.label), input = el('input');
      Object.assign(input, { id: 'input-' + d.name, name: d.name, type: d.kind, value: d.value });
      if (d.kind === 'number') Object.assign(input, { inputMode: 'numeric', step: 1 });
      name.htmlFor = input.id;
      place.append(name, input);
    });
  }
  function drawSettings(m) {
    const clouds = document.querySelector('[data-switch="pv_variation"]'), runs = document.querySelector('[data-range="flex_load_probability"]');
    if (clouds) clouds.setAttribute('aria-checked', String(m.set.pv_variation === 'enabled'));
    if (runs && runs.kfSet) runs.kfSet(m.set.flex_load_probability);
    for (const name of PRICES) {
      const input = byId('input-' + name);
      if (input && document.activeElement !== input) input.value = m.set[name];
    }
  }

  // --- tabs ---
  function drawTab(name) {
    if (!page.last) return;
    if (name === 'prices') drawPrices();
    if (name === 'houses') drawHouses();
    if (name === 'export') drawCommand();
  }
  /** What only the server can draw, at most every few seconds: today's energy, statements, the chosen house's hour. */
  function ask(name, now) {
    const stores = { day: 'sankey-ask', statements: 'statements-ask', hour: 'selected' };
    if (!stores[name] || live.page() !== page || page.fixed.speeds) return;
    const wait = (page.asked[name] || 0) + ASK_EVERY_MS - Date.now();
    clearTimeout(page.waiting[name]);
    if (!now && wait > 0) { page.waiting[name] = setTimeout(() => { if (name === 'hour' || name === page.tab) ask(name); }, wait); return; } // the last one late rather than never
    if (!now && document.hidden) return;
    page.asked[name] = Date.now();
    live.setProps(stores[name], { data: { n: Date.now(), house: page.selected } });
  }
  function drawPrices() {
    const m = page.last, place = byId('community-break-even'), [result, price, reason, capped, applies, cost] = m.x, parts_ = [];
    const ct = v => number(v, 2) + NBSP + 'ct/kWh';
    parts_.push(el('p', '', `The community ${result >= 0 ? 'earns' : 'loses'} ${number(Math.abs(result), 1)}${NBSP}ct/h right now.`));
    if (price === null) parts_.push(el('p', 'kf-empty', `No break-even price: ${reason}`));
    else {
      parts_.push(el('p', '', `Break-even: at a house consumption price of ${ct(price)} the community neither earns nor loses.`));
      parts_.push(el('p', '', applies ? `▲ That is above the grid's price. Capped at ${ct(capped)}, the community loses ${number(cost, 1)}${NBSP}ct/h.` : `It is not above the grid's price of ${ct((m.now || m.set).price_grid_consumption)}: no cap needed.`));
    }
    const buttons = el('div', 'kf-row');
    if (page.rules && price !== null) {
      for (const [text, value] of [['Apply the break-even price', price], ...(applies ? [['Apply the capped price', capped]] : [])]) {
        const button = el('button', 'kf-button', text);
        button.type = 'button'; button.dataset.action = 'apply-price'; button.dataset.price = Math.max(0, value);
        buttons.append(button);
      }
    }
    if (m.now) parts_.push(el('p', 'kf-empty', 'The new prices act from the next tick on.'));
    const old = place.querySelector('.kf-row'), keep = old && old.textContent === buttons.textContent; // a button under the mouse stays
    if (keep) [...old.children].forEach((b, i) => { b.dataset.price = buttons.children[i].dataset.price; });
    const text = el('div');
    text.append(...parts_);
    if (keep) place.firstChild.replaceWith(text); else place.replaceChildren(text, buttons);
    if (!due('flows', m.H)) return;
    drawFlows(m);
  }
  actions['apply-price'] = button => kf.send('price_house_consumption', Number(button.dataset.price));
  /** Long tables are drawn anew every two seconds only. */
  function due(name, rows) {
    const at = page.asked['table-' + name] || 0, changed = page.asked['tab-of-' + name] !== page.tab;
    if (!changed && rows > MOST_ROWS && Date.now() - at < 2000) return false;
    page.asked['table-' + name] = Date.now();
    page.asked['tab-of-' + name] = page.tab;
    return true;
  }
  function drawFlows(m) {
    const place = byId('community-flows'), p = Object.assign({}, m.set, m.now), net = page.houses.net, surplus = (m.c[5] + m.c[4]) / 1000, deficit = (m.c[5] + m.c[3]) / 1000;
    const row = (name, sold, bought, priceSold, priceBought) => [name, sold, bought, sold * priceSold, bought * priceBought];
    const rows = net ? Array.from(net, (w, i) => row(idOf(i), Math.max(w, 0) / 1000, Math.max(-w, 0) / 1000, p.price_pv_delivery, p.price_house_consumption)) : [];
    rows.push(row('Houses together', surplus, deficit, p.price_pv_delivery, p.price_house_consumption));
    rows.push(row('Grid', m.c[3] / 1000, m.c[4] / 1000, p.price_grid_consumption, p.price_grid_delivery));
    rows.push(['Community result', '', '', '', m.x[0]]);
    live.fillTable(place, [[''], ['Sells, kW', 3], ['Buys, kW', 3], ['Gets, ct/h', 2], ['Pays, ct/h', 2]], rows, net ? 'Who sells and buys right now' : `Who sells and buys right now; single houses are shown up to ${number(800, 0)}, all are in the exported table`);
  }
  function drawHouses() {
    const m = page.last, h = page.houses, place = byId('community-houses');
    if (!due('houses', m.H)) return;
    if (!h.net) {
      const per = page.fixed.geometry.per;
      live.fillTable(place, [['Feeder'], ['First house'], ['Houses', 0], ['Net, kW', 0]], h.trunks.map((w, f) => [`Feeder ${f + 1}`, idOf(f * per), Math.min(per, m.H - f * per), w / 1000]), 'Feeders; the exported table has every house');
      return;
    }
    const all = Boolean(m.f), heads = [['House'], ...(all ? [['Production, W', 0], ['Base load, W', 0], ['Flexible, W', 0]] : []), ['Net, W', 0], [''], ['Running'], ['PV, kWp', 1], ['Base load, kWh a year', 0]];
    const rows = page.fixed.houses.map(([id, kwp, , , base], i) => {
      const w = h.net[i];
      return [id, ...(all ? m.f[i].slice(0, 3) : []), w, w > 10 ? '▲ exports' : w < -10 ? '▼ imports' : '● idle', running(h.masks[i]).join(', ') || '–', kwp, base];
    });
    live.fillTable(place, heads, rows, `Houses at ${clock(1000 * m.at[0], true)}`);
  }
  document.addEventListener('click', event => {
    const row = event.target.closest && event.target.closest('#community-houses tbody tr');
    if (row && page && page.houses && page.houses.net) select([...row.parentElement.children].indexOf(row));
  });
  function drawCommand() {
    const m = page.last, changes = page.events.filter(e => e[0] >= 0 && e[0] <= m.t).map(([tick, control, value]) => `--change ${tick}:${control}=${value}`);
    byId('community-command-line').textContent = [page.fixed.command, `--ticks ${m.t + 1}`, ...changes].join(' \\\n  ');
    byId('community-api').textContent = `GET ${location.origin}/api/community/${page.session}/state`;
  }

  // --- the chart of the street: its last point moves on every tick, points stay on every stride-th ---
  function appendRows(rows) {
    const chart = live.graph('community-power');
    if (!chart) return false;
    const data = chart.data, stride = page.stride || 1, last = page.loose ? -1 : undefined;
    const kept = rows.filter((row, i) => row[0] % stride === 0 || i === rows.length - 1), until = rows[rows.length - 1][1], from = until - page.window;
    const x = [...data[0].x.slice(0, last), ...kept.map(row => local(row[1]))], low = x.findIndex(v => v >= local(from));
    const columns = [2, 3, 4, 5], sign = [1, 1, 1, 1];
    const ys = columns.map((c, k) => [...data[k].y.slice(0, last), ...kept.map(row => sign[k] * row[c] / 1000)].slice(Math.max(low, 0)));
    const xs = x.slice(Math.max(low, 0));
    page.loose = rows[rows.length - 1][0] % stride !== 0;
    window.Plotly.update(chart, { x: ys.map(() => xs), y: ys }, { 'xaxis.range': [xs[0], xs[xs.length - 1]] }, columns.map((c, k) => k));
    return true;
  }
  /** A moment as the charts have it: the street's clock, without an offset. */
  const local = s => new Date(1000 * s + 60000 * page.last.o).toISOString().slice(0, 23);

  /** A day of a small street, an hour at a time, for the overview. */
  (kf.previews = kf.previews || {}).community = (place, fixed) => ({
    drawing: kf.street.mount(place, fixed.geometry, { houses: fixed.houses, label: 'A small street over a day, an hour at a time', maxHeight: () => 420 }),
    first: 8, state: m => picture(m, housesOf(m)),
  });

  (live.replays = live.replays || {}).community = drawCommunity;
  kf.communityPage = () => page && live.page() === page ? page : null;
  function drawCommunity(message, fixed, link) {
    const box = byId('community-street'), none = window.dash_clientside.no_update;
    if (!message || !fixed || !box) return none;
    if (!page || page.box !== box) { open(fixed, link); page.charted = message.t; page.loose = message.t % (fixed.stride || 1) !== 0; }
    const seen = live.receive(page, message);
    return seen === none ? none : Object.assign(seen, { f: page.focus });
  }
  window.dash_clientside = Object.assign({}, window.dash_clientside);
  window.dash_clientside.kraftflyt = Object.assign({}, window.dash_clientside.kraftflyt, { drawCommunity });
})();
