"""The pages of README.md and docs/, and the blocks that they are made of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))

_FILE = re.compile(r"# ([\w/]+\.py)\n")
_COMMAND = re.compile(r"^\$ ", re.MULTILINE)
_SPAN = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True)
class Block:
    """A fenced block, or a hidden one: `<!-- check` ... `-->` holds Python that only tests run."""

    path: Path
    line: int
    """Where its text begins, counted from 1."""
    language: str
    text: str

    @property
    def file(self) -> str | None:
        """The file that the block shows, named by its first line (`# flows.py`)."""
        found = _FILE.match(self.text) if self.language == "python" else None
        return found[1] if found else None

    @property
    def where(self) -> str:
        return f"{self.path.relative_to(ROOT)}, line {self.line}"

    def commands(self) -> Iterator[tuple[str, str]]:
        """The commands of a console block, each with the output that follows it."""
        for part in _COMMAND.split(self.text)[1:]:
            command, _, output = part.partition("\n")
            while command.endswith("\\"):
                more, _, output = output.partition("\n")
                command = command[:-1] + more.strip()
            yield command.strip(), output


@dataclass(frozen=True)
class Page:
    """A page: its text and its blocks, in order."""

    path: Path

    @property
    def name(self) -> str:
        return str(self.path.relative_to(ROOT))

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @property
    def prose(self) -> str:
        """The text without its blocks."""
        kept, inside = list[str](), False
        for line in self.text.splitlines():
            if line.startswith(("```", "<!-- check", "-->")):
                inside = not inside
            elif not inside:
                kept.append(line)
        return "\n".join(kept)

    def blocks(self) -> Iterator[Block]:
        language, start, lines = None, 0, list[str]()
        for number, line in enumerate(self.text.splitlines(), start=1):
            if language is None:
                if line.startswith("```") or line == "<!-- check":
                    language = "check" if line.startswith("<!--") else line[3:].strip()
                    start, lines = number + 1, []
            elif line == ("-->" if language == "check" else "```"):
                yield Block(self.path, start, language, "\n".join(lines) + "\n")
                language = None
            else:
                lines.append(line)
        assert language is None, f"{self.name}: the block at line {start} has no end"

    def command_lines(self) -> Iterator[str]:
        """All commands that the page shows: in blocks for a shell, and in its prose."""
        for block in self.blocks():
            if block.language == "console":
                yield from (command for command, _ in block.commands())
            elif block.language == "sh":
                text = block.text.replace("\\\n", " ")
                yield from (line for line in text.splitlines() if line and line[0] != "#")
        for span in _SPAN.findall(self.prose):
            if span.startswith(("penstock ", "make ")):
                yield span
