"""Attacks that ask whether a row was in the training table."""
