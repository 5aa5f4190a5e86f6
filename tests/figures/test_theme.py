import pytest

from energy_sim.figures.theme import PLOTLY_CONFIG, THEMES, contrast, format_energy, format_number, readable_on


@pytest.mark.parametrize(
    ("mwh", "text"),
    [
        (0.0, "0 MWh"),
        (-0.2, "0 MWh"),
        (340.4, "340 MWh"),
        (999.4, "999 MWh"),
        (999.6, "1 GWh"),
        (12_400.0, "12 GWh"),
        (1_234_000.0, "1\u202f234 GWh"),
        (-12_400.0, "−12 GWh"),
    ],
)
def test_energy_is_whole_gwh_or_whole_mwh_below_one_gwh(mwh, text):
    assert format_energy(mwh) == text.replace(" ", "\u00a0")


def test_decimals_keep_their_sign_only_when_something_is_left():
    assert [format_number(v, 1) for v in (-0.04, -0.06, 1234.56)] == ["0.0", "−0.1", "1\u202f234.6"]


@pytest.mark.parametrize("name", ["dark", "light"])
def test_text_has_contrast_4_5_and_flows_have_3(name):
    theme = THEMES[name]
    assert min(contrast(theme.ink, g) for g in (theme.bg, theme.panel, theme.pill, theme.node)) > 4.5
    assert contrast(theme.muted, theme.bg) > 4.5
    flows = (theme.export, theme.import_, theme.two_hop, theme.idle, theme.wind, theme.hydro, theme.unmet)
    assert min(contrast(c, g) for c in flows for g in (theme.bg, theme.land, theme.land_alt)) > 2.3
    assert min(contrast(c, theme.bg) for c in flows) > 3


def test_a_yellow_line_is_darkened_on_the_light_ground_and_kept_on_the_dark():
    assert contrast(readable_on("#F0E442", THEMES["light"]), THEMES["light"].bg) >= 3
    assert readable_on("#F0E442", THEMES["dark"]) == "#f0e442"


def test_no_figure_offers_to_upload_itself():
    assert PLOTLY_CONFIG["showSendToCloud"] is False
    assert PLOTLY_CONFIG["displaylogo"] is False
