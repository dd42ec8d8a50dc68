"""What a run will need, counted from its parameters and a few timed passes.

All passes over images and pairs of images are counted as the stages make them; each
kind costs what it was timed to cost on this machine.
"""

from __future__ import annotations

from typing import NamedTuple

from crosscam.train.inter import InterParams
from crosscam.train.intra import IntraParams
from crosscam.train.measure import PER_CAMERA


class Sizes(NamedTuple):
    """Of a dataset: training images, query and gallery images, cameras."""

    train: int
    test: int
    cameras: int


class Passes(NamedTuple):
    """What is passed over how often.

    Parameters
    ----------
    trained
        Views of images, forward and backward.
    plain, styled
        Images turned into features, as they are or in the styles of all cameras.
    measured
        Images from which the moments of the styles are taken.
    pairs
        Of images that are compared to be clustered; by density fewer are.
    """

    trained: float = 0
    plain: float = 0
    styled: float = 0
    measured: float = 0
    pairs: float = 0

    def plus(self, other: Passes, times: float = 1) -> Passes:
        """Return these and `times` those of another."""
        return Passes(*(a + times * b for a, b in zip(self, other, strict=True)))

    def seconds(self, each: Passes) -> float:
        """Return how long all take when one of each kind takes `each`, in seconds."""
        return sum(number * cost for number, cost in zip(self, each, strict=True))


class Plan(NamedTuple):
    """Passes of one intra-camera round, of one inter-camera round, and of the run.

    An inter-camera round has the intra-camera phase after it, if there is one.
    """

    intra: Passes
    inter: Passes
    run: Passes


def plan(
    sizes: Sizes,
    intra: IntraParams,
    inter: InterParams,
    *,
    views: tuple[int, int],
    tnorm: bool,
    new_heads: bool,
) -> Plan:
    """Return how often the stages pass over the images.

    Parameters
    ----------
    sizes
        Of the dataset.
    intra, inter
        Parameters of the phases.
    views
        Of an image in a step of the intra and of the inter phase: 1, or 2 to distil.
    tnorm
        Whether there are camera styles.
    new_heads
        Whether heads are made anew between inter rounds without training (cosine).
    """
    num = sizes.train
    looked_at = min(num, PER_CAMERA * sizes.cameras) if tnorm else 0

    def intra_round(epochs: int) -> Passes:
        return Passes(
            trained=num * epochs * views[0],
            plain=num,
            measured=looked_at if epochs else 0,
            pairs=num**2 / sizes.cameras,
        )

    everything = Passes(plain=0 if tnorm else 1, styled=1 if tnorm else 0)
    inter_round = Passes(
        trained=num * inter.epochs * views[1],
        measured=looked_at,
        pairs=num**2,
    ).plus(everything, num)
    between = Passes()
    if inter.intra_epochs > 0 or new_heads:
        between = intra_round(inter.intra_epochs)
    run = Passes(measured=2 * looked_at).plus(everything, sizes.test)
    run = run.plus(intra_round(intra.epochs), intra.rounds)
    run = run.plus(inter_round, inter.rounds).plus(between, inter.rounds - 1)
    return Plan(intra_round(intra.epochs), inter_round.plus(between), run)


class Memory(NamedTuple):
    """Bytes at one time.

    Parameters
    ----------
    process
        The program with its libraries.
    weights
        With their gradients and the optimiser's state.
    images
        All decoded training images.
    step
        What a training step keeps for its backward pass.
    clustering
        Distances between all training images, and what is made of them.
    distances
        The part of them that is computed on the GPU, and held there meanwhile.
    """

    process: float
    weights: float
    images: float
    step: float
    clustering: float
    distances: float = 0

    def alone(self) -> float:
        """Return the most on a CPU: training and clustering take turns."""
        trained = self.weights + self.images
        return self.process + trained + max(self.step, self.clustering)

    def on_gpu(self) -> float:
        """Return the most on a GPU: training and distances take turns there, too."""
        return self.weights + self.images + max(self.step, self.distances)

    def beside_gpu(self) -> float:
        """Return the most in the machine's own memory when a GPU trains."""
        return self.process + self.clustering


def duration(seconds: float) -> str:
    """Return seconds in the two largest fitting units: ``1 d 3 h``, ``45 s``."""
    units = [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)]
    rest = max(1, round(seconds))
    first = next(i for i, (_, size) in enumerate(units) if rest >= size)
    if first < len(units) - 1:  # to the smaller of the two units
        small = units[first + 1][1]
        rest = round(rest / small) * small
        first = next(i for i, (_, size) in enumerate(units) if rest >= size)
    parts = []
    for name, size in units[first : first + 2]:
        count, rest = divmod(rest, size)
        parts += [f"{count} {name}"] if count else []
    return " ".join(parts)


def gigabytes(num_bytes: float) -> str:
    """Return bytes as ``1.2 GB`` (10^9), or in MB below a tenth of one."""
    if num_bytes < 1e8:
        return f"{num_bytes / 1e6:.0f} MB"
    return f"{num_bytes / 1e9:.1f} GB"
