"""Reading the input files: what is read, what is filled, what is refused, with numbers worked out by hand."""

import csv
import logging
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from energy_sim.errors import DataError
from energy_sim.zones.data import check_data, data_range, load_inputs
from energy_sim.zones.model import Fill, Network, Zone, ZoneInputs

START = date(2016, 1, 1)  # a Friday, in ISO week 53 of 2015
WIND, DEMAND, INFLOW, LEVEL = "Wind_Production", "Consumption", "Effective_Inflow", "Reservoir_Fill_Level"


def zone(zone_id: str = "A", hydro_max: float = 50_000.0, initial: float = 30_000.0) -> Zone:
    return Zone(zone_id, zone_id, 1_000, hydro_max, 42_500, 32_500, 0.9, 1_200, initial, 10.0, 60.0, "#56B4E9")


NET = Network((zone(),), ())


def dates(n: int, start: date = START) -> list[str]:
    return [(start + timedelta(days=i)).isoformat() for i in range(n)]


def inflow_text(years: str = "2015,2016", rows: dict[int, str] | None = None) -> str:
    """Week w has w GWh in every year, unless ``rows`` gives other cells."""
    width = len(years.split(","))
    cells = {week: ",".join([str(week)] * width) for week in range(1, 54)} | (rows or {})
    return f"Iso-uke,{years}\n" + "".join(f"{week},{cells[week]}\n" for week in cells)


class Files:
    """A folder with good files of one zone over 28 days; wind is 10, 11, ..., demand 100, 101, ..."""

    def __init__(self, folder: Path, zone_id: str = "A", n: int = 28) -> None:
        self.folder, self.id = folder, zone_id
        self.put(WIND, "Dato_Id,Produksjon [MWh]\n" + "".join(f"{d},{10 + i}\n" for i, d in enumerate(dates(n))))
        self.put(DEMAND, "Date,Daily_Consumption\n" + "".join(f"{d},{100 + i}\n" for i, d in enumerate(dates(n))))
        self.put(INFLOW, inflow_text())

    def path(self, kind: str) -> Path:
        return self.folder / f"{self.id}_{kind}.csv"

    def put(self, kind: str, content: str | bytes) -> None:
        raw = content if isinstance(content, bytes) else content.encode()
        self.path(kind).write_bytes(raw)

    def change(self, kind: str, old: str, new: str) -> None:
        text = self.path(kind).read_text(encoding="utf-8")
        assert old in text
        self.put(kind, text.replace(old, new))

    def load(self, start: date | None = None, days: int | None = None, network: Network = NET) -> ZoneInputs:
        return load_inputs([self.folder], network, start, days)

    def problems(self) -> list[str]:
        """Every problem, which load_inputs raises and check_data lists alike, without the folder."""
        with pytest.raises(DataError) as caught:
            self.load()
        assert check_data([self.folder], NET).problems == caught.value.problems
        return [text.replace(f"{self.folder}/", "") for text in caught.value.problems]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


# ---- what is read


def test_good_files_give_the_series_of_the_common_range(files: Files) -> None:
    got = files.load()
    assert got.zones == ("A",)
    assert got.dates.astype(str).tolist() == dates(28)
    assert got.wind_mwh[:, 0].tolist() == [10.0 + i for i in range(28)]
    assert got.demand_mwh[:, 0].tolist() == [100.0 + i for i in range(28)]
    assert got.fills == ()
    assert got.initial_level_mwh.tolist() == [30_000.0]
    assert np.isnan(got.reference_level_mwh).all()
    assert np.isnan(got.median_level_mwh).all()


def test_start_and_days_choose_a_part(files: Files) -> None:
    got = files.load(date(2016, 1, 5), 3)
    assert got.dates.astype(str).tolist() == ["2016-01-05", "2016-01-06", "2016-01-07"]
    assert got.wind_mwh[:, 0].tolist() == [14.0, 15.0, 16.0]
    assert len(files.load(date(2016, 1, 27)).dates) == 2


