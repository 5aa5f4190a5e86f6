"""Making a run on the page: what can be set, files loaded and refused, what is said of a choice, runs that start."""

import json
import os
import shlex
import subprocess
import sys
import time
from dataclasses import replace
from io import BytesIO

import pandas as pd
import pytest
import yaml

from callbacks import trading_choice, trading_files, trading_runs, trading_setup
from callbacks.services import open_services
from callbacks.shell import create_app
from energy_sim.config import load_config
from energy_sim.errors import ConfigError, DataError
from energy_sim.jobs import ENDED, Job, Jobs
from energy_sim.trading.parameters import TradingParameters, describe_fields
from energy_sim.trading.presets import PRESETS
from layouts.trading_needs import NEEDS
from layouts.trading_setup import COLUMNS

WEEK = "input/homes/week.csv"
HOMES = "id,timestamp,consumption,production\nA1,2026-07-06 00:00,1.5,0\nA1,2026-07-06 01:00,0.5,2\n"


def settings(folder, **trading):
    path = folder / "config.yaml"
    own = {"uploads": "uploads", "jobs": "jobs", "operator_key": "operator.key", "anchors": "anchors.jsonl", **trading}
    content = {"database": {"url": "sqlite:///k.db"}, "logging": {"file": ""}, "runs": {"folder": "runs"}}
    path.write_text(yaml.safe_dump({**content, "trading": own}), encoding="utf-8")
    return path


@pytest.fixture
def services(tmp_path):
    return open_services(load_config(settings(tmp_path)))


def chosen(households=WEEK, **groups):
    return {"n": 7, "parameters": groups, "households": households, "grid_capacity": "", "prices": ""}


def shown_fields(component):
    """data-field of every row below a component."""
    own = getattr(component, "data-field", None)
    children = getattr(component, "children", None)
    below = children if isinstance(children, (list, tuple)) else [children] if children is not None else []
    return ([own] if own else []) + [field for child in below for field in shown_fields(child)]


def test_every_parameter_has_one_place_on_the_parameters_tab_and_a_group_of_its_own(services):
    fields = [f"{f.group}.{f.name}" for f in describe_fields()]
    assert sorted(shown_fields(trading_setup.setup(services, "dark").parameters)) == sorted(fields)
    assert sorted(name for column in COLUMNS for name in column) == sorted(TradingParameters.model_fields)


def test_what_dims_a_field_asks_about_fields_there_are_and_values_they_can_have():
    fields = {f"{f.group}.{f.name}": f for f in describe_fields()}
    assert set(NEEDS) <= set(fields)
    for needs in NEEDS.values():
        for key, how, value in needs:
            assert how in {"is", "is not", "over", "under"}
            if key not in {"by_type", "prices_file", "grid_capacity_file"}:
                assert not fields[key].choices or value in fields[key].choices


