"""The guarantee of a private release, in the fields of the OpenDP deployments registry.

The field names and their nesting are those of the registry's data entry template
(``tests/good_deployments/template.yaml`` of github.com/opendp/deployments-registry-data, as of commit 057e5d8). The
registry goes back to Dwork, Kohli and Mulligan 2019, "Differential Privacy in Practice: Expose your Epsilons!"; its
schema is described in "Practitioners' Perspectives on a Differential Privacy Deployment Registry" (arXiv 2509.13509).
Values are texts, as there. What only the publisher knows is None, to be filled in before the record is handed in.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from synthgan.errors import PrivacyError
from synthgan.privacy.account.entries import DOOR_NAMES
from synthgan.privacy.account.parameters import ROW
from synthgan.review.bundle.occasion import Occasion
from synthgan.review.bundle.release import Release


def deployment_record(release: Release, occasion: Occasion | None = None) -> dict[str, Any]:
    """The record of a private release. Nothing in it is computed from real rows.

    Args:
        release: the release.
        occasion: what the reviewer calls the table, and wants the rows for.

    Raises:
        PrivacyError: when the release has no guarantee.
    """
    ledger = release.ledger
    if ledger is None:
        raise PrivacyError("a release without a guarantee has no deployment record; fit with privacy= for one")
    rows = ledger["rows_per_unit"]
    by_row = ledger["unit"] == ROW
    return {
        "basic": {
            "name": None if occasion is None else occasion.title,
            "data_curators": None,
            "description": f"Synthetic rows of one table of {len(release.columns)} columns, from a generator that was "
            "fitted with differential privacy.",
            "intended_use": None if occasion is None else occasion.purpose,
            "data_product_type": "Synthetic data",
            "data_product_region": None,
            "data_product_sector": None,
            "publication_date": None,
        },
        "dp_variant": {
            "variant_name": "Approximate DP",
            "data_domain": "Tables with the published columns and types and any number of rows; values outside the "
            "declared bounds and levels are moved inside before anything is counted.",
            "unprotected_quantities": _listed(ledger["unprotected"]),
        },
        "privacy_loss": {
            "privacy_unit": "Row" if by_row else "Person",
            "privacy_unit_details": f"Neighbouring tables: {ledger['adjacency']}. "
            + (
                "A unit is one row."
                if by_row
                else f"A unit is all rows with one value in the column '{ledger['unit']}', of which at most {rows} "
                f"(drawn at random) {'is' if rows == 1 else 'are'} used; a row without a value is a unit of its own."
            ),
            "number_of_privacy_units": 1,
            "privacy_parameters": {"epsilon": ledger["guarantee"]["epsilon"], "delta": ledger["guarantee"]["delta"]},
            "privacy_parameters_details": "The promise for the model, its history and all rows drawn from it together. "
            f"All releases so far add up to epsilon {ledger['spent']['epsilon']:.6g} at that delta. Other fits on the "
            "same table, trials included, are not counted here.",
        },
        "deployment_model": {
            "model_name": "Central",
            "model_name_details": "One curator holds the table and fits the generator.",
            "trust_assumptions": "The curator and the machine of the fit are trusted; nobody else is.",
            "actors": None,
            "release_type": "One release",
            "release_type_details": "Rows drawn later from the same model cost nothing more.",
            "data_source_type": "Static",
            "data_source_type_details": "",
            "access_type": "Non-interactive",
            "access_type_details": "The rows are published as files.",
        },
        "implementation": {
            "preprocessing_and_hyperparameter_tuning": "Kinds, bounds and levels of columns are declared, follow from "
            "types, or were released by door 1. Settings were not tuned on the table within this account; trials on it "
            "would be fits of their own.",
            "mechanisms": _mechanisms(ledger),
            "composition": f"{ledger['composition']['method']}. Order {ledger['composition']['order']:.6g}. "
            f"{ledger['composition']['source']}.",
            "post_processing": "Training of the generator against the released figures (and, with door 3, against a "
            "discriminator trained by DP-SGD), sampling, decoding, and the rules declared between columns.",
            "justification": None,
            "utility": None,
            "additional_information": "Full account: ledger.json.",
        },
        "administrative": {"evidence_sources": None, "status": "Draft", "registry_authors": None, "tier": None},
    }


def _mechanisms(ledger: dict[str, Any]) -> str:
    counts: dict[tuple[int, str], int] = {}
    for entry in ledger["entries"]:
        key = (entry["door"], entry["mechanism"])
        counts[key] = counts.get(key, 0) + entry["count"]
    doors = [
        f"Door {door} ({DOOR_NAMES[door]}): {mechanism}, {count:,} {'release' if count == 1 else 'releases'}."
        for (door, mechanism), count in sorted(counts.items())
    ]
    return _listed([*doors, *(f"Randomness of {what}: {source}." for what, source in ledger["randomness"].items())])


def _listed(items: Iterable[str]) -> str:
    """Items as a Markdown list, as the registry writes several in one text."""
    return "\n".join(f"- {item}" for item in items)
