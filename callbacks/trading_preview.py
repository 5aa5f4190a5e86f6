"""A day of a small community for the live picture of the overview, simulated once per process."""

import json
from functools import lru_cache

from energy_sim.config import DEFAULT_PATH, Config
from energy_sim.figures.ring import ring_geometry
from energy_sim.session import Frame
from energy_sim.trading.message import tick_message
from energy_sim.trading.parameters import TradingParameters
from energy_sim.trading.pipeline import Request, prepare, settled, steps_of
from energy_sim.trading.playback import SIMULATION, RecordedTrading, TradingFrame
from energy_sim.trading.results import recorded
from energy_sim.trading.simulator import simulate

HOUSEHOLDS = DEFAULT_PATH.parent / "input" / "homes" / "week.csv"
PARAMETERS = {
    "simulation": {"simulation_steps": 24, "start": "2026-07-08T00:00"},
    "household": {"max_households": 8},
    "optimizer": {"engine": "highs"},
}
PREVIEW_PX = (480, 430)


@lru_cache(maxsize=2)
def preview(_config: Config) -> str:
    """Geometry and a message an hour, as JSON."""
    request = Request(HOUSEHOLDS, TradingParameters.from_json(PARAMETERS))
    case, _ = prepare(request)
    result = simulate(case)
    base, optimised = settled(case, request, result)
    ids = case.profiles.ids
    simulations = {
        "baseline": recorded(ids, result.baseline, base),
        "optimized": recorded(ids, result.optimised, optimised),
    }
    worth = {"end_value_eur_per_kwh": case.market.end_value_eur_per_kwh}
    run = RecordedTrading("", simulations, steps_of(case, result, optimised), {}, worth, None)
    settings = {SIMULATION: "optimized"}
    messages = [
        tick_message(
            Frame("", t, 23, False, False, 1.0, 0, 0, settings, settings, TradingFrame(t, "optimized")), (), run
        )
        for t in range(result.steps)
    ]
    static = {"geometry": ring_geometry(ids, *PREVIEW_PX).to_json(), "fullKwh": 2.0, "ids": list(ids)}
    return json.dumps({"static": static, "messages": messages})
