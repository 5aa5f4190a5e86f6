"""Whole runs for tests: communities by hand, and the files of a run read and checked as a stranger would.

Nothing below `read_run` uses the program: tables, units and rules are taken from the files and from what is promised.
"""

import csv
import json
from dataclasses import dataclass

import numpy as np
import pandas as pd

from energy_sim.forecasting.naive import make_forecaster
from energy_sim.trading.model import GridCapacity, Market, Prices, Profiles
from energy_sim.trading.optimiser import make_optimiser
from energy_sim.trading.parameters import TradingParameters
from energy_sim.trading.simulator import Case
from energy_sim.trading.storage import assign_storage

ENGINE = "highs"  # where the engine does not matter
MONDAY = np.datetime64("2026-07-06T00:00:00", "s")
SIMULATIONS = ("baseline", "optimized")
COLUMNS = [
    "step", "household_id", "production", "consumption", "stored_kwh", "battery_pct", "wallet", "grid_buy", "grid_sell",
    "p2p_trades", "p2p_buy_amount", "p2p_sell_amount", "charge_kwh", "discharge_kwh", "curtailed_kwh", "unserved_kwh",
    "fee",
]  # fmt: skip
CLOSE = {"rtol": 0, "atol": 1e-6}
HOURS_PER_MONTH = 8766 / 12


def days_of(homes, steps, seed=1, sunny=1.0):
    """(T, N) consumption and production of a few summer days, kWh per hour; every second home has PV."""
    random, hour = np.random.default_rng(seed), np.arange(steps) % 24
    load = 0.2 + random.random((steps, homes)) * (1 + (hour > 16)[:, None])
    sun = np.maximum(np.sin((hour - 5) / 14 * np.pi), 0) * (hour >= 5) * (hour < 19)
    return load, sunny * 6 * sun[:, None] * random.uniform(0.5, 1, (steps, homes)) * (np.arange(homes) % 2 == 0)


def write_homes(path, load, pv, ids=None, dt_h=1.0):
    """A CSV file of households."""
    steps, homes = load.shape
    names = ids or [f"A{i + 1}" for i in range(homes)]
    when = MONDAY + (np.arange(steps) * round(dt_h * 3600)).astype("timedelta64[s]")
    columns = {"id": np.repeat(names, steps), "timestamp": np.tile(when, homes)}
    pd.DataFrame(columns | {"consumption": load.T.ravel(), "production": pv.T.ravel()}).to_csv(path, index=False)
    return path


def parameters(**groups):
    """Parameters of a run: all steps, the engine of these tests; groups are given as mappings."""
    base = {"simulation": {"simulation_steps": None}, "optimizer": {"engine": ENGINE}}
    return TradingParameters.from_json({name: base.get(name, {}) | groups.get(name, {}) for name in base | groups})


def spread(value, steps):
    return np.broadcast_to(np.asarray(value, dtype=float), (steps,)).copy()


def case(load, pv, kind="convex", engine=ENGINE, horizon=24, buy=0.30, sell=0.08, import_kw=np.inf, export_kw=np.inf,
         forecast="perfect", dt_h=1.0, market=None, household=None, battery=None, optimiser=None):  # fmt: skip
    """A case by hand; every home has a battery of 10 kWh and 5 kW unless told otherwise."""
    load, pv = np.atleast_2d(np.asarray(load, float)), np.atleast_2d(np.asarray(pv, float))
    steps, homes = load.shape
    p = parameters(household=household or {}, battery=battery or {})
    storage = assign_storage(p.household, p.battery, homes, 1)
    rules = market or Market(0.01, 0.0, 10.0, 0.1)
    ids = tuple(f"A{i + 1}" for i in range(homes))
    begins = MONDAY + (np.arange(steps) * round(dt_h * 3600)).astype("timedelta64[s]")
    return Case(
        profiles=Profiles(ids, begins, dt_h, load, pv),
        prices=Prices(spread(buy, steps), spread(sell, steps)),
        capacity=GridCapacity(spread(import_kw, steps), spread(export_kw, steps)),
        storage=storage,
        market=rules,
        load_forecast=make_forecaster(forecast, load, dt_h, 168),
        pv_forecast=make_forecaster(forecast, pv, dt_h, 168),
        optimiser=optimiser or make_optimiser(kind, engine, storage, rules, homes, min(horizon, steps), dt_h),
        fallback=make_optimiser("greedy", engine, storage, rules, homes, min(horizon, steps), dt_h),
        horizon_steps=min(horizon, steps),
        trade=kind != "none",
        reacts=kind != "convex",
    )


