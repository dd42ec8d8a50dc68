"""No source of ours uses what differs from run to run: by reading the syntax trees."""

from __future__ import annotations

import ast

import pytest

from tests.repository import sources as all_sources
from tests.repository import tree_of
from tests.scan_order import order_faults, set_functions
from tests.scan_random import random_faults

# What the scans find and may stay: file, expression, reason.
ORDER = {
    ("crosscam/data/folder.py", "entries"): "sorted by Folder",
    ("crosscam/data/msmt17_images.py", "layouts"): "popped where it has one element",
    ("crosscam/data/msmt17_lists.py", "contents"): "popped where it has one element",
    ("crosscam/model/checkpoint.py", "{key, other}"): "compared, which has two sides",
    ("crosscam/model/convert/trained.py", "counts"): "has one element at most",
    ("crosscam/model/convert/trained.py", "iter(counts)"): "has one element at most",
}
RANDOM = {
    ("crosscam/experiment/timed.py", "time.perf_counter"): "it measures time",
    ("crosscam/model/checkpoint.py", "builtins.id"): "finds equal objects",
    (
        "crosscam/model/heads.py",
        "torch.nn.init.normal_",
    ): "seeded at each round's start",
    ("crosscam/train/optimise.py", "time.perf_counter"): "goes to the log alone",
    ("crosscam/locks.py", "os.getpid"): "goes into a lock",
    ("crosscam/train/resume.py", "time.monotonic"): "decides when a state is synced",
    ("crosscam/files.py", "os.getpid"): "names a temporary file",
    ("crosscam/helpers.py", "time.monotonic"): "limits a wait",
    ("crosscam/helpers.py", "time.sleep"): "waits",
    ("crosscam/model/whole_batch.py", ".bernoulli_"): "seeded at each epoch's start",
    ("crosscam/processes.py", "datetime.timedelta"): "limits a wait",
    ("crosscam/processes.py", "time.sleep"): "waits",
    ("crosscam/stage.py", "datetime.timedelta"): "limits a wait",
    ("crosscam/stage.py", "time.sleep"): "waits",
}


def sources() -> list[str]:
    """Return what the stages run."""
    return [path for path in all_sources() if path.startswith(("crosscam/", "stages/"))]


def functions() -> set[str]:
    """Return the names of all our functions that give a set."""
    return {name for path in sources() for name in set_functions(tree_of(path))}


def test_no_source_uses_an_order_that_nothing_determines() -> None:
    known = functions()
    found = {
        (p, text) for p in sources() for _, text in order_faults(tree_of(p), known)
    }
    assert found - ORDER.keys() == set(), "sort it, or say in ORDER why it may stay"
    assert ORDER.keys() - found == set(), "is there no more"


def test_no_source_draws_without_a_seed() -> None:
    found = {
        (path, text) for path in sources() for _, text in random_faults(tree_of(path))
    }
    assert found - RANDOM.keys() == set(), "seed it, or say in RANDOM why it may stay"
    assert RANDOM.keys() - found == set(), "is there no more"


@pytest.mark.parametrize(
    "source",
    [
        "for x in {1, 2}: pass",
        "s = set(a)\nfor x in s: pass",
        "def f(s: set[str]):\n    return [x for x in s]",
        "def f(s: frozenset[str] | None):\n    return ','.join(s)",
        "[x for x in {y for y in a}]",
        "{x: 1 for x in set(a)}",
        "dict.fromkeys(set(a))",
        "list(set(a) | set(b))",
        "list(a.keys() & b)",
        "tuple(a.keys() - b.keys())",
        "np.array(frozenset(a))",
        "s = a if b else set()\nenumerate(s)",
        "print(*set(a))",
        "x, y = {1, 2}",
        "set(a).pop()",
        "f'{set(a)}'",
        "list(map(f, set(a)))",
        "s = set()\ns |= t\nsum(s)",
        "t = s\ns = set(a)\nu = t\nlist(u)",
        "class A:\n    s: set[str]\n    def f(self):\n        return list(self.s)",
        "def g() -> set[int]: ...\nlist(g())",
        "list(elsewhere())",
        "if t := set(a): list(t.union(b))",
        "def f():\n    yield from set(a)",
        "for path in Path('.').iterdir(): pass",
        "[path for path in folder.glob('*')]",
        "list(folder.rglob('*'))",
        "paths = folder.glob('*')\nfor path in paths: pass",
        "os.listdir('.')[0]",
        "with os.scandir('.') as entries:\n    for entry in entries: pass",
        "for top, folders, files in os.walk('.'): pass",
        "def f():\n    return folder.iterdir()",
        "for one in as_completed(jobs): pass",
    ],
)
def test_order_is_found(source: str) -> None:
    assert order_faults(ast.parse(source), {"elsewhere"})


