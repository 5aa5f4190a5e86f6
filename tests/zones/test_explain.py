"""Explanations name the limit that held, in small cases where it is plain to see."""

import pytest

from energy_sim.zones import kernel as k
from energy_sim.zones.explain import BOUND_TEXTS, explain_transfer, explain_unmet
from energy_sim.zones.model import Link, Network, Switches
from energy_sim.zones.simulator import Settings, run_days
from tests.zones.cases import make_inputs, make_zone


@pytest.fixture(autouse=True, scope="module")
def compiled():
    k.compile_kernel()


def explained(zones, links, demand, switches=None):
    switches = switches or Switches()
    network = Network(zones, links)
    inputs = make_inputs(network, [[0.0] * len(zones)], [demand], [[0.0] * len(zones)])
    day = run_days(network, inputs, Settings(switches), inputs.initial_level_mwh, 0, 1)
    return day, explain_unmet(network, day.series[0], inputs.initial_level_mwh, day.trace, switches)


DRY = make_zone("C", hydro_max_daily_production_mwh=0.0)


def test_every_limit_has_a_text_and_a_transfer_is_explained_by_its_own():
    assert set(k.BOUNDS) == set(BOUND_TEXTS)
    day, _ = explained((DRY, make_zone("A")), (Link("A", "C", 70.0),), [100.0, 0.0])
    (transfer,) = day.transfers_of(0)
    assert explain_transfer(transfer) == "the line from the supplier was full"


def test_nothing_is_explained_when_nothing_is_unmet():
    assert explained((make_zone("A"),), (), [100.0])[1] == ()


def test_a_zone_without_lines_says_so_beside_its_own_limit():
    _, (found,) = explained((make_zone("A"),), (), [250.0])
    assert (found.zone, found.unmet_mwh) == ("A", 50.0)
    assert found.reasons == ("own turbines at their limit", "no line leads into it")


@pytest.mark.parametrize(
    ("level", "reason"),
    [(150.0, "own water above the minimum used up"), (100.0, "own reservoir is at or below its minimum"),
     (30.0, "own reservoir is at or below its minimum"), (900.0, "own turbines at their limit")],
)  # fmt: skip
def test_the_own_reservoir_is_told_from_the_own_turbines(level, reason):
    _, (found,) = explained((make_zone("A", initial_level_mwh=level),), (), [400.0])
    assert found.reasons[0] == reason


def test_a_full_line_is_named():
    _, (found,) = explained((DRY, make_zone("A")), (Link("A", "C", 70.0),), [100.0, 0.0])
    assert found.unmet_mwh == 30.0
    assert found.reasons[1:] == ("A: line A to C full",)


def test_a_full_second_line_is_named_with_the_way():
    transit = make_zone("T", hydro_max_daily_production_mwh=0.0)
    _, (found,) = explained(
        (DRY, transit, make_zone("S")), (Link("S", "T", 90.0), Link("T", "C", 40.0)), [100.0, 0.0, 0.0]
    )
    assert found.reasons[1:] == ("T: line T to C full", "S via T: line T to C full")


def test_a_supplier_with_nothing_left_is_named():
    _, (found,) = explained((DRY, make_zone("A")), (Link("A", "C", 500.0),), [300.0, 50.0])
    assert found.unmet_mwh == 150.0
    assert found.reasons[1:] == ("A: nothing left to send",)


def test_what_is_switched_off_is_named():
    links = (Link("A", "C", 500.0),)
    imports_off = Switches(import_phase1=False, import_phase2=False, local_hydro=False)
    _, found = explained((DRY, make_zone("A")), links, [100.0, 0.0], imports_off)
    assert [reason.reasons for reason in found] == [("own hydro is switched off", "imports are switched off")]
    _, (found,) = explained((DRY, make_zone("A")), links, [100.0, 0.0], Switches(import_phase2=False))
    assert found.reasons[1:] == ("A: below its force-export level, and imports 2 are off",)
    transit = make_zone("T", hydro_max_daily_production_mwh=0.0)
    chain = (Link("S", "T", 90.0), Link("T", "C", 90.0))
    _, (found,) = explained((DRY, transit, make_zone("S")), chain, [50.0, 0.0, 0.0], Switches(two_hop=False))
    assert "two-hop routes are switched off" in found.reasons
