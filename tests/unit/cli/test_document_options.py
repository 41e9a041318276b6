"""``--option``: names of the API, for a parse in this process and for a request."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from apps.cli.command_line import main
from apps.cli.document_options import NAMES, office_options, option, reader_options, render_options
from apps.cli.exit_codes import USAGE
from apps.cli.options import add_arguments
from apps.cli.remote_request import as_request, configuration
from apps.jobs.option_effects import option_states
from apps.jobs.options import JobOptions
from apps.pages.model.office_options import OfficeOptions
from apps.pages.output.render import RenderOptions

SEPARATOR = "markdown_table_multiline_separator"


def test_each_name_is_an_option_of_the_api_with_an_effect() -> None:
    effective = {path for path, has_effect, _refused, _description in option_states(JobOptions) if has_effect}
    for name in NAMES:
        path, value = option(name)
        assert path in effective
        assert value in (True, "")


def test_each_option_changes_how_a_document_is_read_or_written() -> None:
    usual: tuple[object, ...] = OfficeOptions(suffix=".xlsx"), {}, RenderOptions()
    for name in NAMES:
        path, _value = option(name)
        for value in (True, False):
            chosen = {path: value}
            found = (
                office_options(chosen, suffix=".xlsx"),
                reader_options(chosen),
                render_options(chosen, granular_boxes=frozenset()),
            )
            if found != usual:
                break
        else:
            pytest.fail(f"{name} changes nothing")


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("include_hidden_sheets", "input_options.spreadsheet.include_hidden_sheets", True),
        ("include_hidden_sheets=no", "input_options.spreadsheet.include_hidden_sheets", False),
        (f"{SEPARATOR}= / ", f"output_options.markdown.tables.{SEPARATOR}", " / "),
        ("processing_control.timeouts.base_in_seconds=90", "processing_control.timeouts.base_in_seconds", 90),
        ("input_options.html.remove_fixed_elements", "input_options.html.remove_fixed_elements", True),
    ],
)
def test_values_are_switches_texts_or_json(text: str, path: str, value: object) -> None:
    assert option(text) == (path, value)


@pytest.mark.parametrize("text", ["unknown", "", "a..b", "include_hidden_sheets=maybe", f"{SEPARATOR}=|"])
def test_other_names_and_values_are_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        option(text)


def test_a_request_has_the_options_in_their_groups() -> None:
    assert as_request({"a.b.c": 1, "a.b.d": 2, "a.e": 3}) == {"a": {"b": {"c": 1, "d": 2}, "e": 3}}
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    sent = ["file.pdf", "--high-res-ocr", "--ignore-hidden-text"]
    sent += ["--option", "ignore_diagonal_text", "--option", "annotate_links", "--option", "annotate_links=false"]
    body = configuration(parser.parse_args(sent), None)
    assert body["processing_options"] == {
        "ocr_parameters": {"high_res_ocr": True},
        "ignore": {"ignore_hidden_text": True, "ignore_diagonal_text": True},
    }
    assert body["output_options"] == {"markdown": {"annotate_links": False}}


@pytest.mark.parametrize(
    ("sent", "named"),
    [
        (["--option", "a.b=1", "--option", "a.b.c=2"], "a.b"),
        (["--option", "a.b.c=2", "--option", "a.b=1"], "a.b.c"),
        (["--option", "processing_options.ignore=1", "--ignore-hidden-text"], "processing_options.ignore"),
        (
            ["--ignore-hidden-text", "--option", "processing_options.ignore.ignore_hidden_text=false"],
            "processing_options.ignore.ignore_hidden_text",
        ),
    ],
)
def test_options_that_contradict_each_other_are_wrong_usage(
    sent: list[str],
    named: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LEAFMILL_API_KEY", "lm_key")
    document = tmp_path / "file.pdf"
    document.write_bytes(b"%PDF-1.4")

    code = main([str(document), "--server", "http://127.0.0.1:1", *sent])

    message = capsys.readouterr().err
    assert (code, message.partition(": ")[0]) == (USAGE, "invalid_option"), message
    assert f"--option {named} " in message
