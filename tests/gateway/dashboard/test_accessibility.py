"""Pages for everybody: names of inputs, order of headings, colours that can be read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib.resources import files
from typing import Final

import pytest

from tests.gateway.dashboard.pages import Pages

CSS: Final = (files("penstock.gateway.dashboard") / "static" / "dashboard.css").read_text()

TEXT: Final = 4.5
"""WCAG 2.2 AA: how much lighter or darker than what is behind it a text is."""

BORDER: Final = 3.0
"""The same of what shows where an input is."""


class Page(HTMLParser):
    """What a test asks of a page."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.headings: list[int] = []
        self.ids: Counter[str] = Counter()
        self.refers: list[str] = []
        self.problems: list[str] = []
        self._open: list[str] = []
        self._texts: list[tuple[str, str]] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.problems += _missing(tag, found, is_labelled="label" in self._open)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        self.ids.update([found["id"]] if "id" in found else [])
        for name in ("aria-describedby", "aria-labelledby", "for"):
            self.refers += found.get(name, "").split()
        if tag in ("a", "button", "summary"):
            self._texts.append((tag, found.get("aria-label", "")))
        if tag not in ("input", "meta", "link", "br", "path", "rect", "line", "option"):
            self._open.append(tag)

    def handle_data(self, data: str) -> None:
        self._texts = [(tag, text + data) for tag, text in self._texts]

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            del self._open[len(self._open) - 1 - self._open[::-1].index(tag) :]
        if self._texts and self._texts[-1][0] == tag and not self._texts.pop()[1].strip():
            self.problems.append(f"a <{tag}> has no text")

    def complaints(self) -> Iterator[str]:
        """Say what is wrong with the page."""
        yield from self.problems
        if self.headings.count(1) != 1 or self.headings[0] != 1:
            yield f"the headings are {self.headings}"
        for before, after in zip(self.headings, self.headings[1:], strict=False):
            if after > before + 1:
                yield f"h{after} follows h{before}"
        yield from (
            f"{count} elements are {name!r}" for name, count in self.ids.items() if count > 1
        )
        yield from (f"nothing is {name!r}" for name in self.refers if name not in self.ids)


def _missing(tag: str, found: dict[str, str], *, is_labelled: bool) -> Iterator[str]:
    """Say what an element lacks by itself."""
    is_input = tag in ("select", "textarea", "input")
    is_input = is_input and found.get("type") not in ("hidden", "submit")
    if is_input and not is_labelled and "aria-label" not in found:
        yield f"<{tag} name={found.get('name')!r}> has no label"
    if tag == "th" and "scope" not in found:
        yield "a <th> has no scope"
    if int(found.get("tabindex", 0)) > 0:
        yield f"<{tag}> has an order of its own"
    if tag == "svg" and not ("aria-hidden" in found or found.get("aria-label")):
        yield "an <svg> has no label"


def test_pages_can_be_used_without_seeing_them(pages: Pages) -> None:
    pages.join("w", "default")
    order = {"name": "bolts", "count": 3, "size": "large"}
    done, asks = pages.run("placing", order, thread_id="a"), pages.run("ordering", "which?")
    several = [pages.run("asking", "may I?"), pages.run("stumbling", None)]
    failed = pages.run("broken", "bad luck")
    (group,) = pages.worker.client.failures()

    for path in (
        *("/", "/runs", "/runs?status=slow", "/questions", "/failures", "/threads", "/threads/a"),
        *("/queues", "/entrypoints", "/entrypoints/placing", "/system", "/login", "/nothing"),
        *(
            f"/runs/{done}?tab={tab}"
            for tab in ("timeline", "stream", "values", "attempts", "facts")
        ),
        *(f"/runs/{each}" for each in (asks, failed, *several)),
        *(f"/runs/{done}?again=1", f"/runs/{several[1]}?step=stumble:0&fork=stumble:0"),
        f"/failures/{group.cause}",
    ):
        source = pages.ask("GET", f"/dashboard{path}").text
        assert list(Page(source).complaints()) == [], path
    form = {"input.name": "x", "input.count": "many", "input.size": "[", "input.note": ""}
    refused = pages.send("/entrypoints/placing/start", form, 422)
    assert list(Page(refused.text).complaints()) == []


def colours(theme: int) -> dict[str, tuple[float, ...]]:
    """Read the colours of a theme: 0 is the light one, 1 the dark one."""
    root = CSS[: CSS.index("}")]
    found: dict[str, tuple[float, ...]] = {}
    for name, value in re.findall(r"--([\w-]+): ([^;]+);", root):
        shades = re.findall(r"#[0-9a-f]{6}", value)
        if shades:
            text = shades[min(theme, len(shades) - 1)]
            found[name] = tuple(int(text[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return found


def mixed(front: tuple[float, ...], back: tuple[float, ...], share: float) -> tuple[float, ...]:
    """Mix two colours as color-mix(in srgb) does."""
    return tuple(share * one + (1 - share) * other for one, other in zip(front, back, strict=True))


def contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Return the contrast of two colours, as WCAG counts it."""

    def luminance(colour: tuple[float, ...]) -> float:
        red, green, blue = (
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_colours_can_be_read(theme: int) -> None:
    shades = colours(theme)
    page, card, sunk = (shades[name] for name in ("page", "card", "sunk"))
    behind = {
        "page": page,
        "card": card,
        "sunk": sunk,
        "head": mixed(sunk, card, 0.45),
        "hovered": mixed(shades["chosen"], card, 0.45),
    }
    pairs = {
        f"{name} on {place}": contrast(shades[name], colour)
        for name in ("ink", "faint", "link", "bad", "good", "wait")
        for place, colour in behind.items()
    }
    pairs |= {
        f"the status {name}": contrast(shades[name], mixed(shades[name], card, 0.1))
        for name in ("faint", "good", "bad", "wait", "at-work")
    }
    pairs |= {
        f"{name} on a chosen line": contrast(shades[name], shades["chosen"])
        for name in ("ink", "link", "bad")
    }
    pairs["a button"] = contrast(shades["on-primary"], shades["primary"])
    pairs["a button of danger"] = contrast(shades["on-bad"], shades["bad"])

    assert {name: round(ratio, 2) for name, ratio in pairs.items() if ratio < TEXT} == {}
    assert contrast(shades["border"], card) >= BORDER
    assert contrast(shades["link"], card) >= BORDER  # what shows the focus
