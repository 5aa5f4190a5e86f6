"""Households read from files: who is chosen, sums over steps, the common period, and every fault that is refused."""

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from energy_sim.errors import ConfigError, DataError
from energy_sim.trading.data import describe_households, read_households, read_profiles
from energy_sim.trading.parameters import TradingParameters
from tests.trading.real_homes import write_real_homes

HEADER = "id,timestamp,consumption,production\n"
HOURS = [f"2026-07-06 {hour:02d}:00" for hour in range(4)]


def parameters(steps=None, dt_h=1.0, start="", **household):
    simulation = {"simulation_steps": steps, "time_step_hours": dt_h, "start": start}
    return TradingParameters.from_json({"simulation": simulation, "household": household})


def rows(ids, times=tuple(HOURS), first=1.0):
    """Consumption counts up from `first` row by row, production is ten times as much."""
    lines = [(name, when) for name in ids for when in times]
    return [f"{name},{when},{first + i},{10 * (first + i)}" for i, (name, when) in enumerate(lines)]


def write(tmp_path, lines, header=HEADER, name="homes.csv"):
    path = tmp_path / name
    path.write_text(header + "\n".join(lines) + "\n", encoding="utf-8")
    return path


def problems_of(path):
    with pytest.raises(DataError) as caught:
        read_households(path)
    return [line.removeprefix(f"{path}: ") for line in caught.value.problems]


def test_rows_become_steps_by_households(tmp_path):
    p = read_profiles(write(tmp_path, rows(["A1", "B1"])), parameters(max_households=2))
    assert p.ids == ("A1", "B1")
    assert p.dt_h == 1.0
    assert p.load_kwh.tolist() == [[1, 5], [2, 6], [3, 7], [4, 8]]
    assert p.pv_kwh.tolist() == [[10, 50], [20, 60], [30, 70], [40, 80]]
    assert [str(b) for b in p.begins] == [f"2026-07-06T{hour:02d}:00:00" for hour in range(4)]
    assert p.notes == ()


def test_the_order_of_the_rows_does_not_matter_but_households_keep_theirs(tmp_path):
    lines = rows(["B1", "A1"])
    shuffled = [lines[i] for i in (6, 3, 0, 5, 1, 7, 2, 4)]
    p = read_profiles(write(tmp_path, shuffled), parameters(max_households=2))
    assert p.ids == ("A1", "B1")  # row 6 is of A1
    assert p.load_kwh.tolist() == [[5, 1], [6, 2], [7, 3], [8, 4]]


def test_longer_steps_are_sums_and_a_part_of_a_step_is_left_out_and_noted(tmp_path):
    path = write(tmp_path, rows(["A1"], (*HOURS, "2026-07-06 04:00")))
    p = read_profiles(path, parameters(dt_h=2.0, max_households=1))
    assert p.load_kwh.tolist() == [[3], [7]]
    assert p.pv_kwh.tolist() == [[30], [70]]
    assert p.notes == ("the last 1 h fill no whole step and were left out",)
    assert p.begins.tolist()[1].hour == 2


def test_start_and_number_of_steps_cut_the_data(tmp_path):
    path = write(tmp_path, rows(["A1"]))
    p = read_profiles(path, parameters(2, start="2026-07-06T01:00", max_households=1))
    assert p.load_kwh.tolist() == [[2], [3]]
    assert str(p.begins[0]) == "2026-07-06T01:00:00"


def test_the_period_that_all_chosen_households_have_is_used_and_noted(tmp_path):
    path = write(tmp_path, rows(["A1"]) + rows(["B1"], HOURS[1:3], first=8) + rows(["C1"], HOURS[2:], first=20))
    p = read_profiles(path, parameters(max_households=2))
    assert p.load_kwh.tolist() == [[2, 8], [3, 9]]
    assert p.notes == (
        "the first 2 of 3 households take part",
        "cut to the period that all households have, 2026-07-06T01:00:00 to 2026-07-06T03:00:00",
    )
    assert read_profiles(path, parameters(max_households=3)).load_kwh.tolist() == [[3, 9, 20]]


