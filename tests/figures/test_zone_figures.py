import struct
import zlib

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
from hypothesis import HealthCheck, given, settings

from energy_sim.errors import ConfigError, DataError
from energy_sim.figures.export import export_figure, find_browser
from energy_sim.figures.network import ribbon
from energy_sim.figures.theme import THEMES
from energy_sim.figures.zones import (
    arrow_amounts,
    network_geometry,
    plot_energy_exchange_curved,
    plot_energy_exchange_split_import_export,
    plot_energy_flows_summary,
    plot_reservoir_levels,
    spread,
)
from energy_sim.zones.model import Transfer
from tests.figures.networks import networks, norway


def transfer(way: str, sent: float, delivered: float, phase: int = 4, date: str = "2018-01-12") -> Transfer:
    supplier, *transit, importer = way.split(">")
    hops = len(transit) + 1
    return Transfer(
        date, phase, supplier, importer, hops, transit[0] if transit else None, sent, delivered, (), "hydro", "need"
    )


def daily() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "date": ["2018-01-12", "2018-01-13"],
            "demand_mwh": [400_000.0, 380_000.0],
            "wind_used_mwh": [24_000.0, 30_000.0],
            "import_phase2_mwh": [6_000.0, 0.0],
            "local_hydro_mwh": [359_000.0, 340_000.0],
            "import_phase4_mwh": [11_000.0, 8_000.0],
            "unmet_mwh": [0.0, 2_000.0],
        }
    )


def metrics(levels: dict[str, float]) -> pd.DataFrame:
    rows = [(d, z, v + k) for k, d in enumerate(("2018-01-12", "2018-01-13")) for z, v in levels.items()]
    return pd.DataFrame(rows, columns=["date", "zone", "level_pct"])


def test_transfers_are_summed_by_arrow_and_phase():
    geometry = network_geometry(norway())
    day = [
        transfer("NO4>NO3", 100.0, 98.0, phase=2),
        transfer("NO4>NO3", 50.0, 49.0),
        transfer("NO4>NO3>NO1", 10.0, 9.0),
    ]
    amounts = {geometry.arrows[a.arrow].key: a for a in arrow_amounts(geometry, day)}
    assert set(amounts) == {"NO4>NO3", "NO4>NO3>NO1"}
    a = amounts["NO4>NO3"]
    assert (a.sent_mwh, a.delivered_mwh, a.phase2_mwh, a.phase4_mwh) == (150.0, 147.0, 98.0, 49.0)


def test_a_transfer_over_a_way_that_does_not_exist_is_an_error_that_names_it():
    with pytest.raises(DataError, match="NO4>NO1"):
        arrow_amounts(network_geometry(norway()), [transfer("NO4>NO1", 1.0, 1.0)])


def test_the_curved_figure_holds_the_ribbon_of_each_transfer_and_its_label():
    net = norway()
    geometry = network_geometry(net)
    figure = plot_energy_exchange_curved(net, [transfer("NO5>NO1", 46_800.0, 46_800.0)], [50.0] * 5, "dark")
    trace = next(t for t in figure.data if t.name == "Direct transfer")
    path = next(a.path for a in geometry.arrows if a.key == "NO5>NO1")
    expected = ribbon(path, 9.5)  # half of the full scale: (3 + 16) / 2
    assert np.allclose(list(zip(trace.x[:7], trace.y[:7], strict=True)), expected, atol=0.006)
    assert trace.fillcolor == THEMES["dark"].export
    assert [a.text for a in figure.layout.annotations] == ["<b>47\u00a0GWh</b>"]
    assert "GWh" in figure.layout.title.text
    assert "2018-01-12" in figure.layout.title.text


def test_the_split_figure_draws_sent_and_delivered_as_two_arrows_that_share_the_lane():
    transfers = [transfer("NO5>NO1", 93_600.0, 46_800.0), transfer("NO4>NO3>NO1", 500.0, 480.0)]
    figure = plot_energy_exchange_split_import_export(norway(), transfers, None, "light")
    ribbons = {t.name[:1]: t for t in figure.data if t.name and t.name[0] in "▲▼T"}
    assert set(ribbons) == {"▲", "▼", "T"}
    width = [np.hypot(t.x[0] - t.x[6], t.y[0] - t.y[6]) for t in (ribbons["▲"], ribbons["▼"])]
    assert width == pytest.approx([16.0, 9.5], abs=0.03)
    assert sorted(a.text for a in figure.layout.annotations) == [
        "<b>480\u00a0MWh</b>",
        "<b>▲ 94\u00a0GWh</b><br><b>▼ 47\u00a0GWh</b>",
    ]


def test_transfers_of_two_days_are_drawn_against_twice_the_full_scale():
    days = [transfer("NO5>NO1", 46_800.0, 46_800.0, date=d) for d in ("2018-01-12", "2018-01-13")]
    trace = next(t for t in plot_energy_exchange_curved(norway(), days).data if t.name == "Direct transfer")
    assert np.hypot(trace.x[0] - trace.x[6], trace.y[0] - trace.y[6]) == pytest.approx(9.5, abs=0.03)


