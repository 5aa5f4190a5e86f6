"""The built-in network holds the published figures."""

import pytest

from energy_sim.zones.norway import norway


def test_five_zones_with_their_reservoirs_and_turbines():
    network = norway()
    assert network.ids == ("NO1", "NO2", "NO3", "NO4", "NO5")
    assert [zone.hydro_max_mwh for zone in network.zones] == pytest.approx([6.00e6, 33.99e6, 9.12e6, 20.87e6, 17.30e6])
    assert [zone.hydro_min_mwh for zone in network.zones] == pytest.approx(
        [420_000, 5_166_480, 1_030_560, 5_426_200, 1_643_500]
    )
    assert [zone.initial_level_mwh for zone in network.zones] == pytest.approx(
        [3_702_000, 24_370_830, 5_572_320, 13_461_150, 11_504_500]
    )
    assert [zone.hydro_max_daily_production_mwh for zone in network.zones] == [62592, 236328, 70272, 108216, 171912]
    for zone in network.zones:
        assert zone.hydro_force_export_mwh == pytest.approx(0.85 * zone.hydro_max_mwh)
        assert zone.hydro_target_mwh == pytest.approx(0.65 * zone.hydro_max_mwh)
        assert zone.hydro_min_mwh < zone.initial_level_mwh < zone.hydro_force_export_mwh
        assert 57 < zone.lat < 71
        assert 4 < zone.lon < 32


def test_six_lines_both_ways_in_mwh_a_day():
    megawatt = {link.source + link.target: link.capacity_mwh_per_day / 24 for link in norway().links}
    assert megawatt == {
        "NO1NO2": 2200, "NO2NO1": 3500, "NO1NO3": 500, "NO3NO1": 500, "NO1NO5": 600, "NO5NO1": 3900,
        "NO2NO5": 500, "NO5NO2": 600, "NO3NO4": 400, "NO4NO3": 1200, "NO3NO5": 800, "NO5NO3": 500,
    }  # fmt: skip


def test_efficiency_and_loss_are_those_asked_for():
    usual, other = norway(), norway(0.9, 0.02)
    assert {zone.hydro_efficiency for zone in usual.zones} == {1.0}
    assert {link.loss_factor for link in usual.links} == {0.0}
    assert {zone.hydro_efficiency for zone in other.zones} == {0.9}
    assert {link.loss_factor for link in other.links} == {0.02}


def test_northern_norway_reaches_the_rest_through_central_norway_only():
    network = norway()
    routes = [r for r in network.routes if network.ids[r.importer] == "NO4"]
    assert [(network.ids[r.supplier], r.hops) for r in routes] == [("NO3", 1), ("NO1", 2), ("NO5", 2)]
    assert {network.ids[r.transit] for r in routes if r.hops == 2} == {"NO3"}


def test_colours_tell_zones_apart():
    assert len({zone.color for zone in norway().zones}) == 5
