"""The charts of the zones page, and the comparison with and without a change."""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from dash import html

from callbacks.services import Services
from energy_sim.clock import Event
from energy_sim.figures.theme import format_energy
from energy_sim.figures.zones import for_card, plot_energy_flows_summary, plot_reservoir_levels
from energy_sim.zones import kernel as k
from energy_sim.zones.live import LiveZones
from energy_sim.zones.message import event_marks
from energy_sim.zones.pipeline import tables_of
from energy_sim.zones.playback import RecordedZones
from energy_sim.zones.simulator import Period, last_days
from layouts.components import flows_legend, graph, table
from layouts.zones import NAMES

MARKS_WITH_TEXT = 3
LABEL_STEP_PCT = 11.0  # names at the line ends of a chart 200 px high
_COMPARED = (
    ("Wind used", (k.WIND_USED,)),
    ("Imports 1", (k.P2H1, k.P2H2)),
    ("Local hydro", (k.LOCAL_HYDRO,)),
    ("Imports 2", (k.P4H1, k.P4H2)),
    ("of which two-hop", (k.P2H2, k.P4H2)),
    ("Unmet", (k.UNMET,)),
    ("Spill", (k.SPILL,)),
    ("Wind exported", (k.WIND_EXPORT,)),
)


def charts(
    services: Services, session: str, window: int, show: list[str], theme: str
) -> tuple[Any, Any, dict[str, Any]]:
    """The two charts over the last `window` days, the tick they end at, and the marks of all changes."""
    frame = services.sessions.frame(session)
    live, events = services.sessions.live(session), services.sessions.events(session)
    period = last_days(live.history(events, frame.tick), window)
    tables = tables_of(period, {})
    first = frame.tick + 1 - len(period.dates)
    marks = marks_of(live, [e for e in events if first <= e.tick <= live.last_tick])
    flows = plot_energy_flows_summary(tables["daily_summary"], theme, marks)
    reference = reference_of(live, period) if isinstance(live, LiveZones) else None
    levels = plot_reservoir_levels(tables["zone_metrics"], live.network, theme, reference, show, marks, LABEL_STEP_PCT)
    return (
        few_days(for_card(flows), period),
        few_days(for_card(levels), period),
        {
            "t": frame.tick,
            "n": int(1000 * time.time()),
            "ev": event_marks(events, live),
        },
    )


def marks_of(live: LiveZones | RecordedZones, events: Sequence[Event]) -> list[tuple[str, str]]:
    """(date, text) of the changes by day; numbers where there are many: the scrub bar has the texts."""
    by_day: dict[int, list[str]] = {}
    for event in events:
        by_day.setdefault(event.tick, []).append(describe_event(event))
    texts = [", ".join(found) for found in by_day.values()]
    if len(texts) > MARKS_WITH_TEXT:
        texts = [str(i) for i in range(1, len(texts) + 1)]
    return [(str(live.date_of(tick)), text) for tick, text in zip(by_day, texts, strict=True)]


def few_days(figure: Any, period: Period) -> Any:
    """The chart with a tick a day while it holds less than eight, where plotly would count hours and milliseconds."""
    dates = period.dates.astype("datetime64[D]")
    if len(dates) < 8:
        figure.update_xaxes(dtick=86_400_000, tickformat="%-d %b")
    if len(dates) == 1:
        figure.update_xaxes(range=[str(dates[0] - 1), str(dates[0] + 1)])
    return figure


def reference_of(live: LiveZones, period: Period) -> pd.DataFrame:
    """Recorded and median storage of the period, percent, as `plot_reservoir_levels` takes it."""
    begin = int(np.searchsorted(live.inputs.dates, period.dates[0]))
    days = slice(begin, begin + len(period.dates))
    capacity = np.array([zone.hydro_max_mwh for zone in live.network.zones])
    dates = np.datetime_as_string(period.dates.astype("datetime64[D]"))
    return pd.DataFrame(
        {
            "date": np.repeat(dates, len(capacity)),
            "zone": np.tile(np.array(live.network.ids, dtype=object), len(dates)),
            "recorded_pct": (100 * live.inputs.reference_level_mwh[days] / capacity).ravel(),
            "median_pct": (100 * live.inputs.median_level_mwh[days] / capacity).ravel(),
        }
    )


def describe_event(event: Event) -> str:
    """A change in words."""
    name = NAMES.get(event.control, event.control)
    if isinstance(event.value, bool):
        return f"{name} {'on' if event.value else 'off'}"
    return f"{name} × {event.value:g}"


def change_options(services: Services, session: str) -> list[dict[str, Any]]:
    """The changes people made, to choose one for comparison."""
    live = services.sessions.live(session)
    if isinstance(live, RecordedZones):
        return []
    return [
        {"label": f"{live.date_of(min(e.tick, live.last_tick))}: {describe_event(e)}", "value": e.seq}
        for e in services.sessions.events(session)
    ]


def comparison(services: Services, session: str, seq: int | None, theme: str) -> Any:
    """The days since a change beside the same days without it: totals and levels."""
    frame, live, events = (
        services.sessions.frame(session),
        services.sessions.live(session),
        services.sessions.events(session),
    )
    event = next((e for e in events if e.seq == seq), None)
    if event is None or isinstance(live, RecordedZones):
        return html.P("Choose a change first.", className="kf-empty")
    days = frame.tick - event.tick + 1
    if days < 1:
        return html.P("The change acts from the next day on: let at least one day pass.", className="kf-empty")
    with_change = last_days(live.history(events, frame.tick), days)
    without = last_days(live.history([e for e in events if e.seq != seq], frame.tick), days)
    rows = []
    for name, columns in _COMPARED:
        a, b = (float(p.series[:, :, list(columns)].sum()) for p in (with_change, without))
        rows.append([name, format_energy(a), format_energy(b), format_energy(a - b)])
    a, b = (float(p.series[-1, :, k.LEVEL].sum()) for p in (with_change, without))
    rows.append(["Storage now", format_energy(a), format_energy(b), format_energy(a - b)])
    caption = f"{days:,} days since “{describe_event(event)}”, all zones"
    figures = []
    for title, period in (("With the change", with_change), ("Without it", without)):
        tables = tables_of(period, {})
        figure = plot_energy_flows_summary(tables["daily_summary"], theme)
        heading = html.H3(f"{title}: how demand was met, GWh a day")
        figures.append(html.Div([heading, flows_legend(), graph(for_card(figure))]))
    return [table(["", "With", "Without", "Difference"], rows, caption), html.Div(figures, className="kf-beside")]
