"""Bad archives, images, parameters, tables and checkpoints, each built by code."""
