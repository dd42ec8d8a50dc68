"""Tests: they mirror crosscam/ and stages/, one file per module."""
