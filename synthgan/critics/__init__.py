"""What judges generated rows: the marginal, the position and the neural critic."""
