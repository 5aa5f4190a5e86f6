"""What every test shares: the project's root, the shipped input, and real data where it is at hand."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LONG = ("test_benchmarks.py", "browser", "faults")  # files and folders that begin first, so that no worker ends late


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first; a file stays together, for `make test` hands out whole files."""
    parts = {item.path: set(item.path.parts) for item in items}
    items.sort(key=lambda item: next((i for i, name in enumerate(LONG) if name in parts[item.path]), len(LONG)))


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def shipped_input() -> Path:
    return ROOT / "input" / "zones"


@pytest.fixture(scope="session")
def real_data() -> Path:
    folder = Path(os.environ.get("ENERGY_SIM_REAL_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data: set ENERGY_SIM_REAL_DATA or place it at {folder}")
    return folder
