"""From files and parameters to a run folder: what `energy-sim trading run` does, and the page's run button.

request = Request(Path("input/homes/homes.parquet"), TradingParameters())
summary = write_run(Path("runs/demo"), request, ledger=None)
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from nacl.signing import SigningKey
from sqlalchemy import Engine

from energy_sim.errors import ConfigError
from energy_sim.forecasting.naive import make_forecaster
from energy_sim.runs import whole_folder, write_json, write_tables
from energy_sim.trading.data import read_profiles
from energy_sim.trading.grid_capacity import make_grid_capacity, write_grid_capacity
from energy_sim.trading.ledger.anchor import append_anchor, check_anchors_file
from energy_sim.trading.ledger.checksums import write_checksums
from energy_sim.trading.ledger.export import export_ledger
from energy_sim.trading.ledger.store import Ledger
from energy_sim.trading.model import Accounts, GridCapacity, Market, Prices, Storage
from energy_sim.trading.optimiser import make_optimiser
from energy_sim.trading.parameters import SettlementGroup, TradingParameters
from energy_sim.trading.playback import Steps
from energy_sim.trading.presets import apply_preset
from energy_sim.trading.prices import make_prices
from energy_sim.trading.report import household_report
from energy_sim.trading.report import summary as totals
from energy_sim.trading.results import BASELINE, OPTIMISED, recorded, results_table
from energy_sim.trading.settlement import check_mechanism, pool_prices, settle
from energy_sim.trading.simulator import Case, Result, StepDone, simulate
from energy_sim.trading.storage import assign_storage

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Request:
    """What to simulate: files and parameters; prices and capacity come from the parameters where there is no file."""

    households: Path
    parameters: TradingParameters
    grid_capacity: Path | None = None
    prices: Path | None = None


@dataclass(frozen=True, slots=True)
class LedgerPlace:
    """Where the trades of a run are written down while it runs."""

    engine: Engine
    operator_key: SigningKey
    anchors: Path  # file that keeps the head of every ledger, outside the database


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: steps done, and the community's money and grid purchase so far in both simulations."""

    done: int
    total: int
    row: Mapping[str, float] = field(default_factory=dict)


def prepare(request: Request) -> tuple[Case, tuple[str, ...]]:
    """Read the files and build everything a run needs; and what reading them noted.

    Raises:
        ConfigError, DataError: parameters or files that cannot be used, all faults of a file together.
    """
    p = effective(request.parameters)
    profiles = read_profiles(request.households, p)
    prices = make_prices(p, profiles.begins, profiles.dt_h, request.prices)
    capacity = make_grid_capacity(p, profiles.begins, profiles.dt_h, request.grid_capacity)
    storage = assign_storage(p.household, p.battery, len(profiles.ids), p.simulation.seed)
    check_mechanism(p.settlement.mechanism, len(profiles.ids))
    market = market_of(p, prices, storage)
    if market.voll_eur_per_kwh <= prices.buy.max():
        raise ConfigError(
            f"optimizer.voll_eur_per_kwh: {market.voll_eur_per_kwh:g} is not above the highest price,"
            f" {prices.buy.max():g} EUR/kWh; unserved energy must cost more than energy"
        )
    steps = min(p.forecaster.prediction_size, profiles.steps)
    count, planned_market = len(profiles.ids), planning_market(market, prices)

    def optimiser(kind: str) -> Any:
        return make_optimiser(kind, p.optimizer.engine, storage, planned_market, count, steps, profiles.dt_h)

    case = Case(
        profiles=profiles,
        prices=prices,
        capacity=capacity,
        storage=storage,
        market=market,
        load_forecast=make_forecaster(p.forecaster.kind, profiles.load_kwh, profiles.dt_h, p.forecaster.history_size),
        pv_forecast=make_forecaster(p.forecaster.kind, profiles.pv_kwh, profiles.dt_h, p.forecaster.history_size),
        optimiser=optimiser(p.optimizer.kind),
        fallback=optimiser("greedy"),
        horizon_steps=steps,
        trade=p.optimizer.kind != "none",
        reacts=p.optimizer.kind != "convex",
    )
    return case, profiles.notes


def effective(parameters: TradingParameters) -> TradingParameters:
    """The parameters with the rules of their preset filled in.

    Raises:
        ConfigError: there is no such preset.
    """
    settlement = SettlementGroup.model_validate(apply_preset(parameters.settlement))
    return parameters.model_copy(update={"settlement": settlement})


