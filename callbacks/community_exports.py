"""Files from the community page: pictures, tables, statements, a saved run."""

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from dash import dcc, html

from callbacks.community_charts import power_chart, sankey_chart
from callbacks.community_view import geometry_of, message_of, static_of
from callbacks.exports import ASSETS, checked_theme, chosen_file, figure_file, reached, replay_file, turn
from callbacks.services import Services
from energy_sim.clock import Event
from energy_sim.community.economics import Prices, flow_table
from energy_sim.community.live import LiveCommunity, open_community
from energy_sim.community.model import PRICE_NAMES, TickFrame
from energy_sim.community.pipeline import write_run
from energy_sim.community.statements import MonthMeters, community_totals, statement_csv, statement_table
from energy_sim.devices.appliances import APPLIANCES
from energy_sim.devices.house import Powers
from energy_sim.errors import DataError
from energy_sim.figures.community import in_card
from energy_sim.figures.street_figure import street_figure
from energy_sim.runs import Run, new_name
from energy_sim.session import Frame
from layouts.components import graph, table
from layouts.replay import REPLAY_SPEEDS, replay_page
from layouts.statements import statement_page

TABLES = ("ticks", "houses")
MOST_ROWS = 2_000_000  # of a table that the page exports; the command line has no limit
MOST_HOUSE_TICKS = 20_000_000  # that the page simulates anew for a file: about half a minute
MOST_REPLAYED = 600  # ticks
MOST_SHOWN = 200  # houses in the table of statements on the page
WEEK_S = 7 * 86400.0


def export(services: Services, session: str, what: str, kind: str, theme: str, tick: Any) -> tuple[bytes, str]:
    """A figure or table of the session as a file: a `callbacks.exports.Export` over `layouts.community.EXPORTS`.

    Raises:
        DataError: a figure was asked as CSV, or a table as a picture; it is too long; the server is busy.
    """
    frame = services.sessions.frame(session)
    tick, theme = reached(tick, frame.tick), checked_theme(theme)
    frame = frame if tick == frame.tick else services.sessions.frame_at(session, tick)
    live, events = services.sessions.live(session), services.sessions.events(session)
    name = f"{what}_{live.local(round(1000 * frame.data.time_s)):%Y%m%d_%H%M%S}.{kind}"
    if what == "replay":
        return replay_file(lambda: replay_of(services, session, theme, tick), kind), name
    tables = {
        "statements": lambda: statement_csv(frame.data.months, live.house_ids, live.timezone).encode(),
        "flows": lambda: _flows(live, frame),
        **{table: partial(_ticks, live, events, tick, table) for table in TABLES},
    }
    figures = {
        "street": lambda: _street(live, frame.data.time_s, frame.data.powers, theme),
        "power": lambda: power_chart(live, events, tick, WEEK_S, theme)[0],
        "sankey": lambda: sankey_chart(frame, theme),
    }
    return chosen_file(what, kind, tables, figures), name


def _flows(live: LiveCommunity, frame: Frame) -> bytes:
    """Who sells and buys in a tick, as the page's table has it."""
    prices = Prices(*(frame.settings[name] for name in PRICE_NAMES))
    return flow_table(frame.data.net_w, live.house_ids, prices).to_csv(index=False).encode()


def _street(live: LiveCommunity, time_s: float, powers: Powers, theme: str) -> Any:
    labels = [a.label for a in APPLIANCES]
    running = [
        ", ".join(label for label, runs in zip(labels, row, strict=True) if runs) or "none"
        for row in powers.appliance_w > 0
    ]
    title = f"The street on {live.local(round(1000 * time_s)):%d %B %Y, %H:%M:%S}, kW"
    return street_figure(geometry_of(len(live.house_ids)), live.house_ids, powers.net_w, theme, title, running)


def replay_of(services: Services, session: str, theme: str, tick: int) -> str:
    """The last ticks up to one as one HTML file that plays without a server."""
    live, events = services.sessions.live(session), services.sessions.events(session)
    first = max(0, tick - MOST_REPLAYED + 1)
    frames = [services.sessions.frame_at(session, at) for at in range(first, tick + 1)]
    static = static_of(services, live, [event for event in events if event.tick <= tick], theme)
    static |= {"stories": [], "speeds": REPLAY_SPEEDS, "first": first}
    title = f"Kraftflyt: the street, {live.iso(frames[0].data.time_s)[:16]} to {live.iso(frames[-1].data.time_s)[:16]}"
    messages = [{**message_of(frame, (), live), "s": []} for frame in frames]
    return replay_page(ASSETS, title.replace("T", " "), theme, static, messages, "community")


def with_changes(live: LiveCommunity, events: Sequence[Event], tick: int) -> LiveCommunity:
    """The same street with the changes made so far as its own, as `energy-sim community run --change` has it."""
    changes = [[e.tick, e.control, e.value] for e in events if e.tick <= tick]
    return open_community({**live.parameters.model_dump(mode="json"), "changes": changes})


def _ticks(live: LiveCommunity, events: Sequence[Event], tick: int, what: str) -> bytes:
    """A table of all ticks so far, as the command line writes it."""
    rows = (tick + 1) * (len(live.house_ids) if what == "houses" else 1)
    if rows > MOST_ROWS:
        raise DataError(
            f"{what}: {rows:,} rows are more than the {MOST_ROWS:,} that the page exports; use the command line below"
        )
    if (tick + 1) * len(live.house_ids) > MOST_HOUSE_TICKS:
        raise DataError(f"{what}: {tick + 1:,} ticks of so many houses take too long here; use the command line below")
    with turn(), tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "run"
        write_run(target, with_changes(live, events, tick), tick + 1, houses=what == "houses")
        return (target / f"{what}.csv").read_bytes()


