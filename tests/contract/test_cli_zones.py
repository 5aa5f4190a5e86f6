"""`energy-sim zones` as a person or a script meets it: the real command in a process of its own."""

import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from energy_sim.cli import main
from energy_sim.zones.kernel import BOUNDS
from tests.contract.forks import ENTRY, ROOT, all_at_once, forked, in_new_process

SMALL = ["--network", "examples/small_losses/network.yaml", "--input", "examples/small_losses/input"]

DAILY = [
    "date",
    "demand_mwh",
    "wind_used_mwh",
    "import_phase2_mwh",
    "local_hydro_mwh",
    "import_phase4_mwh",
    "unmet_mwh",
    "import_one_hop_mwh",
    "import_two_hop_mwh",
    "wind_export_mwh",
    "spill_mwh",
    "loss_mwh",
]
METRICS = [
    "date",
    "zone",
    "demand_mwh",
    "wind_potential_mwh",
    "wind_used_mwh",
    "wind_export_mwh",
    "local_hydro_mwh",
    "exported_hydro_mwh",
    "import_p2h1_mwh",
    "import_p2h2_mwh",
    "import_p4h1_mwh",
    "import_p4h2_mwh",
    "imported_mwh",
    "unmet_mwh",
    "water_used_mwh",
    "inflow_mwh",
    "spill_mwh",
    "dry_shortfall_mwh",
    "level_mwh",
    "level_pct",
]
TRANSFERS = ["date", "phase", "supplier", "importer", "hops", "transit_zone", "sent_mwh", "delivered_mwh", "links"]

NETWORK = """
zones:
  - {id: A, name: Zone A, hydro_min_mwh: 1000, hydro_max_mwh: 50000, hydro_force_export_mwh: 42500,
     hydro_target_mwh: 32500, hydro_efficiency: 0.9, hydro_max_daily_production_mwh: 1200, initial_level_mwh: 30000,
     lon: 10.0, lat: 60.0}
  - {id: B, name: Zone B, hydro_min_mwh: 1000, hydro_max_mwh: 50000, hydro_force_export_mwh: 42500,
     hydro_target_mwh: 32500, hydro_efficiency: 0.9, hydro_max_daily_production_mwh: 0, initial_level_mwh: 30000,
     lon: 11.0, lat: 61.0}
links:
  - {from: A, to: B, capacity_mwh_per_day: 1200, loss_factor: 0.02}
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory) -> Path:
    """A user's configuration that keeps log and runs out of the project."""
    folder = tmp_path_factory.mktemp("config")
    path = folder / "mine.yaml"
    path.write_text("logging: {file: ''}\nruns: {folder: runs}\n", encoding="utf-8")
    return path


def options_of(config: Path, arguments: tuple[object, ...], level: str) -> list[object]:
    return ["--config", config, "--log-level", level, *arguments]


def energy_sim(config: Path, *arguments: object, level: str = "ERROR") -> subprocess.CompletedProcess[str]:
    return forked(options_of(config, arguments, level))


def energy_sim_anew(config: Path, *arguments: object, level: str = "ERROR") -> subprocess.CompletedProcess[str]:
    """The same with an interpreter of its own."""
    return in_new_process(options_of(config, arguments, level))


