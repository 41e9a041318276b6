"""Add the signatures that were found on a scan to its blocks."""

from __future__ import annotations

import msgspec

from apps.pages.layout.barcodes import place_below
from apps.pages.layout.straightened import as_displayed
from apps.pages.model.blocks import Block, BlockType, Page, Signature, Source
from apps.pages.model.recognition import Recognition

SIGNATURE = "Signature"
"""What Markdown says of a signature."""


def with_signatures(page: Page, recognition: Recognition) -> Page:
    """Return the page with a picture for each signature, unless it is in a signature field of the page."""
    blocks, signatures = list(page.blocks), list(page.signatures)
    for one in recognition.signatures:
        box = as_displayed(one.box, recognition)
        if any(known.box.overlaps(box) for known in page.signatures):
            continue
        signatures.append(Signature(is_signed=True, box=box, confidence=one.confidence))
        picture = Block(
            BlockType.PICTURE,
            box,
            source=Source.OCR,
            confidence=one.confidence,
            description=SIGNATURE,
            is_signature=True,
        )
        blocks.insert(place_below(blocks, box), picture)
    return msgspec.structs.replace(page, blocks=tuple(blocks), signatures=tuple(signatures))
