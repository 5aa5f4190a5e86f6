"""The figures of a finished zones run as files."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd

from energy_sim.figures.export import export_figure
from energy_sim.figures.zones import (
    Mark,
    plot_energy_exchange_curved,
    plot_energy_exchange_split_import_export,
    plot_energy_flows_summary,
    plot_reservoir_levels,
)
from energy_sim.zones.model import Network, Transfer


def write_run_figures(
    folder: Path,
    network: Network,
    tables: Mapping[str, pd.DataFrame],
    transfers: Sequence[Transfer],
    marks: Sequence[Mark],
    kinds: Sequence[str],
) -> Iterator[tuple[int, int]]:
    """Write the four figures of a run, and say after each how many of how many files are there.

    Args:
        folder: where the files go, named for the function that draws them.
        network: zones and links.
        tables: `daily_summary` and `zone_metrics` of the run.
        transfers: those of an average day of the run.
        marks: (date, text) of the changes of settings.
        kinds: html, png or svg, each written for every figure.
    """
    daily, metrics = tables["daily_summary"], tables["zone_metrics"]
    days = f"{daily['date'].iloc[0]} to {daily['date'].iloc[-1]}"
    levels = metrics["level_pct"].tail(len(network.zones)).tolist()
    title = f"Energy exchange on an average day, {days}; storage at the end"
    figures = {
        "energy_flows_summary": plot_energy_flows_summary(daily, marks=marks),
        "reservoir_levels": plot_reservoir_levels(metrics, network, marks=marks),
        "energy_exchange_curved": plot_energy_exchange_curved(network, transfers, levels, title=title),
        "energy_exchange_split_import_export": plot_energy_exchange_split_import_export(
            network, transfers, levels, title=title
        ),
    }
    paths = [(figure, folder / f"{name}.{kind}") for name, figure in figures.items() for kind in kinds]
    for done, (figure, path) in enumerate(paths, 1):
        export_figure(figure, path)
        yield done, len(paths)
