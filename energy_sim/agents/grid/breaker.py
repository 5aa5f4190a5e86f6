"""Leaving an agent alone that does not answer: closed -> open after failures in a row -> one probe -> closed or open.

    state = failed(Breaker(), now_s, failures=2)
    if may_ask(state, now_s, open_s=30.0) ...

Times are seconds of one monotonic clock.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True, slots=True)
class Breaker:
    """What is remembered of one agent; ``opened_s`` None is closed."""

    failures: int = 0  # in a row
    opened_s: float | None = None


def standing(breaker: Breaker, now_s: float, open_s: float) -> Literal["closed", "open", "probe"]:
    """Closed: ask; open: leave alone; probe: one question is due, and a failure opens it anew."""
    if breaker.opened_s is None:
        return "closed"
    return "open" if now_s - breaker.opened_s < open_s else "probe"


def failed(breaker: Breaker, now_s: float, failures: int) -> Breaker:
    """After a failure; it opens with the ``failures``-th in a row, and at once when a probe fails."""
    count = breaker.failures + 1
    opens = count >= failures or breaker.opened_s is not None
    return Breaker(count, now_s if opens else None)


def answered(breaker: Breaker) -> Breaker:
    """After an answer: closed."""
    return replace(breaker, failures=0, opened_s=None)


def choose(
    ids: Sequence[str], breakers: Mapping[str, Breaker], now_s: float, open_s: float, probes: int
) -> tuple[list[str], list[str]]:
    """Who is asked in this cycle and who is not.

    Closed ones are all asked; of those due for a probe the ``probes`` that have waited longest, so that a fleet with
    many hung agents does not pay for all of them at once.
    """
    ask: list[str] = []
    leave: list[str] = []
    due: list[str] = []
    for name in ids:
        breaker = breakers.get(name, Breaker())
        how = standing(breaker, now_s, open_s)
        (ask if how == "closed" else leave if how == "open" else due).append(name)
    due.sort(key=lambda name: breakers[name].opened_s or 0.0)
    return ask + due[:probes], leave + due[probes:]
