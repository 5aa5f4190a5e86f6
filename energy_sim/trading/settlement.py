"""Who pays what: from the energy of a run to wallets, for every mechanism. Money is EUR, energy kWh, prices EUR/kWh.

Within a step all trade has one price p: a buyer pays p and the fee per kWh, a seller gets p. The price lies between
what the grid pays and what it takes less the fee, so that neither side loses against the grid. The exceptions:
`bill_sharing` has price 0 and shares the bill instead; `dual_price` leaves the range when a limit of the grid binds.

    mid_market_rate      p = (sell + buy - fee) / 2
    supply_demand_ratio  1/p between 1/sell (surplus covers deficit) and 1/(buy - fee) (no surplus)
    bill_sharing         p = 0; what is paid to the grid is shared by energy taken, what it pays by energy given
    dual_price           the marginal value in the plan; beyond a limit, grid energy has that price too (rent)
    equal_savings        mid_market_rate, then transfers to the same saving for everybody
    shapley              mid_market_rate, then transfers to the Shapley value of trade (up to 10 households)
"""

import logging
from dataclasses import replace

import numpy as np

from energy_sim.errors import ConfigError
from energy_sim.trading import transfers
from energy_sim.trading.model import Accounts, Floats, Flows, Market, Prices

logger = logging.getLogger(__name__)

MECHANISMS = ("mid_market_rate", "supply_demand_ratio", "bill_sharing", "dual_price", "equal_savings", "shapley")
DUAL_TOLERANCE = 1e-5  # EUR/kWh; a dual this near to the price range is inside it, solvers are no more exact


def settle(
    flows: Flows,
    prices: Prices,
    market: Market,
    mechanism: str,
    top_up: bool,
    initial_wallet_eur: float,
    baseline: Accounts | None,
) -> Accounts:
    """Settle a run: what every household pays and gets in every step, and the transfers at its end.

    Args:
        flows: what happened.
        prices: of the grid.
        market: fee, price of unserved energy, worth of stored energy.
        mechanism: one of `MECHANISMS`.
        top_up: transfers so that nobody is worse off than in `baseline`; see `transfers.top_up`. After
            `equal_savings` there is nothing left to top up, unless the community saves nothing.
        initial_wallet_eur: in every wallet at the start.
        baseline: the same households without trade; None for a run that has none, which has no transfers then.

    Returns:
        Accounts: transfers are booked in the last step of the wallets.

    Raises:
        ConfigError: an unknown mechanism, or Shapley values for too many households.
    """
    check_mechanism(mechanism, flows.load_kwh.shape[1])
    accounts = _before_transfers(flows, prices, market, mechanism, initial_wallet_eur)
    if baseline is None:
        return accounts
    transfer_eur = _transfers(accounts, flows, prices, market, mechanism, top_up, baseline)
    logger.info(
        "settled mechanism=%s traded_kwh=%.1f transferred_eur=%.2f",
        mechanism,
        flows.p2p_buy_kwh.sum(),
        np.maximum(transfer_eur, 0).sum(),
    )
    return _with_transfers(accounts, transfer_eur)


def check_mechanism(mechanism: str, households: int) -> None:
    """Say before a run what settlement would say after it.

    Raises:
        ConfigError: an unknown mechanism, or Shapley values for too many households.
    """
    if mechanism not in MECHANISMS:
        raise ConfigError(f"settlement.mechanism: {mechanism!r} is unknown; choose one of {', '.join(MECHANISMS)}")
    if mechanism == "shapley":
        transfers.check_shapley(households)


def pool_prices(flows: Flows, prices: Prices, market: Market, mechanism: str) -> Floats:
    """(T,) price a seller gets per kWh, EUR/kWh, also for steps in which nothing was traded."""
    highest = prices.buy - market.fee_eur_per_kwh
    if mechanism == "supply_demand_ratio":
        return _ratio_price(flows, prices.sell, highest)
    if mechanism == "bill_sharing":
        return np.zeros_like(highest)
    if mechanism == "dual_price":
        return _dual_price(flows, prices.sell, highest)
    return np.asarray((prices.sell + highest) / 2, dtype=np.float64)


