"""The page of a review: sections, tables, pictures."""
