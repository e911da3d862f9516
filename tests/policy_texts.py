"""Policies as text, for tests."""

from __future__ import annotations

from synthgan.review.policy import FORMAT, VERSION

HEAD = f'format = "{FORMAT}"\nversion = {VERSION}\n'


def gate_text(**keys: str | None) -> str:
    """A policy of one gate; values as TOML, None leaves a key out."""
    content = {"name": '"columns"', "score": '"shape"', "at_most": "5", "reason": '"as agreed"'} | keys
    return HEAD + "[[gates]]\n" + "".join(f"{key} = {value}\n" for key, value in content.items() if value is not None)
