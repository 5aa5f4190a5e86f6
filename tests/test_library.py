"""What the library may do is set by the configuration."""

import pytest

from callbacks.library_view import delete, run_list
from callbacks.services import open_services
from energy_sim.config import load_config
from energy_sim.errors import DataError
from energy_sim.runs import whole_folder, write_json


@pytest.mark.parametrize("allowed", [True, False])
def test_runs_are_deleted_from_the_page_only_where_the_configuration_allows_it(tmp_path, allowed):
    path = tmp_path / "config.yaml"
    path.write_text(
        f"database: {{url: 'sqlite:///{tmp_path}/k.db'}}\nlogging: {{file: ''}}\n"
        f"runs: {{folder: {tmp_path}/runs, delete_from_page: {str(allowed).lower()}}}\n",
        encoding="utf-8",
    )
    services = open_services(load_config(path))
    name = "zones_20260131_120000_a1b2c3"
    with whole_folder(services.runs.folder / name) as folder:
        write_json(folder / "summary.json", {"totals_mwh": {"unmet": 1.0}})
        write_json(folder / "params.json", {})
    assert ("Delete" in str(run_list(services))) is allowed
    if allowed:
        delete(services, name)
        assert services.runs.list() == []
    else:
        with pytest.raises(DataError, match="energy-sim runs delete"):
            delete(services, name)
        assert [run.name for run in services.runs.list()] == [name]
