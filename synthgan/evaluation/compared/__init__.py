"""Real and synthetic tables brought onto one coding, and what every part of an evaluation needs."""
