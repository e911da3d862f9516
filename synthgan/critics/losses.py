"""The adversarial losses of the literature, by name.

Every loss is a pair of functions of raw discriminator scores: what the discriminator minimises, given scores of real
and of generated rows, and what the generator minimises. `LOSSES` is the registry.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor
from torch.nn.functional import relu, softplus

Penalty = Literal["none", "r1r2", "interpolated", "clip"]
Halves = tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]


@dataclass(frozen=True, kw_only=True, slots=True)
class AdversarialLoss:
    """One loss of the literature.

    Attributes:
        name: key in `LOSSES`.
        reference: the paper it comes from.
        discriminator: ``(real_scores, fake_scores) -> loss``, both ``(n,)``.
        generator: ``(real_scores, fake_scores) -> loss``; separable losses ignore the real scores.
        halves: what each real and each generated score costs the discriminator, functions of single scores whose means
            add up to its loss; None where the loss ties rows together. DP-SGD needs them.
        undecided: the score of a row that the discriminator finds as likely real as generated; None where scores have
            no such level.
        penalty: what keeps the discriminator smooth: R1 and R2 at the data, WGAN-GP's on interpolates, weight clipping.
        penalty_weight: default weight (gamma, lambda), or the clipping bound.
        chance: the discriminator's loss when it cannot tell rows apart, above a bottom of 0; None without a bottom.
    """

    name: str
    reference: str
    discriminator: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor, Tensor], Tensor]
    halves: Halves | None
    undecided: float | None
    penalty: Penalty
    penalty_weight: float
    chance: float | None

    @property
    def separable(self) -> bool:
        """Whether the discriminator's loss is a real half plus a fake half."""
        return self.halves is not None


def _summed(halves: Halves) -> Callable[[Tensor, Tensor], Tensor]:
    """The discriminator's loss of its two halves."""
    of_real, of_fake = halves
    return lambda real, fake: of_real(real).mean() + of_fake(fake).mean()


_CROSS_ENTROPY: Halves = (lambda real: softplus(-real), softplus)
_SQUARES: Halves = (lambda real: 0.5 * (real - 1) ** 2, lambda fake: 0.5 * fake**2)
_MEANS: Halves = (lambda real: -real, lambda fake: fake)
_HINGES: Halves = (lambda real: relu(1 - real), lambda fake: relu(1 + fake))

LOSSES: dict[str, AdversarialLoss] = {
    loss.name: loss
    for loss in (
        AdversarialLoss(
            name="minimax",
            reference="Goodfellow et al. 2014, equation 1",
            discriminator=_summed(_CROSS_ENTROPY),
            generator=lambda _, fake: -softplus(fake).mean(),
            halves=_CROSS_ENTROPY,
            undecided=0.0,
            penalty="r1r2",
            penalty_weight=0.01,
            chance=2 * math.log(2),
        ),
        AdversarialLoss(
            name="non-saturating",
            reference="Goodfellow et al. 2014, section 3",
            discriminator=_summed(_CROSS_ENTROPY),
            generator=lambda _, fake: softplus(-fake).mean(),
            halves=_CROSS_ENTROPY,
            undecided=0.0,
            penalty="r1r2",
            penalty_weight=0.01,
            chance=2 * math.log(2),
        ),
        AdversarialLoss(
            name="least-squares",
            reference="Mao et al. 2017, equation 9",
            discriminator=_summed(_SQUARES),
            generator=lambda _, fake: 0.5 * ((fake - 1) ** 2).mean(),
            halves=_SQUARES,
            undecided=0.5,
            penalty="r1r2",
            penalty_weight=0.01,
            chance=0.25,
        ),
        AdversarialLoss(
            name="wasserstein-clipped",
            reference="Arjovsky et al. 2017, algorithm 1",
            discriminator=_summed(_MEANS),
            generator=lambda _, fake: -fake.mean(),
            halves=_MEANS,
            undecided=None,
            penalty="clip",
            penalty_weight=0.03,
            chance=None,
        ),
        AdversarialLoss(
            name="wasserstein",
            reference="Gulrajani et al. 2017, equation 3",
            discriminator=_summed(_MEANS),
            generator=lambda _, fake: -fake.mean(),
            halves=_MEANS,
            undecided=None,
            penalty="interpolated",
            penalty_weight=10.0,
            chance=None,
        ),
        AdversarialLoss(
            name="hinge",
            reference="Lim and Ye 2017",
            discriminator=_summed(_HINGES),
            generator=lambda _, fake: -fake.mean(),
            halves=_HINGES,
            undecided=0.0,
            penalty="r1r2",
            penalty_weight=0.01,
            chance=2.0,
        ),
        AdversarialLoss(
            name="relativistic",
            reference="Jolicoeur-Martineau 2019; Huang et al. 2024, equation 2",
            discriminator=lambda real, fake: softplus(fake - real).mean(),
            generator=lambda real, fake: softplus(real - fake).mean(),
            halves=None,
            undecided=None,
            penalty="r1r2",
            penalty_weight=0.01,
            chance=math.log(2),
        ),
    )
}
