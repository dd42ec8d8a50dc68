"""Losses, the intra round, the inter round, seeding and devices."""