def tables(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    text = {"zone": str, "supplier": str, "importer": str, "transit_zone": str, "links": str, "date": str}
    read = [
        pd.read_csv(folder / f"{name}.csv", dtype=text, keep_default_na=False)
        for name in ("daily_summary", "zone_metrics", "transfers")
    ]
    return read[0], read[1], read[2]


def summary(folder: Path) -> dict:
    return json.loads((folder / "summary.json").read_text(encoding="utf-8"))


# ---- what a run writes ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["norway", "small_losses"])
def written(request, config, tmp_path_factory) -> tuple[Path, int, int]:
    """A run's folder, its days and its zones."""
    out = tmp_path_factory.mktemp(request.param) / "out"
    options = ["--start", "2016-01-01", "--days", 60] if request.param == "norway" else SMALL
    done = energy_sim_anew(config, "zones", "run", *options, "--out", out, "--no-figures")
    assert (done.returncode, done.stderr) == (0, "")
    return out, 60, 5 if request.param == "norway" else 4


def test_a_run_writes_exactly_the_files_columns_and_rows_that_are_promised(written):
    out, days, zones = written
    assert sorted(path.name for path in out.iterdir()) == [
        "daily_summary.csv", "daily_summary.parquet", "params.json", "simulation.log", "summary.json",
        "transfers.csv", "transfers.parquet", "zone_metrics.csv", "zone_metrics.parquet",
    ]  # fmt: skip
    daily, metrics, transfers = tables(out)
    assert (out / "daily_summary.csv").read_text().splitlines()[0] == ",".join(DAILY)
    assert [list(daily), list(metrics), list(transfers)] == [DAILY, METRICS, TRANSFERS]
    assert (len(daily), len(metrics)) == (days, days * zones)
    assert len(transfers) == summary(out)["transfers"] > days
    assert all(re.fullmatch(r"\d{4}-\d{2}-\d{2}", text) for table in (daily, metrics, transfers) for text in table.date)
    assert list(daily.date) == [str(day) for day in np.datetime64(daily.date[0]) + np.arange(days)]
    assert list(metrics.date) == [date for date in daily.date for _ in range(zones)]
    for name in ("daily_summary", "zone_metrics", "transfers"):
        exact = pd.read_csv(out / f"{name}.csv", keep_default_na=False)
        packed = pd.read_parquet(out / f"{name}.parquet")
        if name == "transfers":
            assert set(packed.pop("bound_by")) <= set(BOUNDS) - {"not_recorded"}  # in this file only
        pd.testing.assert_frame_equal(packed, exact, check_dtype=False, rtol=0, atol=0)


def test_the_three_files_agree_with_each_other(written):
    out, _, zones = written
    daily, metrics, transfers = tables(out)
    close = {"rtol": 1e-9, "atol": 1e-6}
    by_day = metrics.drop(columns="zone").groupby("date").sum()
    for column in ("demand", "wind_used", "local_hydro", "unmet", "wind_export", "spill"):
        np.testing.assert_allclose(daily[f"{column}_mwh"], by_day[f"{column}_mwh"], **close)
    np.testing.assert_allclose(daily.import_phase2_mwh, by_day.import_p2h1_mwh + by_day.import_p2h2_mwh, **close)
    np.testing.assert_allclose(daily.import_phase4_mwh, by_day.import_p4h1_mwh + by_day.import_p4h2_mwh, **close)
    np.testing.assert_allclose(daily.import_one_hop_mwh, by_day.import_p2h1_mwh + by_day.import_p4h1_mwh, **close)
    np.testing.assert_allclose(daily.import_two_hop_mwh, by_day.import_p2h2_mwh + by_day.import_p4h2_mwh, **close)
    covered = ["wind_used_mwh", "imported_mwh", "local_hydro_mwh", "unmet_mwh"]
    np.testing.assert_allclose(metrics[covered].sum(axis=1), metrics.demand_mwh, **close)
    np.testing.assert_allclose(metrics.wind_used_mwh + metrics.wind_export_mwh, metrics.wind_potential_mwh, **close)

    transfers["key"] = "import_p" + transfers.phase.astype(str) + "h" + transfers.hops.astype(str) + "_mwh"
    delivered = transfers.groupby(["date", "importer", "key"]).delivered_mwh.sum()
    long = metrics.melt(["date", "zone"], [c for c in METRICS if c.startswith("import_p")])
    booked = long[long.value > 0].set_index(["date", "zone", "variable"]).value.sort_index()
    assert list(delivered.index) == list(booked.index)
    np.testing.assert_allclose(delivered, booked, **close)
    sent = transfers.groupby(["date", "supplier"]).sent_mwh.sum()
    exported = metrics[metrics.exported_hydro_mwh > 0].set_index(["date", "zone"]).exported_hydro_mwh.sort_index()
    np.testing.assert_allclose(sent.sort_index(), exported, **close)
    lost = (transfers.sent_mwh - transfers.delivered_mwh).groupby(transfers.date).sum()
    np.testing.assert_allclose(daily.set_index("date").loss_mwh, lost.reindex(daily.date, fill_value=0.0), **close)
    assert (lost.max() > 1.0) == (zones == 4)  # only the small network has losses

    totals = summary(out)["totals_mwh"]
    assert totals["demand"] == pytest.approx(daily.demand_mwh.sum(), rel=1e-12)
    balance = totals["inflow"] - totals["water_used"] - totals["spill"] + totals["dry_shortfall"]
    assert totals["level_end"] - totals["level_start"] == pytest.approx(balance, rel=1e-9)
    for _, of_zone in metrics.groupby("zone"):
        change = of_zone.inflow_mwh - of_zone.water_used_mwh - of_zone.spill_mwh + of_zone.dry_shortfall_mwh
        np.testing.assert_allclose(of_zone.level_mwh.diff()[1:], change[1:], rtol=1e-6, atol=1e-3)


def test_each_transfer_names_its_lines_with_the_energy_at_their_sending_ends(written):
    out, _, zones = written
    *_, transfers = tables(out)
    keep = {}
    if zones == 4:
        network = json.loads((out / "params.json").read_text())["network"]
        keep = {f"{link['from']}>{link['to']}": 1 - link["loss_factor"] for link in network["links"]}
    assert set(transfers.hops) == {1, 2}
    for row in transfers.itertuples():
        used = [part.rsplit(":", 1) for part in row.links.split("|")]
        way = [row.supplier, row.importer] if row.hops == 1 else [row.supplier, row.transit_zone, row.importer]
        assert [name for name, _ in used] == [f"{a}>{b}" for a, b in pairwise(way)]
        amount = row.sent_mwh
        for name, at_sending_end in used:
            assert float(at_sending_end) == pytest.approx(amount, rel=1e-12)
            amount *= keep.get(name, 1.0)
        assert row.delivered_mwh == pytest.approx(amount, rel=1e-12)
        assert row.transit_zone == ("" if row.hops == 1 else way[1])


def test_the_parameters_say_everything_needed_to_run_again_and_the_log_is_kept_at_any_level(written):
    out, days, zones = written
    params = json.loads((out / "params.json").read_text(encoding="utf-8"))
    assert (params["room"], params["days"], params["warm_up_days"]) == ("zones", days, 0)
    assert len(params["network"]["zones"]) == zones
    assert params["changes"][0]["switches"]["two_hop"] is True
    assert params["changes"][0]["factors"] == {"consumption": 1.0, "wind": 1.0, "inflow": 1.0, "reservoir": 1.0}
    log = (out / "simulation.log").read_text(encoding="utf-8")
    assert f"inputs read zones={zones} days={days}" in log
    assert f"simulated days={days}" in log


def test_level_percent_is_of_the_capacity_at_the_end_of_the_day(written):
    out, *_ = written
    _, metrics, _ = tables(out)
    zones = json.loads((out / "params.json").read_text(encoding="utf-8"))["network"]["zones"]
    capacity = metrics.zone.map({zone["id"]: zone["hydro_max_mwh"] for zone in zones})
    np.testing.assert_allclose(metrics.level_pct, 100 * metrics.level_mwh / capacity, rtol=1e-12)


# ---- options ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def options(config, tmp_path_factory) -> dict[str, Path]:
    """The small example under every option, by a short name."""
    base = tmp_path_factory.mktemp("options")
    chosen = {
        "plain": [],
        "again": [],
        "no_wind": ["--no-wind"],
        "no_import1": ["--no-import-phase1"],
        "no_hydro": ["--no-local-hydro"],
        "no_import2": ["--no-import-phase2"],
        "no_two_hop": ["--no-two-hop"],
        "share_wind": ["--share-wind", "--wind-factor", 2],
        "balance": ["--balance-levels"],
        "factors": [
            "--consumption-factor",
            1.25,
            "--wind-factor",
            0.5,
            "--inflow-factor",
            2,
            "--reservoir-factor",
            0.5,
        ],
        "change": ["--change", "2020-02-01:wind=off", "--change", "2020-01-16:consumption_factor=2"],
        "warm_up": ["--start", "2020-01-11", "--warm-up", 10],
        "late": ["--start", "2020-01-11"],
        "range": ["--start", "2020-01-11", "--days", 5],
        "warm_up_only": ["--warm-up", 10],
        "warm_up_days": ["--warm-up", 10, "--days", 5],
    }
    done = all_at_once(
        config,
        {n: ["zones", "run", *SMALL, *extra, "--out", base / n, "--no-figures"] for n, extra in chosen.items()},
    )
    assert {n: (p.returncode, p.stderr) for n, p in done.items()} == dict.fromkeys(chosen, (0, ""))
    return {name: base / name for name in chosen}


def test_the_same_run_twice_gives_the_same_bytes(options):
    for name in ("daily_summary.csv", "zone_metrics.csv", "transfers.csv", "summary.json", "params.json"):
        assert (options["plain"] / name).read_bytes() == (options["again"] / name).read_bytes()


@pytest.mark.parametrize(
    ("run", "switch", "column"),
    [
        ("no_wind", "wind", "wind_used_mwh"),
        ("no_import1", "import_phase1", "import_phase2_mwh"),
        ("no_hydro", "local_hydro", "local_hydro_mwh"),
        ("no_import2", "import_phase2", "import_phase4_mwh"),
        ("no_two_hop", "two_hop", "import_two_hop_mwh"),
    ],
)
def test_a_phase_switched_off_delivers_nothing(options, run, switch, column):
    assert tables(options["plain"])[0][column].sum() > 0
    assert tables(options[run])[0][column].sum() == 0
    switches = json.loads((options[run] / "params.json").read_text())["changes"][0]["switches"]
    assert [name for name, on in switches.items() if not on] == [switch, "share_wind", "balance_levels"]


def test_potential_wind_is_recorded_with_wind_off(options):
    _, plain, _ = tables(options["plain"])
    _, without, _ = tables(options["no_wind"])
    assert list(without.wind_potential_mwh) == list(plain.wind_potential_mwh)
    assert without.wind_export_mwh.sum() == 0


def test_shared_wind_appears_as_transfers_with_their_source(options):
    *_, transfers = tables(options["share_wind"])
    assert list(transfers) == [*TRANSFERS, "source"]
    assert set(transfers.source) == {"wind", "hydro"}


def test_balanced_levels_move_imports_to_the_first_phase(options):
    plain, balanced = tables(options["plain"])[0], tables(options["balance"])[0]
    assert balanced.import_phase2_mwh.sum() > plain.import_phase2_mwh.sum() * 1.5


def test_factors_multiply_what_they_name(options):
    (plain, before, _), (changed, after, _) = tables(options["plain"]), tables(options["factors"])
    np.testing.assert_allclose(changed.demand_mwh, 1.25 * plain.demand_mwh, rtol=1e-12)
    np.testing.assert_allclose(after.wind_potential_mwh, 0.5 * before.wind_potential_mwh, rtol=1e-12)
    np.testing.assert_allclose(after.inflow_mwh, 2 * before.inflow_mwh, rtol=1e-12)
    level = [summary(options[name])["totals_mwh"]["level_start"] for name in ("plain", "factors")]
    assert level[1] == pytest.approx(0.5 * level[0])


def test_changes_act_from_their_date_and_leave_earlier_days_alone(options):
    plain, changed = tables(options["plain"])[0], tables(options["change"])[0]
    pd.testing.assert_frame_equal(changed[:15], plain[:15])
    np.testing.assert_allclose(changed.demand_mwh[15:], 2 * plain.demand_mwh[15:], rtol=1e-12)
    assert changed.wind_used_mwh[:31].sum() > 0
    assert changed.wind_used_mwh[31:].sum() == 0  # 31 is 2020-02-01
    changes = json.loads((options["change"] / "params.json").read_text())["changes"]
    assert [(c["day"], c["date"]) for c in changes] == [(0, "2020-01-01"), (15, "2020-01-16"), (31, "2020-02-01")]
    assert changes[2]["factors"]["consumption"] == 2  # earlier changes go on


def test_warm_up_days_change_the_start_but_are_in_no_result(options):
    warm, late, plain = (tables(options[name])[0] for name in ("warm_up", "late", "plain"))
    assert list(warm.date) == list(late.date) == list(plain.date[10:])
    assert list(warm.demand_mwh) == list(late.demand_mwh)
    start = {name: summary(options[name])["totals_mwh"]["level_start"] for name in ("warm_up", "late", "plain")}
    assert start["warm_up"] != start["late"]
    pd.testing.assert_frame_equal(warm, plain[10:].reset_index(drop=True))


def test_warm_up_days_without_a_start_move_the_first_day_and_keep_the_last_or_the_number_of_days(options):
    only, five, warm = (tables(options[name])[0] for name in ("warm_up_only", "warm_up_days", "warm_up"))
    pd.testing.assert_frame_equal(only, warm)  # the same as with the start that was moved to
    pd.testing.assert_frame_equal(five, warm[:5])
    assert "first day moved from=2020-01-01 to=2020-01-11 warm_up_days=10" in (
        options["warm_up_only"] / "simulation.log"
    ).read_text(encoding="utf-8")
    assert json.loads((options["warm_up_only"] / "params.json").read_text())["start"] == "2020-01-11"


def test_start_and_days_choose_the_period(options):
    daily = tables(options["range"])[0]
    assert list(daily.date) == ["2020-01-11", "2020-01-12", "2020-01-13", "2020-01-14", "2020-01-15"]
    assert summary(options["range"])["last_day"] == "2020-01-15"


# ---- bad input --------------------------------------------------------------------------------------------------


def write_inputs(folder: Path, days: int = 14) -> Path:
    """A network file and good input for zones A and B, 14 days from Monday 2018-01-01; returns the folder."""
    folder.mkdir(parents=True)
    (folder / "network.yaml").write_text(NETWORK, encoding="utf-8")
    dates = [str(day) for day in np.datetime64("2018-01-01") + np.arange(days)]
    for zone in "AB":
        write(folder / f"{zone}_Wind_Production.csv", ["Dato_Id,Produksjon [MWh]", *(f"{d},100" for d in dates)])
        write(folder / f"{zone}_Consumption.csv", ["Date,Daily_Consumption", *(f"{d},300" for d in dates)])
        write(folder / f"{zone}_Effective_Inflow.csv", ["Iso-uke,2018", *(f"{week},0.7" for week in range(1, 53))])
    return folder


def write(path: Path, lines: list[str]) -> None:
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")


def replace(name: str, old: str, new: str):
    def change(folder: Path) -> None:
        text = (folder / name).read_text(encoding="utf-8")
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1), encoding="utf-8")

    return change