def _before_transfers(flows: Flows, prices: Prices, market: Market, mechanism: str, initial_eur: float) -> Accounts:
    """The accounts of a run without the transfers at its end."""
    price = pool_prices(flows, prices, market, mechanism)
    grid_cost_eur = flows.grid_buy_kwh * prices.buy[:, None]
    grid_income_eur = flows.grid_sell_kwh * prices.sell[:, None]
    fee_eur = flows.p2p_buy_kwh * market.fee_eur_per_kwh
    if mechanism == "bill_sharing":
        taken, given = flows.grid_buy_kwh + flows.p2p_buy_kwh, flows.grid_sell_kwh + flows.p2p_sell_kwh
        grid_cost_eur, fee_eur = _shared(grid_cost_eur, taken), _shared(fee_eur, taken)
        grid_income_eur = _shared(grid_income_eur, given)
    p2p_cost_eur = flows.p2p_buy_kwh * price[:, None]
    p2p_income_eur = flows.p2p_sell_kwh * price[:, None]
    highest = prices.buy - market.fee_eur_per_kwh
    rent_eur = _rent(flows, price, prices.sell, highest) if mechanism == "dual_price" else np.zeros_like(grid_cost_eur)
    gain_eur = grid_income_eur - grid_cost_eur + p2p_income_eur - p2p_cost_eur - fee_eur + rent_eur
    stored_gain_kwh = flows.stored_kwh[-1] - flows.opening_kwh
    cost_eur = (
        -gain_eur.sum(axis=0)
        + flows.wear_eur.sum(axis=0)
        + market.voll_eur_per_kwh * flows.unserved_kwh.sum(axis=0)
        - market.end_value_eur_per_kwh * stored_gain_kwh
    )
    return Accounts(
        wallet_eur=initial_eur + np.cumsum(gain_eur, axis=0),
        grid_cost_eur=grid_cost_eur,
        grid_income_eur=grid_income_eur,
        p2p_cost_eur=p2p_cost_eur,
        p2p_income_eur=p2p_income_eur,
        fee_eur=fee_eur,
        rent_eur=rent_eur,
        transfer_eur=np.zeros(gain_eur.shape[1]),
        p2p_price=np.where(flows.p2p_buy_kwh.sum(axis=1) > 0, price, np.nan),
        cost_eur=cost_eur,
        cost_before_transfer_eur=cost_eur,
    )


def _with_transfers(accounts: Accounts, transfer_eur: Floats) -> Accounts:
    wallet_eur = accounts.wallet_eur.copy()
    wallet_eur[-1] += transfer_eur
    cost_eur = accounts.cost_before_transfer_eur - transfer_eur
    return replace(accounts, wallet_eur=wallet_eur, transfer_eur=transfer_eur, cost_eur=cost_eur)


def _transfers(
    accounts: Accounts, flows: Flows, prices: Prices, market: Market, mechanism: str, top_up: bool, baseline: Accounts
) -> Floats:
    """(N,) transfers of the mechanism and, on top, those that make good what is left of losses."""
    cost_change = accounts.cost_eur - baseline.cost_eur
    money_change = baseline.wallet_eur[-1] - accounts.wallet_eur[-1]
    moved = np.zeros_like(cost_change)
    if mechanism == "shapley":
        moved = _shapley_transfers(accounts, flows, prices, market)
    elif mechanism == "equal_savings":
        moved = transfers.equal_savings(cost_change)
        money_change = cost_change  # equality is in full cost; making good losses of money alone would undo it
    if top_up:
        moved = moved + transfers.top_up(cost_change - moved, money_change - moved)
    return transfers.balanced_transfers(moved)


