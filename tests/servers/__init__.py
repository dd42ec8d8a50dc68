"""Runs kept on real servers, through DVC's own commands: `make servers` runs these.

The servers listen on this machine alone and have an environment of their own; another
one has DVC with its plugins. Neither has torch: no stage runs.
"""
