"""What a fit leaves behind, and the file that it is kept in."""
