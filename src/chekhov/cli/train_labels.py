"""``chekhov train tagger FILE -o DIR``."""

from __future__ import annotations

import shlex
import sys
from typing import Annotated, Any

import typer

from chekhov.cli.options import Encoding
from chekhov.cli.output import check_out, command_line, described, note, print_json, program, say


def tagger(
    train: Annotated[str, typer.Argument(metavar="FILE", help="CoNLL-U, or token<TAB>tag; .gz, a pattern or - too.")],
    out: Annotated[str, typer.Option("-o", "--out", metavar="DIR", help="The model folder to write.")],
    valid: Annotated[str | None, typer.Option(help="Chooses the best weights. [a tenth of the sentences]")] = None,
    test: Annotated[str | None, typer.Option(help="Measured once, at the end.")] = None,
    column: Annotated[list[str], typer.Option(help="Of CoNLL-U: UPOS, XPOS, FEATS; more than one may be.")] = [],  # noqa: B006
    model: Annotated[
        str, typer.Option(help="net, or auto: a log-linear model beside it, where the two together are better.")
    ] = "auto",
    head: Annotated[str, typer.Option(help="softmax, crf, or auto: a CRF where the tags are spans.")] = "auto",
    scheme: Annotated[str, typer.Option(help="How spans are written: iob, iob2 or bioes.")] = "iob2",
    features: Annotated[
        str | None,
        typer.Option(help="affixes, chars, lm:DIR, lm-backward:DIR; with commas. [affixes; of few, chars too]"),
    ] = None,
    vectors: Annotated[str | None, typer.Option(metavar="FILE", help="word2vec, fastText, GloVe or navec.")] = None,
    vector_limit: Annotated[int, typer.Option(help="Take so many words of that file.")] = 200_000,
    format: Annotated[str, typer.Option(help="auto, conllu or columns.")] = "auto",
    encoding: Encoding = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave malformed sentences out, and count them.")
    ] = False,
    hidden_size: Annotated[int, typer.Option(help="Units of each direction.")] = 144,
    num_layers: Annotated[int, typer.Option(help="Layers of both directions.")] = 1,
    nets: Annotated[int | None, typer.Option(help="So many, whose scores are averaged. [1; of few, 3]")] = None,
    word_size: Annotated[int, typer.Option(help="Of a word's vector.")] = 64,
    affix_size: Annotated[int, typer.Option(help="Of an affix's vector.")] = 32,
    character_size: Annotated[int, typer.Option(help="Of a character's vector, for chars.")] = 32,
    projection_size: Annotated[int, typer.Option(help="What --vectors, and what lm states are brought to.")] = 96,
    dropout: Annotated[
        float | None, typer.Option(help="Of inputs and outputs of the layers. [0.5; of few 0.55]")
    ] = None,
    word_dropout: Annotated[float, typer.Option(help="Share of words that training takes for unknown.")] = 0.25,
    adversarial: Annotated[
        float, typer.Option(help="Train on words moved by so large a share to where the loss is worst, too; 0: not.")
    ] = 0.05,
    batch_size: Annotated[int, typer.Option(help="Sentences of a step.")] = 16,
    epochs: Annotated[
        int | None, typer.Option(help="Passes over the text. [10; of few, under 5,000 sentences, 20]")
    ] = None,
    time: Annotated[str | None, typer.Option(help="In place of --epochs: 60s, 5m, 1h.")] = None,
    lr: Annotated[float, typer.Option(help="Peak learning rate.")] = 3e-3,
    weight_decay: Annotated[float, typer.Option(help="Of AdamW.")] = 0.01,
    patience: Annotated[int, typer.Option(help="Stop after so many validations that were no better; 0: never.")] = 0,
    refit: Annotated[
        bool | None,
        typer.Option(help="Learn the validation part in the end, too. [only where --valid is not given]"),
    ] = None,
    threads: Annotated[int, typer.Option(help="Of PyTorch.")] = 1,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in DIR, to the same bits.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the model that the folder holds.")] = False,
    seed: Annotated[int, typer.Option(help="Of the weights and the order of the data.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No talk on stderr.")] = False,
) -> None:
    """A tagger: a tag for each word, or spans of words."""
    settings = dict(locals())
    for name in ("json", "quiet", "train"):
        settings.pop(name)
    from chekhov.tasks.label_training import train_tagger

    check_out(out)
    silent = (lambda message: None) if quiet else note
    trained = train_tagger(train, command=command_line(), note=silent, quiet=quiet, **settings)
    finish("tagger", "tag", trained, out, json=json, quiet=quiet)


