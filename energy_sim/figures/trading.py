"""The charts of the trading room: baseline against optimised over time, trade, savings, and previews of data.

Arrays in, figure out. ``x`` (T,) are the beginnings of the steps as ``datetime64``, or hours since the first. Of more
than ``POINTS_MAX`` steps means of consecutive ones are drawn at the middle of their time, and the title says so.
"""

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from energy_sim.errors import DataError
from energy_sim.figures.ring_places import short_names
from energy_sim.figures.theme import THEMES, Theme, ThemeName, base_layout, tint

Floats = NDArray[np.float64]
Moments = NDArray[np.datetime64] | Floats

POINTS_MAX: Final = 1500
LEAST_EUR: Final = 0.005  # below this nobody is called worse off
WORSE: Final = "▼"
_NAMED_MAX = 60  # homes whose names stand below their bars
_CLEAR = "rgba(0,0,0,0)"
_STOPS: Final = (
    {"dtickrange": [None, 86_399_999], "value": "%H:%M\n%-d %b"},
    {"dtickrange": [86_400_000, "M1"], "value": "%-d %b"},
    {"dtickrange": ["M1", None], "value": "%b %Y"},
)


def bucket_size(steps: int, most: int = POINTS_MAX) -> int:
    """How many consecutive steps are drawn as one point.

    >>> bucket_size(1500), bucket_size(1501), bucket_size(35_040)
    (1, 2, 24)
    """
    return max(1, math.ceil(steps / most))


def bucket_moments(x: Moments, size: int) -> Moments:
    """(ceil(T / size),) the middle between the first and the last moment of each bucket; the last may be shorter."""
    first = x[::size]
    last: Any = x[np.minimum(np.arange(len(first)) * size + size - 1, len(x) - 1)] if len(x) else first
    middle: Moments = first + (last - first) / 2
    return middle


def bucket_means(values: Floats, size: int, weights: Floats | None = None) -> Floats:
    """(ceil(T / size),) means of the finite values of each bucket, weighted if asked; NaN where there is none."""
    weight = np.where(np.isfinite(values), 1.0 if weights is None else weights, 0.0)
    starts = np.arange(0, len(values), size)
    if not len(starts):
        return np.empty(0)
    total = np.add.reduceat(weight, starts)
    summed = np.add.reduceat(weight * np.where(np.isfinite(values), values, 0.0), starts)
    means: Floats = np.divide(summed, total, out=np.full(len(starts), np.nan), where=total > 0)
    return means


def plot_wallets(
    x: Moments, baseline_eur: Floats, optimised_eur: Floats, theme: ThemeName = "dark", *, band: bool = False
) -> go.Figure:
    """Wallets (T, N) of all homes together, EUR, or with ``band`` their mean and its standard deviation across homes.

    Raises:
        DataError: the arrays do not have the same steps and homes.
    """
    return _compare(x, baseline_eur, optimised_eur, ("Wallets", "EUR"), THEMES[theme].node_line, theme, band=band)


def plot_grid_buy(
    x: Moments, baseline_kwh: Floats, optimised_kwh: Floats, theme: ThemeName = "dark", *, band: bool = False
) -> go.Figure:
    """Energy (T, N) bought from the grid, kWh a step, of all homes or as mean ± standard deviation.

    Raises:
        DataError: the arrays do not have the same steps and homes.
    """
    named = ("Bought from the grid", "kWh a step")
    return _compare(x, baseline_kwh, optimised_kwh, named, THEMES[theme].import_, theme, band=band)


def plot_grid_sell(
    x: Moments, baseline_kwh: Floats, optimised_kwh: Floats, theme: ThemeName = "dark", *, band: bool = False
) -> go.Figure:
    """Energy (T, N) sold to the grid, kWh a step, of all homes or as mean ± standard deviation.

    Raises:
        DataError: the arrays do not have the same steps and homes.
    """
    named = ("Sold to the grid", "kWh a step")
    return _compare(x, baseline_kwh, optimised_kwh, named, THEMES[theme].export, theme, band=band)


