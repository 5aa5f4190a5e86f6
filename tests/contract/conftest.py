"""What the commands of all rooms share."""

from collections.abc import Iterator

import pytest

from tests.contract import forks


@pytest.fixture(scope="session", autouse=True)
def forks_are_closed() -> Iterator[None]:
    yield
    forks.close()
