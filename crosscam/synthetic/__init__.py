"""The synthetic world: people, cameras, scenes and their renderer."""
