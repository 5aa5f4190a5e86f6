"""A results folder as the program this one grew out of writes it: rounded numbers, other columns, flat JSON."""

import json

import numpy as np

TWELVE = (
    "step,household_id,production,consumption,stored_kwh,battery_pct,wallet,grid_buy,grid_sell,p2p_trades,"
    "p2p_buy_amount,p2p_sell_amount"
)
HOMES = ("ap1", "ap2", "cs1")
# by step: rows of ap1, ap2, cs1 without step and household
OPTIMISED = (
    ("9.5,3.25,0.01,0.0,101.1,0.0,1.25,,0.0,5.0", "1.0,4.0,2.47,18.3,-98.0,0.0,0.0,ap1:3.0,3.0,0.0",
     "1.0,3.0,0.0,0.0,-34.9,0.0,0.0,ap1:2.0,2.0,0.0"),
    ("8.5,3.0,0.0,0.0,113.7,0.0,5.5,,0.0,0.0", "4.0,1.5,4.97,36.8,-97.5,0.0,0.0,,0.0,0.0",
     "0.0,4.25,0.0,0.0,-36.2,4.25,0.0,,0.0,0.0"),
    ("5.0,3.0,0.0,0.0,117.0,0.0,0.5,,0.0,1.5", "2.5,1.0,4.97,36.8,-96.0,0.0,0.75,,0.0,0.75",
     "0.0,2.25,0.0,0.0,-37.9,0.0,0.0,ap1:1.5-ap2:0.75,2.25,0.0"),
)  # fmt: skip
BASELINE = (
    ("9.5,3.25,6.25,46.3,100.0,0.0,0.0,,0.0,0.0", "1.0,4.0,0.0,0.0,99.0,3.0,0.0,,0.0,0.0",
     "1.0,3.0,0.0,0.0,99.4,2.0,0.0,,0.0,0.0"),
    ("8.5,3.0,11.75,87.0,100.0,0.0,0.0,,0.0,0.0", "4.0,1.5,2.5,18.5,99.0,0.0,0.0,,0.0,0.0",
     "0.0,4.25,0.0,0.0,98.1,4.25,0.0,,0.0,0.0"),
    ("5.0,3.0,13.5,100.0,100.1,0.0,0.25,,0.0,0.0", "2.5,1.0,4.0,29.6,99.0,0.0,0.0,,0.0,0.0",
     "0.0,2.25,0.0,0.0,97.4,2.25,0.0,,0.0,0.0"),
)  # fmt: skip
MORE = ",central_battery_tax,grid_import_capacity,grid_export_capacity"
PARAMS = {
    "paths": {"household_db_file": "merged.parquet", "grid_capacity_file": ""},
    "battery": {"simple_capacity_kwh": 13.5, "central_tax_per_kwh": 0.02},
    "optimizer": {"optimizer_type": "greedy", "wallet_penalty_weight": 1000.0},
    "simulation_steps": 3,
    "time_step_hours": 24.0,
}


def rows_of(table, order="step", more=""):
    """The rows of a file by step, or household by household."""
    rows = [(t, i, f"{t},{HOMES[i]},{table[t][i]}{more}") for t in range(len(table)) for i in range(len(HOMES))]
    return [row for *_, row in (rows if order == "step" else sorted(rows, key=lambda row: (row[1], row[0])))]


def write_seed_folder(folder, order="step", extra=False):
    """Twelve columns and nothing else; with `extra` all that its newer versions write."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in (("baseline", BASELINE), ("optimized", OPTIMISED)):
        rows = rows_of(table, order, ",0.0,5526.7805,3595.3374" if extra else "")
        text = "\n".join([TWELVE + (MORE if extra else ""), *rows, ""])
        (folder / f"{name}_results.csv").write_text(text, encoding="utf-8")
    if extra:
        (folder / "params.json").write_text(json.dumps(PARAMS), encoding="utf-8")
        limits = [
            "timestep,import_capacity_kw,export_capacity_kw",
            "0,5526.78,3595.3",
            "1,5378.5,4519.3",
            "2,2292,2094",
        ]
        (folder / "grid_capacity.csv").write_text("\n".join([*limits, ""]), encoding="utf-8")
    return folder


def column(table, place):
    """(T, N) of one of the numbers of a table."""
    return np.array([[float(row.split(",")[place]) for row in step] for step in table])
