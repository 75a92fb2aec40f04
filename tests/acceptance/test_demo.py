"""`penstock demo`, as a newcomer starts it: from the wheel, on a terminal, interrupted."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import zipfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.until import until

ROOT = Path(__file__).parent.parent.parent
DEMO = [sys.executable, "-m", "penstock.worker.cli", "demo"]

PROMISES = 8
PROMISES_OF_THE_AGENT = 9


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment whose temporary folder is the test's own, to see what is left in it."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return {**os.environ, "TMPDIR": str(scratch)}


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """A folder with a few texts and much else."""
    folder = tmp_path / "texts"
    (folder / "deep").mkdir(parents=True)
    for number in range(10):
        text = f"# Note {number}\nsee [next](note-{number + 1}.md), word{number} " + "sluice " * 9
        (folder / f"note-{number}.md").write_text(text)
    (folder / "latin.txt").write_bytes(b"caf\xe9 noir")
    (folder / "with [brackets] and\ttab.txt").write_text("markup")
    (folder / os.fsdecode(b"bytes-\xff.txt")).write_text("a name that is no text")
    (folder / "empty.txt").touch()
    (folder / "image.png").write_bytes(b"\x89PNG\0\0")
    (folder / "deep/loop").symlink_to("..")
    os.mkfifo(folder / "pipe")
    return folder


def test_the_wheel_shows_its_own_sources_without_the_checkout(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    installed = tmp_path / "installed"
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        wheel.extractall(installed)

    done = subprocess.run(
        DEMO,
        cwd=tmp_path,
        env={**environ, "PYTHONPATH": str(installed), "PENSTOCK_LEASE": "nonsense"},
        capture_output=True,
        text=True,
        timeout=90,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert f" of {installed}/penstock\n" in done.stdout
    assert "\x1b" not in done.stdout
    assert re.search(r"SIGKILL to worker \d+, after \d+ of \d+ steps", done.stdout)
    assert re.search(r"worker \d+ continues after the \d+ recorded steps", done.stdout)
    assert done.stdout.count("✓") == PROMISES
    figures = re.search(r"(\d+) of (\d+) steps ran twice .* ([\d.]+) s from kill", done.stdout)
    assert figures is not None
    assert 1 <= int(figures[1]) <= 16
    assert float(figures[3]) <= 12.0
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_terminal_sees_bars_and_a_folder_may_hold_anything(
    texts: Path, environ: dict[str, str]
) -> None:
    screen, terminal = pty.openpty()
    child = subprocess.Popen([*DEMO, texts], env=environ, stdout=terminal, stderr=terminal)
    os.close(terminal)

    shown = read_all(screen)

    assert child.wait(10) == 0, shown
    assert "\x1b[" in shown
    assert "find terms and links" in shown
    assert "continues within 3 s" in shown
    assert shown.count("✓") == PROMISES
    assert "13 files" in shown


def test_a_folder_without_texts_is_told_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "zeros.bin").write_bytes(b"\0\0\0")

    for folder, why in (
        (tmp_path, "no text files in"),
        (tmp_path / "gone", "does not exist"),
        (tmp_path / "zeros.bin", "is not a folder"),
    ):
        done = subprocess.run([*DEMO, folder], capture_output=True, text=True, timeout=30)

        assert done.returncode == 1
        assert done.stdout == ""
        assert why in done.stderr
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_outlives_the_demo(
    signum: signal.Signals, texts: Path, environ: dict[str, str], tmp_path: Path
) -> None:
    with started(texts, environ) as (child, pids):
        child.send_signal(signum)
        child.wait(20)

    assert child.returncode != 0
    until(lambda: not any(is_running(pid) for pid in pids))
    if signum != signal.SIGKILL:
        assert list((tmp_path / "scratch").iterdir()) == []


def test_an_agent_goes_on_with_its_sentence(environ: dict[str, str], tmp_path: Path) -> None:
    done = subprocess.run(
        [*DEMO, "agent"], env=environ, capture_output=True, text=True, timeout=90, cwd=tmp_path
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    before, kill, after = done.stdout.partition("SIGKILL to worker")
    assert before.count("I am sorry about your blue teapot.") == 1
    assert re.match(r" \d+, in the middle of the sentence\n", after) is not None, kill
    assert re.search(r"worker \d+ continues", after)
    assert after.count("I am sorry about your blue teapot.") == 1
    assert "Refund 34 euros for order 4711?" in after
    assert "Good news: the 34 euros are on their way." in after
    assert done.stdout.count("✓") == PROMISES_OF_THE_AGENT
    assert [line for line in done.stdout.splitlines() if len(line) > 80] == []
    assert list((tmp_path / "scratch").iterdir()) == []


def test_an_agent_without_langgraph_is_told_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "langchain_core.py").write_text("raise ModuleNotFoundError(__name__)")
    environ = {**os.environ, "PYTHONPATH": str(tmp_path)}

    done = subprocess.run([*DEMO, "agent"], env=environ, capture_output=True, text=True, timeout=30)

    assert (done.returncode, done.stdout) == (1, "")
    assert "pip install 'penstock[embedded,langgraph]'" in done.stderr
    assert done.stderr.count("\n") == 1


@contextmanager
def started(
    folder: Path, environ: dict[str, str]
) -> Generator[tuple[subprocess.Popen[str], list[int]]]:
    """Start a demo; gives it with the processes that it has started, once its run is at work."""
    environ = {**environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [*DEMO, folder],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=_heed_ctrl_c,
    ) as child:
        assert child.stdout is not None
        try:
            for line in child.stdout:
                if "executes it" in line:
                    break
            found = subprocess.run(["pgrep", "-P", str(child.pid)], capture_output=True, text=True)
            pids = [int(pid) for pid in found.stdout.split()]
            assert len(pids) == 3, "a Redis and two workers"
            yield child, pids
        finally:
            child.kill()


def _heed_ctrl_c() -> None:
    """Undo what a shell does to jobs in the background, which inherit that they ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def read_all(screen: int) -> str:
    """Read what a terminal shows until its last user leaves."""
    shown = b""
    while True:
        try:
            piece = os.read(screen, 65536)
        except OSError:  # how Linux says that nobody is left
            piece = b""
        if not piece:
            os.close(screen)
            return shown.decode()
        shown += piece
