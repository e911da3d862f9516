"""Rounds of measuring and training: when, of what, and what becomes of it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from synthgan.config import GeneratorSettings, TrainingSettings
from synthgan.critics.marginal import MarginalCritic, expected_marginals
from synthgan.critics.marginal_door import ExactMarginals, GramTarget
from synthgan.networks.generator import Generator
from synthgan.networks.layers import LevelAxis
from synthgan.training import rounds as rounds_module
from synthgan.training.rounds import MarginalRounds
from synthgan.training.setup import Doors, Seeds, trainer_before
from tests.small_tables import small_table

TABLE = small_table(400)
AXIS = LevelAxis(TABLE.layout)
SLICES = [[0], [1], [2]]
CPU = torch.device("cpu")


class TellsLittleByLittle:
    """A door that knows columns at first, and one pair of columns more after each round."""

    PAIRS = ((0, 2), (1, 2), (0, 1))

    def __init__(self) -> None:
        self._exact = ExactMarginals(torch.from_numpy(TABLE.codes), TABLE.layout)
        self.shown: list[Sequence[Tensor]] = []

    def pairs(self) -> GramTarget:
        exact = self._exact.pairs()
        weight = torch.eye(3)
        for a, b in self.PAIRS[: len(self.shown)]:
            weight[a, b] = weight[b, a] = 1.0
        return GramTarget(exact.share, weight, exact.n_rows)

    def slice(self, column: int, levels: Sequence[int]) -> GramTarget:
        exact = self._exact.slice(column, levels)
        return GramTarget(exact.share, torch.zeros(3, 3), exact.n_rows)

    @property
    def is_spent(self) -> bool:
        return len(self.shown) == len(self.PAIRS)

    def measure_worst(self, expected: Sequence[Tensor]) -> None:
        assert not self.is_spent
        self.shown.append(expected)


def generator() -> Generator:
    return Generator(TABLE.layout, GeneratorSettings(width=8, n_blocks=1), torch.Generator().manual_seed(0))


def test_expected_marginals_by_hand() -> None:
    # Two rows: one certain, one undecided between the two flags, both of amount 0 and of colours 0 and 1.
    rows = torch.tensor([[1, 0, 1, 0, 0, 1, 0, 0], [0.5, 0.5, 1, 0, 0, 0, 1, 0]])
    whole, first, second = expected_marginals(rows, AXIS, 2, [[0], [1, 2]])
    assert whole[0, 2].item() == 0.75
    assert whole[1, 5].item() == 0
    assert whole[1, 6].item() == 0.25
    assert first[0, 2].item() == 0.5
    assert second[0, 2].item() == second[1, 2].item() == 0.25
    torch.testing.assert_close(first + second, whole)


def test_a_round_shows_the_door_what_is_generated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds_module, "ROUND_ROWS", 256)
    door = TellsLittleByLittle()
    critic = MarginalCritic(door.pairs(), AXIS)
    turns = MarginalRounds(door, lambda: critic, every=5, column=2, slices=SLICES)
    assert turns.measure(generator(), torch.Generator().manual_seed(1)) is critic
    whole, *parts = door.shown[0]
    assert len(parts) == 3
    assert not whole.requires_grad
    torch.testing.assert_close(sum(parts), whole)
    torch.testing.assert_close(whole, whole.T)
    for a, b in TellsLittleByLittle.PAIRS:
        spans = [TABLE.layout.spans[i] for i in (a, b)]
        block = whole[spans[0].start : spans[0].stop, spans[1].start : spans[1].stop]
        assert block.sum().item() == pytest.approx(1, abs=1e-5)


def test_rounds_are_due_now_and_then_until_the_door_is_spent() -> None:
    door = TellsLittleByLittle()
    turns = MarginalRounds(door, lambda: MarginalCritic(door.pairs(), AXIS), every=5)
    assert [step for step in range(1, 16) if turns.is_due(step)] == [5, 10, 15]
    door.shown = [[], [], []]
    assert not turns.is_due(20)


def test_training_takes_turns_with_the_door(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds_module, "ROUND_ROWS", 64)
    door = TellsLittleByLittle()
    settings = TrainingSettings(
        n_steps=20, batch_size=32, adversarial_weight=0.0, generator=GeneratorSettings(width=8, n_blocks=1)
    )
    doors = Doors(door, rounds=door, n_rounds=3)
    trainer = trainer_before(doors, TABLE.layout, settings, CPU, Seeds.spawn(0), target=2)
    assert trainer.rounds is not None
    assert trainer.rounds.every == 4, "seven tenths of 20 steps, in three parts"
    known: dict[int, int] = {}

    def look(now: object) -> None:
        assert trainer.marginal is not None
        known[trainer.step] = int(trainer.marginal.pairs.weight.sum()) - 3
        assert torch.equal(trainer.monitor._target.weight, trainer.marginal.pairs.weight)

    trainer.run(on_step=look)
    assert [known[step] for step in (3, 4, 7, 8, 11, 12, 20)] == [0, 2, 2, 4, 4, 6, 6]
    assert [len(expected) for expected in door.shown] == [4, 4, 4]
    assert trainer.step == 20


def test_without_marginals_there_are_no_rounds() -> None:
    settings = TrainingSettings(
        n_steps=2, batch_size=8, marginal_weight=0.0, generator=GeneratorSettings(width=8, n_blocks=1)
    )
    door = TellsLittleByLittle()
    trainer = trainer_before(
        Doors(door, rounds=door, n_rounds=3), TABLE.layout, settings, CPU, Seeds.spawn(0), target=None
    )
    assert trainer.rounds is None
    assert trainer.marginal is None
