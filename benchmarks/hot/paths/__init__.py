"""One hot path each: inputs, ours, peers, agreement."""