def market_of(parameters: TradingParameters, prices: Prices, storage: Storage) -> Market:
    """The rules of trade, with what stored energy is worth when a horizon or the run ends.

    That is what it saves on average between selling and buying,
    eta_discharge * (mean buy + mean sell) / 2 - wear, at least 0; or the value that was given.
    """
    o, s = parameters.optimizer, parameters.settlement
    end_value = o.end_value_eur_per_kwh
    if end_value is None:
        eta = float(storage.units.eta_discharge.mean()) if len(storage.units) else 1.0
        wear = float(storage.units.wear_eur_per_kwh.mean()) if len(storage.units) else 0.0
        end_value = max(0.0, eta * (float(prices.buy.mean() + prices.sell.mean()) / 2 - wear))
    fee = o.p2p_transaction_cost + (1 - s.grid_fee_reduction) * s.grid_fee_eur_per_kwh + s.levies_eur_per_kwh
    return Market(fee, o.min_trade_threshold, o.voll_eur_per_kwh, end_value, s.allocation_key)


def planning_market(market: Market, prices: Prices) -> Market:
    """The rules of trade as plans reckon with them.

    Plans take the pool for one in which all that is offered reaches who wants it. With a static key shares lapse, and
    what batteries discharge for neighbours would end in the grid, for less than it cost. So plans then make use of
    the pool only where limits of the grid leave nothing else: its fee is above all that trade can save.
    """
    if market.key != "static":
        return market
    saved = float((prices.buy - np.maximum(prices.sell, 0)).max())
    return replace(market, fee_eur_per_kwh=max(market.fee_eur_per_kwh, 1.001 * saved))


def write_run(
    target: Path,
    request: Request,
    ledger: LedgerPlace | None,
    on_progress: Callable[[Progress], bool] = lambda _progress: True,
) -> dict[str, Any]:
    """Simulate, settle and write the run folder, all or nothing; trades go into the ledger as they happen.

    Args:
        target: the folder.
        request: what to simulate.
        ledger: where trades are written down; None leaves the ledger out.
        on_progress: called after every step; False stops the run, which keeps what was done.

    Returns:
        The summary.

    Raises:
        ConfigError, DataError: what was given cannot be used, or the folder cannot be written.
    """
    case, notes = prepare(request)
    began = time.perf_counter()
    with whole_folder(target) as folder:
        book = _open_ledger(target, request, case, ledger)
        result = simulate(case, _Follower(case, request, book, on_progress))
        baseline, optimised = settled(case, request, result)
        report = household_report(result.baseline, baseline, result.optimised, optimised, case.profiles.ids)
        summary = {
            **totals(result.baseline, baseline, result.optimised, optimised, case.profiles.ids, case.market),
            **_about(case, request, result, notes, time.perf_counter() - began),
            "ledger_root": None,
        }
        tables = {
            BASELINE: results_table(recorded(case.profiles.ids, result.baseline, baseline)),
            OPTIMISED: results_table(recorded(case.profiles.ids, result.optimised, optimised)),
            "households": report,
            "steps": _steps_table(case, result, optimised),
        }
        write_tables(folder, tables)
        tables["steps"][["step", "buy", "sell"]].to_csv(folder / "prices.csv", index=False)
        limits = GridCapacity(case.capacity.import_kw[: result.steps], case.capacity.export_kw[: result.steps])
        write_grid_capacity(folder / "grid_capacity.csv", limits)
        request.parameters.save(folder / "params.json")
        if book is not None and ledger is not None:
            anchor = export_ledger(book.read(), folder)
            append_anchor(ledger.anchors, anchor)
            summary |= {
                "ledger_root": anchor.ledger_root,
                "ledger_id": anchor.ledger_id,
                "ledger_blocks": anchor.blocks,
            }
        write_json(folder / "summary.json", summary)
        if book is not None and ledger is not None:
            write_checksums(folder, ledger.operator_key)
    logger.info("trading run written steps=%d households=%d folder=%s", result.steps, len(case.profiles.ids), target)
    return summary


class _Follower:
    """Writes the trades of each step into the ledger and says how far the run is."""

    def __init__(
        self, case: Case, request: Request, book: Ledger | None, on_progress: Callable[[Progress], bool]
    ) -> None:
        self._case, self._request, self._book, self._on_progress = case, request, book, on_progress
        initial = request.parameters.household.initial_wallet * len(case.profiles.ids)
        self._wallets = {"baseline": initial, "optimized": initial}
        self._bought = {"baseline": 0.0, "optimized": 0.0}

    def __call__(self, done: StepDone) -> bool:
        case, t = self._case, done.step
        flows = done.optimised
        if self._book is not None and len(flows.seller):
            prices = Prices(case.prices.buy[t : t + 1], case.prices.sell[t : t + 1])
            mechanism = self._request.parameters.settlement.mechanism
            price = pool_prices(done.recorded(), prices, case.market, mechanism)
            self._book.append(t, flows.seller, flows.buyer, flows.traded_kwh, price, case.market.fee_eur_per_kwh)
        for name, one in (("baseline", done.baseline), ("optimized", flows)):
            bought, sold, traded = (
                float(values.sum()) for values in (one.grid_buy_kwh, one.grid_sell_kwh, one.p2p_buy_kwh)
            )
            cash = case.prices.sell[t] * sold - case.prices.buy[t] * bought - case.market.fee_eur_per_kwh * traded
            self._wallets[name] += float(cash)
            self._bought[name] += bought
        row = {
            **{f"wallet_{name}_eur": value for name, value in self._wallets.items()},
            **{f"grid_buy_{name}_kwh": value for name, value in self._bought.items()},
        }
        return self._on_progress(Progress(t + 1, case.profiles.steps, {"step": t, **row}))


