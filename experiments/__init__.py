"""Commands that a researcher runs around DVC: seeds, comparisons, reports."""
