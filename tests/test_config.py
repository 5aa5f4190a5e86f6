"""The configuration: every fault named at once, a user's file over the project's own."""

import re
from datetime import date
from pathlib import Path

import pytest
import yaml

from energy_sim.config import DEFAULT_PATH, Config, load_config
from energy_sim.devices.values import ApplianceValues, HouseValues
from energy_sim.errors import ConfigError


def problems(tmp_path, text: str | bytes) -> tuple[str, ...]:
    path = tmp_path / "mine.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError) as refused:
        load_config(path)
    assert all(line.startswith(f"{path}: ") for line in refused.value.problems)
    assert "\n" not in str(refused.value)
    return tuple(line.removeprefix(f"{path}: ") for line in refused.value.problems)


def test_the_shipped_file_is_valid_and_complete():
    config = load_config()
    assert (config.server.port, config.zones.start, config.zones.days) == (8050, date(2016, 1, 1), 2557)
    sections = yaml.safe_load(DEFAULT_PATH.read_text(encoding="utf-8"))
    assert {name: sorted(keys) for name, keys in sections.items()} == {
        name: sorted(field.annotation.model_fields) for name, field in Config.model_fields.items() if name != "root"
    }


def test_each_value_of_the_shipped_file_has_a_comment():
    values = [line for line in DEFAULT_PATH.read_text(encoding="utf-8").splitlines() if re.match(r" +\w+:", line)]
    assert len(values) > 25
    assert [line for line in values if not re.search(r" # \S+ \S+", line)] == []


def test_every_fault_is_listed_at_once_with_path_value_limit_and_mend(tmp_path):
    found = problems(
        tmp_path,
        """
server: {port: 70000, treads: 3, workers: "two"}
logging: {level: LOUD}
zones: {hydro_efficiency: 0, loss_factor: 1.0, chart_days: 6, days_per_second: .nan, start: soon}
weather: {sun: true}
""",
    )
    sections = ", ".join(name for name in Config.model_fields if name != "root")
    assert list(found) == [
        "server.port: 70000 is above 65535; give 65535 or less",
        "server.workers: 'two' is refused: input should be a valid integer",
        "server.treads: unknown key; the keys here are host, port, workers, threads",
        "logging.level: 'LOUD' is not one of 'ERROR', 'WARNING', 'INFO' or 'DEBUG'; choose one of them",
        "zones.start: 'soon' is refused: input should be a valid date",
        "zones.hydro_efficiency: 0 is not above 0.0; give more than 0.0",
        "zones.loss_factor: 1.0 is not below 1.0; give less than 1.0",
        "zones.days_per_second: nan is refused: input should be a finite number",
        "zones.chart_days: 6 is below 7; give 7 or more",
        f"weather: unknown key; the keys here are {sections}",
    ]


