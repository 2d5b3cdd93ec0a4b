"""The command ``chekhov``: one file per verb; here they are put together and their errors become messages."""

from __future__ import annotations

import logging
import os
import signal
import sys
from typing import Any

import typer

from chekhov.cli import (
    classify,
    count,
    demo,
    doctor,
    evaluate,
    export,
    generate,
    gradients,
    import_arpa,
    info,
    mix,
    prune,
    quantise,
    rescore,
    rifle,
    score,
    tag,
    trace,
    train,
    verify,
)
from chekhov.errors import ChekhovError, UsageError, printable

app = typer.Typer(
    name="chekhov",
    help="Language models from Markov chains to LSTMs, trained on your own text in one command.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(train.app, name="train")
app.command("count")(count.count)
app.command("generate")(generate.generate)
app.command("score")(score.score)
app.command("classify")(classify.classify)
app.command("tag")(tag.tag)
app.command("evaluate")(evaluate.evaluate)
app.command("rescore")(rescore.rescore)
app.command("mix")(mix.mix)
app.command("rifle")(rifle.rifle)
app.command("trace")(trace.trace)
app.command("gradients")(gradients.gradients)
app.command("prune")(prune.prune)
app.command("quantise")(quantise.quantise)
app.command("export")(export.export)
app.command("import")(import_arpa.import_model)
app.command("info")(info.info)
app.command("verify")(verify.verify)
app.command("doctor")(doctor.doctor)
app.command("demo")(demo.demo)


def show_version(value: bool) -> None:
    if value:
        from chekhov import __version__

        typer.echo(f"chekhov {__version__}")
        raise typer.Exit()


@app.callback()
def common(
    version: bool = typer.Option(False, "--version", callback=show_version, is_eager=True, help="Print the version."),
) -> None:
    """Language models from Markov chains to LSTMs, trained on your own text in one command."""


def main() -> None:
    """Exit codes: 0 ok, 1 failure, 2 usage, 130 after Ctrl-C, 143 after SIGTERM. CHEKHOV_DEBUG=1 shows tracebacks."""
    # Before PyTorch: else its threads, once they have worked, spin where ours would.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    if os.environ.get("CHEKHOV_DEBUG"):
        app()
        return
    if not {"-q", "--quiet"} & set(sys.argv):
        talk = logging.getLogger("chekhov")  # what the library has to say in the middle of things
        talk.setLevel(logging.INFO)
        talk.addHandler(logging.StreamHandler())
    before = {number: signal.signal(number, act) for number, act in ON_SIGNAL.items()}
    try:
        sys.exit(app(standalone_mode=False) or 0)
    except ChekhovError as error:
        fail(error)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader has gone: that is its right
        sys.exit(0)
    except MemoryError:
        fail(
            ChekhovError("E-MEMORY-001", "there is not enough memory", mend="a smaller text, --order or --hidden-size")
        )
    except OSError as error:
        where = str(error.filename or "")
        fail(ChekhovError("E-SYSTEM-001", error.strerror or "the system refused", where=where, mend="see the reason"))
    except Exception as error:
        if hasattr(error, "format_message"):  # the parser's own errors, whose class typer has moved between versions
            refuse(error)
        # else a fault of ours: still one message, never a riddle
        what = f"chekhov itself failed: {type(error).__name__}: {error}"
        fail(ChekhovError("E-INTERNAL-001", what, mend="run it again with CHEKHOV_DEBUG=1 and report what it prints"))
    finally:
        for number, act in before.items():
            signal.signal(number, act)


def interrupt(number: int, frame: Any) -> None:
    """Ctrl-C where nothing else takes it: said here, since the parser turns the exception into an exit code."""
    say("stopped")
    raise KeyboardInterrupt


def terminate(number: int, frame: Any) -> None:
    """SIGTERM, as Ctrl-C: files that are half written go on the way out."""
    say("stopped")
    sys.exit(143)


ON_SIGNAL = {signal.SIGINT: interrupt, signal.SIGTERM: terminate}


def refuse(error: Any) -> None:
    """What the parser has to say about a flag, an argument or a command, as an error of ours; or the help."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        sys.exit(2)
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "chekhov"
    fail(UsageError("E-USAGE-001", error.format_message().rstrip("."), where=command, mend=f"see {command} -h"))


def fail(error: ChekhovError) -> None:
    """The message on stderr; with --json also as an object on stdout."""
    say(str(error))
    if "--json" in sys.argv:
        import json

        parts = {key: getattr(error, key) for key in ("code", "what", "where", "why", "mend", "kept")}
        print(json.dumps({"schema": 1, "error": parts}, ensure_ascii=False))
    sys.exit(error.exit_code)


def say(message: str) -> None:
    print(printable(message), file=sys.stderr)


if __name__ == "__main__":
    main()
