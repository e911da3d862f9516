"""Measurements: each script writes JSON, from which the tables in docs/ are made."""
