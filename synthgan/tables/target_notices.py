"""What the user should know of the target before relying on it."""

from __future__ import annotations

from synthgan.tables.codec import TableCodec
from synthgan.tables.columns.protocol import Losses


def target_notices(target: str, codec: TableCodec) -> list[str]:
    """What the user should know of the target: which classes are too rare to be made, and whether any is left."""
    losses = next((encoder.losses for encoder in codec.encoders if encoder.name == target), Losses())
    is_learned = any(span.name == target for span in codec.layout.spans)
    if losses.n_classes:
        what = f"{losses.n_classes} classes" if losses.n_classes > 1 else "a class"
        only = "" if is_learned else ", so that one class is left and the target gets no extra attention in training"
        return [
            f"the target '{target}' has {what} in fewer rows than min_count (now {codec.settings.min_count}), which "
            f"the model cannot make: these rows become {losses.classes_become}{only}; lower min_count to keep them"
        ]
    if is_learned:
        return []
    return [
        f"the target '{target}' has no levels of its own in the model (it is constant, or a constraint derives it from "
        "other columns), so it gets no extra attention in training"
    ]
