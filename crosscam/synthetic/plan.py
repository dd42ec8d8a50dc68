"""Who passes which camera when: the shots of a synthetic world, before any drawing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np

from crosscam.params import Count, Seed, Within
from crosscam.synthetic.cameras import CAMERAS

# The layout of Market-1501 as crosscam/data reads it. Nothing is imported from there:
# no change of the reading shall draw the images anew. A test compares the two.
FOLDERS = {
    "train": "bounding_box_train",
    "gallery": "bounding_box_test",
    "query": "query",
}
DISTRACTOR_PID = 0
JUNK_PID = -1
FRAMES_PER_SECOND = 25
SEQUENCE_FRAMES = 90_000  # one hour
WALK_FRAMES = 10_000  # no walk past the cameras takes longer
NUM_SEQUENCES = 2
STEP = 12  # frames between two images of a tracklet, half a second
SHARE_OF_CAMERAS = ((2, 0.05), (3, 0.25), (4, 0.55), (5, 0.15))
SECOND_PASS = 0.2  # chance that a person comes by a camera twice


@dataclass(frozen=True)
class World:
    """Parameters of a synthetic world.

    Parameters
    ----------
    seed
        Moves people, poses and noise; the cameras are fixed.
    train_pids, test_pids
        Numbers of identities, disjoint.
    cameras
        Number of cameras, from the head of `crosscam.synthetic.cameras.CAMERAS`.
    images_per_tracklet
        Images of one person passing one camera once: this or one more or less.
    distractors
        Gallery images of nobody (pid 0).
    junk
        Badly cut gallery images of test people (pid -1).
    """

    seed: Seed
    train_pids: Count
    test_pids: Count
    cameras: Count
    images_per_tracklet: Annotated[int, Within(2)]
    distractors: Annotated[int, Within(0)]
    junk: Annotated[int, Within(0)]

    def __post_init__(self) -> None:
        """Refuse worlds that cannot be drawn, naming every fault."""
        faults = []
        if not 2 <= self.cameras <= len(CAMERAS):
            faults.append(
                f"cameras: must be at least 2 and at most {len(CAMERAS)}, got "
                f"{self.cameras}: crosscam/synthetic/cameras.py holds no more"
            )
        num_pids = self.train_pids + self.test_pids
        if num_pids > 9999:
            faults.append(
                "train_pids + test_pids: must be at most 9999, got "
                f"{num_pids}: the names of the images have four digits"
            )
        if faults:
            raise ValueError("\n".join(faults))


@dataclass(frozen=True)
class Shot:
    """One image to be drawn.

    `person` is the index of who is seen, or -1 for an empty scene. `tracklet` counts
    the passes of this person at this camera, and `step` the images within one.
    """

    subset: str
    pid: int
    camid: int
    sequence: int
    frame: int
    box: int
    person: int
    tracklet: int
    step: int

    @property
    def member(self) -> str:
        """Path inside the archive, in the names of Market-1501."""
        pid = f"{self.pid:04d}" if self.pid >= 0 else str(self.pid)
        name = (
            f"{pid}_c{self.camid + 1}s{self.sequence}_{self.frame:06d}_{self.box:02d}"
        )
        return f"{FOLDERS[self.subset]}/{name}.jpg"


@dataclass(frozen=True)
class _Pass:
    """One person passing one camera once: a tracklet."""

    pid: int
    camid: int
    sequence: int
    frame: int
    tracklet: int


def plan_shots(world: World) -> list[Shot]:
    """Return every image of a world, sorted by `Shot.member`; members are unique.

    Train and test identities are interleaved over ``1 … train_pids + test_pids``.
    Everybody is seen by two cameras or more. Of each test person and camera one image
    is a query, the others are gallery. A person's walk past the cameras takes a few
    minutes on a clock that all cameras share, so that a stretch of the recording holds
    nearly all images of the people in it.
    """
    rng = np.random.default_rng((world.seed, 0))
    num_pids = world.train_pids + world.test_pids
    train_pids = set(1 + rng.permutation(num_pids)[: world.train_pids])
    shots: list[Shot] = []
    passes: list[_Pass] = []
    for pid in range(1, num_pids + 1):
        subset = "train" if pid in train_pids else "gallery"
        walk = _walk(rng, pid, world.cameras)
        taken = [s for p in walk for s in _tracklet(rng, p, world, subset)]
        shots += taken if subset == "train" else _with_queries(rng, taken)
        passes += walk if subset != "train" else []
    shots += _junk(rng, passes, world)
    shots += _distractors(rng, world)
    return sorted(_boxed(shots), key=lambda shot: shot.member)


def _walk(rng: np.random.Generator, pid: int, num_cameras: int) -> list[_Pass]:
    counts, shares = zip(*SHARE_OF_CAMERAS, strict=True)
    num_seen = min(int(rng.choice(counts, p=shares)), num_cameras)
    sequence = 1 + int(rng.integers(NUM_SEQUENCES))
    frame = int(rng.integers(SEQUENCE_FRAMES - WALK_FRAMES))
    walk = []
    for camid in rng.permutation(num_cameras)[:num_seen].tolist():
        num_passes = 2 if rng.random() < SECOND_PASS else 1
        for tracklet in range(num_passes):
            walk.append(_Pass(pid, camid, sequence, frame, tracklet))
            frame += int(rng.integers(20, 40)) * FRAMES_PER_SECOND
    return walk


def _tracklet(
    rng: np.random.Generator, one: _Pass, world: World, subset: str
) -> list[Shot]:
    # two at least: one may become a query and one must stay to be found
    num_images = max(2, world.images_per_tracklet + int(rng.integers(-1, 2)))
    return [_shot(one, step, subset, one.pid) for step in range(num_images)]


def _shot(one: _Pass, step: int, subset: str, pid: int) -> Shot:
    return Shot(
        subset=subset,
        pid=pid,
        camid=one.camid,
        sequence=one.sequence,
        frame=one.frame + STEP * step,
        box=1,
        person=one.pid - 1,
        tracklet=one.tracklet,
        step=step,
    )


def _with_queries(rng: np.random.Generator, shots: list[Shot]) -> list[Shot]:
    """Return the shots of one person with one of each camera as a query."""
    result = list(shots)
    for camid in sorted({shot.camid for shot in shots}):
        rows = [row for row, shot in enumerate(shots) if shot.camid == camid]
        row = rows[rng.integers(len(rows))]
        result[row] = replace(shots[row], subset="query")
    return result


def _junk(rng: np.random.Generator, passes: list[_Pass], world: World) -> list[Shot]:
    """Return shots just after the tracklets of random passes."""
    order = rng.permutation(len(passes))
    shots = []
    for number in range(world.junk):
        turn, row = divmod(number, len(passes))
        step = world.images_per_tracklet + 1 + turn
        shots.append(_shot(passes[order[row]], step, "gallery", JUNK_PID))
    return shots


def _distractors(rng: np.random.Generator, world: World) -> list[Shot]:
    return [
        Shot(
            subset="gallery",
            pid=DISTRACTOR_PID,
            camid=int(rng.integers(world.cameras)),
            sequence=1 + int(rng.integers(NUM_SEQUENCES)),
            frame=int(rng.integers(SEQUENCE_FRAMES)),
            box=1,
            person=-1,
            tracklet=number,
            step=0,
        )
        for number in range(world.distractors)
    ]


def _boxed(shots: list[Shot]) -> list[Shot]:
    """Return shots with the boxes of one frame numbered, as by a detector."""
    taken: Counter[tuple[int, int, int]] = Counter()
    result = []
    for shot in shots:
        key = (shot.camid, shot.sequence, shot.frame)
        taken[key] += 1
        result.append(replace(shot, box=taken[key]))
    return result
