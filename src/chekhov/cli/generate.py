"""``chekhov generate DIR``."""

from __future__ import annotations

import math
import sys
from typing import Annotated, Any

import typer

from chekhov.cli.output import note, print_json, say
from chekhov.errors import UsageError


def generate(
    model: Annotated[str, typer.Argument(metavar="DIR", help="A model folder.")],
    prompt: Annotated[str, typer.Option(help="The text to go on from.")] = "",
    max_tokens: Annotated[int, typer.Option(help="At most so many new tokens.")] = 100,
    temperature: Annotated[float, typer.Option(help="Below 1 plainer, above 1 wilder, 0 the likeliest token.")] = 1.0,
    top_k: Annotated[int | None, typer.Option(help="Draw among the k likeliest.")] = None,
    top_p: Annotated[float | None, typer.Option(help="Draw among the likeliest with this mass.")] = None,
    min_p: Annotated[float | None, typer.Option(help="Draw among those this share as likely as the best.")] = None,
    repetition_penalty: Annotated[float, typer.Option(help="Above 1 makes repeated tokens rarer.")] = 1.0,
    stop: Annotated[list[str], typer.Option(help="Cut the text at this string; may be repeated.")] = [],  # noqa: B006
    seed: Annotated[int | None, typer.Option(help="Same seed, same text. [drawn, and said]")] = None,
    num: Annotated[int, typer.Option(help="Samples, one after the other.")] = 1,
    next_tokens: Annotated[
        int | None, typer.Option("--next", metavar="N", help="Write nothing: the N likeliest next tokens, and their p.")
    ] = None,
    beam: Annotated[int | None, typer.Option(help="Do not draw: the likeliest texts, by a beam of so many.")] = None,
    length_penalty: Annotated[float, typer.Option(help="Exponent of the length in a beam's score.")] = 0.0,
    novelty: Annotated[
        list[str], typer.Option(metavar="TEXT", help="Say how much was copied from this text (that of the training).")
    ] = [],  # noqa: B006
    precision: Annotated[
        str, typer.Option(help="A net's arithmetic: float32 as it was trained, bf16, int8; auto: the fastest.")
    ] = "float32",
    allow_unk: Annotated[bool, typer.Option("--allow-unk", help="Let <unk> be drawn.")] = False,
    chapter_compatible: Annotated[
        bool,
        typer.Option(
            "--chapter-compatible", help="A chain: what the chapter's program prints under np.random.seed(N)."
        ),
    ] = False,
    sentences: Annotated[
        int | None, typer.Option(help="A chain: so many sentences, none copied; an n-gram model: any number, fast.")
    ] = None,
    start: Annotated[str, typer.Option(help="With --sentences: the words to begin with.")] = "",
    min_words: Annotated[int, typer.Option(help="With --sentences.")] = 1,
    max_words: Annotated[int | None, typer.Option(help="With --sentences.")] = None,
    min_characters: Annotated[int, typer.Option(help="With --sentences.")] = 0,
    max_characters: Annotated[int | None, typer.Option(help="With --sentences.")] = None,
    max_overlap: Annotated[
        float, typer.Option(help="With --sentences: what share of one may stand in the text as it is.")
    ] = 0.7,
    json: Annotated[bool, typer.Option("--json", help="One object a sample.")] = False,
) -> None:
    """Write text with a model."""
    from chekhov.tasks.text_model import load

    found = load(model)
    check_together(sentences, locals())
    if next_tokens is not None:
        for token, log_p in found.next_tokens(prompt, next_tokens):
            if json:
                print_json({"schema": 1, "token": token, "log_prob": log_p})
            else:
                shown = token if token.isprintable() and not token.isspace() else repr(token)
                print(f"{math.exp(log_p):.6f}\t{shown}")
        return
    if beam is not None:
        seed = seed or 0
    if seed is None:
        import secrets

        seed = secrets.randbelow(1 << 31)
        say(f"seed {seed}")
    if sentences is not None and found.kind != "chain":
        from chekhov.tasks.sentences import draw_sentences

        if (min_words, min_characters, max_characters, max_overlap) != (1, 0, None, 0.7):
            what = "--min-words, --min-characters, --max-characters and --max-overlap are bounds of a chain's sentences"
            raise UsageError("E-MARKOV-008", what, mend="leave them out")
        for drawn in draw_sentences(
            found, sentences, start=start, max_words=max_words or 1000, seed=seed, allow_unk=allow_unk
        ):
            print_json(drawn.as_json()) if json else print(drawn.text)
        return
    if sentences is not None:
        from chekhov.tasks.markov_text import markov_text_of

        bounds: dict[str, Any] = {"min_words": min_words, "max_words": max_words, "max_overlap": max_overlap}
        bounds |= {"min_characters": min_characters, "max_characters": max_characters}
        for sentence in markov_text_of(found).make(sentences, start=start, seed=seed, **bounds):
            if json:
                print_json(sentence.as_json())
            else:
                print(sentence.text)
                for message in sentence.notes:
                    note(message)
        return
    if chapter_compatible:
        from chekhov.tasks.chapter import chapter_text

        if prompt or num != 1 or beam is not None:
            raise UsageError("E-CHAPTER-003", "the chapter's program has no prompt and one text", mend="leave them out")
        text = chapter_text(found, seed=seed, words=max_tokens, note=note)
        if json:
            print_json({"schema": 1, "text": text, "tokens": text.split(), "seed": seed, "finish_reason": "length"})
        else:
            print(text)
        return
    from chekhov.tasks.generate import generate as sample

    streaming = num == 1 and beam is None and not json and sys.stdout.isatty()

    def show(text: str) -> None:
        print(text, end="", flush=True)

    samples = sample(
        found,
        prompt,
        max_tokens=max_tokens,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        min_p=min_p,
        repetition_penalty=repetition_penalty,
        stop=stop,
        seed=seed,
        num=num,
        allow_unk=allow_unk,
        beam=beam,
        length_penalty=length_penalty,
        precision=precision,
        note=note,
        watch=show if streaming and not stop else None,
    )
    reports: list[dict[str, Any]] = [{} for _ in samples]
    if novelty:
        from chekhov.tasks.generate import copied
        from chekhov.text.reading import read_documents

        source = [document.text for document in read_documents(novelty, note=note)]
        reports = copied(samples, found, source)
    for item, report in zip(samples, reports, strict=True):
        if json:
            print_json({**item.as_json(), **report})
        else:
            print("" if streaming and not stop else item.text.rstrip("\n"), flush=True)
            if report:
                new = ", ".join(f"{100 * share:.0f} % of {n}-grams" for n, share in report["new"].items())
                say(f"longest copy: {report['copied_tokens']} tokens, {report['copied']!r}; new: {new}")


def check_together(sentences: int | None, given: dict[str, Any]) -> None:
    """``--sentences`` has bounds of its own, and no use for what other models are drawn with."""
    own = {"start": "", "min_words": 1, "max_words": None, "min_characters": 0, "max_characters": None}
    others = {
        "prompt": "",
        "max_tokens": 100,
        "temperature": 1.0,
        "top_k": None,
        "top_p": None,
        "min_p": None,
        "num": 1,
        "precision": "float32",
    }
    others |= {"repetition_penalty": 1.0, "stop": [], "beam": None, "novelty": [], "chapter_compatible": False}
    wrong = own | {"max_overlap": 0.7} if sentences is None else others
    named = [f"--{name.replace('_', '-')}" for name, usual in wrong.items() if given[name] != usual]
    if named:
        what = f"{', '.join(named)} {'without' if sentences is None else 'with'} --sentences means nothing"
        raise UsageError("E-MARKOV-008", what, mend="leave one or the other out")