def test_the_message_is_one_line_with_all_faults(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("server: {port: 0, workers: 0}")
    with pytest.raises(ConfigError) as refused:
        load_config(path)
    assert str(refused.value) == (
        f"{path}: server.port: 0 is below 1; give 1 or more; {path}: server.workers: 0 is below 1; give 1 or more"
    )


def test_the_message_names_twenty_faults_and_counts_the_others():
    message = str(ConfigError.from_problems([f"fault {n}" for n in range(1, 24)]))
    assert message.startswith("fault 1; fault 2; ")
    assert message.endswith("; fault 20 (and 3 more)")
    assert str(ConfigError.from_problems([f"fault {n}" for n in range(1, 21)])).endswith("; fault 20")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("server: [", "is no valid YAML"),
        ("zones: {start: 2016-13-01}", "is no valid YAML"),
        (b"\xff\xfe\x00", "is no valid YAML"),
        ("just words", "holds a str; give sections"),
        ("- server", "holds a list; give sections"),
        ("server: 8050", "server: 8050 is refused"),
        ("server: {port: 8050.5}", "server.port: 8050.5 is refused"),
        ("server: {port: true}", "server.port: True is refused"),
        ("server: {port: '8050'}", "server.port: '8050' is refused"),
        ("server: {port: }", "server.port: None is refused"),
        ("logging: {max_mb: .inf}", "logging.max_mb: inf is"),
        ("runs: {folder: ''}", "runs.folder: '' is refused"),
        ("zones: {input: 5}", "zones.input: 5 is no folder; give one, or a list"),
        ("zones: {input: []}", "zones.input: [] is no folder; give one, or a list"),
        ("zones: {input: [a, 5]}", "zones.input[1]: 5 is refused"),
        ("zones: {input: ['']}", "zones.input[0]: '' is refused"),
        ("root: /", "root: unknown key"),
    ],
)
def test_content_that_cannot_be_used_is_refused(tmp_path, text, says):
    (found,) = problems(tmp_path, text)
    assert found.startswith(says)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path, reason in ((tmp_path / "absent.yaml", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(ConfigError, match=rf"{re.escape(str(path))}: cannot be read \({reason}"):
            load_config(path)


def test_a_users_file_overrides_a_part_and_keeps_the_rest(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("\ufeffserver: {port: 9000}\nlogging:\n  # level: DEBUG\nzones: {loss_factor: 0, days: 30}\n")
    mine, usual = load_config(path), load_config()
    assert mine.server == usual.server.model_copy(update={"port": 9000})
    assert mine.zones == usual.zones.model_copy(update={"loss_factor": 0.0, "days": 30})
    assert (mine.logging, mine.sessions, mine.compute) == (usual.logging, usual.sessions, usual.compute)
    (tmp_path / "empty.yaml").write_text("")
    assert load_config(tmp_path / "empty.yaml") == usual


def test_paths_in_a_users_file_count_from_it_and_defaults_from_the_project(tmp_path, root):
    path = tmp_path / "mine.yaml"
    path.write_text("runs: {folder: kept}\nlogging: {file: a/b.log}\nserver: {host: localhost}\n")
    config = load_config(path)
    assert config.path(config.runs.folder) == tmp_path / "kept"
    assert config.path(config.logging.file) == tmp_path / "a" / "b.log"
    assert config.paths(config.zones.input) == (root / "input" / "zones",)
    assert config.server.host == "localhost"
    assert config.database_url == f"sqlite:///{root}/var/kraftflyt.db"


def test_the_input_is_one_folder_or_a_list_searched_in_turn(tmp_path, root):
    path = tmp_path / "mine.yaml"
    for text, folders in (("near", [tmp_path / "near"]), ("[near, /far]", [tmp_path / "near", Path("/far")])):
        path.write_text(f"zones: {{input: {text}}}")
        config = load_config(path)
        assert list(config.paths(config.zones.input)) == folders
        assert hash(config) == hash(load_config(path))


@pytest.mark.parametrize(
    ("url", "absolute"),
    [
        ("sqlite:///here.db", "sqlite:///{folder}/here.db"),
        ("sqlite:////srv/there.db", "sqlite:////srv/there.db"),
        ("sqlite:///:memory:", "sqlite:///:memory:"),
        ("postgresql+psycopg://me@db/kraftflyt", "postgresql+psycopg://me@db/kraftflyt"),
    ],
)
def test_only_relative_sqlite_files_are_made_absolute(tmp_path, url, absolute):
    path = tmp_path / "mine.yaml"
    path.write_text(f"database: {{url: '{url}'}}")
    assert load_config(path).database_url == absolute.format(folder=tmp_path)


def test_the_shipped_street_is_five_houses_at_zurich_in_real_time():
    street = load_config().community
    assert (street.houses, street.update_interval_ms, street.time_scale, street.seed) == (5, 1000, 1.0, 1)
    assert (street.pv_variation, street.flex_load_probability, street.house_values) == ("enabled", 1.0, ())
    assert (street.place, street.timezone, street.start) == ((47.38, 8.54), "Europe/Zurich", "2026-07-10T12:30")
    prices = (
        street.price_grid_delivery,
        street.price_grid_consumption,
        street.price_pv_delivery,
        street.price_house_consumption,
    )
    assert prices == (6.0, 30.0, 20.0, 25.0)
    assert street.mqtt.url == ""


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("houses: 10000", "houses", 10_000),
        ("place: '59.9,10.7'", "place", (59.9, 10.7)),
        ("place: [59, -10.5]", "place", (59.0, -10.5)),
        ("start: now", "start", "now"),
        ("start: 2026-01-10", "start", "2026-01-10T00:00:00"),
        ("start: 2026-01-10T12:30", "start", "2026-01-10T12:30"),
        ("start: 2026-01-10 12:30:00", "start", "2026-01-10T12:30:00"),
        ("start: 2026-01-10T12:30:00+02:00", "start", "2026-01-10T12:30:00+02:00"),
        ("price_pv_delivery: 0", "price_pv_delivery", 0.0),
        ("pv_variation: disabled", "pv_variation", "disabled"),
        ("house_values: [{pv_kwp: 8, appliances: [ev]}, {}]", "house_values",
         (HouseValues(pv_kwp=8.0, appliances={"ev": ApplianceValues()}), HouseValues())),
    ],
)  # fmt: skip
def test_a_street_may_be_described_as_people_write_it(tmp_path, text, name, value):
    path = tmp_path / "mine.yaml"
    path.write_text(f"community: {{{text}}}")
    street = load_config(path).community
    assert getattr(street, name) == value
    assert street == load_config().community.model_copy(update={name: value})
    assert hash(load_config(path)) == hash(load_config(path))  # what is drawn for it is kept by it


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("houses: 0", "houses: 0 is below 1; give 1 or more"),
        ("houses: 10001", "houses: 10001 is above 10000; give 10000 or less"),
        ("update_interval_ms: 2001", "update_interval_ms: 2001 is above 2000"),
        ("time_scale: 0.5", "time_scale: 0.5 is below 1"),
        ("pv_variation: true", "pv_variation: True is not one of 'enabled' or 'disabled'; choose one of them"),
        ("flex_load_probability: 1.5", "flex_load_probability: 1.5 is above 1"),
        ("seed: 1.5", "seed: 1.5 is refused"),
        ("place: Zurich", "place: 'Zurich' is no place; give latitude and longitude in degrees, such as 47.38,8.54"),
        ("place: [47.38]", "place: [47.38] is no place; give latitude and longitude"),
        ("place: [67, 8]", "place: 67,8 is outside the limits; give latitude -66 to 66, longitude -180 to 180"),
        ("place: [.nan, 8]", "place: nan,8 is outside the limits; give latitude -66 to 66"),
        ("timezone: Zurich", "timezone: 'Zurich' is no time zone; give a name such as Europe/Zurich"),
        ("start: noon", "start: 'noon' is no moment; write it as 2026-07-10T12:30, or now"),
        ("start: 1960-01-01", "start: 1960-01-01T00:00:00 is outside the years 1971 to 2100; choose a moment within"),
        ("price_grid_delivery: -1", "price_grid_delivery: -1 is below 0"),
        ("price_grid_delivery: six", "price_grid_delivery: 'six' is refused"),
        ("house_values: [{pv_kwp: -1}]", "house_values[0].pv_kwp: -1 is below 0"),
        ("house_values: [{}, {appliances: [tv]}]", "house_values[1].appliances: 'tv' is no appliance; choose among"),
        ("house_values: [{appliances: [[ev]]}]", "house_values[0].appliances: ['ev'] is no appliance; choose among"),
        ("house_values: [{house_id: a.b}]", "house_values[0].house_id: 'a.b' does not match"),
        ("house_values: [{}, {}], houses: 1", "house_values: 2 houses are given for a street of 1; give at most so"),
        ("house_values: 5", "house_values: 5 is refused"),
        ("mqtt: {url: 5}", "mqtt.url: 5 is refused"),
        ("batteries: 3", "batteries: unknown key; the keys here are houses, update_interval_ms, "),
    ],
)
def test_a_street_that_cannot_be_is_refused_by_its_key(tmp_path, text, says):
    (found,) = problems(tmp_path, f"community: {{{text}}}")
    assert found.startswith(f"community{'.' if not found.startswith('community: ') else ': '}{says}")


def test_the_configuration_cannot_be_changed():
    config = load_config()
    with pytest.raises(ValueError, match="frozen"):
        config.server.port = 1
