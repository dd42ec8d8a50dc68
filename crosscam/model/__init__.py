"""Backbones, pooling, neck, heads and checkpoints."""
