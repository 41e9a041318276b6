"""The document of the command as a PDF: as it is, converted, or printed by LibreOffice on this machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from apps.pages.conversion.converter import PACKAGES
from apps.pages.model.conversions import Conversion, conversion_of, print_of
from apps.pages.model.document_facts import DocumentFacts
from apps.pages.model.errors import ConverterMissing, DocumentError
from apps.pages.model.media_types import PDF, is_structured
from apps.pages.model.office_options import OfficeOptions
from apps.pages.sandbox.client import Limits, Reader

NO_PROGRAM = (
    "Office documents are printed to PDF by LibreOffice, which this machine does not have. Install it "
    f"(Debian, Ubuntu: sudo apt-get install {PACKAGES})."
)


class NoPdf(DocumentError):
    """The document is not a PDF, and none is made of it. Ask for another format, such as --format docx."""

    code = "not_found"


@dataclass(frozen=True)
class LocalPrints:
    """``document``: as it was given to the command; ``convert`` returns the path of the converted one."""

    reader: Reader
    document: Path
    password: str | None
    office: OfficeOptions
    limits: Limits
    convert: Callable[[Path, Conversion], Path]

    def pdf(self) -> Path:
        """Return the document as a PDF. Raise NoPdf or another DocumentError."""
        if self._facts.media_type == PDF:
            return self.document
        if printed := self.printed():
            return printed
        conversion = conversion_of(self._facts.media_type)
        if conversion is None or conversion.target.media_type != PDF:
            if is_structured(self._facts.media_type):
                raise NoPdf
            raise NoPdf("The document is a picture, of which no PDF is made. Ask for --format searchable_pdf.")
        return self.convert(self.document, conversion)

    def printed(self) -> Path | None:
        """Print the document, and return the path of the PDF; None if it is no office document. Raise DocumentError."""
        conversion = print_of(self._facts.media_type, hidden_slides=self.office.hidden_slides)
        if conversion is None:
            return None
        try:
            return self.convert(self.document, conversion)
        except ConverterMissing as error:
            raise ConverterMissing(NO_PROGRAM) from error

    @cached_property
    def _facts(self) -> DocumentFacts:
        return self.reader.inspect(self.document, password=self.password, office=self.office, limits=self.limits)
