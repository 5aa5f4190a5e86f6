"""Help over ties: how much, from whom, and which curtailment it saves."""

from dataclasses import replace

import numpy as np
import pytest

from energy_sim.agents.model import Transfer
from energy_sim.agents.transfers import neighbour_help, shift_kw, situation
from tests.agents.core_cases import make_grid

COSTS = np.array([1.0, 2.0, 5.0, 10.0])


def helped(grid, load_kw, room_kw=None):
    load = np.array(load_kw, dtype=float)
    room = np.zeros((len(load), 4)) if room_kw is None else np.array(room_kw, dtype=float)
    return neighbour_help(grid, situation(grid, load, load, room, COSTS))


@pytest.mark.parametrize(
    ("load", "tie", "kw"),
    [([15, -8], 5, 3), ([19, -8], 5, 5), ([19, -4], 5, 4)],
    ids=["all that is needed", "what the tie carries", "what the neighbour feeds in"],
)
def test_a_neighbour_that_feeds_in_relieves_an_overload(load, tie, kw):
    transfers, planner = helped(make_grid("A", "B", ties=[("A", "B", tie)]), load)
    assert transfers == (Transfer("B", "A", float(kw), "overload"),)
    assert planner == "merit order"


def test_a_neighbour_that_draws_gives_nothing():
    assert helped(make_grid("A", "B", ties=[("A", "B", 5)]), [15, 0.5]) == ((), "merit order")


def test_a_neighbour_takes_what_is_beyond_the_export_limit_up_to_its_own():
    grid = make_grid("A", "B", ties=[("B", "A", 5)])
    assert helped(grid, [-23, 2])[0] == (Transfer("A", "B", 3.0, "underload"),)
    assert helped(grid, [-23, -19])[0] == (Transfer("A", "B", 1.0, "underload"),)


def test_scarce_help_goes_where_curtailment_is_dearest():
    # B feeds in 4 kW; A (4 kW over) has cars, C (4 kW over) has batteries only: the help is for C
    grid = make_grid("A", "B", "C", ties=[("A", "B", 9), ("B", "C", 9)])
    transfers, planner = helped(grid, [16, -4, 16], [[9, 0, 0, 0], [0] * 4, [0, 0, 0, 9]])
    assert planner == "linear programme"
    assert [(t.source, t.target) for t in transfers] == [("B", "C")]
    assert transfers[0].kw == pytest.approx(4.0, abs=1e-6)


def test_help_passes_through_a_transformer_that_stays_as_it_is():
    grid = make_grid("A", "B", "C", ties=[("A", "B", 3), ("B", "C", 9)])
    transfers, _ = helped(grid, [17, 6, -9])
    np.testing.assert_allclose(shift_kw(grid, transfers), [-3, 0, 3], rtol=0, atol=1e-6)
    assert {(t.source, t.target) for t in transfers} == {("C", "B"), ("B", "A")}


def test_several_neighbours_together_cover_what_one_cannot_and_help_is_never_moved_in_circles():
    grid = make_grid("A", "B", "C", ties=[("A", "B", 9), ("A", "C", 9), ("B", "C", 9)])
    transfers, _ = helped(grid, [18, -2, -30])
    shift = shift_kw(grid, transfers)
    assert shift[0] <= -6 + 1e-6
    assert shift[1] <= 2 + 1e-6
    assert -30 + shift[2] == pytest.approx(-20.0, abs=1e-6)  # what C has beyond its export limit is all taken
    assert shift.sum() == pytest.approx(0.0, abs=1e-12)
    assert len({frozenset((t.source, t.target)) for t in transfers}) == len(transfers)


def test_help_relieves_an_uncertain_overload_whole_whether_or_not_ties_are_coupled():
    # A: 2 kW surely, 15 kW at most, limit 12, nothing may be fed in: 3 kW of help, though it could feed in for a while
    for ties in ([("A", "B", 9)], [("A", "B", 9), ("B", "C", 9)]):
        grid = make_grid("A", "B", "C", limit_kw=12.0, export_kw=0.0, ties=ties)
        grid = replace(grid, transformers=(grid.transformers[0], *make_grid("B", "C").transformers))
        high, low = np.array([15.0, -9.0, 0.0]), np.array([2.0, -9.0, 0.0])
        transfers, _ = neighbour_help(grid, situation(grid, high, low, np.zeros((3, 4)), COSTS))
        np.testing.assert_allclose(shift_kw(grid, transfers), [-3, 3, 0], rtol=0, atol=1e-6)