def test_households_are_chosen_by_the_letters_of_their_ids(tmp_path):
    path = write(tmp_path, rows(["A1", "A2", "B1", "house_1", "17"]))
    assert describe_households(path).types == {"A": 2, "B": 1, "house": 1, "": 1}
    assert read_profiles(path, parameters(selection={"house": 1, "A": 1})).ids == ("A1", "house_1")
    assert read_profiles(path, parameters(max_households=5)).ids[-1] == "17"
    with pytest.raises(ConfigError) as caught:
        read_profiles(path, parameters(selection={"A": 3, "Z": 1}))
    assert len(caught.value.problems) == 2
    assert "3 of type 'A', but " in caught.value.problems[0]
    assert caught.value.problems[1].endswith(
        "has 0 of them; its types are A (2), B (1), house (1), without letters (1)"
    )


def test_a_category_is_the_type_where_it_is_given(tmp_path):
    lines = [f"{line},{'pv' if line[0] == 'A' else ''}" for line in rows(["A1", "B1"])]
    path = write(tmp_path, lines, HEADER.replace("production", "production,Category"))
    assert describe_households(path).types == {"pv": 1, "B": 1}
    assert read_profiles(path, parameters(selection={"pv": 1})).ids == ("A1",)
    other = write(tmp_path, [lines[0], lines[1].replace("pv", "no"), *lines[2:]], HEADER.replace("\n", ",category\n"))
    assert problems_of(other) == ["row 3, column category: 'no', but A1 began as 'pv'; give one type"]


def test_fewer_households_than_asked_for_are_noted(tmp_path):
    p = read_profiles(write(tmp_path, rows(["A1"])), parameters(max_households=30))
    assert p.notes == ("30 households were asked for, the file holds 1",)


def test_semicolons_decimal_commas_other_cases_and_more_columns_are_read(tmp_path):
    lines = ["7;2026-07-06T00:00;1,5;0,25;x", "7;2026-07-06T01:00;2;0,5;y"]
    path = write(tmp_path, lines, "ID;Timestamp;Consumption;Production;remark\n", "homes.CSV")
    p = read_profiles(path, parameters(max_households=1))
    assert p.ids == ("7",)
    assert p.load_kwh.tolist() == [[1.5], [2.0]]
    assert p.pv_kwh.tolist() == [[0.25], [0.5]]


def test_timestamps_with_an_offset_become_utc_and_are_noted(tmp_path):
    path = write(tmp_path, rows(["A1"], [f"{when}+02:00" for when in HOURS]))
    p = read_profiles(path, parameters(max_households=1))
    assert str(p.begins[0]) == "2026-07-05T22:00:00"
    assert p.notes == ("timestamps with an offset were brought to UTC",)
    frame = pd.DataFrame({"id": "A1", "timestamp": pd.to_datetime(HOURS).tz_localize("Europe/Zurich")})
    frame.assign(consumption=1, production=0.0).to_parquet(tmp_path / "homes.parquet")
    q = read_profiles(tmp_path / "homes.parquet", parameters(max_households=1))
    assert (str(q.begins[0]), q.notes) == (str(p.begins[0]), p.notes)