def remove(name: str):
    return lambda folder: (folder / name).unlink()


def empty(name: str):
    return lambda folder: (folder / name).write_text("", encoding="utf-8")


LINK = "  - {from: A, to: B, capacity_mwh_per_day: 1200, loss_factor: 0.02}\n"

BAD_FILES = {  # what is done to a good folder -> what the one line must say
    "negative wind": (
        replace("A_Wind_Production.csv", "01-03,100", "01-03,-5"),
        ["A_Wind_Production.csv", "row 4", "-5", "negative"],
    ),
    "negative demand": (
        replace("B_Consumption.csv", "01-05,300", "01-05,-1"),
        ["B_Consumption.csv", "row 6", "Daily_Consumption"],
    ),
    "no number": (
        replace("A_Consumption.csv", "01-02,300", "01-02,many"),
        ["A_Consumption.csv", "row 3", "'many'", "not a number"],
    ),
    "duplicate date": (
        replace("A_Consumption.csv", "2018-01-03", "2018-01-02"),
        ["A_Consumption.csv", "row 4", "2018-01-02", "row 3"],
    ),
    "no date": (
        replace("A_Wind_Production.csv", "2018-01-03", "3 January"),
        ["A_Wind_Production.csv", "row 4", "'3 January'", "Dato_Id"],
    ),
    "empty file": (empty("B_Effective_Inflow.csv"), ["B_Effective_Inflow.csv", "empty"]),
    "missing wind file": (remove("B_Wind_Production.csv"), ["B_Wind_Production.csv", "not found"]),
    "missing consumption file": (remove("A_Consumption.csv"), ["A_Consumption.csv", "not found"]),
    "missing column": (
        replace("A_Consumption.csv", "Daily_Consumption", "Load"),
        ["A_Consumption.csv", "Daily_Consumption", "Load"],
    ),
    "infinite": (replace("A_Wind_Production.csv", "01-03,100", "01-03,inf"), ["A_Wind_Production.csv", "infinite"]),
    "week 54": (replace("A_Effective_Inflow.csv", "\n52,", "\n54,"), ["A_Effective_Inflow.csv", "54"]),
    "two faults": (
        lambda f: (remove("A_Consumption.csv")(f), empty("B_Consumption.csv")(f)),
        ["A_Consumption.csv: not found", "B_Consumption.csv: the file is empty"],
    ),
    "faults of three kinds in one network": (
        lambda f: [
            replace("network.yaml", *change)(f)
            for change in (("to: B", "to: X"), ("hydro_min_mwh: 1000", "hydro_min_mwh: 60000"), ("lat: 60", "lat: 99"))
        ],
        ["links[0]: zone X", "zones[0]: hydro_min_mwh 60000 must be below", "zones[0].lat: 99.0 is above 90"],
    ),
    "unknown zone in a link": (replace("network.yaml", "to: B", "to: X"), ["network.yaml", "links[0]", "X", "A, B"]),
    "self link": (replace("network.yaml", "to: B", "to: A"), ["network.yaml", "links[0]", "itself"]),
    "loss of 1": (
        replace("network.yaml", "loss_factor: 0.02", "loss_factor: 1.0"),
        ["links[0].loss_factor", "1.0 is not below 1"],
    ),
    "negative capacity": (
        replace("network.yaml", "day: 1200, loss", "day: -1, loss"),
        ["links[0].capacity_mwh_per_day", "-1 is below 0"],
    ),
    "efficiency 0": (
        replace("network.yaml", "hydro_efficiency: 0.9", "hydro_efficiency: 0"),
        ["zones[0].hydro_efficiency", "not above 0"],
    ),
    "minimum above maximum": (
        replace("network.yaml", "hydro_min_mwh: 1000", "hydro_min_mwh: 60000"),
        ["zones[0]", "must be below"],
    ),
    "zone id twice": (replace("network.yaml", "{id: B", "{id: A"), ["zone id A is used twice"]),
    "unknown key": (replace("network.yaml", "loss_factor", "losses"), ["links[0].losses", "unknown key"]),
    "broken YAML": (replace("network.yaml", "zones:", "zones: ]"), ["network.yaml", "no valid YAML"]),
    "no network at all": (empty("network.yaml"), ["network.yaml", "zones:"]),
}
BAD_OPTIONS = {
    "start before the data": (["--start", "2017-12-31"], ["2017-12-31", "2018-01-01 to 2018-01-14"]),
    "start after the data": (["--start", "2018-01-15"], ["2018-01-15", "2018-01-01 to 2018-01-14"]),
    "too many days": (["--start", "2018-01-10", "--days", "6"], ["6", "2018-01-01 to 2018-01-14"]),
    "no days": (["--days", "0"], ["--days", "0 is below 1"]),
    "warm-up before the data": (
        ["--start", "2018-01-03", "--warm-up", "3"],
        ["warm-up", "2018-01-01", "2 or fewer", "start on 2018-01-04 or later"],
    ),
    "warm-up of all the data": (["--warm-up", "14"], ["warm-up", "14", "2018-01-01 to 2018-01-14", "13 or fewer"]),
    "warm-up before the calendar": (["--warm-up", "99999999999"], ["99999999999"]),
    "no such date": (["--start", "2018-02-30"], ["--start", "2018-02-30", "YYYY-MM-DD"]),
    "factor out of range": (["--wind-factor", "5.5"], ["--wind-factor", "5.5", "0 to 5"]),
    "factor not a number": (["--inflow-factor", "nan"], ["--inflow-factor", "nan", "0 to 5"]),
    "factor text": (["--inflow-factor", "much"], ["--inflow-factor"]),
    "change without a value": (["--change", "2018-01-02:wind"], ["--change", "DATE:NAME=VALUE"]),
    "change of nothing known": (["--change", "2018-01-02:sun=off"], ["sun", "two_hop"]),
    "change outside the run": (["--change", "2019-01-02:wind=off"], ["--change", "2018-01-01 to 2018-01-14"]),
    "change to no position": (["--change", "2018-01-02:wind=maybe"], ["wind", "'maybe'", "on or off"]),
    "opening level changed later": (["--change", "2018-01-02:reservoir_factor=2"], ["--change", "--reservoir-factor"]),
    "unknown option": (["--speed", "9"], ["--speed", "zones run --help"]),
    "missing network file": (["--network", "absent.yaml"], ["absent.yaml", "cannot be read"]),
    "missing input folder": (["--input", "absent"], ["A_Wind_Production.csv", "absent"]),
}


