"""The plan of a horizon as one linear program in a HiGHS that stays: from step to step only numbers change.

    optimiser = HighsOptimiser(shape)
    plan = optimiser.plan(horizon, stored_kwh)

Columns and rows are ordered by period. The best basis of a plan, moved by one period, is nearly the best of the next:
it is still within its limits where the forecast came true, so the primal simplex has little left to do. The first
plan has no such start: small ones take the dual simplex, large ones the interior point method with crossover.
"""

import logging
from typing import Any

import highspy
import numpy as np
import scipy.sparse as sp  # type: ignore[import-untyped]

from energy_sim.errors import InfeasibleError
from energy_sim.trading.horizon_problem import HorizonData, Shape, horizon_data
from energy_sim.trading.model import Floats, Horizon, Plan
from energy_sim.trading.plan_checks import TOLERANCE_COST, finished_plan

logger = logging.getLogger(__name__)

LARGE = 5000  # units times periods from which the interior point method is the quicker start
DUAL, PRIMAL = 1, 4  # HiGHS' simplex_strategy
SUMS = 5  # columns of the community in a period: grid buy, grid sell, unserved, curtailed, drawn


class HighsOptimiser:
    """Plans with a persistent HiGHS.

    ``raised_wear`` counts the plans whose wear was raised because of prices below 0, ``cold_starts`` those that were
    not begun from the plan before.
    """

    def __init__(self, shape: Shape) -> None:
        """Build the matrix; the solver takes it with the numbers of the first plan."""
        self.shape = shape
        self.raised_wear = 0
        self.cold_starts = 0
        self._matrix = matrix_of(shape)
        self._begun = False  # whether the basis of a plan before is at hand
        self._solver: Any = None  # highspy.Highs, whose stubs lack half of its methods
        self._rows = np.arange(self._matrix.shape[0], dtype=np.int32)
        self._columns = np.arange(self._matrix.shape[1], dtype=np.int32)

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
        try:
            return self._solved(horizon, data)
        except InfeasibleError:
            self._solver = None  # the next plan begins anew
            raise

    def _solved(self, horizon: Horizon, data: HorizonData) -> Plan:
        shape, count = self.shape, len(self.shape.storage.units)
        solver = self._with_numbers(data)
        if not self._run(solver, warm=self._begun):
            self._run(solver, warm=False)
        status = solver.getModelStatus()
        if status != highspy.HighsModelStatus.kOptimal:
            raise InfeasibleError(
                f"trading plan: highs, {shape.households} households, {data.steps} periods: the solver says "
                f"{solver.modelStatusToString(status)}; plan this step with optimizer.kind greedy, or use "
                f"optimizer.engine cvxpy"
            )
        found = solver.getSolution()
        columns = np.array(found.col_value).reshape(shape.horizon_steps, -1)
        balance = count + len(shape.homes)  # row of the first period
        return finished_plan(
            shape,
            horizon,
            data,
            columns[:, :count],
            columns[:, count : 2 * count],
            solver.getInfo().objective_function_value,
            -float(found.row_dual[balance]),
        )

    def _with_numbers(self, data: HorizonData) -> Any:
        """The solver with the numbers of a plan, and with the basis of the plan before, moved by one period."""
        cost, lower, upper, row_lower, row_upper, constant = numbers_of(self.shape, data)
        self._begun = self._solver is not None
        if self._solver is None:
            solver = self._solver = highspy.Highs()  # type: ignore[no-untyped-call]
            solver.setOptionValue("output_flag", False)
            solver.passModel(_model(self._matrix, cost, lower, upper, row_lower, row_upper))
        else:
            solver = self._solver
            solver.changeColsCost(len(cost), self._columns, cost)
            solver.changeColsBounds(len(cost), self._columns, lower, upper)
            solver.changeRowsBounds(len(row_lower), self._rows, row_lower, row_upper)
            self._begun = _move_basis(solver, self.shape.horizon_steps)
        solver.changeObjectiveOffset(constant)
        return solver

    def _run(self, solver: Any, *, warm: bool) -> bool:
        """Solve; whether the optimum is proven by its dual.

        A start from a given basis may end in a plan that is not the best though it is called so (HiGHS 1.15.1,
        github.com/ERGO-Code/HiGHS issue 3194), therefore the dual objective is compared.
        """
        if not warm:
            self.cold_starts += 1
            solver.clearSolver()
        is_large = len(self.shape.storage.units) * self.shape.horizon_steps >= LARGE
        solver.setOptionValue("solver", "ipx" if is_large and not warm else "simplex")
        solver.setOptionValue("simplex_strategy", PRIMAL if warm else DUAL)
        solver.run()
        if solver.getModelStatus() == highspy.HighsModelStatus.kOptimal:
            gap = solver.getInfo().primal_dual_objective_error
            if abs(gap) <= TOLERANCE_COST:
                return True
            logger.warning("plan is not proven best warm=%s relative_gap=%.3g", warm, gap)
        return False


