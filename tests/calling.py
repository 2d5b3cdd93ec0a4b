"""The command line, called in this process: what several test files share."""

from __future__ import annotations

import io
import re
import sys

import pytest

from chekhov.cli.main import main

PROGRAM = [sys.executable, "-m", "chekhov"]
MESSAGE = re.compile(r"^E-[A-Z]+-[0-9]{3} .+\.$", re.MULTILINE)
# For programs of their own: getrusage begins with what the process had taken that started this one.
OWN_PEAK = r"""
import re
from pathlib import Path

def own_peak():
    return int(re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())[1]) / 1024  # MiB

"""
LSTM = ("--hidden-size", "8", "--embedding-size", "4", "--epochs", "1", "--sequence-length", "16")
TEXT = "Ружьё висело на стене.\nНикто не стрелял.\nВ последнем акте ружьё выстрелило.\n" * 40
LETTERS = "бвгджзклмнпр"


def call(*arguments: str, stdin: bytes = b"") -> tuple[int, str, str]:
    """(exit code, stdout, stderr) of a command, in this process."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["chekhov", *arguments])
        patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        with pytest.raises(SystemExit) as ended:
            main()
    return int(ended.value.code or 0), out.getvalue(), err.getvalue()


def refused(*arguments: str, code: int, says: str, stdin: bytes = b"") -> str:
    """The command must end with ``code`` and one message that matches ``says``; returns stderr."""
    found, _, err = call(*arguments, stdin=stdin)
    assert found == code, f"exit code {found}: {err}"
    assert "E-INTERNAL" not in err
    assert "Traceback" not in err
    assert len(MESSAGE.findall(err)) == 1, err
    assert re.search(says, err), err
    return err
