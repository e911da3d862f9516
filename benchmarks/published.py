"""Figures from papers that stand beside ours: the tables of the TabPC repository (2026), five fits each.

TabDiff's evaluation code: shape and own-edge trend errors in percent, MLE as AUC (RMSE for Beijing and News), XGB-C2ST
and, for Adult, alpha-precision and beta-recall.
"""

from __future__ import annotations

SOURCE = "TabPC repository tables (2026), TabDiff's evaluation code, five fits each"

_TABLES = ("adult", "default", "shoppers", "magic", "beijing", "news", "diabetes")

_SHAPE_AND_TREND = {
    "CTGAN": "19.1/24.2 16.9/29.8 25.9/24.5 5.6/5.6 20.0/25.7 13.8/5.2 10.4/19.1",
    "TVAE": "23.8/33.4 8.7/18.7 24.9/20.7 4.6/4.7 27.8/29.8 18.3/6.1 23.8/40.6",
    "TabSyn": "0.79/2.05 1.32/2.88 1.48/2.29 0.98/0.82 2.61/4.50 2.34/1.67 1.78/3.97",
    "TabDiff": "0.68/1.54 1.16/2.74 1.49/1.91 0.80/0.84 1.05/2.59 2.75/1.64 1.45/3.14",
    "TabPC": "0.58/1.44 0.54/5.04 0.90/1.78 0.98/1.70 0.57/2.19 0.64/1.85 0.58/1.90",
    "independent columns": "0.39/7.5 0.46/11.3 0.66/6.3 0.62/13.0 0.51/9.0 0.93/4.5 0.34/3.2",
}

_MLE = {
    "real": ".927 .761 .927 .933 .491 .827 -",
    "CTGAN": ".862 .727 .850 .882 1.034 .860 .591",
    "TabSyn": ".910 .759 .914 .937 .626 .858 .686",
    "TabDiff": ".913 .763 .917 .936 .564 .878 .681",
}

_C2ST = {
    "CTGAN": ".00 .00 .00 .10 .00 .00 .00",
    "TabSyn": ".79 .40 .66 .76 .53 .12 .52",
    "TabDiff": ".84 .59 .74 .77 .77 .03 .56",
    "TabPC": ".86 .26 .89 .86 .57 .13 .79",
}

_COVERAGE_ADULT = {"CTGAN": (0.754, 0.131), "TabSyn": (0.990, 0.480), "TabDiff": (0.986, 0.526)}
_SECONDS_ADULT = {
    "CTGAN": (3798.0, 1.9),
    "TabDDPM": (2956.0, 72.0),
    "TabSyn": (3083.0, 5.0),
    "TabDiff": (11605.0, 10.8),
    "TabPC": (272.0, 39.0),
}
_REGRESSION = frozenset({"beijing", "news"})


def published(table: str) -> dict[str, dict[str, float]]:
    """Generator -> score name -> figure, with the keys of `benchmarks.scoring.score_sample`; empty for other tables."""
    if table not in _TABLES:
        return {}
    at = _TABLES.index(table)
    found: dict[str, dict[str, float]] = {}
    for name, text in _SHAPE_AND_TREND.items():
        shape, trend = text.split()[at].split("/")
        found.setdefault(name, {}).update(shape=float(shape), trend_own=float(trend))
    for name, text in _MLE.items():
        if (figure := text.split()[at]) != "-":
            found.setdefault(name, {})["mle_rmse" if table in _REGRESSION else "mle_auc"] = float(figure)
    for name, text in _C2ST.items():
        found.setdefault(name, {})["xgb_c2st"] = float(text.split()[at])
    if table == "adult":
        for name, (precision, recall) in _COVERAGE_ADULT.items():
            found[name].update(alpha_precision=precision, beta_recall=recall)
        for name, (fit, sample) in _SECONDS_ADULT.items():
            found.setdefault(name, {}).update(fit_seconds=fit, sample_seconds=sample)
    return found