def test_a_preset_brings_the_values_of_its_law_and_its_source(services):
    known = trading_setup.offered(services, {})["presets"]
    assert set(known) == set(PRESETS)
    swiss = known["ch_leg_same_level"]
    assert swiss["values"] == {
        "allocation_key": "dynamic",
        "grid_fee_reduction": 0.4,
        "grid_fee_eur_per_kwh": 0.115,
        "levies_eur_per_kwh": 0.04,
    }
    assert "StromVG" in swiss["source"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"battery": {"soc_min": 2}}, [["battery.soc_min", "2 is above 1.0; give 1.0 or less"]]),
        ({"battery": {"soc_max": None}}, [["battery.soc_max", "is blank or no number; give a number"]]),
        ({"simulation": {"seed": "?"}}, [["simulation.seed", "is blank or no number; give a whole number"]]),
        ({"simulation": {"start": "2030-01-01T00:00"}}, [["simulation.start", "2030-01-01T00:00 is outside"]]),
        ({"simulation": {"simulation_steps": 999}}, [["simulation.simulation_steps", "999 is above 168"]]),
        ({"household": {"selection": {"windmill": 2}}}, [["household.selection", "2 of type 'windmill', but"]]),
        ({"grid_price": {"max_sell_price": 0.3}}, [["grid_price", "max_sell_price 0.3 is not below"]]),
        ({"forcaster": {}}, [["parameters", "forcaster: unknown key"]]),
        (
            {"grid_price": {"mode": "constant"}, "optimizer": {"voll_eur_per_kwh": 0.2}},
            [["optimizer.voll_eur_per_kwh", "0.2 is not above the highest price, 0.3 EUR/kWh"]],
        ),
        (
            {"battery": {"eta_charge": 3}, "optimizer": {"kind": "magic"}},
            [["battery.eta_charge", "3 is above"], ["optimizer.kind", "'magic' is not one of"]],
        ),
    ],
)
def test_each_problem_is_said_at_its_place_and_the_facts_of_the_file_stay(services, given, expected):
    said = trading_setup.check(services, chosen(**given))
    assert [place for place, _ in said["problems"]] == [place for place, _ in expected]
    assert all(text.startswith(begin) for (_, text), (_, begin) in zip(said["problems"], expected, strict=True))
    assert str(services.config.root) not in json.dumps(said)
    assert (said["n"], said["words"], said["command"]) == (7, [], "")
    assert said["facts"]["households"] == 10


def test_too_many_homes_for_shapley_are_refused_before_a_run_starts_and_ten_are_not(services):
    homes = services.config.trading.households
    shapley = {"settlement": {"mechanism": "shapley"}, "simulation": {"simulation_steps": 2}}
    thirty = chosen(homes, **shapley)
    (place, text), *others = trading_setup.check(services, thirty)["problems"]
    assert (place, others) == ("settlement.mechanism", [])
    assert text.startswith("shapley with 30 households, which is above 10")
    with pytest.raises(ConfigError, match="shapley with 30 households"):
        trading_runs.start(services, thirty)
    assert services.jobs.list("trading") == ()
    assert trading_setup.check(services, chosen(homes, household={"max_households": 10}, **shapley))["problems"] == []


def test_a_choice_that_can_be_run_is_said_in_words(services):
    said = trading_setup.check(
        services,
        chosen(
            simulation={"simulation_steps": 24, "start": "2026-07-07T00:00"},
            household={"max_households": 4},
            grid_price={"mode": "constant"},
            grid_capacity={"use_capacity_limits": True, "default_import_capacity_kw": 12.5},
            optimizer={"kind": "greedy"},
        ),
    )
    assert said["problems"] == []
    assert said["words"][:2] == [f"Households: 4 of {WEEK}", "Period: 24 steps of 1 h from 2026-07-07 00:00"]
    assert said["words"][2] == "Batteries: every home with 10 kWh"
    assert said["words"][4] == "Grid: import 12.5 kW, export 100 kW; energy costs 30 ct/kWh and fetches 8"
    assert said["size"] == "192 rows of results"  # 2 simulations, 24 steps, 4 households


@pytest.mark.parametrize("nonsense", [None, 3, [], {}, {"parameters": []}, {"parameters": {}, "households": ["x"]}])
def test_nonsense_from_a_browser_is_a_problem_and_no_failure(services, nonsense):
    said = trading_setup.check(services, nonsense)
    assert said["problems"]
    assert said["command"] == ""


@pytest.mark.parametrize("key", ["/etc/passwd", "../uploads/x.csv", f"prices-{32 * '0'}.csv", "", "households-1.csv"])
def test_a_file_that_is_not_on_offer_is_not_opened(services, key):
    with pytest.raises(DataError, match="not among the files on offer"):
        trading_files.resolve(services.config, "households", key)


