"""What every test shares: the project's root, the shipped input, and real data where it is at hand."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


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
