/* The setup half of the trading page: native inputs for every parameter, files, and the run while it computes.
 * What was chosen is kept here and in the browser; the server checks it on every change (callbacks/trading_setup.py). */
(function () {
  'use strict';
  const kf = window.kraftflyt = window.kraftflyt || {}, live = kf.live = kf.live || {};
  const KEPT = 'kraftflyt-trading-chosen', FILES = 'kraftflyt-trading-files', OPENED = 'kraftflyt-trading-opened', KINDS = ['households', 'grid_capacity', 'prices'];
  const MOST_POINTS = 3000, MOST_TOLD = 5, NBSP = '\u00a0';
  const el = (...given) => live.el(...given), byId = id => document.getElementById(id), number = (v, d) => live.number(v, d);
  const setProps = (id, props) => window.dash_clientside.set_props(id, props);
  const clone = value => JSON.parse(JSON.stringify(value));
  const all = selector => [...document.querySelectorAll(selector)];
  const read = key => { try { return JSON.parse(localStorage.getItem(key)); } catch (_) { return null; } };
  const keep = (key, value) => { try { localStorage.setItem(key, JSON.stringify(value)); } catch (_) { /* private window: kept while the page is open */ } };
  const S = { offered: null, chosen: null, uploads: [], checked: null, mode: null, n: 0, timer: 0, previewed: '', told: {}, job: null };

  // --- what is chosen ---
  const at = key => { const [group, name] = key.split('.'); return S.chosen.parameters[group][name]; };
  /** The value a need asks about: a parameter, or what files and the selection say. */
  function known(key) {
    if (key === 'by_type') return S.mode === 'types';
    if (key === 'prices_file') return S.chosen.prices;
    if (key === 'grid_capacity_file') return S.chosen.grid_capacity;
    return at(key);
  }
  const holds = ([key, how, value]) => { const now = known(key); return how === 'is' ? now === value : how === 'is not' ? now !== value : how === 'over' ? now > value : now < value; };
  /** What the browser kept, as far as it still fits what there is. */
  function restore() {
    const kept = read(KEPT), chosen = clone(S.offered.chosen);
    S.uploads = (read(FILES) || []).filter(f => f && KINDS.includes(f.kind) && typeof f.id === 'string');
    if (!kept || typeof kept !== 'object') return chosen;
    for (const [group, fields] of Object.entries(chosen.parameters)) {
      const old = kept.parameters && kept.parameters[group];
      for (const name of Object.keys(fields)) if (old && old[name] !== undefined) fields[name] = old[name];
    }
    for (const kind of KINDS) if (choicesOf(kind).some(([key]) => key === kept[kind])) chosen[kind] = kept[kind];
    return chosen;
  }
  const choicesOf = kind => [...S.offered.files[kind].map(key => [key, key]), ...S.uploads.filter(f => f.kind === kind).map(f => [f.id, f.name])];
  function set(key, value) {
    const [group, name] = key.split('.'), settlement = S.chosen.parameters.settlement, before = settlement.preset;
    S.chosen.parameters[group][name] = value;
    if (key === 'settlement.preset' && value) Object.assign(settlement, S.offered.presets[value].values);
    if (key === 'settlement.preset' && !value && before) { // what the law set goes with it, what was changed since stays
      const first = S.offered.chosen.parameters.settlement;
      for (const [field, law] of Object.entries(S.offered.presets[before].values)) if (settlement[field] === law) settlement[field] = first[field];
    }
    if (key === 'settlement.allocation_key' || key === 'settlement.grid_fee_reduction') settlement.preset = ''; // no longer the law's
    if (key === 'household.max_households' && S.mode === 'all') S.mode = 'first';
    refresh();
  }
  /** Everything on screen again, and the server asked what it says. */
  function refresh() {
    fillInputs(); fillSources(); dim(); sayChanged(); drawSelection();
    keep(KEPT, S.chosen);
    clearTimeout(S.timer);
    S.timer = setTimeout(push, 250);
  }
  function push() {
    clearTimeout(S.timer);
    S.n += 1;
    askAnew(0);
  }
  /** Ask what the server says of this choice, and again while no answer comes: it may have been away. */
  function askAnew(again) {
    if (!byId('trading-progress')) return;
    setProps('trading-chosen', { data: Object.assign(clone(S.chosen), { n: S.n, again }) });
    S.timer = setTimeout(() => { if (!S.checked || S.checked.n !== S.n) askAnew(again + 1); }, 8000);
  }

  // --- inputs ---
  function buildInputs() {
    for (const row of all('[data-field]')) {
      const d = row.dataset, place = row.querySelector('.kf-param-place'), id = 'param-' + d.id;
      if (d.kind === 'table') { place.id = 'trading-selection'; continue; }
      const input = el(d.kind === 'choice' ? 'select' : 'input', d.kind === 'choice' ? 'kf-select' : d.kind === 'switch' ? 'kf-check' : 'kf-field');
      input.id = id; input.name = d.field;
      input.setAttribute('aria-describedby', `wrong-${d.id} tip-${d.id}`);
      if (d.kind === 'choice') input.append(...Object.entries(JSON.parse(d.choices)).map(([value, text]) => option(value, text)));
      if (d.kind === 'switch') { input.type = 'checkbox'; input.setAttribute('role', 'switch'); }
      if (d.kind === 'text') input.type = d.field === 'simulation.start' ? 'datetime-local' : 'text';
      if (d.kind === 'number' || d.kind === 'whole') {
        Object.assign(input, { type: 'number', step: d.kind === 'whole' ? '1' : 'any', min: d.low, max: d.high, inputMode: d.kind === 'whole' ? 'numeric' : 'decimal', autocomplete: 'off' });
        if (d.optional) input.placeholder = d.field === 'simulation.simulation_steps' ? 'all' : 'auto';
      }
      input.addEventListener(input.type === 'number' || input.type === 'text' ? 'input' : 'change', () => set(d.field, valueOf(d, input)));
      place.append(input);
    }
    const preset = document.querySelector('[data-field="settlement.preset"]'), source = el('p', 'kf-caption kf-param-note');
    source.id = 'trading-preset-source';
    preset.append(source);
  }
  function option(value, text) { const o = el('option', '', text); o.value = value; return o; }
  /** What an input says, as JSON has it; what is no number is sent as such, so that the server can say so. */
  function valueOf(d, input) {
    if (d.kind === 'switch') return input.checked;
    if (d.kind !== 'number' && d.kind !== 'whole') return input.value;
    if (input.validity.badInput) return '?';
    return input.value.trim() === '' ? null : Number(input.value);
  }
  function fillInputs() {
    for (const row of all('[data-field]')) {
      const d = row.dataset, input = row.querySelector('.kf-param-place > input, .kf-param-place > select'), value = at(d.field);
      if (!input || d.kind === 'table') continue;
      if (d.kind === 'switch') input.checked = value === true;
      else if (JSON.stringify(valueOf(d, input)) !== JSON.stringify(value)) input.value = value === null ? '' : value;
    }
    const preset = S.offered.presets[S.chosen.parameters.settlement.preset];
    byId('trading-preset-source').textContent = preset ? 'Source: ' + preset.source : '';
  }
  function dim() {
    for (const row of all('[data-field]')) row.classList.toggle('kf-dim', !JSON.parse(row.dataset.needs).every(holds));
  }
  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
  const differs = key => {
    const [group, name] = key.split('.');
    return !same(S.offered.chosen.parameters[group][name], at(key)) && !(key === 'household.max_households' && S.mode === 'all'); // all of the file, however many
  };
  function sayChanged() {
    const first = S.offered.chosen.parameters;
    const count = Object.entries(first).reduce((sum, [group, fields]) => sum + Object.keys(fields).filter(name => differs(`${group}.${name}`)).length, 0);
    byId('trading-changed').textContent = count ? `${count} changed from the defaults` : 'all as at first';
    for (const row of all('[data-field]')) row.classList.toggle('kf-changed', differs(row.dataset.field));
  }

  // --- who takes part: all, the first ones, so many of each type ---
  function drawSelection() {
    const place = byId('trading-selection'), facts = S.checked && S.checked.facts, household = S.chosen.parameters.household;
    const types = facts ? Object.entries(facts.types) : [], key = JSON.stringify([S.mode, types]);
    if (place.dataset.drawn !== key) {
      place.dataset.drawn = key;
      const focused = place.contains(document.activeElement) && document.activeElement.name === 'trading-who', group = el('div', 'kf-radios');
      group.setAttribute('role', 'radiogroup'); group.setAttribute('aria-label', 'Who takes part');
      group.append(...[['all', facts ? `All ${number(facts.households, 0)}` : 'All'], ['first', 'First ones'], ['types', 'By type']].map(([value, text]) => radio('who', value, text, S.mode === value, () => chooseMode(value))));
      place.replaceChildren(group);
      if (focused) group.querySelector('input:checked').focus(); // the arrow keys go on from there
      if (S.mode === 'types') place.append(...types.map(([type, count]) => typeRow(type, count)));
    }
    for (const input of place.querySelectorAll('[data-type]')) if (document.activeElement !== input) input.value = household.selection[input.dataset.type] || 0;
  }
  function typeRow(type, count) {
    const row = el('label', 'kf-type'), input = el('input', 'kf-field');
    Object.assign(input, { type: 'number', min: 0, max: count, step: 1 });
    input.dataset.type = type;
    input.addEventListener('input', () => {
      const picked = all('#trading-selection [data-type]').map(i => [i.dataset.type, Number(i.value)]), some = picked.filter(([, many]) => many !== 0);
      set('household.selection', Object.fromEntries(some.length ? some : picked.slice(0, 1))); // none at all is refused by the server, not taken for all
    });
    row.append(input, el('span', '', `of ${number(count, 0)} ${type || 'without letters'}`));
    return row;
  }
  function chooseMode(mode) {
    const facts = S.checked && S.checked.facts, household = S.chosen.parameters.household;
    S.mode = mode;
    household.selection = mode === 'types' && facts ? Object.fromEntries(Object.entries(facts.types).map(([type, count]) => [type, Math.min(count, 1000)])) : {};
    if (mode === 'all' && facts) household.max_households = Math.min(facts.households, 1000);
    refresh();
  }
  /** The file has other households now: "all" stays all, types that are not there go. */
  function fitSelection(facts) {
    const household = S.chosen.parameters.household, most = Math.min(facts.households, 1000);
    if (S.mode === null) S.mode = Object.keys(household.selection).length ? 'types' : household.max_households >= facts.households ? 'all' : 'first';
    if (S.mode === 'all' && household.max_households !== most) { household.max_households = most; refresh(); return; }
    if (S.mode === 'types' && S.file !== undefined && S.file !== facts.name && !Object.keys(household.selection).every(type => type in facts.types)) { S.file = facts.name; chooseMode('types'); }
    S.file = facts.name;
  }

  // --- files ---
  function radio(name, value, text, checked, chosen) {
    const label = el('label', 'kf-radio-label'), input = el('input');
    Object.assign(input, { type: 'radio', name: 'trading-' + name, value, checked });
    input.addEventListener('change', chosen);
    label.append(input, ' ' + text);
    return label;
  }
  const MODES = {
    grid_capacity: [['none', 'No limit'], ['constant', 'Constant'], ['synthetic', 'Synthetic'], ['file', 'File']],
    prices: [['random', 'Random, seeded'], ['constant', 'Constant'], ['time_of_use', 'Time of use'], ['file', 'File']],
  };
  function buildSources() {
    for (const place of all('[data-source]')) {
      const kind = place.dataset.source, line = el('div', 'kf-row'), select = el('select', 'kf-select'), state = el('span', 'kf-caption');
      if (MODES[kind]) {
        const group = el('div', 'kf-radios');
        group.setAttribute('role', 'radiogroup'); group.setAttribute('aria-label', kind === 'prices' ? 'Prices' : 'Grid capacity');
        group.append(...MODES[kind].map(([value, text]) => radio(kind, value, text, false, () => chooseSource(kind, value))));
        place.append(group);
      }
      select.id = 'file-' + kind;
      select.setAttribute('aria-label', kind === 'households' ? 'File of households' : kind === 'prices' ? 'File of prices' : 'File of grid capacity');
      select.addEventListener('change', () => { S.chosen[kind] = select.value; S.told[kind] = []; refresh(); drawProblems(); });
      line.append(select);
      if (S.offered.mb > 0) {
        const button = el('button', 'kf-button', 'Load a file …'), chooser = el('input');
        Object.assign(chooser, { type: 'file', accept: '.csv,.parquet', hidden: true, id: 'load-' + kind });
        chooser.setAttribute('aria-label', 'File to load');
        button.type = 'button';
        button.addEventListener('click', () => chooser.click());
        chooser.addEventListener('change', () => { if (chooser.files.length) upload(kind, chooser.files[0]); chooser.value = ''; });
        line.append(button, chooser);
      }
      state.id = 'loading-' + kind; state.setAttribute('role', 'status');
      line.append(state);
      place.append(line);
    }
  }
  const modeOf = kind => {
    if (S.chosen[kind]) return 'file';
    if (kind === 'prices') return S.chosen.parameters.grid_price.mode;
    return S.chosen.parameters.grid_capacity.use_capacity_limits ? S.chosen.parameters.grid_capacity.mode : 'none';
  };
  function chooseSource(kind, mode) {
    const p = S.chosen.parameters;
    S.told[kind] = []; drawProblems();
    if (mode === 'file') {
      const first = choicesOf(kind)[0];
      if (!first) { fillSources(); const chooser = byId('load-' + kind); if (chooser) chooser.click(); return; }
      S.chosen[kind] = first[0];
    } else S.chosen[kind] = '';
    if (kind === 'grid_capacity') p.grid_capacity.use_capacity_limits = mode !== 'none';
    if (kind === 'grid_capacity' && (mode === 'constant' || mode === 'synthetic')) p.grid_capacity.mode = mode;
    if (kind === 'prices' && mode !== 'file') p.grid_price.mode = mode;
    refresh();
  }
  function fillSources() {
    for (const kind of KINDS) {
      const select = byId('file-' + kind), choices = choicesOf(kind), key = JSON.stringify(choices);
      if (select.dataset.drawn !== key) {
        select.dataset.drawn = key;
        select.replaceChildren(...(kind === 'households' ? [] : [option('', choices.length ? 'no file' : 'no file loaded')]), ...choices.map(([value, text]) => option(value, text)));
      }
      select.value = S.chosen[kind];
      for (const input of all(`[name="trading-${kind}"]`)) input.checked = input.value === modeOf(kind);
    }
    const limits = modeOf('grid_capacity');
    byId('trading-capacity-get').disabled = limits === 'none';
  }
  async function upload(kind, file) {
    const state = byId('loading-' + kind);
    S.told[kind] = [];
    if (file.size > S.offered.mb * 1e6) S.told[kind] = [`${file.name}: ${number(file.size / 1e6, 0)} MB is above ${S.offered.mb} MB; load fewer rows, or Parquet instead of CSV`];
    else {
      state.textContent = `Loading ${file.name} …`;
      const answer = await ask(`/api/trading/upload?kind=${kind}&name=${encodeURIComponent(file.name)}`, { method: 'POST', headers: { 'Content-Type': 'application/octet-stream' }, body: file });
      state.textContent = '';
      if (answer.error) S.told[kind] = answer.problems;
      else {
        S.uploads = [...S.uploads.filter(f => f.id !== answer.id), answer];
        keep(FILES, S.uploads);
        S.chosen[kind] = answer.id;
        if (kind === 'grid_capacity') S.chosen.parameters.grid_capacity.use_capacity_limits = true;
        state.textContent = `${answer.name} is loaded`;
        refresh();
      }
    }
    drawProblems();
  }
  /** JSON of an address, or {error, problems} in words whatever went wrong. */
  async function ask(url, given) {
    try {
      const answer = await fetch(url, Object.assign({ cache: 'no-store' }, given));
      const text = await answer.text();
      try { return Object.assign(JSON.parse(text), { status: answer.status }); } catch (_) {
        const error = answer.status === 413 ? 'that is more than the server takes' : `the server answered ${answer.status}; its log says why`;
        return { error, problems: [error], status: answer.status };
      }
    } catch (_) { return { error: 'the server does not answer', problems: ['the server does not answer; try again'], status: 0 }; }
  }
  const post = (url, body) => ask(url, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });

  // --- what the server says ---
  function checked(answer) {
    if (!answer || !S.offered || answer.n !== S.n) return;
    S.checked = answer;
    drawProblems(); drawFacts(); drawRunText();
    if (answer.facts) fitSelection(answer.facts);
    drawSelection(); dim();
    tabShown();
  }
  function drawProblems() {
    const problems = S.checked ? S.checked.problems.filter(([place, text], i, every) => every.findIndex(p => p[0] === place && p[1] === text) === i) : [], lists = {};
    for (const row of all('[data-field]')) {
      const found = problems.filter(([place]) => place === row.dataset.field).map(([, text]) => text), box = row.querySelector('.kf-param-wrong');
      const named = problems.some(([place, text]) => place === row.dataset.field.split('.')[0] && new RegExp(`\\b${row.dataset.field.split('.')[1]}\\b`).test(text));
      box.hidden = !found.length; box.textContent = found.join('; ');
      row.classList.toggle('kf-wrong', found.length > 0 || named);
      const input = row.querySelector('input, select');
      if (input) input.setAttribute('aria-invalid', String(found.length > 0 || named));
    }
    const add = (name, text) => { (lists[name] = lists[name] || []).push(text); };
    for (const [place, text] of problems) {
      add('run', [place, text]);
      if (place.includes('.')) continue;
      if (KINDS.includes(place)) add('data-' + place, text);
      if (!KINDS.includes(place) || place === 'grid_capacity') add(place, text);
      if (place === 'grid_price') add('data-prices', text);
    }
    for (const kind of KINDS) {
      const told = S.told[kind] || [], kept = (choicesOf(kind).find(([key]) => key === S.chosen[kind]) || [])[1];
      for (const text of told.slice(0, MOST_TOLD)) add('data-' + kind, text);
      if (told.length > MOST_TOLD) add('data-' + kind, `and ${number(told.length - MOST_TOLD, 0)} more lines like these`);
      if (told.length && kept) add('data-' + kind, `${kept} stays in use.`);
    }
    for (const text of S.told.parameters || []) add('parameters', text);
    for (const box of all('.kf-problems')) {
      const own = lists[box.id.replace('trading-wrong-', '')] || [];
      box.hidden = !own.length;
      box.replaceChildren(...own.map(text => Array.isArray(text) ? jump(...text) : el('li', '', text)));
    }
  }
  const PLACES = { households: ['data', 'Households'], prices: ['data', 'Prices'], grid_capacity: ['data', 'Grid capacity'] };
  /** A problem on the run tab: what it is about is a button that goes there. */
  function jump(place, text) {
    const item = el('li'), row = document.querySelector(`[data-field="${place}"]`), group = byId('group-' + place.split('.')[0]);
    const title = row ? `${group.firstChild.textContent}: ${row.dataset.label}` : PLACES[place] ? PLACES[place][1] : group ? group.firstChild.textContent : 'Parameters';
    const button = el('button', 'kf-link', title);
    button.type = 'button';
    button.addEventListener('click', () => {
      kf.showTab(PLACES[place] ? PLACES[place][0] : 'parameters');
      const target = row ? row.querySelector('input, select') : byId('data-' + place) || group;
      if (group) group.open = true;
      if (target) { target.scrollIntoView({ block: 'center' }); if (target.focus) target.focus(); }
    });
    item.append(button, ' ' + text);
    return item;
  }
  function drawFacts() {
    const facts = S.checked.facts, place = byId('trading-facts');
    if (!facts) { place.replaceChildren(el('p', 'kf-empty', 'Choose or load a file that can be used.')); return; }
    const types = Object.entries(facts.types), minutes = Math.round(60 * facts.interval_h);
    const energy = kwh => kwh < 9999.5 ? [number(kwh, 0), 'kWh'].join(NBSP) : [number(kwh / 1000, 1), 'MWh'].join(NBSP);
    const rows = [
      ['Households', number(facts.households, 0) + (types.length > 1 || types[0][0] ? `: ${types.slice(0, 6).map(([type, count]) => `${number(count, 0)} ${type || 'without letters'}`).join(', ')}${types.length > 6 ? ', …' : ''}` : '')],
      ['Period', `${facts.first.slice(0, 16).replace('T', ' ')} to ${facts.last.slice(0, 16).replace('T', ' ')}`],
      ['Interval', minutes % 60 ? `${number(minutes, 0)}${NBSP}min` : `${number(minutes / 60, 0)}${NBSP}h`],
      ['Consumption', energy(facts.consumption_kwh)], ['Production', energy(facts.production_kwh)],
    ];
    const list = el('dl', 'kf-values kf-facts');
    for (const [name, text] of rows) list.append(el('dt', '', name), el('dd', '', text));
    place.replaceChildren(list);
    const start = byId('param-simulation.start');
    Object.assign(start, { min: facts.first.slice(0, 16), max: facts.last.slice(0, 16) });
  }
  function drawRunText() {
    const { words, size, command, note } = S.checked, list = el('dl', 'kf-words');
    for (const line of words) { const cut = line.indexOf(': '); list.append(el('dt', '', line.slice(0, cut)), el('dd', '', line.slice(cut + 2))); }
    if (size) list.append(el('dt', '', 'Size'), el('dd', '', size));
    byId('trading-words').replaceChildren(words.length ? list : el('p', 'kf-empty', 'Something is wrong with what was chosen:'));
    byId('trading-command-line').textContent = command || '–';
    byId('trading-command-note').textContent = note && note + '.';
    drawButton();
  }
  const computing = () => S.job && S.job.state && !ENDED.includes(S.job.state);
  function drawButton() {
    const button = document.querySelector('[data-action="trading-run"]');
    if (button) button.disabled = Boolean(S.starting || computing() || !S.checked || S.checked.problems.length);
  }

  // --- the run while it computes ---
  const ENDED = ['done', 'stopped', 'failed'];
  const seconds = s => s < 90 ? `${number(s, 0)}${NBSP}s` : s < 5400 ? `${number(s / 60, 0)}${NBSP}min` : `${number(s / 3600, 1)}${NBSP}h`;
  const runLink = name => `/trading?run=${encodeURIComponent(name)}&view=playback`;
  async function startRun() {
    if (S.starting || computing()) return;
    const state = byId('trading-run-state');
    S.starting = true; drawButton();
    state.textContent = 'Starting …';
    push();
    const answer = await post('/api/trading/run', S.chosen);
    S.starting = false;
    state.textContent = answer.error || '';
    state.classList.toggle('kf-warning', Boolean(answer.error));
    if (!answer.error) setProps('trading-job', { data: { id: answer.id } });
    drawButton();
  }
  /** The browser's own run, as its storage has it: after a start, and when a page opens. */
  function follow(kept) {
    if (!kept || !kept.id || !byId('trading-progress')) { if (S.job) forget(); return; }
    if (S.job && S.job.id === kept.id && S.job.box === byId('trading-progress')) return;
    S.job = { id: kept.id, box: byId('trading-progress'), state: '', rows: [], next: 0, sawRunning: false, asking: false, from: null };
    poll();
    setProps('trading-poll', { disabled: false });
  }
  function forget() {
    const job = S.job;
    S.job = null;
    if (job) { job.box.classList.remove('kf-open'); job.box.hidden = true; }
    setProps('trading-poll', { disabled: true });
    drawButton();
  }
  async function poll() {
    const job = S.job;
    if (!job || job.asking || !job.box.isConnected) return;
    job.asking = true;
    const answer = await ask(`/api/trading/jobs/${encodeURIComponent(job.id)}?since=${job.next}`);
    job.asking = false;
    if (job !== S.job) return;
    if (answer.status === 404) { setProps('trading-job', { data: null }); forget(); return; } // removed meanwhile
    job.lost = Boolean(answer.error);
    if (!job.lost) take(job, answer);
    drawProgress(job); drawButton(); drawSoFar();
  }
  function take(job, answer) {
    if (!ENDED.includes(answer.state)) job.sawRunning = true;
    if (job.from === null && answer.done > 0) job.from = { at: Date.now(), done: answer.done };
    job.rows.push(...answer.rows);
    if (job.rows.length > MOST_POINTS) job.rows = job.rows.filter((row, i) => i % 2 === 0 || i === job.rows.length - 1);
    Object.assign(job, { next: answer.next, state: answer.state, done: answer.done, total: answer.total, message: answer.message, result: answer.result, elapsed: answer.elapsed, about: answer.about });
    if (!ENDED.includes(job.state)) return;
    setProps('trading-poll', { disabled: true });
    if (job.result && read(OPENED) === job.result) { setProps('trading-job', { data: null }); forget(); return; }
    if (job.state === 'done' && job.sawRunning && shownTab() === 'run' && !document.hidden) { job.opens = true; setTimeout(() => { if (job === S.job && shownTab() === 'run') { keep(OPENED, job.result); location.assign(runLink(job.result)); } }, 1500); }
  }
  function progressText(job) {
    const whole = `${number(job.done, 0)} of ${number(job.total, 0)} steps`;
    if (job.lost) return 'No connection to the server: trying again';
    if (job.state === 'waiting') return job.message || 'waits for its turn';
    if (job.state === 'failed') return job.message;
    if (job.state === 'stopped') return job.result ? `Stopped after ${whole}; what was done is kept.` : job.message || 'Stopped.';
    if (job.state === 'done') return `Done: ${number(job.total, 0)} steps in ${seconds(job.elapsed)}.${job.opens ? ' It opens now …' : ''}`;
    if (job.state === 'stopping') return `Stopping after ${whole} …`;
    if (!job.done) return job.message || 'starting …';
    if (job.done >= job.total) return `${whole}; settling and writing …`;
    const since = job.from && (Date.now() - job.from.at) / 1000, done = job.from && job.done - job.from.done;
    return `${whole} · ${seconds(job.elapsed)}` + (since > 2 && done > 0 ? `, about ${seconds((job.total - job.done) * since / done)} left` : '');
  }
  function buildProgress(box) {
    const head = el('div', 'kf-run-head'), title = el('strong'), text = el('span', 'kf-run-text'), open = el('a', 'kf-button kf-primary', 'Open'), stop = el('button', 'kf-button', 'Stop'), away = el('button', 'kf-button', '✕');
    const bar = el('div', 'kf-run-bar'), fill = el('div');
    for (const button of [stop, away]) button.type = 'button';
    open.addEventListener('click', () => { if (S.job) keep(OPENED, S.job.result); });
    stop.dataset.action = 'trading-stop'; away.dataset.action = 'trading-forget';
    away.title = 'Do not show this any more'; away.setAttribute('aria-label', away.title);
    bar.setAttribute('role', 'progressbar'); bar.setAttribute('aria-label', 'Steps of the run'); bar.setAttribute('aria-valuemin', 0);
    text.setAttribute('role', 'status');
    bar.append(fill); head.append(title, text, open, stop, away);
    box.replaceChildren(head, bar);
    return { title, text, open, stop, away, bar, fill };
  }
  function drawProgress(job) {
    if (S.job !== job || !job.about && !job.lost) return;
    if (!job.parts) job.parts = buildProgress(job.box);
    const { title, text, open, stop, away, bar, fill } = job.parts, ended = ENDED.includes(job.state), share = job.total ? job.done / job.total : 0, words = progressText(job);
    if (job.about) title.textContent = `Run of ${number(job.about.households, 0)} households`;
    if (text.textContent !== words) text.textContent = words;
    text.classList.toggle('kf-warning', job.state === 'failed' || Boolean(job.lost));
    fill.style.transform = `scaleX(${share})`;
    job.box.dataset.state = job.state;
    bar.setAttribute('aria-valuemax', job.total || 0); bar.setAttribute('aria-valuenow', job.done || 0); bar.setAttribute('aria-valuetext', words);
    stop.hidden = ended; stop.disabled = job.state === 'stopping';
    away.hidden = !ended;
    open.hidden = !(ended && job.result);
    if (job.result) open.href = runLink(job.result);
    if (job.box.hidden) { job.box.hidden = false; requestAnimationFrame(() => job.box.classList.add('kf-open')); }
    const note = byId('trading-so-far-text');
    if (note) note.textContent = words;
  }
  /** The curves, which grow towards the end of the period. */
  function drawSoFar() {
    const chart = live.graph('trading-so-far'), job = S.job;
    if (!chart || !job || !job.about || !job.rows.length || shownTab() !== 'run') return;
    const start = Date.parse(job.about.begin + 'Z'), hour = 3600000 * job.about.step_h, when = step => new Date(start + step * hour).toISOString().slice(0, 19);
    const x = job.rows.map(row => when(row.step + 1)), names = ['wallet_baseline_eur', 'wallet_optimized_eur', 'grid_buy_baseline_kwh', 'grid_buy_optimized_kwh'];
    const layout = { annotations: [], 'xaxis.visible': true, 'yaxis.visible': true, 'yaxis2.visible': true, 'xaxis.range': [when(0), when(job.total)], 'xaxis.autorange': false };
    window.Plotly.update(chart, { x: names.map(() => x), y: names.map(name => job.rows.map(row => row[name])) }, layout, [0, 1, 2, 3]);
  }

  // --- tabs ---
  const shownTab = () => { const tab = document.querySelector('[data-tab][aria-selected="true"]'); return tab ? tab.dataset.tab : ''; };
  /** A tab of this half came up, or what it shows has changed. */
  function tabShown() {
    const name = shownTab();
    if (name === S.tab && name !== 'data') return;
    if (name === 'data' && S.checked && S.checked.key && S.checked.key !== S.previewed) { S.previewed = S.checked.key; setProps('trading-preview-ask', { data: { n: Date.now() } }); }
    if (name !== S.tab && (name === 'data' || name === 'run')) requestAnimationFrame(() => { window.dispatchEvent(new Event('resize')); drawSoFar(); });
    S.tab = name;
  }

  // --- buttons ---
  kf.actions = Object.assign(kf.actions || {}, {
    'trading-save': () => {
      const link = el('a');
      link.href = URL.createObjectURL(new Blob([JSON.stringify(S.chosen.parameters, null, 2) + '\n'], { type: 'application/json' }));
      link.download = 'params.json';
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10000);
      if (S.checked && S.checked.problems.some(([place]) => !KINDS.includes(place))) kf.toast('Saved, but some values cannot be used yet: they are marked.');
    },
    'trading-load': () => byId('load-parameters').click(),
    'trading-reset': () => { S.chosen.parameters = clone(S.offered.chosen.parameters); S.told.parameters = []; S.mode = null; if (S.checked && S.checked.facts) fitSelection(S.checked.facts); refresh(); },
    'trading-run': startRun,
    'trading-stop': async () => {
      const job = S.job;
      if (!job) return;
      job.parts.stop.disabled = true;
      const answer = await post(`/api/trading/jobs/${encodeURIComponent(job.id)}/stop`, {});
      if (answer.error) kf.toast(answer.error);
      poll();
    },
    'trading-forget': () => { setProps('trading-job', { data: null }); forget(); },
  });
  async function loadParameters(file) {
    let content = null;
    S.told.parameters = [];
    try { content = JSON.parse((await file.text()).replace(/^\ufeff/, '')); } catch (error) { S.told.parameters = [`${file.name}: is no valid JSON (${error.message})`]; }
    if (!S.told.parameters.length) {
      const answer = await post('/api/trading/parameters', content);
      if (answer.error) S.told.parameters = answer.problems.map(text => text.replace(/^file/, file.name));
      else { S.chosen.parameters = answer.parameters; S.mode = null; if (S.checked && S.checked.facts) fitSelection(S.checked.facts); refresh(); kf.toast(`${file.name} is loaded.`); }
    }
    drawProblems();
  }

  // --- opening ---
  function open(offered) {
    const pane = byId('pane-parameters');
    if (!offered || !pane || !pane.firstChild || pane.dataset.ready) return;
    pane.dataset.ready = '1';
    Object.assign(S, { offered, checked: null, mode: null, previewed: '', tab: '', told: {}, file: undefined });
    S.chosen = restore();
    buildInputs(); buildSources();
    const chooser = el('input');
    Object.assign(chooser, { type: 'file', accept: '.json', hidden: true, id: 'load-parameters' });
    chooser.setAttribute('aria-label', 'Parameters to load');
    chooser.addEventListener('change', () => { if (chooser.files.length) loadParameters(chooser.files[0]); chooser.value = ''; });
    pane.append(chooser);
    new MutationObserver(tabShown).observe(document.querySelector('#trading-tabs [role=tablist]'), { subtree: true, attributes: true, attributeFilter: ['aria-selected'] });
    for (const button of all('.kf-tip-button')) button.addEventListener('keydown', event => { if (event.key === 'Escape') button.blur(); });
    fillInputs(); fillSources(); dim(); sayChanged(); drawSelection(); push(); tabShown();
    follow(S.kept);
  }
  const none = () => window.dash_clientside.no_update;
  const clientside = {
    tradingOpened: offered => { open(offered); return none(); },
    tradingChecked: answer => { checked(answer); return none(); },
    tradingJob: kept => { S.kept = kept; follow(kept); return none(); },
    tradingPoll: () => { poll(); return none(); },
    tradingSoFar: () => { setTimeout(drawSoFar, 100); return none(); },
  };
  /** For tests: what this half holds. */
  kf.tradingSetup = () => S;
  window.dash_clientside = Object.assign({}, window.dash_clientside);
  window.dash_clientside.kraftflyt = Object.assign({}, window.dash_clientside.kraftflyt, clientside);
})();