def test_inflow_follows_the_iso_week_of_the_date_not_its_position(files: Files) -> None:
    files.put(INFLOW, inflow_text("2016,2015", {53: ",70", 1: "14,1"}))
    got = files.load().inflow_mwh[:, 0]
    # 70 GWh in week 53 of 2015 and 14 GWh in week 1 of 2016: 10,000 and 2,000 MWh a day
    assert got[:3].tolist() == [10_000.0] * 3
    assert got[3:10].tolist() == [2_000.0] * 7


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (DEMAND, "\ufeffDate;Daily_Consumption\n2016-01-01;1234,5\n2016-01-02;2\n"),
        (DEMAND, "Daily_Consumption,Date\n1234.5,2016-01-01\n2,2016-01-02\n"),
        (DEMAND, 'note,Date,Daily_Consumption\nx,2016-01-02,2\nx,2016-01-01,"1234,5"\n'),
        (DEMAND, "Date\tDaily_Consumption\r\n2016-01-01\t1234,5\r\n\r\n2016-01-02\t2\r\n"),
        (DEMAND, "Date,Daily_Consumption,\n 2016-01-01 00:00:00 , 1234.5 ,\n2016-01-02 00:00:00,2,\n,,\n"),
        (DEMAND, "Date;Daily_Consumption;område\n2016-01-01;1234,5;Tromsø\n2016-01-02;2;\n".encode("latin-1")),
        (DEMAND, "Daily_Consumption\n1234,5\n2\n"),
    ],
    ids=["BOM and semicolon", "column order", "quoted comma", "tabs and CRLF", "padding", "Latin-1", "in sequence"],
)
def test_spellings_of_a_file_are_tolerated(files: Files, kind: str, content: str | bytes) -> None:
    files.put(kind, content)
    assert files.load().demand_mwh[:, 0].tolist() == [1234.5, 2.0]


def test_demand_in_sequence_starts_at_the_start_date(files: Files) -> None:
    files.put(DEMAND, "Daily_Consumption\n5\n\n7\n8\n9\n10\n11\n12\n13\n14\n")
    got = files.load(date(2016, 1, 3), 4)
    assert got.demand_mwh[:, 0].tolist() == [5.0, 13.0, 7.0, 8.0]  # the blank one from 7 days later
    assert got.wind_mwh[0, 0] == 12.0
    assert str(files.load().dates[0]) == "2016-01-01"


def test_hourly_rows_are_summed_by_date_in_both_files(files: Files) -> None:
    hours = [f"{d} {h:02d}:00:00" for d in dates(8) for h in range(24)]
    partial = hours[:-4]  # the last day has 20 hours
    files.put(WIND, "Dato_Id,Produksjon [MWh]\n" + "".join(f"{h},0.5\n" for h in partial))
    files.put(DEMAND, "Date,Daily_Consumption\n" + "".join(f"{h[:10]},2\n" for h in partial))
    got = files.load()
    assert got.wind_mwh[:, 0].tolist() == [12.0] * 7 + [0.0]
    assert got.demand_mwh[:, 0].tolist() == [48.0] * 8
    assert [(f.quantity, f.count, f.first) for f in got.fills] == [
        ("wind", 1, "2016-01-08"),
        ("demand", 1, "2016-01-08"),
    ]


def test_the_first_folder_that_holds_a_file_wins(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "shipped").mkdir()
    Files(tmp_path / "shipped")
    (tmp_path / "own" / "A_Consumption.csv").write_text("Date,Daily_Consumption\n2016-01-01,7\n")
    got = load_inputs([tmp_path / "own", tmp_path / "shipped"], NET, None, None)
    assert got.demand_mwh.tolist() == [[7.0]]
    assert got.wind_mwh.tolist() == [[10.0]]


# ---- what is filled


def test_blank_and_missing_days_are_filled_counted_and_logged(files: Files, caplog: pytest.LogCaptureFixture) -> None:
    files.change(WIND, "2016-01-05,14\n", "2016-01-05,NaN\n")
    files.change(WIND, "2016-01-09,18\n", "")
    files.change(DEMAND, "2016-01-10,109\n", "2016-01-10,\n")
    with caplog.at_level(logging.WARNING, "energy_sim.zones.data"):
        got = files.load()
    assert got.wind_mwh[[4, 8], 0].tolist() == [0.0, 0.0]
    assert got.demand_mwh[9, 0] == 102.0  # 3 January; 17 January is as near
    rule = "same weekday of the nearest known week"
    assert got.fills == (
        Fill("A", "A_Wind_Production.csv", "wind", "zero", 2, "2016-01-05", "2016-01-09"),
        Fill("A", "A_Consumption.csv", "demand", rule, 1, "2016-01-10", "2016-01-10"),
    )
    assert len(caplog.records) == 2
    assert "zone=A file=A_Wind_Production.csv quantity=wind rule='zero' count=2 first=2016-01-05" in caplog.text


