"""``chekhov train KIND TEXT... -o DIR``."""

from __future__ import annotations

import inspect
import shlex
import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import Annotated, Any, get_type_hints

import typer

from chekhov.cli import train_labels
from chekhov.cli.options import Encoding
from chekhov.cli.output import check_out, command_line, note, number, print_json, program, say
from chekhov.errors import UsageError
from chekhov.tasks.collector import without_collector

app = typer.Typer(help="Train a model on a text and save it as a folder.", no_args_is_help=True, rich_markup_mode=None)

Texts = Annotated[list[str], typer.Argument(metavar="TEXT...", help="Files, folders, globs, .gz, - or demo:NAME.")]
Out = Annotated[str, typer.Option("-o", "--out", metavar="DIR", help="The model folder to write.")]
Tokens = Annotated[
    str | None,
    typer.Option(help="words, whitespace, characters, bytes, bpe. [chain: whitespace, ngram: words, nets: characters]"),
]
VocabSize = Annotated[int | None, typer.Option(help="At most so many ids. [nets on words: 20000, bpe: 4096]")]
LimitVocab = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="The only words to know, between blanks; all others are <unk>."),
]
Valid = Annotated[list[str], typer.Option(help="Validation text, in place of a split.")]
Test = Annotated[list[str], typer.Option(help="Test text, in place of a split.")]
Split = Annotated[str | None, typer.Option(help="auto, contiguous:0.9, contiguous:0.9,0.05 or none.")]
Seed = Annotated[int, typer.Option(help="Of the split, the weights and the order of the data.")]
Lowercase = Annotated[bool, typer.Option("--lowercase", help="Fold case.")]
LiteralUnk = Annotated[str, typer.Option(help="A literal <unk> in the text is a word, unknown, or refuse.")]
TokenizerFrom = Annotated[
    str | None, typer.Option("--tokenizer", metavar="DIR", help="Use the tokenizer of this model.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the model that the folder holds.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="No talk on stderr.")]


@app.command()
def chain(
    text: Texts,
    out: Out,
    order: Annotated[int, typer.Option(help="Words of context: order 1 is a bigram model (n = order + 1).")] = 1,
    chapter_compatible: Annotated[
        bool,
        typer.Option("--chapter-compatible", help="Read exactly what the chapter's program reads: no split, BOM kept."),
    ] = False,
    tokens: Tokens = None,
    vocab_size: VocabSize = None,
    valid: Valid = [],  # noqa: B006 - typer reads the default
    test: Test = [],  # noqa: B006
    split: Split = None,
    seed: Seed = 0,
    encoding: Encoding = None,
    lowercase: Lowercase = False,
    literal_unk: LiteralUnk = "word",
    tokenizer: TokenizerFrom = None,
    overwrite: Overwrite = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """A Markov chain: each token drawn from those that followed the same ORDER tokens in the text."""
    run("chain", **locals())


@app.command()
def ngram(
    text: Annotated[
        list[str], typer.Argument(metavar="TEXT...", help="Files, folders, globs, .gz, - or demo:NAME; or --counts.")
    ] = [],  # noqa: B006
    out: Annotated[str | None, typer.Option("-o", "--out", metavar="DIR", help="The model folder to write.")] = None,
    arpa: Annotated[str | None, typer.Option(metavar="FILE", help="Write an ARPA file, too; .gz packs it.")] = None,
    order: Annotated[
        int | None, typer.Option(help="n: order 5 is four tokens of context. [words 5, characters 7, bytes 9]")
    ] = None,
    smoothing: Annotated[
        str,
        typer.Option(
            help="modified-kneser-ney, kneser-ney, absolute, witten-bell, jelinek-mercer, katz, stupid-backoff, "
            "add-k or mle."
        ),
    ] = "modified-kneser-ney",
    prune: Annotated[
        str, typer.Option(metavar="N,N,...", help="For each order, the count up to which n-grams are dropped: 0,0,1.")
    ] = "0",
    interpolate_unigrams: Annotated[
        bool,
        typer.Option(
            "--interpolate-unigrams/--no-interpolate-unigrams", help="Without: <unk> gets what discounts free."
        ),
    ] = True,
    k: Annotated[float, typer.Option(help="What add-k adds to every count.")] = 1.0,
    kenlm_compat: Annotated[
        bool, typer.Option("--kenlm-compat", help="Take lmplz's slip in its counts of counts, too: its very numbers.")
    ] = False,
    counts: Annotated[
        list[str], typer.Option(metavar="DIR", help="What chekhov count wrote, in place of a text; once for each.")
    ] = [],  # noqa: B006
    weight: Annotated[
        list[str],
        typer.Option(metavar="N,N,...", help="How often each TEXT or --counts counts: 1,3, or --weight 1 --weight 3."),
    ] = [],  # noqa: B006
    memory: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Count within 512M or 2G: with --tokens whitespace --split none."),
    ] = None,
    threads: Annotated[int | None, typer.Option(help="That count side by side. [one for each processor]")] = None,
    tokens: Tokens = None,
    vocab_size: VocabSize = None,
    limit_vocab_file: LimitVocab = None,
    valid: Valid = [],  # noqa: B006
    test: Test = [],  # noqa: B006
    split: Split = None,
    seed: Seed = 0,
    encoding: Encoding = None,
    lowercase: Lowercase = False,
    literal_unk: LiteralUnk = "word",
    tokenizer: TokenizerFrom = None,
    overwrite: Overwrite = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """An n-gram model with interpolated modified Kneser-Ney smoothing. In a pipe: ... | train ngram - --arpa FILE."""
    if out is None and arpa is None:
        raise UsageError("E-TRAIN-018", "nothing is to be written", mend="give a folder with -o, or a file with --arpa")
    run("ngram", **locals())


def options_of_every_net(
    text: Texts,
    out: Out,
    size: Annotated[
        str, typer.Option(help="small, medium or large: what --hidden-size etc. are if not given.")
    ] = "medium",
    hidden_size: Annotated[int | None, typer.Option(help="Units of a layer. [128, 256, 512]")] = None,
    num_layers: Annotated[int | None, typer.Option(help="Layers of cells. [1, 1, 2]")] = None,
    embedding_size: Annotated[int | None, typer.Option(help="Of a token's vector; 0: one-hot. [64, 128, 256]")] = None,
    tied: Annotated[bool, typer.Option("--tied", help="The output matrix is the embedding.")] = False,
    residual: Annotated[bool, typer.Option("--residual", help="Add to each layer's output what it was given.")] = False,
    dropout: Annotated[float, typer.Option(help="Of embeddings, between layers and before the softmax.")] = 0.0,
    locked_dropout: Annotated[
        bool, typer.Option("--locked-dropout", help="The same units of a row at every step of a window.")
    ] = False,
    weight_drop: Annotated[
        float, typer.Option(help="Dropout of the recurrent weights themselves, of elman, gru and lstm.")
    ] = 0.0,
    batch_size: Annotated[int, typer.Option(help="Rows into which the text is cut.")] = 16,
    sequence_length: Annotated[int, typer.Option(help="Window of truncated BPTT, in tokens.")] = 64,
    epochs: Annotated[int | None, typer.Option(help="Passes over the text.")] = None,
    time: Annotated[str | None, typer.Option(help="Wall time of training steps: 60s, 5m, 1h. [5m]")] = None,
    optimiser: Annotated[
        str | None, typer.Option("--optimiser", "--optimizer", help="muon, adamw or sgd. [muon; window: adamw]")
    ] = None,
    lr: Annotated[float | None, typer.Option(help="Peak learning rate. [by kind; sgd: 1]")] = None,
    momentum: Annotated[float, typer.Option(help="Of sgd.")] = 0.0,
    schedule: Annotated[str, typer.Option(help="cosine, constant, or plateau (/ 4 when no better).")] = "cosine",
    warmup_steps: Annotated[int, typer.Option(help="Steps over which the rate rises to its peak.")] = 20,
    clip: Annotated[float, typer.Option(help="Largest norm of the gradient.")] = 1.0,
    clip_value: Annotated[float | None, typer.Option(help="Clip each entry to this instead.")] = None,
    weight_decay: Annotated[float | None, typer.Option(help="Of the optimiser. [0.1; adamw and sgd: 0.01]")] = None,
    alpha: Annotated[
        float, typer.Option(help="AR: penalty on the mean square of the last layer's outputs, dropped out.")
    ] = 0.0,
    beta: Annotated[
        float, typer.Option(help="TAR: penalty on the mean square of their change from a step to the next.")
    ] = 0.0,
    patience: Annotated[int, typer.Option(help="Stop after so many validations that were no better; 0: never.")] = 10,
    precision: Annotated[str, typer.Option(help="auto, float32 or bf16.")] = "auto",
    threads: Annotated[int, typer.Option(help="More than 1 helps large nets on an idle machine only.")] = 1,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in DIR, to the same bits.")] = False,
    start_from: Annotated[
        str | None, typer.Option("--from", metavar="DIR", help="Begin with the weights and tokens of this model.")
    ] = None,
    memory: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="A text that would take more is read block by block. [half of what is free]"),
    ] = None,
    plot: Annotated[str | None, typer.Option(metavar="FILE", help="Draw the loss curves: .svg, .png or .pdf.")] = None,
    tensorboard: Annotated[str | None, typer.Option(metavar="DIR", help="Write logs for TensorBoard.")] = None,
    tokens: Tokens = None,
    vocab_size: VocabSize = None,
    valid: Valid = [],  # noqa: B006
    test: Test = [],  # noqa: B006
    split: Split = None,
    seed: Seed = 0,
    encoding: Encoding = None,
    lowercase: Lowercase = False,
    literal_unk: LiteralUnk = "word",
    tokenizer: TokenizerFrom = None,
    overwrite: Overwrite = False,
    json: Json = False,
    quiet: Quiet = False,
    bidirectional: Annotated[bool, typer.Option("--bidirectional", hidden=True)] = False,
) -> None: ...


def net(own: Callable[..., None]) -> Callable[..., None]:
    """A command of `train` whose options are those of ``own`` and, after them, those of every net."""

    def command(**settings: Any) -> None:
        if not settings["bidirectional"]:
            del settings["bidirectional"]
        run(own.__name__, **settings)

    first, second, *shared = parameters(options_of_every_net)
    both = [first, second, *parameters(own), *shared]
    command.__signature__ = inspect.Signature(both)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in both}
    command.__doc__ = own.__doc__
    app.command(own.__name__)(command)
    return own


