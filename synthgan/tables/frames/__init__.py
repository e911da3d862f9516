"""DataFrames in and out."""
