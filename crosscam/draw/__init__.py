"""Ranked lists and embeddings as pictures."""
