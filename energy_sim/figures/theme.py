"""Colours of the two themes, energies as text, and the layout that all figures share."""

from dataclasses import dataclass
from typing import Any, Final, Literal

ThemeName = Literal["dark", "light"]

FONT_FAMILY: Final = "Inter, 'DejaVu Sans', sans-serif"
UIREVISION: Final = "kraftflyt"
PLOTLY_CONFIG: Final[dict[str, Any]] = {
    "displaylogo": False,
    "showSendToCloud": False,
    "plotlyServerURL": "",
    "responsive": True,
    "modeBarButtonsToRemove": ["lasso2d", "select2d", "autoScale2d"],
}
THIN_SPACE: Final = "\u202f"
NO_BREAK_SPACE: Final = "\u00a0"
MINUS: Final = "\u2212"
CLEAR: Final = "rgba(0,0,0,0)"

ON_CARD: Final[dict[str, Any]] = {"title": None, "paper_bgcolor": CLEAR, "plot_bgcolor": CLEAR, "font_size": 12}
"""Layout of a chart on a card of the page, which gives it ground and heading."""


@dataclass(frozen=True, slots=True)
class Theme:
    """Colour tokens; ``assets/theme.css`` holds the same values as ``--kf-*`` variables.

    ``export``, ``import_``, ``two_hop``, ``idle`` are for flows only; ``wind``, ``hydro``, ``unmet`` are for stacked
    areas. ``pill`` is the ground of labels that lie over other things.
    """

    bg: str
    panel: str
    ink: str
    muted: str
    grid: str
    pill: str
    land: str
    land_alt: str
    coast: str
    node: str
    node_line: str
    export: str
    import_: str
    two_hop: str
    idle: str
    flow: str
    wind: str
    hydro: str
    unmet: str


THEMES: Final[dict[str, Theme]] = {
    "dark": Theme(
        bg="#0d1420",
        panel="#121b2a",
        ink="#e8eef6",
        muted="#8fa3ba",
        grid="#22314a",
        pill="#0b121d",
        land="#1b2a3d",
        land_alt="#21334a",
        coast="#35506e",
        node="#16233a",
        node_line="#9fc5f8",
        export="#2fc79a",
        import_="#ff7a5c",
        two_hop="#c79bff",
        idle="#6d819a",
        flow="#ffffff",
        wind="#7fd1e8",
        hydro="#4f8fe0",
        unmet="#ff5470",
    ),
    "light": Theme(
        bg="#f5f8fc",
        panel="#ffffff",
        ink="#14202e",
        muted="#52657a",
        grid="#e1e8f0",
        pill="#ffffff",
        land="#dfe8f2",
        land_alt="#d3dfec",
        coast="#a9bdd3",
        node="#ffffff",
        node_line="#2f5d91",
        export="#00805f",
        import_="#c2410c",
        two_hop="#7440b8",
        idle="#6b7a8c",
        flow="#ffffff",
        wind="#2b93b0",
        hydro="#2f67b1",
        unmet="#c81e46",
    ),
}


def format_number(value: float, decimals: int = 0) -> str:
    """A number with thin spaces between thousands and a true minus sign; what rounds to zero has no sign.

    >>> format_number(-1234.4) == "−1\u202f234"
    True
    """
    text = f"{abs(value):,.{decimals}f}".replace(",", THIN_SPACE)
    negative = value < 0 and any(c in "123456789" for c in text)
    return f"{MINUS}{text}" if negative else text


def format_energy(mwh: float) -> str:
    """Energy for people: whole GWh, or whole MWh below 1 GWh.

    >>> format_energy(12_400.0).split()
    ['12', 'GWh']
    >>> format_energy(-340.2) == "−340\u00a0MWh"
    True
    """
    if abs(mwh) < 999.5:
        return f"{format_number(mwh)}{NO_BREAK_SPACE}MWh"
    return f"{format_number(mwh / 1000)}{NO_BREAK_SPACE}GWh"


def tint(color: str, alpha: float) -> str:
    """``#rrggbb`` as ``rgba(r,g,b,alpha)``.

    >>> tint("#ff8000", 0.5)
    'rgba(255,128,0,0.5)'
    """
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha:g})"


def contrast(a: str, b: str) -> float:
    """Contrast ratio of two ``#rrggbb`` colours, 1 to 21.

    Source: WCAG 2.2, definitions of contrast ratio and relative luminance.

    >>> round(contrast("#000000", "#ffffff"), 1)
    21.0
    """
    low, high = sorted((_luminance(a), _luminance(b)))
    return (high + 0.05) / (low + 0.05)


def _luminance(color: str) -> float:
    channels = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def readable_on(color: str, theme: Theme, ratio: float = 3.0) -> str:
    """The colour, mixed with the theme's ink in steps of a twentieth until it stands out from the ground."""
    for step in range(21):
        f = step / 20
        parts = ((int(color[i : i + 2], 16), int(theme.ink[i : i + 2], 16)) for i in (1, 3, 5))
        mixed = "#" + "".join(f"{round(c + f * (ink - c)):02x}" for c, ink in parts)
        if contrast(mixed, theme.bg) >= ratio:
            return mixed
    return theme.ink


def base_layout(theme: Theme, title: str) -> dict[str, Any]:
    """What every figure's layout has in common: paper, font, title at the left, hover box, constant ``uirevision``."""
    return {
        "paper_bgcolor": theme.bg,
        "plot_bgcolor": theme.bg,
        "font": {"family": FONT_FAMILY, "size": 13, "color": theme.ink},
        "title": {
            "text": title,
            "x": 0,
            "xref": "container",
            "xanchor": "left",
            "pad": {"l": 16},
            "y": 0.975,
            "yanchor": "top",
            "font": {"size": 16},
        },
        "hoverlabel": {
            "bgcolor": theme.panel,
            "bordercolor": theme.node_line,
            "align": "left",
            "font": {"family": FONT_FAMILY, "size": 13, "color": theme.ink},
        },
        "separators": f".{THIN_SPACE}",
        "uirevision": UIREVISION,
    }
