"""The evidence that lets a table leave the building: gates, report and release bundle."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from synthgan.review.bundle.verify import Verification, verify_bundle
    from synthgan.review.bundle.write import Bundle, write_bundle

__all__ = ["Bundle", "Verification", "verify_bundle", "write_bundle"]

_HOMES = {
    "Bundle": "synthgan.review.bundle.write",
    "Verification": "synthgan.review.bundle.verify",
    "verify_bundle": "synthgan.review.bundle.verify",
    "write_bundle": "synthgan.review.bundle.write",
}


def __getattr__(name: str) -> Any:
    """Load a name when it is first used: a look at a policy needs no torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'synthgan.review' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
