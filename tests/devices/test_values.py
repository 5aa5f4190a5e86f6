"""What a configuration may say of a single house: limits, appliances as names or with own values."""

import pytest
from pydantic import ValidationError

from energy_sim.devices.appliances import NAMES
from energy_sim.devices.values import ApplianceValues, HouseValues


def test_everything_may_be_left_out():
    assert set(HouseValues().model_dump().values()) == {None}
    assert set(ApplianceValues().model_dump().values()) == {None}


def test_appliances_are_names_or_own_values_by_name():
    usual = ApplianceValues()
    assert HouseValues(appliances=["ev", "dishwasher"]).appliances == {"ev": usual, "dishwasher": usual}
    assert HouseValues(appliances=("ev",)).appliances == {"ev": usual}
    assert HouseValues(appliances=[]).appliances == {}
    given = HouseValues.model_validate({"appliances": {"ev": {"power_w": 3700}, "heat_pump": None, "dishwasher": {}}})
    assert given.appliances == {"ev": ApplianceValues(power_w=3700.0), "heat_pump": usual, "dishwasher": usual}
    assert HouseValues(appliances=NAMES).appliances == dict.fromkeys(NAMES, usual)


def test_values_read_back_from_json():
    given = HouseValues.model_validate(
        {"house_id": "Mill-2", "pv_kwp": 0, "tilt_deg": 90, "appliances": {"ev": {"energy_kwh": 7.5}}}
    )
    assert HouseValues.model_validate(given.model_dump(mode="json")) == given


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("house_id", "a" * 32), ("house_id", "9_-Z"), ("pv_kwp", 0), ("pv_kwp", 100.0), ("azimuth_deg", 0),
        ("azimuth_deg", 359.99), ("tilt_deg", 0), ("tilt_deg", 90), ("base_load_kwh", 0), ("base_load_kwh", 100_000),
    ],
)  # fmt: skip
def test_values_at_the_limits_are_taken(name, value):
    assert getattr(HouseValues.model_validate({name: value}), name) == value


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({"house_id": ""}, "string_pattern_mismatch"),
        ({"house_id": "a.b"}, "string_pattern_mismatch"),  # the dot ends a family's name
        ({"house_id": "a" * 33}, "string_pattern_mismatch"),
        ({"house_id": "Zoë"}, "string_pattern_mismatch"),
        ({"house_id": "a\n"}, "string_pattern_mismatch"),
        ({"house_id": 5}, "string_type"),
        ({"pv_kwp": -0.1}, "greater_than_equal"),
        ({"pv_kwp": 100.1}, "less_than_equal"),
        ({"pv_kwp": float("nan")}, "finite_number"),
        ({"pv_kwp": True}, "float_type"),
        ({"pv_kwp": "5"}, "float_type"),
        ({"azimuth_deg": 360}, "less_than"),
        ({"tilt_deg": 90.1}, "less_than_equal"),
        ({"base_load_kwh": float("inf")}, "finite_number"),
        ({"roof": "red"}, "extra_forbidden"),
        ({"appliances": ["tv"]}, "value_error"),
        ({"appliances": {"tv": {}}}, "value_error"),
        ({"appliances": [["ev"]]}, "value_error"),
        ({"appliances": [{"ev": 1}]}, "value_error"),
        ({"appliances": [None]}, "value_error"),
        ({"appliances": "ev"}, "dict_type"),
        ({"appliances": 4}, "dict_type"),
        ({"appliances": {"ev": 5}}, "model_type"),
        ({"appliances": {"ev": {"power_w": 0.9}}}, "greater_than_equal"),
        ({"appliances": {"ev": {"power_w": 100_001}}}, "less_than_equal"),
        ({"appliances": {"ev": {"energy_kwh": 0}}}, "greater_than"),
        ({"appliances": {"ev": {"runs_per_week": -1}}}, "greater_than_equal"),
        ({"appliances": {"ev": {"runs_per_week": 51}}}, "less_than_equal"),
        ({"appliances": {"ev": {"colour": "red"}}}, "extra_forbidden"),
    ],
)
def test_a_bad_value_is_refused_with_its_reason(values, kind):
    with pytest.raises(ValidationError) as refused:
        HouseValues.model_validate(values)
    assert [error["type"] for error in refused.value.errors()] == [kind]


def test_an_unknown_appliance_is_named_with_those_there_are():
    with pytest.raises(
        ValidationError, match="'tv' is no appliance; choose among dishwasher, washing_machine, ev, heat"
    ):
        HouseValues(appliances=["ev", "tv"])


def test_equal_values_have_equal_hashes():
    one, other, third = (HouseValues(pv_kwp=5.0, appliances=names) for names in (["ev"], {"ev": {}}, ["dishwasher"]))
    assert (one, hash(one)) == (other, hash(other))
    assert one != third
    assert len({one, other, third, HouseValues()}) == 3


def test_values_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        HouseValues().pv_kwp = 3.0
