"""Completion for `kubectl serinus`: what kubectl asks the program `kubectl_complete-serinus`.

kubectl calls it with the words after the plugin's name, the last one possibly unfinished, and reads
one suggestion a line and at the end a directive (spf13/cobra, shell completions: `:4` = no files).
"""

from __future__ import annotations

import contextlib
import io
import os
import sys

NO_FILES = ":4"


def suggestions(words: list[str]) -> list[str]:
    """Return what may stand in place of the last word."""
    from serinus.cli.main import app

    line = ["serinus", *(words or [""])]
    asked = {
        "_SERINUS_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(line),
        "COMP_CWORD": str(len(line) - 1),
    }
    os.environ.update(asked)
    answer = io.StringIO()
    try:
        with contextlib.redirect_stdout(answer), contextlib.suppress(SystemExit):
            app(prog_name="serinus")
    finally:
        for name in asked:
            os.environ.pop(name, None)
    return [line for line in answer.getvalue().splitlines() if line]


def run() -> None:
    """Answer kubectl and exit."""
    sys.stdout.write("\n".join([*suggestions(sys.argv[1:]), NO_FILES]) + "\n")
