"""Disclosure: what the synthetic table gives away about single persons of the training table.

The three risks of the Article 29 Working Party (opinion 05/2014 on anonymisation techniques), measured as attacks
against control rows, and rare values that recur. Attacks that fail prove nothing: others may do better.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from functools import partial
from typing import Protocol

import numpy as np

from synthgan.errors import SettingsError
from synthgan.evaluation.compared.compared_tables import ComparedTables
from synthgan.evaluation.disclosure.attribute_inference import attribute_inference_score
from synthgan.evaluation.disclosure.linkability import linkability_score
from synthgan.evaluation.disclosure.rare_values import rare_value_scores
from synthgan.evaluation.disclosure.singling_out import singling_out_score
from synthgan.evaluation.scores import Score


class Attack(Protocol):
    """What the synthetic table lets an attacker do to training rows, beyond what it lets him do to control rows."""

    def __call__(
        self, tables: ComparedTables, rng: np.random.Generator, *, real: str, synthetic: str, holdout: str
    ) -> Score | None:
        """The score; None where the tables do not allow the attack."""


def disclosure_scores(
    tables: ComparedTables,
    rng: np.random.Generator,
    *,
    target: str | None = None,
    secrets: Sequence[str] | None = None,
    real: str = "real",
    synthetic: str = "synthetic",
    holdout: str | None = "holdout",
) -> list[Score]:
    """Attribute inference, singling out and linkability, and the rare categories and extreme values that recur.

    Args:
        tables: the compared tables.
        rng: of rows, predicates, models and columns.
        target: the column that a model would predict, which is a secret unless ``secrets`` are named.
        secrets: columns that attribute inference guesses; None chooses some (`default_secrets`).
        real: name of the training table.
        synthetic: name of the table to score.
        holdout: name of the table of control rows. None leaves out the three attacks, which mean nothing without
            control rows.

    Returns:
        The scores that the tables allow.

    Raises:
        SettingsError: a secret is not a compared column.
    """
    for name in secrets or ():
        _check_secret(name, tables)
    scores: list[Score] = []
    if holdout is not None:
        for attack in attacks(target, secrets):
            score = attack(tables, rng, real=real, synthetic=synthetic, holdout=holdout)
            scores += [] if score is None else [score]
    return scores + rare_value_scores(tables, rng, real=real, synthetic=synthetic, holdout=holdout)


def attacks(target: str | None, secrets: Sequence[str] | None) -> tuple[Attack, ...]:
    """The attacks that are compared with control rows, in the order of their scores. A new one is named here.

    They share one stream of random numbers, so each draws after those before it. Arguments as of `disclosure_scores`.
    """
    return (
        partial(attribute_inference_score, target=target, secrets=secrets),
        singling_out_score,
        linkability_score,
    )


def _check_secret(name: str, tables: ComparedTables) -> None:
    if name in tables.roles:
        return
    if name in tables.left_out:
        raise SettingsError(f"secrets names '{name}', which takes no part: {tables.left_out[name]}; drop it.")
    near = difflib.get_close_matches(name, tables.columns, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"name one of the {len(tables.columns)} compared columns."
    raise SettingsError(f"secrets names '{name}', which is not a compared column; {hint}")
