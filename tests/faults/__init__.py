"""Faults injected into real runs under DVC: `python -m tests.faults`."""
