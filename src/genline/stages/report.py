"""``genline report``: every result on one page, and in short for a pull request."""

from __future__ import annotations

from pathlib import Path

from genline.core.files import write_text
from genline.core.params import PARAMS_FILE, load_yaml
from genline.reporting import markdown, page
from genline.reporting.inputs import read_all

PAGE, SHORT = Path("reports/index.html"), Path("reports/report.md")


def run() -> None:
    """Write reports/index.html and reports/report.md from what the other stages left.

    Only the datasets and experiments of params.yaml count. Raises DataError naming the first
    file that is missing or wrong; nothing is written then.
    """
    datasets = read_all(load_yaml(PARAMS_FILE))
    html, short = page.render(datasets), markdown.render(datasets)
    write_text(PAGE, html)
    write_text(SHORT, short)
    count = sum(len(dataset.experiments) for dataset in datasets)
    print(f"{count} experiments on {len(datasets)} datasets: see {PAGE}, in short {SHORT}")
