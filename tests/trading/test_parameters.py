"""Parameters: defaults, limits, what must fit together, JSON files, older files, and what the page is told."""

import json
import logging

import pytest
from pydantic import ValidationError

from energy_sim.errors import ConfigError
from energy_sim.trading.parameters import TradingParameters, describe_fields

FIELDS = {(f.group, f.name): f for f in describe_fields()}


def problems_of(content):
    with pytest.raises(ConfigError) as caught:
        TradingParameters.from_json(content, "p.json")
    return caught.value.problems


def test_what_is_left_out_has_its_default():
    p = TradingParameters.from_json({"battery": {"simple_capacity_kwh": 7}})
    assert p.battery.simple_capacity_kwh == 7.0
    assert (p.battery.simple_c_rate, p.battery.soc_min, p.battery.soc_max) == (0.5, 0.05, 0.95)
    assert (p.simulation.simulation_steps, p.household.max_households, p.grid_price.mode) == (168, 30, "random")
    assert (p.settlement.mechanism, p.optimizer.engine, p.ledger.signed) == ("mid_market_rate", "cvxpy", True)


def test_saved_parameters_are_loaded_again(tmp_path):
    p = TradingParameters.from_json(
        {"simulation": {"simulation_steps": None, "start": "2026-07-06T00:00"}, "household": {"selection": {"A": 2}}}
    )
    p.save(tmp_path / "p.json")
    assert TradingParameters.load(tmp_path / "p.json") == p
    assert json.loads((tmp_path / "p.json").read_text())["household"]["selection"] == {"A": 2}


def test_parameters_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        TradingParameters().battery.soc_min = 0.2


def test_all_faults_are_named_at_once_with_place_limit_and_mend():
    found = problems_of(
        {
            "simulation": {"seed": True, "time_step_hours": 0},
            "battery": {"central_capacity_kwh": 50, "capacity": 1},
            "optimizer": {"kind": "magic"},
            "household": {"selection": {"A": 0}},
        }
    )
    assert len(found) == 6
    text = "\n".join(found)
    assert "p.json: simulation.time_step_hours: 0 is below 0.01; give 0.01 or more" in found
    assert "p.json: battery.central_capacity_kwh: 50 is outside the limits; give 0 for none, or 100 to 1000" in found
    assert "p.json: battery.capacity: unknown key; the keys here are simple_capacity_kwh, simple_c_rate" in text
    assert "optimizer.kind: 'magic' is not one of 'convex', 'greedy' or 'none'" in text
    assert "household.selection: 'A': 0 is outside the limits" in text
    assert "simulation.seed: True is refused" in text


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ({"grid_price": {"max_sell_price": 0.3}}, "max_sell_price 0.3 is not below min_buy_price 0.24"),
        ({"grid_price": {"min_buy_price": 0.4}}, "min_buy_price 0.4 is above max_buy_price 0.36"),
        ({"grid_price": {"min_sell_price": 0.2}}, "min_sell_price 0.2 is above max_sell_price 0.1"),
        ({"grid_price": {"mode": "constant", "sell_price": 0.3}}, "sell_price 0.3 is not below buy_price 0.3"),
        ({"grid_price": {"mode": "time_of_use", "tou_sell_price": 0.25}}, "is not below off_peak_buy_price 0.24"),
        ({"grid_price": {"mode": "time_of_use", "peak_end_hour": 7}}, "peak_end_hour 7 is peak_start_hour"),
        ({"grid_capacity": {"mode": "synthetic", "peak_end_hour": 17}}, "peak_end_hour 17 is peak_start_hour"),
        ({"battery": {"soc_min": 0.6}}, "initial_soc 0.5 is outside soc_min 0.6 to soc_max 0.95"),
        ({"battery": {"soc_min": 0.5, "soc_max": 0.5}}, "soc_min 0.5 is not below soc_max 0.5"),
        ({"simulation": {"start": "monday"}}, "'monday' is no moment"),
        ({"simulation": {"start": "2026-01-01T00:00Z"}}, "has an offset from UTC"),
        ({"batery": {}}, "batery: unknown key; the keys here are simulation, household, battery"),
        ({"battery": {"eta_charge": float("nan")}}, "eta_charge: nan is refused"),
    ],
)
def test_what_does_not_fit_is_refused(content, says):
    found = problems_of(content)
    assert len(found) == 1
    assert says in found[0]


