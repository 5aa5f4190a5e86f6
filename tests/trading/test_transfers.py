import doctest
from itertools import permutations

import numpy as np
import pytest

from energy_sim.errors import ConfigError
from energy_sim.trading import transfers
from energy_sim.trading.transfers import balanced_transfers, equal_savings, gini, shapley_values, top_up


def array(*values):
    return np.array(values, dtype=float)


def test_the_examples_run():
    assert doctest.testmod(transfers).failed == 0


def test_losses_are_paid_by_gains_in_proportion():
    np.testing.assert_allclose(top_up(array(2, 1, -4, -2), array(2, 1, -4, -2)), [2, 1, -2, -1])


def test_where_nobody_loses_nothing_moves():
    assert not top_up(array(-1, -2, 0), array(-1, 0, 0)).any()


def test_a_loss_of_money_alone_is_made_good_too():
    # the first saves cost but pays 1 more; the second has 3 to give in money, 5 in cost
    np.testing.assert_allclose(top_up(array(-2, -5), array(1, -3)), [1, -1])


def test_who_gains_cost_but_not_money_is_not_asked_to_pay():
    np.testing.assert_allclose(top_up(array(1, -5, -2), array(1, 0, -2)), [1, 0, -1])


def test_if_money_does_not_suffice_full_cost_counts_alone(caplog):
    # in money all lose; in cost the first loses 1 and the others gain 3 and 1
    np.testing.assert_allclose(top_up(array(1, -3, -1), array(2, 2, 2)), [1, -0.75, -0.25])
    assert "basis=full_cost lacking_eur=6.00" in caplog.text
    assert "pro_rata" not in caplog.text


def test_if_nothing_suffices_what_there_is_goes_to_the_losses_in_proportion(caplog):
    np.testing.assert_allclose(top_up(array(6, 2, -4), array(6, 2, -4)), [3, 1, -4])
    assert "basis=pro_rata lacking_eur=4.00" in caplog.text


def test_if_all_lose_nobody_pays():
    assert not top_up(array(1, 2), array(1, 2)).any()


def test_equal_savings_are_equal():
    moved = equal_savings(array(4, -10, -3))
    np.testing.assert_allclose(moved, [7, -7, 0])
    np.testing.assert_allclose(array(4, -10, -3) - moved, -3)


def test_the_rounding_of_transfers_goes_to_the_last_who_takes_part():
    moved = balanced_transfers(array(0.1, 0.2, -0.3, 0.0))
    assert moved.tolist()[:2] == [0.1, 0.2]
    assert moved[2] == -(0.1 + 0.2)
    assert moved[3] == 0


def by_all_orders(deficit, surplus, gain):
    """What each adds on joining, on average over every order."""
    people = range(deficit.shape[1])
    worth = {
        members: float(np.minimum(deficit[:, members].sum(1), surplus[:, members].sum(1)) @ gain)
        for k in range(len(people) + 1)
        for order in permutations(people, k)
        for members in [tuple(sorted(order))]
    }
    shares, orders = np.zeros(len(people)), list(permutations(people))
    for order in orders:
        for place, who in enumerate(order):
            before = tuple(sorted(order[:place]))
            shares[who] += (worth[tuple(sorted((*before, who)))] - worth[before]) / len(orders)
    return shares


@pytest.mark.parametrize("people", [1, 2, 3, 4])
def test_shapley_values_are_those_of_all_orders(people):
    rng = np.random.default_rng(people)
    net = rng.normal(size=(6, people))
    deficit, surplus, gain = np.maximum(net, 0), np.maximum(-net, 0), rng.uniform(-0.1, 0.3, 6)
    expected = by_all_orders(deficit, surplus, gain)
    assert people == 1 or np.abs(expected).max() > 0.01
    np.testing.assert_allclose(shapley_values(deficit, surplus, gain), expected, atol=1e-12)


def test_shapley_values_of_a_long_run_are_the_sum_of_its_parts():
    rng = np.random.default_rng(5)
    net = rng.normal(size=(2500, 3))  # more than two slices
    deficit, surplus, gain = np.maximum(net, 0), np.maximum(-net, 0), np.full(2500, 0.2)
    parts = sum(
        shapley_values(deficit[i : i + 100], surplus[i : i + 100], gain[i : i + 100]) for i in range(0, 2500, 100)
    )
    np.testing.assert_allclose(shapley_values(deficit, surplus, gain), parts, rtol=1e-12)


def test_ten_households_are_exact_and_eleven_refused():
    deficit = np.zeros((1, 11))
    surplus = np.zeros((1, 11))
    deficit[0, :9], surplus[0, 9] = 1.0, 9.0
    # the only seller joins after half of the nine buyers on average; a buyer joins after it half the time
    shares = shapley_values(deficit[:, :10], surplus[:, :10], np.ones(1))
    np.testing.assert_allclose(shares, [0.5] * 9 + [4.5])
    with pytest.raises(ConfigError, match="11 households, which is above 10"):
        shapley_values(deficit, surplus, np.ones(1))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((1, 3), 0.25),  # pairs differ by 4 in all; 4 / (2 * 2 * 4)
        ((5, 5, 5), 0.0),
        ((0, 0, 0, 4), 0.75),
        ((0, 0), 0.0),
        ((-2, -2), 0.0),
        ((-1, 1), 0.5),  # total 0
        ((-3, 1), 0.5),  # pairs differ by 8 in all; 8 / (2 * 2 * 4)
        ((7,), 0.0),
    ],
)
def test_gini_is_what_was_worked_out_by_hand(values, expected):
    assert gini(array(*values)) == pytest.approx(expected)
