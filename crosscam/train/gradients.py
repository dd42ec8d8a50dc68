"""The gradient of a batch that several processes have parts of."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from crosscam.processes import total_, world_size
from crosscam.shares import is_dealt


def share_gradients(network: Iterable[Tensor], heads: Iterable[Tensor]) -> None:
    """Put the gradient of the loss of the whole batch in the place of each process's.

    Parameters
    ----------
    network
        Parameters of what saw this process's part alone.
    heads
        Parameters of what saw the features of the whole batch.

    Notes
    -----
    Let process r of N have the copy θ_r of the network's parameters θ and the features
    f_r of its part. All compute the same loss L(f_1, …, f_N) with gradients into their
    own features alone, so that r's backward pass starts from ∂L/∂f_r. Where f_r depends
    on sums over all parts, S = Σ_q s_q(θ_q) (moments of the batch), `summed` gives
    every s_q the gradients Σ_r ∂L/∂S_r of all the places where S was used. What r then
    gets is ∂L/∂θ_r, all ways from θ_r to L counted once. As all copies are θ,
    dL/dθ = Σ_r ∂L/∂θ_r: the sum, and not the mean, since L is a mean over the whole
    batch already.

    A head has the whole batch in each process, and gets the whole gradient there: the
    mean changes nothing, but holds machines together whose last digits differ. So it is
    for the network, too, in a batch of fewer images than processes, which all take
    whole.
    """
    if world_size() == 1:
        return
    own, same = (
        [p.grad for p in part if p.grad is not None] for part in (network, heads)
    )
    flat = torch.cat([gradient.flatten() for gradient in own + same])
    num_own = sum(gradient.numel() for gradient in own) if is_dealt() else 0
    flat[num_own:] /= world_size()
    pieces = torch.split(total_(flat), [gradient.numel() for gradient in own + same])
    for gradient, piece in zip(own + same, pieces, strict=True):
        gradient.copy_(piece.view(gradient.shape))
