"""What came out of a run: summary, playback, ledger."""

import json
from dataclasses import dataclass
from typing import Any

from dash import dcc, html

from layouts import ids
from layouts.components import graph, slider
from layouts.live import ExportIds, Transport, caption, export_row, transport

SPEEDS = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0)  # steps a second
CHARTS = (
    ("wallets", "Wallets"),
    ("grid_buy", "Grid buy"),
    ("grid_sell", "Grid sell"),
    ("battery", "Battery"),
    ("energy", "Energy"),
    ("p2p", "P2P trade"),
)
SHOWN_FIRST = ("wallets", "grid_buy", "p2p")
EXPORTS = (
    ("ring", "Picture of the step"),
    *((name, f"Chart: {title}") for name, title in CHARTS),
    ("savings", "Chart: savings of the households"),
    ("optimized_results", "Table: optimised, households and steps"),
    ("baseline_results", "Table: baseline, households and steps"),
    ("households", "Table: households"),
    ("steps", "Table: steps, prices and limits"),
    ("replay", "Replay (HTML)"),
)
EXPORT = ExportIds(ids.TRADING_EXPORT, ids.TRADING_EXPORT_WHAT, ids.TRADING_EXPORT_KIND, ids.TRADING_EXPORT_RUN)


@dataclass(frozen=True, slots=True)
class Said:
    """A figure of the summary: what it is, both simulations or one, and a remark."""

    name: str
    baseline: str
    optimised: str
    remark: str = ""


def playback(charts: list[Any], *, can_control: bool, note: str) -> html.Div:
    """Transport, ring, figures of the step, charts, tables."""
    bar = Transport(
        name="trading",
        reset="Reset: first step (Home)",
        back="One step back (←)",
        step="One step forward (→)",
        end="To the last step",
        speed=slider("speed", "Speed", 0, len(SPEEDS) - 1, 1, 3),
        can_control=can_control,
    )
    return html.Div(
        [
            transport(bar),
            html.Div([_picture(can_control=can_control), _side(charts)], className="kf-trading-grid"),
            html.Div(
                [
                    html.Details([html.Summary("Trades of the step"), html.Div(id="trading-trades")], open=True),
                    html.Details([html.Summary("Households in this step"), html.Div(id="trading-homes")]),
                ],
                className="kf-card kf-trading-tables",
            ),
            html.P(note, className="kf-caption"),
        ],
        className="kf-trading-playback",
    )


def _picture(*, can_control: bool) -> html.Section:
    chips = [
        html.Button(
            text,
            className="kf-chip",
            type="button",
            title=hint,
            disabled=not can_control,
            **{"data-command": "simulation", "data-value": name, "aria-pressed": "false"},
        )
        for name, text, hint in (
            ("optimized", "Optimised", "With planned storage and trade among neighbours"),
            ("baseline", "Baseline", "Own battery, then grid; no trade"),
        )
    ]
    head = html.Div(
        [
            html.H2(id="trading-picture-title", className="kf-card-title"),
            html.Div(chips, className="kf-buttons", role="group", **{"aria-label": "Simulation"}),
        ],
        className="kf-card-head",
    )
    ring = html.Div(id=ids.TRADING_RING, className="kf-ring-place")
    return html.Section([head, caption("trading"), ring], className="kf-card kf-picture")


def _side(charts: list[Any]) -> html.Div:
    options = [{"label": f" {title}", "value": name} for name, title in CHARTS]
    choice = dcc.Checklist(
        id=ids.TRADING_SHOWN, options=options, value=list(SHOWN_FIRST), inline=True, className="kf-radio"
    )
    bands = dcc.Checklist(
        id=ids.TRADING_BANDS,
        options=[{"label": " mean ± standard deviation of the households", "value": "bands"}],
        value=[],
        inline=True,
        className="kf-radio",
    )
    return html.Div(
        [
            html.Div(id="trading-cards", className="kf-figures"),
            html.Section(
                [
                    html.Div([html.H2("Charts", className="kf-card-title"), choice], className="kf-card-head"),
                    bands,
                    html.Div(charts, id=ids.TRADING_CHARTS, className="kf-trading-charts"),
                    dcc.Store(id=ids.TRADING_DRAWN),
                ],
                className="kf-card",
            ),
        ],
        className="kf-side",
    )


def chart(name: str, title: str, figure: Any) -> html.Div:
    """One chart with its heading and the line that marks the step."""
    return html.Div(
        [html.H3(title), graph(figure, f"trading-chart-{name}"), html.Div(className="kf-cursor")],
        className="kf-cursor-place",
        **{"data-chart": name},
    )


def summary_pane(
    lead: str,
    run: str,
    main: list[Said],
    more: list[Said],
    notes: list[str],
    savings: Any,
    households: Any,
) -> list[Any]:
    """What the run was worth, for whom, and the files; the figures that matter most come first."""
    return [
        html.P(lead, className="kf-lead"),
        html.Div([_said(said) for said in main], className="kf-figures kf-summary-main"),
        html.Div([_said(said) for said in more], className="kf-figures kf-summary-more"),
        *([html.Ul([html.Li(note) for note in notes], className="kf-notes")] if notes else []),
        *(
            [html.H3("Saved by each household, EUR"), graph(savings, ids.TRADING_SAVINGS)]
            if savings is not None
            else []
        ),
        households,
        html.H3("Export"),
        export_row(EXPORT, EXPORTS, "ring"),
        html.P(run, className="kf-caption"),
    ]


def _said(said: Said) -> html.Div:
    below = [f"baseline {said.baseline}" if said.baseline else "", said.remark]
    return html.Div(
        [
            html.Div(said.name, className="kf-figure-name"),
            html.Div(html.Span(said.optimised, className="kf-figure-number"), className="kf-figure-value"),
            *(html.Div(text, className="kf-figure-note") for text in below if text),
        ],
        className="kf-figure",
    )


def long_table(columns: list[tuple[str, int | None]], rows: list[list[Any]], caption: str) -> html.Div:
    """A table as (heading, decimals of its numbers) and values; assets/trading.js fills it in.

    A table of components would be slower to play beside: every one of them is looked at after every message.
    """
    content = {"heads": columns, "rows": rows, "caption": caption}
    return html.Div(className="kf-long-table", **{"data-table": json.dumps(content, separators=(",", ":"))})


def ledger_pane(said: list[Any], blocks: list[dict[str, Any]], *, has_ledger: bool) -> list[Any]:
    """What verification found, the blocks, and the proof of one trade."""
    if not has_ledger:
        return [html.P("This run has no ledger: it was switched off, or written elsewhere.", className="kf-empty")]
    return [
        html.Div(
            [
                html.Button("Verify now", id=ids.TRADING_VERIFY, className="kf-button kf-primary", type="button"),
                html.Div(said, id=ids.TRADING_VERIFIED, role="status", className="kf-ledger-verdict"),
            ],
            className="kf-row",
        ),
        html.H3("Proof of one trade"),
        html.P("Choose a trade: the proof leads from its record to the root that stands outside the database."),
        html.Div(
            [
                dcc.Dropdown(
                    id=ids.TRADING_BLOCK, options=blocks, placeholder="Block", className="kf-dropdown", optionHeight=32
                ),
                dcc.Dropdown(id=ids.TRADING_TRADE, options=[], placeholder="Trade", className="kf-dropdown"),
            ],
            className="kf-row",
        ),
        html.Div(id=ids.TRADING_PROOF),
    ]
