"""Whether everything that is in the real table is in the synthetic one, too."""
