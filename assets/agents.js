/* The agents page: it watches real processes. callbacks/agents_view.py says what is in a message; assets/fleet.js draws.
 * It is no session: no live.open, no clock of its own. What was seen is kept here, bounded, and lost with the page. */
(function () {
  'use strict';
  const kf = window.kraftflyt = window.kraftflyt || {}, live = kf.live = kf.live || {};
  const A = { id: 0, role: 1, transformer: 2, state: 3, age: 4, mode: 5, limit: 6, net: 7, volt: 8, soc: 9, breaker: 10, anomalies: 11, parts: 12, orders: 13, count: 14, seen: 15 };
  const BRIEF = { role: ['home', 'battery'], state: ['online', 'late', 'lost', 'gone'], mode: ['init', 'unlimited', 'limited', 'failsafe'] };
  const T = { load: 0, expected: 1, unc: 2, limit: 3, exportLimit: 4, before: 5, after: 6, short: 7, help: 8, anomalies: 9 };
  const MOST_POINTS = 900, MOST_EVENTS = 300, SILENT_MS = 5000, BLINK_MS = 2500, IDLE_KW = 0.05, OVER_KW = 0.2, NBSP = '\u00a0';
  const FAULTS = { hang: ['Hang', 'stops answering, and keeps its connections (SIGSTOP)'], kill: ['Kill', 'its process ends at once (SIGKILL)'], slow: ['Slow down', 'every answer takes seconds'], cut: ['Cut off', 'no connection either way'], error: ['Answers 500', 'every answer is an error'], malformed: ['Malformed', 'every answer is broken JSON'] };
  const KINDS = { '': 'All events', join: 'Joined', state: 'States', anomaly: 'Anomalies', help: 'Help', curtail: 'Curtailed', restore: 'Restored', ack: 'Acknowledged', planner: 'Planner', limit: 'Limits', fault: 'Faults' };
  const GLYPHS = { join: '+', state: '◐', anomaly: '▲', help: '⇄', curtail: '▼', restore: '↺', ack: '✓', planner: '⚙', limit: '▬', fault: '✕' };
  let page = null, number = Date.now();

  const el = (...given) => live.el(...given), byId = id => document.getElementById(id), fmt = (v, d) => live.number(v, d);
  const setProps = (id, props) => window.dash_clientside.set_props(id, props);
  const nameOf = id => { const words = String(id).replace(/_/g, ' ').replace('agent ', ''); return words.charAt(0).toUpperCase() + words.slice(1); };
  const kw = v => fmt(v, 1) + NBSP + 'kW', size = v => fmt(Math.abs(v), 1) + NBSP + 'kW';
  const put = (place, text) => { if (place && place.textContent !== text) place.textContent = text; };
  const clock = t => new Date(1000 * t).toLocaleTimeString('en-GB', { timeZone: page.fixed.timezone });
  const own = () => !page.fixed.whyNot;
  const processOf = id => (page.m.P || {})[id] || '';
  const bad = state => Boolean(state) && state !== 'running';
  const rowOf = id => (page.last && page.last.A || []).find(a => a[A.id] === id);

  // --- opening ---
  function open(fixed, box) {
    page = { fixed, box, m: {}, told: null, last: null, blink: 0, places: null, net: null, events: [], loads: [], chosen: null, kind: '', onlyChosen: false, signatures: {}, pending: new Map(), heard: Date.now(), story: null, chartIds: null };
    page.fixed.path = location.pathname;
    buildFilter(); buildStories(); shareHere();
    const asked = new URLSearchParams(location.search).get('view'), tabs = [...document.querySelectorAll('[data-tab]')].map(tab => tab.dataset.tab);
    kf.setQuery({ session: null, key: null });
    kf.showTab(tabs.includes(asked) ? asked : tabs[0]);
    pauseWhenHidden(); shown();
  }
  function shareHere() {
    if (kf.fillShare.agents) return;
    const before = kf.fillShare;
    kf.fillShare = place => {
      if (!here()) { before(place); return; }
      const row = el('div', 'kf-row'), field = el('input', 'kf-field'), button = el('button', 'kf-button', 'Copy');
      field.value = location.origin + page.fixed.path + '?view=' + tab() + '&theme=' + kf.theme(); field.readOnly = true; field.setAttribute('aria-label', 'Link');
      button.type = 'button'; button.dataset.action = 'copy';
      row.append(field, button);
      place.replaceChildren(el('h3', '', 'This fleet'), el('p', '', 'There is one fleet: everybody who opens the page sees the same one.'), row);
    };
    kf.fillShare.agents = true;
  }
  const here = () => page && page.box.isConnected;
  const tab = () => { const found = document.querySelector('[data-tab][aria-selected="true"]'); return found ? found.dataset.tab : ''; };

  // --- the interval: it rests while nobody looks, and is let go when an answer was lost ---
  function pauseWhenHidden() { if (here()) setProps('agents-tick', { max_intervals: document.hidden ? 0 : -1 }); }
  document.addEventListener('visibilitychange', () => { if (here()) pauseWhenHidden(); });
  setInterval(async () => {
    if (!here() || document.hidden || Date.now() - page.heard < SILENT_MS) return;
    try {
      await fetch('/health', { cache: 'no-store' });
      document.body.classList.remove('kf-lost');
      if (here()) setProps('agents-tick', { disabled: false });
    } catch (_) { document.body.classList.add('kf-lost'); }
  }, 4000);

  // --- a message ---
  function drawAgents(message, places, fixed) {
    const box = byId('agents-picture'), none = window.dash_clientside.no_update;
    if (!message || !fixed || !box) return none;
    if (!page || page.box !== box) open(fixed, box);
    page.heard = Date.now();
    document.body.classList.remove('kf-lost');
    if (places && (!page.places || page.places.key !== places.key)) setPlaces(places);
    if (message.h === page.m.h) return none;
    if (message.A && !(page.places && page.places.key === message.g)) return none; // its places come with the next call
    const blinks = !message.A && message.st === 'run' && page.told && !bad((message.P || {}).grid);
    clearTimeout(page.blink);
    if (blinks && page.m.A) page.blink = setTimeout(() => { if (here()) take(message); }, BLINK_MS); // one late answer is no news
    else take(message);
    const last = page.events.length ? page.events[page.events.length - 1][0] : 0;
    return { n: last, h: message.h, g: page.places ? page.places.key : null, a: page.chosen };
  }
  function take(message) {
    page.m = message;
    if (message.A) moment(message);
    if (page.told) page.last = seenDirectly(page.told, message);
    drawStatus(message);
    if (page.last && page.net) drawPicture();
    drawCards(); drawPlanner(); drawPanel(); drawTabs(); speak();
  }
  /** What the grid agent told, with what the fleet sees of agents that it cannot hear; without it there is only that. */
  function seenDirectly(told, m) {
    const S = m.S || {}, blind = m.st === 'run' && !m.A;
    if (!blind && !Object.keys(S).length) return told;
    const rows = told.A.map(a => {
      const row = a.slice(), seen = S[a[A.id]];
      if (seen) { [row[A.mode], row[A.limit], row[A.net], row[A.soc]] = seen; row[A.parts] = {}; row[A.seen] = true; }
      if (blind) { row[A.state] = 'alone'; row[A.age] = Infinity; row[A.orders] = []; row[A.count] = 0; row[A.breaker] = ''; if (!seen) { row[A.mode] = null; row[A.limit] = null; } }
      return row;
    });
    if (!blind) return Object.assign({}, told, { A: rows });
    const loads = told.T.map((t, k) => {
      const load = t.slice(), there = rows.filter(a => a[A.transformer] === page.places.transformers[k]), sum = (some, f) => some.reduce((s, a) => s + f(a[A.net] || 0), 0);
      for (const part of ['load', 'expected', 'unc', 'help', 'short']) load[T[part]] = 0;
      load[T.load] = sum(there, v => v);
      load[T.unc] = sum(there.filter(a => !a[A.seen]), Math.abs);
      load[T.before] = load[T.after] = load[T.load];
      return load;
    });
    return Object.assign({}, told, { A: rows, T: loads, L: told.L.map(() => [0]) });
  }
  function setPlaces(places) {
    if (page.net) page.net.destroy();
    if (JSON.stringify(places.transformers) !== JSON.stringify(page.places && page.places.transformers)) page.loads = [];
    page.places = places;
    page.told = page.told && page.told.g === places.key ? page.told : null; page.last = page.told;
    page.net = kf.fleet.mount(page.box, places, { label: 'Fleet of ' + places.wide.agents.length + ' agents and a grid agent', legend: true, tip, onSelect: choose });
    page.net.select(page.chosen);
    askForChart();
  }
  /** Agents told in brief, as the others are: without voltage, parts and names of orders. */
  function whole(m) {
    if (!m.B) return m;
    const rows = m.B.map(([id, role, at, state, age, mode, limit, net, soc, count]) => [id, BRIEF.role[role], page.places.transformers[at], BRIEF.state[state], age === null ? 1e9 : age, mode === null ? null : BRIEF.mode[mode], limit, net, null, soc, '', [], {}, [], count]);
    return Object.assign({}, m, { A: m.A.concat(rows) });
  }
  const ordersOf = a => a[A.count] || (a[A.orders] || []).length;
  function moment(m) {
    const before = page.told;
    m = whole(m);
    page.told = m;
    for (const event of m.e || []) if (!page.events.length || event[0] > page.events[page.events.length - 1][0]) page.events.push(event);
    page.events.splice(0, Math.max(0, page.events.length - MOST_EVENTS));
    if (!before || m.t > before.t) {
      page.loads.push([m.t, m.T.map(t => [Math.round(1000 * carried(t)) / 1000, t[T.limit]])]);
      page.loads.splice(0, Math.max(0, page.loads.length - MOST_POINTS));
      if (tab() === 'chart') drawChart();
    }
  }

  // --- what is said while there is nothing to see ---
  function drawStatus(m) {
    const waiting = byId('agents-waiting'), command = byId('agents-command-line'), progress = byId('agents-progress');
    waiting.hidden = Boolean(page.last) && m.st === 'run';
    waiting.classList.toggle('kf-over', Boolean(page.last));
    for (const button of document.querySelectorAll('[data-action="fleet-drive"], [data-action="fleet-heal-all"]')) {
      const why = page.fixed.whyNot || (page.last ? '' : 'The fleet does not run yet');
      button.dataset.hint = button.dataset.hint || button.title;
      if (!button.dataset.busy) button.disabled = Boolean(why);
      button.title = why || button.dataset.hint;
    }
    put(byId('agents-said'), m.say || (page.last ? '' : 'The fleet is there; its first report comes.'));
    put(command, m.cmd || '');
    command.hidden = !m.cmd;
    const key = JSON.stringify([m.st, m.done, m.of]);
    if (progress.dataset.key === key) return;
    progress.dataset.key = key;
    progress.replaceChildren();
    if (m.st === 'start') {
      const bar = el('progress', 'kf-agents-bar');
      bar.max = m.of || 6; bar.value = m.done || 0;
      bar.setAttribute('aria-label', 'Processes that answer');
      progress.append(bar, el('span', '', m.of ? `${m.done} of ${m.of} processes answer` : 'processes are being started'));
    }
    if (m.st === 'failed') {
      const again = el('button', 'kf-button', 'Try again');
      again.type = 'button'; again.dataset.action = 'fleet-again';
      if (own()) progress.append(again);
    }
  }

  // --- the picture ---
  function hub() {
    const process = processOf('grid'), age = page.m.hub, blind = page.m.st === 'run' && !page.m.A;
    if (bad(process)) return { bad: true, word: '✕ ' + kf.fleet.PROCESSES[process] };
    if (blind || page.m.st !== 'run' || age > 10) return { bad: true, word: blind ? '✕ no answer' : '○ not there' };
    return { bad: false, word: `● cycle ${fmt(page.last.c, 0)}` };
  }
  function scene() {
    const m = page.last;
    return {
      hub: hub(),
      transformers: m.T.map((t, k) => ({
        name: nameOf(page.places.transformers[k]), load: carried(t), unc: t[T.unc], assumed: t[T.expected], limit: t[T.limit], exportLimit: t[T.exportLimit], before: t[T.before],
        help: t[T.help], curtailed: curtailed(t), short: t[T.short], over: over(t),
      })),
      ties: m.L.map(tie => tie[0] || 0),
      agents: Object.fromEntries(m.A.map(a => [a[A.id], {
        name: nameOf(a[A.id]), role: a[A.role], net: a[A.net] || 0, soc: a[A.soc], state: a[A.state], age: a[A.age], mode: a[A.mode], limit: a[A.limit],
        process: processOf(a[A.id]), bad: bad(processOf(a[A.id])), note: note(a), seen: Boolean(a[A.seen]),
      }])),
    };
  }
  /** What flows through a transformer: what is heard and expected of its agents, less what neighbours give. */
  const carried = t => t[T.load] + t[T.expected] - t[T.help];
  const curtailed = t => Math.abs(t[T.before] - t[T.after] - t[T.help]);
  const over = t => Math.max(carried(t) + t[T.unc] - t[T.limit], -carried(t) + t[T.unc] - t[T.exportLimit], 0);
  const note = a => (a[A.anomalies] || []).includes('device_fault') ? '▲ device fault' : ordersOf(a) ? `▼ ${ordersOf(a)} order${ordersOf(a) > 1 ? 's' : ''}` : '';
  function drawPicture() {
    page.net.update(scene());
    const m = page.last, worst = m.T.map(over), most = Math.max(0, ...worst), k = worst.indexOf(most);
    put(byId('agents-clock'), clock(m.t));
    put(byId('agents-cycle'), new Date(1000 * m.t).toLocaleDateString('en-GB', { timeZone: page.fixed.timezone, weekday: 'short', day: 'numeric', month: 'long' }) + ` · cycle ${fmt(m.c, 0)}` + (m.k === 'lock-step' ? ' · lock-step' : ''));
    const away = m.A.filter(a => a[A.state] !== 'online').length;
    const alone = page.m.st === 'run' && !page.m.A;
    put(byId('agents-balance'), page.m.st !== 'run' ? '○ the fleet is away' : alone ? `✕ nobody coordinates${most >= OVER_KW ? `, ${nameOf(page.places.transformers[k])} over its limit by ${size(most)}` : ''}` : most >= OVER_KW ? `▲ ${nameOf(page.places.transformers[k])} over its limit by ${size(most)}` : away ? `◐ ${away} of ${m.A.length + (m.more || 0)} agents silent, all limits kept` : '● all limits kept');
  }
  function tip(id) {
    if (!page.last) return null;
    if (id === 'grid') return ['Grid agent', ['Now', hub().word.slice(2)], ['Cycle', fmt(page.last.c, 0)], ['Planner', page.last.p[0]]];
    const a = rowOf(id);
    if (!a) return null;
    const state = kf.fleet.STATES[a[A.state]] || ['○'];
    return [nameOf(id), ['State', `${state[0]} ${a[A.state]}`], ['Last report', ago(a)], ['Net', a[A.net] === null ? '–' : `${a[A.net] > IDLE_KW ? '▼' : a[A.net] < -IDLE_KW ? '▲' : '●'} ${size(a[A.net])}`],
      ['Mode', modeOf(a)], ...(a[A.seen] ? [['Seen by', 'the fleet, not the grid agent']] : []), ...(bad(processOf(id)) ? [['Process', kf.fleet.PROCESSES[processOf(id)]]] : [])];
  }
  const ago = a => a[A.age] > 1e6 || a[A.age] === null ? '–' : `${fmt(a[A.age], 0)}${NBSP}s ago`;
  const modeOf = a => (kf.fleet.MODES[a[A.mode]] || a[A.mode] || '–') + (a[A.limit] === null ? '' : ` ≤${NBSP}${kw(a[A.limit])}`);

  // --- cards ---
  function drawCards() {
    const m = page.last;
    if (!m) return;
    const few = m.T.length <= 4, names = [...(few ? page.places.transformers.map(nameOf) : ['Fullest transformer']), 'Neighbours\u2019 help', 'Curtailed', 'Shortfall', 'Agents online'];
    if (!page.cards || page.cardNames !== names.join()) { page.cards = live.buildCards(byId('agents-cards'), names); page.cardNames = names.join(); }
    const full = m.T.map((t, k) => [t, k]).sort((a, b) => carried(b[0]) / b[0][T.limit] - carried(a[0]) / a[0][T.limit]);
    (few ? m.T.map((t, k) => [t, k]) : full.slice(0, 1)).forEach(([t, k], i) => {
      const load = carried(t), share = load < -IDLE_KW ? `feeds in, of ${size(t[T.exportLimit])}` : `of ${size(t[T.limit])}, ${fmt(100 * load / (t[T.limit] || 1), 0)}${NBSP}%`;
      live.fillCard(page.cards[i], [fmt(load, 1), 'kW'], share, few ? t[T.unc] > IDLE_KW ? `± ${size(t[T.unc])} unknown` : '' : nameOf(page.places.transformers[k]), over(t) >= OVER_KW);
    });
    const at = page.cards.length - 4, sum = f => m.T.reduce((s, t) => s + f(t), 0), short = sum(t => t[T.short]), online = m.A.filter(a => a[A.state] === 'online').length, lost = m.A.filter(a => a[A.state] === 'lost' || a[A.state] === 'gone').length;
    live.fillCard(page.cards[at], [fmt(m.L.reduce((s, tie) => s + Math.abs(tie[0] || 0), 0), 1), 'kW'], 'over ties', '', false);
    live.fillCard(page.cards[at + 1], [fmt(sum(curtailed), 1), 'kW'], `${fmt(m.A.reduce((s, a) => s + ordersOf(a), 0), 0)} orders in force`, '', false);
    live.fillCard(page.cards[at + 2], [fmt(short, 1), 'kW'], short > IDLE_KW ? 'limit not met' : 'none', '', short > IDLE_KW);
    live.fillCard(page.cards[at + 3], [fmt(online, 0), `of ${m.A.length}`], page.m.st === 'run' && !page.m.A ? 'nobody hears them' : lost ? `${lost} lost` : 'none lost', m.more ? `and ${m.more} not drawn` : '', lost > 0);
  }
  function drawPlanner() {
    const m = page.last, button = byId('agents-llm');
    if (!m) return;
    const [used, why, on, ready] = m.p;
    put(byId('agents-planner'), `Planner: ${used || '–'}${why ? ' · ' + why : ''}`);
    byId('agents-planner').title = why;
    const allowed = ready && (own() || page.fixed.url);
    button.disabled = !allowed;
    button.setAttribute('aria-checked', String(Boolean(on)));
    button.title = !ready ? 'No language model is configured (agents.llm.base_url)' : allowed ? 'May propose plans; each is checked against the deterministic one' : page.fixed.whyNot;
  }

  // --- one agent ---
  function choose(id) {
    page.chosen = id;
    page.net.select(id);
    setProps('agents-seen', { data: { n: page.events.length ? page.events[page.events.length - 1][0] : 0, h: page.m.h, g: page.places ? page.places.key : null, a: id } });
    drawPanel(); drawTabs();
  }
  function drawPanel() {
    const place = byId('agents-panel'), id = page.chosen;
    if (!page.last || id === null) return;
    const grid = id === 'grid', a = grid ? null : rowOf(id), process = processOf(id);
    if (!grid && !a) { place.replaceChildren(el('p', 'kf-empty', `${nameOf(id)} is not among the agents shown.`)); page.panel = ''; return; }
    if (page.panel !== id) buildPanel(place, id, grid);
    const p = page.parts, lines = [];
    if (grid) lines.push(['State', hub().word], ['Clock', page.last.k], ['Planner', page.last.p[0]], ['Agents', fmt(page.last.A.length + (page.last.more || 0), 0)], ['Process', kf.fleet.PROCESSES[process] || process || 'runs elsewhere']);
    else {
      const state = kf.fleet.STATES[a[A.state]] || ['○'];
      lines.push(['State', `${state[0]} ${a[A.state]}`], ['Last report', ago(a)], ['Mode', modeOf(a)], ['At', nameOf(a[A.transformer])], ['Net', a[A.net] === null ? '–' : kw(a[A.net])], ['Voltage', a[A.volt] === null ? '–' : fmt(a[A.volt], 3) + NBSP + 'pu']);
      for (const [kind, power] of Object.entries(a[A.parts] || {})) if (power !== null) lines.push([kind === 'ev' ? 'Car' : kind.charAt(0).toUpperCase() + kind.slice(1), kw(power)]);
      if (a[A.seen]) lines.push(['Seen by', 'the fleet, not the grid agent']);
      else if (a[A.state] === 'lost') lines.push(['By itself', `failsafe ≤${NBSP}${kw(page.fixed.failsafeKw)} when it hears nobody`]);
      if (a[A.soc] !== null) lines.push(['Charge', fmt(100 * a[A.soc], 0) + NBSP + '%']);
      lines.push(['Process', kf.fleet.PROCESSES[process] || process || 'runs elsewhere']);
      if (a[A.breaker] && a[A.breaker] !== 'closed') lines.push(['Breaker', a[A.breaker]]);
    }
    fill('values', lines, () => { p.values.replaceChildren(...lines.flatMap(([name, value]) => [el('dt', '', name), el('dd', '', value)])); });
    const orders = grid ? [] : (a[A.orders] || []).map(([resource, power]) => `▼ ${resource}: ${kw(power)}`), anomalies = grid ? [] : (a[A.anomalies] || []).map(kind => `▲ ${kind.replace(/_/g, ' ')}`);
    const said = page.events.filter(e => e[3] === id || String(e[3]).startsWith(id + '/')).slice(-3).reverse().map(e => `${GLYPHS[e[2]] || '·'} ${clock(e[1])} ${e[4]}`);
    fill('lists', [orders, anomalies, said], () => {
      p.lists.replaceChildren(...[['Orders in force', orders, 'none'], ['Anomalies', anomalies, 'none'], ['Last events', said, 'none yet']].filter((row, i) => !grid || i === 2).flatMap(([head, rows, none]) => {
        const list = el('ul', 'kf-agents-list');
        list.append(...(rows.length ? rows.map(row => el('li', '', row)) : [el('li', 'kf-empty', none)]));
        return [el('h3', '', head), list];
      }));
    });
    for (const [kind, button] of Object.entries(p.buttons)) {
      const why = reason(kind, process, id);
      if (button.disabled !== Boolean(why)) button.disabled = Boolean(why);
      button.title = why || (kind === 'heal' ? 'Continue, restart or reconnect it' : FAULTS[kind][1]);
      button.setAttribute('aria-description', button.title);
    }
  }
  /** Draw a part of the panel only when what it shows has changed. */
  function fill(name, what, how) {
    const key = JSON.stringify(what);
    if (page.signatures[name] === key) return;
    page.signatures[name] = key;
    how();
  }
  function buildPanel(place, id, grid) {
    page.panel = id;
    page.signatures.values = page.signatures.lists = '';
    const row = el('div', 'kf-agents-faults'), buttons = {};
    row.setAttribute('role', 'group'); row.setAttribute('aria-label', 'Break and heal ' + nameOf(id));
    for (const kind of [...page.fixed.faults.filter(kind => !grid || kind === 'hang' || kind === 'kill'), 'heal']) {
      const name = kind === 'heal' ? 'Heal' : (FAULTS[kind] || [kind])[0], button = el('button', 'kf-button' + (kind === 'heal' ? ' kf-primary' : ''), name);
      button.type = 'button';
      Object.assign(button.dataset, { action: 'fleet-fault', fault: kind, agent: id });
      button.setAttribute('aria-label', `${name}: ${grid ? 'grid agent' : nameOf(id)}`);
      buttons[kind] = button;
      row.append(button);
    }
    const values = el('dl', 'kf-values'), lists = el('div');
    place.replaceChildren(el('h2', 'kf-card-title', grid ? 'Grid agent' : nameOf(id)), values, row, lists);
    page.parts = { values, lists, buttons };
  }
  function reason(kind, process, id) {
    if (!own()) return page.fixed.whyNot;
    if (page.pending.has(id)) return 'The last button is being carried out';
    if (!process) return 'The supervisor does not know this process';
    if (kind === 'heal') return bad(process) ? '' : 'It runs well: nothing to heal';
    if (process === 'killed' || process === 'ended') return 'Its process is dead: heal it first';
    if (process === 'hung' && kind !== 'kill') return 'It hangs: heal or kill it';
    const now = { hang: 'hung', kill: 'killed' }[kind] || kind;
    return process === now ? 'It is so already' : '';
  }

  // --- tabs ---
  const HEADS = {
    plan: [['Transformer'], ['Wanted, kW', 1], ['Help, kW', 1], ['Curtailed, kW', 1], ['After, kW', 1], ['Limit, kW', 1], ['Shortfall, kW', 1]],
    agents: [['Agent'], ['At'], ['State'], ['Report, s ago', 0], ['Mode'], ['Net, kW', 2], ['Charge, %', 0], ['Orders', 0], ['Process'], ['Breaker'], ['Anomalies']],
  };
  function drawTabs() {
    if (!here() || !page.last) return;
    const name = tab(), m = page.last;
    if (name === 'timeline') {
      const rows = page.events.filter(e => (!page.kind || e[2] === page.kind) && (!page.onlyChosen || !page.chosen || e[3] === page.chosen || String(e[3]).startsWith(page.chosen + '/'))).slice().reverse();
      fill('timeline', [rows.length ? rows[0][0] : 0, rows.length, page.kind, page.onlyChosen, page.chosen], () => {
        if (!rows.length) byId('agents-timeline').replaceChildren(el('p', 'kf-empty', 'Nothing of this kind has happened since the page was opened.'));
        else live.fillTable(byId('agents-timeline'), [['Time'], ['Kind'], ['Who'], ['What']], rows.map(e => [clock(e[1]), `${GLYPHS[e[2]] || '·'} ${(KINDS[e[2]] || e[2]).toLowerCase()}`, String(e[3]), String(e[4])]), 'Events, newest first');
      });
    } else if (name === 'plan') drawPlan(m);
    else if (name === 'agents') {
      const rows = m.A.map(a => [nameOf(a[A.id]), nameOf(a[A.transformer]), `${(kf.fleet.STATES[a[A.state]] || ['○'])[0]} ${a[A.state]}`, a[A.age] > 1e6 ? '–' : a[A.age], modeOf(a) + (a[A.seen] ? ', seen by the fleet' : ''), a[A.net] === null ? '–' : a[A.net], a[A.soc] === null ? '–' : 100 * a[A.soc], ordersOf(a), kf.fleet.PROCESSES[processOf(a[A.id])] || processOf(a[A.id]) || '–', a[A.breaker] || '–', (a[A.anomalies] || []).join(', ').replace(/_/g, ' ') || '–']);
      fill('agents', rows, () => live.fillTable(byId('agents-table'), HEADS.agents, rows, 'Agents right now' + (m.more ? `; ${m.more} more are not shown` : '')));
    }
  }
  function drawPlan(m) {
    const rows = m.T.map((t, k) => [nameOf(page.places.transformers[k]), t[T.before], t[T.help], curtailed(t), t[T.after], t[T.limit], t[T.short]]);
    const transfers = m.L.map((tie, k) => [tie[0] || 0, page.places.ties[k]]).filter(([flow]) => Math.abs(flow) >= IDLE_KW).map(([flow, [a, b]]) => [nameOf(flow > 0 ? a : b), nameOf(flow > 0 ? b : a), Math.abs(flow)]);
    const orders = m.A.flatMap(a => (a[A.orders] || []).map(([resource, power]) => [nameOf(a[A.id]), resource, power]));
    fill('plan', [rows, transfers, orders, m.p], () => {
      const place = byId('agents-plan'), parts = ['kf-plan-rows', 'kf-plan-more'].map(cls => el('div', cls));
      place.replaceChildren(el('p', '', `Planned by ${m.p[0] || '–'}${m.p[1] ? ': ' + m.p[1] : ''}`), ...parts);
      live.fillTable(parts[0], HEADS.plan, rows, 'Load of each transformer before and after the plan');
      const beside = [['Transfers between neighbours', [['From'], ['To'], ['Power, kW', 1]], transfers, 'No neighbour helps now.'], ['Orders in force', [['Agent'], ['Resource'], ['Bound, kW', 1]], orders, 'No order is in force.']];
      for (const [head, heads, list, none] of beside) {
        const box = el('div'), inside = el('div');
        box.append(el('h3', '', head), inside);
        parts[1].append(box);
        if (list.length) live.fillTable(inside, heads, list, ''); else inside.append(el('p', 'kf-empty', none));
      }
    });
  }
  function buildFilter() {
    const place = byId('agents-filter'), select = el('select', 'kf-select'), label = el('label', 'kf-agents-only'), check = el('input');
    select.setAttribute('aria-label', 'Kind of event');
    select.append(...Object.entries(KINDS).map(([kind, name]) => { const o = el('option', '', name); o.value = kind; return o; }));
    select.addEventListener('change', () => { page.kind = select.value; drawTabs(); });
    check.type = 'checkbox';
    check.addEventListener('change', () => { page.onlyChosen = check.checked; drawTabs(); });
    label.append(check, 'only the chosen agent');
    place.replaceChildren(select, label);
  }
  function shown() { // a tab came up
    requestAnimationFrame(() => {
      if (!here()) return;
      kf.setQuery({ view: tab() });
      drawTabs();
      if (tab() === 'audit' && !page.audited) { page.audited = true; send('audit'); }
      if (tab() === 'chart') { window.dispatchEvent(new Event('resize')); drawChart(); }
    });
  }
  document.addEventListener('click', event => {
    if (!here()) return;
    if (event.target.closest('[data-tab]')) shown();
    if (event.target.closest('#agents-export-run')) setProps('agents-history', { data: { ids: page.places ? page.places.transformers : [], loads: page.loads, events: page.events, o: page.last ? page.last.o : 0 } });
    const row = event.target.closest('#agents-table tbody tr');
    if (row) choose(page.last.A[[...row.parentElement.children].indexOf(row)][A.id]);
  }, true);
  document.addEventListener('keydown', event => { if (here() && event.target.closest && event.target.closest('[data-tab]')) shown(); }, true);

  // --- the chart ---
  const local = t => new Date(1000 * t + 60000 * page.last.o).toISOString().slice(0, 19);
  function askForChart() {
    const ids = page.places.transformers, key = JSON.stringify(ids);
    if (page.chartIds === key) return;
    page.chartIds = key;
    setProps('agents-chart-ask', { data: { n: Date.now(), ids } });
  }
  function drawChart() {
    const chart = live.graph('agents-chart');
    if (!chart || !page.last || chart.data.length !== 2 * page.last.T.length) return;
    const x = page.loads.map(row => local(row[0])), traces = chart.data.map((_, i) => i);
    const y = traces.map(i => page.loads.map(row => row[1][i >> 1][i % 2]));
    window.Plotly.update(chart, { x: traces.map(() => x), y }, x.length > 1 ? { 'xaxis.range': [x[0], x[x.length - 1]] } : {}, traces);
  }
  function agentsCharted() { requestAnimationFrame(() => setTimeout(() => { if (here()) drawChart(); }, 60)); }

  // --- commands ---
  function send(name, agent, value) {
    const n = ++number;
    if (agent) page.pending.set(agent, n);
    setProps('agents-command', { data: { n, name, agent: agent || null, value: value === undefined ? null : value } });
    setTimeout(() => { if (here() && agent && page.pending.get(agent) === n) { page.pending.delete(agent); drawPanel(); } }, 15000); // no answer: it is lost
    drawPanel();
  }
  function agentsAcknowledged(answer) {
    if (!answer || !here()) return;
    for (const [agent, n] of page.pending) if (n === answer.n) page.pending.delete(agent);
    for (const button of document.querySelectorAll('[data-busy]')) if (Number(button.dataset.busy) === answer.n) { delete button.dataset.busy; button.disabled = false; }
    if (answer.err) kf.toast(answer.err);
    drawPanel();
  }
  const busy = button => { button.dataset.busy = number; button.disabled = true; setTimeout(() => { if (button.dataset.busy) { delete button.dataset.busy; button.disabled = false; } }, 25000); };
  const byHand = act => button => { stopStory(); act(button); };
  kf.actions = Object.assign(kf.actions || {}, {
    'fleet-fault': byHand(button => send('fault', button.dataset.agent, button.dataset.fault)),
    'fleet-heal-all': byHand(button => { send('heal-all'); busy(button); }),
    'fleet-drive': byHand(button => { send('drive', null, button.dataset.drive); busy(button); }),
    'fleet-llm': byHand(button => { const on = button.getAttribute('aria-checked') !== 'true'; button.setAttribute('aria-checked', String(on)); send('planner', null, on); }),
    'fleet-verify': button => { put(byId('agents-findings'), 'Every line is read again …'); send('verify'); busy(button); },
    'fleet-audit': button => { send('audit'); busy(button); },
    'fleet-again': () => send('again'),
  });

  // --- audit ---
  function agentsAudit(found) {
    if (!found || !here()) return;
    if (found.rows) {
      const rows = found.rows.slice().reverse().map(e => [fmt(e.n, 0), new Date(1000 * e.at).toLocaleTimeString('en-GB'), fmt(e.cycle, 0), e.actor, e.action, e.subject, short(e.facts), String(e.hash || '').slice(0, 10)]);
      if (rows.length) live.fillTable(byId('agents-entries'), [['Line', 0], ['At'], ['Cycle', 0], ['Who'], ['Did'], ['To'], ['Facts'], ['Hash']], rows, 'Newest entries first; each holds the hash of the one before');
      else byId('agents-entries').replaceChildren(el('p', 'kf-empty', 'Nothing has been written yet.'));
      return;
    }
    const list = found.findings || [], place = byId('agents-findings');
    place.replaceChildren(el('p', list.length ? 'kf-warning' : '', list.length ? `▲ ${fmt(list.length, 0)} findings in ${fmt(found.entries || 0, 0)} lines:` : `✓ ${fmt(found.entries || 0, 0)} lines verified: nothing edited, deleted or reordered.`));
    if (list.length) { const ul = el('ul'); ul.append(...list.slice(0, 20).map(line => el('li', '', `line ${line.line}: ${line.text} (${line.kind})`))); place.append(ul); }
  }
  const TOLD_FIRST = ['planner', 'validation', 'why', 'power_kw', 'llm', 'anomalies', 'before_kw', 'after_kw'], TOLD_LAST = ['id', 'supersedes', 'input'];
  const weight = key => TOLD_FIRST.includes(key) ? TOLD_FIRST.indexOf(key) : TOLD_LAST.includes(key) ? 99 : 50;
  const short = facts => { const text = Object.entries(facts || {}).filter(([, v]) => v !== '').sort(([a], [b]) => weight(a) - weight(b)).map(([k, v]) => `${k} ${typeof v === 'object' && v !== null ? JSON.stringify(v) : v}`).join(', '); return text.length > 220 ? text.slice(0, 219) + '…' : text; };

  // --- stories: a talk that breaks and heals by the same commands as people use ---
  function buildStories() {
    const place = byId('agents-stories'), stories = page.fixed.stories || [];
    if (!place || !stories.length) return;
    const select = el('select', 'kf-select'), first = el('option', '', 'Play a story …');
    first.value = '';
    select.setAttribute('aria-label', 'Story');
    select.append(first, ...stories.map((story, i) => { const o = el('option', '', story.title); o.value = i; return o; }));
    select.addEventListener('change', () => { stopStory(true); if (select.value !== '') tell(stories[Number(select.value)]); select.blur(); });
    place.replaceChildren(select);
  }
  function tell(story) {
    if (!page.last) { kf.toast('The story begins when the fleet runs.'); stopStory(); return; }
    page.story = { story, next: 0, timer: 0 };
    document.body.classList.add('kf-telling');
    nextStep();
  }
  function nextStep() {
    const run = page.story;
    if (!run || !here()) return;
    if (run.next >= run.story.steps.length) { stopStory(); return; }
    const step = run.story.steps[run.next++];
    byId('agents-caption').textContent = step.caption;
    let later = 0; // one command at a time
    for (const [name, value] of Object.entries(step.set)) setTimeout(() => { if (page.story === run) order(name, value); }, 400 * later++);
    run.timer = setTimeout(nextStep, 1000 * step.wait);
  }
  function order(name, value) {
    if (name === 'heal') value === 'all' ? send('heal-all') : send('fault', value, 'heal');
    else if (name === 'drive') send('drive', null, value);
    else if (name === 'planner') { if (page.last.p[3]) send('planner', null, value); }
    else if (name === 'show') choose(value);
    else if (name.startsWith('fault.')) { choose(name.slice(6)); send('fault', name.slice(6), value); }
  }
  function stopStory(keep) {
    if (!page) return;
    if (page.story) clearTimeout(page.story.timer);
    page.story = null;
    document.body.classList.remove('kf-telling');
    const caption = byId('agents-caption'), select = document.querySelector('#agents-stories select');
    if (caption) caption.textContent = '';
    if (select && !keep) select.value = '';
  }

  /** Says the moment at most every 5 s. */
  function speak() {
    const box = byId('live-summary');
    if (!box || !page.last || Date.now() - (page.spoken || 0) < 5000) return;
    page.spoken = Date.now();
    const m = page.last, online = m.A.filter(a => a[A.state] === 'online').length;
    put(box, `${clock(m.t)}: ` + m.T.map((t, k) => `${nameOf(page.places.transformers[k])} ${carried(t) < 0 ? 'feeds in' : 'draws'} ${size(carried(t))}`).join(', ') + `; ${online} of ${m.A.length} agents online. ${byId('agents-balance').textContent}`);
  }

  /** For tests: what the page holds. */
  kf.agentsPage = () => here() ? page : null;
  window.dash_clientside = Object.assign({}, window.dash_clientside);
  window.dash_clientside.kraftflyt = Object.assign({}, window.dash_clientside.kraftflyt, { drawAgents, agentsAcknowledged, agentsAudit, agentsCharted });
})();
