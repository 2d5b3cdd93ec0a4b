"""The documents say what the program does: their commands run, their lists are complete, their figures are made."""

from __future__ import annotations

import ast
import importlib
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
SOURCE = sorted((ROOT / "src").rglob("*.py"))
CODE = re.compile(r"E-[A-Z]+-[0-9]{3}")
VERBS = [
    *(
        "classify",
        "count",
        "demo",
        "doctor",
        "evaluate",
        "export",
        "generate",
        "gradients",
        "import",
        "info",
        "mix",
        "prune",
    ),
    *("quantise", "rescore", "rifle", "score", "tag", "trace", "train", "verify"),
]
KINDS = [
    *("chain", "classifier", "elman", "gru", "indrnn", "lstm", "mingru", "minlstm", "ngram", "qrnn", "rglru", "sru"),
    *("tagger", "window"),
]

# Blocks that are not executed, by their first line, and why.
NOT_EXECUTED = {
    "make demo                      # or, on your own text: make demo TEXT=my.txt": "installs; benchmarks run it",
    "make test": "installs, and runs this very test",
}


def blocks(page: Path) -> list[tuple[str, str]]:
    """(language, content) of the fenced blocks of a page, in order."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def executable(page: Path) -> list[tuple[str, str]]:
    found = [(language, content) for language, content in blocks(page) if language in ("sh", "console", "python")]
    return [block for block in found if block[1].splitlines()[0] not in NOT_EXECUTED]


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    """A folder with the texts that the pages name."""
    from chekhov.text.demo import demo_corpus

    corpus = demo_corpus("demo:rifle-ru?tokens=2000")
    for name, text in (("my.txt", corpus.train), ("valid.txt", corpus.valid), ("test.txt", corpus.test)):
        (tmp_path / name).write_text(text, "utf-8")
    (tmp_path / "che.txt").write_text("Ружьё висело на стене. Никто не стрелял. Ружьё молчало.\n" * 20, "utf-8")
    return tmp_path


@pytest.mark.parametrize("page", [page for page in PAGES if executable(page)], ids=lambda page: page.name)
def test_every_block_runs_as_printed(page: Path, workplace: Path) -> None:
    """All blocks of a page one after the other in one folder, as a reader would."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "tests")}
    for language, content in executable(page):
        if language == "python":
            command = [sys.executable, "-W", "error::DeprecationWarning", "-c", content]
        else:
            lines = content.splitlines()
            typed = [line[2:] for line in lines if line.startswith("$ ")] if language == "console" else lines
            command = ["bash", "-e", "-o", "pipefail", "-c", "\n".join(typed)]
        done = subprocess.run(command, cwd=workplace, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{content}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr


def test_the_list_of_blocks_that_do_not_run_is_no_longer_than_it_must_be() -> None:
    first_lines = {content.splitlines()[0] for page in PAGES for _, content in blocks(page) if content}
    assert set(NOT_EXECUTED) <= first_lines


def test_the_error_that_the_readme_shows_is_what_the_program_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from chekhov.cli.main import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["chekhov", "generate", "nowhere"])
    with pytest.raises(SystemExit, match="1"):
        main()
    assert f"$ chekhov generate nowhere\n{capsys.readouterr().err}```" in PAGES[0].read_text("utf-8")


def figures_script(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("readme_figures")


def test_the_commands_page_is_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "commands.md").read_text("utf-8")
    assert page == figures_script(monkeypatch).commands_page(), "run: python benchmarks/readme_figures.py --commands"


