"""What a net must beat on texts: naive Bayes, and tf-idf with logistic regression; the latter can be saved.

n-grams are hashed, so that no vocabulary is kept: what was learnt are arrays. Needs scikit-learn (extra ``tasks``).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chekhov.errors import UsageError
from chekhov.evaluation.labelling import macro_f1
from chekhov.types import Arrays

BUCKETS = 1 << 18
BLOCKS: tuple[dict[str, Any], ...] = (
    {"analyzer": "word", "ngram_range": (1, 2), "token_pattern": r"(?u)\b\w+\b|[^\w\s]"},
    {"analyzer": "char_wb", "ngram_range": (2, 5)},
)
STRENGTHS = (1.0, 4.0, 16.0)  # C of the regression, chosen on the validation part


def require_sklearn() -> None:
    try:
        import sklearn  # noqa: F401
    except ImportError as error:
        mend = "pip install 'chekhov[tasks]'"
        raise UsageError("E-SETUP-005", "linear models need scikit-learn, which is not installed", mend=mend) from error


def hashed_counts(texts: Sequence[str]) -> Any:
    """(texts, 2 BUCKETS), sparse: counts of word 1- and 2-grams, and of character 2- to 5-grams inside words."""
    from scipy.sparse import hstack
    from sklearn.feature_extraction.text import HashingVectorizer

    parts = [HashingVectorizer(n_features=BUCKETS, norm=None, alternate_sign=False, **b) for b in BLOCKS]
    return hstack([part.transform(texts) for part in parts]).tocsr()


def tf_idf(counts: Any, idf: NDArray[np.float32]) -> Any:
    """(1 + log count) idf, each of the two blocks brought to length 1."""
    from scipy.sparse import hstack
    from sklearn.preprocessing import normalize

    weighted = counts.copy()
    weighted.data = (1 + np.log(weighted.data)) * idf[weighted.indices]
    return hstack([normalize(weighted[:, :BUCKETS]), normalize(weighted[:, BUCKETS:])]).tocsr()


class LinearText:
    """tf-idf and logistic regression; ``idf`` (2 BUCKETS), ``coefficients`` (C, 2 BUCKETS), ``intercept`` (C)."""

    def __init__(self, arrays: Arrays):
        self.idf, self.coefficients, self.intercept = arrays["idf"], arrays["coefficients"], arrays["intercept"]

    @classmethod
    def fit(
        cls, texts: Sequence[str], classes: NDArray[np.int64], count: int, *, strength: float, balanced: bool
    ) -> LinearText:
        from sklearn.linear_model import LogisticRegression

        counts = hashed_counts(texts)
        there = np.bincount(counts.indices, minlength=counts.shape[1])
        idf = (np.log((1 + len(texts)) / (1 + there)) + 1).astype(np.float32)
        rows, kept = tf_idf(counts, idf), np.flatnonzero(there)
        weight = "balanced" if balanced else None
        model = LogisticRegression(C=strength, max_iter=1000, class_weight=weight).fit(rows[:, kept], classes)
        coefficients = np.zeros((count, counts.shape[1]), np.float32)
        intercept = np.full(count, -1e4, np.float32)  # of a class that is not there
        if len(model.classes_) == 2:
            coefficients[np.ix_(model.classes_[1:], kept)] = model.coef_
            intercept[model.classes_] = [0.0, model.intercept_[0]]
        else:
            coefficients[np.ix_(model.classes_, kept)] = model.coef_
            intercept[model.classes_] = model.intercept_
        return cls({"idf": idf, "coefficients": coefficients, "intercept": intercept})

    def arrays(self, prefix: str = "") -> Arrays:
        own = {"idf": self.idf, "coefficients": self.coefficients, "intercept": self.intercept}
        return {prefix + name: array for name, array in own.items()}

    def scores(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """(texts, C)."""
        require_sklearn()
        if not len(texts):
            return np.zeros((0, len(self.intercept)))
        return np.asarray(tf_idf(hashed_counts(texts), self.idf) @ self.coefficients.T, np.float64) + self.intercept


def fit_best(
    texts: Sequence[str], classes: NDArray[np.int64], count: int, held: Sequence[str], wanted: NDArray[Any], *,
    balanced: bool,
) -> LinearText:  # fmt: skip
    """`LinearText` of the strength that is right most often on the texts ``held``.

    Raises `UsageError` where there is one class only.
    """
    require_sklearn()
    if len(set(classes.tolist())) < 2:
        raise UsageError("E-LABEL-012", "there is one class only", mend="give texts of two, or --model net")
    fitted = [LinearText.fit(texts, classes, count, strength=strength, balanced=balanced) for strength in STRENGTHS]
    return max(fitted, key=lambda found: float((found.scores(held).argmax(1) == wanted).mean()))


def mixed(scores: NDArray[np.float64], others: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """Log-linear interpolation of two models' scores (texts, C): ``share`` of the first's log p, the rest of the
    second's."""
    first, second = (each - np.logaddexp.reduce(each, axis=1, keepdims=True) for each in (scores, others))
    return share * first + (1 - share) * second


def naive_bayes_row(
    texts: Sequence[str], classes: NDArray[np.int64], held: Sequence[str], wanted: NDArray[np.int64]
) -> dict[str, Any]:
    """Multinomial naive Bayes with add-one smoothing, over words and pairs of words: its row of the table."""
    require_sklearn()
    from sklearn.naive_bayes import MultinomialNB

    started = time.process_time()
    counts, own = hashed_counts(texts)[:, :BUCKETS], hashed_counts(held)[:, :BUCKETS]
    found = np.asarray(MultinomialNB().fit(counts, classes).predict(own))
    right, seconds = float(np.mean(found == wanted)), round(time.process_time() - started, 3)
    row = {"model": "naive bayes", "error": 1 - right, "cpu_seconds": seconds, "accuracy": right}
    return {**row, "macro_f1": macro_f1(wanted.astype(str).tolist(), found.astype(str))}
