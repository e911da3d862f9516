"""How good synthetic rows are: frames in, scores out. Knows nothing of how the rows were made."""

from synthgan.evaluation.all_parts import evaluate
from synthgan.evaluation.scores import Score, Scores

__all__ = ["Score", "Scores", "evaluate"]
