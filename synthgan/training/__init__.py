"""From an encoded table to a trained generator."""