def test_ids_that_are_numbers_or_categories_of_pandas_are_read_from_parquet(tmp_path):
    frame = pd.DataFrame({"id": [3, 3, 1, 1], "timestamp": pd.to_datetime(HOURS[:2] * 2), "consumption": [1, 2, 3, 4]})
    frame.assign(production=np.float32(0.5)).to_parquet(tmp_path / "a.parquet")
    assert read_households(tmp_path / "a.parquet").ids == ("3", "1")
    frame.assign(production=0.5, id=frame["id"].astype(str).astype("category")).to_parquet(tmp_path / "b.parquet")
    assert read_households(tmp_path / "b.parquet").load_kwh.tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("row", "line", "says"),
    [
        (1, "A1,2026-07-06 01:00,-2,0", "row 3, column consumption: -2 is below 0; give kWh"),
        (1, "A1,2026-07-06 01:00,1,inf", "row 3, column production: inf is above 1e+06; give kWh"),
        (2, "A1,2026-07-06 02:00,,0", "row 4, column consumption: is blank or NaN; nothing is filled in, give kWh"),
        (2, "A1,2026-07-06 02:00,NaN,0", "row 4, column consumption: is blank or NaN; nothing is filled in, give kWh"),
        (2, "A1,2026-07-06 02:00,two,0", "row 4, column consumption: 'two' is no number; give kWh"),
        (3, "A1,06.07.2026 03:00,1,0", "row 5, column timestamp: '06.07.2026 03:00' is no moment; write it as"),
        (3, ",2026-07-06 03:00,1,0", "row 5, column id: is blank; give a text"),
        (3, "A1,2026-07-06 02:00,1,0", "row 5, column timestamp: 2026-07-06T02:00:00 of A1 is in row 4 too; keep one"),
        (3, "A1,2026-07-06 05:00,1,0", "row 5, column timestamp: 2 rows of A1 are missing before 2026-07-06T05:00:00"),
        (3, "A1,2026-07-06 03:10,1,0", "row 5, column timestamp: 2026-07-06T03:10:00 of A1 is 4200 s after the row"),
    ],
)
def test_a_faulty_row_is_named(tmp_path, row, line, says):
    lines = rows(["A1"])
    lines[row] = line
    found = problems_of(write(tmp_path, lines))
    assert len(found) == 1
    assert found[0].startswith(says)


def test_all_faults_of_a_file_are_named_together(tmp_path):
    lines = rows(["A1"])
    lines[0], lines[2], lines[3] = "A1,2026-07-06 00:00,-1,x", "A1,2026-07-06 01:00,1,0", "A1,soon,1,0"
    assert len(problems_of(write(tmp_path, lines))) == 3  # without all moments, gaps are not looked for
    lines[3] = "A1,2026-07-06 05:00,1,0"
    assert len(problems_of(write(tmp_path, lines))) == 4


def test_some_rows_with_an_offset_and_some_without_are_refused(tmp_path):
    lines = rows(["A1"], [HOURS[0], HOURS[1] + "+00:00", HOURS[2], HOURS[3]])
    assert problems_of(write(tmp_path, lines)) == [
        "row 3, column timestamp: some have an offset from UTC, some none; give it to all"
    ]


def test_households_out_of_step_with_each_other_are_refused(tmp_path):
    lines = rows(["A1"]) + rows(["B1"], ["2026-07-06 00:30", "2026-07-06 01:30"])
    found = problems_of(write(tmp_path, lines))
    assert found == [
        "row 6, column timestamp: B1 begins at 2026-07-06T00:30:00, no whole intervals of 3600 s from A1; align them"
    ]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("homes.xlsx", "x", "homes.xlsx: .xlsx is no known format; give a .csv or a .parquet file"),
        ("homes", "x", "homes: no suffix is no known format"),
        ("homes.csv", None, r"homes.csv: cannot be read \(No such file"),
        ("homes.csv", "", "homes.csv: is empty"),
        ("homes.csv", HEADER, "homes.csv: has no rows"),
        (
            "homes.csv",
            "id,timestamp,Consumption\nA1,2026-07-06,1\n",
            "no column production; found: id, timestamp, Cons",
        ),
        ("homes.csv", HEADER + "A1,2026-07-06\n", "homes.csv: is no valid .csv file .*Expected 4 columns, got 2"),
        ("homes.csv", HEADER + rows(["A1"])[0], "no household has two rows, so the interval is not known"),
        ("homes.csv", "id,id,timestamp,consumption,production\n", "column id is there twice"),
        (
            "homes.csv",
            "id,ID,timestamp,consumption,production\na,b,2026-07-06,1,1\n",
            "columns 'id' and 'ID' are the same",
        ),
        ("homes.PARQUET", "no parquet", "homes.PARQUET: is no valid .parquet file"),
    ],
)
def test_a_file_that_is_none_is_named(tmp_path, name, content, says):
    if content is not None:
        (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=says):
        read_households(tmp_path / name)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"dt_h": 0.5}, "time_step_hours: 0.5 is finer than the interval of .*, 1 h; give a whole multiple"),
        ({"dt_h": 1.5}, "time_step_hours: 1.5 is no whole multiple of the interval"),
        ({"dt_h": 5.0}, "time_step_hours: 5 is longer than 2026-07-06T00:00:00 to 2026-07-06T04:00:00"),
        ({"steps": 5}, "simulation_steps: 5 is above 4, steps of 1 h in 2026-07-06T00:00:00 to 2026-07-06T04:00:00"),
        ({"steps": 4, "start": "2026-07-06T01:00"}, "simulation_steps: 4 is above 3"),
        ({"start": "2026-07-06T04:00"}, "start: 2026-07-06T04:00 is outside 2026-07-06T00:00:00 to 2026-07-06T04:00"),
        (
            {"start": "2026-07-06T01:20"},
            "start: 2026-07-06T01:20 is no row of .*; the one before is 2026-07-06T01:00:00",
        ),
    ],
)
def test_a_run_that_does_not_fit_the_file_is_refused(tmp_path, given, says):
    with pytest.raises(ConfigError, match=says):
        read_profiles(write(tmp_path, rows(["A1"])), parameters(max_households=1, **given))


