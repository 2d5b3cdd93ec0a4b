"""chekhov: language models from Markov chains to LSTMs, trained on your own text.

model = chekhov.train("lstm", "stories.txt", time="5m")
print(model.generate("В октябре", max_tokens=200, seed=1))
model.save("my-model")
chekhov.load("my-model").score("Дядя Ваня").perplexity
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str
    from chekhov.tasks.classifier import Classifier as Classifier
    from chekhov.tasks.counts import count as count
    from chekhov.tasks.markov_text import MarkovText as MarkovText
    from chekhov.tasks.score_file import score_file as score_file
    from chekhov.tasks.tagger import Tagger as Tagger
    from chekhov.tasks.text_model import TextModel as TextModel
    from chekhov.tasks.text_model import load as load
    from chekhov.tasks.train import train as train

__all__ = ["Classifier", "MarkovText", "Tagger", "TextModel", "__version__", "count", "load", "score_file", "train"]


def __getattr__(name: str) -> Any:
    """`import chekhov` stays quick: the verbs are imported when they are first named."""
    if name == "train":
        from chekhov.tasks.train import train

        return train
    if name == "count":
        from chekhov.tasks.counts import count

        return count
    if name == "score_file":
        from chekhov.tasks.score_file import score_file

        return score_file
    if name == "MarkovText":
        from chekhov.tasks.markov_text import MarkovText

        return MarkovText
    if name == "Classifier":
        from chekhov.tasks.classifier import Classifier

        return Classifier
    if name == "Tagger":
        from chekhov.tasks.tagger import Tagger

        return Tagger
    if name in {"TextModel", "load"}:
        from chekhov.tasks import text_model

        return getattr(text_model, name)
    if name == "__version__":
        from importlib.metadata import version

        return version("chekhov")
    raise AttributeError(f"module 'chekhov' has no attribute {name!r}")
