"""Transfers between households at the end of a billing period, EUR, and how unequal an outcome is.

A transfer is what a household receives (positive) or pays (negative); the transfers of a period sum to 0.

    top_up(...)          nobody worse off than without the community
    equal_savings(...)   the same saving for everybody
    shapley_values(...)  what each household's presence is worth to the others, on average over all orders of joining
"""

import logging
import math

import numpy as np
from numpy.typing import NDArray

from energy_sim.errors import ConfigError

Floats = NDArray[np.float64]

logger = logging.getLogger(__name__)

SHAPLEY_LIMIT = 10  # households; every one more doubles the coalitions
NEGLIGIBLE_EUR = 1e-9  # claims not above it are rounding
STEPS_AT_ONCE = 1024  # of the coalition table, which is coalitions by steps


def top_up(cost_change_eur: Floats, money_change_eur: Floats) -> Floats:
    """Transfers after which nobody is worse off than in the baseline, as far as the community's saving allows.

    A household claims the larger of its two losses, in full cost and in money, so that it is worse off in neither.
    Who gains in both pays, in proportion to the smaller of its two gains and never more than it. Where all gains
    together do not cover all claims, claims count by full cost alone; where that does not suffice either, what there
    is goes to the claims pro rata. Every fallback is logged as a warning.

    Args:
        cost_change_eur: (N,) full cost less that of the baseline; positive is a loss.
        money_change_eur: (N,) money paid less money got, less that of the baseline.

    Returns:
        (N,) transfers, sum 0.

    >>> top_up(np.array([1.0, -3.0, -1.0]), np.array([1.0, -3.0, -1.0]))
    array([ 1.  , -0.75, -0.25])
    """
    claims = np.maximum(cost_change_eur, money_change_eur)
    if _lacking(claims) > NEGLIGIBLE_EUR:
        full_cost_lacking_eur = _lacking(cost_change_eur)
        if full_cost_lacking_eur > NEGLIGIBLE_EUR:
            logger.warning(
                "top_up basis=pro_rata lacking_eur=%.2f: no saving to pay losses from", full_cost_lacking_eur
            )
        else:
            logger.warning("top_up basis=full_cost lacking_eur=%.2f: not enough for money too", _lacking(claims))
        claims = cost_change_eur
    return _balanced(_paid_by_gains(claims))


def equal_savings(cost_change_eur: Floats) -> Floats:
    """Transfers after which every household saves the same full cost against the baseline.

    Where the community as a whole saves nothing there is nothing to share: no transfers, and a warning.

    Args:
        cost_change_eur: (N,) full cost less that of the baseline.

    Returns:
        (N,) transfers, sum 0.

    >>> equal_savings(np.array([1.0, -3.0, -1.0]))
    array([ 2., -2.,  0.])
    """
    total_eur = math.fsum(cost_change_eur)
    if total_eur > NEGLIGIBLE_EUR:
        logger.warning("equal_savings total_saving_eur=%.2f: nothing to share, no transfers", -total_eur)
        return np.zeros_like(cost_change_eur)
    return _balanced(cost_change_eur - total_eur / len(cost_change_eur))


