"""The layout keeps its promises: the import law, imports only when needed, no unpickling, files that can be read."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "chekhov"
# A module imports only from what stands before it. `testing` may be imported by none.
ORDER = [
    *(
        "types",
        "state",
        "errors",
        "files",
        "kernels",
        "text",
        "tokens",
        "batches",
        "labels",
        "ngram",
        "recurrent",
        "nn",
        "mixture",
    ),
    *(
        "evaluation",
        "generation",
        "saving",
        "training",
        "tasks",
        "kenlm_kernels",
        "kenlm",
        "markovify",
        "inspection",
        "cli",
        "testing",
    ),
]
TORCH = ("recurrent", "nn", "training", "testing")  # where torch may be imported at a module's top
TORCH_FILES = ("inspection/gradients.py", "inspection/laboratory.py")
FORBIDDEN = {"pickle", "marshal", "shelve", "dill", "joblib", "yaml"}
MODULES = sorted(SOURCE.rglob("*.py"))


def imports(path: Path, *, top_only: bool = False) -> list[str]:
    tree = ast.parse(path.read_text("utf-8"))
    nodes = tree.body if top_only else list(ast.walk(tree))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    return names + [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]


def layer(path: Path) -> str:
    parts = path.relative_to(SOURCE).parts
    return parts[0] if len(parts) > 1 else path.stem


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_the_import_law(path: Path) -> None:
    own = layer(path)
    if own in ("__init__", "__main__"):
        return
    assert own in ORDER, f"{own} has no place in the order of the layers"
    for name in imports(path):
        if name.startswith("chekhov."):
            other = name.split(".")[1]
            allowed = own == "testing" or (other in ORDER and ORDER.index(other) <= ORDER.index(own))
            assert allowed, f"{path.relative_to(SOURCE)} imports {name}, which stands after it"
        assert name.split(".")[0] not in FORBIDDEN, f"{path.relative_to(SOURCE)} imports {name}"
    if own not in TORCH and not str(path).endswith(TORCH_FILES):
        assert "torch" not in {name.split(".")[0] for name in imports(path, top_only=True)}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_code_from_data_and_files_short_enough_to_read(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in {"eval", "exec", "torch.load", "np.load", "numpy.load"}, (
                f"line {node.lineno}: {called}"
            )
            assert not any(word.arg in {"allow_pickle", "shell"} for word in node.keywords), f"line {node.lineno}"
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"line {node.lineno}: a bare except"
        assert not isinstance(node, ast.Assert) or layer(path) == "testing", f"line {node.lineno}: assert is for tests"
    assert len(path.read_text("utf-8").splitlines()) <= 400


def modules_after(*arguments: str) -> set[str]:
    """The modules that a run of the command has imported."""
    program = (
        "import sys\n"
        f"sys.argv = ['chekhov', *{arguments!r}]\n"
        "from chekhov.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('MODULES', *sys.modules)\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    return set(result.stdout.rpartition("MODULES")[2].split())


def test_help_imports_nothing_heavy() -> None:
    for arguments in (["--help"], ["train", "lstm", "--help"], ["--version"]):
        assert not {"numpy", "torch", "numba", "matplotlib", "starlette"} & modules_after(*arguments)


def test_a_verb_does_not_wait_for_the_others() -> None:
    assert "chekhov.cli.train" in modules_after("train", "--help")
    assert not {"chekhov.cli.train", "chekhov.cli.doctor"} & modules_after("info", "--help")
    assert "pydantic" not in modules_after("--help")  # typer's, for the options of a verb


def test_counting_models_never_import_torch(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("Ружьё висело на стене.\nРужьё молчало.\n" * 30)
    for kind in ("chain", "ngram"):
        folder = str(tmp_path / kind)
        assert "torch" not in modules_after("train", kind, str(text), "-o", folder)
        assert "torch" not in modules_after("generate", folder, "--seed", "1")
        assert "torch" not in modules_after("score", folder, str(text))
        assert "torch" not in modules_after("trace", folder, "--prompt", "Ружьё висело", "--saliency", "-1")
        assert "torch" not in modules_after("trace", folder, "--prompt", "Ружьё висело")
        assert "torch" not in modules_after("evaluate", folder, "--text", str(text))


def test_public_names_are_there() -> None:
    import chekhov

    assert chekhov.__all__ == sorted(chekhov.__all__, key=lambda name: (name.islower(), name))
    for name in chekhov.__all__:
        assert getattr(chekhov, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'rifle'"):
        chekhov.rifle  # noqa: B018
