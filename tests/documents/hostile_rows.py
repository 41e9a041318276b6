"""All hostile documents by their row in the table of hostile inputs (docs/reliability.md): 28 to 102."""

from __future__ import annotations

from tests.documents import (
    hostile_bombs,
    hostile_containers,
    hostile_files,
    hostile_images,
    hostile_structure,
    hostile_text,
)
from tests.documents.hostile import Hostile

ROWS: list[Hostile] = [
    *hostile_files.ROWS,
    *hostile_structure.ROWS,
    *hostile_bombs.ROWS,
    *hostile_text.ROWS,
    *hostile_images.ROWS,
    *hostile_containers.ROWS,
]