def test_fills_outside_the_days_asked_for_are_not_counted(files: Files) -> None:
    files.change(WIND, "2016-01-05,14\n", "2016-01-05,NA\n")
    assert files.load(START, 4).fills == ()


def test_blank_inflow_takes_the_usual_year_column(files: Files) -> None:
    files.put(INFLOW, inflow_text("2015,2016,T_Gj.snitt", {1: "1,,21", 53: "53,,"}))
    got = files.load()
    assert got.inflow_mwh[3, 0] == 3_000.0
    assert got.fills == (Fill("A", "A_Effective_Inflow.csv", "inflow", "T_Gj.snitt", 1, "2016-W01", "2016-W01"),)


def test_without_that_column_the_mean_of_the_years_is_taken_for_an_absent_year(files: Files) -> None:
    files.put(INFLOW, inflow_text("2013,2014", {53: ",", 52: "10,32", 1: "7,21", 2: ",7", 3: "7,7", 4: "7,7"}))
    got = files.load()
    assert got.inflow_mwh[[0, 3, 10], 0].tolist() == [3_000.0, 2_000.0, 1_000.0]
    assert [(f.rule, f.count, f.first, f.last) for f in got.fills] == [
        ("mean of the years, week 52", 1, "2015-W53", "2015-W53"),
        ("mean of the years", 4, "2016-W01", "2016-W04"),
    ]


def test_week_53_that_is_blank_takes_week_52_of_its_year(files: Files) -> None:
    files.put(INFLOW, inflow_text(rows={53: ",", 52: "14,99"}))
    got = files.load()
    assert got.inflow_mwh[:3, 0].tolist() == [2_000.0] * 3
    assert [f.rule for f in got.fills] == ["week 52 of the same year"]


def test_inflow_may_be_negative(files: Files) -> None:
    files.put(INFLOW, inflow_text(rows={53: "-7,0"}))
    assert files.load().inflow_mwh[0, 0] == -1_000.0


# ---- levels


def test_opening_level_is_that_of_the_evening_before_on_the_line_between_week_ends(files: Files) -> None:
    # week 53 of 2015 ends on 3 January, week 52 on 27 December: 31 December is 4 of 7 days on the way
    files.put(
        LEVEL, "Uke,Kapasitet TWh,2015 TWh,2016 TWh,Median TWh\n1,1,,0.024,0.01\n52,1,0.010,,0.02\n53,1,0.017,,0.03\n"
    )
    got = files.load(START, 10)
    assert got.initial_level_mwh.tolist() == [pytest.approx(14_000.0)]
    assert got.reference_level_mwh[[0, 2, 3, 9], 0] == pytest.approx([15_000.0, 17_000.0, 18_000.0, 24_000.0])
    assert got.median_level_mwh[[2, 9], 0] == pytest.approx([30_000.0, 10_000.0])
    assert got.fills == ()


def test_a_week_53_without_a_row_is_bridged_and_no_fill(files: Files) -> None:
    files.put(LEVEL, "Uke,2015 TWh,2016 TWh\n52,0.010,\n1,,0.024\n")
    got = files.load(START, 1)
    assert got.initial_level_mwh[0] == pytest.approx(14_000.0)  # 4 of 14 days from 10,000 to 24,000
    assert got.fills == ()


@pytest.mark.parametrize(
    ("column", "cell"), [("2015", "60"), ("2015 %", "60"), ("2015 pct", "60,0"), ("2015", "0,6"), ("2015 TWh", "0,03")]
)
def test_percent_shares_and_terawatt_hours_mean_the_same_level(files: Files, column: str, cell: str) -> None:
    files.put(LEVEL, f"Uke;{column}\n1;{cell}\n53;{cell}\n")
    assert files.load(START, 2).initial_level_mwh.tolist() == [pytest.approx(30_000.0)]


