"""The small JSON message that carries one step of a run to the page: at most 4 kB."""

import json
import string
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from energy_sim.session import Frame
from energy_sim.trading.model import Floats
from energy_sim.trading.playback import SIMULATIONS, RecordedTrading, TradingFrame
from energy_sim.trading.results import Recorded

MAX_BYTES = 4096
MAX_ROWS = 20
LEAST_KWH = 0.005  # less is not drawn
DIGITS = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"  # of base64
HOME_COLUMNS = (
    "stored_kwh",
    "wallet",
    "production",
    "consumption",
    "grid_buy",
    "grid_sell",
    "p2p_buy_amount",
    "p2p_sell_amount",
    "charge_kwh",
    "discharge_kwh",
    "curtailed_kwh",
    "unserved_kwh",
)
TOTALS = tuple(name for name in HOME_COLUMNS if name not in {"charge_kwh", "discharge_kwh"})


def tick_message(frame: Frame, _skipped: Sequence[Frame], run: RecordedTrading) -> dict[str, Any]:
    """One step of the simulation that is shown, for the page.

    Args:
        frame: the step shown.
        _skipped: steps since the last message; charts of a finished run need none of them.
        run: the opened run.

    Returns:
        t tick; n last tick; d moment or empty; p playing; r steps a second; e ended; v revision; ep epoch; set control
        values of the next step, now those of this one where they differ; sim the simulation shown; h by household
        [battery ‰ or none, wallet ct, `saved_eur` in ct, then production, consumption, grid buy, grid
        sell, p2p buy, p2p sell, charge, discharge, curtailed, unserved in Wh] where they fit, else shorter rows
        [battery ‰, better off ct, net Wh], and where not even these fit hp and hf of `packed_rows`; k trades [seller,
        buyer, Wh], and more the number left out; c and b TOTALS of the simulation shown and of the baseline (kWh, EUR);
        g [buy, sell, pool price] EUR/kWh or none; s chart rows (none).
    """
    shown: TradingFrame = frame.data
    t = shown.tick
    recorded, base = run.simulations[shown.simulation], run.simulations["baseline"]
    message: dict[str, Any] = {
        "t": t,
        "n": frame.last_tick,
        "d": run.moment(t),
        "p": int(frame.playing),
        "r": frame.rate,
        "e": int(frame.ended),
        "v": frame.revision,
        "ep": frame.epoch,
        "set": frame.next_settings,
        "sim": SIMULATIONS.index(shown.simulation),
        "c": totals(recorded, t),
        "b": totals(base, t),
        "g": [_number(v, 5) for v in (run.steps.buy[t], run.steps.sell[t], run.steps.p2p_price[t])],
        "h": home_rows(run, shown.simulation, t),
        "k": [],
        "s": [[t]],
    }
    if frame.settings != frame.next_settings:
        message["now"] = frame.settings
    if len(encode(message)) > MAX_BYTES - 400:
        message["h"] = _short_rows(run, shown.simulation, t)
    if len(encode(message)) > MAX_BYTES - 400:
        message["h"] = []
        message["hp"], message["hf"] = packed_rows(run, shown.simulation, t)
    trades = run.trades_of(shown.simulation, t)
    order = np.argsort(-trades.kwh, kind="stable")
    rows = [[int(trades.seller[i]), int(trades.buyer[i]), _wh(trades.kwh[i])] for i in order]
    kept = max((MAX_BYTES - 40 - len(encode(message))) // 14, 0)
    message["k"] = rows[:kept]
    while message["k"] and len(encode(message)) > MAX_BYTES - 20:
        message["k"] = message["k"][:-8]
    if len(rows) > len(message["k"]):
        message["more"] = len(rows) - len(message["k"])
    return message


def encode(message: Mapping[str, Any]) -> bytes:
    """The message as it goes over the wire."""
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False).encode()


def totals(recorded: Recorded, t: int) -> list[float]:
    """TOTALS over all households in one step, kWh and EUR; 0 where a run does not say."""
    return [_plain(round(float(_row(recorded, name, t).sum()), 3)) for name in TOTALS]


