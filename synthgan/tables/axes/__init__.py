"""Number lines: where the values of a numeric column may lie, exactly."""
