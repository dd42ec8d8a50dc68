"""A run goes to each place and comes back the same, for one person and for several."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.servers.clones import KEPT_BACK, NOTHING_TO_SEND, UP_TO_DATE, Clone
from tests.servers.store import Store


def test_a_run_goes_there_and_comes_back(
    clone: Clone, store: Store, fresh: Clone
) -> None:
    sent = clone.sent()
    assert f"{len(sent)} files pushed" in clone.dvc("push")
    objects = store.objects()
    assert {*objects} == {*sent.values()}
    assert not store.damaged()

    # Another time, nothing is sent.
    assert NOTHING_TO_SEND in clone.dvc("push")
    assert store.objects() == objects

    # Somebody else gets all but the images from there, and these from the embedded one.
    output = fresh.dvc("pull", fails=True)
    _, told = output.split("Checkout failed for following targets:\n")
    assert {*told.splitlines()[: len(KEPT_BACK)]} == KEPT_BACK
    assert fresh.there() == sent
    fresh.dvc("pull", "--remote=embedded")
    assert fresh.there() == clone.outputs()
    assert UP_TO_DATE in fresh.dvc("status")
    assert fresh.git("status", "--porcelain") == ""


def test_two_may_push_at_once(clone: Clone, store: Store, tmp_path: Path) -> None:
    with ThreadPoolExecutor() as both:
        people = (clone, clone.copy(tmp_path / "other"))
        list(both.map(lambda person: person.dvc("push"), people))
    assert {*store.objects()} == {*clone.sent().values()}
    assert not store.damaged()
