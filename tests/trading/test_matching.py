"""The pool of a step: shares, pairs and small trades."""

import numpy as np
import pytest

from energy_sim.errors import ConfigError
from energy_sim.trading.matching import drop_small, match_trades, share_pool


def array(*values):
    return np.array(values, dtype=float)


def test_a_dynamic_key_gives_in_proportion_to_what_is_wanted_and_offered():
    bought, sold = share_pool(array(6, 3, 0, 0), array(0, 0, 2, 4), 6, "dynamic")
    assert bought == pytest.approx([4, 2, 0, 0])
    assert sold == pytest.approx([0, 0, 2, 4])


def test_a_smaller_volume_leaves_everybody_the_same_share_short():
    bought, sold = share_pool(array(6, 3, 0), array(0, 0, 9), 3, "dynamic")
    assert bought == pytest.approx([2, 1, 0])
    assert sold == pytest.approx([0, 0, 3])


def test_a_static_key_offers_equal_shares_and_what_is_not_used_is_not_traded():
    bought, sold = share_pool(array(1, 5, 0, 0), array(0, 0, 6, 2), 6, "static")
    assert bought == pytest.approx([1, 2, 0, 0])  # 8 kWh by 4 households: 2 each
    assert sold == pytest.approx([0, 0, 2.25, 0.75])


def test_a_static_key_never_exceeds_the_volume():
    bought, sold = share_pool(array(2, 2, 0, 0), array(0, 0, 8, 0), 1, "static")
    assert bought == pytest.approx([0.5, 0.5, 0, 0])
    assert sold == pytest.approx([0, 0, 1, 0])


@pytest.mark.parametrize("key", ["dynamic", "static"])
def test_more_than_there_is_cannot_be_shared(key):
    bought, sold = share_pool(array(2, 0), array(0, 1), 1e9, key)
    assert bought == pytest.approx([1, 0] if key == "dynamic" else [0.5, 0])
    assert bought.sum() == sold.sum()


@pytest.mark.parametrize("key", ["dynamic", "static"])
@pytest.mark.parametrize(
    ("deficit", "surplus", "volume"), [([0, 0], [1, 2], 5), ([1, 2], [0, 0], 5), ([1, 0], [0, 1], 0)]
)
def test_nothing_is_shared_where_one_side_or_the_volume_is_missing(key, deficit, surplus, volume):
    bought, sold = share_pool(array(*deficit), array(*surplus), volume, key)
    assert bought.tolist() == sold.tolist() == [0, 0]


def test_an_unknown_key_is_refused_with_the_known_ones():
    with pytest.raises(ConfigError, match="'fair' is unknown; give one of dynamic, static"):
        share_pool(array(1, 0), array(0, 1), 1, "fair")


def test_trades_follow_the_north_west_corner():
    seller, buyer, kwh = match_trades(array(0, 3, 0, 2), array(4, 0, 1, 0))
    assert seller.tolist() == [0, 0, 2]
    assert buyer.tolist() == [1, 3, 3]
    assert kwh == pytest.approx([3, 1, 1])


def test_ends_that_meet_make_no_trade_of_nothing():
    seller, buyer, kwh = match_trades(array(0.1 + 0.2, 0, 0.4, 0), array(0, 0.3, 0, 0.4))
    assert seller.tolist() == [1, 3]
    assert buyer.tolist() == [0, 2]
    assert kwh == pytest.approx([0.3, 0.4])


def test_without_quantities_there_are_no_trades():
    for bought, sold in ((array(0, 0), array(0, 0)), (array(), array())):
        seller, buyer, kwh = match_trades(bought, sold)
        assert len(seller) == len(buyer) == len(kwh) == 0
        assert seller.dtype == buyer.dtype == np.int64


@pytest.mark.parametrize("seed", range(20))
def test_trades_add_up_for_everybody_and_are_few(seed):
    rng = np.random.default_rng(seed)
    homes = int(rng.integers(2, 1000))
    net = rng.normal(size=homes) * rng.choice([1e-3, 1, 50], homes)
    net[:2] = 1, -1
    deficit, surplus = np.maximum(net, 0), np.maximum(-net, 0)
    bought, sold = share_pool(deficit, surplus, np.inf, "dynamic")
    seller, buyer, kwh = match_trades(bought, sold)
    volume = min(deficit.sum(), surplus.sum())
    assert kwh.sum() == pytest.approx(volume, rel=1e-12)
    assert np.abs(np.bincount(buyer, kwh, homes) - bought).max() <= 1e-12 * volume
    assert np.abs(np.bincount(seller, kwh, homes) - sold).max() <= 1e-12 * volume
    assert len(kwh) <= np.count_nonzero(bought) + np.count_nonzero(sold) - 1
    assert (kwh > 0).all()
    assert not (seller == buyer).any()


def trades(*kwh):
    return np.arange(len(kwh)), np.arange(len(kwh)) + 10, array(*kwh)


def test_small_trades_are_dropped_and_the_order_stays():
    seller, buyer, kwh = drop_small(*trades(0.5, 0.002, 0.01, 0.009), 0.01, np.inf)
    assert seller.tolist() == [0, 2]
    assert buyer.tolist() == [10, 12]
    assert kwh.tolist() == [0.5, 0.01]


def test_the_largest_of_the_small_ones_stay_where_the_grid_cannot_take_them():
    seller, _, kwh = drop_small(*trades(0.3, 0.1, 2.0, 0.2), 1.0, room_kwh=0.35)
    assert seller.tolist() == [0, 2]  # 0.1 and 0.2 fit into the room, 0.3 on top would not
    assert kwh.tolist() == [0.3, 2.0]


@pytest.mark.parametrize("room_kwh", [0.0, -1.0])
def test_without_room_every_trade_stays(room_kwh):
    assert drop_small(*trades(0.3, 0.1), 1.0, room_kwh)[2].tolist() == [0.3, 0.1]


def test_without_a_threshold_every_trade_stays():
    assert drop_small(*trades(1e-9, 1.0), 0.0, np.inf)[2].tolist() == [1e-9, 1.0]