def test_a_level_outside_the_recorded_weeks_is_held_and_counted(files: Files) -> None:
    files.put(LEVEL, "Uke,2016 TWh\n1,0.02\n")
    got = files.load(START, 12)
    assert got.initial_level_mwh.tolist() == [20_000.0]
    assert got.reference_level_mwh[:, 0].tolist() == [20_000.0] * 12
    held = Fill("A", "A_Reservoir_Fill_Level.csv", "level", "nearest recorded week", 12, "2015-12-31", "2016-01-12")
    assert got.fills == (held,)


def test_a_line_across_missing_weeks_is_counted(files: Files) -> None:
    files.put(LEVEL, "Uke,2015 TWh,2016 TWh\n53,0.01,\n4,,0.038\n")
    got = files.load(date(2016, 1, 3), 26)
    (fill,) = [f for f in got.fills if f.rule == "straight line across missing weeks"]
    assert (fill.count, fill.first, fill.last) == (25, "2016-01-04", "2016-01-28")
    assert got.reference_level_mwh[1, 0] == pytest.approx(11_000.0)


@pytest.mark.parametrize(("level", "limited"), [("0.06", 50_000.0), ("-0.01", 0.0)])
def test_the_opening_level_is_kept_within_the_reservoir(files: Files, level: str, limited: float) -> None:
    files.put(LEVEL, f"Uke,2015 TWh\n52,{level}\n53,{level}\n")
    got = files.load(START, 1)
    assert got.initial_level_mwh.tolist() == [limited]
    (fill,) = got.fills
    assert (fill.quantity, fill.count) == ("level", 1)
    assert "limited" in fill.rule


# ---- ensembles


def test_inflow_years_hold_only_the_years_that_all_zones_know(tmp_path: Path) -> None:
    a, b = Files(tmp_path, "A"), Files(tmp_path, "B")
    a.put(INFLOW, inflow_text("2014,2015,2016", {52: "7,14,21", 53: ",70,"}))
    b.put(INFLOW, inflow_text("2015,2016,2017", {52: "28,35,0", 53: ",77,", 30: "1,,1"}))
    got = a.load(network=Network((zone("B"), zone("A")), ())).inflow_years_mwh
    assert list(got) == [2015]  # 2014 and 2017 are in one file only, 2016 has a blank week in B
    assert got[2015].shape == (53, 2)
    np.testing.assert_allclose(got[2015][51:], [[4_000.0, 2_000.0], [4_000.0, 10_000.0]])


# ---- the range


def test_the_range_is_what_all_zones_have(tmp_path: Path) -> None:
    a, b = Files(tmp_path, "A"), Files(tmp_path, "B")
    a.change(DEMAND, "2016-01-01,100\n", "")
    b.change(WIND, "2016-01-28,37\n", "")
    network = Network((zone("A"), zone("B")), ())
    assert data_range([tmp_path], network) == (date(2016, 1, 2), date(2016, 1, 27))
    assert len(a.load(network=network).dates) == 26


@pytest.mark.parametrize(
    ("start", "days", "says"),
    [
        (date(2015, 12, 31), None, "start: 2015-12-31 is outside the data"),
        (date(2016, 1, 29), 1, "start: 2016-01-29 is outside the data"),
        (date(2016, 1, 20), 10, "days: 10 from 2016-01-20 is more than the 9 there are"),
        (None, 29, "days: 29 from 2016-01-01 is more than the 28 there are"),
        (None, 10**30, "more than the 28 there are"),
        (None, 0, "days: 0 is below 1"),
    ],
)
def test_days_outside_the_data_are_refused_with_the_range_there_is(
    files: Files, start: date | None, days: int | None, says: str
) -> None:
    with pytest.raises(DataError, match="data covers 2016-01-01 to 2016-01-28") as caught:
        files.load(start, days)
    assert says in str(caught.value)


def test_files_without_a_common_day_are_refused(files: Files) -> None:
    files.put(DEMAND, "Date,Daily_Consumption\n2017-01-01,5\n")
    (problem,) = files.problems()
    assert problem.startswith("no day is in all files: A_Wind_Production.csv ends on 2016-01-28")
    assert problem.endswith("before A_Consumption.csv begins on 2017-01-01; add days")


# ---- what is refused


@pytest.mark.parametrize("kind", [WIND, DEMAND, INFLOW])
def test_a_missing_file_is_named_with_the_folders(files: Files, kind: str) -> None:
    files.path(kind).unlink()
    with pytest.raises(DataError, match=f"A_{kind}.csv: not found; looked in {files.folder}"):
        files.load()


