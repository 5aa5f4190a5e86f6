import math
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from energy_sim.community.model import DAY_PARTS
from energy_sim.errors import DataError
from energy_sim.figures.community import (
    HOUSE_TRACES,
    LOADS,
    POWER_TRACES,
    SUPPLY,
    format_kwh,
    in_card,
    plot_day_sankey,
    plot_house_series,
    plot_power_series,
)
from energy_sim.figures.theme import THEMES

ZURICH = ZoneInfo("Europe/Zurich")
NOON_S = 1_783_679_400.0  # 2026-07-10T12:30:00+02:00
DAY = {
    "own": 31.2,
    "shared": 22.5,
    "grid_export": 48.9,
    "grid_import": 12.4,
    "base_load": 38.1,
    "dishwasher": 2.2,
    "washing_machine": 1.4,
    "ev": 21.0,
    "heat_pump": 3.4,
}


def street() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "time_s": [NOON_S, NOON_S + 0.5],
            "production_w": [5000.0, 2000.0],
            "consumption_w": [3000.0, 4500.0],
            "grid_import_w": [0.0, 2500.0],
            "grid_export_w": [2000.0, 0.0],
        }
    )


def house() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "time_s": [NOON_S, NOON_S + 60],
            "pv_power_w": [3000.0, 1000.0],
            "base_load_w": [400.0, 450.0],
            "flex_load_w": [0.0, 2000.0],
            "net_power_w": [2600.0, -1450.0],
        }
    )


def flows(figure) -> dict[tuple[str, str], float]:
    """kWh by the names of both ends."""
    trace = figure.data[0]
    name = [text.rsplit(" ", 1)[0] for text in trace.node.customdata]
    ends = zip(trace.link.source, trace.link.target, strict=True)
    return {(name[s], name[t]): v for (s, t), v in zip(ends, trace.link.value, strict=True)}


@pytest.mark.parametrize("theme", THEMES)
def test_the_street_has_four_traces_in_the_order_the_page_extends_them(theme):
    figure = plot_power_series(street(), theme, ZURICH)
    assert tuple(trace.name for trace in figure.data) == POWER_TRACES
    assert POWER_TRACES == ("Production", "Consumption", "Import", "Export")
    assert [list(trace.y) for trace in figure.data] == [[5.0, 2.0], [3.0, 4.5], [0.0, 2.5], [2.0, 0.0]]


def test_moments_stand_on_the_streets_clock_as_text_in_lists():
    for figure in (plot_power_series(street(), "dark", ZURICH), plot_power_series(street(), "dark")):
        assert all(isinstance(trace.to_plotly_json()["y"], list) for trace in figure.data)
    local, utc = (list(plot_power_series(street(), "dark", *zone).data[0].x) for zone in ([ZURICH], []))
    assert local == ["2026-07-10T12:30:00.000", "2026-07-10T12:30:00.500"]
    assert utc[0] == "2026-07-10T10:30:00.000"


def test_import_closes_the_gap_above_production_and_export_the_one_above_consumption():
    groups = {trace.name: trace.stackgroup for trace in plot_power_series(street()).data}
    assert groups["Import"] == groups["Production"] != groups["Consumption"] == groups["Export"]


def test_import_and_export_differ_by_hatching_too():
    shapes = {trace.name: trace.fillpattern.shape for trace in plot_power_series(street()).data}
    assert (shapes["Import"], shapes["Export"]) == ("\\", "/")


def test_a_houses_production_stands_above_zero_and_its_use_below():
    figure = plot_house_series(house(), "light", ZURICH)
    assert tuple(trace.name for trace in figure.data) == HOUSE_TRACES
    assert [list(trace.y) for trace in figure.data] == [[3.0, 1.0], [-0.4, -0.45], [0.0, -2.0], [2.6, -1.45]]
    pv, base, flexible, net = figure.data
    assert base.stackgroup == flexible.stackgroup != pv.stackgroup
    assert net.stackgroup is None


@pytest.mark.parametrize(("plot", "rows"), [(plot_power_series, street()), (plot_house_series, house())])
def test_a_chart_without_rows_says_what_to_do_and_keeps_its_traces(plot, rows):
    figure = plot(rows.iloc[:0])
    assert len(figure.data) == 4
    assert "press play" in figure.layout.annotations[0].text
    assert not plot(rows).layout.annotations


