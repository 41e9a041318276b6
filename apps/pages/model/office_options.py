"""How files of office programs, web pages and plain text are read."""

from __future__ import annotations

import msgspec


class OfficeOptions(msgspec.Struct, frozen=True, omit_defaults=True):
    """``suffix``: of the document's name, such as ".csv"; it decides only between kinds of plain text.

    Spreadsheets: ``hidden_sheets`` are pages, too; ``sub_tables``: the tables of a sheet, parted by empty rows and
    columns, are tables of their own; ``computes_formulas``: all formulas are computed anew.
    Presentations: ``hidden_slides`` are pages, too; ``outside_content``: what is outside of the slide is read;
    ``skips_embedded_data``: the data of charts is not read.
    Web pages: ``all_elements_visible``: hidden elements are read; ``no_fixed_elements`` and ``no_navigation``: elements
    with a fixed place, menus and side bars are left out. ``revisions``: tracked changes and comments are listed.
    """

    suffix: str = ""
    hidden_sheets: bool = False
    sub_tables: bool = False
    computes_formulas: bool = False
    hidden_slides: bool = False
    outside_content: bool = False
    skips_embedded_data: bool = False
    all_elements_visible: bool = False
    no_fixed_elements: bool = False
    no_navigation: bool = False
    revisions: bool = False


AS_USUAL = OfficeOptions()