def parameters(function: Callable[..., None]) -> list[inspect.Parameter]:
    """With their types evaluated, so that two functions' can stand in one signature."""
    hints = get_type_hints(function, include_extras=True)
    return [
        parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in inspect.signature(function).parameters.items()
    ]


@net
def window(width: Annotated[int, typer.Option(help="Tokens that it sees.")] = 8) -> None:
    """A fixed-window net: an n-gram that knows which tokens are alike."""


@net
def elman(
    activation: Annotated[str, typer.Option(help="tanh, relu or sigmoid.")] = "tanh",
    bias: Annotated[bool, typer.Option("--bias/--no-bias", help="Without: the chapter's formula.")] = True,
) -> None:
    """The simple recurrent network: h = f(W x + U h)."""


@net
def gru(
    reset: Annotated[str, typer.Option(help="Reset gate after the product (PyTorch), or before (Cho).")] = "after",
    update: Annotated[str, typer.Option(help="What the update gate names: keep (PyTorch) or replace.")] = "keep",
) -> None:
    """A gated recurrent unit."""


@net
def mingru() -> None:
    """A minGRU: gates that look at the input alone. Give it layers, and --residual."""


@net
def minlstm() -> None:
    """A minLSTM: forget and input gate look at the input alone. Give it layers, and --residual."""


