"""What a sampling condition asks, and which rows meet it."""
