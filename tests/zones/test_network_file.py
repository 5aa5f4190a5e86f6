"""Network files: read as they are meant, every fault named with its place and mend."""

import json

import pytest
import yaml

from energy_sim.errors import ConfigError
from energy_sim.zones.model import Link
from energy_sim.zones.network_file import read_network
from energy_sim.zones.norway import norway

ZONE = {
    "id": "A", "name": "Zone A", "hydro_min_mwh": 1000, "hydro_max_mwh": 50000, "hydro_force_export_mwh": 42500,
    "hydro_target_mwh": 32500, "hydro_efficiency": 0.9, "hydro_max_daily_production_mwh": 1200,
    "initial_level_mwh": 30000, "lon": 10.0, "lat": 60.0, "color": "#56B4E9",
}  # fmt: skip
LINK = {"from": "A", "to": "B", "capacity_mwh_per_day": 1200, "loss_factor": 0.02}


def network(zone=None, link=None) -> dict:
    return {"zones": [{**ZONE, **(zone or {})}, {**ZONE, "id": "B"}], "links": [{**LINK, **(link or {})}]}


def write(tmp_path, content, name="network.yaml"):
    path = tmp_path / name
    text = content if isinstance(content, str) else json.dumps(content) if "json" in name else yaml.safe_dump(content)
    path.write_text(text, encoding="utf-8")
    return path


def problems(tmp_path, content, name="network.yaml") -> list[str]:
    path = write(tmp_path, content, name)
    with pytest.raises(ConfigError) as refused:
        read_network(path)
    assert all(line.startswith(f"{path}: ") for line in refused.value.problems)
    return [line.removeprefix(f"{path}: ") for line in refused.value.problems]


@pytest.mark.parametrize("name", ["network.yaml", "network.yml", "network.json"])
def test_a_good_file_gives_zones_in_order_and_directed_links(tmp_path, name):
    found = read_network(write(tmp_path, network(), name))
    assert found.ids == ("A", "B")
    first = found.zones[0]
    assert (first.hydro_max_mwh, first.hydro_efficiency, first.lon, first.color) == (50000.0, 0.9, 10.0, "#56B4E9")
    assert found.links == (Link("A", "B", 1200.0, 0.02),)
    assert len(found.routes) == 1


def test_loss_efficiency_colour_and_links_may_be_left_out(tmp_path):
    content = network()
    del content["links"][0]["loss_factor"], content["zones"][0]["hydro_efficiency"], content["zones"][0]["color"]
    found = read_network(write(tmp_path, content))
    assert (found.links[0].loss_factor, found.zones[0].hydro_efficiency) == (0.0, 1.0)
    assert read_network(write(tmp_path, {"zones": [ZONE]})).links == ()


def test_parallel_links_are_kept(tmp_path):
    content = network()
    content["links"] *= 2
    assert len(read_network(write(tmp_path, content)).links) == 2


@pytest.mark.parametrize(
    ("zone", "says"),
    [
        ({"hydro_min_mwh": -1}, "zones[0].hydro_min_mwh: -1 is below 0"),
        ({"hydro_min_mwh": 50000}, "zones[0]: hydro_min_mwh 50000 must be below hydro_max_mwh 50000"),
        ({"hydro_force_export_mwh": 500}, "zones[0]: hydro_force_export_mwh 500 must be within 1000 and"),
        ({"hydro_force_export_mwh": 50001}, "zones[0]: hydro_force_export_mwh 50001 must be within"),
        ({"initial_level_mwh": 50001}, "zones[0]: initial_level_mwh 50001 must be within 0 and"),
        ({"hydro_efficiency": 1.01}, "zones[0].hydro_efficiency: 1.01 is above 1"),
        ({"hydro_efficiency": 0}, "zones[0].hydro_efficiency: 0 is not above 0"),
        ({"hydro_max_daily_production_mwh": "lots"}, "zones[0].hydro_max_daily_production_mwh: 'lots' is refused"),
        ({"hydro_max_daily_production_mwh": True}, "zones[0].hydro_max_daily_production_mwh: True is no number"),
        ({"hydro_max_mwh": float("inf")}, "zones[0].hydro_max_mwh: inf is refused"),
        ({"hydro_target_mwh": float("nan")}, "zones[0].hydro_target_mwh: nan is refused"),
        ({"lat": 91}, "zones[0].lat: 91 is above 90"),
        ({"lon": -181}, "zones[0].lon: -181 is below -180"),
        ({"color": "blue"}, "zones[0].color: 'blue' does not match"),
        ({"id": "../x"}, "zones[0].id: '../x' does not match"),
        ({"id": "A\n"}, "zones[0].id: 'A\\n' does not match"),
        ({"id": False}, "zones[0].id: False is refused"),  # YAML reads `NO` so
        ({"turbines": 3}, "zones[0].turbines: unknown key"),
    ],
)
def test_bad_zones_are_named(tmp_path, zone, says):
    (found,) = problems(tmp_path, network(zone=zone))
    assert found.startswith(says)


