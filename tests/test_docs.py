"""The documentation says what is true: links lead somewhere, commands and keys exist, examples run."""

import doctest
import re
import shlex
from itertools import chain
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
import typer.main
import yaml

from energy_sim.cli import app
from energy_sim.community.live import open_community, session_parameters
from energy_sim.config import DEFAULT_PATH, Config, load_config
from energy_sim.trading.parameters import describe_fields
from energy_sim.zones.live import LIVE_FACTORS
from energy_sim.zones.network_file import read_network
from energy_sim.zones.pipeline import SWITCH_NAMES
from tests.conftest import ROOT

SKIPPED = {"build", "node_modules", "runs", "var"}
PAGES = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not any(part.startswith(".") or part in SKIPPED for part in path.relative_to(ROOT).parts)
)
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
KEY = re.compile(r"`([a-z]+)\.([a-z_]+)`")
OTHERS = {"md", "py", "js", "css", "yaml", "json", "csv", "html", "log"}  # file names look like keys
PLACEHOLDERS = {"FILE": "file.yaml", "LEVEL": "INFO", "DIR": "folder"}


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", text_of(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands_in(text: str) -> list[list[str]]:
    """Every `energy-sim ...` line of code blocks, indented blocks and inline code, as words; comments cut."""
    blocks = "\n".join(body for _, body in CODE.findall(text))
    joined = re.sub(r"\\\n\s*", " ", f"{blocks}\n{CODE.sub('', text)}")
    lines = re.findall(r"^(?: {4}|\$ )?energy-sim (.+)$", joined, re.MULTILINE)
    inline = re.findall(r"`energy-sim ([^`\n]+)`", CODE.sub("", text))
    found = [shlex.split(line, comments=True) for line in chain(lines, inline)]
    return [[PLACEHOLDERS.get(word, word) for word in words] for words in found]


def check_command(words: list[str]) -> tuple[str, ...]:
    """The command's name; the command's own parser refuses a wrong name, option or value. Nothing is run."""
    command, path, words = typer.main.get_command(app), (), list(words)
    while hasattr(command, "commands"):
        options = {opt: param for param in command.params for opt in param.opts}
        while words and words[0].startswith("--"):
            assert words[0] in options, f"{' '.join(path)}: no option {words[0]}"
            del words[: 1 if options[words[0]].is_flag else 2]
        if not words:
            break
        assert words[0] in command.commands, f"{' '.join(path)}: no command {words[0]}"
        path, command = (*path, words[0]), command.commands[words.pop(0)]
    if not hasattr(command, "commands") and words:  # a bare name in a sentence names the command
        command.make_context(path[-1], words).close()
    return path


def leaves(command, path=()) -> set[tuple[str, ...]]:
    if not hasattr(command, "commands"):
        return {path}
    return set().union(*(leaves(sub, (*path, name)) for name, sub in command.commands.items()))


def test_pages_are_found():
    assert {
        "README.md",
        "CHANGELOG.md",
        "docs/zones.md",
        "energy_sim/zones/README.md",
        "energy_sim/community/README.md",
        "docs/trading.md",
        "energy_sim/trading/README.md",
        "docs/agents.md",
        "energy_sim/agents/README.md",
    } <= {named(p) for p in PAGES}
    assert len([p for p in PAGES if p.parent.name == "adr"]) >= 8


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_relative_link_leads_to_a_file_and_its_heading(page):
    for target in LINK.findall(text_of(page)):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), f"{named(page)}: {target} leads nowhere"
        assert file.is_relative_to(ROOT), f"{named(page)}: {target} leaves the project"
        assert not anchor or anchor in anchors(file), f"{named(page)}: {target} names no heading"


def test_every_decision_record_is_linked_from_the_readme_and_has_its_three_parts():
    for record in (ROOT / "docs" / "adr").glob("*.md"):
        assert f"(docs/adr/{record.name})" in text_of(ROOT / "README.md")
        assert re.findall(r"^## (.+)$", text_of(record), re.MULTILINE) == ["Context", "Decision", "Consequences"]


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_command_line_shown_is_accepted_by_the_parser(page):
    for words in commands_in(text_of(page)):
        check_command(words)


def test_the_readme_shows_every_command():
    shown = {check_command(words) for words in commands_in(text_of(ROOT / "README.md"))}
    every = leaves(typer.main.get_command(app))
    assert len(every) >= 9
    assert every <= shown


