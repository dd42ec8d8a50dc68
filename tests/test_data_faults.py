from __future__ import annotations

from crosscam.data.faults import MAX_SHOWN_FAULTS, DataError


def test_error_shows_twenty_faults_and_counts_the_others() -> None:
    assert str(DataError("one", "two")) == "one\ntwo"
    error = DataError(*(f"fault {number}" for number in range(MAX_SHOWN_FAULTS + 3)))
    assert str(error).splitlines()[19:] == ["fault 19", "and 3 more"]
    assert len(error.faults) == 23