@pytest.fixture(scope="module")
def refused(config, tmp_path_factory) -> dict[str, tuple[subprocess.CompletedProcess[str], Path]]:
    """What the command says to every bad input, and the folder it must not have made."""
    base = tmp_path_factory.mktemp("bad")
    good = write_inputs(base / "good")
    commands: dict[str, list[object]] = {}
    for name, (spoil, _) in BAD_FILES.items():
        folder = base / name.replace(" ", "_")
        shutil.copytree(good, folder)
        spoil(folder)
        commands[name] = [
            "zones",
            "run",
            "--network",
            folder / "network.yaml",
            "--input",
            folder,
            "--out",
            base / f"out {name}",
        ]
    for name, (extra, _) in BAD_OPTIONS.items():
        where = ["--network", good / "network.yaml"] * (extra[0] != "--network")
        where += ["--input", good] * (extra[0] != "--input")
        commands[name] = ["zones", "run", *where, *extra, "--out", base / f"out {name}"]
    done = all_at_once(config, commands)
    assert not list(base.glob(".writing-*"))
    return {name: (done[name], base / f"out {name}") for name in commands}


@pytest.mark.slow
@pytest.mark.parametrize("name", [*BAD_FILES, *BAD_OPTIONS])
def test_bad_input_gives_exit_code_2_and_one_line_that_says_what_and_where(refused, name):
    done, out = refused[name]
    says = (BAD_FILES | BAD_OPTIONS)[name][1]
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("energy-sim: ")
    assert [text for text in says if text not in done.stderr] == []
    assert not out.exists()


