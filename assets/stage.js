/* The stage of a drawing on canvases, as ring.js and street.js have it: kraftflyt.stage(place, spec) -> {root, ...}.
 *
 * It has the elements, the size and the choice of a geometry, the theme's colours, frames while something moves where
 * it can be seen, the pointer (a touch counts where it lands), the tip's text, and the end. The drawing knows what is
 * where. spec:
 *   name, label              of its classes (kf-<name>), what is read aloud
 *   canvases, tokens         a name each, lowest first, the first one takes the pointer; the colours it uses
 *   geometry, compact, compactBelow, maxHeight()   as the drawing was given them
 *   use(geometry)            it is drawn from now on; called before the first size is known
 *   resized(scale)           the canvases are new and empty, with so many px a unit
 *   redraw(), settle()       draw all; what moves is where it will end
 *   catchUp()                draw what changed while nobody saw it
 *   moves(), frame(dt)       whether frames are wanted; the next one, dt s after the last
 *   track(event), leave(), click(event), key(event), focus(), blur()
 * `begin` starts it, once the drawing is ready; `missed` says that a drawing was left out. */
(function () {
  'use strict';
  const kf = window.kraftflyt = window.kraftflyt || {};
  const { element } = kf.network;
  const FRAME_MS = 1000 / 30;
  let mounted = 0;

  kf.stage = function (place, spec) {
    const root = element('div', 'kf-stage-place kf-' + spec.name, place), stage = element('div', 'kf-stage', root);
    const canvases = spec.canvases.map(name => element('canvas', `kf-stage-canvas kf-${spec.name}-${name}`, stage));
    const tip = element('div', 'kf-stage-tip', stage), legend = element('div', `kf-${spec.name}-legend`, root), live = element('div', 'kf-stage-live', root);
    for (const canvas of canvases) { canvas.width = 0; canvas.setAttribute('aria-hidden', 'true'); } // nothing is drawn before the size is known
    stage.tabIndex = 0; stage.setAttribute('role', 'application'); stage.setAttribute('aria-roledescription', spec.name + ' drawing'); stage.setAttribute('aria-label', spec.label);
    tip.setAttribute('role', 'tooltip'); tip.id = `kf-stage-${++mounted}-tip`; tip.hidden = true;
    live.setAttribute('aria-live', 'polite');
    const calm = window.matchMedia('(prefers-reduced-motion: reduce)'), colors = {}, low = canvases[0];
    let g = null, scale = 1, ratio = 1, inView = true, dirty = false, frame = 0, lastFrame = 0;
    const visible = () => inView && !document.hidden;

    // --- frames ---
    function run() { if (!frame && visible() && spec.moves()) frame = requestAnimationFrame(step); }
    function step(now) {
      frame = 0;
      if (!visible()) return;
      if (now - lastFrame >= FRAME_MS - 4) {
        const dt = Math.min((now - lastFrame) / 1000, 0.1);
        lastFrame = now;
        spec.frame(dt);
      }
      run();
    }
    function wake() {
      if (!visible()) { cancelAnimationFrame(frame); frame = 0; return; }
      if (calm.matches) { spec.settle(); dirty = true; }
      if (dirty) { dirty = false; spec.catchUp(); }
      run();
    }
    /** Whether a drawing cannot be seen; it is made when it can. */
    function missed() { const unseen = !visible() || !low.width; if (unseen) dirty = true; return unseen; }
    /** The pen of a canvas that is wiped, in the geometry's coordinates. */
    function wipe(pen) { pen.setTransform(ratio * scale, 0, 0, ratio * scale, 0, 0); pen.clearRect(0, 0, g.width, g.height); }

    // --- tip ---
    function fillTip(lines) {
      tip.replaceChildren();
      lines.forEach((line, i) => {
        const row = element('div', i ? 'kf-stage-tip-row' : 'kf-stage-tip-head', tip);
        for (const part of [].concat(line)) element('span', '', row).textContent = part;
      });
      tip.hidden = false;
      stage.setAttribute('aria-describedby', tip.id);
    }
    function hideTip() { tip.hidden = true; stage.removeAttribute('aria-describedby'); }
    const tell = lines => { live.textContent = lines.map(line => [].concat(line).join(' ')).join(', '); };

    // --- size and theme ---
    const point = event => { const box = low.getBoundingClientRect(); return [(event.clientX - box.left) / scale, (event.clientY - box.top) / scale]; };
    const toPage = (x, y) => { const box = low.getBoundingClientRect(); return [box.left + x * scale, box.top + y * scale]; };
    function readColors() {
      const style = getComputedStyle(root);
      for (const name of spec.tokens) colors[name] = style.getPropertyValue('--kf-' + name).trim() || '#888888';
    }
    function use(next) { g = next; low.width = 0; spec.use(g); }
    function fit() {
      const wide = root.clientWidth, next = spec.compact && wide > 0 && wide < spec.compactBelow ? spec.compact : spec.geometry;
      if (!wide) return;
      if (next !== g) use(next);
      const wanted = Math.min(wide / g.width, g.compact ? Infinity : spec.maxHeight() / g.height), now = window.devicePixelRatio || 1;
      if (low.width && Math.abs(wanted - scale) < 1e-4 && ratio === now && low.width === Math.round(g.width * scale * ratio)) return;
      scale = wanted; ratio = now;
      for (const canvas of canvases) {
        canvas.width = Math.round(g.width * scale * ratio); canvas.height = Math.round(g.height * scale * ratio);
        canvas.style.width = g.width * scale + 'px'; canvas.style.height = g.height * scale + 'px';
      }
      stage.style.height = g.height * scale + 'px';
      spec.resized(scale);
      run();
    }

    // --- beginning and end ---
    const watch = [
      [document, 'visibilitychange', wake], [calm, 'change', wake], [window, 'resize', fit], [stage, 'keydown', spec.key], [stage, 'blur', spec.blur],
      [stage, 'focus', () => { if (stage.matches(':focus-visible')) spec.focus(); }],
      [stage, 'pointermove', e => { if (e.pointerType !== 'touch') spec.track(e); }], [stage, 'pointerdown', e => { if (e.pointerType === 'touch') spec.track(e); }],
      [stage, 'pointerleave', e => { if (e.pointerType !== 'touch') spec.leave(); }], [stage, 'click', spec.click],
    ];
    const sizes = new ResizeObserver(fit);
    const sight = new IntersectionObserver(entries => { inView = entries[entries.length - 1].isIntersecting; wake(); });
    const theme = new MutationObserver(() => { readColors(); spec.redraw(); });
    function begin() {
      for (const [where, what, how] of watch) where.addEventListener(what, how);
      readColors();
      use(spec.geometry);
      fit();
      sizes.observe(root);
      sight.observe(root);
      theme.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme', 'data-bs-theme', 'class'] });
      if (document.fonts) document.fonts.ready.then(() => spec.redraw());
    }
    function destroy() {
      for (const [where, what, how] of watch) where.removeEventListener(what, how);
      sizes.disconnect(); sight.disconnect(); theme.disconnect();
      cancelAnimationFrame(frame);
      inView = false;
      root.remove();
    }
    return { root, stage, canvases, tip, legend, calm, colors, visible, moving: () => frame !== 0, run, missed, wipe, fillTip, hideTip, tell, point, toPage, begin, destroy };
  };
})();
