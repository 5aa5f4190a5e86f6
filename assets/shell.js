/* What every page has: theme, keys, presentation mode, dialogs, controls that send commands. No layout work here. */
(function () {
  'use strict';
  const kf = window.kraftflyt = window.kraftflyt || {};
  const root = document.documentElement;
  const setProps = (id, props) => window.dash_clientside.set_props(id, props);
  const query = () => new URLSearchParams(location.search);

  /** Put values into the address without loading anything; null takes one out. */
  kf.setQuery = function (values) {
    const q = query();
    for (const [name, value] of Object.entries(values)) value === null ? q.delete(name) : q.set(name, value);
    const text = q.toString();
    history.replaceState(history.state, '', location.pathname + (text ? '?' + text : ''));
  };

  // --- theme ---
  function storedTheme() {
    const asked = query().get('theme');
    if (asked === 'dark' || asked === 'light') return asked;
    try { return localStorage.getItem('kraftflyt-theme') || root.dataset.theme || 'dark'; /* a replay file has its own */ } catch (_) { return 'dark'; }
  }
  function applyTheme(name) {
    root.dataset.theme = name;
    root.dataset.bsTheme = name;
  }
  applyTheme(storedTheme());
  kf.theme = () => root.dataset.theme;
  function toggleTheme() {
    const name = kf.theme() === 'dark' ? 'light' : 'dark';
    applyTheme(name);
    try { localStorage.setItem('kraftflyt-theme', name); } catch (_) { /* private window: the address keeps it */ }
    kf.setQuery({ theme: name });
    setProps('theme', { data: name });
  }

  // --- commands: one at a time, in order; the next goes when the server has answered ---
  const queue = [];
  let sent = null, sentAt = 0, number = Date.now(), again = 0;
  const MOVES = { step: 1, back: -1 }, JUMPS = new Set(['play', 'pause', 'reset', 'scrub', 'day', 'end', 'restart']);
  kf.send = function (name, value, byStory) {
    const page = kf.live.page();
    if (!page) return; // none that takes commands is open
    if (!byStory) kf.stopStory();
    const next = { name, value: value === undefined ? null : value };
    const last = queue[queue.length - 1];
    if (MOVES[name] && sent) { // steps asked for while the server answers become one move
      if (last && last.name === 'move') { last.value += MOVES[name]; pump(); return; }
      Object.assign(next, { name: 'move', value: MOVES[name] });
    }
    if (JUMPS.has(name) && !byStory) dropQueued(c => c.name === 'move');
    if (name === 'scrub' || name === 'reset') dropQueued(c => c.name === 'scrub');
    const key = page.commandKey(name, value);
    if (!JUMPS.has(name) && !MOVES[name]) dropQueued(c => page.commandKey(c.name, c.value) === key); // only the last value counts
    queue.push(next);
    pump();
  };
  function dropQueued(which) {
    for (let i = queue.length - 1; i >= 0; i--) if (which(queue[i])) queue.splice(i, 1);
  }
  kf.acknowledge = function (n) {
    if (sent && n === sent.n) sent = null;
    pump();
  };
  /** Commands that wait are for the page that was open when they were given. */
  kf.forgetCommands = function () {
    queue.length = 0;
    sent = null;
  };
  function pump() {
    clearTimeout(again);
    if (!kf.live.page()) kf.forgetCommands();
    if (!queue.length) return;
    const wait = sent ? sentAt + 3000 - Date.now() : 0; // no answer for so long: it is lost
    if (wait > 0) { again = setTimeout(pump, wait); return; }
    sent = Object.assign(queue.shift(), { n: ++number });
    sentAt = Date.now();
    kf.live.setProps('command', { data: sent });
  }

  // --- messages ---
  let toastTimer = 0;
  kf.toast = function (text) {
    const box = document.getElementById('toast');
    if (box) setProps('toast', { children: text });
  };
  new MutationObserver(() => {
    const box = document.getElementById('toast');
    if (!box || !box.textContent || box.dataset.shown === box.textContent) return;
    box.dataset.shown = box.textContent;
    box.classList.add('kf-shown');
    clearTimeout(toastTimer);
    toastTimer = setTimeout(() => { box.classList.remove('kf-shown'); box.dataset.shown = ''; setProps('toast', { children: '' }); }, 7000);
  }).observe(root, { subtree: true, childList: true, characterData: true });

  // --- clicks ---
  const actions = kf.actions = Object.assign(kf.actions || {}, {
    theme: toggleTheme,
    present: () => { document.body.classList.toggle('kf-presenting'); window.dispatchEvent(new Event('resize')); },
    help: () => document.getElementById('help-dialog').showModal(),
    share: () => { kf.fillShare(document.getElementById('share-links')); document.getElementById('share-dialog').showModal(); },
    'close-dialog': button => button.closest('dialog').close(),
    copy: button => {
      const field = button.previousElementSibling;
      field.select();
      (navigator.clipboard ? navigator.clipboard.writeText(field.value) : Promise.reject()).catch(() => document.execCommand('copy'))
        .then(() => { button.textContent = 'Copied'; });
    },
  });
  document.addEventListener('click', event => {
    const button = event.target.closest('[data-command],[data-switch],[data-action],[data-tab]');
    if (!button || button.disabled) return;
    const d = button.dataset;
    if (d.command) kf.send(d.command === 'play' && button.dataset.playing === '1' ? 'pause' : d.command, d.value);
    if (d.switch) {
      const on = button.getAttribute('aria-checked') !== 'true';
      button.setAttribute('aria-checked', String(on));
      kf.send(d.switch, on);
    }
    const page = kf.live.page(), act = page && page.actions[d.action] || actions[d.action]; // the open page's own come first
    if (act) act(button);
    if (d.tab) kf.showTab(d.tab);
    if (event.detail > 0 && !d.tab) button.blur(); // a mouse click leaves the keys free for playback
  });

  // the link to the page that is open would take the session out of the address; from playback it opens a session
  document.addEventListener('click', event => {
    const link = event.target.closest('.kf-nav-link');
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const way = kf.live.wayBack(new URL(link.href).pathname), page = kf.live.page();
    if (way) { // back to the session of this window; "Open the zones" on the overview begins a new one
      history.pushState({}, '', way);
      window.dispatchEvent(new CustomEvent('_dashprivate_pushstate'));
    } else if (!link.hasAttribute('aria-current') || (page && page.opensAnew())) return;
    event.preventDefault();
    event.stopPropagation();
  }, true);

  // --- sliders: native inputs inside the places the layout left for them ---
  /** `format` tells a value in words, `valueOf` is what is sent for a place of the slider. */
  kf.upgradeRanges = function (format, valueOf) {
    document.querySelectorAll('.kf-range:not([data-ready])').forEach(place => {
      const d = place.dataset, id = 'range-' + d.range;
      place.dataset.ready = '1';
      const label = document.createElement('label'), input = document.createElement('input'), out = document.createElement('output');
      label.htmlFor = id; label.textContent = d.label;
      Object.assign(input, { type: 'range', id, min: d.min, max: d.max, step: d.step, value: d.value });
      out.htmlFor = id;
      const show = () => { out.textContent = format(d.range, Number(input.value), d.unit); input.setAttribute('aria-valuetext', out.textContent); };
      input.addEventListener('input', () => { place.dragging = true; show(); });
      input.addEventListener('change', () => { place.dragging = false; if (!place.closest('[data-quiet]')) kf.send(d.range, valueOf(d.range, Number(input.value))); });
      place.kfSet = value => { if (!place.dragging) { input.value = value; show(); } };
      place.append(label, input, out);
      show();
    });
  };

  // a slider or choice used with the mouse leaves the keys free for playback
  let pointer = false;
  document.addEventListener('pointerdown', () => { pointer = true; }, true);
  document.addEventListener('keydown', () => { pointer = false; }, true);
  document.addEventListener('change', event => { if (pointer && event.target.matches('input[type=range],input[type=radio],input[type=checkbox],select')) event.target.blur(); });

  // --- keys: they press the visible buttons ---
  const press = selector => { const b = document.querySelector(selector); if (b && !b.disabled && b.offsetParent !== null || b && document.body.classList.contains('kf-presenting')) b.click(); return Boolean(b); };
  const keys = {
    ' ': () => press('[data-command="play"]'),
    ArrowRight: () => press('[data-command="step"]'),
    ArrowLeft: () => press('[data-command="back"]'),
    Home: () => press('[data-command="reset"]'),
    End: () => press('[data-command="end"]'),
    '+': () => kf.faster(1),
    '-': () => kf.faster(-1),
    t: () => press('[data-action="theme"]'),
    p: () => press('[data-action="present"]'),
    '?': () => press('[data-action="help"]'),
    f: () => { if (document.fullscreenElement) document.exitFullscreen(); else if (root.requestFullscreen) root.requestFullscreen().catch(() => kf.toast('The browser does not allow full screen here.')); return true; },
    Escape: () => { if (!document.body.classList.contains('kf-presenting')) return false; actions.present(); return true; },
  };
  document.addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const target = event.target;
    if (target.closest('input:not([type=range]):not([type=checkbox]):not([type=radio]),textarea,select,[role=combobox],[role=listbox],dialog[open]')) return;
    if (target.matches('input') && (/^(Arrow|Home|End)/.test(event.key) || (event.key === ' ' && target.type !== 'range'))) return;
    if (target.closest('button,a,summary') && event.key === ' ') return;
    if (target.closest('[role=tablist]') && /^Arrow/.test(event.key)) return;
    const page = /^[1-9]$/.test(event.key) && document.querySelectorAll('.kf-nav-link')[Number(event.key) - 1];
    if (page) { page.click(); event.preventDefault(); return; }
    const act = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (act && act() !== false) event.preventDefault();
  });

  // --- small live pictures of the overview: kf.previews[room](place, fixed) -> {drawing, first, state(message)} ---
  const PREVIEWS = { zones: 'data-preview', community: 'data-street-preview', trading: 'data-ring-preview', agents: 'data-fleet-preview' };
  function mountPreviews() {
    for (const [room, name] of Object.entries(PREVIEWS)) {
      document.querySelectorAll(`[${name}]:not([data-ready])`).forEach(place => {
        place.dataset.ready = '1';
        const { static: fixed, messages } = JSON.parse(place.getAttribute(name));
        playPreview(place, messages, kf.previews[room](place, fixed));
      });
    }
  }
  /** Messages in turn from the first one on, while the place is there and seen. */
  function playPreview(place, messages, { drawing, first, state }) {
    let i = first;
    const show = () => drawing.update(state(messages[i++ % messages.length]));
    show();
    const timer = setInterval(() => {
      if (!place.isConnected) { clearInterval(timer); drawing.destroy(); }
      else if (!document.hidden && !matchMedia('(prefers-reduced-motion: reduce)').matches) show();
    }, 1500);
  }

  /** Runs when a page opens. */
  function start() {
    document.querySelectorAll('.kf-nav-link').forEach(link => {
      const here = new URL(link.href).pathname === location.pathname;
      here ? link.setAttribute('aria-current', 'page') : link.removeAttribute('aria-current');
      if (here) link.parentElement.scrollLeft = link.offsetLeft - link.parentElement.offsetLeft - 24; // seen on narrow screens too
    });
    if (!kf.themeSent) { kf.themeSent = true; setProps('theme', { data: kf.theme() }); }
    let tries = 0;
    const look = () => { mountPreviews(); if (++tries < 60) setTimeout(look, 100); };
    look();
    return window.dash_clientside.no_update;
  }
  window.dash_clientside = Object.assign({}, window.dash_clientside);
  window.dash_clientside.kraftflyt = Object.assign({}, window.dash_clientside.kraftflyt, { start });
})();
