"""What scikit-learn asks of an estimator, without importing it: settings by name, tags, copies of what was fitted."""

from __future__ import annotations

import inspect
import tempfile
from pathlib import Path
from typing import Any, ClassVar, Self

from chekhov.errors import UsageError


class Estimator:
    """Settings are the arguments of ``__init__``, kept under their names (scikit-learn's convention)."""

    _estimator_type: ClassVar[str] = "classifier"

    @classmethod
    def _setting_names(cls) -> list[str]:
        return sorted(name for name in inspect.signature(cls.__init__).parameters if name != "self")

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self._setting_names()}

    def set_params(self, **params: Any) -> Self:
        """ValueError (UsageError E-LABEL-002) for a setting that there is not."""
        for name, value in params.items():
            if name not in self._setting_names():
                known = ", ".join(self._setting_names())
                raise UsageError("E-LABEL-002", f"{type(self).__name__} has no setting {name}", mend=f"one of {known}")
            setattr(self, name, value)
        return self

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags

        return Tags(
            estimator_type="classifier",
            target_tags=TargetTags(required=True),
            classifier_tags=ClassifierTags(),
            input_tags=InputTags(two_d_array=False, string=True),
        )

    def __sklearn_is_fitted__(self) -> bool:
        return getattr(self, "net", None) is not None

    def __repr__(self) -> str:
        defaults = {name: p.default for name, p in inspect.signature(type(self).__init__).parameters.items()}
        given = [f"{name}={value!r}" for name, value in self.get_params().items() if value != defaults.get(name)]
        return f"{type(self).__name__}({', '.join(given)})"

    def save(self, folder: str | Path) -> None:
        raise NotImplementedError

    def __getstate__(self) -> dict[str, Any]:
        """For copies and joblib: the settings, and what was fitted as the files of `save`."""
        state: dict[str, Any] = {"settings": self.get_params()}
        if self.__sklearn_is_fitted__():
            with tempfile.TemporaryDirectory() as folder:
                self.save(folder)
                state["files"] = {path.name: path.read_bytes() for path in Path(folder).iterdir() if path.is_file()}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        type(self).__init__(self, **state["settings"])
        if "files" in state:
            with tempfile.TemporaryDirectory() as folder:
                for name, data in state["files"].items():
                    (Path(folder) / name).write_bytes(data)
                self._take(Path(folder))

    def _take(self, folder: Path) -> None:
        raise NotImplementedError