def test_households_without_a_common_moment_are_refused(tmp_path):
    path = write(tmp_path, rows(["A1"], HOURS[:2]) + rows(["B1"], HOURS[2:]))
    with pytest.raises(ConfigError, match="the chosen households have no moment in common"):
        read_profiles(path, parameters(max_households=2))


def test_a_file_is_described(tmp_path):
    found = describe_households(write(tmp_path, rows(["A1", "B1"])))
    assert (found.households, found.types, found.interval_h) == (2, {"A": 1, "B": 1}, 1.0)
    assert (found.first, found.last) == ("2026-07-06T00:00:00", "2026-07-06T03:00:00")
    assert (found.consumption_kwh, found.production_kwh) == (36.0, 360.0)  # 1 + ... + 8


def test_the_shipped_year_is_read_whole_and_quickly(root):
    path = root / "input" / "homes" / "homes.parquet"
    began = time.perf_counter()
    p = read_profiles(path, parameters())
    assert time.perf_counter() - began < 3.0  # some 0.2 s on an idle machine
    assert p.load_kwh.shape == p.pv_kwh.shape == (8760, 30)
    assert p.notes == ()
    quarters = pd.read_parquet(path)
    of_one = quarters[quarters["id"] == "house_7"].reset_index(drop=True)
    noon = of_one[of_one["timestamp"].astype(str).str.startswith("2026-07-10 12:")]
    assert len(noon) == 4
    hour = int(np.flatnonzero(p.begins == np.datetime64("2026-07-10T12:00:00"))[0])
    assert p.load_kwh[hour, 6] == pytest.approx(noon["consumption"].astype(float).sum(), abs=1e-6)
    assert p.pv_kwh[hour, 6] == pytest.approx(noon["production"].astype(float).sum(), abs=1e-6)
    assert noon["production"].sum() > 1


def test_measured_homes_are_read_whole_from_both_formats(real_data, tmp_path):
    read = {}
    for name in ("homes.csv", "homes.parquet"):
        path: Path = write_real_homes(real_data, tmp_path / name)
        read[name] = read_profiles(path, parameters(max_households=17))
    p = read["homes.parquet"]
    assert p.ids == tuple(f"home_{n}" for n in range(1, 18))
    assert p.load_kwh.shape == (8760, 17)
    assert p.notes == ()
    assert p.load_kwh.sum() == pytest.approx(169_644.03, abs=0.01)
    assert p.pv_kwh.sum() == pytest.approx(116_066.06, abs=0.01)
    assert p.load_kwh[:4, 0] == pytest.approx([2.2758, 0.851167, 0.8346, 0.838167], abs=1e-6)
    np.testing.assert_array_equal(read["homes.csv"].load_kwh, p.load_kwh)
    np.testing.assert_array_equal(read["homes.csv"].begins, p.begins)
    days = read_profiles(tmp_path / "homes.parquet", parameters(dt_h=24.0, max_households=17))
    assert days.load_kwh.shape == (365, 17)
    assert days.load_kwh.sum() == pytest.approx(p.load_kwh.sum(), rel=1e-12)