@net
def qrnn() -> None:
    """A quasi-recurrent net: gates see this token and the one before. Give it layers."""


@net
def sru() -> None:
    """A simple recurrent unit: each unit's gates see its own state, and x has a way past it. Give it layers."""


@net
def indrnn(activation: Annotated[str, typer.Option(help="relu, tanh or sigmoid.")] = "relu") -> None:
    """An independently recurrent net: h = f(W x + u * h), each unit sees its own past only. Give it layers."""


@net
def rglru() -> None:
    """A real-gated linear recurrent unit, Griffin's. Give it layers, and --residual."""


@net
def lstm(
    zoneout: Annotated[
        float, typer.Option(help="Share of the state's units that keep their old value at a step.")
    ] = 0.0,
    peephole: Annotated[bool, typer.Option("--peephole", help="Gates see the cell state, each unit its own.")] = False,
    coupled: Annotated[bool, typer.Option("--coupled", help="What is forgotten makes room: i = 1 - f.")] = False,
    layer_norm: Annotated[
        bool, typer.Option("--layer-norm", help="Layer norm of W x, of U h and of the cell state; alone.")
    ] = False,
) -> None:
    """A long short-term memory network."""


app.command("tagger")(train_labels.tagger)
app.command("classifier")(train_labels.classifier)