def home_rows(run: RecordedTrading, simulation: str, t: int) -> list[list[float | None]]:
    """A row for each household with everything, see `tick_message`."""
    recorded = run.simulations[simulation]
    wallets, better = _money(run, simulation, t)
    columns = [_row(recorded, name, t) for name in HOME_COLUMNS[2:]]
    return [
        [charge, wallets[i], better[i], *(_wh(column[i]) for column in columns)]
        for i, charge in enumerate(_charges(recorded, t))
    ]


def _short_rows(run: RecordedTrading, simulation: str, t: int) -> list[list[float | None]]:
    recorded = run.simulations[simulation]
    _, better = _money(run, simulation, t)
    net = _row(recorded, "grid_buy", t) + _row(recorded, "p2p_buy_amount", t)
    net = net - _row(recorded, "grid_sell", t) - _row(recorded, "p2p_sell_amount", t)
    return [[charge, better[i], _wh(net[i])] for i, charge in enumerate(_charges(recorded, t))]


def packed_rows(run: RecordedTrading, simulation: str, t: int) -> tuple[str, int]:
    """What the dot of each household shows, as text of three base64 digits a household (18 bits).

    Returns:
        The text, and the energy hf in Wh that its largest amount stands for. From the highest bit: 5 bits battery in
        thirtieths, 31 for none; 2 bits 0 as in the baseline, 1 better off, 2 worse off or unserved; 2 bits the largest
        of what it does: 0 nothing, 1 grid buy, 2 grid sell, 3 trade; 9 bits its amount a, (a / 511)² hf.
    """
    recorded = run.simulations[simulation]
    buy, sell = _row(recorded, "grid_buy", t), _row(recorded, "grid_sell", t)
    traded = _row(recorded, "p2p_buy_amount", t) + _row(recorded, "p2p_sell_amount", t)
    kwh = np.stack([buy, sell, traded])
    most, way = kwh.max(axis=0), kwh.argmax(axis=0) + 1
    full = max(_wh(float(most.max())), 1)
    amounts = np.minimum(np.rint(511 * np.sqrt(1000 * most / full)), 511).astype(int)
    charges = [31 if charge is None else min(round(0.03 * charge), 30) for charge in _charges(recorded, t)]
    better = np.asarray(_money(run, simulation, t)[1])
    lacks = (better < 0) | (_row(recorded, "unserved_kwh", t) >= LEAST_KWH)
    words = np.where(lacks, 2, np.where(better > 0, 1, 0))
    codes = (np.asarray(charges) << 13) | (words << 11) | (np.where(most < LEAST_KWH, 0, way) << 9) | amounts
    digits = np.stack([codes >> 12, codes >> 6 & 63, codes & 63], axis=1).ravel()
    return "".join(DIGITS[digit] for digit in digits.tolist()), full


def _charges(recorded: Recorded, t: int) -> list[int | None]:
    """Battery filling, per mille; none for a household that never has any."""
    has = recorded.columns["battery_pct"].max(axis=0) > 0
    filled = np.rint(10 * recorded.columns["battery_pct"][t]).astype(int).tolist()
    return [value if present else None for value, present in zip(filled, has.tolist(), strict=True)]


def saved_eur(run: RecordedTrading, simulation: str, t: int) -> Floats:
    """(N,) how much better off each household is than in the baseline so far, EUR; what is stored counts."""
    own, base = (run.simulations[name].columns for name in (simulation, "baseline"))
    worth = float(run.summary.get("end_value_eur_per_kwh") or 0.0)
    saved: Floats = own["wallet"][t] - base["wallet"][t] + worth * (own["stored_kwh"][t] - base["stored_kwh"][t])
    return saved


def _money(run: RecordedTrading, simulation: str, t: int) -> tuple[list[int], list[int]]:
    wallet = run.simulations[simulation].columns["wallet"][t]
    return np.rint(100 * wallet).astype(int).tolist(), np.rint(100 * saved_eur(run, simulation, t)).astype(int).tolist()


def _row(recorded: Recorded, name: str, t: int) -> Floats:
    column = recorded.columns.get(name)
    return np.zeros(len(recorded.ids)) if column is None else column[t]


def _wh(kwh: float) -> int:
    return round(1000 * float(kwh))


def _plain(value: float) -> float:
    return int(value) if value == int(value) else value


def _number(value: float, digits: int) -> float | None:
    return None if np.isnan(value) else round(float(value), digits)
