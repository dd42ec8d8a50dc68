"""Published and foreign checkpoints: ``python -m crosscam.model.convert``."""
