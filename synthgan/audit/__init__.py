"""Games that measure how much a private mechanism, or a whole private fit, gives away."""
