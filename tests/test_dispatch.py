"""Which kernels are chosen, in processes of their own: by the processor, by Numba's target, by CHEKHOV_ISA."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from chekhov.kernels import dispatch

PROGRAM = """
import torch
from chekhov import nn
from chekhov.kernels import dispatch
from chekhov.recurrent.sequences import torch_lstm_fails
torch.manual_seed(0)
for bf16 in (False, True):
    for name in ("LSTM", "GRU", "RNN"):
        module, twin = getattr(nn, name)(9, 40), getattr(torch.nn, name)(9, 40)
        twin.load_state_dict(module.state_dict())
        xs = torch.randn(5, 11, 9)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            found = module(xs)[0].float()
            fails = name == "LSTM" and torch_lstm_fails()  # then the twin stays in float32
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16 and not fails):
            expected = twin(xs)[0].float()
        torch.testing.assert_close(found, expected, atol=3e-2 if bf16 else 1e-5, rtol=0)
        found.square().sum().backward()
        expected.square().sum().backward()
        for one, other in zip(module.parameters(), twin.parameters()):
            error = float((one.grad - other.grad).norm() / other.grad.norm())
            assert error < (3e-2 if bf16 else 1e-5), error
print("PATH", *dispatch.chosen()[:2])
"""


def run(first: str = "", /, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "CHEKHOV_ISA"} | settings
    return subprocess.run(
        [sys.executable, "-c", f"{first}\n{PROGRAM}"], capture_output=True, text=True, timeout=200, env=environment
    )


def path_of(**settings: str) -> tuple[str, bool]:
    result = run(**settings)
    assert result.returncode == 0, result.stderr
    name, bf16 = result.stdout.rpartition("PATH ")[2].split()
    return name, bf16 == "True"


LESSER = {"amx": ("amx", "avx512", "avx2"), "avx512": ("avx512", "avx2"), "avx2": ("avx2",)}.get(
    dispatch.chosen().name, ()
)


@pytest.mark.parametrize("name", ["amx", "avx512", "avx2", "torch", "reference"])
def test_each_path_computes_the_same(name: str) -> None:
    if name not in (*LESSER, "torch", "reference"):
        pytest.skip("this processor does not have it")
    assert path_of(CHEKHOV_ISA=name) == (name, dispatch.chosen().bf16 and name in ("amx", "avx512"))


@pytest.mark.skipif(dispatch.chosen().name != "amx", reason="no matrix tiles")
def test_tiles_that_the_system_does_not_permit_are_not_compiled() -> None:
    """Linux is asked before anything is compiled; here it is another system that would have to be asked."""
    result = run("import sys; sys.platform = 'other'")
    assert result.returncode == 0, result.stderr
    assert "PATH avx512 True" in result.stdout


def test_a_lesser_processor_never_compiles_what_it_lacks() -> None:
    """LLVM ends the process at an instruction that its target does not have: here it is the target that is changed."""
    haswell = path_of(NUMBA_CPU_NAME="haswell", NUMBA_CPU_FEATURES=dispatch.AVX2)
    assert haswell == ("avx2", False)
    assert path_of(NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="") == ("torch", False)
    if dispatch.chosen().name in ("amx", "avx512"):
        skylake = dispatch.AVX2 + ",+avx512f,+avx512bw,+avx512cd,+avx512dq,+avx512vl"
        assert path_of(NUMBA_CPU_NAME="skylake-avx512", NUMBA_CPU_FEATURES=skylake) == ("avx512", False)


def test_only_kernels_that_run_are_looked_for_on_disk(tmp_path: Path) -> None:
    program = (
        "import numpy as np\n"
        "from pathlib import Path\n"
        "from chekhov.tokens import text_kernels\n"
        f"print(len(list(Path({str(tmp_path)!r}).rglob('*.nbi'))))\n"
        "text_kernels.count_numbers(np.array([1, 1], np.int32), np.zeros(2, np.int64))\n"
        f"print(*(path.name[:13] for path in Path({str(tmp_path)!r}).rglob('*.nbi')))\n"
        "print(sum(text_kernels.count_numbers.stats.cache_hits.values()))\n"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    for before, hits in (("0", "0"), ("1", "1")):
        command = [sys.executable, "-c", program]
        result = subprocess.run(command, capture_output=True, text=True, timeout=200, env=environment, check=True)
        assert result.stdout.splitlines() == [before, "text_kernels.", hits]


def test_where_nothing_can_be_kept_kernels_are_compiled_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    from chekhov.kernels.jit import Compiled, kernel

    def nowhere(function: object) -> None:
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setattr(Compiled, "_impl_class", staticmethod(nowhere))

    @kernel
    def doubled(x: int) -> int:
        return 2 * x

    assert doubled(3) == 6
    assert doubled.stats.cache_path == ""
    doubled.recompile()
    assert doubled(4) == 8


def test_a_name_that_is_none_is_told() -> None:
    result = run(CHEKHOV_ISA="mmx")
    assert "E-ISA-001" in result.stderr or "CHEKHOV_ISA=mmx" in result.stderr


def test_doctor_says_what_was_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    from chekhov.cli.doctor import kernels

    assert dispatch.chosen().why in kernels()
    monkeypatch.setenv("CHEKHOV_ISA", "mmx")
    dispatch.chosen.cache_clear()
    try:
        assert "mmx" in kernels()
    finally:
        dispatch.chosen.cache_clear()
