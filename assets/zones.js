/* The zones page, drawn from the tick's message (energy_sim/zones/message.py says what is in it).
 * dash_clientside.kraftflyt.draw is the only way in; assets/live.js has what is not about zones. */
(function () {
  'use strict';
  const kf = window.kraftflyt = window.kraftflyt || {};
  const live = kf.live, { el, byId, number, longDate, graph, fillTable, NBSP } = live;
  const DAY_MS = 86400000;
  const SWITCHES = ['wind', 'import_phase1', 'local_hydro', 'import_phase2', 'two_hop', 'share_wind', 'balance_levels'];
  const FACTORS = ['consumption_factor', 'wind_factor', 'inflow_factor'];
  let page = null; // everything about the zones page that was opened last

  const dateOf = tick => new Date(page.first + tick * DAY_MS).toISOString().slice(0, 10);
  const gwh = mwh => Math.abs(mwh) < 999.95 ? [number(mwh, 0), 'MWh'] : [number(mwh / 1000, Math.abs(mwh) < 99950 ? 1 : 0), 'GWh'];
  const amount = mwh => gwh(mwh).join(NBSP);

  /** A message as kf.network wants it. */
  kf.networkTick = function (fixed, m) {
    const arrows = new Map();
    for (const [phase, route, sent, delivered] of m.x) {
      const i = fixed.routes[route], a = arrows.get(i) || [i, 0, 0, 0, 0];
      a[1] += delivered; a[2] += sent; a[phase === 2 ? 3 : 4] += delivered;
      arrows.set(i, a);
    }
    return {
      arrows: [...arrows.values()],
      levels_pct: m.z.map(z => z[8]), flags: m.z.map(z => z[9]), forced: m.z.map(z => z[10]),
      zones: m.z.map(z => [z[0], z[1], z[2], z[3], z[4], z[5]]),
    };
  };

  // --- opening ---
  function open(fixed, link, tick) {
    const box = byId('zones-network');
    if (page && page.box === box) return;
    page = live.open({
      name: 'zones', path: '/zones', prefix: '', box, fixed, session: link.session, key: link.key, charted: tick,
      draw: drawDay, drawTab, tabShown: name => { if (name === 'compare') window.dispatchEvent(new Event('resize')); },
      scrubLabel: 'Day', tickText: t => longDate(dateOf(t)), endText: dateOf,
      lines: m => [longDate(m.d), `day ${number(m.t + 1)} of ${number(m.n + 1)}` + (m.e ? ' · the end' : m.p ? '' : ' · paused'), page.rules],
      marks: () => page.events.map(([t, control, value]) => [t, dateOf(t) + ': ' + eventText(control, value)]),
      say: m => `${longDate(m.d)}: demand ${amount(m.tot[0])}, unmet ${amount(m.tot[7])}`,
      hint: m => m.t === 0 && !m.p ? 'Press ▶ or Space and the days pass. Switches act from the next day on.' : '',
      speed: { name: 'speed', values: fixed.speeds, of: m => m.r }, formatRange: rangeText(fixed.speeds),
      appendRows, storyNeeds, opensAnew: isPlayback, actions: { restart, split },
      first: Date.parse(fixed.first), command: fixed.command, sort: [4, -1], rules: '',
    });
    page.net = kf.network.mount(box, fixed.geometry, { compact: fixed.compact });
    page.cards = live.buildCards(byId('zones-cards'), CARDS.map(([name]) => name));
    buildStart();
    const rules = document.querySelector('.kf-rules');
    if (rules && innerWidth < 900) rules.removeAttribute('open');
  }
  const isPlayback = () => !page.command.includes(' run ');
  const rangeText = speeds => (name, value, unit) => {
    if (name !== 'speed') return unit + NBSP + value.toFixed(2);
    return number(speeds[value], speeds[value] < 1 ? 1 : 0) + NBSP + (speeds[value] === 1 ? 'day/s' : 'days/s');
  };

  const CARDS = [
    ['Demand', t => t[0]], ['Wind used', t => t[1]], ['Local hydro', t => t[2]],
    ['Imports 1', t => t[3] + t[4], t => t[4]], ['Imports 2', t => t[5] + t[6], t => t[6]],
    ['Unmet', t => t[7]], ['Spill', t => t[8]], ['Wind exported', t => t[9]],
  ];
  function drawCards(m) {
    CARDS.forEach(([name, of, hop], i) => {
      const now = of(m.tot), note = m.prev.length ? live.changeText(now - of(m.prev), amount, 0.05) : 'first day';
      const more = hop && hop(m.tot) > 0.05 ? '2-hop ' + amount(hop(m.tot)) : '';
      live.fillCard(page.cards[i], gwh(now), note, more, name === 'Unmet' && now > 1e-6);
    });
  }

  const eventText = (control, value) => (page.fixed.names[control] || control) + (typeof value === 'boolean' ? (value ? ' on' : ' off') : ' × ' + value);
  function buildStart() {
    const place = document.querySelector('.kf-start');
    if (!place) return;
    const d = place.dataset, label = el('label', '', 'First day'), input = el('input');
    Object.assign(input, { type: 'date', id: 'start-date', value: d.start, min: d.first, max: d.last });
    label.htmlFor = 'start-date';
    place.replaceChildren(label, input);
  }
  const restart = () => !byId('start-date').value ? kf.toast('Choose a first day, such as ' + dateOf(0) + '.') : kf.send('restart', { start: byId('start-date').value, reservoir_factor: Number(byId('range-reservoir_factor').value) });
  const split = button => {
    const on = button.getAttribute('aria-pressed') !== 'true';
    button.setAttribute('aria-pressed', String(on));
    page.net.setSplit(on);
  };

  function drawSettings(m) {
    for (const name of SWITCHES) {
      const button = document.querySelector(`[data-switch="${name}"]`);
      if (button) button.setAttribute('aria-checked', String(Boolean(m.set[name])));
    }
    for (const name of FACTORS) {
      const range = document.querySelector(`[data-range="${name}"]`);
      if (range && range.kfSet) range.kfSet(m.set[name]);
    }
    page.rules = rulesIn(m.now || m.set); // of the day shown; the switches stand as they will act tomorrow
  }
  function rulesIn(set) {
    const off = SWITCHES.slice(0, 5).filter(name => !set[name]).map(name => page.fixed.names[name]);
    const on = SWITCHES.slice(5).filter(name => set[name]).map(name => page.fixed.names[name]);
    const parts = [...off.map(n => n + ' off'), ...on.map(n => n + ' on'), ...FACTORS.filter(n => set[n] !== 1).map(n => page.fixed.names[n] + ' ×' + NBSP + set[n])];
    return parts.join(', ');
  }

  // --- tables ---
  const TABS = { transfers: drawTransfers, explain: drawExplain, table: drawZones, days: drawDays, export: drawCommand };
  const drawTab = name => { if (TABS[name]) TABS[name](); };
  function transferRows(m) {
    return m.x.map(([phase, route, sent, delivered, bound, wind]) => {
      const a = page.fixed.geometry.arrows[page.fixed.routes[route]], id = i => page.fixed.zones[i];
      return [phase === 2 ? 'Imports 1' : 'Imports 2', id(a.supplier), id(a.importer), a.transit === null ? '–' : id(a.transit), sent, delivered, sent - delivered, wind ? 'wind' : 'hydro', page.fixed.bounds[bound]];
    });
  }
  const TRANSFER_HEADS = [['Phase'], ['From'], ['To'], ['Through'], ['Sent, MWh', 1], ['Delivered, MWh', 1], ['Lost, MWh', 1], ['Source'], ['What limited it']];
  function drawTransfers() {
    const m = page.last, [column, way] = page.sort, rows = transferRows(m);
    rows.sort((a, b) => way * (typeof a[column] === 'number' ? a[column] - b[column] : String(a[column]).localeCompare(b[column])));
    const place = byId('zones-transfers');
    if (!rows.length) { place.replaceChildren(el('p', 'kf-empty', `No transfer on ${longDate(m.d)}: every zone covered itself${page.rules ? ' or the rules forbid it (' + page.rules + ')' : ''}.`)); return; }
    fillTable(place, TRANSFER_HEADS, rows, `${rows.length} transfers on ${longDate(m.d)}`, page.sort);
  }
  document.addEventListener('click', event => {
    const button = event.target.closest && event.target.closest('#zones-transfers .kf-sort');
    if (!button) return;
    const column = Number(button.dataset.column);
    page.sort = [column, page.sort[0] === column ? -page.sort[1] : column > 3 && column < 7 ? -1 : 1];
    drawTransfers();
  });
  function drawZones() {
    const m = page.last, heads = [['Zone'], ['Demand, MWh', 1], ['Wind used', 1], ['Own hydro', 1], ['Imported', 1], ['Unmet', 1], ['Exported', 1], ['Spill', 1], ['Inflow', 1], ['Level, %', 1], ['State']];
    const rows = m.z.map((z, i) => [page.fixed.zones[i], ...z.slice(0, 9), z[9] ? 'below minimum' : z[10] ? 'forced exporter' : '']);
    fillTable(byId('zones-table'), heads, rows, `Zones on ${longDate(m.d)}, MWh`);
  }
  const DAYS_SHOWN = 60;
  function drawDays() {
    const flows = graph('zones-flows'), levels = graph('zones-reservoirs');
    if (!flows || !levels) return;
    const traces = page.fixed.zones.map(zone => levels.data.find(t => t.name === zone)), x = flows.data[0].x, rows = [];
    for (let i = x.length - 1; i >= 0 && rows.length < DAYS_SHOWN; i--) rows.push([x[i], ...flows.data.slice(0, 6).map(t => t.y[i]), ...traces.map(t => t.y[i])]);
    const heads = [['Day'], ...['Wind used', 'Imports 1', 'Local hydro', 'Imports 2', 'Unmet', 'Demand'].map(n => [n + ', GWh', 1]), ...page.fixed.zones.map(z => [z + ', %', 1])];
    fillTable(byId('zones-days'), heads, rows, `The last ${rows.length} of the days in the charts, newest first; all of them as CSV in Export`);
  }
  function drawExplain() {
    const m = page.last, place = byId('zones-explain'), parts = [];
    const unmet = m.tot[7];
    const text = unmet > 1e-6 ? `${amount(unmet)} of ${amount(m.tot[0])} demand stayed unmet.` : `All demand of ${longDate(m.d)} was met.`;
    parts.push(el('p', unmet > 1e-6 ? 'kf-warning' : '', (unmet > 1e-6 ? '▲ ' : '✓ ') + text + (page.rules ? ` Rules: ${page.rules}.` : '')));
    for (const [zone, mwh, ...reasons] of m.why) {
      if (zone === '…') { parts.push(el('p', '', `… and ${mwh} more zone${mwh === 1 ? '' : 's'} with unmet demand`)); continue; }
      parts.push(el('h3', '', `${zone}: ${amount(mwh)} unmet`));
      const list = el('ul');
      reasons.forEach(reason => list.append(el('li', '', reason)));
      parts.push(list);
    }
    if (m.x.length) parts.push(el('h3', '', 'Transfers'));
    const list = el('ul', 'kf-columns');
    for (const [phase, from, to, via, sent, , , source, bound] of transferRows(m)) {
      list.append(el('li', '', `${from} → ${to}${via === '–' ? '' : ' via ' + via}, ${phase}${source === 'wind' ? ', wind' : ''}: ${amount(sent)}; ${bound}.`));
    }
    parts.push(list);
    const short = m.z.map((z, i) => z[9] ? page.fixed.zones[i] : '').filter(Boolean);
    if (short.length) parts.push(el('p', 'kf-warning', '▲ Below minimum storage: ' + short.join(', ')));
    place.replaceChildren(...parts);
  }
  function drawCommand() {
    const m = page.last;
    if (isPlayback()) { byId('zones-command-line').textContent = page.command; return; }
    const changes = page.events.filter(e => e[0] <= m.t).map(([tick, control, value]) => `--change ${dateOf(tick)}:${control}=${typeof value === 'boolean' ? (value ? 'on' : 'off') : value}`);
    byId('zones-command-line').textContent = [page.command, `--days ${m.t + 1}`, ...changes].join(' \\\n  ');
  }

  /** Why a story cannot be told over the days of this session. */
  function storyNeeds(story) {
    const days = story.steps.map(s => s.day).filter(Boolean), last = dateOf(page.last.n);
    if (!days.some(day => day < dateOf(0) || day > last)) return '';
    return `This story needs the days from ${days.reduce((a, b) => (a < b ? a : b))} on: choose that first day and begin again.`;
  }

  // --- charts ---
  function appendRows(rows) {
    const flows = graph('zones-flows'), levels = graph('zones-reservoirs');
    if (!flows || !levels) return false;
    const x = rows.map(r => dateOf(r[0])), traces = page.fixed.zones.map(zone => levels.data.findIndex(t => t.name === zone));
    live.appendTo(flows, [0, 1, 2, 3, 4, 5], x, c => rows.map(r => r[1 + c] / 1000), page.window, dayTicks);
    live.appendTo(levels, traces, x, c => rows.map(r => r[7 + c]), page.window, days => Object.assign(dayTicks(days), endLabels(levels, rows[rows.length - 1].slice(7))));
    return true;
  }
  /** A tick a day while there are less than eight, where plotly would count hours. */
  const dayTicks = days => days.length < 2 ? {} : { 'xaxis.dtick': days.length < 8 ? DAY_MS : null, 'xaxis.tickformat': days.length < 8 ? '%-d %b' : null };
  /** The zone names at the line ends, moved to the new levels, as a change of layout. */
  function endLabels(graph, levels) {
    const height = graph._fullLayout.yaxis._length || 150, step = Math.min(1600 / height, 96 / Math.max(levels.length - 1, 1));
    const order = levels.map((v, i) => i).sort((a, b) => levels[a] - levels[b]), at = [];
    let floor = 2;
    for (const i of order) { at[i] = Math.max(levels[i], floor); floor = at[i] + step; }
    let ceiling = 98;
    for (const i of [...order].reverse()) { at[i] = Math.min(at[i], ceiling); ceiling = at[i] - step; }
    const moved = {};
    (graph.layout.annotations || []).forEach((a, k) => {
      const i = page.fixed.zones.findIndex(zone => a.text && a.text.includes(`<b>${zone}</b>`));
      if (i < 0) return;
      moved[`annotations[${k}].y`] = at[i];
      moved[`annotations[${k}].text`] = a.text.replace(/<\/b>.*$/, `</b> ${number(levels[i])} %`);
    });
    return moved;
  }

  function drawDay(m, before) {
    page.first = Date.parse(m.d) - m.t * DAY_MS; // another one after "Begin again"
    if (m.cmd) page.command = m.cmd;
    if (before && before.ep !== m.ep && byId('start-date')) byId('start-date').value = dateOf(0);
    drawSettings(m); drawCards(m);
    page.net.update(kf.networkTick(page.fixed, m));
    byId('zones-picture-title').textContent = `Energy exchange on ${longDate(m.d)}`;
  }
  /** A tick: draw the message; what was drawn goes back to the server with the next one. */
  function draw(message, fixed, link) {
    if (!message || !fixed || !byId('zones-network')) return window.dash_clientside.no_update;
    open(fixed, link, message.t);
    return live.receive(page, message);
  }

  /** A few days in turn, for the overview. */
  (kf.previews = kf.previews || {}).zones = (place, fixed) => ({
    drawing: kf.network.mount(place, fixed.geometry, { label: 'Energy exchange between zones, a few days in turn' }),
    first: 0, state: m => kf.networkTick(fixed, m),
  });

  (live.replays = live.replays || {}).zones = draw;
  /** For tests: what the page holds. */
  kf.zonesPage = () => page;
  window.dash_clientside = Object.assign({}, window.dash_clientside);
  window.dash_clientside.kraftflyt = Object.assign({}, window.dash_clientside.kraftflyt, { draw });
})();