def test_options_suffice_for_steps_and_optimiser_and_whatever_else_differs_goes_by_a_file(services):
    config = services.config

    def command(**groups):
        return trading_setup.check(services, chosen(**groups))["command"].replace(" \\\n ", "")

    begin = f"energy-sim trading run --households {WEEK}"
    assert command() == f"{begin} --steps 168 --out OUT"
    said = command(simulation={"simulation_steps": 5, "seed": 9}, optimizer={"kind": "none"})
    assert said == f"{begin} --steps 5 --optimizer none --seed 9 --out OUT"
    assert command(battery={"wear_eur_per_kwh": 0.0}) == f"{begin} --params params.json --out OUT"
    everything = trading_setup.check(services, chosen(simulation={"simulation_steps": None}))
    assert "params.json" in everything["command"]
    assert "Save" in everything["note"]
    loaded = keep(config, "households", "my homes' data.csv", HOMES)
    said = trading_setup.check(services, chosen(loaded["id"], simulation={"simulation_steps": 2}))
    assert "--households 'my homes_ data.csv'" in said["command"]
    assert said["note"] == "my homes_ data.csv is the file you loaded"


# --- files ---


def keep(config, kind, name, text):
    return trading_files.keep_upload(config, kind, name, BytesIO(text.encode()))


def test_a_loaded_file_is_found_by_its_content_and_called_as_its_visitor_does(services):
    config = services.config
    first, again = (keep(config, "households", name, HOMES) for name in ("a.csv", "../../b.csv"))
    assert first["id"] == again["id"]
    assert again["name"] == "b.csv"
    path = trading_files.resolve(config, "households", first["id"])
    assert path.read_text() == HOMES
    assert path.parent == config.path(config.trading.uploads)
    assert trading_files.named(config, first["id"]) == "b.csv"
    facts = trading_setup.check(services, chosen(first["id"], simulation={"simulation_steps": None}))["facts"]
    assert (facts["households"], facts["types"], facts["consumption_kwh"]) == (1, {"A": 1}, 2.0)
    with pytest.raises(DataError, match="not among the files on offer"):
        trading_files.resolve(config, "prices", first["id"])


