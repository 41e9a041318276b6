"""Equations of web pages, books and OpenDocument files are LaTeX."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from apps.pages.office.equations import mathml
from tests.unit.pages.office.office_files import markdown, read
from tests.unit.pages.office.open_documents import zip_of

SPACE = 'xmlns="http://www.w3.org/1998/Math/MathML"'
HREF = 'xmlns:x="http://www.w3.org/1999/xlink" x:href="./Object 1"'


def latex(inside: str) -> str:
    return mathml.latex(etree.fromstring(f"<math {SPACE}>{inside}</math>"))


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("<mfrac><mn>1</mn><mi>x</mi></mfrac>", r"\frac{1}{x}"),
        ('<mfrac linethickness="0"><mi>n</mi><mi>k</mi></mfrac>', r"\genfrac{}{}{0pt}{}{n}{k}"),
        ("<msqrt><mi>x</mi><mo>+</mo><mn>1</mn></msqrt>", r"\sqrt{x+1}"),
        ("<mroot><mi>x</mi><mn>3</mn></mroot>", r"\sqrt[3]{x}"),
        ("<msup><mrow><mi>a</mi><mi>b</mi></mrow><mn>2</mn></msup>", "{ab}^{2}"),
        ("<msub><mi>α</mi><mi>i</mi></msub>", r"\alpha_{i}"),
        ("<msubsup><mo>∫</mo><mn>0</mn><mi>∞</mi></msubsup><mi>x</mi>", r"\int_{0}^{\infty }x"),
        ("<munderover><mo>∑</mo><mi>i</mi><mi>n</mi></munderover>", r"\sum_{i}^{n}"),
        ("<munder><mo>lim</mo><mi>x</mi></munder>", r"\lim_{x}"),
        ("<munder><mi>a</mi><mi>b</mi></munder>", r"\underset{b}{a}"),
        ("<mover><mi>x</mi><mo>¯</mo></mover>", r"\overline{x}"),
        ("<mover><mi>a</mi><mi>b</mi></mover>", r"\overset{b}{a}"),
        ("<munderover><mi>a</mi><mi>b</mi><mi>c</mi></munderover>", r"\overset{c}{\underset{b}{a}}"),
        ("<mmultiscripts><mi>C</mi><mn>1</mn><none/><mprescripts/><mn>6</mn><mn>14</mn></mmultiscripts>",
         "{}_{6}^{14}C_{1}"),
        ('<mfenced separators=";"><mi>a</mi><mi>b</mi></mfenced>', r"\left( a;b\right)"),
        ("<mtable><mtr><mtd><mn>1</mn></mtd><mtd><mn>0</mn></mtd></mtr><mtr><mtd><mi>x</mi></mtd></mtr></mtable>",
         r"\begin{matrix}1 & 0 \\ x\end{matrix}"),
        ("<mi>sin</mi><mi>x</mi><mo>≤</mo><mi>rank</mi>", r"\sin x\le \mathrm{rank}"),
        ("<mtext>for each </mtext><mi>x</mi>", r"\text{for each }x"),
        ('<menclose notation="box"><mi>x</mi></menclose>', r"\boxed{x}"),
        ('<semantics><mi>x</mi><annotation encoding="StarMath 5.0">x</annotation></semantics>', "x"),
        ('<semantics><mi>?</mi><annotation encoding="application/x-tex">x_1</annotation></semantics>', "x_1"),
    ],
)  # fmt: skip
def test_an_equation_is_written_as_latex(inside: str, expected: str) -> None:
    assert latex(inside) == expected


def test_an_equation_that_is_nested_too_deeply_keeps_its_signs() -> None:
    root = etree.fromstring(f"<math {SPACE}/>")
    inner = root
    for _ in range(2_000):
        inner = etree.SubElement(inner, "msqrt")
    inner.text = "x"

    assert mathml.latex(root) == "x"


def test_equations_of_a_web_page_stay_in_their_sentence(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("<!doctype html><p>So <math><msup><mi>x</mi><mn>2</mn></msup></math> grows.</p>")

    assert markdown(read(path)[1][0]) == "So $x^{2}$ grows."


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("text", f"<text:p>So <draw:frame><draw:object {HREF}/></draw:frame> grows.</text:p>", "So $x^{2}$ grows."),
        ("text", f"<text:p><draw:frame><draw:object {HREF}/></draw:frame></text:p>", "$$ x^{2} $$"),
        ("presentation", f'<draw:page draw:name="p"><draw:frame><draw:object {HREF}/></draw:frame></draw:page>',
         "$$ x^{2} $$"),
        ("spreadsheet", (f'<table:table table:name="S"><table:shapes><draw:frame><draw:object {HREF}/></draw:frame>'
         "</table:shapes></table:table>"), "## S\n\n$$ x^{2} $$"),
    ],
)  # fmt: skip
def test_equations_inside_open_documents_are_read(tmp_path: Path, kind: str, body: str, expected: str) -> None:
    equation = f"<math {SPACE}><msup><mi>x</mi><mn>2</mn></msup></math>"
    path = zip_of(tmp_path / "document", kind, body, {"Object 1/content.xml": equation})

    facts, [page] = read(path)
    assert markdown(page) == expected
    assert "embedded_files_not_read" not in (*facts.warnings, *page.warnings)
