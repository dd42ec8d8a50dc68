"""The error of the data modules: all faults of a dataset at once."""

from __future__ import annotations

MAX_SHOWN_FAULTS = 20  # a screenful; the rest is counted
MAX_SHOWN_CHARACTERS = 600  # of a fault; a name in a zip can have 65,535


class DataError(ValueError):
    """One or more faults of a dataset, a line each.

    Parameters
    ----------
    faults
        One text per fault. The message shows the first `MAX_SHOWN_FAULTS` of them, none
        longer than `MAX_SHOWN_CHARACTERS`, and counts the others; all are kept whole in
        the attribute ``faults``.
    """

    def __init__(self, *faults: str) -> None:
        super().__init__(*faults)
        self.faults = faults

    def __str__(self) -> str:
        """Return the message: the first faults, a line each."""
        lines = [_cut(fault) for fault in self.faults[:MAX_SHOWN_FAULTS]]
        if len(self.faults) > MAX_SHOWN_FAULTS:
            lines.append(f"and {len(self.faults) - MAX_SHOWN_FAULTS} more")
        return "\n".join(lines)


def _cut(fault: str) -> str:
    """Return a fault without the middle of it where it is too long."""
    half = MAX_SHOWN_CHARACTERS // 2
    short = len(fault) <= MAX_SHOWN_CHARACTERS
    return fault if short else f"{fault[:half]} … {fault[-half:]}"
