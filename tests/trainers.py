"""Trainers before exact doors, without the fit around them."""

from __future__ import annotations

import torch

from synthgan.config import TrainingSettings
from synthgan.fitting.exact import exact_doors
from synthgan.tables.layout import EncodedTable
from synthgan.training.loop import Trainer
from synthgan.training.setup import Seeds, trainer_before


def build_trainer(
    table: EncodedTable, settings: TrainingSettings, device: torch.device, seed: int, *, target: int | None = None
) -> Trainer:
    """Open the exact doors onto ``table`` and set a trainer before them."""
    seeds = Seeds.spawn(seed)
    doors = exact_doors(table, settings, device, seeds, target=target)
    return trainer_before(doors, table.layout, settings, device, seeds, target=target)
