"""What the user should know of the target before relying on it."""

from __future__ import annotations

from synthgan.tables.codec import TableCodec
from synthgan.tables.columns.levels import LevelEncoder
from synthgan.tables.columns.numeric import NumericEncoder


def target_notices(target: str, codec: TableCodec) -> list[str]:
    """What the user should know of the target: which classes are too rare to be made, and whether any is left."""
    encoder: object = next((encoder for encoder in codec.encoders if encoder.name == target), None)
    n_merged, become = 0, ""
    if isinstance(encoder, LevelEncoder):
        n_merged, become = encoder.n_merged, encoder.rare_become
    elif isinstance(encoder, NumericEncoder) and not len(encoder.bin_codes):
        n_merged, become = encoder.n_merged, "the nearest that is kept" if len(encoder.spikes) else "missing"
    is_learned = any(span.name == target for span in codec.layout.spans)
    if n_merged:
        what = f"{n_merged} classes" if n_merged > 1 else "a class"
        only = "" if is_learned else ", so that one class is left and the target gets no extra attention in training"
        return [
            f"the target '{target}' has {what} in fewer rows than min_count (now {codec.settings.min_count}), which "
            f"the model cannot make: these rows become {become}{only}; lower min_count to keep them"
        ]
    if is_learned:
        return []
    return [
        f"the target '{target}' has no levels of its own in the model (it is constant, or a constraint derives it from "
        "other columns), so it gets no extra attention in training"
    ]
