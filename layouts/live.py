"""What every live page is built from: its stores and clock, the transport bar, the story's caption, tabs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dash import dcc, html

from layouts import ids
from layouts.components import command_button

KINDS = ("png", "svg", "html", "csv")  # of files that a page exports


@dataclass(frozen=True, slots=True)
class LiveIds:
    """Ids of a live page's stores; each page has its own, so that a late answer finds no place on the next page."""

    tick: str
    message: str
    command: str
    link: str
    ack: str
    seen: str
    static: str
    refresh: str
    charted: str


def live_ids(prefix: str = "") -> LiveIds:
    """The ids that begin with a prefix; assets/live.js is told the same one."""
    names = (ids.TICK, ids.MESSAGE, ids.COMMAND, ids.LINK, ids.ACK, ids.SEEN, ids.STATIC, ids.REFRESH, ids.CHARTED)
    return LiveIds(*(prefix + name for name in names))


def live_stores(
    own: LiveIds, link: dict[str, str], message: dict[str, Any], static: dict[str, Any], tick_ms: int
) -> list[Any]:
    """The stores of a page as it opens, and the interval that asks for messages.

    Args:
        own: the page's ids.
        link: {session, key}.
        message: the first one; `t` is its tick, up to which the charts are drawn.
        static: what does not change during the session.
        tick_ms: milliseconds between two looks at the server.
    """
    return [
        dcc.Store(id=own.link, data=link),
        dcc.Store(id=own.message, data=message),
        dcc.Store(id=own.static, data=static),
        dcc.Store(id=own.command),
        dcc.Store(id=own.ack),
        dcc.Store(id=own.seen),
        dcc.Store(id=own.refresh),
        dcc.Store(id=own.charted, data={"t": message["t"], "n": 0}),
        dcc.Interval(id=own.tick, interval=tick_ms),
    ]


@dataclass(frozen=True, slots=True)
class Transport:
    """The bar of a page: what its buttons are called, its speed slider, a note at the end of the buttons."""

    name: str  # of the page: its places are <name>-date, <name>-stories, <name>-scrub
    reset: str
    back: str
    step: str
    end: str  # empty where there is no end to go to
    speed: html.Div
    can_control: bool
    note: str = ""


def transport(bar: Transport) -> html.Div:
    """Date, playback buttons, speed, stories, scrub bar; who only watches gets no controls."""
    controls: list[Any] = [html.Span("You are watching: the presenter has the controls", className="kf-watching")]
    if bar.can_control:
        controls = [_buttons(bar), bar.speed, html.Div(id=f"{bar.name}-stories", className="kf-stories")]
    if bar.note:
        controls.append(html.Span(bar.note, className="kf-watching"))
    return html.Div(
        [
            html.Div(id=f"{bar.name}-date", className="kf-date"),
            *controls,
            html.Div(id=f"{bar.name}-scrub", className="kf-scrub"),
        ],
        className="kf-transport kf-card",
    )


def _buttons(bar: Transport) -> html.Div:
    buttons = [
        command_button("reset", bar.reset, "❙◀"),
        command_button("back", bar.back, "−1"),
        command_button("play", "Play or pause (Space)", "▶", className="kf-button kf-primary kf-play"),
        command_button("step", bar.step, "+1"),
        *([command_button("end", bar.end, "▶❙")] if bar.end else []),
    ]
    return html.Div(buttons, className="kf-buttons", role="group", **{"aria-label": "Playback"})


def caption(name: str) -> html.P:
    """Where a story speaks."""
    return html.P(id=f"{name}-caption", className="kf-caption-bar", role="status")


def quiet(slider: html.Div) -> html.Div:
    """A slider that sends nothing by itself: a button of the page uses its value."""
    return html.Div(slider, **{"data-quiet": "1"})


@dataclass(frozen=True, slots=True)
class ExportIds:
    """Ids of the parts of a page's export row."""

    download: str
    what: str
    kind: str
    button: str


def export_row(own: ExportIds, choices: Sequence[tuple[str, str]], first: str) -> html.Div:
    """What to export and as what, and the button.

    Args:
        own: the ids of its parts.
        choices: (name, text) of figures and tables.
        first: the name chosen as the page opens.
    """
    what = [{"label": text, "value": name} for name, text in choices]
    return html.Div(
        [
            dcc.Dropdown(id=own.what, options=what, value=first, clearable=False, className="kf-dropdown"),
            export_kinds(own.kind),
            html.Button("Download", id=own.button, className="kf-button kf-primary", type="button"),
            dcc.Download(id=own.download),
        ],
        className="kf-row",
    )


def export_kinds(kind_id: str) -> dcc.RadioItems:
    """The formats of a file, PNG first."""
    kinds = [{"label": f" {kind.upper()}", "value": kind} for kind in KINDS]
    return dcc.RadioItems(id=kind_id, options=kinds, value=KINDS[0], inline=True, className="kf-radio")


def tabs(panes: Sequence[tuple[str, str, Any]], tabs_id: str) -> html.Section:
    """Tabs over panes of (name, title, content): `tab-<name>` and `pane-<name>`."""
    buttons = [
        html.Button(
            title,
            className="kf-tab",
            type="button",
            role="tab",
            id=f"tab-{name}",
            **{"data-tab": name, "aria-selected": "false", "aria-controls": f"pane-{name}"},
        )
        for name, title, _ in panes
    ]
    shown = [
        html.Div(content, id=f"pane-{name}", className="kf-pane", role="tabpanel", **{"aria-labelledby": f"tab-{name}"})
        for name, _, content in panes
    ]
    tablist = html.Div(buttons, className="kf-tablist", role="tablist")
    return html.Section([tablist, *shown], id=tabs_id, className="kf-card kf-tabs")