def statement_tables(services: Services, session: str) -> list[Any]:
    """The statements of the months so far as the page shows them, the newest first."""
    frame, live = services.sessions.frame(session), services.sessions.live(session)
    parts: list[Any] = []
    for month in reversed(frame.data.months):
        found = statement_table(month, live.house_ids, live.timezone)
        parts += [
            html.H3(f"{month.month}, {_day(live, month.from_s)} to {_day(live, month.to_s)}"),
            html.P(
                html.A(
                    "Printable statements",
                    href=f"/community/statements/{session}?month={month.month}",
                    target="_blank",
                    className="kf-button",
                )
            ),
            _statement_rows(found, month.month),
        ]
    return parts


def _statement_rows(found: pd.DataFrame, month: str) -> Any:
    shown = pd.concat([found.iloc[:-1].head(MOST_SHOWN), found.iloc[-1:]])
    rows = [
        [row.house_id, *(f"{v:,.3f}" for v in (row.export_kwh, row.import_kwh)),
         *(f"{v:,.2f}" for v in (row.sold_amount, row.bought_amount, row.balance_amount))]
        for row in shown.itertuples()
    ]  # fmt: skip
    left_out = len(found) - len(shown)
    caption = f"Statements of {month}, amounts in 100 ct"
    caption += f"; {left_out:,} houses more in the exported table" if left_out else ""
    columns = ["House", "Given, kWh", "Drawn, kWh", "Sold for", "Bought for", "Balance"]
    return html.Div(table(columns, rows, caption), className="kf-scroll", tabIndex="0")


def _day(live: LiveCommunity, time_s: float) -> str:
    return f"{live.local(round(1000 * time_s)):%d %B %Y %H:%M}"


def printable_statements(services: Services, session: str, month: str) -> str:
    """The statements of a month as a page to print.

    Raises:
        DataError: no such session or month.
    """
    frame, live = services.sessions.frame(session), services.sessions.live(session)
    meters = _month(frame.data, month)
    prices = Prices(*(frame.next_settings[name] for name in PRICE_NAMES))
    rows = statement_table(meters, live.house_ids, live.timezone)
    title = f"Statements of {live.local(round(1000 * meters.from_s)):%B %Y}"
    period = f"{_day(live, meters.from_s)} to {_day(live, meters.to_s)}"
    return statement_page(title, period, rows, community_totals(meters), prices)


def _month(frame: TickFrame, month: str) -> MonthMeters:
    found = {m.month: m for m in frame.months}
    if month and month not in found:
        raise DataError(f"month {month[:20]!r}: nothing was metered; choose among {', '.join(found)}")
    return found[month] if month else frame.months[-1]


def saved(services: Services, link: dict[str, str]) -> Any:
    """Save the ticks so far as a finished run, with the files that the command line writes.

    Raises:
        DataError: the configuration forbids it, the link only watches, or the tables would be too long.
    """
    if not services.config.runs.save_from_page:
        raise DataError("runs are not saved from the page here; use `energy-sim community run` on the server")
    session = link["session"]
    services.sessions.authorised(session, link.get("key"))
    frame, live = services.sessions.frame(session), services.sessions.live(session)
    rows = (frame.tick + 1) * len(live.house_ids)
    if rows > MOST_ROWS:
        raise DataError(f"{rows:,} rows of houses are more than the {MOST_ROWS:,} a page saves; use the command line")
    name = new_name("community")
    with turn():
        own = with_changes(live, services.sessions.events(session), frame.tick)
        write_run(services.runs.folder / name, own, frame.tick + 1)
    return ["Saved: ", dcc.Link(name, href=f"/community?run={name}")]


def file_of_run(services: Services, name: str, what: str, kind: str, theme: str) -> bytes:
    """A figure or table of a finished run.

    Raises:
        DataError: there is no such run, figure or table, or not of this kind.
    """
    run = services.runs.load(name)
    if what == "statements" or what in TABLES:
        path = run.folder / f"{what}.csv"
        if kind != "csv" or not path.is_file():
            raise DataError(f"{name}: {what} is exported as CSV, where the run has it; choose another")
        return path.read_bytes()
    live, last = open_community(run.params["parameters"]), int(run.params["ticks"]) - 1
    events = live.recorded_events()
    if what == "power":
        return figure_file(power_chart(live, events, last, WEEK_S, checked_theme(theme))[0], kind)
    if what != "street":
        raise DataError(f"export: there is no figure or table {str(what)[:40]!r}; choose one of the list")
    (_, time_s, powers, _), *_ = live.powers_at(events, [last])
    return figure_file(_street(live, time_s, powers, checked_theme(theme)), kind)


def side_by_side(runs: Sequence[Run], theme: str) -> Any:
    """Two runs beside each other: totals, and their last week."""
    totals = [run.summary["totals_kwh"] for run in runs]
    rows = [
        [name.replace("_", " "), *(f"{t[name]:,.2f}" for t in totals), f"{totals[0][name] - totals[1][name]:,.2f}"]
        for name in totals[0]
    ]
    graphs = []
    for run in runs:
        live = open_community(run.params["parameters"])
        figure, _ = power_chart(live, live.recorded_events(), int(run.params["ticks"]) - 1, WEEK_S, theme)
        graphs.append(html.Div([html.H3(f"{run.name}, kW"), graph(in_card(figure))]))
    heads = ["", *(run.name for run in runs), "Difference"]
    return [table(heads, rows, "Totals of the two runs, kWh"), html.Div(graphs, className="kf-beside")]