def test_options_in_the_tables_of_the_readme_exist():
    zones = typer.main.get_command(app).commands["zones"].commands
    known = {name: {o for p in zones[name].params for o in (*p.opts, *p.secondary_opts)} for name in zones}
    rows = re.findall(r"^\| (`--.+?) \| ([a-z, -]+) \|", text_of(ROOT / "README.md"), re.MULTILINE)
    assert len(rows) >= 8
    for options, commands in rows:
        for option in re.findall(r"--[a-z0-9-]+", options):
            for command in commands.split(", "):
                assert option in known[command], f"zones {command} has no {option}"


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ("zones fly", "no command fly"),
        ("--verbose zones run", "no option --verbose"),
        ("zones run --no-gravity", "No such option: --no-gravity"),
        ("zones run --days many", "valid integer"),
        ("runs export --out run.zip", "Missing (argument|parameter)"),
    ],
)
def test_the_command_check_refuses_what_does_not_exist(wrong, reason):
    with pytest.raises((AssertionError, typer.TyperException), match=reason):
        check_command(wrong.split())


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_configuration_key_mentioned_exists(page):
    config = load_config()
    for section, key in KEY.findall(text_of(page)):
        if section in Config.model_fields and key not in OTHERS:
            assert key in type(getattr(config, section)).model_fields, f"{named(page)}: {section}.{key}"


def test_the_key_check_sees_keys():
    keys = KEY.findall(text_of(ROOT / "README.md")) + KEY.findall(text_of(ROOT / "docs" / "sessions.md"))
    assert {("database", "url"), ("sessions", "idle_pause_s"), ("compute", "scheduler")} <= set(keys)


def test_defaults_quoted_for_sessions_are_those_of_the_configuration():
    sessions, said = yaml.safe_load(text_of(DEFAULT_PATH))["sessions"], text_of(ROOT / "docs" / "sessions.md")
    for key, unit in (
        ("idle_pause_s", " s"),
        ("checkpoint_every_s", " s"),
        ("delete_after_days", ""),
        ("max_in_memory", ""),
    ):
        assert re.search(rf"`sessions\.{key}`\s+\({sessions[key]:g}{unit}\)", said), key


def test_every_switch_and_factor_is_explained():
    said = text_of(ROOT / "docs" / "zones.md")
    assert all(f"`{name}`" in said for name in (*SWITCH_NAMES, *LIVE_FACTORS, "reservoir_factor"))


def test_columns_named_are_those_of_the_tables(shipped_input):
    from datetime import date

    from energy_sim.zones.data import load_inputs
    from energy_sim.zones.norway import norway
    from energy_sim.zones.pipeline import tables_of
    from energy_sim.zones.simulator import Settings, simulate_period

    network = norway()
    period = simulate_period(network, load_inputs([shipped_input], network, date(2018, 1, 1), 1), {0: Settings()})
    rows = dict(re.findall(r"^\| `(\w+)` \| [^|]+ \| `([^`]+)`", text_of(ROOT / "docs" / "zones.md"), re.MULTILINE))
    for name, table in tables_of(period, {}).items():
        assert rows[name].split(", ") == list(table.columns)


def test_the_network_shown_is_a_network(tmp_path):
    shown = [body for language, body in CODE.findall(text_of(ROOT / "docs" / "zones.md")) if language == "yaml"]
    assert len(shown) == 1
    (tmp_path / "network.yaml").write_text(shown[0], encoding="utf-8")
    network = read_network(tmp_path / "network.yaml")
    assert network.ids == ("A", "B")
    assert [(r.supplier, r.importer, r.hops) for r in network.routes] == [(0, 1, 1)]


def test_the_street_shown_is_a_street(tmp_path):
    shown = [body for language, body in CODE.findall(text_of(ROOT / "docs" / "community.md")) if language == "yaml"]
    assert len(shown) == 1
    (tmp_path / "mine.yaml").write_text(shown[0], encoding="utf-8")
    live = open_community(session_parameters(load_config(tmp_path / "mine.yaml").community))
    assert len(live.house_ids) == 12
    assert live.house_ids[0] == "school"


@pytest.mark.parametrize("room", ["zones", "community", "trading", "agents"])
def test_the_example_of_a_rooms_readme_runs(room):
    result = doctest.testfile(str(ROOT / "energy_sim" / room / "README.md"), module_relative=False, encoding="utf-8")
    assert result.attempted >= 12
    assert result.failed == 0


