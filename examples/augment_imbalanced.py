"""Balance a rare class with synthetic rows, and see what that does to a classifier.

The target of Adult is made rarer first: of the persons with a high income, one in ten stays. The classifier is judged
on real, unbalanced test rows in both cases; augmentation belongs into training data and nowhere else.

    python examples/augment_imbalanced.py
    python examples/augment_imbalanced.py --max-steps 20
"""

from __future__ import annotations

import argparse

import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

import synthgan

TARGET, RARE = "income", ">50K"


def main(max_steps: int | None) -> None:
    """Run the example; ``max_steps`` cuts training short."""
    train, test = synthgan.datasets.load_adult("train"), synthgan.datasets.load_adult("test")
    rare = train[train[TARGET] == RARE].iloc[::10]
    imbalanced = pd.concat([train[train[TARGET] != RARE], rare], ignore_index=True)

    synth = synthgan.Synthesizer(target=TARGET, effort="quick", max_steps=max_steps, random_state=1).fit(imbalanced)
    balanced = synth.augment(imbalanced, TARGET, random_state=1)

    print("rows per class:")
    for name, table in (("as it is", imbalanced), ("augmented", balanced)):
        counts = table[TARGET].value_counts()
        print(f"  {name:<10} {counts[RARE]:>6,} of {RARE}, {len(table) - counts[RARE]:>6,} of the rest")
    print("on real test rows:")
    for name, table in (("as it is", imbalanced), ("augmented", balanced)):
        auc, accuracy = judge(table, test)
        print(f"  {name:<10} AUC {auc:.3f}, balanced accuracy {accuracy:.3f}")


def judge(train: pd.DataFrame, test: pd.DataFrame) -> tuple[float, float]:
    """AUC and balanced accuracy on ``test`` of a classifier trained on ``train``."""
    numbers = train.drop(columns=TARGET).select_dtypes("number").columns
    model = HistGradientBoostingClassifier(random_state=0)
    model.fit(train[numbers], train[TARGET] == RARE)
    truth = test[TARGET] == RARE
    return (
        float(roc_auc_score(truth, model.predict_proba(test[numbers])[:, 1])),
        float(balanced_accuracy_score(truth, model.predict(test[numbers]))),
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--max-steps", type=int, help="train for at most this many steps")
    main(parser.parse_args().max_steps)
