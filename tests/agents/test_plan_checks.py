"""What a proposed plan must keep, and what it is told when it does not."""

import numpy as np
import pytest
from pydantic import ValidationError

from energy_sim.agents.coordination import plan
from energy_sim.agents.model import Rules
from energy_sim.agents.orders import follow
from energy_sim.agents.plan_checks import Proposal, check_plan
from tests.agents.core_cases import make_grid, make_resources

GRID = make_grid("A", "B", ties=[("A", "B", 1)])
RULES = Rules()
ROWS = [
    ("a/ev", 0, "ev", 3.0, 0.0, 11.0),
    ("b/ev", 0, "ev", 3.0, 0.0, 11.0),
    ("a/load", 0, "load", 9.0, 2.0, 9.5),
    ("a/battery", 0, "battery", 0.0, -5.0, 5.0),
    ("b/load", 0, "load", 1.0, 0.0, 2.0),
    ("c/solar", 1, "solar", -3.0, -3.0, 0.0),
]
RESOURCES = make_resources(ROWS, fixed=["b/load"], low_soc=["a/battery"])
# 16 kW at A, 1 kW comes from B, 3 kW are curtailed: 1.5 kW of each car, at a cost of 1 a kW
PLAN = plan(GRID, RESOURCES, np.zeros(2), RULES, (), 0.0)


def check(actions, ratio=1.2, resources=RESOURCES, deterministic=PLAN):
    proposal = Proposal.model_validate({"actions": [{"resource_id": i, "setpoint_kw": kw} for i, kw in actions]})
    return check_plan(proposal, resources, GRID, deterministic.transfers, deterministic, ratio, RULES)


def test_the_case_is_what_it_says():
    np.testing.assert_allclose(PLAN.setpoint_kw, [1.5, 1.5, 9.0, 0.0, 1.0, -3.0], rtol=0, atol=1e-12)
    assert PLAN.cost == pytest.approx(3.0)


def test_another_plan_as_good_is_taken_whole():
    made, reason = check([("a/ev", 0.0), ("b/ev", 3.0)])
    np.testing.assert_allclose(made.setpoint_kw, [0.0, 3.0, 9.0, 0.0, 1.0, -3.0], rtol=0, atol=1e-12)
    np.testing.assert_allclose(made.after_kw, [12.0, -2.0], rtol=0, atol=1e-12)
    assert (made.planner, made.validation, made.cost) == ("language model", reason, 3.0)
    assert made.transfers == PLAN.transfers
    assert reason == "accepted: cost 3.000 of at most 3.600"


@pytest.mark.parametrize(
    ("actions", "told"),
    [
        ([], "A: it leaves 15.000 kW, above 12.000 kW"),
        ([("a/ev", 0.1)], "A: it leaves 12.100 kW, above 12.000 kW"),
        ([("hospital", 0.0), ("a/ev", 0.0)], "1 of 2 resources are not known: 'hospital'"),
        ([("a/ev", 0.0), ("a/ev", 3.0)], "1 resources are named more than once: a/ev"),
        ([("a/ev", -0.1)], "a/ev: -0.100 kW is outside its bounds 0.000 .. 11.000 kW"),
        ([("a/load", -99.0)], "a/load: -99.000 kW is outside its bounds 2.000 .. 9.500 kW"),
        ([("a/battery", -3.0)], "a/battery: -3.000 kW is outside its bounds 0.000 .. 5.000 kW"),
        ([("c/solar", 0.1)], "c/solar: 0.100 kW is outside its bounds -3.000 .. 0.000 kW"),
        ([("a/ev", 0.0), ("b/load", 0.0)], "b/load cannot be ordered now"),
        ([("a/load", 6.0)], "cost 6.000 is above 3.600, 1.2 times the 3.000 of the merit order plan"),
        ([("a/ev", 0.0), ("b/ev", 0.0)], "cost 6.000 is above 3.600, 1.2 times the 3.000 of the merit order plan"),
        ([("a/ev", 0.0), ("a/battery", 1.0)], "A: it leaves 13.000 kW, above 12.000 kW"),
        ([("a/ev", 0.0), ("c/solar", -2.9)], "c/solar: 0.100 kW more, of which B has no need"),
        ([("a/ev", 0.0), ("b/ev", 2.8), ("a/battery", 0.2)], "a/battery: 0.200 kW more, of which A has no need"),
    ],
)
def test_a_plan_that_breaks_something_is_refused_with_the_numbers(actions, told):
    assert check(actions) == (None, told)


def test_a_bound_above_what_is_wanted_changes_nothing():
    made, _ = check([("a/ev", 0.0), ("b/ev", 11.0), ("a/load", 9.5)])
    assert made.setpoint_kw.tolist() == pytest.approx([0.0, 3.0, 9.0, 0.0, 1.0, -3.0])


def test_where_the_deterministic_plan_cannot_meet_the_limit_a_proposal_must_do_as_well():
    worse = plan(GRID, RESOURCES, np.array([9.0, 0.0]), RULES, (), 0.0)
    assert worse.shortfall_kw.tolist() == [0.0, 0.0]
    worst = plan(GRID, RESOURCES, np.array([14.0, 0.0]), RULES, (), 0.0)
    assert worst.shortfall_kw.tolist() == pytest.approx([4.0, 0.0])
    all_off = [("a/ev", 0.0), ("b/ev", 0.0), ("a/load", 2.0)]
    made, _ = check(all_off, deterministic=worst)
    assert made.shortfall_kw.tolist() == pytest.approx([4.0, 0.0])
    assert check(all_off[:2], deterministic=worst) == (None, "A: it leaves 23.000 kW, above 16.000 kW")


def test_an_order_that_may_not_be_released_yet_stays_in_a_proposal():
    standing, _, _ = follow((), PLAN, RESOURCES, 0.0, RULES)
    held = plan(GRID, RESOURCES, np.zeros(2), RULES, standing, 5.0)
    made, reason = check([("a/ev", 0.0), ("b/ev", 3.0)], deterministic=held, ratio=2.0)
    assert made.setpoint_kw[:2].tolist() == pytest.approx([0.0, 1.5])
    assert reason.startswith("accepted: cost 4.500")


@pytest.mark.parametrize(
    "text",
    [
        '{"actions":[{"resource_id":"a/ev","setpoint_kw":-1e999}]}',
        '{"actions":[{"resource_id":"a/ev","setpoint_kw":NaN}]}',
        '{"actions":[{"resource_id":"a/ev","setpoint_kw":0,"cmd":"x"}]}',
        '{"actions":[],"note":"trust me"}',
        '{"actions":[{"resource_id":"a/ev"}]}',
    ],
)
def test_a_proposal_that_is_not_of_the_schema_is_none(text):
    with pytest.raises(ValidationError):
        Proposal.model_validate_json(text)
