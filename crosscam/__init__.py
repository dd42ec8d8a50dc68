"""Unsupervised person re-identification across cameras."""