def run(
    kind: str,
    *,
    text: list[str],
    out: str | None,
    json: bool,
    quiet: bool,
    arpa: str | None = None,
    **settings: Any,
) -> None:
    from chekhov.cli.progress import Stages

    if out is not None:
        check_out(out)
    if arpa is not None:
        check_out(arpa)
    if kind not in ("chain", "ngram"):
        settings["quiet"] = quiet
    silent = (lambda message: None) if quiet else note
    with ExitStack() as stack:
        if kind == "ngram":
            settings["progress"] = stack.enter_context(Stages(quiet=quiet))
            stack.enter_context(without_collector())
        from chekhov.tasks.train import train  # Numba's import, too, makes much that is kept

        model = train(kind, text, out=out, command=command_line(), note=silent, **settings)
        if arpa is not None:
            from chekhov.tasks.arpa import export_arpa

            export_arpa(model, arpa)
    training, written = model.training, out or arpa
    figures = training.get("valid") or training.get("test") or {}
    stopped = training.get("stopped_by", "")
    if json:
        keep = (
            "perplexity",
            "perplexity_without_oov",
            "cross_entropy",
            "bits_per_character",
            "bits_per_byte",
            "tokens",
            "oov",
        )
        record = {key: figures.get(key) for key in keep}
        times = {key: training.get(key) for key in ("seconds", "cpu_seconds", "steps", "stopped_by")}
        print_json(
            {
                "schema": 1,
                "kind": kind,
                "model": out or arpa,
                "parameters": model.model.parameter_count,
                **record,
                **times,
            }
        )
    elif not quiet:
        size, seconds = model.model.parameter_count, training["cpu_seconds"]
        say(f"{kind}: {size:,} parameters, {seconds:.1f} CPU-seconds -> {written}")
        if figures:
            say(
                f"held-out ({training['split']}): perplexity {number(figures['perplexity'])}, "
                f"{number(figures['bits_per_character'], 3)} bits/character, "
                f"{figures['oov']:,} of {figures['tokens']:,} tokens unknown"
            )
        if stopped not in ("", "patience"):
            again = command_line() if "--resume" in sys.argv else f"{command_line()} --resume"
            say(f"stopped by {stopped} at step {training['steps']:,}; the best model is kept. To go on:")
            say(f"  {program()}{again.removeprefix('chekhov')}")
        elif out:
            say(f"now: {program()} generate {shlex.quote(out)}")
    if stopped in ("SIGINT", "SIGTERM"):
        raise typer.Exit(130 if stopped == "SIGINT" else 143)
