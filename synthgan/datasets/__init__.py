"""The table that ships with the package."""

from synthgan.datasets.adult import ADULT_TARGET, ADULT_TRAINING_ROWS, adult_path, load_adult

__all__ = ["ADULT_TARGET", "ADULT_TRAINING_ROWS", "adult_path", "load_adult"]
