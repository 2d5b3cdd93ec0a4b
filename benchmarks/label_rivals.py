"""Other libraries' taggers, for benchmarks/label_tables.py: scikit-learn, spaCy, flair, UDPipe.

Each function trains on sentences of words with a tag for each, may choose on the validation part, and returns what tags
new sentences. Nothing pretrained, nothing downloaded; every library in its own usual configuration. ``passes`` over the
training part are few, so that each trains in minutes. Tags of spans are IOB2.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from chekhov.evaluation.paired_labels import Answers
from chekhov.labels.spans import spans_of

Part = tuple[list[list[str]], list[list[str]]]
Tag = Callable[[list[list[str]]], list[list[str]]]


def scikit_learn(train: Part, valid: Part, passes: int) -> Tag:
    """The usual tagger of scikit-learn: features of the word and of its neighbours, logistic regression by SGD."""
    from sklearn.feature_extraction import DictVectorizer
    from sklearn.linear_model import SGDClassifier

    def features(sentence: list[str]) -> list[dict[str, str]]:
        own = ["", "", *sentence, "", ""]
        return [
            {"w": own[i], "p": own[i - 1], "n": own[i + 1], "pp": own[i - 2], "nn": own[i + 2], "s2": own[i][-2:],
             "s3": own[i][-3:], "s4": own[i][-4:], "p2": own[i][:2], "l": own[i].lower(), "up": str(own[i].istitle()),
             "ps": own[i - 1][-3:], "ns": own[i + 1][-3:]}
            for i in range(2, len(own) - 2)
        ]  # fmt: skip

    vectors = DictVectorizer()
    rows = narrow(vectors.fit_transform([row for sentence in train[0] for row in features(sentence)]))
    model = SGDClassifier(loss="log_loss", alpha=2e-6, max_iter=passes, random_state=0)
    model.fit(rows, [tag for own in train[1] for tag in own])

    def tag(sentences: list[list[str]]) -> list[list[str]]:
        rows = narrow(vectors.transform([row for sentence in sentences for row in features(sentence)]))
        found = iter(model.predict(rows))
        return [[str(next(found)) for _ in sentence] for sentence in sentences]

    return tag


def narrow(rows: Any) -> Any:
    """scikit-learn's solvers take indices of 32 bits only."""
    rows.indices, rows.indptr = rows.indices.astype(np.int32), rows.indptr.astype(np.int32)
    return rows


def spacy_tagger(train: Part, valid: Part, passes: int, *, pipe: str = "tagger") -> Tag:
    """A blank pipeline with a tagger (hashed embeddings, convolutions), Adam, averaged weights; the best pass."""
    import spacy
    from spacy.tokens import Doc
    from spacy.training import Example, iob_to_biluo
    from spacy.util import fix_random_seed, minibatch

    fix_random_seed(0)
    nlp = spacy.blank("xx")
    nlp.add_pipe(pipe)
    asked = [{"tags": tags} if pipe == "tagger" else {"entities": iob_to_biluo(tags)} for tags in train[1]]
    examples = [Example.from_dict(Doc(nlp.vocab, words=w), own) for w, own in zip(train[0], asked, strict=True)]
    optimiser = nlp.initialize(lambda: examples)
    rng, best, kept = random.Random(0), -1.0, b""

    def tag(sentences: list[list[str]]) -> list[list[str]]:
        docs = nlp.pipe([Doc(nlp.vocab, words=words) for words in sentences], batch_size=256)
        if pipe == "tagger":
            return [[token.tag_ for token in doc] for doc in docs]
        return [[f"{t.ent_iob_}-{t.ent_type_}" if t.ent_type_ else "O" for t in doc] for doc in docs]

    for _ in range(passes):
        rng.shuffle(examples)
        for batch in minibatch(examples, size=32):
            nlp.update(batch, sgd=optimiser, drop=0.1)
        with nlp.use_params(optimiser.averages):
            right = worth(valid[1], tag(valid[0]), spans=pipe == "ner")
            if right > best:
                best, kept = right, nlp.to_bytes()
    nlp.from_bytes(kept)
    return tag


def spacy_entities(train: Part, valid: Part, passes: int) -> Tag:
    """The same with the recogniser of entities, whose steps build spans (Lample et al. 2016)."""
    return spacy_tagger(train, valid, passes, pipe="ner")


