"""The folder that somebody decides by: written whole or not at all, and verified."""
