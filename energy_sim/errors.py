"""Every error the product raises on purpose.

A message names what is wrong, where, which limit it breaks and how to mend it, in one line:
``zones.NO1.hydro_max_daily_production_mwh: -3 is below 0; give a capacity in MWh a day``.
"""

from collections.abc import Sequence

LISTED = 20  # problems that the one-line message of an error names


class EnergySimError(Exception):
    """Base of all errors a user can mend; the command line turns it into one line and an exit code."""

    def __init__(self, message: str, problems: Sequence[str] = ()) -> None:
        """Keep the one-line message and, where a check found several faults, all of them.

        Args:
            message: one line for people.
            problems: every fault found, one line each; empty when the message is the only one.
        """
        super().__init__(message)
        self.problems: tuple[str, ...] = tuple(problems) or (message,)

    @classmethod
    def from_problems(cls, problems: Sequence[str]) -> "EnergySimError":
        """One error for all faults found together; the message names the first `LISTED` and counts the others.

        >>> str(DataError.from_problems(["a.csv: row 2: x", "b.csv: empty"]))
        'a.csv: row 2: x; b.csv: empty'
        """
        more = f" (and {len(problems) - LISTED} more)" if len(problems) > LISTED else ""
        return cls("; ".join(problems[:LISTED]) + more, problems)


class ConfigError(EnergySimError):
    """The configuration, a network file or an option has a value that cannot be used."""


class DataError(EnergySimError):
    """An input file, a stored record or a request has content that cannot be used."""


class InfeasibleError(EnergySimError):
    """No solution exists within the limits given."""


class LedgerError(EnergySimError):
    """A ledger record does not verify."""