def classifier(
    train: Annotated[str, typer.Argument(metavar="FILE", help="label<TAB>text, .jsonl, or a folder for each label.")],
    out: Annotated[str, typer.Option("-o", "--out", metavar="DIR", help="The model folder to write.")],
    valid: Annotated[str | None, typer.Option(help="Chooses weights and model. [a tenth of the texts]")] = None,
    test: Annotated[str | None, typer.Option(help="Measured once, at the end.")] = None,
    task: Annotated[
        str, typer.Option(help="multiclass, multilabel (labels joined by commas), regression.")
    ] = "multiclass",
    model: Annotated[str, typer.Option(help="net, bag, linear, or auto: all of them, the best is kept.")] = "auto",
    pooling: Annotated[str, typer.Option(help="last, mean, max, attention, or several joined by +.")] = "max+mean",
    class_weight: Annotated[str | None, typer.Option(help="balanced: rare classes count as much as others.")] = None,
    features: Annotated[str, typer.Option(help="affixes, chars, lm:DIR, lm-backward:DIR; with commas.")] = "affixes",
    vectors: Annotated[str | None, typer.Option(metavar="FILE", help="word2vec, fastText, GloVe or navec.")] = None,
    vector_limit: Annotated[int, typer.Option(help="Take so many words of that file.")] = 200_000,
    encoding: Encoding = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave malformed lines out, and count them.")] = False,
    hidden_size: Annotated[int, typer.Option(help="Units of each direction.")] = 96,
    num_layers: Annotated[int, typer.Option(help="Layers of both directions.")] = 1,
    nets: Annotated[int, typer.Option(help="So many, whose scores are averaged.")] = 3,
    dropout: Annotated[float, typer.Option(help="Of inputs and outputs of the layers.")] = 0.5,
    batch_size: Annotated[int, typer.Option(help="Texts of a step.")] = 32,
    epochs: Annotated[int | None, typer.Option(help="Passes over the texts. [8; of fewer than 5,000 texts 14]")] = None,
    time: Annotated[str | None, typer.Option(help="In place of --epochs: 60s, 5m, 1h.")] = None,
    lr: Annotated[float, typer.Option(help="Peak learning rate.")] = 3e-3,
    patience: Annotated[int, typer.Option(help="Stop after so many validations that were no better; 0: never.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in DIR, to the same bits.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the model that the folder holds.")] = False,
    seed: Annotated[int, typer.Option(help="Of the weights and the order of the data.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No talk on stderr.")] = False,
) -> None:
    """A classifier of texts, with naive Bayes, a linear model and a bag of embeddings beside it."""
    settings = dict(locals())
    for name in ("json", "quiet", "train"):
        settings.pop(name)
    from chekhov.tasks.classifier_training import train_classifier

    check_out(out)
    silent = (lambda message: None) if quiet else note
    found = train_classifier(train, command=command_line(), note=silent, quiet=quiet, **settings)
    if not (json or quiet):
        say_table(found)
    finish("classifier", "classify", found, out, json=json, quiet=quiet)


def say_table(model: Any) -> None:
    """Every model that was tried, and whether the net is worth it."""
    say(f"\n{'model':<14}{'error':>9}{'macro F1':>10}{'CPU s':>9}")
    for row in model.table:
        score = f"{100 * row['macro_f1']:.2f}" if "macro_f1" in row else "-"
        say(f"{row['model']:<14}{row['error']:>9.4f}{score:>10}{row['cpu_seconds']:>9.1f}")
    errors = {row["model"]: row["error"] for row in model.table}
    if "net" in errors and len(errors) > 1:
        other = min((name for name in errors if name != "net"), key=lambda name: errors[name])
        gain = 100 * (errors[other] - errors["net"])
        verdict = "is worth it" if gain > 0 else "is not worth it" if gain < 0 else "is no better and no worse"
        say(f"the net {verdict}: {gain:+.2f} points against {other} on the validation part; kept: {model.chosen}")


def finish(kind: str, verb: str, model: Any, out: str, *, json: bool, quiet: bool) -> None:
    """What a run says at its end, and its exit code."""
    training = model.training
    stopped = training.get("stopped_by", "")
    if json:
        times = {key: training.get(key) for key in ("seconds", "cpu_seconds", "steps", "stopped_by")}
        figures = {part: training[part] for part in ("valid", "test") if part in training}
        record = {"schema": 1, "kind": kind, "model": out, "parameters": model.parameter_count}
        print_json({**record, **figures, **times})
    elif not quiet:
        say(f"{kind}: {model.parameter_count:,} parameters, {training['cpu_seconds']:.1f} CPU-seconds -> {out}")
        for part in ("valid", "test"):
            if part in training:
                say(f"{part}: {described(training[part])}")
        if stopped not in ("", "patience"):
            again = command_line() if "--resume" in sys.argv else f"{command_line()} --resume"
            say(f"stopped by {stopped} at step {training['steps']:,}; the best model is kept. To go on:")
            say(f"  {program()}{again.removeprefix('chekhov')}")
        else:
            say(f"now: {program()} {verb} {shlex.quote(out)} FILE")
    if stopped in ("SIGINT", "SIGTERM"):
        raise typer.Exit(130 if stopped == "SIGINT" else 143)
