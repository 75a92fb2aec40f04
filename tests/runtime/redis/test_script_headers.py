"""The header of each script lists the keys and channels that it reaches, and no others."""

from __future__ import annotations

import re

import pytest

from tests.runtime.redis.test_keys import NAMES, code_of, text_of

CHUNKS = {
    chunk
    for name in NAMES
    for chunk in re.findall(r"-- include: penstock\.runtime\.redis\.scripts/(\w+)", text_of(name))
}

FUNCTION = re.compile(r"^(?:local )?function (\w+)\(.*?^end$", re.MULTILINE | re.DOTALL)

KINDS = {
    "run",
    "checkpoints",
    "questions",
    "legs",
    "remote",
    "events",
    "channel",
    "control",
    "open",
    "causes",
    "cause",
    "feed",
} | {
    *("hooks", "webhooks", "webhook"),
    *("thread", "history", "waiting", "made", "taken", "leases", "ready", "timers", "entrypoints"),
    *("over", "app", "parked", "job", "queue", "queues", "intermediate", "wip", "finished"),
    *("failed", "execution", "executions", "worker", "workers", "suspended", "presence", "graph"),
    "threads",
}
"""What keys and channels are told apart by."""

BUILT = {
    r"\b(?:key|rq)\('(\w+)'": "",
    r"\brq_queue\([^,]*, '(\w+)'\)": "",
    r"':(entrypoints|causes|feed|hooks|webhooks|queues|suspended|executions|workers|threads)\b": "",
    r"\b(rq_queue)\([^,()]*\)": "queue",
    r"\b(rq_job)\(": "job",
    r"\b(presence)\(": "",
    r"\b(popped)\(": "intermediate",
    r"\bSUSPENDED\b": "open",
    r"\b(LEASES|READY|TIMERS|CONTROL|ENTRYPOINTS)\b": "",
}
"""How code builds keys, and the kind where that is not what it looks like."""


def kinds_in(code: str) -> set[str]:
    """Return the kinds of keys that some code builds."""
    found = {
        kind or match.lower() for look, kind in BUILT.items() for match in re.findall(look, code)
    }
    if "key(kind" in code:  # of those that a loop goes through
        for names in re.findall(r"ipairs\(\{([^}]*)\}\)", code):
            found |= set(re.findall(r"'(\w+)'", names))
    return found


def needed(name: str) -> set[str]:
    """Name the chunks that a script includes, or that a chunk says it needs, with theirs."""
    found, ahead = set[str](), [name]
    while ahead:
        new = named_by(ahead.pop()) - found
        found |= new
        ahead += new
    return found


def named_by(name: str) -> set[str]:
    included = CHUNKS & set(re.findall(r"-- include: [\w.]+/(\w+)", text_of(name)))
    header = re.sub(r"\n-- ?", " ", header_of(name))
    needs = re.search(r"Needs ([\w, ]+)\.", header) if name in CHUNKS else None
    return included | (CHUNKS & set(re.findall(r"\w+", needs[1])) if needs else set[str]())


def reached(name: str) -> set[str]:
    """Return the kinds of keys that a script builds, in its own code or the functions it calls."""
    functions = {
        match[1]: match[0]
        for chunk in {*needed(name), name}
        for match in FUNCTION.finditer(code_of(chunk))
        if match[1] not in ("key", "rq", "rq_job", "rq_queue", "popped")
    }
    own = code_of(name)
    ahead = [own if name in CHUNKS else FUNCTION.sub("", own)]
    seen, kinds = set[str](), set[str]()
    while ahead:
        code = re.sub(r"--.*", "", ahead.pop())
        kinds |= kinds_in(code)
        called = (set(re.findall(r"\b\w+\b", code)) & functions.keys()) - seen
        seen |= called
        ahead += [functions[each] for each in called]
    return kinds


def listed(name: str, *, of_others: bool = True) -> set[str]:
    """Return the kinds of keys that a header lists, with those of the chunks that it refers to."""
    found, seen, ahead = set[str](), set[str](), [name]
    while ahead:
        seen.add(each := ahead.pop())
        kinds, others = listed_by(each)
        found |= kinds
        ahead += others - seen if of_others else ()
    return found


def listed_by(name: str) -> tuple[set[str], set[str]]:
    """Return the kinds of keys that a header names, and the chunks that it refers to."""
    keys = header_of(name).partition("eys: ")[2].partition("include: ")[0]
    keys = re.sub(r"\n-- ?", " ", keys)
    found = {kind for kind in KINDS if re.search(rf"(?<!<)\b{kind}\b(?!>)", keys)}
    named = " ".join(re.findall(r"those of ([\w, ]*)", keys))
    return found, CHUNKS & set(re.findall(r"\w+", named))


def header_of(name: str) -> str:
    lines: list[str] = []
    for line in text_of(name).splitlines():
        if not line.startswith("--"):
            break
        lines.append(line)
    return "\n".join(lines)


@pytest.mark.parametrize("name", NAMES)
def test_every_script_opens_with_what_it_is(name: str) -> None:
    assert len(header_of(name).splitlines()) >= 2


@pytest.mark.parametrize("name", sorted({*NAMES} - {"names"}))
def test_the_header_of_a_script_lists_every_key_that_it_reaches(name: str) -> None:
    assert reached(name) - listed(name) == set()


@pytest.mark.parametrize("name", sorted({*NAMES} - {"names"}))
def test_the_header_of_a_script_lists_no_key_that_it_does_not_reach(name: str) -> None:
    assert listed(name, of_others=False) - reached(name) == set()