def test_the_same_good_folder_runs(config, tmp_path):
    folder = write_inputs(tmp_path / "good")
    done = energy_sim(config, "zones", "run", "--network", folder / "network.yaml", "--input", folder,
                      "--out", tmp_path / "out", "--no-figures")  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    daily, metrics, _ = tables(tmp_path / "out")
    assert len(daily) == 14  # without --days, all the data there is
    assert set(daily.demand_mwh) == {600.0}
    assert metrics.inflow_mwh.to_list() == pytest.approx([100.0] * 28)  # 0.7 GWh a week
    assert daily.unmet_mwh.sum() == 0


def test_log_lines_at_the_usual_level_do_not_repeat_the_error_line(config, tmp_path):
    done = energy_sim_anew(config, "zones", "run", "--start", "2031-01-01", "--out", tmp_path / "out", level="INFO")
    assert done.returncode == 2
    assert done.stderr.count("2031-01-01 is outside the data") == 1
    assert [line for line in done.stderr.splitlines() if line.startswith("energy-sim: ")] == [
        done.stderr.splitlines()[-1]
    ]
    assert "Traceback" not in done.stderr


def test_at_debug_the_log_of_a_run_has_a_line_for_every_transfer_zone_and_day(config, tmp_path):
    out = tmp_path / "out"
    done = energy_sim(config, "zones", "run", *SMALL, "--days", 3, "--out", out, "--no-figures", level="DEBUG")
    assert done.returncode == 0
    log = (out / "simulation.log").read_text(encoding="utf-8")
    kinds = re.findall(r" DEBUG +energy_sim\.zones\.simulator: (transfer|zone|day) date=(\S+)", log)
    days = ["2020-01-01", "2020-01-02", "2020-01-03"]
    assert [date for kind, date in kinds if kind == "day"] == days
    assert [date for kind, date in kinds if kind == "zone"] == [day for day in days for _ in range(4)]
    assert [date for kind, date in kinds if kind == "transfer"] == list(tables(out)[2].date)
    assert log.count("simulated days=3 zones=4") == 1
    assert "sent_mwh=" in done.stderr


