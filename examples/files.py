"""The workflow of `penstock demo`: read the text files of a folder in parallel, report on them.

It ships with Penstock (worker/penstock/worker/demo/flow.py), so that the demo works without this
folder. Here it runs in this process: `python files.py FOLDER`. On workers:

    penstock dev files.py
    penstock run survey '{"folder": "/path/to/a/folder"}' --follow
"""

from __future__ import annotations

import sys
from pathlib import Path

from penstock.worker.demo.flow import Report, Survey, survey

__all__ = ["Report", "Survey", "survey"]


def main(folder: str) -> None:
    """Print what the files of a folder are about."""
    report = survey.invoke(Survey(str(Path(folder).resolve())))
    for file in report.files:
        print(f"{file.path}: {', '.join(term for term, _ in file.terms)}")


if __name__ == "__main__":
    main(*sys.argv[1:] or ["."])
