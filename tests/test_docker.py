"""No container engine is needed to run the tests, so the image's recipe is held to the project it packs."""

import re
import shlex
import tomllib
from fnmatch import fnmatch

import pytest
import yaml

from energy_sim.config import load_config

NEEDED = ["app.py", "layouts", "callbacks", "assets", "energy_sim", "input", "config.yaml", "stories"]


@pytest.fixture(scope="module")
def recipe(root) -> list[tuple[str, str]]:
    """(instruction, its argument) of the Dockerfile, continued lines joined."""
    text = re.sub(r"\\\n", " ", (root / "Dockerfile").read_text(encoding="utf-8"))
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    found = [(line.split(None, 1)[0], " ".join(line.split(None, 1)[1].split())) for line in lines]
    health = [(key.strip(), rest.strip()) for name, value in found if name == "HEALTHCHECK"
              for key, rest in [re.search(r"(CMD) (.*)", value).groups()]]  # fmt: skip
    assert len(health) == 1
    return [*found, ("HEALTHCHECK CMD", health[0][1])]


@pytest.fixture(scope="module")
def project(root) -> dict:
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def arguments(recipe, name: str) -> list[str]:
    return [value for instruction, value in recipe if instruction == name]


def copied(recipe) -> list[str]:
    return [source for value in arguments(recipe, "COPY") for source in shlex.split(value)[:-1]]


def test_every_file_and_folder_that_is_copied_exists(recipe, root):
    sources = copied(recipe)
    assert len(sources) == len(set(sources)) >= 10
    assert [source for source in sources if not (root / source).exists()] == []


def test_what_the_dashboard_needs_is_copied_and_not_ignored(recipe, root):
    assert [name for name in NEEDED if name not in copied(recipe)] == []
    ignored = (root / ".dockerignore").read_text(encoding="utf-8").split("\n")
    patterns = [line for line in ignored if line and not line.startswith("#")]
    assert not [line for line in patterns if line.startswith("!")]
    assert [
        (n, p) for n in copied(recipe) for p in patterns if fnmatch(n, p) or fnmatch(n, p.removeprefix("**/"))
    ] == []


def test_what_the_app_imports_is_copied(recipe, root):
    files = [root / "app.py", *(root / "callbacks").glob("*.py")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    own = {name for name in re.findall(r"^(?:from|import) (\w+)", text, re.MULTILINE) if (root / name).is_dir()}
    assert {"callbacks", "energy_sim", "layouts"} <= own
    assert own <= set(copied(recipe))


def test_secrets_state_and_tools_stay_out_of_the_image(root):
    patterns = (root / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for name in (".git", ".venv", ".env", "var", "runs", "tests", "**/__pycache__"):
        assert name in patterns


def test_the_port_is_the_configured_one_everywhere(recipe, root):
    port = str(load_config().server.port)
    assert arguments(recipe, "EXPOSE") == [port]
    assert f"http://127.0.0.1:{port}/" in arguments(recipe, "HEALTHCHECK CMD")[0]
    compose = yaml.safe_load((root / "compose.yaml").read_text(encoding="utf-8"))
    assert compose["services"]["kraftflyt"]["ports"] == [f"{port}:{port}"]
    assert load_config().server.host == "0.0.0.0"  # else nothing outside the container reaches it


def test_packages_come_from_the_lock_with_hashes_and_the_project_without_dependencies(recipe):
    installs = [value for value in arguments(recipe, "RUN") if "pip install" in value]
    assert installs == [
        "pip install --require-hashes -r requirements.lock",
        "pip install --no-deps --no-build-isolation .",
    ]
    instructions = [f"{name} {value}" for name, value in recipe]
    lock, code = (next(i for i, line in enumerate(instructions) if part in line) for part in ("-r requ", "COPY energy"))
    assert lock < code  # a change of the code does not install everything again


def test_the_lock_has_hashes_the_build_tool_and_no_index_host(root):
    text = (root / "requirements.lock").read_text(encoding="utf-8")
    pinned = re.findall(r"^([a-z0-9._-]+)(?:\[[^]]+\])?==", text, re.MULTILINE)
    assert len(pinned) > 40
    assert "setuptools" in pinned  # --no-build-isolation takes it from here
    assert len(re.findall(r"--hash=sha256:[0-9a-f]{64}", text)) >= len(pinned)
    for name in ("requirements.lock", "requirements-dev.lock", "Dockerfile", "compose.yaml"):
        content = (root / name).read_text(encoding="utf-8")
        assert not re.search(r"index-url|extra-index|find-links|trusted-host|https?://(?!127\.0\.0\.1)", content), name


def test_the_image_has_what_agents_need(root, project):
    text = (root / "requirements.lock").read_text(encoding="utf-8")
    pinned = set(re.findall(r"^([a-z0-9._-]+)(?:\[[^]]+\])?==", text, re.MULTILINE))
    needed = {re.match(r"[a-z0-9_-]+", line)[0] for line in project["optional-dependencies"]["agents"]}
    assert {"aiohttp", "fastapi", "openai", "uvicorn"} <= needed
    assert needed <= pinned


def test_the_python_of_the_image_is_one_the_project_supports(recipe, project):
    (base,) = arguments(recipe, "FROM")
    version = re.fullmatch(r"python:3\.(\d+)-slim", base)
    lowest = re.fullmatch(r">=3\.(\d+)", project["requires-python"])
    assert int(version[1]) >= int(lowest[1])


def test_what_the_package_description_names_is_copied_before_the_project_is_installed(recipe, project):
    assert {"pyproject.toml", project["readme"], *project["license-files"]} <= set(copied(recipe))


def test_the_command_is_the_installed_one(recipe, project):
    (command,) = arguments(recipe, "CMD")
    words = yaml.safe_load(command)
    assert words == ["energy-sim", "serve"]
    assert project["scripts"][words[0]] == "energy_sim.cli:main"


def test_it_runs_as_a_user_who_may_write_the_volumes_only(recipe):
    instructions = [name for name, _ in recipe]
    (user,) = arguments(recipe, "USER")
    assert user != "root"
    assert instructions.index("USER") > max(i for i, name in enumerate(instructions) if name == "RUN")
    (volumes,) = arguments(recipe, "VOLUME")
    config = load_config()
    written = [config.logging.file.split("/")[0], config.runs.folder, config.agents.logs]
    assert yaml.safe_load(volumes) == [f"/app/{folder}" for folder in written]
    assert f"chown --recursive {user}:{user} {' '.join(written)}" in " ".join(arguments(recipe, "RUN"))
    agents = (config.agents.audit, config.agents.grid_key, config.agents.state)
    assert {path.split("/")[0] for path in agents} <= set(written)


def test_the_health_check_is_python_that_compiles(recipe):
    words = yaml.safe_load(arguments(recipe, "HEALTHCHECK CMD")[0])
    assert words[:2] == ["python", "-c"]
    compile(words[2], "health", "exec")


def test_compose_keeps_all_volumes(recipe, root):
    compose = yaml.safe_load((root / "compose.yaml").read_text(encoding="utf-8"))
    kept = [place.split(":") for place in compose["services"]["kraftflyt"]["volumes"]]
    (volumes,) = arguments(recipe, "VOLUME")
    assert [inside for _, inside in kept] == yaml.safe_load(volumes)
    assert sorted(name for name, _ in kept) == sorted(compose["volumes"])
