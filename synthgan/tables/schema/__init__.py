"""What is known of a table's columns and rules, as objects and as a file."""
