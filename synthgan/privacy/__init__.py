"""Differential privacy: one ledger, its mechanisms, and the private twins of the three doors."""