def test_every_verb_and_every_flag_of_the_help_stands_on_the_commands_page(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By what --help prints, not by what the page was made from."""
    from chekhov.cli.main import main

    page = (ROOT / "docs" / "commands.md").read_text("utf-8")
    sections = {section.partition("`")[0]: section for section in re.split(r"^## `", page, flags=re.MULTILINE)[1:]}

    def check(*path: str) -> str:
        monkeypatch.setattr(sys, "argv", ["chekhov", *path, "--help"])
        with pytest.raises(SystemExit):
            main()
        text = capsys.readouterr().out
        command = " ".join(["chekhov", *path])
        title = next(title for title in sections if re.fullmatch(rf"{command}( [A-Z][A-Za-z.\[\]|\- ]*)?", title))
        for flag in re.findall(r"^  (?:-\w, )?(--[a-z-]+)", text, re.MULTILINE):
            assert flag == "--help" or re.search(rf"`{flag}[ `]", sections[title]), f"{command} {flag}"
        return text.partition("Commands:\n")[2]

    named = re.findall(r"^  ([a-z]+)", check(), re.MULTILINE)
    assert sorted(named) == VERBS
    for verb in VERBS:
        check(verb)
    for kind in KINDS:
        check("train", kind)


def test_the_readme_names_every_verb() -> None:
    readme = PAGES[0].read_text("utf-8")
    assert all(f"`chekhov {verb}" in readme for verb in VERBS)


def raised_codes() -> dict[str, set[str]]:
    """Code -> exit codes of the errors that the source raises with it."""
    exits: dict[str, set[str]] = {}
    for path in SOURCE:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                called, code = ast.unparse(node.func).rpartition(".")[2], node.args[0].value
                if called.endswith("Error") and isinstance(code, str) and CODE.fullmatch(code):
                    exits.setdefault(code, set()).add("2" if called == "UsageError" else "1")
    return exits


def test_the_errors_page_lists_every_code_with_exit_code_meaning_and_mend() -> None:
    rows = re.findall(
        r"^\| (E-\S+) \| (.*?) \| (.*?) \| (.*?) \|$", (ROOT / "docs/errors.md").read_text(), re.MULTILINE
    )
    raised = raised_codes()
    named = set(CODE.findall("\n".join(path.read_text("utf-8") for path in SOURCE)))
    assert set(raised) == named, "a code that is named but raised in a way that this test does not see"
    listed = [code for code, *_ in rows]
    assert len(listed) == len(set(listed))
    assert set(listed) == named
    for code, exit_codes, meaning, mend in rows:
        assert set(exit_codes.split(", ")) == raised[code], code
        assert len(meaning) > 5, code
        assert len(mend) > 5, code


def test_the_changelog_names_the_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert re.search(rf"^## {re.escape(version)} - \d{{4}}-\d\d-\d\d$", PAGES[2].read_text("utf-8"), re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_paths_lead_somewhere(page: Path) -> None:
    text = page.read_text("utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    paths = re.findall(r"`((?:src|tests|docs|benchmarks)/[\w./-]+)`", text)
    for place in [*(page.parent / link for link in links), *(ROOT / path for path in paths)]:
        assert place.exists(), f"{page.name}: {place.relative_to(ROOT)}"
    for path, name in re.findall(r"`(src/[\w./]+\.py)`: `(\w+)`", text):
        assert re.search(rf"\b(def|class) {name}\b", (ROOT / path).read_text("utf-8")), f"{path} has no {name}"


def test_every_figure_of_the_readme_was_measured() -> None:
    """Figures stand in blocks that benchmarks/readme_figures.py writes, each with its machine; none outside."""
    pattern = r"<!-- figures:\w+ -->\n(.*?)\n<!-- /figures -->"
    readme = PAGES[0].read_text("utf-8")
    made = re.findall(pattern, readme, re.DOTALL)
    assert len(made) == 2
    for block in made:
        assert "bits/char" in block
        assert re.search(r"Measured on .+, \d+ cores; Python 3\.\d+\.\d+, .*torch \d", block)
        assert max(map(len, block.splitlines())) <= 120
    outside = re.sub(pattern, "", readme, flags=re.DOTALL)
    assert not re.search(r"\d [%x]? ?(tok/s|bits/char|nats)|\d+\.\d+ ?%|\d+\.\d+ bits", outside)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_name_no_machine(page: Path) -> None:
    text = page.read_text("utf-8")
    assert not re.search(r"(?<![\w.])/(work|home|root|tmp|Users)/", text)
    outside = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    long = [line for line in outside.splitlines() if len(line) > 120 and not line.startswith(("|", "Measured on"))]
    assert not long
