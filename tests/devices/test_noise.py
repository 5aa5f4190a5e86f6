"""Noise as a function of time: the same in any order, normal at every moment, smooth between knots."""

import random

import numpy as np
import pytest

from energy_sim.devices.noise import KEPT_KNOTS, Noise


def test_a_knot_holds_the_numbers_drawn_for_it() -> None:
    drawn = np.random.default_rng([5, 7, 20]).standard_normal(4)
    assert Noise(5, 7, 4, 60.0).at(1200.0).tolist() == drawn.tolist()


def test_half_way_between_knots_both_count_by_the_root_of_a_half() -> None:
    noise = Noise(5, 7, 4, 60.0)
    assert noise.at(1230.0) == pytest.approx((noise.at(1200.0) + noise.at(1260.0)) / np.sqrt(2))


def test_any_order_of_asking_gives_the_same_numbers() -> None:
    moments = [17.0 * i for i in range(200)]
    forward = Noise(1, 2, 3, 60.0)
    wanted = {moment: forward.at(moment).tolist() for moment in moments}
    random.Random(0).shuffle(moments)
    other = Noise(1, 2, 3, 60.0)
    assert all(other.at(moment).tolist() == wanted[moment] for moment in moments)
    assert KEPT_KNOTS < 3000 / 60  # so knots were dropped and drawn again


def test_the_first_numbers_do_not_depend_on_how_many_follow() -> None:
    assert Noise(1, 2, 5, 60.0).at(100.0).tolist() == Noise(1, 2, 5000, 60.0).at(100.0)[:5].tolist()


@pytest.mark.parametrize("moment", [600.0, 615.0, 630.0, 659.0])
def test_variance_is_one_at_and_between_knots(moment: float) -> None:
    values = Noise(3, 4, 40_000, 60.0).at(moment)
    assert values.mean() == pytest.approx(0.0, abs=0.02)
    assert values.std() == pytest.approx(1.0, abs=0.015)


@pytest.mark.parametrize(("seed", "kind", "moment"), [(4, 4, 600.0), (3, 5, 600.0), (3, 4, 660.0)])
def test_other_seeds_purposes_and_knots_are_independent(seed: int, kind: int, moment: float) -> None:
    one, other = Noise(3, 4, 40_000, 60.0).at(600.0), Noise(seed, kind, 40_000, 60.0).at(moment)
    assert np.corrcoef(one, other)[0, 1] == pytest.approx(0.0, abs=0.02)


def test_neighbouring_seconds_are_nearly_the_same() -> None:
    noise = Noise(3, 4, 1000, 60.0)
    assert np.abs(noise.at(631.0) - noise.at(630.0)).max() < 0.15