def _open_ledger(target: Path, request: Request, case: Case, ledger: LedgerPlace | None) -> Ledger | None:
    """The ledger of a run, named for its folder and the moment."""
    if ledger is None or not request.parameters.ledger.enabled:
        return None
    name = (
        f"{target.name[:80]}-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"  # a ledger's name is shorter than a folder's may be
    )
    signed = request.parameters.ledger.signed
    check_anchors_file(ledger.anchors)
    return Ledger.create(ledger.engine, name, case.profiles.ids, ledger.operator_key, signed=signed)


def settled(case: Case, request: Request, result: Result) -> tuple[Accounts, Accounts]:
    """The money of both simulations; transfers of the optimised one compare it with the baseline."""
    p = request.parameters
    steps = result.steps
    prices = Prices(case.prices.buy[:steps], case.prices.sell[:steps])
    wallet = p.household.initial_wallet
    base = settle(result.baseline, prices, case.market, "mid_market_rate", False, wallet, None)
    mechanism = p.settlement.mechanism
    return base, settle(result.optimised, prices, case.market, mechanism, p.settlement.top_up, wallet, base)


def steps_of(case: Case, result: Result, accounts: Accounts) -> Steps:
    """What a run knows of the steps that were done."""
    done = slice(0, result.steps)
    return Steps(
        case.profiles.begins[done],
        case.profiles.dt_h,
        case.prices.buy[done],
        case.prices.sell[done],
        accounts.p2p_price,
        case.capacity.import_kw[done],
        case.capacity.export_kw[done],
    )


def _steps_table(case: Case, result: Result, accounts: Accounts) -> pd.DataFrame:
    steps = steps_of(case, result, accounts)
    return pd.DataFrame(
        {
            "step": np.arange(result.steps),
            "timestamp": steps.begins,
            "buy": steps.buy,
            "sell": steps.sell,
            "p2p_price": steps.p2p_price,
            "import_kw": steps.import_kw,
            "export_kw": steps.export_kw,
            "planned_cost_eur": result.planned_cost_eur,
            "plan_seconds": result.plan_seconds,
        }
    )


def _about(case: Case, request: Request, result: Result, notes: tuple[str, ...], seconds: float) -> dict[str, Any]:
    """What a run was made from and how it went."""
    profiles, p = case.profiles, request.parameters
    return {
        "households": len(profiles.ids),
        "household_ids": list(profiles.ids),
        "steps": result.steps,
        "steps_asked": profiles.steps,
        "stopped": result.steps < profiles.steps,
        "first_time": str(profiles.begins[0].astype("datetime64[m]")),
        "end_time": str((profiles.begins[result.steps - 1] + _seconds(profiles.dt_h)).astype("datetime64[m]")),
        "time_step_hours": profiles.dt_h,
        "optimizer": p.optimizer.kind,
        "engine": p.optimizer.engine if p.optimizer.kind == "convex" else None,
        "forecaster": p.forecaster.kind,
        "mechanism": p.settlement.mechanism,
        "fee_eur_per_kwh": case.market.fee_eur_per_kwh,
        "end_value_eur_per_kwh": case.market.end_value_eur_per_kwh,
        "seconds_per_step": float(result.plan_seconds.mean()),
        "seconds": round(seconds, 3),
        "fallback_steps": list(result.fallback_steps),
        "forecast_steps_without_history": max(
            case.load_forecast.steps_without_history, case.pv_forecast.steps_without_history
        ),
        "plans_with_raised_wear": case.optimiser.raised_wear,
        "notes": list(notes),
        "households_file": request.households.name,
        "prices_file": request.prices.name if request.prices else None,
        "grid_capacity_file": request.grid_capacity.name if request.grid_capacity else None,
    }


def _seconds(hours: float) -> "np.timedelta64":
    return np.timedelta64(round(hours * 3600), "s")