def test_levels_below_the_minimum_carry_a_glyph():
    figure = plot_energy_exchange_curved(norway(), [], [9.0, 50.0, float("nan"), 86.0, 100.0])
    texts = next(t.text for t in figure.data if t.mode == "markers+text")
    assert texts[0] == "<b>NO1</b><br>9 % ⚠"
    assert texts[1:3] == ("<b>NO2</b><br>50 %", "<b>NO3</b>")


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(networks())
def test_network_figures_of_random_networks_are_valid(net):
    ways = [">".join(net.ids[i] for i in (r.supplier, r.transit, r.importer) if i >= 0) for r in net.routes]
    transfers = [transfer(way, 100.0, 90.0) for way in ways]
    for draw in (plot_energy_exchange_curved, plot_energy_exchange_split_import_export):
        figure = draw(net, transfers, [50.0] * len(net.zones), "light")
        assert isinstance(go.Figure(figure.to_dict()), go.Figure)
        assert "null,null" not in figure.to_json()


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_stacked_areas_add_up_to_the_demand_line_in_gwh(theme):
    figure = plot_energy_flows_summary(daily(), theme, [("2018-01-13", "wind off")])
    stacked = [t for t in figure.data if t.stackgroup]
    assert [t.name for t in stacked] == [
        "Wind used",
        "Imports 1",
        "Local hydro",
        "Imports 2",
        "Unmet",
    ]
    demand = next(t for t in figure.data if t.name == "Demand")
    assert np.allclose(np.sum([t.y for t in stacked], axis=0), demand.y)
    assert list(demand.y) == [400.0, 380.0]
    assert [s.x0 for s in figure.layout.shapes] == ["2018-01-13"]
    assert figure.layout.uirevision == "kraftflyt"
    assert "GWh a day" in figure.layout.title.text


def test_a_missing_column_is_named():
    with pytest.raises(DataError, match="unmet_mwh"):
        plot_energy_flows_summary(daily().drop(columns="unmet_mwh"))


def test_reservoir_lines_have_a_dash_each_and_end_labels_that_do_not_overlap():
    levels = dict(zip(norway().ids, (60.0, 61.0, 60.5, 20.0, 99.0), strict=True))
    figure = plot_reservoir_levels(metrics(levels), norway())
    assert len({t.line.dash for t in figure.data}) == 5
    heights = sorted(a.y for a in figure.layout.annotations)
    assert len(heights) == 5
    assert np.diff(heights).min() >= 7 - 1e-9
    assert next(a.text for a in figure.layout.annotations if "NO4" in a.text).endswith("<b>NO4</b> 21 %")


def test_reference_lines_are_drawn_only_on_demand():
    table = metrics(dict.fromkeys(norway().ids, 50.0))
    median = table.rename(columns={"level_pct": "median_pct"})
    plain = plot_reservoir_levels(table, norway(), reference=median)
    full = plot_reservoir_levels(table, norway(), "light", median, ("median", "target", "force_export"))
    assert (len(plain.data), len(plain.layout.shapes)) == (5, 0)
    assert (len(full.data), sorted(s.y0 for s in full.layout.shapes)) == (10, [65.0, 85.0])
    with pytest.raises(DataError, match="average"):
        plot_reservoir_levels(table, norway(), show=("average",))


def test_label_heights_keep_their_order_and_stay_on_the_axis():
    assert spread([97.0, 96.0, 98.0], 7.0) == [91.0, 84.0, 98.0]
    assert spread([], 7.0) == []


def test_html_opens_offline_and_offers_no_upload(tmp_path):
    path = export_figure(plot_energy_flows_summary(daily()), tmp_path / "new" / "flows.html")
    text = path.read_text(encoding="utf-8")
    assert len(text) > 1_000_000
    assert '<script src="http' not in text
    assert '"showSendToCloud": false' in text


def test_an_unknown_suffix_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match=r"use \.png, \.svg or \.html"):
        export_figure(go.Figure(), tmp_path / "flows.gif")


def png_pixels(data: bytes) -> tuple[int, int, bytes]:
    """Width, height and the unpacked (still filtered) bytes of a PNG."""
    width, height = struct.unpack(">II", data[16:24])
    at, packed = 8, b""
    while at < len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        if data[at + 4 : at + 8] == b"IDAT":
            packed += data[at + 8 : at + 8 + size]
        at += size + 12
    return width, height, zlib.decompress(packed)


@pytest.mark.slow
@pytest.mark.browser
def test_png_and_svg_show_the_network(tmp_path):
    try:
        find_browser()
    except ConfigError as error:
        pytest.skip(str(error))
    transfers = [transfer("NO5>NO1", 46_800.0, 46_800.0), transfer("NO4>NO3>NO1", 9_000.0, 9_000.0)]
    figure = plot_energy_exchange_curved(norway(), transfers, [50.0] * 5)
    width, height, raw = png_pixels(export_figure(figure, tmp_path / "day.png").read_bytes())
    assert (width, height) == (2 * 896, 2 * 904)
    assert np.count_nonzero(np.frombuffer(raw, np.uint8)) > 50_000  # rows that equal their neighbours are zeros
    svg = export_figure(figure, tmp_path / "day.svg").read_text(encoding="utf-8")
    assert "47\u00a0GWh" in svg
