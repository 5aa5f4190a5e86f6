"""The plan of a horizon as one readable CVXPY problem, compiled once and solved for every step with Clarabel.

    optimiser = ConvexOptimiser(shape)
    plan = optimiser.plan(horizon, stored_kwh)

The equations are those of horizon_problem.py; every array of numbers is a `Parameter`.
"""

import logging
import warnings

import cvxpy as cp
import numpy as np
import scipy.sparse as sp  # type: ignore[import-untyped]

from energy_sim.errors import InfeasibleError
from energy_sim.trading.horizon_problem import HorizonData, Shape, horizon_data
from energy_sim.trading.model import Floats, Horizon, Plan
from energy_sim.trading.plan_checks import finished_plan

logger = logging.getLogger(__name__)


class ConvexOptimiser:
    """Plans with CVXPY; ``raised_wear`` counts the plans whose wear was raised because of prices below 0."""

    def __init__(self, shape: Shape) -> None:
        """Build and compile the problem."""
        self.shape = shape
        self.raised_wear = 0
        self._build()

    def _build(self) -> None:
        shape, market = self.shape, self.shape.market
        units = shape.storage.units
        periods, homes, count = shape.horizon_steps, len(shape.homes), len(units)
        per_unit, per_home = (periods, count), (periods, homes)
        sizes = dict.fromkeys(("start", "most_charge", "most_discharge", "least_stored", "most_stored"), per_unit)
        sizes |= dict.fromkeys(("load", "pv", "most_lack", "most_surplus"), per_home)
        sums = ("lack", "surplus", "own_use", "buy", "sell", "most_import", "most_export", "end_value")
        self._given = {name: cp.Parameter(size, name=name) for name, size in sizes.items()}
        self._given |= {name: cp.Parameter(periods, name=name) for name in sums}
        self._given["wear"] = cp.Parameter(count, name="wear")
        given = self._given

        charge = self._charge = cp.Variable(per_unit, name="charge", nonneg=True)
        discharge = self._discharge = cp.Variable(per_unit, name="discharge", nonneg=True)
        stored = cp.Variable(per_unit, name="stored")
        home_lack = cp.Variable(per_home, name="home_lack", nonneg=True)
        home_surplus = cp.Variable(per_home, name="home_surplus", nonneg=True)
        grid_buy, grid_sell, unserved, curtailed, drawn = (
            cp.Variable(periods, name=name, nonneg=True)
            for name in ("grid_buy", "grid_sell", "unserved", "curtailed", "drawn")
        )
        lack = home_lack.sum(axis=1) + given["lack"] + drawn
        surplus = home_surplus.sum(axis=1) + given["surplus"] - curtailed
        pool = lack - grid_buy - unserved
        net = home_lack - home_surplus - (charge - discharge) @ shape.ownership
        kept = given["start"] + sp.eye(periods, k=-1) @ stored @ sp.diags(shape.retention)
        change = charge @ sp.diags(units.eta_charge) - discharge @ sp.diags(1 / units.eta_discharge)
        self._balance = pool == surplus - grid_sell
        constraints = [
            self._balance,
            pool >= 0,
            stored == kept + change,
            stored >= given["least_stored"],
            stored <= given["most_stored"],
            charge <= given["most_charge"],
            discharge <= given["most_discharge"],
            net >= given["load"] - given["pv"],
            net <= given["load"],
            home_lack <= given["most_lack"],
            home_surplus <= given["most_surplus"],
            grid_buy <= given["most_import"],
            grid_sell <= given["most_export"],
            curtailed <= given["surplus"],
            drawn <= given["own_use"],
        ]
        cost = (
            given["buy"] @ grid_buy
            - given["sell"] @ grid_sell
            + market.fee_eur_per_kwh * pool.sum()
            + market.voll_eur_per_kwh * unserved.sum()
            + ((charge + discharge) @ given["wear"]).sum()
            - given["end_value"] @ stored.sum(axis=1)
        )
        self.problem = cp.Problem(cp.Minimize(cost), constraints)

    def plan(self, horizon: Horizon, stored_kwh: Floats) -> Plan:
        """Plan a horizon and return its first step.

        Args:
            horizon: 1 to H periods; the first is to be decided.
            stored_kwh: (M,) in the units now.

        Raises:
            InfeasibleError: the solver gives up, or its plan does not hold.
            DataError: the horizon does not fit or holds what is no number.
        """
        data = horizon_data(self.shape, horizon, stored_kwh)
        self.raised_wear += data.wear_raised
        objective = self._solve(data)
        charge, discharge = (np.asarray(moved.value, dtype=np.float64) for moved in (self._charge, self._discharge))
        price = float(self._balance.dual_value[0])
        return finished_plan(self.shape, horizon, data, charge, discharge, objective, price)

    def _solve(self, data: HorizonData) -> float:
        for name, parameter in self._given.items():
            parameter.value = getattr(data, name)
        facts = f"trading plan: cvxpy, {self.shape.households} households, {data.steps} periods"
        advice = "plan this step with optimizer.kind greedy, or use optimizer.engine highs"
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Solution may be inaccurate", UserWarning)
                self.problem.solve(solver=cp.CLARABEL)  # type: ignore[no-untyped-call]
        except cp.error.SolverError as error:
            raise InfeasibleError(f"{facts}: {error}; {advice}") from error
        if self.problem.status == cp.OPTIMAL_INACCURATE:
            logger.warning("plan is less accurate than asked for steps=%d", data.steps)
        elif self.problem.status != cp.OPTIMAL:
            raise InfeasibleError(f"{facts}: the solver says {self.problem.status}; {advice}")
        return float(self.problem.value)