HEAD = "Date,Daily_Consumption\n2016-01-01,5\n"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "A_Consumption.csv: the file is empty"),
        ("\ufeff\n \n", "A_Consumption.csv: the file is empty"),
        (",,\n,,\n", "A_Consumption.csv: the file is empty"),
        ("Date,Daily_Consumption\n", "A_Consumption.csv: the file is empty below its header"),
        ("Date,Load\n2016-01-01,5\n", "no column Daily_Consumption; found: Date, Load"),
        ("Dato,Daily_Consumption\n2016-01-01,5\n", "no column Date; found: Dato, Daily_Consumption"),
        ("Date,Daily_Consumption,Date\n2016-01-01,5,2016-01-01\n", "row 1: column Date appears more than once"),
        (HEAD + "2016-01-02,abc\n", "row 3, column Daily_Consumption: 'abc' is not a number"),
        (HEAD + "2016-01-02,1 234\n", "row 3, column Daily_Consumption: '1 234' is not a number"),
        (HEAD + "2016-01-02,inf\n", "row 3, column Daily_Consumption: 'inf' is infinite"),
        (HEAD + "2016-01-02,1e999\n", "row 3, column Daily_Consumption: '1e999' is infinite"),
        (HEAD + "2016-01-02,-3\n", "row 3, column Daily_Consumption: '-3' is negative; give 0 or more"),
        (HEAD + "2016-01-02,1.1e9\n", "row 3, column Daily_Consumption: '1.1e9' is above 1e+09 MWh a day"),
        (HEAD + '2016-01-02,"118,120"\n', "row 3, column Daily_Consumption: '118,120' can be read with"),
        (HEAD + "\n02.01.2016,5\n", "row 4, column Date: '02.01.2016' is not a date; write it as 2016-01-31"),
        (HEAD + "2016-02-30,5\n", "row 3, column Date: '2016-02-30' is not a date"),
        (HEAD + ",5\n", "row 3, column Date: '' is not a date"),
        (HEAD + "2016-01-02,5\n2016-01-01,6\n", "row 4, column Date: 2016-01-01 is already in row 2"),
        (HEAD + "2016-01-02,5,7\n", "row 3: 3 cells, the header has 2"),
        (HEAD + "2016-01-02\n", "row 3: 1 cells, the header has 2"),
        (HEAD + '2016-01-02,"5\n', "row 3: unexpected end of data; check the quotation marks"),
        ("Date,Daily_Consumption\n2016-01-01,\n", "column Daily_Consumption has no day with a value"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\xff", "A_Consumption.csv: is not a text file"),
        (HEAD.encode("utf-16"), "A_Consumption.csv: is not a text file; save it as CSV in UTF-8"),
    ],
)
def test_a_bad_consumption_file_is_refused_with_file_row_and_column(
    files: Files, content: str | bytes, says: str
) -> None:
    files.put(DEMAND, content)
    (problem,) = files.problems()
    assert problem.startswith("A_Consumption.csv")
    assert says in problem


@pytest.mark.parametrize(
    ("kind", "content", "says"),
    [
        (WIND, "Dato_Id,Produksjon [MWh]\n2016-01-01,-1\n", "row 2, column Produksjon [MWh]: '-1' is negative"),
        (WIND, "Dato_Id,Wind\n2016-01-01,1\n", "no column Produksjon [MWh]; found: Dato_Id, Wind"),
        (INFLOW, "Uke,2016\n1,5\n", "no column Iso-uke; found: Uke, 2016"),
        (INFLOW, "Iso-uke,GWh\n1,5\n", "no column YYYY (a year); found: Iso-uke, GWh"),
        (INFLOW, "Iso-uke,2016\n1,5\n54,5\n", "row 3, column Iso-uke: '54' is not a week"),
        (INFLOW, "Iso-uke,2016\n1,5\n1.5,5\n", "row 3, column Iso-uke: '1.5' is not a week"),
        (INFLOW, "Iso-uke,2016\n1,5\n1,5\n", "row 3, column Iso-uke: week 1 is already in row 2"),
        (INFLOW, "Iso-uke,2016\n1,x\n", "row 2, column 2016: 'x' is not a number"),
        (INFLOW, "Iso-uke,2016\n1,-8e6\n", "row 2, column 2016: '-8e6' is below -7e+06 GWh a week"),
        (LEVEL, "Week,2016 TWh\n1,5\n", "no column Uke; found: Week, 2016 TWh"),
        (LEVEL, "Uke,TWh\n1,5\n", "no column YYYY TWh (a year); found: Uke, TWh"),
        (LEVEL, "Uke,2016 TWh\n1,3731\n", "row 2, column 2016 TWh: '3731' is above 1000 TWh"),
        (LEVEL, "Uke,2016\n1,3731\n", "row 2, column 2016: '3731' is above 200 %"),
        (LEVEL, "Uke,2016\n1,\n", "A_Reservoir_Fill_Level.csv: no week has a level"),
        (LEVEL, "", "A_Reservoir_Fill_Level.csv: the file is empty"),
    ],
)
def test_other_bad_files_are_refused_with_file_row_and_column(files: Files, kind: str, content: str, says: str) -> None:
    files.put(kind, content)
    (problem,) = files.problems()
    assert problem.startswith(f"A_{kind}.csv")
    assert says in problem


