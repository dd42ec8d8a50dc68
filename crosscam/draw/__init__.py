"""Curves, ranked lists and embeddings as pictures."""
