"""What the library shows of finished runs."""

import tempfile
from pathlib import Path
from typing import Any

from dash import html

from callbacks import community_exports, trading_exports
from callbacks.exports import checked_theme
from callbacks.services import Services
from callbacks.zones_exports import file_of
from energy_sim.errors import DataError
from energy_sim.figures.theme import format_energy
from energy_sim.figures.zones import for_card, plot_energy_flows_summary
from energy_sim.runs import in_words
from energy_sim.trading import playback as trading_playback
from energy_sim.zones.playback import open_playback
from layouts.components import flows_legend, graph, table
from layouts.library import FILES, file_choices, library_page, runs_table

_TOTALS = (
    "demand",
    "wind_used",
    "local_hydro",
    "import_phase2_one_hop",
    "import_phase2_two_hop",
    "import_phase4_one_hop",
    "import_phase4_two_hop",
    "unmet",
    "spill",
    "loss",
    "level_end",
)


def page_of(services: Services) -> Any:
    """The whole page."""
    return library_page(*run_list(services))


def run_list(services: Services) -> tuple[Any, list[str]]:
    """All finished runs with what can be done with each, and their names."""
    rows = [(run.name, run.room, run.created[:16].replace("T", " "), *in_words(run)) for run in services.runs.list()]
    return runs_table(rows, services.config.runs.delete_from_page), [name for name, *_ in rows]


def files_of(name: str | None) -> list[dict[str, str]]:
    """What can be had of a run as a file."""
    room = (name or "").partition("_")[0]
    return file_choices(room if room in FILES else "zones")


def delete(services: Services, name: str) -> None:
    """Delete a run.

    Raises:
        DataError: the configuration forbids it, or there is no such run.
    """
    if not services.config.runs.delete_from_page:
        raise DataError("runs are not deleted from the page here; use `energy-sim runs delete` on the server")
    services.runs.delete(name)


def packed(services: Services, name: str) -> tuple[bytes, str]:
    """A run as a zip file."""
    with tempfile.TemporaryDirectory() as folder:
        path = services.runs.export(name, Path(folder) / f"{name}.zip")
        return path.read_bytes(), path.name


def file_of_run(services: Services, name: str | None, what: str, kind: str, theme: str) -> tuple[bytes, str]:
    """A figure or table of a run as a file.

    Raises:
        DataError: no run was chosen, there is none of that name, or the figure or table has no such format.
    """
    if not name:
        raise DataError("choose a run first")
    room = services.runs.load(name).room
    if room == "trading":
        opened = trading_playback.open_playback(services.runs, name)
        content = trading_exports.file_of(services, opened, what, kind, checked_theme(theme), tick=opened.last_tick)
        return content, f"{name}_{what}.{kind}"
    if room == "community":
        return community_exports.file_of_run(services, name, what, kind, theme), f"{name}_{what}.{kind}"
    played = open_playback(services.runs, name)
    content = file_of(played.history((), played.last_tick), played.changes(()), what, kind, theme)
    return content, f"{name}_{what}.{kind}"


def side_by_side(services: Services, left: str | None, right: str | None, theme: str) -> Any:
    """Two runs beside each other: totals, and how demand was met."""
    if not left or not right:
        return html.P("Choose two runs.", className="kf-empty")
    runs = [services.runs.load(name) for name in (left, right)]
    rooms = {run.room for run in runs}
    if len(rooms) > 1:
        return html.P("Choose two runs of the same room.", className="kf-empty")
    if rooms == {"trading"}:
        return trading_exports.side_by_side(runs)
    if rooms == {"community"}:
        return community_exports.side_by_side(runs, theme)
    totals = [run.summary["totals_mwh"] for run in runs]
    rows = [
        [
            name.replace("_", " "),
            *(format_energy(t[name]) for t in totals),
            format_energy(totals[0][name] - totals[1][name]),
        ]
        for name in _TOTALS
    ]
    graphs = []
    for run in runs:
        figure = plot_energy_flows_summary(services.runs.table(run.name, "daily_summary"), theme)
        graphs.append(html.Div([html.H3(f"{run.name}, GWh a day"), flows_legend(), graph(for_card(figure))]))
    return [
        table(["", left, right, "Difference"], rows, "Totals of the two runs"),
        html.Div(graphs, className="kf-beside"),
    ]