def matrix_of(shape: Shape) -> sp.csc_matrix:
    """The equations of all periods, (rows, columns), both ordered by period.

    Columns of a period: charge, discharge, stored (M each), lack, surplus (B each), grid buy, grid sell, unserved,
    curtailed, drawn. Rows: stored energy (M), net of homes (B), balance of the pool, volume of the pool.
    """
    units, homes, periods = shape.storage.units, len(shape.homes), shape.horizon_steps
    count = len(units)
    owned, one = shape.ownership.T, np.ones((1, homes))
    each_unit, each_home = sp.identity(count), sp.identity(homes)
    period = sp.bmat(
        [
            [sp.diags(-units.eta_charge), sp.diags(1 / units.eta_discharge), each_unit, None, None, None],
            [-owned, owned, None, each_home, -each_home, None],
            [None, None, None, one, -one, np.array([[-1.0, 1.0, -1.0, 1.0, 1.0]])],
            [None, None, None, one, None, np.array([[-1.0, 0.0, -1.0, 0.0, 1.0]])],
        ],
        format="csr",
    )
    stored = np.arange(count)
    before = sp.csr_matrix((-shape.retention, (stored, 2 * count + stored)), shape=period.shape)
    return sp.csc_matrix(sp.kron(sp.identity(periods), period) + sp.kron(sp.eye(periods, k=-1), before))


def numbers_of(shape: Shape, data: HorizonData) -> tuple[Floats, Floats, Floats, Floats, Floats, float]:
    """Cost, lower and upper bound of the columns, lower and upper bound of the rows, and the constant of the cost."""
    periods, homes, market = shape.horizon_steps, len(shape.homes), shape.market
    fee, voll = market.fee_eur_per_kwh, market.voll_eur_per_kwh
    per_unit, per_home = np.zeros_like(data.most_charge), np.zeros((periods, homes))
    none, ones = np.zeros(periods), np.ones(periods)
    wear = per_unit + data.wear
    worth = per_unit - data.end_value[:, None]
    sums = np.column_stack([data.buy - fee, -data.sell, ones * (voll - fee), none, ones * fee])
    cost = np.hstack([wear, wear, worth, per_home + fee, per_home, sums])
    lower = np.hstack([per_unit, per_unit, data.least_stored, per_home, per_home, np.zeros((periods, SUMS))])
    most = np.column_stack([data.most_import, data.most_export, ones * np.inf, data.surplus, data.own_use])
    upper = np.hstack(
        [data.most_charge, data.most_discharge, data.most_stored, data.most_lack, data.most_surplus, most]
    )
    offered = (data.surplus - data.lack)[:, None]
    row_lower = np.hstack([data.start, data.load - data.pv, offered, -data.lack[:, None]])
    row_upper = np.hstack([data.start, data.load, offered, np.full((periods, 1), np.inf)])
    constant = fee * float(data.lack.sum())
    return cost.ravel(), lower.ravel(), upper.ravel(), row_lower.ravel(), row_upper.ravel(), constant


def _model(
    matrix: sp.csc_matrix, cost: Floats, lower: Floats, upper: Floats, row_lower: Floats, row_upper: Floats
) -> highspy.HighsLp:
    model = highspy.HighsLp()
    model.num_row_, model.num_col_ = matrix.shape
    model.col_cost_, model.col_lower_, model.col_upper_ = cost, lower, upper
    model.row_lower_, model.row_upper_ = row_lower, row_upper
    model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    model.a_matrix_.start_ = matrix.indptr
    model.a_matrix_.index_ = matrix.indices
    model.a_matrix_.value_ = matrix.data
    return model


def _move_basis(solver: Any, periods: int) -> bool:
    """Give every period the basis of the next one and the last its own again; whether there was one to move."""
    found = solver.getBasis()
    if not found.valid:
        return False
    columns, rows = list(found.col_status), list(found.row_status)
    width, height = len(columns) // periods, len(rows) // periods
    moved = highspy.HighsBasis()
    moved.col_status = columns[width:] + columns[-width:]
    moved.row_status = rows[height:] + rows[-height:]
    moved.valid = True
    moved.alien = True  # not as many basic as rows: HiGHS mends that
    return bool(solver.setBasis(moved) == highspy.HighsStatus.kOk)