def flair_tagger(train: Part, valid: Part, passes: int, *, spans: bool = False) -> Tag:
    """SequenceTagger: a vector of 100 for each word, an LSTM over its characters, one of 256 over words, both ways."""
    import logging

    import flair
    import torch
    from flair.data import Corpus, Dictionary, Sentence
    from flair.datasets import FlairDatapointDataset
    from flair.embeddings import CharacterEmbeddings, OneHotEmbeddings, StackedEmbeddings
    from flair.models import SequenceTagger
    from flair.trainers import ModelTrainer

    flair.device = torch.device("cpu")
    flair.set_seed(0)
    logging.getLogger("flair").setLevel(logging.ERROR)

    def read(part: Part) -> Any:
        rows = []
        for words, tags in zip(*part, strict=True):
            rows.append(Sentence(words))
            for token, own in zip(rows[-1], [] if spans else tags, strict=not spans):
                token.add_label("pos", own)
            for start, end, label in spans_of(tags) if spans else []:
                rows[-1][start:end].add_label("ner", label)
        return FlairDatapointDataset(rows)

    corpus = Corpus(train=read(train), dev=read(valid), sample_missing_splits=False)
    characters = Dictionary()
    for character in sorted({c for words in train[0] for word in words for c in word}):
        characters.add_item(character)
    with tempfile.TemporaryDirectory() as folder:
        characters.save(Path(folder) / "characters")
        words = OneHotEmbeddings.from_corpus(corpus, embedding_length=100)
        embeddings = StackedEmbeddings([words, CharacterEmbeddings(Path(folder) / "characters")])
        kind = "ner" if spans else "pos"
        labels = corpus.make_label_dictionary(kind, add_unk=False)
        model = SequenceTagger(
            hidden_size=256, embeddings=embeddings, tag_dictionary=labels, tag_type=kind, use_crf=spans
        )
        settings = {"learning_rate": 3e-3, "mini_batch_size": 32, "max_epochs": passes}
        ModelTrainer(model, corpus).fine_tune(
            folder, save_final_model=False, embeddings_storage_mode="none", **settings
        )

    def tag(sentences: list[list[str]]) -> list[list[str]]:
        rows = [Sentence(words) for words in sentences]
        model.predict(rows, mini_batch_size=64, embedding_storage_mode="none")
        if not spans:
            return [[token.get_label("pos").value for token in row] for row in rows]
        found = [["O"] * len(row) for row in rows]
        for tags, row in zip(found, rows, strict=True):
            for span in row.get_spans("ner"):
                for place, token in enumerate(span.tokens):
                    tags[token.idx - 1] = f"{'I' if place else 'B'}-{span.tag}"
        return found

    return tag


def flair_entities(train: Part, valid: Part, passes: int) -> Tag:
    """The same with a CRF over BIOES."""
    return flair_tagger(train, valid, passes, spans=True)


def udpipe(train: Part, valid: Part, passes: int) -> Tag:
    """UDPipe 1's averaged perceptron, told to learn UPOS alone; the best iteration on the validation part."""
    from ufal.udpipe import Model, ProcessingError, Sentence, Sentences, Trainer

    def read(words: list[str], tags: list[str] | None = None) -> Any:
        sentence = Sentence()
        for i, form in enumerate(words):
            word = sentence.addWord(form)
            if tags is not None:
                word.upostag = tags[i]
        return sentence

    parts = []
    for part in (train, valid):
        parts.append(Sentences())
        for words, tags in zip(*part, strict=True):
            parts[-1].append(read(words, tags))
    others = ";".join(f"use_{column}=0;provide_{column}=0" for column in ("lemma", "xpostag", "feats"))
    alone = f"{others};iterations={passes}"
    error = ProcessingError()
    made = Trainer.train("morphodita_parsito", parts[0], parts[1], Trainer.NONE, alone, Trainer.NONE, error)
    if error.occurred():
        raise RuntimeError(error.message)
    with tempfile.NamedTemporaryFile() as file:
        file.write(made)
        file.flush()
        model = Model.load(file.name)

    def tag(sentences: list[list[str]]) -> list[list[str]]:
        found = []
        for words in sentences:
            sentence = read(words)
            model.tag(sentence, Model.DEFAULT)
            found.append([sentence.words[i].upostag for i in range(1, len(words) + 1)])
        return found

    return tag


def worth(right: list[list[str]], found: list[list[str]], *, spans: bool) -> float:
    """Span F1, or accuracy."""
    return Answers("", "", right, found, spans).figure


Train = Callable[[Part, Part, int], Tag]
Rivals = dict[str, tuple[str, int, Any]]  # the package to import, passes, what trains
TAG_RIVALS: Rivals = {
    "scikit-learn": ("sklearn", 20, scikit_learn),
    "spaCy": ("spacy", 8, spacy_tagger),
    "UDPipe 1": ("ufal.udpipe", 2, udpipe),
    "flair": ("flair", 2, flair_tagger),
}
SPAN_RIVALS: Rivals = {
    "scikit-learn": ("sklearn", 20, scikit_learn),
    "spaCy": ("spacy", 8, spacy_entities),
    "flair": ("flair", 2, flair_entities),
}
