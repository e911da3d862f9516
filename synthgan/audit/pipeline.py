"""The audit of the whole private pipeline: every door and all of them together under attack, beside what is claimed.

What is played against is the code that fits tables, with its default split of the budget; tables and networks are
small, so that many fits can be made. No result says anything about a user's table: the tables are made up.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import torch

from synthgan.audit.bounds import CONFIDENCE
from synthgan.audit.canaries import SAMPLING_RATE, dp_sgd_game, one_run_audit, person_critic_game
from synthgan.audit.games import (
    RARE_WORD,
    DistinguishingGame,
    GameOutcome,
    Signals,
    discovery_game,
    marginals_game,
    play,
    statistics_game,
    with_rare_row,
)
from synthgan.audit.marginal_games import selection_game, three_way_game
from synthgan.audit.one_run import OneRunBound
from synthgan.audit.person_games import CANARY_ROWS, ROWS_PER_UNIT, UNIT, person_statistics_game
from synthgan.config import DpSgdSettings, GeneratorSettings, TrainingSettings
from synthgan.errors import SettingsError
from synthgan.fitting.private import PrivateFit
from synthgan.fitting.private_settings import private_settings
from synthgan.fitting.private_table import PrivateTable
from synthgan.privacy.account.events import event_to_json
from synthgan.privacy.account.parameters import DISCOVERY_SHARE, Privacy
from synthgan.privacy.account.updates import DP_SGD
from synthgan.privacy.marginals import Candidate
from synthgan.tables.sources.batches import TableSource
from synthgan.training.setup import Doors, Seeds, target_slices, trainer_before

N_RUNS = 600
"""Runs of each game, unless asked for another number."""

N_CANARIES = 1000
"""Canaries of the one-run audit, unless asked for another number."""

ONE_RUN = "DP-SGD critic, one run"

_CPU = torch.device("cpu")
# Levels have codes by falling count: x and u are the first ones, whatever the noise.
_ROWS = {"a": ["x", "x", "x", "y"], "b": ["u", "u", "v", "u"]}
_DECLARED = {"columns": {"a": {"levels": ["x", "y"]}, "b": {"levels": ["u", "v"]}}}
_SMALL = TrainingSettings(
    n_steps=1, batch_size=64, precision="float32", generator=GeneratorSettings(width=16, n_blocks=1, latent_dim=4)
)


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditReport:
    """What the games and the one run proved, beside the claim.

    Attributes:
        epsilon: what is claimed.
        delta: what is claimed.
        confidence: of all lower bounds that can refute the claim, together.
        outcomes: one for each game.
        one_run: of the canaries; None when it was left out.
    """

    epsilon: float
    delta: float
    confidence: float
    outcomes: tuple[GameOutcome, ...]
    one_run: OneRunBound | None

    @property
    def lower_bound(self) -> float:
        """The largest lower bound of epsilon."""
        found = [outcome.strongest.epsilon for outcome in self.outcomes]
        return max([*found, *(() if self.one_run is None else (self.one_run.epsilon,))], default=0.0)

    @property
    def is_refuted(self) -> bool:
        """Whether more leaks than was claimed."""
        return self.lower_bound > self.epsilon

    def to_json(self) -> str:
        """All figures as JSON."""
        content = dataclasses.asdict(self) | {"lower_bound": self.lower_bound, "is_refuted": self.is_refuted}
        return json.dumps(content, indent=2)


def games(epsilon: float, delta: float) -> tuple[DistinguishingGame, ...]:
    """Every game of an audit, in the order of the doors."""
    return (
        statistics_game(epsilon, delta),
        person_statistics_game(epsilon, delta),
        discovery_game(epsilon, delta),
        marginals_game(epsilon, delta),
        selection_game(epsilon, delta),
        three_way_game(epsilon, delta),
        dp_sgd_game(epsilon, delta),
        person_critic_game(epsilon, delta),
        person_critic_game(epsilon, delta, sampling_rate=SAMPLING_RATE),
        pipeline_game(epsilon, delta),
        pipeline_game(epsilon, delta, persons=True),
        counted_persons_game(epsilon, delta),
        undeclared_pipeline_game(epsilon, delta),
    )


def audit(
    epsilon: float,
    delta: float = 1e-5,
    *,
    n_runs: int = N_RUNS,
    n_canaries: int = N_CANARIES,
    confidence: float = CONFIDENCE,
    played: Sequence[DistinguishingGame] | None = None,
    on_run: Callable[[str, int], object] = lambda _game, _run: None,
) -> AuditReport:
    """Attack the pipeline at a given claim.

    Args:
        epsilon: the claim.
        delta: the claim.
        n_runs: runs of each game, half of them with the canary.
        n_canaries: of the one-run audit; 0 leaves it out.
        confidence: with which all lower bounds hold together.
        played: the games; None for all of `games`.
        on_run: called after each run with the game's name and how many runs it has had.

    Raises:
        SettingsError: when a number is out of range.

    Example:
        >>> from synthgan.audit.pipeline import audit, games
        >>> door_1, *_ = games(epsilon=1.0, delta=1e-5)
        >>> audit(1.0, n_runs=8, n_canaries=0, played=[door_1]).is_refuted
        False
    """
    claim = Privacy(epsilon, delta)
    if n_runs < 8 or (n_canaries and n_canaries < 10) or not 0 < confidence < 1:
        raise SettingsError(
            "an audit needs at least 8 runs of each game, at least 10 canaries or none, and a confidence in (0, 1)."
        )
    all_games = games(claim.epsilon, claim.delta) if played is None else played
    parts = len(all_games) + bool(n_canaries)
    each = 1 - (1 - confidence) / max(1, parts)
    outcomes = []
    for game in all_games:
        done = 0

        def step(name: str = game.name) -> None:
            nonlocal done
            done += 1
            on_run(name, done)

        outcomes.append(play(game, n_runs, confidence=each, on_run=step))
    one_run = None
    if n_canaries:
        one_run = one_run_audit(claim.epsilon, claim.delta, n_canaries=n_canaries, confidence=each)
        on_run(ONE_RUN, n_runs)
    return AuditReport(
        epsilon=claim.epsilon, delta=claim.delta, confidence=confidence, outcomes=tuple(outcomes), one_run=one_run
    )


def pipeline_game(epsilon: float, delta: float, *, n_steps: int = 0, persons: bool = False) -> DistinguishingGame:
    """A whole fit with the default split of the budget, on a declared table: the canary is one row of a known pair.

    Args:
        epsilon: the claim.
        delta: the claim.
        n_steps: training steps of a small generator, 0 for none. The rounds of the second door take place either way.
        persons: whether units are persons with one to many rows: the canary has `CANARY_ROWS`, all of the pair.
    """
    privacy = Privacy(epsilon, delta, unit=UNIT, rows_per_unit=ROWS_PER_UNIT) if persons else Privacy(epsilon, delta)
    n_times = 100 * math.ceil(max(1.0, 1 / epsilon))  # a table that does not drown in the noise
    n_more = CANARY_ROWS if persons else 1

    def run(canary: bool) -> Signals:
        rows: dict[str, list[Any]] = {
            name: values * n_times + values[:1] * (n_more * canary) for name, values in _ROWS.items()
        }
        if persons:
            n_others = len(_ROWS["a"]) * n_times
            rows[UNIT] = [row // ROWS_PER_UNIT for row in range(n_others)] + [n_others] * (n_more * canary)
        settings = private_settings(_SMALL, privacy, device=_CPU, max_steps=None)
        settings = dataclasses.replace(settings, n_steps=max(1, n_steps), evaluate_every=max(1, n_steps))
        table = PrivateTable.of(_source(rows), privacy, declared=_DECLARED, target="a")
        private = PrivateFit.begin(table, settings, min_count=1)
        scores = {"count of its pair of levels": 0.0, "number of rows": private.codec.n_rows}
        if n_steps:
            scores["generated share of its levels"] = 0.0
        if private.codec.layout.n_columns == len(_ROWS):  # unless noise merged the levels of a column
            doors = private.open(_CPU)
            if n_steps:
                scores["generated share of its levels"] = _trained(private, doors, settings)
            _finish_rounds(private, doors)
            scores["count of its pair of levels"] = _pair_count(doors)
        private.close()
        return scores

    return DistinguishingGame(
        name="pipeline" + (", persons" if persons else "") + (", trained" if n_steps else ""),
        epsilon=epsilon,
        delta=delta,
        play=run,
        zcdp_delta=(1 - DISCOVERY_SHARE) * delta,
    )


def counted_persons_game(epsilon: float, delta: float) -> DistinguishingGame:
    """How many persons there are, of whom the neural critic samples: the canary is one person more.

    The critic's sampling rate follows from a noisy count of persons and stands in the ledger of the model file.
    """
    critic = DpSgdSettings(width=8, n_blocks=1, n_updates=4, expected_batch_size=50)
    privacy = Privacy(epsilon, delta, unit=UNIT, rows_per_unit=ROWS_PER_UNIT, neural=0.5, neural_settings=critic)
    settings = private_settings(_SMALL, privacy, device=_CPU)
    n_persons = 1000

    def run(canary: bool) -> Signals:
        persons = list(range(n_persons + canary))
        rows = {"a": ["x" if person % 4 else "y" for person in persons], "b": ["u", "v"] * 500 + ["u"] * canary}
        table = PrivateTable.of(_source({**rows, UNIT: persons}), privacy, declared=_DECLARED, target="a")
        private = PrivateFit.begin(table, settings, min_count=1)
        counted = 0.0
        if private.codec.layout.n_columns:
            doors = private.open(_CPU)
            assert doors.neural is not None
            doors.neural(torch.Generator())
            spent = next(entry for entry in private.ledger.entries if entry.mechanism == DP_SGD)
            update = event_to_json(spent.event)["event"]
            counted = critic.expected_batch_size / update["sampling_probability"]
        private.close()
        return {"number of persons": counted}

    return DistinguishingGame(name="pipeline, number of persons", epsilon=epsilon, delta=delta, play=run)


def undeclared_pipeline_game(epsilon: float, delta: float) -> DistinguishingGame:
    """A whole fit with nothing declared: the canary has a word and a number that nobody else has."""
    privacy = Privacy(epsilon, delta)
    rows: dict[str, list[Any]] = {"word": ["a", "b"] * 200, "number": list(range(10)) * 40}

    def run(canary: bool) -> Signals:
        source = _source(with_rare_row(rows) if canary else rows)
        table = PrivateTable.of(source, privacy, declared=None, target=None)
        private = PrivateFit.begin(table, private_settings(_SMALL, privacy, device=_CPU), min_count=1)
        if private.codec.layout.n_columns:
            private.open(_CPU)
        private.close()
        model = json.dumps(
            [private.codec.to_json(), private.released, private.notices, private.ledger.to_json()], default=str
        )
        return {
            "its word in the model file": float(RARE_WORD in model),
            "largest number": _highest(private.codec.describe()),
            "number of rows": private.codec.n_rows,
        }

    return DistinguishingGame(name="pipeline, nothing declared", epsilon=epsilon, delta=delta, play=run)


def _trained(private: PrivateFit, doors: Doors, settings: TrainingSettings) -> float:
    """Train a generator; the share of its rows that have the canary's levels."""
    layout = private.codec.layout
    trainer = trainer_before(doors, layout, settings, _CPU, Seeds.spawn(0), target=layout.index("a"))
    trainer.run()
    generator = trainer.averaged
    with torch.no_grad():
        z = torch.randn(1024, settings.generator.latent_dim, generator=torch.Generator().manual_seed(0))
        shares = generator.axis.softmax(generator(z)[1])
    places = [layout.spans[layout.index(name)].start for name in ("a", "b")]
    return float((shares[:, places[0]] * shares[:, places[1]]).mean())


def _finish_rounds(private: PrivateFit, doors: Doors) -> None:
    """Spend what is left of the second door's budget, as if the generator made all levels alike."""
    layout = private.codec.layout
    n_parts = 1 + len(target_slices(layout, layout.index("a")))
    expected = [torch.full((layout.n_levels, layout.n_levels), 0.25)] * n_parts
    while doors.rounds is not None and not doors.rounds.is_spent:
        doors.rounds.measure_worst(expected)


def _pair_count(doors: Doors) -> float:
    door: Any = doors.marginals
    return float(door.measurements[Candidate(0, 1)].counts[0, 0])


def _highest(described: Sequence[Mapping[str, Any]]) -> float:
    """Where the numbers of the second column end, by the codec's own account; 0 where it has no numbers to tell of."""
    text = next(column for column in described if column["column"] == "number").get("highest")
    value = float(text) if text is not None else 0.0
    return value if math.isfinite(value) else 0.0


def _source(columns: Mapping[str, list[Any]]) -> TableSource:
    return TableSource(pa.table(dict(columns)), description="the table")