def shapley_values(deficit_kwh: Floats, surplus_kwh: Floats, gain_eur_per_kwh: Floats) -> Floats:
    """Each household's share of what trade is worth, by Shapley's rule, exact over all coalitions.

    A coalition is worth, step by step, the gain per kWh times what its deficits and surpluses have in common; the
    dispatch of the batteries stays as it was. Households that add nothing get nothing, equal ones get the same, and
    the shares add up to what the whole community is worth.

    Args:
        deficit_kwh: (T, N) what a household lacks, 0 or more.
        surplus_kwh: (T, N) what it has too much, 0 or more.
        gain_eur_per_kwh: (T,) worth of a kWh that is traded instead of bought from and sold to the grid.

    Returns:
        (N,) EUR.

    Raises:
        ConfigError: more than `SHAPLEY_LIMIT` households.

    Source: Shapley (1953), A Value for n-Person Games, Contributions to the Theory of Games II.
    """
    households = deficit_kwh.shape[1]
    check_shapley(households)
    coalitions = np.arange(2**households)
    member = (coalitions[:, None] >> np.arange(households)) & 1  # (2^N, N)
    worth = np.zeros(len(coalitions))
    for first in range(0, len(deficit_kwh), STEPS_AT_ONCE):
        steps = slice(first, first + STEPS_AT_ONCE)
        shared = np.minimum(member @ deficit_kwh[steps].T, member @ surplus_kwh[steps].T)  # (2^N, steps)
        worth += shared @ gain_eur_per_kwh[steps]
    # A household that joins k others does so in k! (N-k-1)! of the N! orders.
    orders = np.array([math.factorial(k) * math.factorial(households - k - 1) for k in range(households)])
    weight = orders / math.factorial(households)
    size = member.sum(axis=1)
    joined = weight[np.maximum(size - 1, 0)] * worth
    not_joined = weight[np.minimum(size, households - 1)] * worth  # nobody is outside the last coalition
    return np.asarray(member.T @ joined - (1 - member.T) @ not_joined, dtype=np.float64)


def check_shapley(households: int) -> None:
    """Refuse a community that is too large for exact Shapley values.

    Raises:
        ConfigError: more than `SHAPLEY_LIMIT` households.
    """
    if households > SHAPLEY_LIMIT:
        raise ConfigError(
            f"settlement.mechanism: shapley with {households} households, which is above {SHAPLEY_LIMIT}; "
            f"set household.max_households to {SHAPLEY_LIMIT} or less, or choose another mechanism"
        )


def balanced_transfers(transfer_eur: Floats) -> Floats:
    """The same transfers with their rounding error, which must be rounding only, in the last entry that is not 0."""
    return _balanced(transfer_eur)


def gini(values: Floats) -> float:
    """How unequal values are: 0 for equal ones, towards 1 when one household has everything.

    Mean absolute difference of all pairs over twice the mean absolute value. For values of 0 and more this is the
    usual coefficient; with negative ones it stays between 0 and 1, and a total of 0 needs no exception. All zero: 0.

    Source: Raffinetti, Siletti and Vernizzi (2015), On the Gini coefficient normalization when attributes with
    negative values are considered, Statistical Methods & Applications 24 (without the small-sample factor n/(n-1)).

    >>> gini(np.array([1.0, 3.0]))
    0.25
    """
    ordered = np.sort(values)
    count, total = len(ordered), float(np.abs(ordered).sum())
    if total == 0:
        return 0.0
    ranks = 2 * np.arange(1, count + 1) - count - 1
    return max(float(ranks @ ordered) / (count * total), 0.0)


def _lacking(claims: Floats) -> float:
    """What the gains (negative claims) fall short of the losses (positive claims)."""
    return math.fsum(claims)


def _paid_by_gains(claims: Floats) -> Floats:
    """(N,) transfers: positive claims met from negative ones, both in proportion, as far as the gains reach."""
    owed = np.where(claims > NEGLIGIBLE_EUR, claims, 0.0)
    gains = np.where(claims < -NEGLIGIBLE_EUR, -claims, 0.0)
    moved = min(owed.sum(), gains.sum())
    if moved <= 0:
        return np.zeros(len(claims))
    return np.asarray(owed * (moved / owed.sum()) - gains * (moved / gains.sum()), dtype=np.float64)


def _balanced(transfer_eur: Floats) -> Floats:
    """The last entry that is not 0 takes the rounding, so that the sum is 0."""
    balanced = np.array(transfer_eur, dtype=np.float64)
    taking_part = np.flatnonzero(balanced)
    if len(taking_part):
        last = taking_part[-1]
        balanced[last] = 0.0
        balanced[last] = -math.fsum(balanced)
    return balanced
