"""What scikit-learn asks of an estimator, without importing it: settings by name, tags, copies of what was fitted."""

from __future__ import annotations

import inspect
import tempfile
from pathlib import Path
from typing import Any, ClassVar, Self

from chekhov.errors import UsageError


class Estimator:
    """Settings are the arguments of ``__init__``, kept under their names (scikit-learn's convention)."""

    _estimator_type: ClassVar[str | None] = "classifier"
    ROWS: ClassVar[str] = 'a list of texts, as in predict(["one text", "another"])'
    ROWS_ARE_LISTS: ClassVar[bool] = False

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
            estimator_type=self._estimator_type,
            target_tags=TargetTags(required=True),
            classifier_tags=ClassifierTags() if self._estimator_type else None,
            input_tags=InputTags(two_d_array=False, string=True),
        )

    def __sklearn_is_fitted__(self) -> bool:
        return getattr(self, "net", None) is not None

    def _check_fitted(self) -> None:
        """UsageError E-LABEL-016."""
        if not self.__sklearn_is_fitted__():
            raise UsageError("E-LABEL-016", f"this {type(self).__name__} is not trained", mend="call fit, or load one")

    def _check_rows(self, rows: Any) -> None:
        """UsageError E-LABEL-016 before `fit`; E-LABEL-017 for a string in place of a list, which would be taken for a
        list of letters."""
        self._check_fitted()
        if isinstance(rows, str):
            raise UsageError("E-LABEL-017", "a string stands where a list is expected", mend=f"give {self.ROWS}")
        if self.ROWS_ARE_LISTS and any(isinstance(row, str) for row in rows):
            what = "a sentence is a string, where a list of words is expected"
            raise UsageError("E-LABEL-017", what, mend=f"give {self.ROWS}")

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