def _shapley_transfers(accounts: Accounts, flows: Flows, prices: Prices, market: Market) -> Floats:
    """Shapley value of trade less what a household gained from trade within the period.

    What trade is worth is counted on what was traded: where the smallest trades were dropped, every coalition's worth
    of that step shrinks by the same share, so that all values together are what the community gained from trade.
    """
    deficit, surplus = flows.grid_buy_kwh + flows.p2p_buy_kwh, flows.grid_sell_kwh + flows.p2p_sell_kwh
    common, traded = np.minimum(deficit.sum(axis=1), surplus.sum(axis=1)), flows.p2p_buy_kwh.sum(axis=1)
    used = np.divide(traded, common, out=np.zeros_like(common), where=common > 0)
    gain_per_kwh = prices.buy - market.fee_eur_per_kwh - prices.sell
    due_eur = transfers.shapley_values(deficit, surplus, gain_per_kwh * used)
    bought_gain = flows.p2p_buy_kwh * prices.buy[:, None] - accounts.p2p_cost_eur - accounts.fee_eur
    sold_gain = accounts.p2p_income_eur - flows.p2p_sell_kwh * prices.sell[:, None]
    return np.asarray(due_eur - (bought_gain + sold_gain).sum(axis=0), dtype=np.float64)


def _offered(flows: Flows) -> tuple[Floats, Floats]:
    """(T,) deficit and surplus of the community before the grid's limits: unserved and curtailed energy count."""
    deficit = (flows.grid_buy_kwh + flows.p2p_buy_kwh + flows.unserved_kwh).sum(axis=1)
    surplus = (flows.grid_sell_kwh + flows.p2p_sell_kwh + flows.curtailed_kwh).sum(axis=1)
    return deficit, surplus


def _ratio_price(flows: Flows, lowest: Floats, highest: Floats) -> Floats:
    """(T,) p with 1/p = r/sell + (1 - r)/(buy - fee), where r is surplus over deficit, at most 1.

    The price of the source with the grid's price less the fee as its upper end, so that price and fee together never
    exceed the grid's price. Where the grid pays nothing for energy that formula breaks down; a straight line between
    the same two ends stands in.

    Source: Liu et al. (2017), Energy-Sharing Model With Price-Based Demand Response for Microgrids of Peer-to-Peer
    Prosumers, IEEE Transactions on Power Systems 32(5), eqs. 5-7.
    """
    deficit, surplus = _offered(flows)
    larger = np.maximum(surplus, deficit)
    ratio = np.divide(surplus, larger, out=np.ones_like(deficit), where=larger > 0)
    highest = np.maximum(highest, lowest)
    harmonic = (lowest > 0) & (highest > 0)
    bottom = np.where(harmonic, (highest - lowest) * ratio + lowest, 1.0)
    return np.asarray(np.where(harmonic, lowest * highest / bottom, highest - (highest - lowest) * ratio))


def _dual_price(flows: Flows, lowest: Floats, highest: Floats) -> Floats:
    """(T,) price of the plan; without one, what the grid pays if there is too much energy, else what it takes."""
    deficit, surplus = _offered(flows)
    price = np.where(np.isfinite(flows.pool_price), flows.pool_price, np.where(surplus >= deficit, lowest, highest))
    inside = np.clip(price, np.minimum(lowest, highest), np.maximum(lowest, highest))
    return np.where(np.abs(price - inside) <= DUAL_TOLERANCE, inside, price)


def _rent(flows: Flows, price: Floats, lowest: Floats, highest: Floats) -> Floats:
    """(T, N) congestion rent got back less paid: beyond a limit of the grid, its energy has the pool's price too.

    Above the range, energy bought from the grid pays the difference on top; below it, energy sold to the grid gives
    the difference up. The households own the limit in equal shares, so each gets an equal share of the rent.
    """
    above = np.maximum(price - np.maximum(lowest, highest), 0)
    below = np.maximum(np.minimum(lowest, highest) - price, 0)
    paid = flows.grid_buy_kwh * above[:, None] + flows.grid_sell_kwh * below[:, None]
    return np.asarray(paid.mean(axis=1, keepdims=True) - paid, dtype=np.float64)


def _shared(amount_eur: Floats, energy_kwh: Floats) -> Floats:
    """(T, N) the sum of a step over households, shared in proportion to energy.

    Source: bill sharing after Long et al. (2017), Peer-to-peer energy trading in a community microgrid, IEEE PES
    General Meeting, with the energy that passes a household's meter.
    """
    total_kwh = energy_kwh.sum(axis=1, keepdims=True)
    share = np.divide(energy_kwh, total_kwh, out=np.zeros_like(energy_kwh), where=total_kwh > 0)
    return np.asarray(share * amount_eur.sum(axis=1, keepdims=True), dtype=np.float64)
