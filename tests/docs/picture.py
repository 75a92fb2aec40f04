"""Draws the picture of a demo: `python -m tests.docs.picture [agent]`.

It runs the demo, and draws what happens and what was checked.
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

PICTURES: Final = ROOT / "docs" / "pictures"
DEMOS: Final = {"demo": (str(ROOT), "make demo"), "agent": ("agent", "make demo-agent")}
"""For each picture, the argument of the demo, and the title."""
WIDTHS: Final = {"demo": 96, "agent": 80}
FONTS: Final = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
"""Rules that would load fonts from elsewhere."""
HAPPENING: Final = re.compile(r" +\d+\.\d s | {20}")
"""A line with the time, or one that goes on with what somebody says."""


def main(name: str = "demo") -> int:
    argument, title = DEMOS[name]
    command = [str(Path(sys.executable).with_name("penstock")), "demo", argument]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    picture = PICTURES / f"{name}.svg"
    picture.write_text(draw(done.stdout, title, WIDTHS[name]), encoding="utf-8")
    print(picture)
    return 0


def draw(printed: str, title: str, width: int) -> str:
    """Draw the lines about the kill, and what was checked."""
    console = Console(record=True, width=width, file=io.StringIO())
    for line in printed.splitlines():
        if line.startswith("✓"):
            console.print(Text(line, "green"))
        elif "SIGKILL" in line:
            console.print(Text(line, "bold red"))
        elif HAPPENING.match(line) or "ran twice" in line:
            console.print(Text(line))
    return FONTS.sub("", console.export_svg(title=title))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