def plot_battery(
    x: Moments, baseline_kwh: Floats, optimised_kwh: Floats, theme: ThemeName = "dark", *, band: bool = False
) -> go.Figure:
    """Energy (T, N) stored in the batteries at the end of each step, kWh, of all homes or as mean ± standard deviation.

    Raises:
        DataError: the arrays do not have the same steps and homes.
    """
    named = ("Stored in batteries", "kWh")
    return _compare(x, baseline_kwh, optimised_kwh, named, THEMES[theme].hydro, theme, band=band)


def plot_energy(x: Moments, production_kwh: Floats, consumption_kwh: Floats, theme: ThemeName = "dark") -> go.Figure:
    """What all homes (T, N) produced, as an area, and consumed, as a line, kWh a step.

    Raises:
        DataError: the arrays do not have the same steps and homes.
    """
    return _both(x, production_kwh, consumption_kwh, "Production and consumption of all homes", theme)


def plot_profiles(x: Moments, load_kwh: Floats, pv_kwh: Floats, theme: ThemeName = "dark") -> go.Figure:
    """Preview of loaded homes: their total consumption and production (T, N), kWh a step.

    Raises:
        DataError: the arrays do not have the same steps and homes.
    """
    homes = load_kwh.shape[1] if load_kwh.ndim == 2 else 0
    return _both(x, pv_kwh, load_kwh, f"Data of {homes} home{'s' * (homes != 1)}", theme)


def plot_p2p(x: Moments, traded_kwh: Floats, price_eur_per_kwh: Floats, theme: ThemeName = "dark") -> go.Figure:
    """Energy traded between homes (T,), kWh a step, and its price (T,), ct/kWh, with gaps where nothing was traded.

    The price of a mean of steps is weighted by the energy.

    Raises:
        DataError: not one value for each step.
    """
    colors, size = THEMES[theme], _checked(x, traded_kwh, price_eur_per_kwh)
    figure = _time_figure(x, size, "Traded between homes, kWh a step, and its price, ct/kWh", colors)
    at = bucket_moments(x, size)
    fill = {"fill": "tozeroy", "fillcolor": tint(colors.two_hop, 0.35), "line": {"width": 1.4, "color": colors.two_hop}}
    _line(figure, at, bucket_means(traded_kwh, size), "Traded", "%{y:,.2f} kWh", fill)
    dash = {"line": {"width": 1.8, "dash": "dash", "color": colors.ink}, "yaxis": "y2"}
    price = 100 * bucket_means(price_eur_per_kwh, size, traded_kwh)
    _line(figure, at, price, "Price (right)", "%{y:,.2f} ct/kWh", dash)
    figure.update_layout(
        yaxis={"rangemode": "tozero", "ticksuffix": " kWh"},
        yaxis2={"overlaying": "y", "side": "right", "showgrid": False, "color": colors.muted}
        | {"ticksuffix": " ct", "tickmode": "auto", "nticks": 6, "zeroline": False},
        margin_r=64,
    )
    return figure


def plot_savings(ids: Sequence[str], before_eur: Floats, after_eur: Floats, theme: ThemeName = "dark") -> go.Figure:
    """What each home (N,) saved against the baseline, EUR, before and after the transfer; ▼ marks who is worse off.

    Raises:
        DataError: not two numbers for each home.
    """
    if not len(ids) == len(before_eur) == len(after_eur):
        raise DataError(f"savings: {len(ids)} homes, {len(before_eur)} and {len(after_eur)} numbers; give one for each")
    colors = THEMES[theme]
    parts = ((before_eur, "Before the transfer", colors.idle, "/"), (after_eur, "After", colors.export, ""))
    worse = [int((values <= -LEAST_EUR).sum()) for values, *_ in parts]
    title = f"Saved by each home, EUR: {worse[0]} worse off before the transfer, {worse[1]} after"
    figure = go.Figure(layout=_layout(colors, title))
    x = list(range(1, len(ids) + 1))
    for values, name, color, hatch in parts:
        below = values <= -LEAST_EUR
        tones = np.where(below, colors.import_, color)
        pattern = {"shape": hatch, "fgcolor": tones.tolist(), "bgcolor": tint(colors.idle, 0.2), "solidity": 0.4}
        figure.add_bar(
            x=x,
            y=np.asarray(values, dtype=float).round(4).tolist(),
            name=name,
            customdata=list(ids),
            marker={"color": tones.tolist(), "line": {"width": 0}, **({"pattern": pattern} if hatch else {})},
            text=[WORSE if bad else "" for bad in below],
            textposition="outside",
            textfont={"color": colors.import_, "size": 12},
            cliponaxis=False,
            hovertemplate="%{customdata}: %{y:,.2f} EUR",
        )
    figure.update_layout(barmode="group", bargap=0.25)
    if ids and len(ids) <= _NAMED_MAX:
        figure.update_xaxes(tickvals=x, ticktext=list(short_names(ids)))
    figure.update_yaxes(ticksuffix=" EUR", zeroline=True, zerolinecolor=colors.muted)
    return figure


