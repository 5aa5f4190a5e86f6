"""A session as one HTML file that plays without a server: the page's own drawing code over recorded messages."""

import base64
import html
import json
from pathlib import Path
from typing import Any

_SCRIPTS = ("network.js", "shell.js", "zones.js")
_PLAY = " kf-primary kf-play"
_TABS = (("transfers", "Transfers"), ("explain", "Explain this day"), ("table", "Zones of the day"))
_BUTTONS = (
    ("reset", "To the first day", "❙◀"),
    ("back", "One day back", "−1"),
    ("play", "Play", "▶"),
    ("step", "One day forward", "+1"),
    ("end", "To the last day", "▶❙"),
)


def replay_page(assets: Path, title: str, theme: str, static: dict[str, Any], messages: list[dict[str, Any]]) -> str:
    """The file's text.

    Args:
        assets: folder of the page's scripts, styles and font, which are put into the file.
        title: shown as heading and window title.
        theme: dark or light.
        static: as assets/zones.js takes it.
        messages: one a day, as `tick_message` makes them.
    """
    font = base64.b64encode((assets / "fonts" / "inter-latin.woff2").read_bytes()).decode()
    styles = [(assets / name).read_text(encoding="utf-8") for name in ("theme.css", "network.css")]
    style = "\n".join(styles).replace("fonts/inter-latin.woff2", f"data:font/woff2;base64,{font}")
    scripts = "\n".join((assets / name).read_text(encoding="utf-8") for name in _SCRIPTS)
    data = json.dumps({"static": static, "messages": messages}, separators=(",", ":")).replace("<", "\\u003c")
    buttons = "".join(
        f'<button type="button" data-command="{name}" class="kf-button{_PLAY if name == "play" else ""}" '
        f'aria-label="{label}" title="{label}">{text}</button>'
        for name, label, text in _BUTTONS
    )
    tabs = "".join(
        f'<button type="button" class="kf-tab" role="tab" id="tab-{n}" data-tab="{n}">{t}</button>' for n, t in _TABS
    )
    panes = "".join(
        f'<div id="pane-{n}" class="kf-pane" role="tabpanel"><div id="zones-{n}"></div></div>' for n, _ in _TABS
    )
    speed = (
        '<div class="kf-range" data-range="speed" data-label="Speed" data-min="0" data-max="7" data-step="1" '
        'data-value="3" data-unit=""></div>'
    )
    title = html.escape(title)
    return f"""<!DOCTYPE html>
<html lang="en" data-theme="{theme}"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>{style}</style></head>
<body><header class="kf-header"><span class="kf-brand"><span class="kf-logo"></span>{title}</span></header>
<main class="kf-page" id="content"><div class="kf-transport kf-card"><div id="zones-date" class="kf-date"></div>
<div class="kf-buttons">{buttons}</div>{speed}<div id="zones-scrub" class="kf-scrub"></div></div>
<div class="kf-zones-grid kf-no-rules"><section class="kf-card kf-picture">
<div class="kf-card-head"><h2 id="zones-picture-title" class="kf-card-title"></h2>
<button type="button" class="kf-chip" data-action="split" aria-pressed="false">Export and import sides</button></div>
<div id="zones-network" class="kf-network"></div></section>
<div class="kf-side"><div id="zones-cards" class="kf-figures"></div>
<section class="kf-card kf-tabs"><div class="kf-tablist" role="tablist">{tabs}</div>{panes}</section></div></div></main>
<div id="toast" class="kf-toast" role="alert"></div>
<div id="live-summary" class="kf-visually-hidden" role="status" aria-live="polite"></div>
<script>window.dash_clientside = {{ set_props: function () {{}}, no_update: null }};</script>
<script>{scripts}</script>
<script id="replay" type="application/json">{data}</script>
<script>kraftflyt.replay(JSON.parse(document.getElementById('replay').textContent));</script>
</body></html>
"""