def test_an_inflow_week_that_nothing_is_known_of_is_refused(files: Files) -> None:
    files.put(INFLOW, inflow_text("2016", {2: ""}))
    assert files.problems() == ["A_Effective_Inflow.csv: no inflow is known for 2016-W02 in any year; give one"]


def test_a_demand_gap_without_a_same_weekday_is_refused(files: Files) -> None:
    files.put(DEMAND, "Date,Daily_Consumption\n2016-01-01,5\n2016-01-03,5\n")
    (problem,) = files.problems()
    assert problem.startswith("A_Consumption.csv: 2016-01-02 has no value")


def test_all_faults_of_all_files_are_found_together(files: Files) -> None:
    files.change(DEMAND, "2016-01-02,101", "2016-01-02,x")
    files.change(DEMAND, "2016-01-04,103", "2016-01-99,-1")
    files.change(WIND, "2016-01-03,12", "2016-01-03,-12")
    files.path(INFLOW).unlink()
    assert [problem.split(";")[0] for problem in files.problems()] == [
        "A_Wind_Production.csv: row 4, column Produksjon [MWh]: '-12' is negative",
        "A_Consumption.csv: row 3, column Daily_Consumption: 'x' is not a number",
        "A_Consumption.csv: row 5, column Daily_Consumption: '-1' is negative",
        "A_Consumption.csv: row 5, column Date: '2016-01-99' is not a date",
        "A_Effective_Inflow.csv: not found",
    ]
    with pytest.raises(DataError, match=r"'-12' is negative.*'x' is not a number.*A_Effective_Inflow\.csv: not found"):
        files.load()


def test_a_column_full_of_faults_is_listed_up_to_a_hundred(files: Files) -> None:
    files.put(WIND, "Dato_Id,Produksjon [MWh]\n" + "".join(f"{d},x\n" for d in dates(130)))
    problems = files.problems()
    assert len(problems) == 101
    assert problems[-1] == "A_Wind_Production.csv: column Produksjon [MWh]: 30 more rows with faults of this kind"


# ---- the report


def test_check_data_reports_rows_range_and_fills_of_every_file(files: Files) -> None:
    files.change(WIND, "2016-01-05,14\n", "2016-01-05,\n")
    files.put(LEVEL, "Uke,2015 TWh,2016 TWh\n53,0.01,\n1,,0.02\n")
    report = check_data([files.folder], NET)
    assert report.problems == ()
    assert (report.first, report.last) == (date(2016, 1, 1), date(2016, 1, 28))
    found = {r.file: (r.rows, r.first, r.last, r.filled) for r in report.files}
    assert found == {
        "A_Wind_Production.csv": (28, "2016-01-01", "2016-01-28", 1),
        "A_Consumption.csv": (28, "2016-01-01", "2016-01-28", 0),
        "A_Effective_Inflow.csv": (53, "2015", "2016", 0),
        "A_Reservoir_Fill_Level.csv": (2, "2016-01-03", "2016-01-10", 21),  # 31 Dec to 2 Jan and 11 to 28 Jan
    }


