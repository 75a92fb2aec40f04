"""Programs as code that somebody can read, and run."""

from __future__ import annotations

from typing import Final

from tests.support.branching.program import Node

LEAVES: Final = {
    "step": "await step({0!r}, ms={1})",
    "tidy": "await tidy({0!r}, ms={1}, after={2})",
    "stubborn": "await stubborn({0!r}, ms={1}, after={2})",
    "thread": "await thread({0!r}, ms={1})",
    "ask": "interrupt({0!r})",
    "askstep": "await ask({0!r})",
    "limited": "await limited({0!r}, naps={1})",
    "nap": "await nap({0!r}, naps={1})",
    "flaky": "await flaky({0!r}, times={1})",
    "remote": "await remote({0!r})",
    "fail": "await failing({0!r}, ms={1})",
}


def code_of(node: Node, indent: str = "") -> str:
    """Return the code of a node; what stands in a line of its own begins with the node's kind."""
    if node.kind in LEAVES:
        return indent + LEAVES[node.kind].format(node.place, *node.tree[1:], "")
    told = "".join(f"{option!r}, " for option in node.tree[1:-1])
    parts = ",\n".join(code_of(part, f"{indent}    ") for part in node.parts())
    return f"{indent}await {node.kind}({told}\n{parts},\n{indent})"
