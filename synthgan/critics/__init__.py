"""What judges generated rows: the marginal critic and the neural critic."""