@pytest.mark.parametrize(
    ("link", "says"),
    [
        ({"to": "X"}, "links[0]: zone X is not in zones (A, B)"),
        ({"to": "A"}, "links[0]: a link from A to itself carries nothing"),
        ({"loss_factor": 1.0}, "links[0].loss_factor: 1.0 is not below 1"),
        ({"loss_factor": -0.1}, "links[0].loss_factor: -0.1 is below 0"),
        ({"capacity_mwh_per_day": -1}, "links[0].capacity_mwh_per_day: -1 is below 0"),
        ({"capacity_mwh_per_day": None}, "links[0].capacity_mwh_per_day: None is refused"),
        ({"two_way": True}, "links[0].two_way: unknown key"),
    ],
)
def test_bad_links_are_named(tmp_path, link, says):
    (found,) = problems(tmp_path, network(link=link))
    assert found.startswith(says)


def test_faults_between_values_are_listed_together_with_faults_of_single_values(tmp_path):
    content = network({"id": "B", "hydro_force_export_mwh": 1, "initial_level_mwh": 50001}, {"loss_factor": 2})
    content["zones"].append({**ZONE, "id": "C", "hydro_max_mwh": 900, "lon": 200})
    content["links"].append({"from": "C", "to": "C", "capacity_mwh_per_day": 1})
    assert problems(tmp_path, content) == [
        "zones[2].lon: 200 is above 180; give 180 or less",
        "links[0].loss_factor: 2 is not below 1; give less than 1",
        "zones[0]: hydro_force_export_mwh 1 must be within 1000 and hydro_max_mwh 50000",
        "zones[0]: initial_level_mwh 50001 must be within 0 and hydro_max_mwh 50000",
        "zones[2]: hydro_min_mwh 1000 must be below hydro_max_mwh 900",
        "zone id B is used twice",
        "links[0]: zone A is not in zones (B, B, C)",
        "links[1]: a link from C to itself carries nothing; remove it",
    ]


@pytest.mark.parametrize("content", [{"zones": "A", "links": 3}, {"zones": [1, None], "links": ["A>B"]}, {"zones": {}}])
def test_entries_of_another_shape_are_faults_not_crashes(tmp_path, content):
    assert problems(tmp_path, content)


def test_all_faults_are_listed_at_once(tmp_path):
    content = network({"hydro_min_mwh": -1, "lat": 99}, {"loss_factor": 2})
    del content["zones"][1]["name"]
    assert [line.split(":")[0] for line in problems(tmp_path, content)] == [
        "zones[0].hydro_min_mwh", "zones[0].lat", "zones[1].name", "links[0].loss_factor"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "name", "says"),
    [
        ("", "n.yaml", "holds NoneType; give `zones:`"),
        ("[]", "n.json", "holds list; give `zones:`"),
        ("zones: []", "n.yaml", "zones: [] is refused"),
        ("links: []", "n.yaml", "zones: is missing; add it"),
        ("zones: {", "n.yaml", "is no valid YAML or JSON"),
        ("zones: []", "n.json", "is no valid YAML or JSON"),
        ("zones: 2016-99-99", "n.yaml", "is no valid YAML or JSON"),
    ],
)
def test_files_that_hold_no_network_are_refused(tmp_path, text, name, says):
    (found,) = problems(tmp_path, text, name)
    assert found.startswith(says)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"absent\.yaml: cannot be read \(No such file"):
        read_network(tmp_path / "absent.yaml")


def test_the_example_with_neighbours_holds_norway_as_built_in(root):
    found = read_network(root / "examples" / "norway_neighbours" / "network.yaml")
    built_in = norway()
    assert found.zones[:5] == built_in.zones
    assert found.links[:12] == built_in.links
    abroad = {link.source + link.target: link.capacity_mwh_per_day / 24 for link in found.links[12:]}
    assert len(abroad) == 18
    assert (abroad["NO1SE3"], abroad["SE3NO1"], abroad["SE2NO3"], abroad["NO2NL"]) == (2145, 2095, 1000, 700)
    assert all(("NO" in name[:2]) != ("NO" in name[-3:-1]) for name in abroad)
