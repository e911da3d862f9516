"""How alike real and synthetic tables are, column by column and pair by pair."""