NO_BATTERY = {"battery_probability": 0.0}
IDEAL = {"eta_charge": 1.0, "eta_discharge": 1.0, "self_discharge_per_month": 0.0, "wear_eur_per_kwh": 0.0}


def check_flows(flows, dt_h=1.0, import_kw=np.inf, export_kw=np.inf):
    """The balance of every household and step, signs and caps of one simulation."""
    given = flows.pv_kwh + flows.grid_buy_kwh + flows.p2p_buy_kwh + flows.discharge_kwh + flows.unserved_kwh
    used = flows.load_kwh + flows.grid_sell_kwh + flows.p2p_sell_kwh + flows.charge_kwh + flows.curtailed_kwh
    np.testing.assert_allclose(given, used, rtol=0, atol=1e-9)
    names = ("charge", "discharge", "stored", "grid_buy", "grid_sell", "p2p_buy", "p2p_sell", "curtailed", "unserved")
    assert [name for name in names if getattr(flows, f"{name}_kwh").min() < -1e-12] == []
    assert (flows.curtailed_kwh <= flows.pv_kwh + 1e-9).all()
    assert (flows.unserved_kwh <= flows.load_kwh + flows.charge_kwh + 1e-9).all()
    np.testing.assert_allclose(flows.p2p_buy_kwh.sum(axis=1), flows.p2p_sell_kwh.sum(axis=1), rtol=0, atol=1e-9)
    assert (flows.grid_buy_kwh.sum(axis=1) <= np.asarray(import_kw) * dt_h + 1e-9).all()
    assert (flows.grid_sell_kwh.sum(axis=1) <= np.asarray(export_kw) * dt_h + 1e-9).all()


# ---- the files of a run, without the program -----------------------------------------------------------------------


@dataclass(frozen=True)
class Folder:
    """A run as its CSV and JSON files have it; arrays (T, N) by simulation and column."""

    ids: list
    arrays: dict
    trades: dict  # by simulation: (step, seller, buyer, kwh)
    steps: pd.DataFrame
    prices: pd.DataFrame
    limits: pd.DataFrame
    households: pd.DataFrame
    summary: dict
    params: dict


