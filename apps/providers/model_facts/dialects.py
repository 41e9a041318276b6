"""Dialects: how a model is asked for a page, and the form of its answer.

A model that is made for documents knows one prompt and answers in a form of its own. The prompts are the models' own
words, and so are the sizes of pictures; ``documentation`` says where they are from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Dialect:
    """One form. ``prompt``: what such a model is asked, "" for our own prompts, which take a request's instructions.

    ``picture_pixels``: the longest side of the page's picture; 0 for that of the model's family. ``parameters``: what
    each request adds at a server of one's own (vLLM); its tokens for boxes are special and would not be sent otherwise.
    """

    label: str
    documentation: str
    prompt: str = ""
    picture_pixels: int = 0
    parameters: Mapping[str, Any] = field(default_factory=dict)


_EXACT = {"temperature": 0.0}
_WITH_SPECIAL_TOKENS = {**_EXACT, "skip_special_tokens": False}
_DOTS_PROMPT = """\
Please output the layout information from the PDF image, including each layout element's bbox, its category, and the \
corresponding text content within the bbox.

1. Bbox format: [x1, y1, x2, y2]

2. Layout Categories: The possible categories are ['Caption', 'Footnote', 'Formula', 'List-item', 'Page-footer', \
'Page-header', 'Picture', 'Section-header', 'Table', 'Text', 'Title'].

3. Text Extraction & Formatting Rules:
    - Picture: For the 'Picture' category, the text field should be omitted.
    - Formula: Format its text as LaTeX.
    - Table: Format its text as HTML.
    - All Others (Text, Title, etc.): Format their text as Markdown.

4. Constraints:
    - The output text must be the original text from the image, with no translation.
    - All layout elements must be sorted according to human reading order.

5. Final Output: The entire output must be a single JSON object.
"""
_OLMOCR_PROMPT = """\
Attached is one page of a document that you must process. Just return the plain text representation of this document \
as if you were reading it naturally. Convert equations to LateX and tables to HTML.
If there are any figures or charts, label them with the following markdown syntax ![Alt text describing the contents \
of the figure](page_startx_starty_width_height.png)
Return your output as markdown, with a front matter section on top specifying values for the primary_language, \
is_rotation_valid, rotation_correction, is_table, and is_diagram parameters."""
_NANONETS_PROMPT = """\
Extract the text from the above document as if you were reading it naturally. Return the tables in html format. Return \
the equations in LaTeX representation. If there is an image in the document and image caption is not present, add a \
small description of the image inside the <img></img> tag; otherwise, add the image caption inside <img></img>. \
Watermarks should be wrapped in brackets. Ex: <watermark>OFFICIAL COPY</watermark>. Page numbers should be wrapped in \
brackets. Ex: <page_number>14</page_number> or <page_number>9/22</page_number>. Prefer using ☐ and ☑ for check boxes."""

OWN = ""
"""The dialect of general models: our prompts, Markdown and an end line."""
DIALECTS: dict[str, Dialect] = {
    OWN: Dialect("our own prompts", "docs/modes.md"),
    "markdown": Dialect(
        "plain Markdown, with a short prompt",
        "docs/providers.md",
        "Convert this page to Markdown. Write every word and number as it is printed, tables as HTML and formulas as "
        "LaTeX. Answer with the Markdown and nothing else.",
        1540,
    ),
    "olmocr": Dialect("olmOCR", "https://github.com/allenai/olmocr", _OLMOCR_PROMPT, 1288, _EXACT),
    "dots_ocr": Dialect("dots.ocr", "https://github.com/rednote-hilab/dots.ocr", _DOTS_PROMPT, 2324, _EXACT),
    "paddleocr_vl": Dialect("PaddleOCR-VL", "https://github.com/PaddlePaddle/PaddleOCR", "OCR:", 1540, _EXACT),
    "doctags": Dialect(
        "DocTags (granite-docling, SmolDocling)",
        "https://huggingface.co/ibm-granite/granite-docling-258M",
        "Convert this page to docling.",
        1540,
        _WITH_SPECIAL_TOKENS,
    ),
    "nanonets_ocr": Dialect(
        "Nanonets-OCR", "https://huggingface.co/nanonets/Nanonets-OCR2-3B", _NANONETS_PROMPT, 1540, _EXACT
    ),
    "mineru": Dialect(
        "MinerU 2.5",
        "https://github.com/opendatalab/mineru-vl-utils",
        "\nDocument Parsing:",
        1540,
        _WITH_SPECIAL_TOKENS,
    ),
    "deepseek_ocr": Dialect(
        "DeepSeek-OCR",
        "https://github.com/deepseek-ai/DeepSeek-OCR",
        "<|grounding|>Convert the document to markdown.",
        1280,
        _WITH_SPECIAL_TOKENS,
    ),
}
MIN_PICTURE_PIXELS, MAX_PICTURE_PIXELS = 256, 4_000


def dialect_problems(
    *, dialect: object, prompt: object, picture_pixels: object, page_parsers: Sequence[object]
) -> list[str]:
    """Return the problems of a deployment's form as sentences that begin with the name of the setting."""
    if dialect not in DIALECTS:
        known = ", ".join(name for name in DIALECTS if name)
        return [f"dialect: {str(dialect)[:60]!r} is not one of {known}"]
    problems = []
    if not isinstance(prompt, str) or (prompt and dialect == OWN):
        problems.append("prompt: a text is expected, beside a dialect; a general model gets our own prompts")
    is_number = isinstance(picture_pixels, int) and not isinstance(picture_pixels, bool)
    if picture_pixels is not None and not (is_number and MIN_PICTURE_PIXELS <= picture_pixels <= MAX_PICTURE_PIXELS):  # type: ignore[operator]
        problems.append(f"picture_pixels: {MIN_PICTURE_PIXELS} to {MAX_PICTURE_PIXELS} is expected")
    if dialect != OWN and list(page_parsers) != ["lvm"]:
        problems.append("dialect: a model with its own form reads the pictures of pages, so it can serve lvm only")
    return problems
