"""The charts of the community page: power of the street, one house's last hour, today's energy."""

import time
from collections.abc import Sequence
from typing import Any

import pandas as pd

from callbacks.services import Services
from energy_sim.clock import Event
from energy_sim.community.live import LiveCommunity
from energy_sim.community.model import DAY_PARTS, TickFrame
from energy_sim.figures.community import in_card, plot_day_sankey, plot_house_series, plot_power_series
from energy_sim.session import Frame
from layouts.community import WINDOWS

MOST_POINTS = 240
HOUR_S = 3600.0
_STREET = ("time_s", "production_w", "consumption_w", "grid_import_w", "grid_export_w")


def power_chart(
    live: LiveCommunity, events: Sequence[Event], tick: int, window_s: float, theme: str
) -> tuple[Any, int]:
    """Production and consumption over the last part of a session, and every how many ticks it has a point."""
    ticks, spacing = live.ticks_of_window(events, tick, window_s, MOST_POINTS)
    rows = [
        (time_s, bus.production_w, bus.consumption_w, bus.grid_import_w, bus.grid_export_w)
        for _, time_s, _, bus in live.powers_at(events, ticks)
    ]
    return plot_power_series(pd.DataFrame(rows, columns=list(_STREET)), theme, live.timezone), spacing


def charts(services: Services, session: str, window_s: float, theme: str) -> tuple[Any, dict[str, Any]]:
    """The chart of the street, and the tick up to which it goes."""
    frame = services.sessions.frame(session)
    live, events = services.sessions.live(session), services.sessions.events(session)
    window_s = window_s if window_s in {seconds for seconds, _ in WINDOWS} else HOUR_S
    figure, spacing = power_chart(live, events, frame.tick, window_s, theme)
    marks = [[e.tick, e.control, e.value] for e in events]
    return in_card(figure), {
        "t": frame.tick,
        "n": int(1000 * time.time()),
        "ev": marks,
        "w": window_s,
        "every": spacing,
    }


def house_chart(services: Services, session: str, house: int | None, theme: str) -> Any:
    """One house's last hour; empty without a house, or where another street has begun that has none there."""
    frame = services.sessions.frame(session)
    live, events = services.sessions.live(session), services.sessions.events(session)
    if not isinstance(house, int) or not 0 <= house < len(live.house_ids):
        return empty_house_chart(theme)
    ticks, _ = live.ticks_of_window(events, frame.tick, HOUR_S, MOST_POINTS // 2)
    rows = [
        (time_s, *(float(part[house]) for part in (p.pv_w, p.base_w, p.flex_w, p.net_w)))
        for _, time_s, p, _ in live.powers_at(events, ticks)
    ]
    return in_card(plot_house_series(house_frame(rows), theme, live.timezone))


def empty_house_chart(theme: str) -> Any:
    """The chart before a house is chosen."""
    return in_card(plot_house_series(house_frame([]), theme))


def house_frame(rows: Sequence[tuple[float, ...]]) -> pd.DataFrame:
    """A house's series as the figure takes it."""
    return pd.DataFrame(rows, columns=["time_s", "pv_power_w", "base_load_w", "flex_load_w", "net_power_w"])


def sankey_chart(frame: Frame, theme: str) -> Any:
    """Where today's energy came from and went."""
    tick: TickFrame = frame.data
    return plot_day_sankey(dict(zip(DAY_PARTS, tick.day_kwh, strict=True)), theme)
