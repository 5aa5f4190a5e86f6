import pytest
from pydantic import BaseModel

from energy_sim.errors import ConfigError
from energy_sim.trading.presets import PRESETS, apply_preset
from energy_sim.trading.settlement import MECHANISMS

DEFAULTS = {
    "mechanism": "mid_market_rate",
    "top_up": True,
    "allocation_key": "dynamic",
    "preset": "",
    "grid_fee_eur_per_kwh": 0.0,
    "grid_fee_reduction": 1.0,
    "levies_eur_per_kwh": 0.0,
}


def local_fee(values):
    return (1 - values["grid_fee_reduction"]) * values["grid_fee_eur_per_kwh"] + values["levies_eur_per_kwh"]


@pytest.mark.parametrize(
    ("name", "reduction", "key", "fee"),
    [
        ("ch_leg_same_level", 0.40, "dynamic", 0.6 * 0.115 + 0.040),
        ("ch_leg_more_levels", 0.20, "dynamic", 0.8 * 0.115 + 0.040),
        ("de_42c", 0.0, "dynamic", 0.163),
        ("at_eeg_local", 0.57, "dynamic", 0.43 * 0.0796 + 0.0051),
        ("at_eeg_local_static", 0.57, "static", 0.43 * 0.0796 + 0.0051),
        ("at_eeg_regional", 0.28, "dynamic", 0.72 * 0.0796 + 0.0051),
    ],
)
def test_a_preset_sets_key_reduction_and_what_a_local_kwh_pays(name, reduction, key, fee):
    values = apply_preset(DEFAULTS | {"preset": name})
    assert (values["grid_fee_reduction"], values["allocation_key"]) == (reduction, key)
    assert local_fee(values) == pytest.approx(fee)
    assert values.keys() == DEFAULTS.keys()


def test_all_presets_are_covered_above_and_say_where_they_are_from():
    assert len(PRESETS) == 6
    for name, preset in PRESETS.items():
        assert preset.name == name
        assert preset.mechanism in MECHANISMS
        assert preset.allocation_key in {"dynamic", "static"}
        assert 0 <= preset.grid_fee_reduction <= 1
        assert preset.source
        assert preset.source_date
        assert preset.amounts_source


def test_the_docs_name_every_preset(root):
    said = (root / "docs" / "trading-rules.md").read_text(encoding="utf-8")
    for preset in PRESETS.values():
        assert f"`{preset.name}`" in said
        assert f"{preset.grid_fee_reduction:.0%}".replace("%", " %") in said


def test_the_amounts_are_those_of_their_sources():
    swiss, german, austrian = (PRESETS[name] for name in ("ch_leg_same_level", "de_42c", "at_eeg_local"))
    assert swiss.grid_fee_eur_per_kwh == pytest.approx(0.1075 * 1.07, abs=5e-4)
    assert swiss.levies_eur_per_kwh == pytest.approx((0.023 + 0.0041 + 0.0005 + 0.01) * 1.07, abs=5e-4)
    assert german.grid_fee_eur_per_kwh == pytest.approx(350.10 / 3500, abs=5e-4)
    assert german.levies_eur_per_kwh == pytest.approx(0.0205 + 0.01559 + 0.00941 + 0.00446 + 0.0132, abs=5e-4)
    assert austrian.grid_fee_eur_per_kwh == pytest.approx(0.00583 / 0.0732, abs=5e-5)
    assert austrian.levies_eur_per_kwh == pytest.approx(0.00037 / 0.0732, abs=5e-5)


def test_without_a_preset_nothing_changes_and_the_argument_is_left_alone():
    given = dict(DEFAULTS)
    values = apply_preset(given)
    assert values == DEFAULTS
    values["top_up"] = False
    assert given == DEFAULTS


def test_amounts_and_mechanism_of_your_own_stay():
    own = DEFAULTS | {"preset": "de_42c", "grid_fee_eur_per_kwh": 0.08, "mechanism": "dual_price"}
    values = apply_preset(own)
    assert (values["grid_fee_eur_per_kwh"], values["mechanism"]) == (0.08, "dual_price")
    assert values["levies_eur_per_kwh"] == 0.063
    assert apply_preset({"preset": "de_42c"})["mechanism"] == "mid_market_rate"


def test_a_pydantic_group_is_taken_too():
    class Group(BaseModel):
        preset: str = "at_eeg_regional"
        grid_fee_reduction: float = 1.0

    assert apply_preset(Group())["grid_fee_reduction"] == 0.28


def test_an_unknown_preset_is_refused_with_those_that_exist():
    with pytest.raises(ConfigError, match=r"settlement\.preset: 'fr' is unknown; choose one of ch_leg_same_level"):
        apply_preset({"preset": "fr"})
