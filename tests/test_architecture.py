"""The house's rules, held by reading the source: who imports whom, who prints, how long files are, what is loaded."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("energy_sim", "layouts", "callbacks")
ROOMS = ("zones", "community", "trading", "gridops", "agents")
RECORDS = {"energy_sim.zones.model"}  # what figures may know of a room

AGENTS = "energy_sim.agents"
EXTRA = ("aiohttp", "fastapi", "httptools", "httpx", "httpx2", "openai", "starlette", "uvicorn", "uvloop")
# Modules of the agents room that speak HTTP with packages of the extra `agents`; all others work without it.
SERVERS = {
    f"{AGENTS}.{name}"
    for name in (
        *("grid.cycles", "grid.openapi", "grid.polling", "grid.run", "grid.server"),
        *("home.reporting", "home.run", "home.server", "fleet.supervisor", "http_server"),
    )
}

# Hosts that a source may name without the page asking for anything there.
ALLOWED_HOSTS = {"localhost", "127.0.0.1", "0.0.0.0", "www.w3.org", "host", "example.com", "example.org"}
URL = re.compile(r"(?:https?|wss?):(?:\\?/){2}([A-Za-z0-9.-]+)")


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {
    module_name(path): path
    for path in [ROOT / "app.py", *(p for name in PACKAGES for p in sorted((ROOT / name).rglob("*.py")))]
    if path.is_file()
}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in SOURCES.items()}


def imports(tree: ast.AST, own: str, is_package: bool, known: set[str]) -> set[str]:
    """Full names of everything imported, `from a import b` as a.b where that is a module, else as a."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = own.split(".")
                up = parts[: len(parts) - node.level + is_package]
                base = ".".join([*up, *([base] if base else [])])
            for alias in node.names:
                full = f"{base}.{alias.name}"
                found.add(full if full in known else base)
    return found


IMPORTS = {name: imports(tree, name, SOURCES[name].name == "__init__.py", set(SOURCES)) for name, tree in TREES.items()}


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def offenders(importers: str | tuple[str, ...], imported: tuple[str, ...], but: tuple[str, ...] = ()) -> list[str]:
    """`importer -> imported` of modules below `importers` (not below `but`) that import something below `imported`."""
    sources = (importers,) if isinstance(importers, str) else importers
    return [
        f"{name} -> {used}"
        for name, all_used in IMPORTS.items()
        if any(within(name, s) for s in sources) and not any(within(name, b) for b in but)
        for used in sorted(all_used)
        if any(within(used, i) for i in imported)
    ]


def test_the_walk_sees_the_house_and_its_imports():
    assert len(SOURCES) > 30
    assert "energy_sim.zones.kernel" in IMPORTS["energy_sim.zones.simulator"]
    late = {name for name in IMPORTS["energy_sim.cli.zones"] if within(name, "energy_sim.figures")}
    assert late  # imports inside functions too
    assert "plotly.graph_objects" in IMPORTS["energy_sim.figures.zones"]
    relative = ast.parse("from . import b\nfrom ..zones.model import Zone\nfrom .c import x")
    found = imports(relative, "energy_sim.figures.a", False, {"energy_sim.figures.b", "energy_sim.zones.model"})
    assert found == {"energy_sim.figures.b", "energy_sim.zones.model", "energy_sim.figures.c"}


def test_the_core_knows_no_web_framework_and_no_page():
    assert offenders("energy_sim", ("dash", "flask", "dash_bootstrap_components", "layouts", "callbacks", "app")) == []


def test_plotly_is_imported_by_figures_only():
    assert offenders("energy_sim", ("plotly",), but=("energy_sim.figures",)) == []


def test_figures_know_records_but_no_room_code():
    rooms = tuple(f"energy_sim.{room}" for room in ROOMS)
    found = offenders("energy_sim.figures", (*rooms, "energy_sim.cli"))
    assert [arrow for arrow in found if arrow.split(" -> ")[1] not in RECORDS] == []


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_knows_no_other_room_no_figures_and_no_command_line(room):
    others = tuple(f"energy_sim.{other}" for other in ROOMS if other != room)
    assert offenders(f"energy_sim.{room}", (*others, "energy_sim.figures", "energy_sim.cli")) == []