@pytest.mark.parametrize(
    ("kind", "name", "text", "said"),
    [
        (
            "households",
            "h.csv",
            "id,timestamp\nA1,2026-01-01\n",
            ["h.csv: no column cons", "h.csv: no column prod"],
        ),
        ("households", "h.csv", HOMES.replace("0.5", "-0.5").replace("1.5", "x"), ["h.csv: row 2", "h.csv: row 3"]),
        ("households", "h.csv", "", ["the file is empty"]),
        ("households", "h.txt", HOMES, ["h.txt: .txt is no known format"]),
        ("households", "h.parquet", HOMES, ["h.parquet: is no valid .parquet file"]),
        ("grid_capacity", "g.csv", "timestep,import_capacity_kw,export_capacity_kw\n0,-5,5\n", ["g.csv: row 2"]),
        ("prices", "p.csv", "step,buy,sell\n0,0.1,0.2\n", ["p.csv: row 2, column sell: 0.2 is not below buy 0.1"]),
        ("secrets", "p.csv", HOMES, ["kind: 'secrets' is none"]),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_all_problems_and_nothing_stays(services, kind, name, text, said):
    with pytest.raises((DataError, ConfigError)) as error:
        keep(services.config, kind, name, text)
    assert len(error.value.problems) == len(said)
    assert all(line.startswith(begin) for line, begin in zip(error.value.problems, said, strict=True))
    folder = services.config.path(services.config.trading.uploads)
    assert not folder.is_dir() or list(folder.iterdir()) == []


def test_the_least_recently_used_files_go_when_the_folder_is_full(tmp_path):
    config = load_config(settings(tmp_path, max_upload_mb=0.00002))  # 20 bytes a file, 200 together
    prices = "step,buy,sell\n" + "".join(f"{i},0.3,0.1\n" for i in range(5))  # 69 bytes
    kept = [keep(config, "prices", f"{i}.csv", prices.replace("0.3", f"0.3{i}"))["id"] for i in range(2)]
    folder = config.path(config.trading.uploads)
    for age, key in ((200, kept[1]), (100, kept[0])):
        os.utime(folder / key, (time.time() - age,) * 2)
    trading_files.resolve(config, "prices", kept[1])  # used just now
    third = keep(config, "prices", "2.csv", prices)["id"]
    assert {path.name for path in folder.iterdir() if not path.name.endswith(".name")} == {kept[1], third}
    with pytest.raises(DataError, match="not kept any more"):
        trading_files.resolve(config, "prices", kept[0])


def test_files_are_loaded_by_an_address_with_a_limit_of_its_own(tmp_path):
    services = open_services(load_config(settings(tmp_path, max_upload_mb=2)))
    client = create_app(services).server.test_client()
    where, data = "/api/trading/upload?kind=households&name=h.csv", "application/octet-stream"
    rows = "".join(f"A{i},2026-07-06 0{h}:00,0.5,0.25\n" for i in range(22_000) for h in (0, 1))
    big = "id,timestamp,consumption,production\n" + rows
    assert 1_000_000 < len(big) < 2_000_000  # more than other addresses take
    answer = client.post(where, data=big.encode(), content_type=data)
    assert (answer.status_code, answer.json["name"]) == (200, "h.csv")
    too_big = client.post(where, data=b"x" * 2_000_001, content_type=data)
    assert (too_big.status_code, too_big.json["error"][:30]) == (400, "the file is larger than 2 MB; ")
    form = client.post(where, data=HOMES.encode(), content_type="text/plain")  # what a form of another site could send
    assert form.status_code == 400
    assert client.post("/api/trading/parameters", json={"battery": {"soc_max": 7}}).json["problems"] == [
        "file: battery.soc_max: 7 is above 1.0; give 1.0 or less"
    ]
    assert client.post("/api/trading/run", data="{}", content_type="text/plain").status_code == 415
    assert client.get("/api/trading/jobs/nothing").status_code == 404


# --- charts and limits ---


def test_the_preview_shows_the_first_week_of_what_would_be_run(services):
    groups = {"household": {"max_households": 3}, "grid_price": {"mode": "constant"}}
    homes, capacity, prices = trading_setup.previews(services, chosen(**groups), "light")
    week = pd.read_csv(services.config.root / WEEK)
    first = week[week.id.isin([f"house_{i}" for i in (1, 2, 3)])].groupby("timestamp").sum(numeric_only=True)
    assert list(homes.data[0].y) == pytest.approx(first.production.tolist(), abs=1e-4)
    assert list(homes.data[1].y) == pytest.approx(first.consumption.tolist(), abs=1e-4)
    assert capacity.layout.annotations[0].text == "No limit"
    assert [(len(trace.y), set(trace.y)) for trace in prices.data] == [(168, {30.0}), (168, {8.0})]
    wrong = trading_setup.previews(services, chosen(battery={"soc_min": 9}), "dark")
    assert [len(figure.data[0].y) for figure in wrong] == [0, 0, 0]


def test_limits_are_downloaded_as_the_command_reads_them(services):
    groups = {"simulation": {"simulation_steps": 3}, "grid_capacity": {"default_export_capacity_kw": 40.5}}
    lines = trading_setup.capacity_csv(services, chosen(**groups)).decode().split()
    assert lines == ["timestep,import_capacity_kw,export_capacity_kw", "0,100,40.5", "1,100,40.5", "2,100,40.5"]
    with pytest.raises(ConfigError, match=r"battery\.soc_min: 9 is above"):
        trading_setup.capacity_csv(services, chosen(battery={"soc_min": 9}))


# --- runs ---


def ended(services, job_id):
    deadline = time.monotonic() + 60
    while services.jobs.status(job_id).state not in ENDED:
        assert time.monotonic() < deadline, services.jobs.status(job_id)
        time.sleep(0.1)
    return services.jobs.status(job_id)


@pytest.mark.slow
def test_a_run_of_the_page_and_the_command_it_shows_give_the_same_numbers(tmp_path, monkeypatch):
    path = settings(tmp_path)
    monkeypatch.setenv("KRAFTFLYT_CONFIG", str(path))
    services = open_services(load_config(path))
    choice = chosen(
        simulation={"simulation_steps": 30, "seed": 4}, household={"max_households": 5}, optimizer={"kind": "greedy"}
    )
    job = ended(services, trading_runs.start(services, choice))
    assert (job.state, job.message, job.done) == ("done", "", 30)
    assert len(job.rows) == 30
    made = services.runs.load(job.result)
    assert (job.about["run"], job.about["households"], job.about["steps"]) == (job.result, 5, 30)

    said = trading_setup.check(services, choice)
    TradingParameters.from_json(choice["parameters"]).save(tmp_path / "params.json")
    words = shlex.split(said["command"].replace("\\\n", " "))
    given = {"OUT": str(tmp_path / "out"), "params.json": str(tmp_path / "params.json")}
    entry = [sys.executable, "-c", "from energy_sim.cli import main; main()", "--config", str(path)]
    command = [*entry, *(given.get(word, word) for word in words[1:])]
    done = subprocess.run(command, cwd=services.config.root, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    for table in ("baseline_results", "optimized_results"):
        own, other = (pd.read_csv(folder / f"{table}.csv") for folder in (made.folder, tmp_path / "out"))
        assert len(own) == 150
        pd.testing.assert_frame_equal(own, other, rtol=0, atol=0)
    assert "judged by the newest run of this kind" in trading_setup.check(services, choice)["size"]


def test_a_page_that_may_not_run_says_so_and_starts_nothing(tmp_path):
    services = open_services(load_config(settings(tmp_path, run_from_page=False)))
    with pytest.raises(ConfigError, match="cannot be started from this page"):
        trading_runs.start(services, chosen())
    assert services.jobs.list("trading") == ()
    assert "trading-run-state" not in str(trading_setup.setup(services, "dark").run)


def test_a_choice_that_cannot_be_run_starts_nothing(services):
    with pytest.raises(ConfigError, match=r"battery\.soc_min: 2 is above"):
        trading_runs.start(services, chosen(battery={"soc_min": 2}))
    assert services.jobs.list("trading") == ()


def test_when_too_many_runs_wait_a_further_one_is_refused(services, tmp_path):
    sleeping = Jobs(tmp_path / "jobs", 1, command=(sys.executable, "-c", "import time; time.sleep(60)"))
    busy = replace(services, jobs=sleeping, config=load_config(settings(tmp_path, most_running=1)))
    started = [trading_runs.start(busy, chosen()) for _ in range(5)]  # one computes, four wait
    try:
        with pytest.raises(DataError, match="1 runs compute at once here and 4 wait already"):
            trading_runs.start(busy, chosen())
        assert sleeping.status(started[4]).state == "waiting"
    finally:
        for job_id in reversed(started):
            sleeping.stop(job_id)
        for job_id in started:
            ended(busy, job_id)


def test_a_long_run_is_followed_by_few_points_and_the_last_one_is_among_them():
    rows = tuple({"step": step} for step in range(4001))
    job = Job("a", "trading", {"steps": 5000}, "running", 4001, 5000, "", "", time.time() - 10, time.time(), rows)
    told = trading_runs.job_json(job, 100)
    assert len(told["rows"]) <= trading_runs.MOST_ROWS + 1
    assert [told["rows"][0]["step"], told["rows"][-1]["step"], told["next"]] == [0, 4000, 4101]
    assert 10 <= told["elapsed"] < 60
    assert trading_runs.job_json(replace(job, rows=()), 100)["next"] == 100
    assert trading_choice.sentence([("a.b", "x"), ("c", "y")]) == "a.b: x; c: y"