def test_only_what_the_chosen_mode_uses_is_compared():
    p = TradingParameters.from_json({"grid_price": {"mode": "constant", "max_sell_price": 0.3, "sell_price": 0.29}})
    assert p.grid_price.sell_price == 0.29


@pytest.mark.parametrize("at", [0.1, 0.9])
def test_batteries_may_start_empty_or_full(at):
    p = TradingParameters.from_json({"battery": {"soc_min": 0.1, "soc_max": 0.9, "initial_soc": at}})
    assert p.battery.initial_soc == at


def test_a_file_of_the_older_program_loads_and_what_is_not_used_is_logged(tmp_path, caplog):
    older = {
        "simulation": {"simulation_steps": 90, "time_step_hours": 1.0},
        "household": {"max_households": 10, "shared_battery_probability": 0.3, "initial_wallet": 100.0},
        "battery": {"simple_capacity_kwh": 10.0, "central_capacity_kwh": 500.0},
        "grid_price": {"min_buy_price": 0.3, "max_buy_price": 0.5, "min_sell_price": 0.1, "max_sell_price": 0.2},
        "grid_capacity": {
            "use_capacity_limits": True,
            "default_import_capacity_kw": 10000,
            "default_export_capacity_kw": 8000,
        },
        "forecaster": {"history_size": 24, "prediction_size": 12},
        "optimizer": {"p2p_transaction_cost": 0.5, "min_trade_threshold": 0.1, "wallet_penalty_weight": 0.25},
    }
    path = tmp_path / "params.json"
    path.write_text(json.dumps(older), encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        p = TradingParameters.load(path)
    assert (p.household.initial_wallet, p.battery.central_capacity_kwh, p.optimizer.p2p_transaction_cost) == (
        100,
        500,
        0.5,
    )
    assert [r.getMessage() for r in caplog.records] == [
        f"parameter not used file={path} name=optimizer.wallet_penalty_weight value=0.25"
    ]
    assert "wallet_penalty_weight" not in p.model_dump()["optimizer"]


@pytest.mark.parametrize(
    ("text", "says"), [("{", "is no valid JSON"), ("[1]", "holds a list"), (None, "cannot be read")]
)
def test_a_file_that_holds_no_parameters_is_named(tmp_path, text, says):
    path = tmp_path / "p.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=f"p.json: {says}"):
        TradingParameters.load(path)


def test_parameters_that_cannot_be_written_say_where(tmp_path):
    with pytest.raises(ConfigError, match=r"none/p.json: cannot be written \(No such file"):
        TradingParameters().save(tmp_path / "none" / "p.json")


def test_the_page_is_told_title_help_and_limits_of_every_field():
    assert len(FIELDS) == sum(len(group) for group in TradingParameters().model_dump().values())
    for field in FIELDS.values():
        assert field.title
        assert field.help.endswith(".")
        assert field.default == getattr(getattr(TradingParameters(), field.group), field.name)
        assert (field.low is not None and field.high is not None) == (field.kind in {"number", "whole"})
        assert bool(field.choices) == (field.kind == "choice")


def test_a_field_is_described_as_it_is_checked():
    capacity, steps = FIELDS["battery", "shared_capacity_kwh"], FIELDS["simulation", "simulation_steps"]
    assert (capacity.kind, capacity.low, capacity.high, capacity.unit, capacity.optional) == (
        "number",
        30,
        100,
        "kWh",
        False,
    )
    assert (steps.kind, steps.low, steps.high, steps.default, steps.optional) == ("whole", 1, 1_000_000, 168, True)
    assert FIELDS["optimizer", "engine"].choices == ("cvxpy", "highs")
    assert FIELDS["household", "selection"].kind == "table"
    assert FIELDS["simulation", "start"].kind == "text"
    assert FIELDS["ledger", "enabled"].kind == "switch"
    for field in FIELDS.values():
        if field.low is not None:
            outside = field.low - 1
            assert any(field.name in line for line in problems_of({field.group: {field.name: outside}}))