def test_root_files_devices_and_forecasting_know_no_room():
    inner = tuple(f"energy_sim.{part}" for part in (*ROOMS, "figures", "cli"))
    roots = [
        n for n in SOURCES if n.count(".") == 1 and n.startswith("energy_sim.") and SOURCES[n].name != "__init__.py"
    ]
    assert "energy_sim.session" in roots
    assert offenders((*roots, "energy_sim.devices", "energy_sim.forecasting"), inner) == []


def test_the_extra_of_the_agents_is_imported_by_servers_and_the_language_model_only():
    found = {arrow.split(" -> ")[0] for package in ("energy_sim", "layouts", "callbacks", "app")
             for arrow in offenders(package, EXTRA)}  # fmt: skip
    assert f"{AGENTS}.grid.polling" in found
    assert found <= SERVERS | {f"{AGENTS}.language_model"}


def test_everything_but_the_servers_works_without_the_extra_of_the_agents():
    rest = sorted(n for n in SOURCES if within(n, AGENTS) and n not in SERVERS)
    assert {f"{AGENTS}.{n}" for n in ("coordination", "failsafe", "language_model", "fleet.client")} <= set(rest)
    program = f"""
import importlib, sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {EXTRA!r}:
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Absent())
for name in {(*rest, "energy_sim.cli", "callbacks.agents")!r}:
    importlib.import_module(name)
try:
    import energy_sim.agents.grid.polling
except ModuleNotFoundError as error:
    print("absent:", error.name)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "absent: aiohttp"), done.stderr


def test_pages_know_neither_callbacks_nor_the_app_and_callbacks_not_the_app():
    assert offenders("layouts", ("callbacks", "app", "energy_sim.cli")) == []
    assert offenders("callbacks", ("app", "energy_sim.cli")) == []


def test_no_module_imports_itself_in_a_circle():
    graph = {name: {used for used in all_used if used in SOURCES} for name, all_used in IMPORTS.items()}
    done: set[str] = set()

    def walk(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join([*path[path.index(name) :], name])
        if name not in done:
            for used in sorted(graph[name]):
                walk(used, (*path, name))
            done.add(name)

    for name in graph:
        walk(name, ())
    assert done == set(graph)


def test_nothing_prints_but_the_command_line():
    found = [
        f"{name}:{node.lineno}"
        for name, tree in TREES.items()
        if not within(name, "energy_sim.cli")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert found == []


def test_files_can_be_read_in_one_sitting():
    lengths = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in SOURCES.items()}
    assert {name: lines for name, lines in lengths.items() if lines > 500} == {}
    assert max(lengths.values()) > 100


def test_no_file_is_named_for_nothing():
    nothing = {"utils", "util", "helpers", "helper", "common", "base", "manager", "misc"}
    assert [name for name in SOURCES if name.rsplit(".", 1)[-1] in nothing] == []


def test_no_source_names_a_host_that_a_page_could_ask():
    texts = {path: path.read_text(encoding="utf-8") for path in SOURCES.values()}
    for pattern in ("*.css", "*.js", "*.svg", "*.html"):
        texts |= {path: path.read_text(encoding="utf-8") for path in (ROOT / "assets").rglob(pattern)}
    assert any(path.suffix == ".js" for path in texts)
    found = [
        f"{path.relative_to(ROOT)}: {host}"
        for path, text in texts.items()
        for host in URL.findall(text)
        if host.rstrip(".") not in ALLOWED_HOSTS
    ]
    assert found == []


def test_style_sheets_and_scripts_load_nothing_from_another_host():
    loads = re.compile(r"""(?:url\(|@import|src\s*[=:]|href\s*[=:]|import\s*\(|fetch\s*\()\s*["'`]?(?:https?:)?//""")
    assert loads.search("@import '//fonts.example.com/x.css'")
    assert loads.search('img.src = "https://example.com/x.png"')
    for path in (ROOT / "assets").rglob("*"):
        if path.suffix in {".css", ".js", ".svg"}:
            assert not loads.search(path.read_text(encoding="utf-8")), path
