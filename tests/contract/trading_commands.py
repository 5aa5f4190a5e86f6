"""Commands of `energy-sim trading` that must be refused, and files with one fault each."""

from tests.trading.seed_folder import write_seed_folder

HOMES = "id,timestamp,consumption,production"
HOUR = "2026-07-06 0{}:00"
LIMITS = "timestep,import_capacity_kw,export_capacity_kw"


def lines(*rows):
    return "\n".join([*rows, ""])


def homes(change=lambda rows: rows, hours=6):
    """Homes A1, A2 and B1 over some hours."""
    names = ("A1", "A2", "B1")
    return lines(HOMES, *change([f"{name},{HOUR.format(t)},0.5,{t % 3}" for name in names for t in range(hours)]))


def one(place, row):
    return lambda rows: [*rows[:place], row, *rows[place + 1 :]]


def prices(*rows):
    return lines("step,buy,sell", *(rows or [f"{t},0.3,0.1" for t in range(6)]))


def limits(*rows):
    return lines(LIMITS, *(rows or [f"{t},5,5" for t in range(6)]))


FILES = {
    "homes.csv": homes(),
    "homes.txt": homes(),
    "empty.csv": "",
    "header.csv": HOMES + "\n",
    "no_consumption.csv": homes().replace("consumption", "usage"),
    "nan.csv": homes(one(3, "A1,2026-07-06 03:00,nan,1")),
    "blank.csv": homes(one(3, "A1,2026-07-06 03:00,,1")),
    "text.csv": homes(one(3, "A1,2026-07-06 03:00,much,1")),
    "negative.csv": homes(one(3, "A1,2026-07-06 03:00,0.5,-1")),
    "twice.csv": homes(one(3, "A1,2026-07-06 02:00,0.5,1")),
    "hole.csv": homes(lambda rows: rows[:3] + rows[4:]),
    "no_time.csv": homes(one(3, "A1,soon,0.5,1")),
    "binary.parquet": "no parquet",
    "sell_above.csv": prices(*(f"{t},0.3,{'0.31' if t == 4 else '0.1'}" for t in range(6))),
    "no_sell.csv": lines("step,buy", *(f"{t},0.3" for t in range(6))),
    "short_prices.csv": prices("0,0.3,0.1", "1,0.3,0.1"),
    "nan_prices.csv": prices("0,0.3,0.1", "1,nan,0.1", *(f"{t},0.3,0.1" for t in range(2, 6))),
    "short_limits.csv": limits("0,5,5", "1,5,5"),
    "negative_limits.csv": limits(*(f"{t},5,{-1 if t == 2 else 5}" for t in range(6))),
    "nan_limits.csv": limits(*(f"{t},{'' if t == 2 else 5},5" for t in range(6))),
    "no_limits.csv": lines("timestep,import_capacity_kw", *(f"{t},5" for t in range(6))),
    "not.json": "{",
    "list.json": "[1]",
    "unknown_key.json": '{"battery": {"colour": "red"}}',
    "unknown_group.json": '{"batteries": {}}',
    "range.json": '{"household": {"battery_probability": 1.5}}',
    "min_max.json": '{"grid_price": {"min_buy_price": 0.5, "max_buy_price": 0.4}}',
    "sell_buy.json": '{"grid_price": {"mode": "constant", "buy_price": 0.2, "sell_price": 0.2}}',
    "window.json": '{"battery": {"soc_min": 0.6, "soc_max": 0.4}}',
    "type.json": '{"household": {"selection": {"A": 2, "Z": 1}}}',
    "too_many.json": '{"household": {"selection": {"A": 3}}}',
    "nan.json": '{"optimizer": {"voll_eur_per_kwh": NaN}}',
    "text.json": '{"simulation": {"simulation_steps": "six"}}',
    "start.json": '{"simulation": {"simulation_steps": 2, "start": "2027-01-01T00:00"}}',
    "step.json": '{"simulation": {"simulation_steps": 2, "time_step_hours": 0.5}}',
    "caps.json": '{"grid_capacity": {"use_capacity_limits": true, "default_import_capacity_kw": -1}}',
    "voll.json": '{"optimizer": {"voll_eur_per_kwh": 0.11}}',
}
RUN = ["trading", "run", "--households", "{base}/homes.csv", "--out", "{base}/out", "--optimizer", "greedy"]


def run(*options, households="homes.csv"):
    return [*RUN[:3], f"{{base}}/{households}", *RUN[4:], *options]


