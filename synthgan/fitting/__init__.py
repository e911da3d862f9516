"""The way of a fit: from a table to a model, through exact doors or through private ones."""
