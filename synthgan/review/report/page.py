"""The report: one HTML file for the person who decides, verdict first.

The file loads nothing and runs nothing: its content-security policy allows a single style sheet, by its hash. Every
text passes `synthgan.review.wording.harmless` and is escaped on its way into the page, whatever names a table has.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup

from synthgan.evaluation.catalogue import ATTACKING
from synthgan.loose_json import finite, mapping
from synthgan.review.report.blocks import Block, Form, Points, Section, marked, named, table
from synthgan.review.report.glossary_section import glossary_section
from synthgan.review.report.risks import (
    attacks_section,
    disclosure_section,
    ledger_section,
    provenance_section,
    unprotected_section,
)
from synthgan.review.report.table_sections import columns_section, detection_section, pairs_section, utility_section
from synthgan.review.report.verdict import gates_table, headline, key_figures
from synthgan.review.wording import figure, harmless, short

if TYPE_CHECKING:
    import jinja2

    from synthgan.evaluation.scores import Scores
    from synthgan.review.verdicts import Verdicts

LIMITS = (
    "The attacks are those that we know and could afford to run. Others may do better: a failed attack proves nothing.",
    "The figures speak of these rows. Another fit or another seed would give somewhat different ones.",
    "Intervals cover chance in the rows that were scored, and nothing else.",
    "The figures are computed from real rows and tell a little about them. Treat this report like the data, unless it "
    "says that it holds none.",
    "A table that is good on average may be wrong for small groups. Check the groups that matter to you.",
    "Synthetic rows are not people. Nothing that is decided about a person may rest on them.",
)
"""What a report says of itself when its caller gives no limits."""

DECISIONS: Final = ("Publish shareable/", "Publish under conditions", "Do not publish")
SIGNED: Final = ("Conditions", "Name", "Role", "Date", "Signature")
"""The lines for the person who decides."""


def render_report(
    *,
    title: str,
    scores: Scores | None,
    verdicts: Verdicts | None,
    ledger: Mapping[str, Any] | None,
    provenance: Sequence[Mapping[str, Any]],
    facts: Mapping[str, str],
    limits: Sequence[str],
    heading: Mapping[str, str] | None = None,
    publication: Sequence[str] = (),
    protection: str = "",
    is_signed: bool = False,
) -> str:
    """The whole HTML file. The same arguments give the same file.

    Args:
        title: of the page.
        scores: of the evaluation; None for an edition that holds nothing computed from real rows.
        verdicts: of the gates; None when none were applied.
        ledger: of a private fit, as in its model file; None for one without a guarantee.
        provenance: a mapping per fact about a column, with the keys "column", "what" and "source".
        facts: settings and versions, in the order in which they are listed.
        limits: what the reader must not conclude; `LIMITS` when empty.
        heading: what the page is about, beside its title: table, purpose, date.
        publication: what may be published and what not; stands above the gates.
        protection: what value protection did, in words.
        is_signed: whether the page ends with lines for the one who decides.
    """
    sections = [
        *_evaluated(scores, verdicts, is_private=_epsilon(ledger) is not None),
        ledger_section(ledger, fitted=bool(provenance), attacked=_is_attacked(scores)),
        provenance_section(provenance, protection),
        unprotected_section(ledger),
        Section(key="limits", title="Limits", blocks=(Points(items=_stated(limits)),)),
        glossary_section(
            [score.name for score in scores or ()],
            is_private=_epsilon(ledger) is not None,
            has_facts=bool(provenance),
        ),
        _settings(scores, facts),
        _sign_off() if is_signed else None,
    ]
    style = _template_file("report.css")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        _environment()
        .get_template("report.html.jinja")
        .render(
            title=short(title, 200),
            style=Markup(style),
            policy=f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
            headline=headline(verdicts, is_withheld=scores is None),
            gates=gates_table(verdicts, scores),
            policy_name=short(verdicts.policy, 80) if verdicts is not None and verdicts.policy else "",
            sections=[section for section in sections if section is not None],
            heading=[(short(name, 60), short(text, 500)) for name, text in (heading or {}).items()],
            publication=[str(text) for text in publication],
            glance=_glance(scores, ledger, fitted=bool(provenance)),
        )
    )


def _evaluated(scores: Scores | None, verdicts: Verdicts | None, *, is_private: bool) -> list[Section | None]:
    """The sections that hold figures computed from real rows, or one that says why there are none."""
    if scores is None and verdicts is None:
        lead = (
            "This edition holds no figure that was computed from real rows"
            + (" besides those that the budget paid for" if is_private else "")
            + ", so that it tells no more about them than the synthetic rows do. The internal edition has the scores."
        )
    elif scores is None:
        lead = "This edition leaves the scores out; the verdict above was computed from real rows all the same."
    else:
        lead = "Nothing was computed."
    if scores is None or not scores.scores:
        return [Section(key="figures", title="Key figures", lead=lead)]
    parts = (
        columns_section,
        pairs_section,
        detection_section,
        utility_section,
        attacks_section,
        disclosure_section,
    )
    return [key_figures(scores, verdicts), *(part(scores) for part in parts)]


def _sign_off() -> Section:
    """Lines for the one who decides, to be filled in by hand."""
    return Section(
        key="sign-off",
        title="Decision and sign-off",
        lead="To be filled in by hand, by the person who answers for the table.",
        blocks=(Form(choices=DECISIONS, lines=SIGNED),),
    )


def _is_attacked(scores: Scores | None) -> bool:
    """Whether an attack on people in the table was tried."""
    return any(score.group in ATTACKING for score in scores or ())


def _epsilon(ledger: Mapping[str, Any] | None) -> float | None:
    return finite(mapping(mapping(ledger).get("guarantee")).get("epsilon"))


def _stated(limits: Sequence[str]) -> tuple[str, ...]:
    return tuple(str(text) for text in limits if str(text).strip()) or LIMITS


def _settings(scores: Scores | None, facts: Mapping[str, str]) -> Section | None:
    blocks: list[Block] = []
    if facts:
        rows = [(short(name, 80), short(value, 300)) for name, value in facts.items()]
        blocks.append(table("How it was made", ("What", "Value"), rows))
    if scores is not None:
        rows = [(f"Rows, {short(name, 40)}", figure(n)) for name, n in scores.n_rows.items()]
        rows += [
            (_SETTINGS.get(name, short(name, 60).replace("_", " ")), _setting(value, _UNSET.get(name, "not set")))
            for name, value in scores.settings.items()
        ]
        if rows:
            blocks.append(
                table("How it was evaluated", ("Setting", "Value"), rows, folded="Settings of the evaluation")
            )
    return Section(key="settings", title="Settings and versions", blocks=tuple(blocks)) if blocks else None


_SETTINGS = {"random_state": "seed", "secrets": "columns that attackers guess"}
_UNSET = {"secrets": "chosen by the evaluation", "target": "none", "random_state": "none, so that chance chose"}


def _setting(value: Any, unset: str = "not set") -> Any:
    if isinstance(value, list | tuple | set):
        return Markup(", ").join(named(item, 40) for item in list(value)[:200]) or "none"
    if isinstance(value, Mapping):
        pairs = list(value.items())[:200]
        return Markup("; ").join(marked("{}: {}", named(k, 40), named(v, 80)) for k, v in pairs) or "none"
    number = finite(value)
    return unset if value is None else f"{number:,.15g}" if number is not None else named(value, 120)


def _glance(scores: Scores | None, ledger: Mapping[str, Any] | None, *, fitted: bool) -> list[tuple[str, str]]:
    """A few facts beside the verdict."""
    found: list[tuple[str, str]] = []
    epsilon, delta = _epsilon(ledger), finite(mapping(mapping(ledger).get("guarantee")).get("delta"))
    if epsilon is not None:
        found.append(("Guarantee", f"epsilon {epsilon:g}" + (f", delta {delta:g}" if delta is not None else "")))
    elif fitted:
        found.append(("Guarantee", "none"))
    if scores is not None:
        names = {"synthetic": "Synthetic rows", "real": "Real rows", "holdout": "Holdout rows"}
        counts = ((words, finite(scores.n_rows.get(name))) for name, words in names.items())
        found += [(words, f"{n:,.0f}") for words, n in counts if n is not None]
    return found


def _template_file(name: str) -> str:
    text = (files("synthgan.review.report") / "templates" / name).read_text(encoding="utf-8")
    return text.replace("\r\n", "\n")


@cache
def _environment() -> jinja2.Environment:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FunctionLoader(_template_file),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_finalized,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _finalized(value: Any) -> Any:
    """Every text on its way into the page; markup was made of such texts."""
    return value if isinstance(value, Markup | int) else harmless(value)
