"""The chart of what the grid takes and pays: a preview before a run."""

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from energy_sim.errors import DataError
from energy_sim.figures.theme import THEMES, ThemeName, base_layout

Floats = NDArray[np.float64]


def plot_prices(x: NDArray[np.datetime64], buy: Floats, sell: Floats, theme: ThemeName = "dark") -> go.Figure:
    """Prices of energy bought from the grid and sold to it, ct/kWh, as steps.

    Args:
        x: (T,) beginnings of the steps.
        buy: (T,) EUR/kWh.
        sell: (T,) EUR/kWh.
        theme: dark or light.

    Raises:
        DataError: not one value for each step.
    """
    if not len(x) == len(buy) == len(sell):
        raise DataError(f"chart: {len(x)} moments, {len(buy)} and {len(sell)} prices; give one for each moment")
    colors = THEMES[theme]
    axis = {"gridcolor": colors.grid, "zeroline": False, "tickfont": {"color": colors.muted}}
    figure = go.Figure(layout=base_layout(colors, "Prices of the grid, ct/kWh"))
    figure.update_layout(
        hovermode="x unified",
        margin={"l": 64, "r": 16, "t": 76, "b": 40},
        legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"},
        xaxis=axis | {"type": "date", "showgrid": False, "hoverformat": "%a %-d %b %Y, %H:%M"},
        yaxis=axis | {"ticksuffix": " ct", "rangemode": "tozero"},
    )
    moments = x.astype("datetime64[s]").astype(str).tolist()
    for name, values, color, dash in (
        ("Bought from the grid", buy, colors.import_, "solid"),
        ("Sold to the grid", sell, colors.export, "dash"),
    ):
        line = {"width": 2, "dash": dash, "color": color, "shape": "hv"}
        cents = (100 * values).round(3).tolist()
        figure.add_scatter(x=moments, y=cents, name=name, mode="lines", line=line, hovertemplate="%{y:.2f} ct/kWh")
    return figure
