/* The zones page, drawn from the tick's message (energy_sim/zones/message.py says what is in it).
 * dash_clientside.kraftflyt.draw is the only way in; everything else follows from the last message. */
(function () {
  'use strict';
  const kf = window.kraftflyt = window.kraftflyt || {};
  const MINUS = '\u2212', NBSP = '\u00a0';
  const DAY_MS = 86400000;
  const SWITCHES = ['wind', 'import_phase1', 'local_hydro', 'import_phase2', 'two_hop', 'share_wind', 'balance_levels'];
  const FACTORS = ['consumption_factor', 'wind_factor', 'inflow_factor'];
  let page = null; // everything about the page that is open

  const el = (tag, cls, text) => { const e = document.createElement(tag); if (cls) e.className = cls; if (text !== undefined) e.textContent = text; return e; };
  const byId = id => document.getElementById(id);
  const number = (v, d) => kf.network.formatNumber(v, d);
  const dateOf = tick => new Date(page.first + tick * DAY_MS).toISOString().slice(0, 10);
  const longDate = iso => new Date(iso).toLocaleDateString('en-GB', { timeZone: 'UTC', weekday: 'short', day: 'numeric', month: 'long', year: 'numeric' });
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
    page = { box, fixed, first: Date.parse(fixed.first), command: fixed.command, session: link.session, key: link.key, last: null, rows: [], charted: tick, window: fixed.window, awaiting: false, events: fixed.events || [], evn: null, sort: [4, -1], tab: '', spoken: 0 };
    page.net = kf.network.mount(box, fixed.geometry, { compact: fixed.compact });
    buildCards(); buildScrub(); buildStart(); buildStories();
    kf.upgradeRanges(formatRange);
    kf.setQuery({ session: link.session, key: link.key || null, run: null, start: null });
    kf.zonesAddress = () => '/zones?session=' + link.session + (link.key ? '&key=' + link.key : '') + '&view=' + page.tab;
    const asked = new URLSearchParams(location.search).get('view');
    kf.showTab(asked && byId('tab-' + asked) ? asked : 'transfers');
    const rules = document.querySelector('.kf-rules');
    if (rules && innerWidth < 900) rules.removeAttribute('open');
  }

  function formatRange(name, value, unit) {
    if (name === 'speed') return number(page.fixed.speeds[value], page.fixed.speeds[value] < 1 ? 1 : 0) + NBSP + (page.fixed.speeds[value] === 1 ? 'day/s' : 'days/s');
    return unit + NBSP + value.toFixed(2);
  }

  const CARDS = [
    ['Demand', t => t[0]], ['Wind used', t => t[1]], ['Local hydro', t => t[2]],
    ['Imports 1', t => t[3] + t[4], t => t[4]], ['Imports 2', t => t[5] + t[6], t => t[6]],
    ['Unmet', t => t[7]], ['Spill', t => t[8]], ['Wind exported', t => t[9]],
  ];
  function buildCards() {
    const place = byId('zones-cards');
    place.replaceChildren();
    page.cards = CARDS.map(([name]) => {
      const card = el('div', 'kf-figure'), value = el('div', 'kf-figure-value'), big = el('span', 'kf-figure-number'), unit = el('span', 'kf-figure-unit'), note = el('div', 'kf-figure-note'), more = el('div', 'kf-figure-note');
      card.dataset.card = name;
      value.append(big, unit);
      card.append(el('div', 'kf-figure-name', name), value, note, more);
      place.append(card);
      return { card, big, unit, note, more };
    });
  }
  function drawCards(m) {
    CARDS.forEach(([name, of, hop], i) => {
      const c = page.cards[i], now = of(m.tot), [text, unit] = gwh(now);
      c.big.textContent = text; c.unit.textContent = NBSP + unit;
      const before = m.prev.length ? of(m.prev) : null, change = before === null ? null : now - before;
      const arrow = change === null || Math.abs(change) < 0.05 ? '=' : change > 0 ? '▲' : '▼';
      c.note.textContent = change === null ? 'first day' : arrow === '=' ? '= unchanged' : arrow + NBSP + amount(Math.abs(change));
      if (hop) c.more.textContent = hop(m.tot) > 0.05 ? '2-hop ' + amount(hop(m.tot)) : '';
      c.card.classList.toggle('kf-alarm', name === 'Unmet' && now > 1e-6);
    });
  }

  function buildScrub() {
    const place = byId('zones-scrub');
    place.replaceChildren();
    const marks = el('div', 'kf-scrub-marks'), input = el('input');
    Object.assign(input, { type: 'range', min: 0, max: 1, step: 1, value: 0, id: 'scrub' });
    input.setAttribute('aria-label', 'Day');
    input.disabled = !page.key;
    input.addEventListener('input', () => { page.dragging = true; input.title = longDate(dateOf(Number(input.value))); byId('zones-date').firstChild.textContent = longDate(dateOf(Number(input.value))); });
    input.addEventListener('change', () => { page.dragging = false; kf.send('scrub', Number(input.value)); });
    const ends = el('div', 'kf-scrub-ends');
    ends.append(el('span', '', ''), el('span', '', ''));
    place.append(marks, input, ends);
    page.scrub = { input, marks, ends };
    byId('zones-date').replaceChildren(el('span'), el('small'), el('small', 'kf-date-rules'));
  }
  function drawTransport(m) {
    const s = page.scrub;
    if (s.input.max !== String(m.n) || s.ends.firstChild.textContent !== dateOf(0)) {
      s.input.max = m.n;
      s.ends.firstChild.textContent = dateOf(0); s.ends.lastChild.textContent = dateOf(m.n);
    }
    if (!page.dragging) {
      s.input.value = m.t;
      byId('zones-date').firstChild.textContent = longDate(m.d);
    }
    s.input.setAttribute('aria-valuetext', longDate(m.d));
    byId('zones-date').children[1].textContent = `day ${number(m.t + 1)} of ${number(m.n + 1)}` + (m.e ? ' · the end' : m.p ? '' : ' · paused');
    const play = document.querySelector('[data-command="play"]');
    if (play) {
      play.dataset.playing = m.p ? '1' : '0';
      play.textContent = m.p ? '❙❙' : '▶';
      play.setAttribute('aria-label', m.p ? 'Pause (Space)' : 'Play (Space)');
      play.classList.toggle('kf-ended', Boolean(m.e));
    }
    const speed = document.querySelector('[data-range="speed"]');
    if (speed && speed.kfSet) speed.kfSet(Math.max(0, page.fixed.speeds.findIndex(v => Math.abs(v - m.r) < 1e-9)));
  }
  function drawMarks() {
    const place = page.scrub.marks, n = page.last.n || 1;
    place.replaceChildren(...page.events.map(([tick, control, value]) => {
      const mark = el('span', 'kf-scrub-mark');
      mark.style.left = 100 * tick / n + '%';
      mark.title = dateOf(tick) + ': ' + eventText(control, value);
      return mark;
    }));
  }
  const eventText = (control, value) => (page.fixed.names[control] || control) + (typeof value === 'boolean' ? (value ? ' on' : ' off') : ' × ' + value);
  kf.faster = step => {
    const speed = document.querySelector('[data-range="speed"] input');
    if (!speed) return false;
    const next = Math.min(Math.max(Number(speed.value) + step, 0), page.fixed.speeds.length - 1);
    speed.parentElement.kfSet(next);
    speed.value = next;
    kf.send('speed', next);
    return true;
  };

  function buildStart() {
    const place = document.querySelector('.kf-start');
    if (!place) return;
    const d = place.dataset, label = el('label', '', 'First day'), input = el('input');
    Object.assign(input, { type: 'date', id: 'start-date', value: d.start, min: d.first, max: d.last });
    label.htmlFor = 'start-date';
    place.replaceChildren(label, input);
  }
  kf.actions.restart = () => !byId('start-date').value ? kf.toast('Choose a first day, such as ' + dateOf(0) + '.') : kf.send('restart', { start: byId('start-date').value, reservoir_factor: Number(byId('range-reservoir_factor').value) });
  kf.actions.split = button => {
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
    byId('zones-date').lastChild.textContent = page.rules;
  }
  function rulesIn(set) {
    const off = SWITCHES.slice(0, 5).filter(name => !set[name]).map(name => page.fixed.names[name]);
    const on = SWITCHES.slice(5).filter(name => set[name]).map(name => page.fixed.names[name]);
    const parts = [...off.map(n => n + ' off'), ...on.map(n => n + ' on'), ...FACTORS.filter(n => set[n] !== 1).map(n => page.fixed.names[n] + ' ×' + NBSP + set[n])];
    return parts.join(', ');
  }

  // --- tables ---
  kf.showTab = function (name) {
    document.querySelectorAll('[data-tab]').forEach(tab => {
      const here = tab.dataset.tab === name;
      tab.setAttribute('aria-selected', String(here));
      tab.tabIndex = here ? 0 : -1;
      byId('pane-' + tab.dataset.tab).hidden = !here;
    });
    if (!page) return;
    if (page.tab) kf.setQuery({ view: name });
    page.tab = name;
    if (page.last) drawTab();
    if (name === 'compare') window.dispatchEvent(new Event('resize'));
  };
  document.addEventListener('keydown', event => {
    const tab = event.target.closest && event.target.closest('[data-tab]');
    if (!tab || !/^Arrow(Left|Right)$/.test(event.key)) return;
    const all = [...document.querySelectorAll('[data-tab]')], next = all[(all.indexOf(tab) + (event.key === 'ArrowRight' ? 1 : all.length - 1)) % all.length];
    kf.showTab(next.dataset.tab); next.focus(); event.preventDefault();
  });
  function drawTab() {
    if (page.tab === 'transfers') drawTransfers();
    if (page.tab === 'explain') drawExplain();
    if (page.tab === 'table') drawZones();
    if (page.tab === 'days') drawDays();
    if (page.tab === 'export') drawCommand();
  }
  function fillTable(place, heads, rows, caption, sort) {
    const table = el('table', 'kf-table'), head = el('tr');
    heads.forEach(([text, numeric], i) => {
      const th = el('th', numeric ? 'kf-number' : '');
      th.scope = 'col';
      if (sort) {
        const button = el('button', 'kf-sort', text + (sort[0] === i ? (sort[1] > 0 ? ' ▲' : ' ▼') : ''));
        button.type = 'button'; button.dataset.column = i;
        th.append(button);
        th.setAttribute('aria-sort', sort[0] === i ? (sort[1] > 0 ? 'ascending' : 'descending') : 'none');
      } else th.textContent = text;
      head.append(th);
    });
    const body = el('tbody');
    for (const row of rows) {
      const tr = el('tr');
      row.forEach((cell, i) => tr.append(el('td', heads[i][1] ? 'kf-number' : '', typeof cell === 'number' ? number(cell, heads[i][1]) : cell)));
      body.append(tr);
    }
    const thead = el('thead');
    thead.append(head);
    table.append(el('caption', '', caption), thead, body);
    const scroll = el('div', 'kf-scroll');
    scroll.tabIndex = 0; scroll.setAttribute('role', 'region'); scroll.setAttribute('aria-label', caption);
    scroll.append(table);
    const focused = place.contains(document.activeElement) && document.activeElement.dataset.column;
    place.replaceChildren(scroll);
    if (focused) { const again = place.querySelector(`[data-column="${focused}"]`); if (again) again.focus(); }
  }
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
    const flows = document.querySelector('#zones-flows .js-plotly-plot'), levels = document.querySelector('#zones-reservoirs .js-plotly-plot');
    if (!flows || !flows.data || !levels || !levels.data) return;
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
    if (!page.command.includes(' run ')) { byId('zones-command-line').textContent = page.command; return; }
    const changes = page.events.filter(e => e[0] <= m.t).map(([tick, control, value]) => `--change ${dateOf(tick)}:${control}=${typeof value === 'boolean' ? (value ? 'on' : 'off') : value}`);
    byId('zones-command-line').textContent = [page.command, `--days ${m.t + 1}`, ...changes].join(' \\\n  ');
  }

  kf.fillShare = function (place) {
    place.replaceChildren();
    if (!page) { place.append(el('p', '', 'Open a session first.')); return; }
    const base = location.origin + '/zones?session=' + page.session, view = '&view=' + page.tab + '&theme=' + kf.theme();
    const line = (title, hint, url) => {
      const row = el('div', 'kf-row'), field = el('input', 'kf-field'), button = el('button', 'kf-button', 'Copy');
      field.value = url; field.readOnly = true; field.setAttribute('aria-label', title);
      button.type = 'button'; button.dataset.action = 'copy';
      row.append(field, button);
      place.append(el('h3', '', title), el('p', '', hint), row);
    };
    line('To watch', 'Shows the same day as yours, without controls.', base + view);
    if (page.key) line('To control', 'Whoever has this link can play, switch and reset.', base + '&key=' + page.key + view);
  };

  // --- stories: a talk plays itself through the same commands as people use; any own action stops it ---
  function buildStories() {
    const place = byId('zones-stories'), stories = page.fixed.stories || [];
    if (!place || !stories.length || !page.key) return;
    const select = el('select', 'kf-select'), first = el('option', '', 'Play a story …');
    first.value = '';
    select.setAttribute('aria-label', 'Story');
    select.append(first, ...stories.map((story, i) => { const o = el('option', '', story.title); o.value = i; return o; }));
    select.addEventListener('change', () => { stopStory(); if (select.value !== '') tell(stories[Number(select.value)]); select.blur(); });
    place.replaceChildren(select);
  }
  function tell(story) {
    const days = story.steps.map(s => s.day).filter(Boolean), last = dateOf(page.last.n);
    if (days.some(day => day < dateOf(0) || day > last)) {
      document.querySelector('#zones-stories select').value = '';
      kf.toast(`This story needs the days from ${days.reduce((a, b) => (a < b ? a : b))} on: choose that first day and begin again.`);
      return;
    }
    page.story = { story, next: 0, timer: 0 };
    document.body.classList.add('kf-telling');
    kf.send('reset', null, true);
    step();
  }
  function step() {
    const run = page && page.story;
    if (!run) return;
    if (!page.box.isConnected) { stopStory(); return; }
    if (run.next >= run.story.steps.length) { kf.send('pause', null, true); stopStory(); return; }
    const s = run.story.steps[run.next++];
    byId('zones-caption').textContent = s.caption;
    if (s.day) kf.send('day', s.day, true);
    for (const [name, value] of Object.entries(s.set)) kf.send(name, value, true);
    if (s.days_per_second) {
      const near = page.fixed.speeds.map(v => Math.abs(v - s.days_per_second));
      kf.send('speed', near.indexOf(Math.min(...near)), true);
      kf.send('play', null, true);
    }
    run.timer = setTimeout(step, 1000 * s.wait);
  }
  function stopStory() {
    if (!page || !page.story) return;
    clearTimeout(page.story.timer);
    page.story = null;
    document.body.classList.remove('kf-telling');
    const caption = byId('zones-caption'), select = document.querySelector('#zones-stories select');
    if (caption) caption.textContent = '';
    if (select) select.value = '';
  }
  kf.stopStory = stopStory;

  // --- charts: rows wait here until the charts can take them ---
  function chartRows(m) {
    if (page.rows.length && m.s.length && m.s[0][0] <= page.rows[page.rows.length - 1][0]) page.rows = [];
    page.rows.push(...m.s);
    if (page.rows.length > 400) page.rows.splice(0, page.rows.length - 400);
  }
  /** Draw the waiting rows at the end of both charts; false when days are missing in between. */
  function extendCharts() {
    const window_ = page.window, rows = page.rows.filter(r => r[0] > page.charted);
    if (!rows.length) return true;
    if (rows[0][0] !== page.charted + 1) return false;
    const flows = document.querySelector('#zones-flows .js-plotly-plot'), levels = document.querySelector('#zones-reservoirs .js-plotly-plot');
    if (!flows || !flows.data || !levels || !levels.data) return true;
    page.charted = rows[rows.length - 1][0];
    const x = rows.map(r => dateOf(r[0]));
    appendTo(flows, [0, 1, 2, 3, 4, 5], x, c => rows.map(r => r[1 + c] / 1000), window_);
    const traces = page.fixed.zones.map(zone => levels.data.findIndex(t => t.name === zone));
    appendTo(levels, traces, x, c => rows.map(r => r[7 + c]), window_, endLabels(levels, rows[rows.length - 1].slice(7)));
    return true;
  }
  function appendTo(graph, traces, x, yOf, window_, layout) {
    const all = traces.map((trace, c) => ({ x: [...graph.data[trace].x, ...x].slice(-window_), y: [...graph.data[trace].y, ...yOf(c)].slice(-window_) }));
    const days = all[0].x, span = days.length > 1 ? { 'xaxis.range': [days[0], days[days.length - 1]], 'xaxis.dtick': days.length < 8 ? DAY_MS : null, 'xaxis.tickformat': days.length < 8 ? '%-d %b' : null } : {};
    window.Plotly.update(graph, { x: all.map(a => a.x), y: all.map(a => a.y) }, Object.assign(span, layout), traces);
  }
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

  /** Says the day at most every 5 s; the last one said late rather than never. */
  function speak(m) {
    const wait = page.spoken + 5000 - Date.now();
    clearTimeout(page.speaking);
    if (wait > 0) { page.speaking = setTimeout(() => { if (page && page.last) speak(page.last); }, wait); return; }
    page.spoken = Date.now();
    const box = byId('live-summary');
    if (box) box.textContent = `${longDate(m.d)}: demand ${amount(m.tot[0])}, unmet ${amount(m.tot[7])}`;
  }

  /** A tick: draw the message; what was drawn goes back to the server with the next one. */
  function draw(message, fixed, link) {
    const none = window.dash_clientside.no_update;
    if (!message || !fixed || !byId('zones-network')) return none;
    open(fixed, link, message.t);
    const before = page.last, m = message;
    if (m.t === undefined || (before && m.v < before.v)) return none;
    page.last = m;
    page.drawn = Date.now();
    page.first = Date.parse(m.d) - m.t * DAY_MS; // another one after "Begin again"
    if (m.cmd) page.command = m.cmd;
    if (before && before.ep !== m.ep && byId('start-date')) byId('start-date').value = dateOf(0);
    const changed = before && m.evn !== undefined && m.evn !== page.evn;
    if (m.evn !== undefined) page.evn = m.evn;
    if (!before) drawMarks();
    drawSettings(m); drawTransport(m); drawCards(m); drawTab(); speak(m);
    page.net.update(kf.networkTick(fixed, m));
    byId('zones-picture-title').textContent = `Energy exchange on ${longDate(m.d)}`;
    if (page.key && !page.story && byId('zones-caption')) byId('zones-caption').textContent = m.t === 0 && !m.p ? 'Press ▶ or Space and the days pass. Switches act from the next day on.' : '';
    chartRows(m);
    if (before ? before.ep !== m.ep || m.t < before.t || changed : fixed.theme !== kf.theme()) askForCharts();
    else if (!page.awaiting && !extendCharts()) askForCharts();
    const wanted = m.p ? fixed.tickMs : Math.max(1000, fixed.tickMs);
    if (wanted !== page.interval) { page.interval = wanted; window.dash_clientside.set_props('tick', { interval: wanted }); }
    return { t: m.t, v: m.v, ep: m.ep };
  }

  function acknowledged(answer) {
    if (!answer) return;
    kf.acknowledge(answer.n);
    if (answer.err) kf.toast(answer.err);
  }

  /** A request that died with the server leaves the interval disabled; it is let go when the server answers again. */
  async function watchServer() {
    if (!page || !page.box.isConnected || Date.now() - page.drawn < 3500) return;
    try {
      await fetch('/health', { cache: 'no-store' });
      window.dash_clientside.set_props('tick', { disabled: false });
      page.lost = false;
    } catch (_) {
      if (!page.lost) kf.toast('The server does not answer; the page goes on by itself when it does.');
      page.lost = true;
    }
  }
  setInterval(watchServer, 4000);

  /** The server drew the charts anew, up to the tick `charted.t`. */
  function chartsArrived(charted, window_) {
    if (!page || !charted || !charted.n) return;
    page.window = window_;
    page.charted = charted.t;
    page.awaiting = false;
    page.events = charted.ev;
    if (page.last) { drawMarks(); drawTab(); }
    if (page.last && page.last.t !== charted.t && !extendCharts()) askForCharts();
  }
  function askForCharts() {
    page.awaiting = true;
    window.dash_clientside.set_props('refresh', { data: { n: Date.now() } });
  }

  /** A recorded session without a server: the same commands move a clock of its own. */
  kf.replay = function ({ static: fixed, messages }) {
    const n = messages.length - 1, state = { at: 0, from: Date.now(), playing: false, rate: 4, v: 0 };
    const position = () => Math.min(n, state.playing ? state.at + state.rate * (Date.now() - state.from) / 1000 : state.at);
    const moves = {
      play: () => { state.playing = Math.floor(position()) < n; }, pause: () => { state.playing = false; },
      step: at => { state.playing = false; state.at = Math.min(Math.floor(at) + 1, n); }, back: at => { state.playing = false; state.at = Math.max(Math.floor(at) - 1, 0); },
      reset: () => { state.playing = false; state.at = 0; }, end: () => { state.at = n; state.playing = false; },
      scrub: (at, value) => { state.at = value; }, speed: (at, value) => { state.rate = fixed.speeds[value]; },
    };
    const show = () => {
      const t = Math.floor(position());
      if (t === n) { state.playing = false; state.at = n; }
      draw(Object.assign({}, messages[t], { t, n, p: state.playing ? 1 : 0, r: state.rate, e: t === n ? 1 : 0, v: state.v, ep: 0, s: [] }), fixed, { session: '', key: 'replay' });
    };
    kf.setQuery = () => {};
    kf.send = (name, value) => {
      if (!moves[name]) return;
      const at = position();
      state.at = at; state.from = Date.now(); state.v++;
      moves[name](at, value);
      show();
    };
    let shown = -1;
    setInterval(() => { const t = Math.floor(position()); if (state.playing && t !== shown) { shown = t; show(); } }, 50);
    show();
  };

  /** For tests: what the page holds. */
  kf.zonesPage = () => page;
  window.dash_clientside = Object.assign({}, window.dash_clientside);
  window.dash_clientside.kraftflyt = Object.assign({}, window.dash_clientside.kraftflyt, { draw, acknowledged, chartsArrived });
})();
