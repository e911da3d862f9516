"""Whatever a user calls the data, read in batches."""
