"""The membership scores of an evaluation: the strongest of several attacks, on random and on worst-case records.

The holdout is cut at random into non-members and the attacker's reference rows. As many members, drawn at random, are
judged beside the non-members; so are the worst cases among both, the records farthest from the reference rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthgan.evaluation.compared.compared_tables import ComparedTables, Floats
from synthgan.evaluation.compared.neighbours import as_points
from synthgan.evaluation.membership.attacks import ATTACKS, attacker_view
from synthgan.evaluation.membership.judging import (
    FALSE_POSITIVE_RATES,
    FALSE_POSITIVES_NEEDED,
    AttackResult,
    allowed_false_positives,
    pooled_attacks,
    score_trial,
    true_positives,
)
from synthgan.evaluation.membership.vulnerable import farthest, isolation, n_worst_cases
from synthgan.evaluation.scores import Score

MAX_ROWS = 4_000
"""Most members, and most non-members, that are judged."""

MAX_SYNTHETIC = 20_000
"""Most synthetic rows that the attacker compares with, except for equal rows, which are sought among all."""

MAX_REFERENCE = 8_000
"""Most reference rows that the attacker has."""

MAX_CANDIDATES = 8_000
"""Most members, and most non-members, among which worst cases are sought."""

FEWEST_JUDGED = 25
"""Fewest members, and fewest non-members, for which figures are given: for fewer their intervals are not to be had."""

ROC_POINTS = 200
"""Most points of a ROC curve in the details."""

_KEYS = {0.1: "10", 0.01: "1", 0.001: "01"}


@dataclass(frozen=True, kw_only=True, slots=True)
class AttackedTable:
    """What all attacks say of the judged rows of one table.

    Attributes:
        is_member: ``(n_targets,)`` truth.
        is_random: ``(n_targets,)`` rows judged as a random sample.
        is_worst: ``(n_targets,)`` rows judged as worst cases; a row can be both.
        scores: per attack ``(n_targets,)``, higher for members.
        n_rows: ``reference`` and ``synthetic`` rows that the attacker had.
    """

    is_member: NDArray[np.bool_]
    is_random: NDArray[np.bool_]
    is_worst: NDArray[np.bool_]
    scores: Mapping[str, Floats]
    n_rows: Mapping[str, int]


def membership_scores(
    tables: ComparedTables, rng: np.random.Generator, *, reference: str | None = "holdout"
) -> list[Score]:
    """Area under the ROC curve and true positive rates of the strongest attack; see `pooled_membership_scores`.

    Args:
        tables: the compared tables.
        rng: cuts the holdout and draws rows.
        reference: name of the table of fresh rows; None, or one of fewer than 50 rows, gives no score.
    """
    game = play(tables, rng, holdout=reference)
    return [] if game is None else pooled_membership_scores([game])


def play(
    tables: ComparedTables,
    rng: np.random.Generator,
    *,
    holdout: str | None = "holdout",
    max_rows: int = MAX_ROWS,
    max_synthetic: int = MAX_SYNTHETIC,
) -> AttackedTable | None:
    """Run every attack on one table, to be scored or pooled; None where there are too few rows, or no column.

    Args:
        tables: the members are ``real``, the published table is ``synthetic``.
        rng: cuts the holdout and draws rows.
        holdout: name of the table of fresh rows.
        max_rows: most members, and most non-members, to judge. With 4,000 of each, chance moves the area of a single
            attack by 0.007 (one standard error) and the true positive rate at 1% by 0.0022.
        max_synthetic: most synthetic rows that are compared with.
    """
    if holdout is None or not tables.columns:
        return None
    fresh, members = (rng.permutation(tables.n_rows[name]) for name in (holdout, "real"))
    n = min(len(fresh) // 2, len(members))
    if n < FEWEST_JUDGED:
        return None
    n_candidates = min(n, max(max_rows, MAX_CANDIDATES))
    tables = tables.with_part("reference", holdout, fresh[len(fresh) // 2 :][:MAX_REFERENCE])
    tables = tables.select("synthetic", rng.permutation(tables.n_rows["synthetic"]))
    kinds = {"members": ("real", members[:n_candidates]), "non_members": (holdout, fresh[:n_candidates])}
    for kind, (source, rows) in kinds.items():
        tables = tables.with_part(kind, source, rows)
    reference = as_points(tables, "reference", real="reference")
    far = [isolation(as_points(tables, kind, real="reference"), reference) for kind in kinds]
    judged_as = {}
    for kind, is_worst in zip(kinds, farthest(far, n_worst_cases(n_candidates)), strict=True):
        is_random = np.arange(n_candidates) < max_rows
        judged = is_worst | is_random
        tables = tables.select(kind, np.flatnonzero(judged))
        judged_as[kind] = is_random[judged], is_worst[judged]
    tables = tables.joined("targets", tuple(kinds))
    view = attacker_view(tables, max_synthetic=max_synthetic)
    return AttackedTable(
        is_member=np.repeat([True, False], [tables.n_rows[kind] for kind in kinds]),
        is_random=np.concatenate([judged_as[kind][0] for kind in kinds]),
        is_worst=np.concatenate([judged_as[kind][1] for kind in kinds]),
        scores={name: attack(view) for name, attack in ATTACKS.items()},
        n_rows={"reference": len(view.reference), "synthetic": len(view.synthetic)},
    )


def pooled_membership_scores(games: Sequence[AttackedTable]) -> list[Score]:
    """The scores of one or several tables, for instance of models fitted to several random splits of a small one.

    Each is the largest figure of all attacks. Its interval reaches from the largest lower end of theirs to the largest
    upper end, at levels at which those of all attacks hold at once with 95% (Bonferroni): it is one of the strongest
    attack's true figure, although the strongest was chosen on the same rows. The figure itself is biased upwards by
    that choice, by about a standard error where nothing leaks.

    True positive rates stand only where at least ten of the non-members of all tables are let through, and worst cases
    only where a table has at least `FEWEST_JUDGED` of each kind.

    Args:
        games: what `play` returned for each table; at least one.
    """
    scores = []
    for suffix in ("", "_worst"):
        chosen = [(game, game.is_worst if suffix else game.is_random) for game in games]
        chosen = [(game, rows) for game, rows in chosen if _fewest(game, rows) >= FEWEST_JUDGED]
        if not chosen:
            continue
        trials = [
            {name: score_trial(game.is_member[rows], found[rows]) for name, found in game.scores.items()}
            for game, rows in chosen
        ]
        results = pooled_attacks(trials)
        facts = {
            "n_tables": len(chosen),
            "n_members": results[0].n_members,
            "n_non_members": results[0].n_non_members,
            "level": results[0].level,
            **{f"n_{name}": [game.n_rows[name] for game, _ in chosen] for name in ("reference", "synthetic")},
        }
        areas = {result.attack: (result.auc, result.interval) for result in results}
        note = "the strongest of several attacks; 0.5 is guessing, failure of all is no proof of privacy"
        scores.append(
            _strongest(
                f"membership_auc{suffix}",
                areas,
                chance=0.5,
                note=note,
                details=facts | {"roc": {name: _roc_curve(chosen, name) for name in areas}},
            )
        )
        for place, rate in enumerate(FALSE_POSITIVE_RATES):
            if results[0].n_non_members * rate < FALSE_POSITIVES_NEEDED - 1e-9:
                continue
            scores.append(_rate_score(results, place, suffix, facts))
    return scores


def _fewest(game: AttackedTable, rows: NDArray[np.bool_]) -> int:
    return int(min((game.is_member & rows).sum(), (~game.is_member & rows).sum()))


def _rate_score(results: Sequence[AttackResult], place: int, suffix: str, facts: Mapping[str, Any]) -> Score:
    rates = [result.true_positives[place] for result in results]
    allowed = rates[0].false_positive_rate
    return _strongest(
        f"membership_tpr_{_KEYS[allowed]}{suffix}",
        {result.attack: (rate.rate, rate.interval) for result, rate in zip(results, rates, strict=True)},
        chance=rates[0].chance,
        note="share of the members that the strongest attack finds; the figure of real rows is guessing",
        details={**facts, "false_positive_rate": allowed},
    )


def _strongest(
    name: str,
    attacks: Mapping[str, tuple[float, tuple[float, float]]],
    *,
    chance: float,
    note: str,
    details: Mapping[str, Any],
) -> Score:
    strongest = max(attacks, key=lambda attack: attacks[attack][0])
    return Score.of(
        name,
        attacks[strongest][0],
        interval=(max(low for _, (low, _) in attacks.values()), max(high for _, (_, high) in attacks.values())),
        reference=chance,
        note=note,
        details={
            "strongest": strongest,
            "attacks": {attack: {"value": value, "interval": list(ends)} for attack, (value, ends) in attacks.items()},
            **details,
        },
    )


def _roc_curve(chosen: Sequence[tuple[AttackedTable, NDArray[np.bool_]]], attack: str) -> dict[str, list[float]]:
    """Points of the curve, evenly spaced on a log axis; of several tables the mean true positive rate."""
    n = max(int((~game.is_member & rows).sum()) for game, rows in chosen)
    allowed = np.unique(np.append(0, np.geomspace(1, n, ROC_POINTS - 1).round().astype(np.int64)))
    rates = allowed / n
    found = np.zeros(len(rates))
    n_members = 0
    for game, rows in chosen:
        is_member = game.is_member[rows]
        n_own = int((~is_member).sum())
        passing = np.array([allowed_false_positives(rate, n_own) for rate in rates[:-1].tolist()])
        own = np.append(true_positives(is_member, game.scores[attack][rows], passing), 1.0)
        found += int(is_member.sum()) * own
        n_members += int(is_member.sum())
    return {"fpr": rates.tolist(), "tpr": (found / n_members).tolist()}