@pytest.mark.parametrize("name", ["zones", "community", "trading", "agents", "forecasting"])
def test_the_map_of_a_rooms_readme_names_every_file_of_it(name):
    room = ROOT / "energy_sim" / name
    said = set(re.findall(r"`((?!energy_sim/)(?:\w+/)?\w+\.(?:py|vy))`", text_of(room / "README.md")))
    there = {str(path.relative_to(room)) for path in room.rglob("*.?y") if path.name != "__init__.py"}
    assert said == there


def shown_default(value: object) -> str:
    if value is None or value in ("", {}):
        return "empty"
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"`{value}`" if isinstance(value, str) else f"{value:g}"


def test_the_table_of_parameters_has_every_one_with_its_default_and_limits():
    rows = re.findall(
        r"^\| `(\w+\.\w+)` \| ([^|]+) \| ([^|]*) \| [^|]+ \|$", text_of(ROOT / "docs" / "trading.md"), re.MULTILINE
    )
    fields = describe_fields()
    assert [name for name, _, _ in rows] == [f"{field.group}.{field.name}" for field in fields]
    for (name, default, limits), field in zip(rows, fields, strict=True):
        assert default == shown_default(field.default), name
        if field.choices:
            assert limits == ", ".join(f"`{choice}`" for choice in field.choices), name
        elif field.low is not None and field.high is not None:
            low, high = re.match(r"(\S+) to (\S+)", limits).groups()
            assert [float(low), 2**53 if high == "2^53" else float(high)] == [field.low, field.high], name


def test_columns_named_are_those_of_a_trading_run(tmp_path):
    from energy_sim.trading.parameters import TradingParameters
    from energy_sim.trading.pipeline import Request, write_run

    given = {"simulation": {"simulation_steps": 2}, "household": {"max_households": 2}, "optimizer": {"kind": "greedy"}}
    request = Request(ROOT / "input" / "homes" / "week.csv", TradingParameters.from_json(given))
    write_run(tmp_path / "run", request, ledger=None)
    section = text_of(ROOT / "docs" / "trading.md").partition("## Files out")[2]
    rows = re.findall(r"^\| ((?:`\w+` ?)+)\| [^|]+ \| `([^`]+)` \|$", section, re.MULTILINE)
    named_tables = {name: columns.split(", ") for names, columns in rows for name in re.findall(r"\w+", names)}
    assert set(named_tables) == {"baseline_results", "optimized_results", "households", "steps"}
    for name, columns in named_tables.items():
        header = (tmp_path / "run" / f"{name}.csv").read_text(encoding="utf-8").splitlines()[0]
        assert columns == header.split(","), name


def rows_of(page: str, first: str) -> list[list[str]]:
    """Cells of the table whose first heading is `first`."""
    _, _, rest = text_of(ROOT / page).partition(f"\n\n| {first} |")
    lines = rest.partition("\n\n")[0].split("\n")[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_endpoints_of_the_agents_are_those_that_answer():
    from energy_sim.agents.grid.server import make_grid_app
    from energy_sim.agents.home.server import make_app

    nobody = SimpleNamespace(grid=SimpleNamespace(seats=None))  # it is described, not asked
    for first, server in (("grid agent", make_grid_app(nobody)), ("home, battery", make_app(None))):
        paths = server.openapi()["paths"]
        answered = [f"{method.upper()} {path}" for path, methods in paths.items() for method in methods]
        assert sorted(row[0].strip("`") for row in rows_of("docs/agents.md", first)) == sorted(answered)


def test_the_table_of_agents_has_every_key_with_its_default():
    rows = {row[0].strip("`"): row[1].strip("`") for row in rows_of("docs/agents.md", "key of `agents`")}
    section = yaml.safe_load(text_of(DEFAULT_PATH))["agents"]
    assert list(rows) == list(section)
    for name, value in section.items():
        if name in {"transformers", "ties", "llm"}:
            continue
        shown = ", ".join(map(str, value)) if isinstance(value, list) else shown_default(value).strip("`")
        assert rows[name] == (value.isoformat() if name == "start" else shown), name


def test_the_scenarios_of_the_agents_are_those_that_are_played():
    from energy_sim.agents.home.local_agents import SCENARIOS

    rows = {int(row[0]): tuple(row[1:4]) for row in rows_of("docs/agents.md", "scenario")}
    assert rows == {n: (f"{sun:g}", f"{load:g}", f"{100 * soc:g} %") for n, (sun, load, soc) in SCENARIOS.items()}