def plot_capacity(x: Moments, import_kw: Floats, export_kw: Floats, theme: ThemeName = "dark") -> go.Figure:
    """What the grid lets in and takes (T,), kW, as steps; infinity, no limit, is a gap and said in the legend.

    Of many steps the smallest of each bucket is drawn, not the mean: a limit is what holds always.

    Raises:
        DataError: not one value for each step.
    """
    colors, size = THEMES[theme], _checked(x, import_kw, export_kw)
    figure = _time_figure(x, 1, "Capacity of the grid connection, kW", colors)
    parts = (("Import", import_kw, colors.import_, "solid"), ("Export", export_kw, colors.export, "dash"))
    for name, values, color, dash in parts:
        least = np.minimum.reduceat(values, np.arange(0, len(values), size)) if len(values) else values
        finite = np.isfinite(least)
        said = name if finite.any() else f"{name}: no limit"
        look = {"line": {"width": 2, "dash": dash, "color": color, "shape": "hv"}}
        _line(figure, x[::size], np.where(finite, least, np.nan), said, "%{y:,.1f} kW", look)
    if size > 1:
        figure.update_layout(title_text=f"Capacity of the grid connection, kW (least of {size} steps)")
    figure.update_yaxes(rangemode="tozero", ticksuffix=" kW")
    return figure


def plot_progress(
    x: Moments,
    wallet_eur: tuple[Floats, Floats],
    grid_buy_kwh: tuple[Floats, Floats],
    theme: ThemeName = "dark",
) -> go.Figure:
    """A run so far: all wallets (t,), EUR, above, energy bought from the grid (t,), kWh a step, below.

    Each a pair: baseline, optimised.

    Raises:
        DataError: not one value for each step.
    """
    colors, size = THEMES[theme], _checked(x, *wallet_eur, *grid_buy_kwh)
    figure = _time_figure(x, size, "So far: wallets of all homes, EUR, and bought from the grid, kWh a step", colors)
    at = bucket_moments(x, size)
    for axis, pair, unit, tone in (
        ("y", wallet_eur, "EUR", colors.node_line),
        ("y2", grid_buy_kwh, "kWh", colors.import_),
    ):
        for name, values, line in zip(("Baseline", "Optimised"), pair, _lines(colors, tone), strict=True):
            look = {"line": line, "yaxis": axis, "legendgroup": name, "showlegend": axis == "y"}
            _line(figure, at, bucket_means(values, size), name, f"%{{y:,.2f}} {unit}", look)
    figure.update_layout(
        yaxis={"domain": [0.55, 1], "ticksuffix": " EUR"},
        yaxis2=figure.layout.yaxis.to_plotly_json()
        | {"domain": [0, 0.45], "ticksuffix": " kWh", "rangemode": "tozero"},
        xaxis_anchor="y2",
    )
    return figure


def _compare(
    x: Moments, baseline: Floats, optimised: Floats, named: tuple[str, str], tone: str, theme: ThemeName, *, band: bool
) -> go.Figure:
    """Both simulations as lines: the sum of all homes, or the mean with a band of one standard deviation each way."""
    colors, (what, unit) = THEMES[theme], named
    size = _checked(x, baseline, optimised, homes=True)
    of = "mean of the homes ± standard deviation" if band else "all homes"
    figure = _time_figure(x, size, f"{what}, {of}, {unit}", colors)
    at = bucket_moments(x, size)
    for name, values, line in zip(("Baseline", "Optimised"), (baseline, optimised), _lines(colors, tone), strict=True):
        middle = bucket_means(values.mean(axis=1) if band else values.sum(axis=1), size)
        if band:
            off = bucket_means(values.std(axis=1), size)
            edge = {"line": {"width": 0}, "showlegend": False, "legendgroup": name, "hoverinfo": "skip"}
            _line(figure, at, middle - off, f"{name} − deviation", None, edge)
            fill = {"fill": "tonexty", "fillcolor": tint(line["color"], 0.2)}
            _line(figure, at, middle + off, f"{name} + deviation", None, edge | fill)
        _line(figure, at, middle, name, f"%{{y:,.2f}} {unit.split()[0]}", {"line": line, "legendgroup": name})
    figure.update_yaxes(ticksuffix=f" {unit.split()[0]}", rangemode="normal" if unit == "EUR" or band else "tozero")
    return figure