@pytest.mark.parametrize(
    "source",
    [
        "for x in sorted({1, 2}): pass",
        "s = set(a)\nif x in s: len(s)",
        "sorted(x for x in set(a))",
        "any(x > 1 for x in set(a))",
        "{x for x in set(a)}",
        "sorted(map(f, set(a)))",
        "{*set(a), 1}",
        "(x,) = set(a)",
        "set(a) - set(b)",
        "f'{sorted(set(a))}'",
        "list(a.keys())",
        "list(a - b)",
        "def f(s: set[str]): ...\ndef g(s):\n    return list(s)",
        "for path in sorted(Path('.').iterdir()): pass",
        "sum(len(s) for s in [set(a), set(b)])",
        "len(os.listdir('.'))",
        "names = {p.name for p in folder.glob('*')}",
        "paths = folder.glob('*')\nsorted(paths)",
    ],
)
def test_what_has_an_order_or_needs_none_is_not_found(source: str) -> None:
    assert order_faults(ast.parse(source), set()) == []


@pytest.mark.parametrize(
    "source",
    [
        "import random\nrandom.shuffle(x)",
        "from random import shuffle as mix\nmix(x)",
        "import random\nsorted(x, key=random.random)",
        "import numpy as np\nnp.random.rand(3)",
        "import numpy as np\nnp.random.seed(0)",
        "import numpy as np\nnp.random.RandomState(0)",
        "import numpy as np\nnp.random.default_rng()",
        "import numpy as np\nnp.random.default_rng(None)",
        "from numpy.random import default_rng\ndefault_rng()",
        "from numpy import random as r\nr.SeedSequence()",
        "import torch\ntorch.rand(3)",
        "import torch\ntorch.randint(3, (2,), device=d)",
        "from torch import randperm\nrandperm(3)",
        "import torch\nx = torch.empty(3).uniform_()",
        "from torch import nn\nnn.init.xavier_uniform_(w)",
        "import torch.nn.functional as F\nF.dropout(x)",
        "import torch\ntorch.seed()",
        "import torch\ntorch.Generator().seed()",
        "import os\nos.urandom(8)",
        "import uuid\nuuid.uuid4()",
        "import time\nseed = int(time.time())",
        "from datetime import datetime\ndatetime.now()",
        "seed = hash('name')",
        "sorted(x, key=id)",
        "from sklearn.manifold import TSNE\nTSNE(init='pca')",
    ],
)
def test_randomness_is_found(source: str) -> None:
    assert random_faults(ast.parse(source))


@pytest.mark.parametrize(
    "source",
    [
        "import numpy as np\nrng = np.random.default_rng(seed)",
        "import numpy as np\ndef f(rng: np.random.Generator): rng.random(3)",
        "import torch\ntorch.rand(3, generator=g)",
        "import torch\ntorch.empty(3).normal_(generator=g)",
        "import torch\ntorch.Generator().manual_seed(3)",
        "time = recorded\ntime.mean()",
        "from sklearn.manifold import TSNE\nTSNE(random_state=seed)",
        "def shuffle(x): ...\nshuffle(3)",
    ],
)
def test_seeded_draws_are_not_found(source: str) -> None:
    assert random_faults(ast.parse(source)) == []
