"""Draws the picture of the demo in the README: `python -m tests.docs.picture`.

It runs the demo, and draws what that prints from the kill on.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

from tests.docs.page import ROOT

PICTURE: Final = ROOT / "docs" / "pictures" / "demo.svg"
WIDTH: Final = 96
FONTS: Final = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
"""Rules that would load fonts from elsewhere."""


def main() -> int:
    command = [str(Path(sys.executable).with_name("penstock")), "demo", str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(draw(done.stdout), encoding="utf-8")
    print(PICTURE)
    return 0


def draw(printed: str) -> str:
    """Draw the lines about the kill, and what was checked."""
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    for line in printed.splitlines():
        if line.startswith("✓"):
            console.print(Text(line, "green"))
        elif "SIGKILL" in line:
            console.print(Text(line, "bold red"))
        elif re.match(r" +\d+\.\d s ", line) or "ran twice" in line:
            console.print(Text(line))
    return FONTS.sub("", console.export_svg(title="make demo"))


if __name__ == "__main__":
    sys.exit(main())