def test_gaps_are_filled_counted_and_logged_and_a_missing_level_file_is_no_fault(config, tmp_path):
    folder = write_inputs(tmp_path / "gaps")
    replace("A_Wind_Production.csv", "2018-01-03,100\n", "")(folder)  # a missing day
    replace("A_Wind_Production.csv", "2018-01-04,100", "2018-01-04,")(folder)  # a blank one
    replace("B_Consumption.csv", "2018-01-10,300", "2018-01-10,")(folder)  # Wednesday; the one before is 300
    replace("A_Effective_Inflow.csv", "\n2,0.7", "\n2,")(folder)  # a blank week: the year has no other
    replace("A_Effective_Inflow.csv", "Iso-uke,2018", "Iso-uke,2018,T_Gj.snitt")(folder)
    text = (folder / "A_Effective_Inflow.csv").read_text().splitlines()
    write(folder / "A_Effective_Inflow.csv", [text[0], *(f"{line},1.4" for line in text[1:])])
    done = energy_sim(config, "zones", "run", "--network", folder / "network.yaml", "--input", folder,
                      "--out", tmp_path / "out", "--no-figures", level="WARNING")  # fmt: skip
    assert done.returncode == 0
    fills = summary(tmp_path / "out")["fills"]
    assert [(f["zone"], f["quantity"], f["count"], f["first"]) for f in fills] == [
        ("A", "wind", 2, "2018-01-03"), ("B", "demand", 1, "2018-01-10"), ("A", "inflow", 1, "2018-W02")
    ]  # fmt: skip
    assert "4 missing values were filled" in done.stdout
    log = (tmp_path / "out" / "simulation.log").read_text(encoding="utf-8")
    assert done.stderr.count("filled zone=") == log.count("filled zone=") == 3
    daily, metrics, _ = tables(tmp_path / "out")
    of_a = metrics[metrics.zone == "A"].reset_index()
    assert list(of_a.wind_potential_mwh[1:5]) == [100.0, 0.0, 0.0, 100.0]
    assert list(of_a.inflow_mwh[[6, 7]]) == pytest.approx([100.0, 200.0])  # week 2 takes the usual 1.4 GWh
    assert set(daily.demand_mwh) == {600.0}
    assert metrics.level_mwh[:2].max() < 30100 + 1e-6  # from the network's initial level