@pytest.mark.parametrize(("plot", "rows"), [(plot_power_series, street()), (plot_house_series, house())])
def test_one_row_is_drawn_and_a_missing_column_is_named(plot, rows):
    assert all(len(trace.y) == 1 for trace in plot(rows.iloc[:1]).data)
    with pytest.raises(DataError, match=f"no column {rows.columns[2]};"):
        plot(rows.drop(columns=rows.columns[2]))


def test_the_sankey_takes_the_parts_of_a_day_as_the_street_counts_them():
    assert (*SUPPLY, *LOADS) == DAY_PARTS


@pytest.mark.parametrize("theme", THEMES)
def test_the_days_energy_flows_from_sun_and_grid_to_what_used_it(theme):
    assert flows(plot_day_sankey(DAY, theme)) == {
        ("Solar", "Own roof"): 31.2,
        ("Solar", "Neighbours"): 22.5,
        ("Solar", "To the grid"): 48.9,
        ("Own roof", "Used"): 31.2,
        ("Neighbours", "Used"): 22.5,
        ("From the grid", "Used"): 12.4,
        ("Used", "Base load"): 38.1,
        ("Used", "Dishwasher"): 2.2,
        ("Used", "Washer"): 1.4,
        ("Used", "EV wallbox"): 21.0,
        ("Used", "Heat pump"): 3.4,
    }


def test_names_of_the_sankey_carry_their_energy():
    figure = plot_day_sankey(DAY)
    assert "EV wallbox 21\u00a0kWh" in figure.data[0].node.label
    assert "Own roof → Used: 31\u00a0kWh" in figure.data[0].link.customdata
    assert figure.layout.title.text == "Today's energy: 103\u00a0kWh from the sun, 66\u00a0kWh used"


def test_at_night_only_what_flows_is_named():
    night = dict.fromkeys(DAY, 0.0) | {"grid_import": 1.9, "base_load": 1.9}
    figure = plot_day_sankey(night)
    assert flows(figure) == {("From the grid", "Used"): 1.9, ("Used", "Base load"): 1.9}
    assert list(figure.data[0].node.label) == ["From the grid 1.9\u00a0kWh", "Used", "Base load 1.9\u00a0kWh"]


def test_a_day_without_energy_says_what_to_do():
    figure = plot_day_sankey(dict.fromkeys(DAY, 0.0))
    assert not figure.data
    assert "press play" in figure.layout.annotations[0].text


amounts = st.one_of(st.floats(-1, 1e6), st.sampled_from([0.0, -0.0, math.nan, math.inf]))


@given(st.fixed_dictionaries(dict.fromkeys(DAY, amounts)))
def test_no_link_is_negative_and_every_node_has_a_link(day):
    figure = plot_day_sankey(day)
    for trace in figure.data:
        assert min(trace.link.value) > 0
        assert all(math.isfinite(v) for v in trace.link.value)
        assert {*trace.link.source, *trace.link.target} == set(range(len(trace.node.label)))
        assert len(trace.node.color) == len(trace.node.label) == len(trace.node.customdata)


def test_a_day_that_lacks_a_part_is_an_error_that_names_it():
    with pytest.raises(DataError, match="no part ev;"):
        plot_day_sankey({name: kwh for name, kwh in DAY.items() if name != "ev"})


@pytest.mark.parametrize("figure", [plot_power_series(street()), plot_house_series(house()), plot_day_sankey(DAY)])
def test_in_a_card_a_chart_leaves_ground_and_heading_to_the_page(figure):
    shown = in_card(figure)
    assert shown.layout.title.text is None
    assert shown.layout.paper_bgcolor == "rgba(0,0,0,0)"
    assert shown.layout.showlegend is None
    assert shown.layout.uirevision


@pytest.mark.parametrize(
    ("kwh", "text"),
    [(0.0, "0.0 kWh"), (9.94, "9.9 kWh"), (9.96, "10 kWh"), (999.4, "999 kWh"), (999.6, "1.0 MWh"), (15_400, "15 MWh")],
)
def test_energies_are_short(kwh, text):
    assert format_kwh(kwh) == text.replace(" ", "\u00a0")
