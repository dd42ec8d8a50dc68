"""Parameters of published systems and of datasets; the command that applies them."""
