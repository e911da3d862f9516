"""Soft labels: the target's probabilities for each real row, by gradient-boosted trees that have not seen the row.

Trees learn a table's target better than a network does, and out of fold they say for each row what other rows make
likely of it. A network taught such labels, in place of the rows' own, learns the law and not the rows (knowledge
distillation: Hinton et al. 2015; out of fold as in stacking: Wolpert 1992).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

N_FOLDS = 5
MOST_CLASSES = 10
"""Trees are grown per class: beyond this many they take too long, and each class has few rows."""


def out_of_fold_labels(
    inputs: npt.NDArray[np.float32], labels: npt.NDArray[np.int64], n_classes: int, *, seed: int
) -> npt.NDArray[np.float32]:
    """Probabilities of each class for each row, from `N_FOLDS` models that were each fitted without the row's fold.

    Args:
        inputs: ``(n_rows, n_inputs)`` numbers; of unordered columns, codes.
        labels: ``(n_rows,)`` classes from 0 on.
        n_classes: number of classes, whether or not they occur.
        seed: deals rows to folds.

    Returns:
        ``(n_rows, n_classes)``, each row summing to 1; a class that the other folds lack has probability 0.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    n_rows = len(labels)
    fold = np.random.default_rng(seed).permutation(n_rows) % N_FOLDS
    soft = np.zeros((n_rows, n_classes), np.float32)
    for k in range(min(N_FOLDS, n_rows)):
        held_out, rest = fold == k, fold != k
        classes = np.unique(labels[rest])
        if len(classes) == 1:
            soft[held_out, classes[0]] = 1
            continue
        model = HistGradientBoostingClassifier(
            max_iter=100, learning_rate=0.07, max_leaf_nodes=15, early_stopping=False, random_state=0
        )
        model.fit(inputs[rest], labels[rest])
        soft[np.ix_(held_out, classes)] = model.predict_proba(inputs[held_out])
    return soft
