"""Other libraries' classifiers of texts, for benchmarks/label_tables.py: scikit-learn, spaCy, fastText.

Each function trains on texts with a label for each, may choose on the validation part, and returns what labels new
texts. Nothing pretrained, nothing downloaded; every library in its own usual configuration, one thread.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

Part = tuple[list[str], list[str]]
Label = Callable[[list[str]], list[str]]


def share_right(right: list[str], found: list[str]) -> float:
    return sum(a == b for a, b in zip(right, found, strict=True)) / len(right)


def scikit_learn(train: Part, valid: Part, passes: int) -> Label:
    """tf-idf of one and two words and of two to five characters, logistic regression; C by the validation part."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union

    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\S+")
    characters = TfidfVectorizer(ngram_range=(2, 5), sublinear_tf=True, analyzer="char_wb", min_df=2)
    best, kept = -1.0, None
    features = make_union(words, characters).fit(train[0])
    rows, held = features.transform(train[0]), features.transform(valid[0])
    for C in (1, 3, 10):
        model = LogisticRegression(C=C, max_iter=1000).fit(rows, train[1])
        right = share_right(valid[1], list(model.predict(held)))
        if right > best:
            best, kept = right, model
    whole = make_pipeline(features, kept)
    return lambda texts: [str(label) for label in whole.predict(texts)]


def spacy_textcat(train: Part, valid: Part, passes: int) -> Label:
    """A blank pipeline with a text categoriser (convolutions and a bag of words together); the best pass."""
    import spacy
    from spacy.training import Example
    from spacy.util import fix_random_seed, minibatch

    fix_random_seed(0)
    nlp = spacy.blank("xx")
    nlp.add_pipe("textcat")
    labels = sorted(set(train[1]))
    examples = [
        Example.from_dict(nlp.make_doc(text), {"cats": {label: float(label == own) for label in labels}})
        for text, own in zip(*train, strict=True)
    ]
    optimiser = nlp.initialize(lambda: examples)
    rng, best, kept = random.Random(0), -1.0, b""

    def label(texts: list[str]) -> list[str]:
        return [max(doc.cats, key=doc.cats.get) for doc in nlp.pipe(texts, batch_size=256)]

    for _ in range(passes):
        rng.shuffle(examples)
        for batch in minibatch(examples, size=32):
            nlp.update(batch, sgd=optimiser, drop=0.2)
        with nlp.use_params(optimiser.averages):
            right = share_right(valid[1], label(valid[0]))
            if right > best:
                best, kept = right, nlp.to_bytes()
    nlp.from_bytes(kept)
    return label


def fasttext(train: Part, valid: Part, passes: int) -> Label:
    """A bag of embeddings of one and two words and of their parts; the rate by the validation part."""
    import fasttext as library

    best, kept = -1.0, None

    def line(text: str) -> str:
        return " ".join(text.lower().split())

    def label(texts: list[str], model: Any = None) -> list[str]:
        found, _ = (model or kept).predict([line(text) for text in texts])
        return [own[0].removeprefix("__label__") for own in found]

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "train.txt"
        rows = [f"__label__{own} {line(text)}\n" for text, own in zip(*train, strict=True)]
        file.write_text("".join(rows), "utf-8")
        for rate in (0.1, 0.5):
            sizes = {"wordNgrams": 2, "minn": 2, "maxn": 5, "dim": 100, "bucket": 500_000}
            model = library.train_supervised(str(file), epoch=passes, lr=rate, thread=1, seed=0, verbose=0, **sizes)
            right = share_right(valid[1], label(valid[0], model))
            if right > best:
                best, kept = right, model
    return label


TEXT_RIVALS = {
    "scikit-learn": ("sklearn", 0, scikit_learn),
    "spaCy": ("spacy", 8, spacy_textcat),
    "fastText": ("fasttext", 15, fasttext),
}  # the package to import, passes (0: until it has converged), what trains
