/* What every live page has: the scrub bar and play button, tabs, stories, links to share, and the life of a message
 * from the server to the screen. A page (assets/zones.js) opens itself here with its own functions; `open` lists them.
 * Scripts load by name, so a page may come before this file: kf.live is an object that is filled here. */
(function () {
  'use strict';
  const kf = window.kraftflyt = window.kraftflyt || {};
  const live = kf.live = kf.live || {};
  const NBSP = '\u00a0';
  const ROWS_KEPT = 400; // chart rows that wait until the charts can take them
  const pages = new Map(); // path -> the page opened there last
  let current = null; // the page opened last, also when another address is shown now

  const el = (tag, cls, text) => { const e = document.createElement(tag); if (cls) e.className = cls; if (text !== undefined) e.textContent = text; return e; };
  const byId = id => document.getElementById(id);
  const number = (v, d) => kf.network.formatNumber(v, d);
  const longDate = iso => new Date(iso).toLocaleDateString('en-GB', { timeZone: 'UTC', weekday: 'short', day: 'numeric', month: 'long', year: 'numeric' });
  /** The chart inside a place, once it is drawn. */
  const graph = id => { const found = document.querySelector(`#${id} .js-plotly-plot`); return found && found.data ? found : null; };

  // --- pages ---
  /** The page on screen; null elsewhere, as on the library. */
  live.page = () => current && current.box.isConnected ? current : null;
  /** Properties of one of the open page's own stores. */
  live.setProps = (name, props) => window.dash_clientside.set_props(live.page().prefix + name, props);

  /** Opens a page; what it gives:
   *   name, path, prefix       of its elements' ids, its address, its stores' ids
   *   box, session, key, fixed the picture's place, the link, what does not change (tickMs, theme, window, events, stories)
   *   charted                  the last tick its charts hold
   *   draw(m, before)          cards, pictures, switches; drawTab(name) the tab that is seen; tabShown(name) when it comes up
   *   scrubLabel               what a tick is called: Day
   *   lines(m), tickText(tick) the date box's three lines, a tick in words; endText(tick), min(m), max(m) of the scrub bar
   *   marks(), say(m), hint(m) [[tick, text]] on the scrub bar, the text read aloud, the caption while no story is told
   *   appendRows(rows)         false while there are no charts
   *   speed                    {name, values, of(m)}: the slider whose places are values
   *   formatRange(name, value, unit), rangeValue(name, value)   a slider in words, and as a command
   *   storyNeeds(story)        why it cannot be told, else ''
   *   actions                  {name: function(button)} of its own buttons with data-action
   *   firstTab                 the tab shown where the address names none; the first one without
 *   opensAnew()              true when the link to its own path begins a new session
   *   commandKey(name, value)  of commands that wait with the same key only the last is sent; the name without it
   */
  live.open = function (given) {
    const page = current = Object.assign({
      last: null, rows: [], awaiting: false, evn: null, tab: '', spoken: 0, story: null, window: given.fixed.window, events: given.fixed.events || [],
      endText: given.tickText, min: () => 0, max: m => m.n, rangeValue: (name, value) => value, commandKey: name => name,
      tabShown: () => {}, hint: () => '', actions: {}, opensAnew: () => false,
    }, given);
    pages.set(page.path, page);
    kf.forgetCommands();
    buildScrub(page); buildStories(page);
    kf.upgradeRanges(page.formatRange, page.rangeValue);
    kf.setQuery({ session: page.session, key: page.key || null, run: null, start: null });
    const asked = new URLSearchParams(location.search).get('view'), tabs = [...document.querySelectorAll('[data-tab]')].map(tab => tab.dataset.tab);
    if (tabs.length) kf.showTab(tabs.includes(asked) ? asked : page.firstTab || tabs[0]);
    return page;
  };
  /** The address of the session this window had at a path, when another page is shown; else ''. */
  live.wayBack = function (path) {
    const page = pages.get(path);
    return !page || page.box.isConnected ? '' : path + '?session=' + page.session + (page.key ? '&key=' + page.key : '') + '&view=' + page.tab;
  };

  // --- transport ---
  function buildScrub(page) {
    const date = byId(page.name + '-date'), marks = el('div', 'kf-scrub-marks'), input = el('input'), ends = el('div', 'kf-scrub-ends');
    Object.assign(input, { type: 'range', min: 0, max: 1, step: 1, value: 0, id: 'scrub' });
    input.setAttribute('aria-label', page.scrubLabel);
    input.disabled = !page.key;
    input.addEventListener('input', () => { page.dragging = true; input.title = date.firstChild.textContent = page.tickText(Number(input.value)); });
    input.addEventListener('change', () => { page.dragging = false; kf.send('scrub', Number(input.value)); });
    ends.append(el('span', '', ''), el('span', '', ''));
    byId(page.name + '-scrub').replaceChildren(marks, input, ends);
    date.replaceChildren(el('span'), el('small'), el('small', 'kf-date-rules'));
    page.bar = { date, marks, input, ends };
  }
  function drawTransport(page, m) {
    const { date, input, ends } = page.bar, low = page.min(m), high = page.max(m), lines = page.lines(m);
    const texts = [page.endText(low), page.endText(high)];
    if (page.bar.low !== low || page.bar.high !== high) {
      Object.assign(input, { min: low, max: high });
      Object.assign(page.bar, { low, high });
      drawMarks(page);
    }
    texts.forEach((text, i) => { if (ends.children[i].textContent !== text) ends.children[i].textContent = text; });
    if (!page.dragging) input.value = m.t;
    lines.forEach((text, i) => { if (i > 0 || !page.dragging) date.children[i].textContent = text; });
    input.setAttribute('aria-valuetext', lines[0]);
    const play = document.querySelector('[data-command="play"]');
    if (play) {
      play.dataset.playing = m.p ? '1' : '0';
      play.textContent = m.p ? '❙❙' : '▶';
      play.setAttribute('aria-label', m.p ? 'Pause (Space)' : 'Play (Space)');
      play.classList.toggle('kf-ended', Boolean(m.e));
    }
    const speed = document.querySelector(`[data-range="${page.speed.name}"]`), now = page.speed.of(m);
    if (speed && speed.kfSet) speed.kfSet(Math.max(0, page.speed.values.findIndex(v => Math.abs(v - now) < 1e-9)));
  }
  function drawMarks(page) {
    const { low, high, marks } = page.bar, span = high - low || 1;
    marks.replaceChildren(...page.marks().map(([tick, text]) => {
      const mark = el('span', 'kf-scrub-mark');
      mark.style.left = 100 * (tick - low) / span + '%';
      mark.title = text;
      return mark;
    }));
  }
  kf.faster = step => {
    const page = live.page(), place = page && document.querySelector(`[data-range="${page.speed.name}"]`), input = place && place.querySelector('input');
    if (!input) return false;
    const next = Math.min(Math.max(Number(input.value) + step, 0), page.speed.values.length - 1);
    place.kfSet(next);
    kf.send(page.speed.name, page.rangeValue(page.speed.name, next));
    return true;
  };

  // --- cards: figures of the moment with unit and change ---
  live.buildCards = function (place, names) {
    place.replaceChildren();
    return names.map(name => {
      const card = el('div', 'kf-figure'), value = el('div', 'kf-figure-value'), big = el('span', 'kf-figure-number'), unit = el('span', 'kf-figure-unit'), note = el('div', 'kf-figure-note'), more = el('div', 'kf-figure-note');
      card.dataset.card = name;
      value.append(big, unit);
      card.append(el('div', 'kf-figure-name', name), value, note, more);
      place.append(card);
      return { card, big, unit, note, more };
    });
  };
  live.fillCard = function (c, [text, unit], note, more, alarm) {
    c.big.textContent = text; c.unit.textContent = NBSP + unit;
    c.note.textContent = note; c.more.textContent = more;
    c.card.classList.toggle('kf-alarm', alarm);
  };
  live.changeText = (change, textOf, tiny) => Math.abs(change) < tiny ? '= unchanged' : (change > 0 ? '▲' : '▼') + NBSP + textOf(Math.abs(change));

  // --- tables and tabs ---
  live.fillTable = function (place, heads, rows, caption, sort) {
    const table = el('table', 'kf-table'), head = el('tr');
    heads.forEach(([text, numeric], i) => {
      const th = el('th', numeric === undefined ? '' : 'kf-number');
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
      row.forEach((cell, i) => tr.append(el('td', heads[i][1] === undefined ? '' : 'kf-number', typeof cell === 'number' ? number(cell, heads[i][1]) : cell)));
      body.append(tr);
    }
    const thead = el('thead'), scroll = el('div', 'kf-scroll');
    thead.append(head);
    table.append(el('caption', '', caption), thead, body);
    scroll.tabIndex = 0; scroll.setAttribute('role', 'region'); scroll.setAttribute('aria-label', caption);
    scroll.append(table);
    const focused = place.contains(document.activeElement) && document.activeElement.dataset.column;
    place.replaceChildren(scroll);
    if (focused) { const again = place.querySelector(`[data-column="${focused}"]`); if (again) again.focus(); }
  };
  kf.showTab = function (name) {
    document.querySelectorAll('[data-tab]').forEach(tab => {
      const here = tab.dataset.tab === name;
      tab.setAttribute('aria-selected', String(here));
      tab.tabIndex = here ? 0 : -1;
      byId('pane-' + tab.dataset.tab).hidden = !here;
    });
    const page = live.page();
    if (!page) return;
    if (page.tab) kf.setQuery({ view: name });
    page.tab = name;
    if (page.last) page.drawTab(name);
    page.tabShown(name);
  };
  document.addEventListener('keydown', event => {
    const tab = event.target.closest && event.target.closest('[data-tab]');
    if (!tab || !/^Arrow(Left|Right)$/.test(event.key)) return;
    const all = [...document.querySelectorAll('[data-tab]')], next = all[(all.indexOf(tab) + (event.key === 'ArrowRight' ? 1 : all.length - 1)) % all.length];
    kf.showTab(next.dataset.tab); next.focus(); event.preventDefault();
  });

  kf.fillShare = function (place) {
    const page = current;
    place.replaceChildren();
    if (!page) { place.append(el('p', '', 'Open a session first.')); return; }
    const base = location.origin + page.path + '?session=' + page.session, view = '&view=' + page.tab + '&theme=' + kf.theme();
    const line = (title, hint, url) => {
      const row = el('div', 'kf-row'), field = el('input', 'kf-field'), button = el('button', 'kf-button', 'Copy');
      field.value = url; field.readOnly = true; field.setAttribute('aria-label', title);
      button.type = 'button'; button.dataset.action = 'copy';
      row.append(field, button);
      place.append(el('h3', '', title), el('p', '', hint), row);
    };
    line('To watch', `Shows the same ${page.scrubLabel.toLowerCase()} as yours, without controls.`, base + view);
    if (page.key) line('To control', 'Whoever has this link can play, switch and reset.', base + '&key=' + page.key + view);
  };

  // --- stories: a talk plays itself through the same commands as people use; any own action stops it ---
  const storyChoice = page => document.querySelector(`#${page.name}-stories select`);
  function buildStories(page) {
    const place = byId(page.name + '-stories'), stories = page.fixed.stories || [];
    if (!place || !stories.length || !page.key) return;
    const select = el('select', 'kf-select'), first = el('option', '', 'Play a story …');
    first.value = '';
    select.setAttribute('aria-label', 'Story');
    select.append(first, ...stories.map((story, i) => { const o = el('option', '', story.title); o.value = i; return o; }));
    select.addEventListener('change', () => { kf.stopStory(); if (select.value !== '') tell(page, stories[Number(select.value)]); select.blur(); });
    place.replaceChildren(select);
  }
  function tell(page, story) {
    const needed = page.storyNeeds(story);
    if (needed) { storyChoice(page).value = ''; kf.toast(needed); return; }
    page.story = { story, next: 0, timer: 0 };
    document.body.classList.add('kf-telling');
    kf.send('reset', null, true);
    nextStep(page);
  }
  function nextStep(page) {
    const run = page.story;
    if (!run) return;
    if (page !== live.page()) { stop(page); return; }
    if (run.next >= run.story.steps.length) { kf.send('pause', null, true); stop(page); return; }
    const s = run.story.steps[run.next++], send = (name, value) => kf.send(name, value, true);
    byId(page.name + '-caption').textContent = s.caption;
    if (s.day) send('day', s.day);
    if (s.tick !== null) send('scrub', s.tick);
    for (const [name, value] of Object.entries(s.set)) send(name, value);
    const pace = s.days_per_second || s.steps_per_second;
    if (pace) {
      const near = page.speed.values.map(v => Math.abs(v - pace));
      send(page.speed.name, page.rangeValue(page.speed.name, near.indexOf(Math.min(...near))));
    }
    if (s.time_scale) send('time_scale', s.time_scale);
    const plays = s.play === null && pace ? true : s.play; // a speed alone means that it plays
    if (plays !== null) send(plays ? 'play' : 'pause', null);
    run.timer = setTimeout(() => nextStep(page), 1000 * s.wait);
  }
  function stop(page) {
    if (!page.story) return;
    clearTimeout(page.story.timer);
    page.story = null;
    document.body.classList.remove('kf-telling');
    const caption = byId(page.name + '-caption'), select = storyChoice(page);
    if (caption) caption.textContent = '';
    if (select) select.value = '';
  }
  kf.stopStory = () => { if (current) stop(current); };

  // --- charts: they grow by the rows that come with the messages; the server draws them anew where that is not enough ---
  function keepRows(page, rows) {
    if (page.rows.length && rows.length && rows[0][0] <= page.rows[page.rows.length - 1][0]) page.rows = [];
    page.rows.push(...rows);
    if (page.rows.length > ROWS_KEPT) page.rows.splice(0, page.rows.length - ROWS_KEPT);
  }
  /** Draw the waiting rows at the end of the charts; false when ticks are missing in between. */
  function extendCharts(page) {
    const rows = page.rows.filter(row => row[0] > page.charted);
    if (!rows.length) return true;
    if (rows[0][0] !== page.charted + 1) return false;
    if (page.appendRows(rows) !== false) page.charted = rows[rows.length - 1][0];
    return true;
  }
  /** Points at the end of some traces, of which `kept` stay; `layoutOf(x)` changes the layout with them. */
  live.appendTo = function (chart, traces, x, yOf, kept, layoutOf) {
    const all = traces.map((trace, c) => ({ x: [...chart.data[trace].x, ...x].slice(-kept), y: [...chart.data[trace].y, ...yOf(c)].slice(-kept) }));
    const seen = all[0].x, layout = seen.length > 1 ? { 'xaxis.range': [seen[0], seen[seen.length - 1]] } : {};
    window.Plotly.update(chart, { x: all.map(a => a.x), y: all.map(a => a.y) }, Object.assign(layout, layoutOf && layoutOf(seen)), traces);
  };
  function askForCharts(page) {
    page.awaiting = true;
    live.setProps('refresh', { data: { n: Date.now() } });
  }
  /** The server drew the charts anew: up to the tick `t`, with the marks `ev`, over a window of `w`. */
  function chartsArrived(charted) {
    const page = live.page();
    if (!page || !charted || !charted.n) return;
    Object.assign(page, { window: charted.w, charted: charted.t, awaiting: false, events: charted.ev });
    if (!page.last) return;
    drawMarks(page); page.drawTab(page.tab);
    if (page.last.t !== charted.t && !extendCharts(page)) askForCharts(page);
  }

  // --- messages ---
  /** Draws a message; what was drawn goes back to the server with the next tick. */
  live.receive = function (page, m) {
    const before = page.last, none = window.dash_clientside.no_update;
    if (m.t === undefined || (before && m.v < before.v)) return none;
    page.last = m;
    page.drawn = Date.now();
    document.body.classList.remove('kf-lost');
    const changed = before && m.evn !== undefined && m.evn !== page.evn;
    if (m.evn !== undefined) page.evn = m.evn;
    page.draw(m, before);
    drawTransport(page, m); page.drawTab(page.tab); speak(page);
    const caption = byId(page.name + '-caption');
    if (caption && page.key && !page.story) caption.textContent = page.hint(m);
    keepRows(page, m.s);
    const anew = before ? before.ep !== m.ep || m.t < before.t || changed : page.fixed.theme !== kf.theme();
    if (anew || !page.awaiting && !extendCharts(page)) askForCharts(page);
    const wanted = m.p ? page.fixed.tickMs : Math.max(1000, page.fixed.tickMs);
    if (wanted !== page.interval) { page.interval = wanted; live.setProps('tick', { interval: wanted }); }
    return { t: m.t, v: m.v, ep: m.ep };
  };
  /** Says the moment at most every 5 s; the last one said late rather than never. */
  function speak(page) {
    const wait = page.spoken + 5000 - Date.now();
    clearTimeout(page.speaking);
    if (wait > 0) { page.speaking = setTimeout(() => { if (page === live.page()) speak(page); }, wait); return; }
    page.spoken = Date.now();
    const box = byId('live-summary');
    if (box) box.textContent = page.say(page.last);
  }
  function acknowledged(answer) {
    if (!answer) return;
    kf.acknowledge(answer.n);
    const page = live.page();
    if (answer.err) kf.toast(answer.err);
    else if (page && page.refused) kf.toast(''); // what was wrong has been mended
    if (page) page.refused = Boolean(answer.err);
  }
  /** A request that died with the server leaves the interval disabled; it is let go when the server answers again. */
  async function watchServer() {
    const page = live.page();
    if (!page || Date.now() - page.drawn < 3500) return;
    try {
      await fetch('/health', { cache: 'no-store' });
      if (page === live.page()) live.setProps('tick', { disabled: false });
      page.lost = false;
      document.body.classList.remove('kf-lost');
    } catch (_) {
      if (!page.lost) kf.toast('The server does not answer; the page goes on by itself when it does.');
      page.lost = true;
      document.body.classList.add('kf-lost');
    }
  }
  setInterval(watchServer, 4000);

  /** A recorded session without a server: the same commands move a clock of its own; `page` says who draws it. */
  kf.replay = function ({ page: name, rate, static: fixed, messages }) {
    const draw = live.replays[name], n = messages.length - 1, first = messages[0].t;
    const state = { at: 0, from: Date.now(), playing: false, rate, v: 0 };
    const position = () => Math.min(n, state.playing ? state.at + state.rate * (Date.now() - state.from) / 1000 : state.at);
    const moves = {
      play: () => { state.playing = Math.floor(position()) < n; }, pause: () => { state.playing = false; },
      step: at => { state.playing = false; state.at = Math.min(Math.floor(at) + 1, n); }, back: at => { state.playing = false; state.at = Math.max(Math.floor(at) - 1, 0); },
      reset: () => { state.playing = false; state.at = 0; }, end: () => { state.at = n; state.playing = false; },
      scrub: (at, value) => { state.at = value - first; }, speed: (at, value) => { state.rate = fixed.speeds[value]; },
    };
    const show = () => {
      const i = Math.floor(position());
      if (i === n) { state.playing = false; state.at = n; }
      draw(Object.assign({}, messages[i], { t: first + i, n: first + n, p: state.playing ? 1 : 0, r: state.rate, e: i === n ? 1 : 0, v: state.v, ep: 0, s: [] }), fixed, { session: '', key: 'replay' });
    };
    kf.setQuery = () => {};
    kf.send = (command, value) => {
      if (!moves[command]) return;
      const at = position();
      state.at = at; state.from = Date.now(); state.v++;
      moves[command](at, value);
      show();
    };
    let shown = -1;
    setInterval(() => { const i = Math.floor(position()); if (state.playing && i !== shown) { shown = i; show(); } }, 50);
    show();
  };

  Object.assign(live, { NBSP, el, byId, number, longDate, graph });
  window.dash_clientside = Object.assign({}, window.dash_clientside);
  window.dash_clientside.kraftflyt = Object.assign({}, window.dash_clientside.kraftflyt, { acknowledged, chartsArrived });
})();
