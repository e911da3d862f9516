"""Policy files: TOML in, a policy out. ``default_policy.toml`` beside this module is the one that ships."""

from __future__ import annotations

import os
import sys
from importlib.resources import files
from pathlib import Path
from typing import Final

from synthgan.errors import PolicyError
from synthgan.evaluation.catalogue import CATALOGUE
from synthgan.review.policy import Gate, Policy
from synthgan.visible_text import shown

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MOST_BYTES: Final = 1024 * 1024
_MOST_KEY_PARTS: Final = 32


def read_policy(path: str | os.PathLike[str]) -> Policy:
    """The policy in the TOML file ``path``.

    Raises:
        PolicyError: the file cannot be read, what it holds is malformed, or every table would pass one of its gates.
    """
    path = Path(path)
    where = f"the policy file {path}"
    if "\0" in str(path):
        raise PolicyError("the path of the policy file holds a null character: check the path")
    try:
        if path.stat().st_size > MOST_BYTES:
            raise PolicyError(f"{where} is too large ({MOST_BYTES // 1024} KiB at most)")
        content = path.read_bytes()
    except FileNotFoundError:
        raise PolicyError(f"{where} does not exist: check the path") from None
    except OSError as error:
        raise PolicyError(f"{where} cannot be read ({error.strerror}): check the path and its permissions") from None
    policy = parse_policy(content, where)
    for i, gate in enumerate(policy.gates, start=1):
        _check_reach(gate, f"{where}, gate number {i}, gate {shown(gate.name)}")
    return policy


def parse_policy(content: bytes | str, where: str = "the policy") -> Policy:
    """The policy that TOML text describes.

    Args:
        content: the text, or its bytes in UTF-8.
        where: what the content is, for messages.

    Raises:
        PolicyError: says which key of which gate is wrong.
    """
    try:
        text = content.decode("utf-8-sig") if isinstance(content, bytes) else content
        if _has_endless_key(text):
            raise RecursionError
        parsed = tomllib.loads(text)
    except UnicodeDecodeError:
        raise PolicyError(f"{where} is not UTF-8 text: save it as UTF-8") from None
    except RecursionError:
        raise PolicyError(f"{where} is nested too deeply for a policy") from None
    except ValueError as error:  # also TOMLDecodeError
        raise PolicyError(f"{where} is not valid TOML: {shown(str(error))}") from None
    return Policy.from_dict(parsed, where)


def _has_endless_key(text: str) -> bool:
    """Whether a key has so many dotted parts that reading it would take memory that grows with their square."""
    for line in text.split("\n"):
        if line.count(".") > _MOST_KEY_PARTS:
            for side in line.split("="):
                parts = side.split(".")
                if len(parts) > _MOST_KEY_PARTS and all(part.strip() for part in parts):
                    return True
    return False


def default_policy() -> Policy:
    """The policy that ships with synthgan; ``docs/policy.md`` explains its thresholds."""
    content = files("synthgan.review").joinpath("default_policy.toml").read_bytes()
    return parse_policy(content, "the default policy")


def _check_reach(gate: Gate, where: str) -> None:
    """Refuse a threshold that no table can miss, such as 60 for a share; most likely it was meant in percent."""
    row = CATALOGUE[gate.score]
    if row.worst is None or gate.against == "excess":
        return
    key, side = ("at_most", "below") if gate.at_most is not None else ("at_least", "above")
    if gate.threshold < row.worst if key == "at_most" else gate.threshold > row.worst:
        return
    raise PolicyError(
        f"{where}: no table can miss this threshold, for '{gate.score}' runs from "
        f"{'0 to 100' if row.unit else '0 to 1'}: set '{key}' {side} {row.worst:g}"
    )
