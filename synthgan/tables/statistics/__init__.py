"""Door 1: everything the codec learns from a table, counted over batches."""