def params(name):
    return run("--params", f"{{base}}/{name}.json")


def capacity(*options):
    return ["trading", "grid-capacity", "--output", "{base}/made.csv", "--steps", 5, *options]


BAD = {  # command -> what the one line must say
    "no such households": (run(households="none.csv"), ["none.csv: cannot be read (No such file", "give the path"]),
    "a folder of households": (run(households=""), ["no suffix is no known format", "give a .csv or a .parquet"]),
    "a folder called csv": (run(households="folder.csv"), ["folder.csv: cannot be read (", "give the path"]),
    "unknown format": (run(households="homes.txt"), ["homes.txt: .txt is no known format"]),
    "empty file": (run(households="empty.csv"), ["empty.csv: is empty; give a header"]),
    "header only": (run(households="header.csv"), ["header.csv: has no rows"]),
    "missing column": (run(households="no_consumption.csv"), ["no column consumption; found: id, timestamp, usage"]),
    "NaN": (run(households="nan.csv"), ["nan.csv: row 5, column consumption: is blank or NaN", "give kWh"]),
    "blank": (run(households="blank.csv"), ["blank.csv: row 5, column consumption: is blank or NaN"]),
    "text": (run(households="text.csv"), ["text.csv: row 5, column consumption: 'much' is no number; give kWh"]),
    "negative": (run(households="negative.csv"), ["negative.csv: row 5, column production: -1 is below 0"]),
    "row twice": (run(households="twice.csv"), ["twice.csv: row 5, column timestamp", "is in row 4 too; keep one"]),
    "row missing": (run(households="hole.csv"), ["hole.csv: row 5", "1 rows of A1 are missing before 2026-07-06T04"]),
    "no moment": (run(households="no_time.csv"), ["row 5, column timestamp: 'soon' is no moment; write it as"]),
    "no parquet": (run(households="binary.parquet"), ["binary.parquet: is no valid .parquet file"]),
    "sell above buy": (
        run("--prices", "{base}/sell_above.csv"),
        ["sell_above.csv: row 6, column sell: 0.31 is not below buy 0.3", "must fetch less"],
    ),
    "no sell price": (run("--prices", "{base}/no_sell.csv"), ["no_sell.csv: no column sell; found: step, buy"]),
    "few prices": (run("--prices", "{base}/short_prices.csv"), ["has 2 rows, the run has 6 steps; add rows"]),
    "NaN price": (run("--prices", "{base}/nan_prices.csv"), ["row 3, column buy: is blank or NaN", "give EUR/kWh"]),
    "no prices": (run("--prices", "{base}/none.csv"), ["none.csv: cannot be read (No such file"]),
    "prices are a folder": (run("--prices", "{base}/folder.csv"), ["folder.csv: cannot be read"]),
    "few limits": (run("--grid-capacity", "{base}/short_limits.csv"), ["short_limits.csv: has 2 rows, the run has 6"]),
    "limit below 0": (
        run("--grid-capacity", "{base}/negative_limits.csv"),
        ["negative_limits.csv: row 4, column export_capacity_kw: -1 is below 0; give kW"],
    ),
    "blank limit": (run("--grid-capacity", "{base}/nan_limits.csv"), ["row 4, column import_capacity_kw: is blank"]),
    "half the limits": (run("--grid-capacity", "{base}/no_limits.csv"), ["no column export_capacity_kw; found"]),
    "no such limits": (run("--grid-capacity", "{base}/none.csv"), ["none.csv: cannot be read"]),
    "no such params": (params("none"), ["none.json: cannot be read (No such file", "give a JSON file of parameters"]),
    "params are a folder": (run("--params", "{base}"), ["cannot be read (Is a directory)"]),
    "params are no JSON": (params("not"), ["not.json: is no valid JSON"]),
    "params are a list": (params("list"), ["list.json: holds a list; give groups"]),
    "unknown key": (params("unknown_key"), ["unknown_key.json: battery.colour: ", "unknown"]),
    "unknown group": (params("unknown_group"), ["unknown_group.json: batteries: ", "unknown"]),
    "range": (params("range"), ["range.json: household.battery_probability: 1.5 is above 1"]),
    "min above max": (params("min_max"), ["min_buy_price 0.5 is above max_buy_price 0.4; swap them"]),
    "pays as much as it takes": (params("sell_buy"), ["sell_price 0.2 is not below buy_price 0.2"]),
    "window upside down": (params("window"), ["soc_min 0.6 is not below soc_max 0.4"]),
    "unknown type": (
        params("type"),
        ["household.selection: 1 of type 'Z'", "has 0 of them; its types are A (2), B (1)"],
    ),
    "too many of a type": (params("too_many"), ["household.selection: 3 of type 'A'", "has 2 of them"]),
    "NaN parameter": (params("nan"), ["nan.json: optimizer.voll_eur_per_kwh: ", "nan"]),
    "text for a number": (params("text"), ["text.json: simulation.simulation_steps: 'six'"]),
    "start outside": (params("start"), ["simulation.start: 2027-01-01T00:00 is outside", "choose a moment within"]),
    "step too fine": (params("step"), ["simulation.time_step_hours: 0.5 is finer than the interval", "whole multiple"]),
    "negative limit": (params("caps"), ["caps.json: grid_capacity.default_import_capacity_kw: -1", "is below 0"]),
    "lost load too cheap": ([*params("voll"), "--steps", 6], ["optimizer.voll_eur_per_kwh: 0.11 is not above"]),
    "out is a file": ([*run()[:5], "{base}/homes.csv"], ["homes.csv: is a file; give the name of a folder"]),
    "out without a name": ([*run()[:5], ""], ["name a folder"]),
    "out left out": (run()[:4], ["--out"]),
    "0 steps": (run("--steps", 0), ["simulation.simulation_steps: 0 is below 1"]),
    "too many steps": (run("--steps", 7), ["simulation.simulation_steps: 7 is above 6, steps of 1 h in", "give fewer"]),
    "steps text": (run("--steps", "all"), ["--steps", "valid integer"]),
    "unknown optimizer": (run("--optimizer", "magic"), ["optimizer.kind: 'magic'", "convex", "greedy", "none"]),
    "unknown engine": (run("--engine", "magic"), ["optimizer.engine: 'magic'", "cvxpy", "highs"]),
    "seed": (run("--seed", -1), ["simulation.seed: -1 is below 0"]),
    "unknown option": (run("--speed", 1), ["--speed", "trading run --help"]),
    "nothing to import": (["trading", "import", "{base}"], ["has no optimized_results.csv", "give a folder with"]),
    "import of a broken run": (["trading", "import", "{base}/broken"], ["step 1 is missing; give all steps"]),
    "import of a file": (["trading", "import", "{base}/homes.csv"], ["has no optimized_results.csv"]),
    "ledger of no run": (["trading", "verify-ledger", "{base}/nowhere"], ["is no folder; give the folder of a run"]),
    "ledger of a file": (["trading", "verify-ledger", "{base}/homes.csv"], ["is no folder; give the folder of a run"]),
    "ledger of a run without one": (["trading", "verify-ledger", "{base}/broken"], ["ledger.jsonl: cannot be read"]),
    "ledger of an unknown run": (["trading", "verify-ledger", "trading_20260101_000000_abcdef"], ["there is none"]),
    "capacity reduced by too much": (capacity("--peak-reduction", 2), ["peak_reduction: 2", "is above 1"]),
    "capacity below 0": (capacity("--base-import-kw", -3), ["base_import_kw: -3", "is below 0"]),
    "capacity by NaN": (capacity("--noise-std", "nan"), ["noise_std: nan"]),
    "capacity of a seed": (capacity("--seed", -1), ["seed: -1 is below 0"]),
    "capacity of no steps": (capacity("--steps", 0), ["--steps", "greater than or equal to 1"]),
    "capacity without a peak": (capacity("--peak-end-hour", 17), ["peak_end_hour 17 is peak_start_hour"]),
    "capacity of hour 99": (capacity("--peak-start-hour", 99), ["peak_start_hour: 99 is above 23"]),
    "capacity into nowhere": (capacity("--output", "{base}/nowhere/a.csv"), ["a.csv: cannot be written"]),
    "capacity of no format": (capacity("--output", "{base}/a.txt"), [".txt is no known format"]),
}


def write_bad_files(base):
    """Every file of `FILES`, a folder called like a file, and a run with a step missing."""
    for name, content in FILES.items():
        (base / name).write_text(content, encoding="utf-8")
    (base / "folder.csv").mkdir()
    broken = write_seed_folder(base / "broken") / "optimized_results.csv"
    broken.write_text(lines(*broken.read_text(encoding="utf-8").replace("\n1,", "\n3,").split()), encoding="utf-8")
