"""How values become those of the types that were declared."""
