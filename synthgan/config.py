"""Settings of a fit: frozen, validated once, with every default in one place.

Most people touch `effort` only. The numbers behind an effort depend on the table and the device;
`synthgan.training.effort.resolve` turns them into concrete settings, which are stored with the model.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypeVar, get_args

from synthgan.errors import SettingsError

Effort = Literal["quick", "default", "high"]
EFFORTS: tuple[Effort, ...] = get_args(Effort)
Precision = Literal["auto", "float32", "tf32", "bfloat16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
Capture = Literal["auto", "off"]
CAPTURES: tuple[Capture, ...] = get_args(Capture)
LossName = Literal[
    "minimax", "non-saturating", "least-squares", "wasserstein-clipped", "wasserstein", "hinge", "relativistic"
]
LOSS_NAMES: tuple[LossName, ...] = get_args(LossName)
WARM_UP_SHARE = 0.2
"""Of the steps that `max_steps` leaves, or of a time limit: no warm-up takes more."""

S = TypeVar("S")


@dataclass(frozen=True, kw_only=True, slots=True)
class GeneratorSettings:
    """Sizes of the generator.

    Attributes:
        width: width of the residual trunk.
        hidden: width inside each residual block; None for the trunk's width.
        n_blocks: number of residual blocks.
        latent_dim: dimension of the noise.
        position_rank: rank of the bilinear position head.
        ranks: whether numbers and times also have a peak that moves along their ranks.
    """

    width: int = 256
    hidden: int | None = None
    n_blocks: int = 3
    latent_dim: int = 128
    position_rank: int = 8
    ranks: bool = True

    def __post_init__(self) -> None:
        """Check ranges."""
        for name in ("width", "n_blocks", "latent_dim", "position_rank"):
            _whole(self, name, 1)
        if self.hidden is not None:
            _whole(self, "hidden", 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class DiscriminatorSettings:
    """Sizes and options of the discriminator.

    Attributes:
        width: width of the residual trunk.
        n_blocks: number of residual blocks.
        packing: rows judged together (PacGAN, Lin et al. 2018); 1 for none.
        spectral_norm: divide each weight by its largest singular value (Miyato et al. 2018).
        ranks: whether it also sees waves of the ranks of numbers and times.
    """

    width: int = 256
    n_blocks: int = 2
    packing: int = 1
    spectral_norm: bool = False
    ranks: bool = True

    def __post_init__(self) -> None:
        """Check ranges."""
        for name in ("width", "n_blocks", "packing"):
            _whole(self, name, 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingSettings:
    """Everything that shapes a fit besides the table.

    Attributes:
        n_steps: generator steps; the learning rate's schedule ends here.
        batch_size: rows per step.
        learning_rate: peak learning rate of both networks (Adam).
        betas: Adam's moment decay rates.
        warmup_steps: steps of linear warm-up; under a time limit, at most a fifth of that.
        final_learning_rate: fraction of the peak that the cosine schedule ends on.
        ema_decay: decay per step of the averaged generator that samples are drawn from; ramped up at the start.
        temperature: straight-through Gumbel-softmax temperature.
        loss: name of the adversarial loss, a key of `synthgan.critics.losses.LOSSES`.
        penalty: weight of the gradient penalty (R1 and R2's gamma, WGAN-GP's lambda) or the clipping bound; None for
            the default of the loss.
        penalty_interval: the penalty is taken every this many steps, with its weight scaled up to match.
        discriminator_steps: discriminator steps per generator step.
        adversarial_weight: weight of the neural critic in the generator's loss.
        marginal_weight: weight of the marginal critic in the generator's loss; 0 switches it off. None to have it
            measured, between 2 and 10, so that it pulls at the generator no less than the neural critic
            (`synthgan.training.critic_balance`; 2 without one); it then changes during a fit, and stands in the
            history.
        position_weight: weight of the position critic, which keeps positions uniform in each bin; 0 switches it off.
        gram_horizon: steps that the running average of the marginal critic's Gram matrix looks back over, at the peak
            learning rate and at most: further where the rate is lower. (1, 1) for the current batch alone.
        target_weight: weight of the three-way marginals with the target column, when there is one.
        shrinkage: how strongly each pair's marginal is moved towards independence by the share of it that is sampling
            noise (`synthgan.critics.shrinkage`); 0 for not at all, which is right for large tables.
        condition_fraction: share of each batch that the generator is told a condition for, as in CTGAN. At 0 it is
            never told one, and conditions are met at sampling by drawing latents in proportion to the probability of
            meeting them, which costs no fidelity (benchmarks/ablations.py measures it).
        auxiliary_weight: weight of an auxiliary classifier of the target (AC-GAN, Odena et al. 2017); 0 for none.
        twin_weight: weight of the twin classifiers of the target column, when there is one: they hold the target's
            law given the other columns to that of the real rows (TAC-GAN, Gong et al. 2019); 0 for none. This weight
            and `auxiliary_weight` count within the neural critic's loss, so `adversarial_weight` multiplies both.
        early_stopping: stop when the held-out score stops improving.
        holdout_fraction: share of rows kept out of training for that score.
        patience: evaluations without improvement before early stopping.
        evaluate_every: steps between evaluations of the averaged generator's marginal error (and held-out score).
        precision: precision of the matrix products; "auto" is bfloat16 where the hardware has it, else float32. With
            "tf32" and "bfloat16", what a GPU still multiplies in float32 may lose all but 10 bits of mantissa (TF32).
            With "bfloat16", rows are sampled with the generator's residual blocks in bfloat16 where a CPU has it.
        capture: "auto" records a training step as a CUDA graph on a GPU and replays it, which spares the launch of
            some hundred kernels per step; "off" launches them one by one. The CPU is not concerned.
        generator: sizes of the generator.
        discriminator: sizes of the discriminator.
    """

    n_steps: int = 3000
    batch_size: int = 1000
    learning_rate: float = 2e-3
    betas: tuple[float, float] = (0.5, 0.99)
    warmup_steps: int = 100
    final_learning_rate: float = 0.02
    ema_decay: float = 0.995
    temperature: float = 0.7
    loss: LossName = "relativistic"
    penalty: float | None = None
    penalty_interval: int = 4
    discriminator_steps: int = 1
    adversarial_weight: float = 1.0
    marginal_weight: float | None = None
    position_weight: float = 1.0
    gram_horizon: tuple[float, float] = (1.0, 20.0)
    target_weight: float = 0.5
    shrinkage: float = 0.0
    condition_fraction: float = 0.0
    auxiliary_weight: float = 0.0
    twin_weight: float = 0.5
    early_stopping: bool = False
    holdout_fraction: float = 0.1
    patience: int = 5
    evaluate_every: int = 250
    precision: Precision = "auto"
    capture: Capture = "auto"
    generator: GeneratorSettings = field(default_factory=GeneratorSettings)
    discriminator: DiscriminatorSettings = field(default_factory=DiscriminatorSettings)

    def __post_init__(self) -> None:
        """Check ranges."""
        for name in ("n_steps", "batch_size", "penalty_interval", "discriminator_steps", "patience", "evaluate_every"):
            _whole(self, name, 1)
        _whole(self, "warmup_steps", 0)
        for name in (
            "adversarial_weight",
            "position_weight",
            "target_weight",
            "auxiliary_weight",
            "twin_weight",
            "shrinkage",
        ):
            _at_least(self, name, 0)
        _at_least_or_none(self, "penalty", 0)
        _at_least_or_none(self, "marginal_weight", 0)
        for name in ("learning_rate", "temperature"):
            if not getattr(self, name) > 0:
                raise SettingsError(f"{name} must be positive, got {getattr(self, name)}.")
        for name in ("ema_decay", "condition_fraction", "holdout_fraction"):
            if not 0 <= getattr(self, name) < 1:
                raise SettingsError(f"{name} must be in [0, 1), got {getattr(self, name)}.")
        if not 0 <= self.final_learning_rate <= 1:
            raise SettingsError(f"final_learning_rate must be in [0, 1], got {self.final_learning_rate}.")
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise SettingsError(f"betas must be two numbers in [0, 1), got {self.betas}.")
        for name, known in (("loss", LOSS_NAMES), ("precision", PRECISIONS), ("capture", CAPTURES)):
            if getattr(self, name) not in known:
                raise SettingsError(f"{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}.")
        self._check_together()

    def _check_together(self) -> None:
        horizon = self.gram_horizon
        if not isinstance(horizon, tuple) or len(horizon) != 2 or any(type(x) not in (int, float) for x in horizon):
            raise SettingsError(f"gram_horizon must be two numbers of steps, least and most, got {horizon!r}.")
        if not 1 <= horizon[0] <= horizon[1] < math.inf:
            raise SettingsError(f"gram_horizon must be two numbers of at least 1, least and most, got {horizon}.")
        if round(self.batch_size * self.condition_fraction) >= self.batch_size:
            raise SettingsError("condition_fraction must leave rows of each batch unconditioned: lower it.")
        if self.adversarial_weight == 0 and self.marginal_weight == 0:
            raise SettingsError(
                "adversarial_weight and marginal_weight cannot both be 0: one critic must train the generator."
            )
        if self.batch_size % self.discriminator.packing:
            raise SettingsError(
                f"batch_size ({self.batch_size}) must be a multiple of discriminator.packing "
                f"({self.discriminator.packing})."
            )
        if self.auxiliary_weight and self.discriminator.packing > 1:
            raise SettingsError(
                "auxiliary_weight needs discriminator.packing 1: the classifier names the target of single rows."
            )
        if self.early_stopping and self.marginal_weight == 0:
            raise SettingsError("early_stopping needs a marginal_weight above 0: the marginal critic keeps the score.")


@dataclass(frozen=True, kw_only=True, slots=True)
class DpSgdSettings:
    """How the private neural critic is trained: DP-SGD on its real half.

    The defaults did best in trials on Adult at epsilon 1, by themselves (see `alone`).

    Attributes:
        expected_batch_size: units (rows or persons) in a Poisson batch, on average. At a noise multiplier of about 1
            or more, noise per row is least.
        max_grad_norm: norm that each unit's gradient is clipped to. Below the usual norm (4 to 7 at the start) it is a
            matter of scale, which Adam ignores, as long as `clip_fakes` gives both halves the same.
        n_updates: noised updates in the whole fit.
        updates_per_step: least and most updates between two steps of the generator.
        learning_rate: peak learning rate of the critic (Adam); it follows the generator's schedule. Slower
            critics taught less in trials.
        loss: adversarial loss, one that is a real half plus a fake half.
        r2_weight: weight of the gradient penalty on generated rows (R2); 0 for none. A little holds the
            drift of marginals back; at 1 the generator is taught nothing.
        clip_fakes: whether each generated row's gradient is clipped to the same norm as a real unit's. Unclipped ones
            outweigh the real ones, and marginals drift.
        width: width of the critic: every weight of it takes noise.
        n_blocks: residual blocks of the critic.
    """

    expected_batch_size: int = 1024
    max_grad_norm: float = 1.0
    n_updates: int = 1000
    updates_per_step: tuple[int, int] = (1, 10)
    learning_rate: float = 6e-3
    loss: LossName = "non-saturating"
    r2_weight: float = 0.03
    clip_fakes: bool = True
    width: int = 32
    n_blocks: int = 1

    FEWEST_UPDATES: ClassVar[int] = 1000
    MOST_UPDATES: ClassVar[int] = 4000

    def __post_init__(self) -> None:
        """Check ranges."""
        for name in ("expected_batch_size", "n_updates", "width", "n_blocks"):
            _whole(self, name, 1)
        for name in ("max_grad_norm", "learning_rate"):
            if not 0 < getattr(self, name) < math.inf:
                raise SettingsError(f"{name} must be a positive finite number, got {getattr(self, name)}.")
        _at_least(self, "r2_weight", 0)
        if self.loss not in LOSS_NAMES:
            raise SettingsError(f"loss must be one of {', '.join(LOSS_NAMES)}, got {self.loss!r}.")
        bounds = self.updates_per_step
        whole = isinstance(bounds, tuple) and len(bounds) == 2 and all(type(n) is int for n in bounds)
        if not whole or not 0 <= bounds[0] <= bounds[1] or bounds[1] < 1:
            raise SettingsError(f"updates_per_step must be two whole numbers, least and most, got {bounds!r}.")

    @classmethod
    def at(cls, epsilon: float) -> DpSgdSettings:
        """Defaults of a critic that has the whole budget: the more of it, the more updates, and the smaller.

        By ``sqrt(epsilon)``, which joins what did best on Adult at epsilon 1 and at 10; more updates at epsilon 1 and
        fewer at 10 did worse.
        """
        pace = min(max(1.0, math.sqrt(epsilon)), cls.MOST_UPDATES / cls.FEWEST_UPDATES)
        return cls(
            expected_batch_size=round(1024 / math.sqrt(pace)),
            n_updates=round(cls.FEWEST_UPDATES * pace),
            learning_rate=6e-3 / math.sqrt(pace),
        )

    def alone(self, base: TrainingSettings) -> TrainingSettings:
        """Settings of a fit in which no pair is measured: `training`, and few, large steps of the generator.

        Found together with the defaults above: five updates per step, since a critic that lags behind teaches noise,
        and a small generator. The marginal critic holds the columns' own marginals, which the first door has released.
        With more updates than the default, the generator follows in smaller steps (see `at`), and the critic's word
        weighs more.
        """
        pace = max(1.0, self.n_updates / self.FEWEST_UPDATES)
        per_step = max(1, round(5 / math.sqrt(pace)))
        return dataclasses.replace(
            self.training(base),
            n_steps=max(1, self.n_updates // per_step),
            batch_size=500,
            learning_rate=3e-3 / math.sqrt(pace),
            warmup_steps=min(50, self.n_updates // 20),
            ema_decay=1 - 0.01 / math.sqrt(pace),
            penalty_interval=1,
            marginal_weight=1.5 / pace,
            generator=dataclasses.replace(base.generator, width=128, n_blocks=2, latent_dim=64),
        )

    def training(self, base: TrainingSettings) -> TrainingSettings:
        """Settings of a fit with the private critic: ``base`` without what cannot be private."""
        sizes = dataclasses.replace(
            base.discriminator, width=self.width, n_blocks=self.n_blocks, packing=1, spectral_norm=False
        )
        return dataclasses.replace(
            base,
            loss=self.loss,
            penalty=None if self.loss == "wasserstein-clipped" else 0.0,
            auxiliary_weight=0.0,
            twin_weight=0.0,
            capture="off",
            discriminator=sizes,
        )


def to_dict(settings: Any) -> dict[str, Any]:
    """Settings as plain JSON values."""
    return dataclasses.asdict(settings)


def from_dict(kind: type[S], values: dict[str, Any]) -> S:
    """Settings of ``kind`` from plain values.

    Raises:
        SettingsError: on an unknown key, or a value out of range.
    """
    fields = {f.name: f for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    nested = {"generator": GeneratorSettings, "discriminator": DiscriminatorSettings}
    arguments: dict[str, Any] = {}
    for key, value in values.items():
        if key not in fields:
            near = difflib.get_close_matches(key, fields, 1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; expected one of {', '.join(sorted(fields))}."
            raise SettingsError(f"{kind.__name__} has no setting {key!r}{hint}")
        if key in nested and isinstance(value, dict):
            arguments[key] = from_dict(nested[key], value)
        else:
            arguments[key] = tuple(value) if isinstance(value, list) else value
    return kind(**arguments)


def _whole(settings: Any, name: str, low: int) -> None:
    value = getattr(settings, name)
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise SettingsError(
            f"{type(settings).__name__}.{name} must be a whole number of at least {low}, got {value!r}."
        )


def _at_least(settings: Any, name: str, low: float) -> None:
    value = getattr(settings, name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= low:
        raise SettingsError(f"{type(settings).__name__}.{name} must be a number of at least {low}, got {value!r}.")


def _at_least_or_none(settings: Any, name: str, low: float) -> None:
    if getattr(settings, name) is not None:
        _at_least(settings, name, low)
