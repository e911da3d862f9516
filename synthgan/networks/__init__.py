"""The generator and the discriminator; they know the layout and nothing of tables."""