def _both(x: Moments, produced: Floats, consumed: Floats, what: str, theme: ThemeName) -> go.Figure:
    colors, size = THEMES[theme], _checked(x, produced, consumed, homes=True)
    figure = _time_figure(x, size, f"{what}, kWh a step", colors)
    at = bucket_moments(x, size)
    fill = {"fill": "tozeroy", "fillcolor": tint(colors.wind, 0.35), "line": {"width": 1.4, "color": colors.wind}}
    _line(figure, at, bucket_means(produced.sum(axis=1), size), "Production", "%{y:,.2f} kWh", fill)
    line = {"line": {"width": 2, "color": colors.ink}}
    _line(figure, at, bucket_means(consumed.sum(axis=1), size), "Consumption", "%{y:,.2f} kWh", line)
    figure.update_yaxes(rangemode="tozero", ticksuffix=" kWh")
    return figure


def _checked(x: Moments, *series: Floats, homes: bool = False) -> int:
    """The bucket size, after a look at the shapes."""
    shape = (len(x), *(series[0].shape[1:] if homes else ()))
    if any(values.shape != shape or values.ndim != 1 + homes for values in series):
        shapes = ", ".join(str(values.shape) for values in series)
        raise DataError(
            f"chart: {len(x)} moments, values {shapes}; give one row for each moment, all of the same shape"
        )
    return bucket_size(len(x))


def _lines(colors: Theme, tone: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Of baseline and optimised; told by their dash too."""
    return {"width": 1.8, "dash": "dot", "color": colors.muted}, {"width": 2, "color": tone}


def _line(figure: go.Figure, x: Moments, y: Floats, name: str, hover: str | None, look: dict[str, Any]) -> None:
    """A trace of lists, NaN as gaps; only lists can be extended on the page."""
    told = {} if hover is None else {"hovertemplate": hover}
    moments = x.astype("datetime64[s]").astype(str).tolist() if x.dtype.kind == "M" else x.tolist()
    values = [None if math.isnan(v) else v for v in np.asarray(y, dtype=float).round(4).tolist()]
    figure.add_scatter(x=moments, y=values, name=name, mode="lines", **told, **look)


def _layout(colors: Theme, title: str) -> dict[str, Any]:
    axis = {"gridcolor": colors.grid, "zeroline": False, "linecolor": colors.grid, "tickfont": {"color": colors.muted}}
    legend = {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "traceorder": "normal", "bgcolor": _CLEAR}
    return base_layout(colors, title) | {
        "margin": {"l": 72, "r": 16, "t": 76, "b": 40},
        "hovermode": "x unified",
        "xaxis": axis | {"showgrid": False, "tickangle": 0},
        "yaxis": axis,
        "legend": legend,
    }


def _time_figure(x: Moments, size: int, title: str, colors: Theme) -> go.Figure:
    """An empty chart over exactly the time there is; it says so when there is none."""
    note = f" (means of {size} steps)" if size > 1 else ""
    figure = go.Figure(layout=_layout(colors, title + note))
    dated = x.dtype.kind == "M"
    figure.update_xaxes(type="date" if dated else "linear", hoverformat="%a %-d %b %Y, %H:%M" if dated else ".2f")
    figure.update_xaxes(**({"tickformatstops": _STOPS} if dated else {"ticksuffix": " h"}))
    if not len(x):
        place = {"x": 0.5, "y": 0.5, "xref": "paper", "yref": "paper"}
        words = "Nothing to show yet: start a run."
        figure.add_annotation(text=words, showarrow=False, font={"size": 13, "color": colors.muted}, **place)
        figure.update_xaxes(visible=False)
        figure.update_yaxes(visible=False)
    return figure
