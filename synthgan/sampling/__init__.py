"""Drawing synthetic rows from a trained generator, with or without conditions."""