def test_check_data_still_reports_good_zones_beside_a_bad_one(tmp_path: Path) -> None:
    Files(tmp_path, "A").change(WIND, "2016-01-05,14\n", "2016-01-05,\n")
    Files(tmp_path, "B").put(WIND, "")
    report = check_data([tmp_path], Network((zone("A"), zone("B")), ()))
    assert len(report.problems) == 1
    assert [(f.zone, f.count) for f in report.fills] == [("A", 1)]
    assert {r.file for r in report.files if r.zone == "B"} == {"B_Consumption.csv", "B_Effective_Inflow.csv"}


def test_check_data_dates_no_file_that_has_no_dates(files: Files) -> None:
    files.put(DEMAND, "Daily_Consumption\n" + "5\n" * 14)
    report = check_data([files.folder], NET)
    assert [(f.file, f.rows, f.first, f.last) for f in report.files[:2]] == [
        ("A_Wind_Production.csv", 28, "2016-01-01", "2016-01-28"),
        ("A_Consumption.csv", 14, "undated", "undated"),
    ]
    assert (report.problems, report.first, report.last) == ((), date(2016, 1, 1), date(2016, 1, 14))


def test_check_data_of_an_empty_folder_lists_every_file_that_is_missing(tmp_path: Path) -> None:
    report = check_data([tmp_path], NET)
    assert report.files == ()
    assert report.first is None
    assert len(report.problems) == 3


# ---- real data


NORWAY = Network(
    tuple(zone(f"NO{i + 1}", twh * 1e6) for i, twh in enumerate((6.0, 33.99, 9.12, 20.87, 17.30))),
    (),
)


def file_total(path: Path, date_column: str, value_column: str) -> float:
    with path.open(encoding="utf-8") as stream:
        return sum(
            float(row[value_column])
            for row in csv.DictReader(stream)
            if "2016-01-01" <= row[date_column][:10] <= "2022-12-31"
        )


def test_real_data_of_2016_to_2022_load_and_match_their_files(real_data: Path) -> None:
    folder = real_data / "norway" / "input"
    got = load_inputs([folder], NORWAY, START, 2557)
    assert str(got.dates[-1]) == "2022-12-31"
    assert got.fills == ()
    for k, name in enumerate(got.zones):
        demand = file_total(folder / f"{name}_Consumption.csv", "Date", "Daily_Consumption")
        wind = file_total(folder / f"{name}_Wind_Production.csv", "Dato_Id", "Produksjon [MWh]")
        assert got.demand_mwh[:, k].sum() == pytest.approx(demand, rel=1e-12)
        assert got.wind_mwh[:, k].sum() == pytest.approx(wind, rel=1e-12)
        with (folder / f"{name}_Effective_Inflow.csv").open(encoding="utf-8") as stream:
            rows = {row["Iso-uke"]: row for row in csv.DictReader(stream)}
        # whole weeks of 2016 to 2022, three days of 2015-W53, and 2022 without its last Sunday, 1 January 2023
        gwh = sum(float(row[str(year)] or 0) for row in rows.values() for year in range(2016, 2023))
        gwh += 3 / 7 * float(rows["53"]["2015"]) - 1 / 7 * float(rows["52"]["2022"])
        assert got.inflow_mwh[:, k].sum() == pytest.approx(gwh * 1e3, rel=1e-12)
    assert got.demand_mwh.sum() / 7e6 == pytest.approx(134, abs=0.5)  # TWh a year, as published
    assert got.inflow_mwh.sum() / 7e6 == pytest.approx(136, abs=0.5)
    assert list(got.inflow_years_mwh) == list(range(1995, 2023))
    # NO1: 4.081 TWh on 27 December 2015 and 3.637 on 10 January 2016; 31 December is 4 of 14 days on the way
    assert got.initial_level_mwh[0] == pytest.approx((4.081 - 4 / 14 * 0.444) * 1e6)


def test_real_data_have_one_partial_inflow_week_and_no_problem(real_data: Path) -> None:
    report = check_data([real_data / "norway" / "input"], NORWAY)
    assert report.problems == ()
    assert len(report.files) == 20
    assert (report.first, report.last) == (date(2015, 1, 1), date(2023, 6, 30))
    assert {(f.quantity, f.rule, f.count, f.first) for f in report.fills} == {("inflow", "T_Gj.snitt", 1, "2023-W26")}
