"""What the synthetic table tells of single rows: attributes, links, copies, rare values."""
