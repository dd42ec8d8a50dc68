"""Distances, k-reciprocal Jaccard, score similarity, pseudo labels."""
