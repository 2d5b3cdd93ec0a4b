"""The command ``chekhov``: one file per verb; here they are put together and their errors become messages."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable
from copy import copy
from importlib import import_module
from typing import Any

import typer

from chekhov.errors import ChekhovError, UsageError, printable

VERBS = {
    "train": "train.app", "count": "count.count", "generate": "generate.generate", "score": "score.score",
    "classify": "classify.classify", "tag": "tag.tag", "evaluate": "evaluate.evaluate", "rescore": "rescore.rescore",
    "mix": "mix.mix", "rifle": "rifle.rifle", "trace": "trace.trace", "gradients": "gradients.gradients",
    "prune": "prune.prune", "quantise": "quantise.quantise", "export": "export.export",
    "import": "import_arpa.import_model", "info": "info.info", "verify": "verify.verify", "doctor": "doctor.doctor",
    "demo": "demo.demo",
}  # fmt: skip


def show_version(value: bool) -> None:
    if value:
        from chekhov import __version__

        typer.echo(f"chekhov {__version__}")
        raise typer.Exit()


def common(
    version: bool = typer.Option(False, "--version", callback=show_version, is_eager=True, help="Print the version."),
) -> None:
    """Language models from Markov chains to LSTMs, trained on your own text in one command."""


def parser(arguments: list[str], *, whole: bool = False) -> typer.Typer:
    """The command line; where the arguments begin with a verb, that alone, else all verbs without their options, unless
    the ``whole`` is asked for: to describe every option takes longer than many a verb does."""
    app = typer.Typer(
        name="chekhov",
        help=common.__doc__,
        no_args_is_help=True,
        context_settings={"help_option_names": ["-h", "--help"]},
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(common)
    named = [verb for verb in VERBS if [verb] == arguments[:1] and not whole]
    for verb in named or VERBS:
        module, name = VERBS[verb].split(".")
        own = getattr(import_module(f"chekhov.cli.{module}"), name)
        if isinstance(own, typer.Typer):
            app.add_typer(with_kinds(own, arguments[1:2] if named else [], whole=whole), name=verb)
        else:
            app.command(verb)(own if named or whole else without_options(own))
    return app


def with_kinds(verb: typer.Typer, named: list[str], *, whole: bool) -> typer.Typer:
    """A verb of several kinds, as `train`: the one that is named, else all, without their options."""
    kinds = {kind.name or kind.callback.__name__: kind for kind in verb.registered_commands if kind.callback}
    own, chosen = copy(verb), [kinds[kind] for kind in kinds if [kind] == named]
    if not chosen:
        chosen = [copy(kind) for kind in kinds.values()]
        for name, kind in zip(kinds, chosen) if not whole else []:
            kind.name, kind.callback = name, without_options(kind.callback)
    own.registered_commands = chosen
    return own


def without_options(command: Any) -> Callable[[], None]:
    """A command that says what ``command`` is, and takes nothing."""

    def bare() -> None: ...

    bare.__doc__ = command.__doc__
    return bare


def main() -> None:
    """Exit codes: 0 ok, 1 failure, 2 usage, 130 after Ctrl-C, 143 after SIGTERM. CHEKHOV_DEBUG=1 shows tracebacks."""
    # Before PyTorch and NumPy: else their threads spin, when they have worked or begun, where ours would.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")
    whole = "_CHEKHOV_COMPLETE" in os.environ  # a shell asks for every option
    if os.environ.get("CHEKHOV_DEBUG"):
        parser(sys.argv[1:], whole=whole)()
        return
    if not {"-q", "--quiet"} & set(sys.argv):
        talk = logging.getLogger("chekhov")  # what the library has to say in the middle of things
        talk.setLevel(logging.INFO)
        talk.addHandler(logging.StreamHandler())
    before = {number: signal.signal(number, act) for number, act in ON_SIGNAL.items()}
    try:
        sys.exit(parser(sys.argv[1:], whole=whole)(standalone_mode=False) or 0)
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
