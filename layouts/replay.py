"""A session as one HTML file that plays without a server: the page's own drawing code over recorded messages."""

import base64
import html
import json
from pathlib import Path
from typing import Any

_PLAY = " kf-primary kf-play"
_SCRIPTS = {
    "zones": ("live", "network", "shell", "zones"),
    "community": ("community", "live", "network", "shell", "stage", "street"),
    "trading": ("live", "network", "ring", "shell", "stage", "trading"),
}
_STYLES = {
    "zones": ("theme", "network"),
    "community": ("theme", "stage", "street", "community"),
    "trading": ("theme", "stage", "ring", "trading-playback"),
}
_RATE = {"zones": 4.0, "community": 2.0, "trading": 2.0}  # steps a second
_SPEEDS = {
    "zones": (7, 3),
    "community": (4, 1),
    "trading": (5, 3),
}  # last place of the slider, and the place of the rate above
_TABS = {
    "zones": (("transfers", "Transfers"), ("explain", "Explain this day"), ("table", "Zones of the day")),
    "community": (("prices", "Prices and break-even"), ("houses", "Houses")),
    "trading": (("playback", "Playback"),),
}
_STEP = {"zones": "day", "community": "tick", "trading": "step"}
REPLAY_SPEEDS = (1.0, 2.0, 5.0, 10.0, 20.0)  # of the community, ticks a second


def replay_page(
    assets: Path, title: str, theme: str, static: dict[str, Any], messages: list[dict[str, Any]], page: str = "zones"
) -> str:
    """The file's text.

    Args:
        assets: folder of the page's scripts, styles and font, which are put into the file.
        title: shown as heading and window title.
        theme: dark or light.
        static: as the page's script takes it.
        messages: one a step, as the page's messages are.
        page: zones, community or trading.
    """
    font = base64.b64encode((assets / "fonts" / "inter-latin.woff2").read_bytes()).decode()
    styles = [(assets / f"{name}.css").read_text(encoding="utf-8") for name in _STYLES[page]]
    style = "\n".join(styles).replace("fonts/inter-latin.woff2", f"data:font/woff2;base64,{font}")
    scripts = "\n".join((assets / f"{name}.js").read_text(encoding="utf-8") for name in _SCRIPTS[page])
    content = {"page": page, "rate": _RATE[page], "static": static, "messages": messages}
    data = json.dumps(content, separators=(",", ":")).replace("<", "\\u003c")
    title = html.escape(title)
    return f"""<!DOCTYPE html>
<html lang="en" data-theme="{theme}"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>{style}</style></head>
<body><header class="kf-header"><span class="kf-brand"><span class="kf-logo"></span>{title}</span></header>
<main class="kf-page" id="content">{_transport(page)}
{_BODIES[page]()}</main>
<div id="toast" class="kf-toast" role="alert"></div>
<div id="live-summary" class="kf-visually-hidden" role="status" aria-live="polite"></div>
<script>window.dash_clientside = {{ set_props: function () {{}}, no_update: null }};</script>
<script>{scripts}</script>
<script id="replay" type="application/json">{data}</script>
<script>kraftflyt.replay(JSON.parse(document.getElementById('replay').textContent));</script>
</body></html>
"""


def _transport(page: str) -> str:
    step, (last, at) = _STEP[page], _SPEEDS[page]
    named = (
        ("reset", f"To the first {step}", "❙◀"),
        ("back", f"One {step} back", "−1"),
        ("play", "Play", "▶"),
        ("step", f"One {step} forward", "+1"),
        ("end", f"To the last {step}", "▶❙"),
    )
    buttons = "".join(
        f'<button type="button" data-command="{name}" class="kf-button{_PLAY if name == "play" else ""}" '
        f'aria-label="{label}" title="{label}">{text}</button>'
        for name, label, text in named
    )
    speed = (
        f'<div class="kf-range" data-range="speed" data-label="Speed" data-min="0" data-max="{last}" data-step="1" '
        f'data-value="{at}" data-unit=""></div>'
    )
    return f"""<div class="kf-transport kf-card"><div id="{page}-date" class="kf-date"></div>
<div class="kf-buttons">{buttons}</div>{speed}<div id="{page}-scrub" class="kf-scrub"></div></div>"""


def _tabs(page: str, first: str = "") -> str:
    """The tables; ``first`` takes the place of the first one's content."""
    tabs = "".join(
        f'<button type="button" class="kf-tab" role="tab" id="tab-{n}" data-tab="{n}">{t}</button>'
        for n, t in _TABS[page]
    )
    places = "".join(
        f'<div id="pane-{n}" class="kf-pane" role="tabpanel">{(i == 0 and first) or _place(page, n)}</div>'
        for i, (n, _) in enumerate(_TABS[page])
    )
    return f'<section class="kf-card kf-tabs"><div class="kf-tablist" role="tablist">{tabs}</div>{places}</section>'


def _place(page: str, name: str) -> str:
    return f'<div id="{page}-{name}"></div>'


def _zones() -> str:
    return f"""<div class="kf-zones-grid kf-no-rules"><section class="kf-card kf-picture">
<div class="kf-card-head"><h2 id="zones-picture-title" class="kf-card-title"></h2>
<button type="button" class="kf-chip" data-action="split" aria-pressed="false">Export and import sides</button></div>
<div id="zones-network" class="kf-network"></div></section>
<div class="kf-side"><div id="zones-cards" class="kf-figures"></div>
{_tabs("zones")}</div></div>"""


def _community() -> str:
    return f"""<div class="kf-community-grid"><section class="kf-card kf-picture">
<div class="kf-card-head"><h2 id="community-picture-title" class="kf-card-title"></h2>
<p id="community-balance" class="kf-balance"></p></div>
<div id="community-street" class="kf-street"></div></section>
<div class="kf-side"><div id="community-cards" class="kf-figures"></div>
<section class="kf-card kf-house"><div id="community-house"></div></section></div></div>
{_tabs("community", _place("community", "break-even") + _place("community", "flows"))}"""


def _trading() -> str:
    return """<div class="kf-trading"><div class="kf-trading-grid"><section class="kf-card kf-picture">
<div class="kf-card-head"><h2 id="trading-picture-title" class="kf-card-title"></h2></div>
<div id="trading-ring" class="kf-ring-place"></div></section>
<div class="kf-side"><div id="trading-cards" class="kf-figures"></div></div></div>
<div class="kf-card kf-trading-tables"><details open><summary>Trades of the step</summary>
<div id="trading-trades"></div></details><details><summary>Households in this step</summary>
<div id="trading-homes"></div></details></div></div>"""


_BODIES = {"zones": _zones, "community": _community, "trading": _trading}
