"""Tables of a period, worked out by hand for two days of a small network with losses."""

import numpy as np
import pytest

from energy_sim.zones import kernel as k
from energy_sim.zones.model import Link, Network, Switches
from energy_sim.zones.simulator import Settings, simulate_period
from energy_sim.zones.summary import daily_summary, transfer_table, zone_metrics
from tests.zones.cases import make_inputs, make_zone


@pytest.fixture(scope="module")
def period():
    """Day 1: C takes 36 MWh from T (in phase 4), then 18 from S through T; day 2 needs nothing."""
    k.compile_kernel()
    zones = (
        make_zone("C", hydro_max_daily_production_mwh=0.0),
        make_zone("T", initial_level_mwh=600.0, hydro_max_daily_production_mwh=40.0),
        make_zone("S", initial_level_mwh=500.0, hydro_max_daily_production_mwh=25.0),
    )
    network = Network(zones, (Link("S", "T", 100.0, 0.2), Link("T", "C", 100.0, 0.1)))
    inputs = make_inputs(
        network, [[10.0, 0.0, 5.0], [0.0, 0.0, 7.0]], [[100.0, 0.0, 0.0], [0.0, 0.0, 0.0]],
        [[0.0, 900.0, 0.0], [1.0, 2.0, 3.0]],
    )  # fmt: skip
    return simulate_period(network, inputs, {0: Settings()})


def test_daily_summary_by_hand(period):
    daily = daily_summary(period)
    first, second = daily.to_dict("records")
    assert first == {
        "date": "2016-01-01",
        "demand_mwh": 100.0,
        "wind_used_mwh": 10.0,
        "import_phase2_mwh": 0.0,
        "local_hydro_mwh": 0.0,
        "import_phase4_mwh": pytest.approx(36 + 18),  # 40 x 0.9 and 25 x 0.8 x 0.9
        "unmet_mwh": pytest.approx(36.0),
        "import_one_hop_mwh": pytest.approx(36.0),
        "import_two_hop_mwh": pytest.approx(18.0),
        "wind_export_mwh": 5.0,
        "spill_mwh": pytest.approx(460.0),  # T: 600 - 40 + 900 - 1000
        "loss_mwh": pytest.approx(4 + 7),
    }
    assert second == {"date": "2016-01-02", **dict.fromkeys(list(first)[1:], 0.0), "wind_export_mwh": 7.0,
                      "spill_mwh": 2.0}  # fmt: skip


def test_zone_metrics_by_hand(period):
    metrics = zone_metrics(period).set_index(["date", "zone"])
    c, t, s = (metrics.loc[("2016-01-01", zone)] for zone in "CTS")
    assert (c.import_p4h1_mwh, c.import_p4h2_mwh) == (pytest.approx(36.0), pytest.approx(18.0))
    assert c.imported_mwh == pytest.approx(54.0)
    assert (t.exported_hydro_mwh, t.water_used_mwh, t.inflow_mwh) == (40.0, 40.0, 900.0)
    assert (t.level_mwh, t.level_pct) == (1000.0, 100.0)
    assert (s.exported_hydro_mwh, s.level_mwh, s.level_pct) == (25.0, 475.0, 47.5)
    assert (s.wind_potential_mwh, s.wind_used_mwh, s.wind_export_mwh) == (5.0, 0.0, 5.0)
    assert list(metrics.index) == [(date, zone) for date in ("2016-01-01", "2016-01-02") for zone in "CTS"]


def test_transfers_by_hand(period):
    table = transfer_table(period)
    assert table.to_dict("records") == [
        {"date": "2016-01-01", "phase": 4, "supplier": "T", "importer": "C", "hops": 1, "transit_zone": "",
         "sent_mwh": 40.0, "delivered_mwh": 36.0, "links": "T>C:40.0"},
        {"date": "2016-01-01", "phase": 4, "supplier": "S", "importer": "C", "hops": 2, "transit_zone": "T",
         "sent_mwh": 25.0, "delivered_mwh": pytest.approx(18.0), "links": "S>T:25.0|T>C:20.0"},
    ]  # fmt: skip
    assert set(transfer_table(period, with_source=True).source) == {"hydro"}


def test_shared_wind_is_named_as_the_source():
    network = Network((make_zone("A"), make_zone("B")), (Link("B", "A", 500.0),))
    inputs = make_inputs(network, [[0.0, 90.0]], [[100.0, 40.0]], [[0.0, 0.0]])
    shared = simulate_period(network, inputs, {0: Settings(Switches(share_wind=True))})
    table = transfer_table(shared, with_source=True)
    assert next(zip(table.source, table.sent_mwh, strict=True)) == ("wind", 50.0)


def test_days_without_transfers_and_networks_without_links_give_empty_tables():
    network = Network((make_zone("A"),), ())
    quiet = simulate_period(network, make_inputs(network, [[0.0]] * 2, [[1.0]] * 2, [[0.0]] * 2), {0: Settings()})
    assert len(transfer_table(quiet)) == 0
    assert list(transfer_table(quiet).columns)[-1] == "links"
    assert np.array_equal(daily_summary(quiet).loss_mwh, [0.0, 0.0])
