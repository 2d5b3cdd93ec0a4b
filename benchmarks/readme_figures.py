"""Every figure of README.md, and docs/commands.md: made by running the program, never typed.

    python benchmarks/readme_figures.py              commands page and the demo's block (about two minutes)
    CHEKHOV_DATA=... python benchmarks/readme_figures.py         also the block on real text (tinyshakespeare)
    python benchmarks/readme_figures.py --commands   the commands page alone

A block stands between `<!-- figures:NAME -->` and `<!-- /figures -->`; what is between them is replaced.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import Any

from machine import machine

ROOT = Path(__file__).resolve().parent.parent
README, COMMANDS = ROOT / "README.md", ROOT / "docs" / "commands.md"
WIDTH = 112  # columns of a block


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--commands", action="store_true", help="write docs/commands.md only")
    only_commands = parser.parse_args().commands
    COMMANDS.write_text(commands_page(), encoding="utf-8")
    if only_commands:
        return
    blocks = {"demo": demo_block()}
    data = os.environ.get("CHEKHOV_DATA")
    if data:
        blocks["real"] = real_block(Path(data) / "tinyshakespeare.txt")
    else:
        print("CHEKHOV_DATA is not set: the block on real text stays as it is", file=sys.stderr)
    page = README.read_text("utf-8")
    for name, content in blocks.items():
        page = replace_block(page, name, content)
    README.write_text(page, encoding="utf-8")


def demo_block() -> str:
    """Table, texts and verdict of `make demo`, as printed; long lines are folded."""
    report = run_demo("demo:rifle-ru", where=Path())
    return block("make demo", report)


def real_block(source: Path) -> str:
    """The table and the verdict of the same command on a real text; what the models wrote is left out."""
    if not source.is_file():
        raise SystemExit(f"{source} is missing")
    report = run_demo(source.name, where=source)
    table, _, rest = report.partition("\n\n")
    verdict = "Best: " + rest.partition("\nBest: ")[2].partition("\nA longer run:")[0]
    return block(f"make demo TEXT={source.name}", f"{table}\n\n{verdict}")


def run_demo(text: str, *, where: Path) -> str:
    """What `chekhov demo TEXT` prints on stdout, run in an empty folder where TEXT is a link to ``where``."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "NO_COLOR": "1"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    with tempfile.TemporaryDirectory() as folder:
        if where.is_file():
            (Path(folder) / text).symlink_to(where.resolve())
        command = [sys.executable, "-m", "chekhov", "demo", text]
        done = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def block(command: str, output: str) -> str:
    lines = [f"$ {command}"]
    for line in output.strip("\n").splitlines():
        lines += textwrap.wrap(line, WIDTH, subsequent_indent="    ", break_on_hyphens=False) or [""]
    return "\n".join(["```text", *(line.rstrip() for line in lines), "```", "", f"Measured on {machine()}."])


def replace_block(page: str, name: str, content: str) -> str:
    start, end = f"<!-- figures:{name} -->\n", "<!-- /figures -->"
    before, found, after = page.partition(start)
    old, closed, rest = after.partition(end)
    if not (found and closed) or "<!-- figures:" in old:
        raise SystemExit(f"README.md has no block {start.strip()} ... {end}")
    return f"{before}{start}{content}\n{end}{rest}"


def commands_page() -> str:
    """docs/commands.md from the command line itself: every verb, argument and flag, with its default."""
    from typer.main import get_command

    from chekhov.cli.main import parser

    lines = [
        "# Commands",
        "",
        "Written by `python benchmarks/readme_figures.py --commands` from the program; do not edit.",
        "",
        "Data goes to stdout, notes and progress to stderr. Exit codes: 0 ok, 1 failure, 2 usage, 130 after Ctrl-C,",
        "143 after SIGTERM. In Python the flags of `chekhov train` and `chekhov generate` are the keyword arguments of",
        "`chekhov.train` and `TextModel.generate`, with the same names and defaults; only",
        "`--from` is `start_from` there.",
    ]
    return "\n".join([*lines, *described(get_command(parser([], whole=True)), "chekhov"), ""])


def described(command: Any, path: str) -> list[str]:
    """The section of one command and, below it, of its verbs in alphabetical order."""
    arguments = " ".join(p.metavar or p.name.upper() for p in command.params if p.param_type_name == "argument")
    verbs = getattr(command, "commands", {})
    lines = ["", f"## `{' '.join(filter(None, [path, arguments, 'VERB' if verbs else '']))}`", ""]
    lines.append(" ".join((command.help or "").split()))
    rows = [row(parameter) for parameter in command.params if parameter.help]
    if rows:
        lines += ["", "| | | default |", "|---|---|---|", *rows]
    for name in sorted(verbs):
        lines += described(verbs[name], f"{path} {name}")
    return lines


def row(parameter: Any) -> str:
    metavar = parameter.metavar or ""
    if parameter.param_type_name == "argument":
        names = f"`{metavar or parameter.name.upper()}`"
    else:
        names = ", ".join(f"`{name} {metavar}`" if metavar else f"`{name}`" for name in parameter.opts)
    default = parameter.default
    silent = default is None or default is False or default in ("", [], ()) or callable(default)
    shown = "required" if parameter.required else "" if silent else f"`{default}`"
    meaning = parameter.help.replace("|", "\\|").replace("<", "&lt;")
    return " ".join(f"| {names} | {meaning} | {shown} |".split())


if __name__ == "__main__":
    main()
