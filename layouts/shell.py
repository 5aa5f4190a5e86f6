"""The frame around every page: header, theme, presentation mode, help, messages."""

import dash
from dash import dcc, html

from layouts import ids
from layouts.components import message_page

PAGES = (
    ("Overview", "/"),
    ("Zones", "/zones"),
    ("Community", "/community"),
    ("Trading", "/trading"),
    ("Agents", "/agents"),
    ("Library", "/library"),
)

_KEYS = (
    ("Space", "play or pause"),
    ("→ ←", "one step forward or back"),
    ("+ −", "faster, slower"),
    ("Home", "reset to the start"),
    ("P", "presentation mode"),
    ("F", "full screen"),
    ("T", "dark or light"),
    (f"1 – {len(PAGES)}", "pages"),
    ("?", "this help"),
    ("Esc", "close, leave presentation mode"),
)


def shell() -> html.Div:
    """Header and page container."""
    links = [
        dcc.Link(name, href=href, className="kf-nav-link", title=f"{name} (key {i})")
        for i, (name, href) in enumerate(PAGES, 1)
    ]
    return html.Div(
        [
            dcc.Store(id=ids.THEME, storage_type="memory"),
            html.A("Skip to content", href="#content", className="kf-skip"),
            html.Header(
                [
                    dcc.Link([html.Span(className="kf-logo"), "Kraftflyt"], href="/", className="kf-brand"),
                    html.Nav(links, className="kf-nav", **{"aria-label": "Pages"}),
                    html.Div(
                        [
                            _tool("share", "Share", "Links to this session"),
                            _tool("theme", "Theme", "Dark or light (T)"),
                            _tool("present", "Present", "Presentation mode (P)"),
                            _tool("help", "Help", "Keys (?)"),
                        ],
                        className="kf-tools",
                    ),
                ],
                className="kf-header",
            ),
            html.Div(dash.page_container, id="content"),
            html.Div(id=ids.TOAST, className="kf-toast", role="alert", **{"aria-live": "assertive"}),
            html.Div(id="live-summary", className="kf-visually-hidden", role="status", **{"aria-live": "polite"}),
            _dialog(
                "help-dialog", "Keys", html.Dl([part for k, d in _KEYS for part in (html.Dt(html.Kbd(k)), html.Dd(d))])
            ),
            _dialog("share-dialog", "Share this session", html.Div(id="share-links")),
        ],
        className="kf-app",
    )


def _tool(action: str, text: str, label: str) -> html.Button:
    return html.Button(
        [html.Span(className=f"kf-icon kf-icon-{action}"), html.Span(text, className="kf-tool-text")],
        className="kf-tool",
        title=label,
        type="button",
        **{"data-action": action, "aria-label": label},
    )


def _dialog(dialog_id: str, title: str, content: object) -> html.Dialog:
    close = html.Button("Close", className="kf-button", type="button", **{"data-action": "close-dialog"})
    return html.Dialog([html.H2(title), content, close], id=dialog_id, className="kf-dialog", **{"aria-label": title})


def page_not_found(**_query: str) -> html.Main:
    """What an unknown address shows."""
    return message_page("There is no such page", "The address leads nowhere in Kraftflyt.", "To the overview", "/")
