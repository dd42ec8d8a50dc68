"""The error of the data modules: all faults of a dataset at once."""

from __future__ import annotations

MAX_SHOWN_FAULTS = 20  # a screenful; the rest is counted


class DataError(ValueError):
    """One or more faults of a dataset, a line each.

    Parameters
    ----------
    faults
        One text per fault. The message shows the first `MAX_SHOWN_FAULTS` of them and
        counts the others; all are kept in the attribute ``faults``.
    """

    def __init__(self, *faults: str) -> None:
        super().__init__(*faults)
        self.faults = faults

    def __str__(self) -> str:
        """Return the message: the first faults, a line each."""
        lines = [*self.faults[:MAX_SHOWN_FAULTS]]
        if len(self.faults) > MAX_SHOWN_FAULTS:
            lines.append(f"and {len(self.faults) - MAX_SHOWN_FAULTS} more")
        return "\n".join(lines)
