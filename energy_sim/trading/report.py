"""What the community brought: a table by household and a summary of the run, baseline against optimised.

    table = household_report(base_flows, base_accounts, flows, accounts, ids)
    numbers = summary(base_flows, base_accounts, flows, accounts, ids, market)

Energy is kWh, money EUR. A saving is cost in the baseline less cost in the optimised run.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from energy_sim.trading.model import Accounts, Floats, Flows, Market
from energy_sim.trading.transfers import gini

WORSE_EUR = 1e-6  # a household is worse off when it loses more than this


def self_sufficiency(load_kwh: Floats, grid_buy_kwh: Floats, unserved_kwh: Floats) -> Floats:
    """Share of consumption that did not come from the grid, 0 to 1, NaN without consumption.

    Args are totals of any shape. Energy of a neighbour counts as own. A battery filled from the grid can take more
    than is consumed; that is 0, not less.
    """
    outside = grid_buy_kwh + unserved_kwh
    share = np.divide(load_kwh - outside, load_kwh, out=np.full_like(load_kwh, np.nan), where=load_kwh > 0)
    return np.clip(share, 0, 1)


def self_consumption(pv_kwh: Floats, grid_sell_kwh: Floats, curtailed_kwh: Floats) -> Floats:
    """Share of production that was neither fed in nor curtailed, 0 to 1, NaN without production; totals of any shape.

    What a neighbour uses counts as used.
    """
    lost = grid_sell_kwh + curtailed_kwh
    share = np.divide(pv_kwh - lost, pv_kwh, out=np.full_like(pv_kwh, np.nan), where=pv_kwh > 0)
    return np.clip(share, 0, 1)


def household_report(
    base_flows: Flows, base_accounts: Accounts, flows: Flows, accounts: Accounts, ids: Sequence[str]
) -> pd.DataFrame:
    """One row per household.

    Args:
        base_flows: the baseline.
        base_accounts: the baseline's money.
        flows: the optimised run of the same households.
        accounts: its money.
        ids: (N,) of the households.

    Returns:
        pd.DataFrame: ``worse_off`` compares full cost, ``pays_more`` money in the wallet alone; both also as they
        would be ``_without_transfer``. Shares are NaN where a household consumes nothing.
    """
    saving = base_accounts.cost_eur - accounts.cost_eur
    saving_before = base_accounts.cost_eur - accounts.cost_before_transfer_eur
    wallet_base, wallet = base_accounts.wallet_eur[-1], accounts.wallet_eur[-1]
    return pd.DataFrame(
        {
            "household_id": list(ids),
            "cost_baseline_eur": base_accounts.cost_eur,
            "cost_optimized_eur": accounts.cost_eur,
            "savings_eur": saving,
            "savings_before_transfer_eur": saving_before,
            "transfer_eur": accounts.transfer_eur,
            "wallet_baseline_eur": wallet_base,
            "wallet_optimized_eur": wallet,
            "self_sufficiency_baseline": _sufficiency(base_flows),
            "self_sufficiency_optimized": _sufficiency(flows),
            "grid_buy_baseline_kwh": base_flows.grid_buy_kwh.sum(axis=0),
            "grid_buy_optimized_kwh": flows.grid_buy_kwh.sum(axis=0),
            "grid_sell_baseline_kwh": base_flows.grid_sell_kwh.sum(axis=0),
            "grid_sell_optimized_kwh": flows.grid_sell_kwh.sum(axis=0),
            "p2p_buy_kwh": flows.p2p_buy_kwh.sum(axis=0),
            "p2p_sell_kwh": flows.p2p_sell_kwh.sum(axis=0),
            "unserved_baseline_kwh": base_flows.unserved_kwh.sum(axis=0),
            "unserved_kwh": flows.unserved_kwh.sum(axis=0),
            "worse_off": saving < -WORSE_EUR,
            "worse_off_without_transfer": saving_before < -WORSE_EUR,
            "pays_more": wallet < wallet_base - WORSE_EUR,
            "pays_more_without_transfer": wallet - accounts.transfer_eur < wallet_base - WORSE_EUR,
        }
    )


def summary(
    base_flows: Flows, base_accounts: Accounts, flows: Flows, accounts: Accounts, ids: Sequence[str], market: Market
) -> dict[str, object]:
    """Totals of the community, ready for JSON: numbers are plain, and None where one is not defined.

    Args:
        base_flows: the baseline.
        base_accounts: the baseline's money.
        flows: the optimised run of the same households.
        accounts: its money.
        ids: (N,) of the households.
        market: for the price of unserved energy.
    """
    table = household_report(base_flows, base_accounts, flows, accounts, ids)
    before, after = float(base_accounts.cost_eur.sum()), float(accounts.cost_eur.sum())
    savings = base_accounts.cost_eur - accounts.cost_eur
    bought_before, bought = float(base_flows.grid_buy_kwh.sum()), float(flows.grid_buy_kwh.sum())
    numbers: dict[str, object] = {
        "total_cost_baseline": before,
        "total_cost_optimized": after,
        "improvement_pct": _percent(before - after, abs(before)),
        "grid_buy_reduction_pct": _percent(bought_before - bought, bought_before),
        "p2p_kwh": float(flows.p2p_buy_kwh.sum()),
        "fees_eur": float(accounts.fee_eur.sum()),
        "transfers_eur": float(np.maximum(accounts.transfer_eur, 0).sum()),
        "congestion_rent_moved_eur": float(np.maximum(accounts.rent_eur, 0).sum()),
        "worse_off_households": int(table["worse_off"].sum()),
        "worse_off_without_transfer": int(table["worse_off_without_transfer"].sum()),
        "paying_more_households": int(table["pays_more"].sum()),
        "paying_more_without_transfer": int(table["pays_more_without_transfer"].sum()),
        "equity_gini_savings": gini(savings),
        "best_household": _household(ids, savings, int(np.argmax(savings))),
        "worst_household": _household(ids, savings, int(np.argmin(savings))),
    }
    for run, its_flows, its_accounts in (
        ("baseline", base_flows, base_accounts),
        ("optimized", flows, accounts),
    ):
        numbers |= {name.format(run): value for name, value in _totals(its_flows, its_accounts, market).items()}
    return {name: _plain(value) for name, value in numbers.items()}


def _totals(flows: Flows, accounts: Accounts, market: Market) -> dict[str, float]:
    """Totals of one run; the name has a place for the run."""
    unserved, curtailed = flows.unserved_kwh.sum(), flows.curtailed_kwh.sum()
    bought, sold = flows.grid_buy_kwh.sum(), flows.grid_sell_kwh.sum()
    sufficiency = self_sufficiency(np.array(flows.load_kwh.sum()), np.array(bought), np.array(unserved))
    consumption = self_consumption(np.array(flows.pv_kwh.sum()), np.array(sold), np.array(curtailed))
    return {
        "grid_buy_{}_kwh": float(bought),
        "grid_sell_{}_kwh": float(sold),
        "unserved_{}_kwh": float(unserved),
        "unserved_cost_{}_eur": float(unserved * market.voll_eur_per_kwh),
        "curtailed_{}_kwh": float(curtailed),
        "wallet_{}_eur": float(accounts.wallet_eur[-1].sum()),
        "self_sufficiency_{}": float(sufficiency),
        "self_consumption_{}": float(consumption),
    }


def _sufficiency(flows: Flows) -> Floats:
    """(N,) of the households."""
    return self_sufficiency(flows.load_kwh.sum(axis=0), flows.grid_buy_kwh.sum(axis=0), flows.unserved_kwh.sum(axis=0))


def _household(ids: Sequence[str], savings: Floats, place: int) -> dict[str, object]:
    return {"id": str(ids[place]), "savings_eur": float(savings[place])}


def _percent(part: float, whole: float) -> float | None:
    return 100 * part / whole if whole else None


def _plain(value: object) -> object:
    """None for a number that JSON cannot write."""
    return None if isinstance(value, float) and not np.isfinite(value) else value
