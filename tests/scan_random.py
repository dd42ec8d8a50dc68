"""Finding code that draws random numbers from no seed of ours, or reads a clock.

Names are followed through imports: ``from numpy import random as r; r.rand()`` is seen.
"""

from __future__ import annotations

import ast

# Other bytes in each process, whatever is seeded. A hash of a text depends on the
# process, an `id` on its memory.
NEVER = ("random", "secrets", "uuid", "os.urandom", "os.getrandom", "os.getpid")
NEVER += ("time", "datetime", "torch.seed", "torch.random.seed")
NEVER += ("builtins.hash", "builtins.id")
# These take a seed, and draw one from the system if they get none.
SEEDED = {"numpy.random.default_rng", "numpy.random.SeedSequence"}
NUMPY = SEEDED | {"numpy.random.Generator", "numpy.random.BitGenerator"}
# torch's global generator is seeded once a round; what draws from it depends on all
# that was drawn before. These take a generator instead.
TORCH = {"rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial"}
TORCH |= {"poisson", "rand_like", "randn_like", "randint_like"}
IN_PLACE = {
    "normal_",
    "uniform_",
    "bernoulli_",
    "random_",
    "exponential_",
    "geometric_",
}
IN_PLACE |= {
    "cauchy_",
    "log_normal_",
    "trunc_normal_",
    "kaiming_normal_",
    "orthogonal_",
}
IN_PLACE |= {"kaiming_uniform_", "xavier_normal_", "xavier_uniform_"}
DROPPING = {"dropout", "dropout1d", "dropout2d", "alpha_dropout", "feature_dropout"}
ESTIMATORS = {"TSNE", "PCA", "KMeans", "MiniBatchKMeans", "TruncatedSVD", "shuffle"}


def random_faults(tree: ast.Module) -> list[tuple[int, str]]:
    """Return line and name of each use of what differs from run to run."""
    names = imported(tree)
    nodes = list(ast.walk(tree))
    called = {node.func: node for node in nodes if isinstance(node, ast.Call)}
    parts = {node.value for node in nodes if isinstance(node, ast.Attribute)}
    found = set()
    for node in nodes:
        if isinstance(node, ast.Attribute | ast.Name) and node not in parts:
            name, call = dotted(node, names), called.get(node)
            if (
                _is_never_alike(name)
                or _lacks_seed(name, call)
                or _is_global(name, call)
            ):
                found.add((node.lineno, name))
    return sorted(found)


def imported(tree: ast.Module) -> dict[str, str]:
    """Return the whole dotted name of each name that a module imports."""
    names = {name: f"builtins.{name}" for name in ("hash", "id")}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                names[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return names


def dotted(node: ast.AST, names: dict[str, str]) -> str:
    """Return the whole dotted name of an expression.

    It begins with a point unless it begins with an imported name.
    """
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value, names)}.{node.attr}"
    return names.get(node.id, f".{node.id}") if isinstance(node, ast.Name) else ""


def _is_never_alike(name: str) -> bool:
    if name.startswith("numpy.random."):
        return name not in NUMPY
    return any(f"{name}.".startswith(f"{one}.") for one in NEVER)


def _lacks_seed(name: str, call: ast.Call | None) -> bool:
    """Return whether a seed is optional and not given."""
    last = name.rpartition(".")[2]
    if name.startswith("sklearn.") and last in ESTIMATORS:
        return call is not None and not _given(call, "random_state")
    if name not in SEEDED:
        return last == "seed" and call is not None and not call.args
    if call is None:
        return False  # an annotation
    first = call.args[0] if call.args else None
    return first is None or (isinstance(first, ast.Constant) and first.value is None)


def _is_global(name: str, call: ast.Call | None) -> bool:
    """Return whether a call draws from torch's global generator."""
    if call is None or _given(call, "generator"):
        return False
    last = name.rpartition(".")[2]
    whole = name in {f"torch.{draw}" for draw in TORCH}
    return whole or last in IN_PLACE or (name.startswith("torch.") and last in DROPPING)


def _given(call: ast.Call, argument: str) -> bool:
    return any(keyword.arg == argument for keyword in call.keywords)