def test_an_unwritable_place_is_refused_in_one_line(config, tmp_path):
    (tmp_path / "file").write_text("x")
    places = {str(p): p for p in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/nowhere/out"))}
    commands = {n: ["zones", "run", *SMALL, "--out", p, "--no-figures"] for n, p in places.items()}
    for out, done in all_at_once(config, commands).items():
        assert (done.returncode, done.stderr.count("\n"), done.stdout) == (2, 1, "")
        assert out in done.stderr
    assert (tmp_path / "file").read_text() == "x"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("out", ["", "/"])
def test_no_name_of_a_folder_is_refused_in_one_line(config, out):
    commands = {
        "run": ["zones", "run", *SMALL, "--days", "2", "--out", out, "--no-figures"],
        "ensemble": ["zones", "ensemble", *SMALL, "--days", "2", "--out", out],
        "make-input": ["zones", "make-input", "--out", out],
    }
    for name, done in all_at_once(config, commands).items():
        assert (done.returncode, done.stderr.count("\n"), done.stdout) == (2, 1, ""), name
        assert "name a folder" in done.stderr


def test_make_input_into_a_file_is_refused_in_one_line(config, tmp_path):
    (tmp_path / "file").write_text("x")
    done = energy_sim(config, "zones", "make-input", "--out", tmp_path / "file")
    assert (done.returncode, done.stderr.count("\n"), done.stdout) == (2, 1, "")
    assert f"{tmp_path}/file: cannot be written" in done.stderr
    assert (tmp_path / "file").read_text() == "x"


def test_files_of_others_in_the_out_folder_are_kept_and_a_folder_in_the_way_is_refused(config, tmp_path):
    out = tmp_path / "out"
    (out / "figures").mkdir(parents=True)
    (out / "notes.txt").write_text("mine")
    (out / "daily_summary.csv").write_text("old")
    done = energy_sim(config, "zones", "run", *SMALL, "--out", out, "--no-figures")
    assert done.returncode == 0
    assert (out / "notes.txt").read_text() == "mine"
    assert len(tables(out)[0]) == 60
    (out / "transfers.csv").unlink()
    (out / "transfers.csv").mkdir()
    again = energy_sim(config, "zones", "run", *SMALL, "--out", out, "--no-figures")
    assert (again.returncode, again.stderr.count("\n")) == (2, 1)
    assert "transfers.csv" in again.stderr
    assert not (out / "params.json").exists()  # half replaced, so it is no run any more


# ---- the command itself -----------------------------------------------------------------------------------------


@pytest.fixture
def logging_left_alone():
    """A command in this process sets up logging; afterwards it is as before."""
    logger = logging.getLogger("energy_sim")
    before = (logger.handlers[:], logger.level, logger.propagate)
    yield
    for handler in logger.handlers:
        if handler not in before[0]:
            handler.close()
    logger.handlers[:], logger.propagate = before[0], before[2]
    logger.setLevel(before[1])


COMMANDS = [
    [], ["serve"], ["zones"], ["zones", "run"], ["zones", "ensemble"], ["zones", "check-data"], ["zones", "make-input"],
    ["runs"], ["runs", "list"], ["runs", "show"], ["runs", "export"], ["runs", "delete"],
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_is_everywhere(command, config, monkeypatch, capfd, logging_left_alone):
    monkeypatch.setattr(sys, "argv", ["energy-sim", "--config", str(config), *command, "--help"])
    with pytest.raises(SystemExit) as stop:
        main()
    shown = capfd.readouterr()
    assert stop.value.code == 0
    assert " ".join(["energy-sim", *command]) in shown.out
    assert shown.err == ""


def test_help_exits_0_as_a_process_and_a_command_left_out_exits_2_with_the_help(config):
    shown = subprocess.run([*ENTRY, "--help"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "--log-level" in shown.stdout
    bare = energy_sim_anew(config, "zones")
    assert bare.returncode == 2
    assert "ensemble" in bare.stdout + bare.stderr
    assert "Traceback" not in bare.stderr


def test_wrong_words_exit_2_with_one_line(config):
    wrong = {
        "unknown command": ["zones", "fly"],
        "unknown room": ["rockets"],
        "missing argument": ["runs", "show"],
        "missing option": ["zones", "ensemble"],
        "a word too many": ["runs", "list", "all"],
        "unknown level": ["--log-level", "LOUD", "runs", "list"],
        "level after the command": ["zones", "run", "--log-level", "DEBUG"],
        "log file after the command": ["runs", "list", "--log-file", "x.log"],
        "configuration after the command": ["serve", "--config", "x.yaml"],
        "log file in a place that cannot be": ["--log-file", "/proc/nowhere/x.log", "runs", "list"],
        "missing configuration": ["--config", "absent.yaml", "runs", "list"],
    }
    for name, done in all_at_once(config, wrong).items():
        assert (name, done.returncode, done.stderr.count("\n"), done.stdout) == (name, 2, 1, "")
        assert done.stderr.startswith("energy-sim: ")
        assert len(done.stderr) > 30
        assert ("give --config, --log-level and --log-file before the command" in done.stderr) == ("after the" in name)


def test_interrupting_an_ensemble_exits_1_without_traceback_and_leaves_nothing(config, tmp_path):
    out = tmp_path / "out"
    grid = [part for n in range(60) for part in ("--consumption-factor", f"{1 + n / 100}")]
    running = subprocess.Popen(
        [*ENTRY, "--config", str(config), "--log-level", "INFO", "zones", "ensemble", "--out", str(out), *grid],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    read = ""
    while "kernel ready" not in read:
        line = running.stderr.readline()
        assert line, "ended before it began to simulate"
        read += line
    time.sleep(0.3)
    assert list(tmp_path.glob(".writing-*"))  # in the middle of it
    running.send_signal(signal.SIGINT)
    stdout, stderr = running.communicate(timeout=60)
    assert running.returncode == 1
    assert "Traceback" not in stderr
    assert stderr.splitlines()[-1] == "energy-sim: stopped"
    assert stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_an_ensemble_writes_quantiles_totals_and_parameters(config, tmp_path):
    out = tmp_path / "out"
    done = energy_sim_anew(config, "zones", "ensemble", *SMALL, "--year", 2020, "--year", 2021,
                      "--inflow-factor", 0.5, "--inflow-factor", 1, "--out", out, "--threads", 1)  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    totals = pd.read_csv(out / "totals.csv")
    assert list(zip(totals.inflow_year, totals.inflow_factor, strict=True)) == [
        (2020, 0.5), (2020, 1.0), (2021, 0.5), (2021, 1.0)
    ]  # fmt: skip
    assert list(totals.inflow_mwh / totals.inflow_mwh[1]) == pytest.approx([0.5, 1.0, 0.6, 1.2])
    quantiles = pd.read_csv(out / "quantiles.csv")
    assert list(quantiles) == ["date", "zone", "quantity", "mean", "p05", "p25", "p50", "p75", "p95"]
    assert len(quantiles) == 60 * 4 * 2
    assert (quantiles.p05 <= quantiles.p95).all()
    assert json.loads((out / "params.json").read_text())["scenarios"] == 4
    unknown = energy_sim(config, "zones", "ensemble", *SMALL, "--year", 1066, "--out", tmp_path / "other")
    assert (unknown.returncode, unknown.stderr.count("\n")) == (2, 1)
    assert "1066" in unknown.stderr
    assert "2019 to 2021" in unknown.stderr
    assert not (tmp_path / "other").exists()


def test_check_data_lists_every_fault_on_stdout_and_in_one_line_on_stderr(config, tmp_path):
    fine = energy_sim_anew(config, "zones", "check-data", *SMALL)
    assert (fine.returncode, fine.stderr) == (0, "")
    assert "2020-01-01 to 2020-02-29" in fine.stdout
    undated = write_inputs(tmp_path / "undated")
    write(undated / "A_Consumption.csv", ["Daily_Consumption", *["300"] * 14])
    fine = energy_sim(config, "zones", "check-data", "--network", undated / "network.yaml", "--input", undated)
    assert (fine.returncode, fine.stderr) == (0, "")
    assert re.search(r"A_Consumption\.csv +14 +undated +undated", fine.stdout)
    assert "undated: A_Consumption.csv: its first row is the first simulated day of a run" in fine.stdout
    folder = write_inputs(tmp_path / "bad")
    remove("A_Consumption.csv")(folder)
    replace("B_Consumption.csv", "01-05,300", "01-05,-1")(folder)
    bad = energy_sim(config, "zones", "check-data", "--network", folder / "network.yaml", "--input", folder)
    assert (bad.returncode, bad.stderr.count("\n")) == (2, 1)
    assert "A_Consumption.csv: not found" in bad.stdout
    assert "B_Consumption.csv: row 6" in bad.stdout
    assert "A_Consumption.csv: not found" in bad.stderr
    assert "B_Consumption.csv: row 6" in bad.stderr


@pytest.mark.slow
def test_make_input_writes_the_shipped_files_again(config, tmp_path, shipped_input):
    done = energy_sim_anew(config, "zones", "make-input", "--seed", 1, "--out", tmp_path / "made")
    assert (done.returncode, done.stderr) == (0, "")
    names = sorted(path.name for path in shipped_input.glob("*.csv"))
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == names
    assert len(names) == 20
    for name in names:
        assert (tmp_path / "made" / name).read_bytes() == (shipped_input / name).read_bytes()


@pytest.mark.slow
def test_a_run_writes_figures_that_open_offline_unless_told_not_to(config, tmp_path):
    out = tmp_path / "out"
    change = ["--change", "2020-01-10:two_hop=off"]
    done = energy_sim(config, "zones", "run", *SMALL, "--days", 20, *change, "--out", out)
    assert (done.returncode, done.stderr) == (0, "")
    pages = sorted((out / "figures").iterdir())
    assert len(pages) >= 4
    for page in pages:
        assert page.suffix == ".html"
        text = page.read_text(encoding="utf-8")
        assert "Plotly.newPlot" in text
        assert not re.search(r"<(?:script|link|img)[^>]+(?:src|href)=[\"']?(?:https?:)?//", text)


# ---- data at hand -----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_real_data_of_seven_years_run_and_their_totals_match_the_files(config, tmp_path, real_data):
    folder = real_data / "norway" / "input"
    done = energy_sim(config, "zones", "run", "--input", folder, "--start", "2016-01-01", "--days", 2557,
                      "--out", tmp_path / "out", "--no-figures")  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    _, metrics, _ = tables(tmp_path / "out")
    assert len(metrics) == 2557 * 5
    filled = {(fill["zone"], fill["quantity"]) for fill in summary(tmp_path / "out")["fills"]}
    for zone, of_zone in metrics.groupby("zone"):
        for kind, date, value, column in (
            ("Consumption", "Date", "Daily_Consumption", "demand"),
            ("Wind_Production", "Dato_Id", "Produksjon [MWh]", "wind_potential"),
        ):
            table = pd.read_csv(folder / f"{zone}_{kind}.csv")
            inside = table[date].astype(str).str[:10].between("2016-01-01", "2022-12-31")
            total = table.loc[inside, value].sum()
            if (zone, {"demand": "demand", "wind_potential": "wind"}[column]) in filled:
                continue  # what was filled is in no file
            assert of_zone[f"{column}_mwh"].sum() == pytest.approx(total, rel=1e-9)


@pytest.mark.slow
def test_both_examples_run_as_their_readme_says(config, tmp_path):
    text = (ROOT / "examples" / "README.md").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = re.findall(r"^ {4}energy-sim (zones run .*)$", text, re.MULTILINE)
    assert len(lines) == 2
    commands = {str(i): [*line.split(), "--out", tmp_path / str(i), "--no-figures"] for i, line in enumerate(lines)}
    done = all_at_once(config, commands)
    assert [(p.returncode, p.stderr) for p in done.values()] == [(0, ""), (0, "")]
    small, (daily, metrics, _) = tables(tmp_path / "0"), tables(tmp_path / "1")
    assert small[0].loss_mwh.sum() > 1000
    assert {2, 4} == set(small[2].phase)
    assert len(daily) == 365
    by_zone = metrics.groupby("zone")[["imported_mwh", "exported_hydro_mwh", "unmet_mwh", "demand_mwh"]].sum()
    abroad = by_zone[~by_zone.index.str.startswith("NO")]
    assert len(abroad) == 8
    assert 8e6 < abroad.imported_mwh.sum() < 12e6  # about Norway's net export of 2018
    assert (abroad.imported_mwh > 0).all()
    assert by_zone.exported_hydro_mwh[["SE1", "SE2"]].min() > 1e5
    assert by_zone.unmet_mwh.sum() < 0.01 * by_zone.demand_mwh.sum()
    assert sum(path.stat().st_size for path in (ROOT / "examples/norway_neighbours").rglob("*")) < 600_000


def test_the_examples_inputs_follow_from_their_formulas(tmp_path):
    script = ROOT / "examples" / "make_inputs.py"
    code = f"import runpy, pathlib; runpy.run_path({str(script)!r})['make_inputs'](pathlib.Path({str(tmp_path)!r}))"
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ)
    made = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.csv"))
    shipped = sorted(path.relative_to(ROOT / "examples") for path in (ROOT / "examples").rglob("*.csv"))
    assert made == shipped
    assert len(made) == 4 * 3 + 1 + 8 * 3
    for path in made:
        assert (tmp_path / path).read_bytes() == (ROOT / "examples" / path).read_bytes()
    coast = pd.read_csv(ROOT / "examples/small_losses/input/COAST_Consumption.csv").Daily_Consumption
    assert list(coast[[0, 3, 30]]) == [990.0, 837.8, 810.0]  # 900 x 1.1; 900 (1 + 0.1 cos 18 deg) 0.85; 900 x 0.9