def read_run(folder):
    """Read a run folder with nothing but a CSV and a JSON reader."""
    arrays, trades, ids = {}, {}, []
    for name in SIMULATIONS:
        with (folder / f"{name}_results.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
        assert rows[0] == COLUMNS
        cells = list(zip(*rows[1:], strict=True))
        ids = list(dict.fromkeys(cells[1]))
        steps = len(rows[1:]) // len(ids)
        assert list(cells[0]) == [str(t) for t in range(steps) for _ in ids]
        assert list(cells[1]) == ids * steps
        numbers = {c: cells[i] for i, c in enumerate(COLUMNS) if c not in {"step", "household_id", "p2p_trades"}}
        arrays[name] = {c: np.array(values, dtype=float).reshape(steps, len(ids)) for c, values in numbers.items()}
        trades[name] = [
            (at // len(ids), ids.index(part.rpartition(":")[0]), at % len(ids), float(part.rpartition(":")[2]))
            for at, text in enumerate(cells[COLUMNS.index("p2p_trades")])
            for part in filter(None, text.split("-"))
        ]
    tables = [pd.read_csv(folder / f"{name}.csv") for name in ("steps", "prices", "grid_capacity", "households")]
    told = [json.loads((folder / f"{name}.json").read_text(encoding="utf-8")) for name in ("summary", "params")]
    return Folder(ids, arrays, trades, *tables, *told)


def check_energy(run):
    """Balance, batteries, powers, limits and trades of both simulations."""
    battery, dt_h = run.params["battery"], run.params["simulation"]["time_step_hours"]
    one, two = (run.arrays[name] for name in SIMULATIONS)
    assert np.array_equal(one["production"], two["production"])
    assert np.array_equal(one["consumption"], two["consumption"])
    for name in SIMULATIONS:
        a = run.arrays[name]
        given = a["production"] + a["grid_buy"] + a["p2p_buy_amount"] + a["discharge_kwh"] + a["unserved_kwh"]
        used = a["consumption"] + a["grid_sell"] + a["p2p_sell_amount"] + a["charge_kwh"] + a["curtailed_kwh"]
        np.testing.assert_allclose(given, used, **CLOSE)
        assert min(a[c].min() for c in a if c != "wallet") >= -1e-9
        filled = a["battery_pct"] / 100
        has = filled.max(axis=0) > 0
        capacity = np.where(has, a["stored_kwh"][0] / np.where(has, filled[0], 1), 0)
        np.testing.assert_allclose(a["stored_kwh"], filled * capacity, **CLOSE)
        assert (a["stored_kwh"] >= battery["soc_min"] * capacity - 1e-6).all()
        assert (a["stored_kwh"] <= battery["soc_max"] * capacity + 1e-6).all()
        most = battery["simple_c_rate"] * capacity * dt_h
        assert (a["charge_kwh"] <= most + 1e-6).all()
        assert (a["discharge_kwh"] <= most + 1e-6).all()
        kept = (1 - battery["self_discharge_per_month"]) ** (dt_h / HOURS_PER_MONTH)
        before = np.vstack([battery["initial_soc"] * capacity, a["stored_kwh"][:-1]])
        change = battery["eta_charge"] * a["charge_kwh"] - a["discharge_kwh"] / battery["eta_discharge"]
        np.testing.assert_allclose(a["stored_kwh"], kept * before + change, **CLOSE)
        for way, column in (("import", "grid_buy"), ("export", "grid_sell")):
            assert (a[column].sum(axis=1) <= run.limits[f"{way}_capacity_kw"].to_numpy() * dt_h + 1e-6).all()
        check_trades(run, name)


def check_trades(run, name):
    """The texts of trades say what the amounts say, with no more trades in a step than are needed."""
    a = run.arrays[name]
    bought, sold = np.zeros_like(a["wallet"]), np.zeros_like(a["wallet"])
    for step, seller, buyer, kwh in run.trades[name]:
        assert seller != buyer
        bought[step, buyer] += kwh
        sold[step, seller] += kwh
    np.testing.assert_allclose(bought, a["p2p_buy_amount"], **CLOSE)
    np.testing.assert_allclose(sold, a["p2p_sell_amount"], **CLOSE)
    counted = np.bincount([trade[0] for trade in run.trades[name]], minlength=len(bought))
    assert (counted <= np.maximum((bought > 0).sum(axis=1) + (sold > 0).sum(axis=1) - 1, 0)).all()
    if name == "baseline":
        assert run.trades[name] == []


def check_money(run):
    """Wallets of every step, the budget of the community and the costs, from prices, fee and the pool's price."""
    fee, buy, sell = (run.summary["fee_eur_per_kwh"], *(run.prices[c].to_numpy()[:, None] for c in ("buy", "sell")))
    assert (sell < buy).all()
    pool = np.nan_to_num(run.steps["p2p_price"].to_numpy()[:, None])
    transfer = run.households["transfer_eur"].to_numpy()
    assert abs(transfer.sum()) < 1e-9
    battery, voll = run.params["battery"], run.params["optimizer"]["voll_eur_per_kwh"]
    for name in SIMULATIONS:
        a = run.arrays[name]
        cash = sell * a["grid_sell"] - buy * a["grid_buy"]
        cash = cash + pool * a["p2p_sell_amount"] - (pool + fee) * a["p2p_buy_amount"]
        if name == "optimized":
            cash[-1] += transfer
        wallet = run.params["household"]["initial_wallet"] + np.cumsum(cash, axis=0)
        np.testing.assert_allclose(a["wallet"], wallet, **CLOSE)
        np.testing.assert_allclose(a["fee"], fee * a["p2p_buy_amount"], **CLOSE)
        grid = (sell * a["grid_sell"] - buy * a["grid_buy"]).sum(axis=1)
        money = a["wallet"].sum(axis=1) - wallet.shape[1] * run.params["household"]["initial_wallet"]
        np.testing.assert_allclose(money, np.cumsum(grid - a["fee"].sum(axis=1)), **CLOSE)
        gained = a["stored_kwh"][-1] - first_stored(run, name)
        cost = (
            run.params["household"]["initial_wallet"]
            - a["wallet"][-1]
            + battery["wear_eur_per_kwh"] * (a["charge_kwh"] + a["discharge_kwh"]).sum(axis=0)
            + voll * a["unserved_kwh"].sum(axis=0)
            - run.summary["end_value_eur_per_kwh"] * gained
        )
        np.testing.assert_allclose(run.households[f"cost_{name}_eur"], cost, **CLOSE)
        np.testing.assert_allclose(run.summary[f"total_cost_{name}"], cost.sum(), **CLOSE)


def first_stored(run, name):
    """(N,) stored before the first step, from the share that batteries begin with."""
    a, battery = run.arrays[name], run.params["battery"]
    filled = a["battery_pct"][0] / 100
    capacity = np.divide(a["stored_kwh"][0], filled, out=np.zeros_like(filled), where=filled > 0)
    return battery["initial_soc"] * capacity
