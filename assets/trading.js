/* The playback of a trading run, drawn from the step's message (energy_sim/trading/message.py says what is in it).
 * dash_clientside.kraftflyt.drawTrading is the only way in; assets/live.js has what is not about trading. */
(function () {
  'use strict';
  const kf = window.kraftflyt = window.kraftflyt || {};
  const live = kf.live = kf.live || {};
  const NBSP = '\u00a0';
  const C = { wallet: 1, production: 2, consumption: 3, gridBuy: 4, gridSell: 5, p2p: 6, curtailed: 8, unserved: 9 }; // places in the totals
  const SIMULATIONS = ['optimized', 'baseline'], NAMES = { optimized: 'Optimised', baseline: 'Baseline' };
  const FAST_MS = 20; // between an answer and the next question at 5 steps a second and more: the rest takes about 90 ms
  let page = null;

  const { el, byId, number } = { el: (...a) => live.el(...a), byId: id => document.getElementById(id), number: (...a) => live.number(...a) };
  const energy = kwh => Math.abs(kwh) < 999.5 ? [number(kwh, Math.abs(kwh) < 99.5 ? 2 : 0), 'kWh'] : [number(kwh / 1000, 2), 'MWh'];
  const euro = eur => [number(eur, 2), page.fixed.currency];
  const price = eur => eur === null ? '–' : number(100 * eur, 1) + NBSP + (page.fixed.currency === 'EUR' ? 'ct/kWh' : page.fixed.currency + '-ct/kWh');
  const moment = iso => iso ? live.longDate(iso + 'Z') + ', ' + iso.slice(11, 16) : '';
  const tickMoment = t => page.fixed.startMs === null ? '' : new Date(page.fixed.startMs + t * page.fixed.stepMs).toISOString().slice(0, 16);
  const tickText = t => moment(tickMoment(t)) || `Step ${number(t, 0)}`;

  /** Below header, tabs and transport; presented there is only the transport. */
  const ringHeight = () => Math.max(420, window.innerHeight - (document.body.classList.contains('kf-presenting') ? 190 : 264));
  function open(fixed, link) {
    const box = byId('trading-ring');
    page = live.open({
      name: 'trading', path: '/trading', prefix: 'trading-', box, fixed, session: link.session, key: link.key, slow: fixed.slow = fixed.slow || fixed.tickMs, charted: Infinity, firstTab: 'playback',
      draw, drawTab: () => {}, tabShown: name => { if (name === 'playback' || name === 'summary') requestAnimationFrame(() => window.dispatchEvent(new Event('resize'))); },
      scrubLabel: 'Step', tickText, endText: t => tickMoment(t).slice(0, 10) || number(t, 0),
      lines: m => [tickText(m.t), `step ${number(m.t + 1, 0)} of ${number(m.n + 1, 0)}` + (m.e ? ' · the end' : m.p ? '' : ' · paused'), NAMES[SIMULATIONS[m.sim]]],
      marks: () => [],
      say: m => `${tickText(m.t)}, ${NAMES[SIMULATIONS[m.sim]]}: bought ${energy(m.c[C.gridBuy]).join(' ')} from the grid, traded ${energy(m.c[C.p2p]).join(' ')} among neighbours`,
      hint: m => m.t === 0 && !m.p ? 'Press ▶ or Space and the steps pass. Purple: neighbours trade. Red: from the grid. Green: to the grid.' : '',
      speed: { name: 'speed', values: fixed.speeds, of: m => m.r }, formatRange: (name, value) => number(fixed.speeds[value], fixed.speeds[value] < 1 ? 2 : 0) + '×',
      rangeValue: (name, value) => value, appendRows: () => true, storyNeeds: story => page.last.n >= 47 && fixed.stepMs === 3600000 && tickMoment(0).slice(11) === '00:00' ? '' : 'This story needs a run of two days or more, in steps of an hour from midnight on.', opensAnew: () => false, actions: {}, selected: null,
    });
    page.ring = kf.ring.mount(box, fixed.geometry, { label: 'Households in a ring, the grid in the middle', compactGeometry: fixed.compact, maxHeight: ringHeight, currency: fixed.currency, onSelect: i => { page.selected = i; } });
    page.cards = live.buildCards(byId('trading-cards'), CARDS.map(([name]) => name));
  }

  const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  /** A message as kf.ring wants it: percent, money and kWh; null where the message of many homes does not say. */
  kf.ringState = function (fixed, m) {
    const trades = m.k.map(([s, b, wh]) => [s, b, wh / 1000]), short = m.h.length && m.h[0].length === 3;
    const homes = m.hp ? packedHomes(m) : short ? shortHomes(m, trades) : m.h.map(h => [h[0] === null ? null : h[0] / 10, h[1] / 100, h[2] / 100, ...h.slice(3).map(wh => wh / 1000)]);
    return { homes, trades, full: fixed.fullKwh, grid: [m.c[C.gridBuy], m.c[C.gridSell], m.c[C.p2p]], coarse: Boolean(m.hp) };
  };
  /** [battery ‰, better off ct, net Wh]: what is not trade is the grid's. */
  function shortHomes(m, trades) {
    const bought = new Float64Array(m.h.length), sold = new Float64Array(m.h.length);
    for (const [s, b, kwh] of trades) { sold[s] += kwh; bought[b] += kwh; }
    return m.h.map(([soc, better, net], i) => {
      const grid = net / 1000 - bought[i] + sold[i];
      return [soc === null ? null : soc / 10, null, better / 100, null, null, Math.max(grid, 0), Math.max(-grid, 0), bought[i], sold[i], 0, 0, 0, 0];
    });
  }
  /** Three base64 digits a home; packed_rows of energy_sim/trading/message.py says what is in them. */
  function packedHomes(m) {
    return Array.from({ length: m.hp.length / 3 }, (_, i) => {
      const code = [0, 1, 2].reduce((all, k) => all << 6 | DIGITS.indexOf(m.hp[3 * i + k]), 0);
      const charge = code >> 13, better = code >> 11 & 3, way = code >> 9 & 3, kwh = ((code & 511) / 511) ** 2 * m.hf / 1000;
      return [charge === 31 ? null : charge / 0.3, null, [0, 0.01, -0.01][better], null, null, way === 1 ? kwh : 0, way === 2 ? kwh : 0, way === 3 ? kwh : 0, 0, 0, 0, 0, 0];
    });
  }

  const CARDS = [
    ['From the grid', m => energy(m.c[C.gridBuy]), m => beside(m.c[C.gridBuy], m.b[C.gridBuy], energy), m => price(m.g[0])],
    ['To the grid', m => energy(m.c[C.gridSell]), m => beside(m.c[C.gridSell], m.b[C.gridSell], energy), m => price(m.g[1])],
    ['Among neighbours', m => energy(m.c[C.p2p]), m => m.k.length ? `${number(m.k.length + (m.more || 0), 0)} trades` : 'no trade', m => m.sim ? '' : price(m.g[2])],
    ['In batteries', m => energy(m.c[0]), m => beside(m.c[0], m.b[0], energy), () => ''],
    ['Wallets together', m => euro(m.c[C.wallet]), m => beside(m.c[C.wallet], m.b[C.wallet], euro), () => ''],
    ['Unserved', m => energy(m.c[C.unserved]), m => beside(m.c[C.unserved], m.b[C.unserved], energy), m => m.c[C.curtailed] > 0.0005 ? 'curtailed ' + energy(m.c[C.curtailed]).join(NBSP) : ''],
  ];
  const beside = (now, base, text) => page.last && page.last.sim === 1 ? 'baseline' : Math.abs(now - base) < 0.005 ? 'as in the baseline' : 'baseline ' + text(base).join(NBSP);

  /** Long tables, of households and blocks; their data wait in an attribute. */
  function fillTables() {
    document.querySelectorAll('#trading-tabs [data-table]').forEach(place => {
      if (place.filled === place.dataset.table && place.firstChild) return;
      place.filled = place.dataset.table;
      const { heads, rows, caption } = JSON.parse(place.filled);
      live.fillTable(place, heads.map(([text, digits]) => digits === null ? [text] : [text, digits]), rows, caption);
    });
  }
  function draw(m) {
    fillTables();
    page.fixed.tickMs = m.r >= 5 ? Math.min(page.slow, FAST_MS) : page.slow;
    page.ring.update(kf.ringState(page.fixed, m));
    CARDS.forEach(([name, value, note, more], i) => live.fillCard(page.cards[i], value(m), note(m), more(m), name === 'Unserved' && m.c[C.unserved] > 1e-6));
    document.querySelectorAll('[data-command="simulation"]').forEach(chip => chip.setAttribute('aria-pressed', String(chip.dataset.value === (m.set.simulation))));
    byId('trading-picture-title').textContent = m.sim ? 'Baseline: everybody for themselves, kWh in the step' : 'Optimised: who trades with whom, kWh in the step';
    drawTables(m); moveCursors(m);
  }
  function drawTables(m) {
    const trades = byId('trading-trades'), homes = byId('trading-homes'), ids = page.fixed.ids;
    if (!trades) return;
    if (trades.closest('details').open) {
      if (!m.k.length) trades.replaceChildren(el('p', 'kf-empty', m.sim ? 'The baseline knows no trade.' : 'Nobody trades in this step.'));
      else live.fillTable(trades, [['Seller'], ['Buyer'], ['Energy, kWh', 3]], m.k.map(([s, b, wh]) => [ids[s], ids[b], wh / 1000]), `${m.k.length} trades at ${price(m.g[2])}` + (m.more ? `; ${m.more} smaller ones are in the exported table` : ''));
    }
    if (!homes.closest('details').open) return;
    if (m.hp || m.h[0].length === 3) { homes.replaceChildren(el('p', 'kf-empty', 'So many households are in the exported table.')); return; }
    const heads = [['Household'], ['Battery, %', 0], ['Wallet', 2], ['Against the baseline', 2], ...['Production', 'Consumption', 'Grid buy', 'Grid sell', 'P2P buy', 'P2P sell', 'Charge', 'Discharge', 'Curtailed', 'Unserved'].map(name => [name + ', kWh', 2])];
    live.fillTable(homes, heads, m.h.map((h, i) => [ids[i], h[0] === null ? '–' : h[0] / 10, h[1] / 100, h[2] / 100, ...h.slice(3).map(wh => wh / 1000)]), `Households: ${tickText(m.t)}; money in ${page.fixed.currency}`);
  }
  /** The line that marks the step, over every chart that has been drawn. */
  function moveCursors(m) {
    document.querySelectorAll('#trading-charts .kf-cursor-place').forEach(place => {
      const chart = place.querySelector('.js-plotly-plot'), line = place.querySelector('.kf-cursor'), axis = chart && chart._fullLayout && chart._fullLayout.xaxis;
      if (!axis || !axis.d2p || !axis._length) { line.hidden = true; return; }
      const iso = tickMoment(m.t), at = axis.d2p(iso || m.t * page.fixed.stepMs / 3600000), inside = at >= 0 && at <= axis._length;
      line.hidden = !inside;
      if (!inside) return;
      const low = chart._fullLayout.yaxis, corner = chart.getBoundingClientRect(), from = place.getBoundingClientRect();
      line.style.transform = `translateX(${corner.left - from.left + axis._offset + at - 1}px)`;
      line.style.top = corner.top - from.top + low._offset + 'px';
      line.style.height = low._length + 'px';
    });
  }
  const again = () => { if (page && live.page() === page && page.last) { moveCursors(page.last); fillTables(); } };
  setInterval(() => { if (!document.hidden) again(); }, 500); // charts arrive and are drawn anew in their own time
  document.addEventListener('toggle', event => { if (page && page.last && event.target.closest && event.target.closest('.kf-trading-tables') && live.page() === page) drawTables(page.last); }, true);

  function drawTrading(message, fixed, link) {
    const box = byId('trading-ring');
    if (!message || !fixed || !box) return window.dash_clientside.no_update;
    if (!page || page.box !== box) open(fixed, link);
    return live.receive(page, message);
  }

  /** A day of a small community, an hour at a time, for the overview. */
  (kf.previews = kf.previews || {}).trading = (place, fixed) => ({
    drawing: kf.ring.mount(place, fixed.geometry, { label: 'Neighbours trade over a day, an hour at a time', maxHeight: () => 420 }),
    first: 8, state: m => kf.ringState(fixed, m),
  });

  (live.replays = live.replays || {}).trading = drawTrading;
  /** For tests: what the page holds. */
  kf.tradingPage = () => page && live.page() === page ? page : null;

  /** Without a run there is no live page: the tab of the address, or the one in which a run is made. */
  function openTrading(info) {
    if (info && !info.run) kf.showTab(new URLSearchParams(location.search).get('view') || 'run');
    return window.dash_clientside.no_update;
  }
  window.dash_clientside = Object.assign({}, window.dash_clientside);
  window.dash_clientside.kraftflyt = Object.assign({}, window.dash_clientside.kraftflyt, { drawTrading, openTrading });
})();
