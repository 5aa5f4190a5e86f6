"""The library: what the configuration allows, and figures and tables of finished runs as files."""

import io

import pandas as pd
import pytest

from callbacks import library_view
from callbacks.library_view import delete, file_of_run, page_of, run_list
from callbacks.services import open_services
from energy_sim.clock import Event
from energy_sim.config import load_config
from energy_sim.errors import DataError
from energy_sim.runs import new_name, whole_folder, write_json
from energy_sim.zones.live import default_parameters, open_zones
from energy_sim.zones.pipeline import write_run
from layouts.library import FILES


def opened(folder, can_delete=True):
    path = folder / "config.yaml"
    path.write_text(
        f"database: {{url: 'sqlite:///{folder}/k.db'}}\nlogging: {{file: ''}}\n"
        f"runs: {{folder: {folder}/runs, delete_from_page: {str(can_delete).lower()}}}\n",
        encoding="utf-8",
    )
    return open_services(load_config(path))


@pytest.mark.parametrize("allowed", [True, False])
def test_runs_are_deleted_from_the_page_only_where_the_configuration_allows_it(tmp_path, allowed):
    services = opened(tmp_path, allowed)
    name = "zones_20260131_120000_a1b2c3"
    with whole_folder(services.runs.folder / name) as folder:
        write_json(folder / "summary.json", {"totals_mwh": {"unmet": 1.0}})
        write_json(folder / "params.json", {})
    table, names = run_list(services)
    assert ("Delete" in str(table)) is allowed
    assert names == [name]
    if allowed:
        delete(services, name)
        assert services.runs.list() == []
    else:
        with pytest.raises(DataError, match="energy-sim runs delete"):
            delete(services, name)
        assert [run.name for run in services.runs.list()] == [name]


def test_the_folder_of_runs_is_read_once_for_a_page(tmp_path, monkeypatch):
    services, reads = opened(tmp_path), []
    monkeypatch.setattr(type(services.runs), "list", lambda self: reads.append(self) or [])
    page_of(services)
    assert reads == [services.runs]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Services with one run of three days, the last two without two-hop routes; its name and its period."""
    services = opened(tmp_path_factory.mktemp("library"))
    parameters = default_parameters(services.config)
    live, events = open_zones(services.config, parameters), (Event(1, 1, "two_hop", False),)
    name, period = new_name("zones"), live.history(events, 2)
    request = live.request(parameters, events, 2, services.config.root)
    write_run(services.runs.folder / name, request, live.inputs, period)
    return services, name, period


@pytest.mark.parametrize("what", ["daily_summary", "zone_metrics", "transfers"])
def test_a_table_of_a_run_is_the_csv_file_of_the_run(finished, what):
    services, name, period = finished
    content, file_name = file_of_run(services, name, what, "csv", "dark")
    assert file_name == f"{name}_{what}.csv"
    assert content == (services.runs.folder / name / f"{what}.csv").read_bytes()
    assert len(pd.read_csv(io.BytesIO(content))) == {"daily_summary": 3, "zone_metrics": 15}.get(
        what, len(period.trace)
    )


@pytest.mark.parametrize("what", ["network", "split", "flows", "reservoirs"])
def test_a_figure_of_a_run_comes_as_a_page_that_opens_alone(finished, what):
    services, name, _ = finished
    content, file_name = file_of_run(services, name, what, "html", "no theme")
    assert file_name == f"{name}_{what}.html"
    assert b"Plotly.newPlot" in content
    assert b'src="http' not in content


def test_every_file_on_offer_is_a_figure_or_a_table(finished):
    services, name, _ = finished
    tables = {"daily_summary", "zone_metrics", "transfers"}
    assert {what for what, _ in FILES["zones"]} == tables | {"network", "split", "flows", "reservoirs"}
    for what, _ in FILES["zones"]:
        with pytest.raises(DataError, match="choose CSV" if what in tables else "PNG, SVG or HTML"):
            file_of_run(services, name, what, "png" if what in tables else "csv", "dark")


@pytest.mark.parametrize(
    ("name", "what", "kind", "said"),
    [
        (None, "network", "png", "choose a run first"),
        ("../../etc", "network", "png", "not a run's name"),
        ("zones_20200101_000000_abcdef", "flows", "png", "none of that name"),
        ("own", "passwords", "html", "no figure or table 'passwords'"),
        ("own", "network", "../../x.png", "PNG, SVG or HTML"),
    ],
)
def test_what_is_not_there_is_refused_with_a_message(finished, name, what, kind, said):
    services, own, _ = finished
    with pytest.raises(DataError, match=said):
        library_view.file_of_run(services, own if name == "own" else name, what, kind, "dark")
