"""scikit-learn's own checks of an estimator, run over `Classifier`.

They give tables of numbers, and skip an estimator of texts but for one check. So a step in front, here in the test,
writes each number as a word, "x3b7": column 3, seventh of ten bins. What is left out is listed with its reason.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.utils.estimator_checks import check_estimator
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from chekhov.tasks.classifier import Classifier
from chekhov.tasks.tagger import Tagger

BINS = 10
EXCLUDED = {
    "check_dont_overwrite_parameters": "what fit makes (net, table, training) has no underscore at its end: the names "
    "are those of chekhov's other models",
}
SKIPPED = {"check_array_api_input", "check_classifier_data_not_an_array"}  # want SCIPY_ARRAY_API and pandas


class Rows(Classifier):
    """Numbers -> words -> `Classifier`, small and quick. The checks of its input are scikit-learn's own."""

    def __init__(self, *, hidden_size: int = 8, epochs: int = 6, lr: float = 0.03, seed: int = 0):
        self.hidden_size, self.epochs, self.lr, self.seed = hidden_size, epochs, lr, seed

    def __getattr__(self, name: str) -> Any:
        fixed = {**Classifier(nets=1).get_params(), "word_size": 8, "affix_size": 2, "dropout": 0.1, "batch_size": 8}
        if name in fixed:
            return fixed[name]
        raise AttributeError(name)

    def fit(self, X: Any, y: Any) -> Rows:  # type: ignore[override]
        X, y = validate_data(self, X, y)
        check_classification_targets(y)
        self.edges_ = np.quantile(X, np.linspace(0, 1, BINS + 1)[1:-1], axis=0)
        super().fit(self._texts(X), y)
        return self

    def predict(self, X: Any) -> Any:
        return super().predict(self._texts(self._checked(X)))

    def predict_proba(self, X: Any) -> Any:
        return super().predict_proba(X if isinstance(X, list) else self._texts(self._checked(X)))

    def score(self, X: Any, y: Any) -> float:
        return float(np.mean(self.predict(X) == np.asarray(y)))

    def _checked(self, X: Any) -> Any:
        check_is_fitted(self)
        return validate_data(self, X, reset=False)

    def _texts(self, X: Any) -> list[str]:
        bins = [np.digitize(X[:, column], self.edges_[:, column]) for column in range(X.shape[1])]
        return [" ".join(f"x{column}b{own[row]}" for column, own in enumerate(bins)) for row in range(len(X))]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.string = True, False
        return tags

    def __getstate__(self) -> dict[str, Any]:
        own = {name: vars(self)[name] for name in ("edges_", "n_features_in_") if name in vars(self)}
        return {**super().__getstate__(), "own": own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__({name: part for name, part in state.items() if name != "own"})
        vars(self).update(state["own"])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Estimator .* does not inherit:UserWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_the_checks_of_an_estimator() -> None:
    results = check_estimator(Rows(), expected_failed_checks=EXCLUDED, on_skip=None, on_fail=None)
    failed = {result["check_name"]: result["exception"] for result in results if result["status"] == "failed"}
    assert not failed
    passed = {result["check_name"] for result in results if result["status"] == "passed"}
    assert len(passed) >= 45
    assert len(EXCLUDED) <= 15
    assert {result["check_name"] for result in results if result["status"] == "xfail"} == set(EXCLUDED)
    assert {result["check_name"] for result in results if result["status"] == "skipped"} <= SKIPPED


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_settings_are_all_that_init_keeps() -> None:
    for estimator in (Classifier(), Tagger()):
        assert vars(estimator).keys() == estimator.get_params().keys()
        assert check_estimator(estimator, on_fail="raise")


def test_what_was_not_fitted_says_so() -> None:
    with pytest.raises(NotFittedError):
        Rows().predict([[1.0]])


def test_a_tagger_is_cross_validated() -> None:
    """Its tags are lists, which scikit-learn's classifiers have not."""
    words, tags = [["дом", "стоит"], ["лес", "шумит"]] * 4, [["N", "V"]] * 8
    tagger = Tagger(nets=1, hidden_size=4, epochs=1, features="affixes")
    assert len(cross_val_score(tagger, words, tags, cv=2)) == 2
    assert GridSearchCV(tagger, {"epochs": [1, 2]}, cv=2).fit(words, tags).best_params_["epochs"] in (1, 2)
