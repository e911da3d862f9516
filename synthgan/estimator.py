"""scikit-learn's conventions for an object whose settings are the arguments of its constructor."""

from __future__ import annotations

from typing import Any, TypeVar

from synthgan.errors import NotFittedError, SettingsError

E = TypeVar("E", bound="Estimator")


class Estimator:
    """Parameters by name, a short text of them, and what scikit-learn asks before it accepts an object.

    The constructor takes keyword-only arguments with defaults and stores each under its own name; what `fit` sets has
    names that end in an underscore.
    """

    @classmethod
    def _defaults(cls) -> dict[str, Any]:
        """Constructor arguments and their defaults: the estimator's, also in a subclass with another constructor."""
        estimator = next(
            base for base in reversed(cls.__mro__) if issubclass(base, Estimator) and base is not Estimator
        )
        return dict(estimator.__init__.__kwdefaults__ or {})

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002  (scikit-learn's signature)
        """Constructor arguments by name.

        Example:
            >>> from synthgan import Synthesizer
            >>> Synthesizer(effort="quick").get_params()["effort"]
            'quick'
        """
        return {name: getattr(self, name) for name in self._defaults()}

    def set_params(self: E, **params: Any) -> E:
        """Change constructor arguments by name; returns the object itself.

        Raises:
            SettingsError: for an unknown name.

        Example:
            >>> from synthgan import Synthesizer
            >>> Synthesizer(effort="quick").set_params(effort="high", min_count=20)
            Synthesizer(effort='high', min_count=20)
        """
        names = self._defaults()
        for name, value in params.items():
            if name not in names:
                raise SettingsError(
                    f"{type(self).__name__} has no parameter {name!r}; expected one of {', '.join(names)}."
                )
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        """Constructor call with the arguments that differ from their defaults."""
        defaults = self._defaults()
        changed = [f"{k}={v!r}" for k, v in self.get_params().items() if v != defaults[k]]
        return f"{type(self).__name__}({', '.join(changed)})"

    def __sklearn_is_fitted__(self) -> bool:
        """Whether `fit` has been called."""
        return any(name.endswith("_") and not name.startswith("_") for name in vars(self))

    def _check_fitted(self) -> None:
        if not self.__sklearn_is_fitted__():
            raise NotFittedError(
                f"this {type(self).__name__} is not fitted yet; call fit(data) first, or load a saved model."
            )

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn 1.6 and later ask before they accept an object as an estimator."""
        from sklearn.utils import InputTags, Tags, TargetTags

        inputs = InputTags(string=True, categorical=True, allow_nan=True)
        return Tags(estimator_type=None, target_tags=TargetTags(required=False), input_tags=inputs)
