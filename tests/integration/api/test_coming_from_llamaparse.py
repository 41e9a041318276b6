"""The page for people who come from LlamaParse: its table of options is made from the code."""

from __future__ import annotations

from pathlib import Path

from apps.api.v2.options import ParseRequest
from apps.jobs.option_effects import option_states, what_happens
from apps.jobs.option_groups import Options

PAGE = Path(__file__).resolve().parents[3] / "docs" / "coming-from-llamaparse.md"
BEGIN, END = "<!-- options: begin -->\n", "<!-- options: end -->"


def table() -> str:
    """Return the table of every option and its state."""
    rows = ["| option | state | |", "|---|---|---|"]
    for path, has_effect, is_refused, description in option_states(ParseRequest):
        if path.startswith(("first_api.", "docling.")):  # fields of other APIs, which have pages of their own
            continue
        state = "works" if has_effect else "422" if is_refused else "no effect"
        note = description if has_effect else what_happens(path)
        rows.append(f"| `{path}` | {state} | {note.replace('|', '/')} |")
    return "\n".join(rows) + "\n"


def test_the_table_of_options_is_that_of_the_code() -> None:
    shown = PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    assert shown == table(), f"Replace the table in {PAGE.name} with:\n{table()}"


def test_every_option_without_effect_says_what_happens() -> None:
    default = what_happens("an option that does not exist")
    silent = [
        path
        for path, has_effect, is_refused, _ in option_states(ParseRequest)
        if not has_effect and not is_refused and what_happens(path) == default
    ]
    assert silent == []


def test_the_table_has_the_options_of_all_groups() -> None:
    assert issubclass(ParseRequest, Options)
    paths = [path for path, *_ in option_states(ParseRequest)]
    assert len(paths) == len(set(paths)) > 70
    assert "output_options.markdown.tables.output_tables_as_markdown" in paths
