"""Whether the synthetic table teaches models what the real one does."""
