"""Figures that a page draws with lines, curves and areas: their places, and pictures of these parts of the page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from apps.pages.layout import rotated_pages
from apps.pages.layout.document.captions_notes import MAX_CAPTION_LINES, is_figure_label
from apps.pages.layout.tables import diagrams
from apps.pages.model.blocks import Block, BlockType, Page, Source
from apps.pages.model.geometry import Box, union
from apps.pages.model.ocr_reasons import WHOLE_PAGE_REASONS
from apps.pages.model.raw_page import RawPage
from apps.pages.model.text import scripts

# Marks of one figure are at most this far apart; a ruling touches what it belongs to.
MAX_GAP_POINTS, MAX_RULING_GAP_POINTS = 12.0, 4.0
# A mark that spans this share of the page is a frame, a background or a separator.
MAX_SPAN_SHARE, MAX_AREA_SHARE = 0.88, 0.6
# A figure is at least this wide and high, ...
MIN_WIDTH_POINTS, MIN_HEIGHT_POINTS = 72.0, 48.0
# ... and has this many shapes, one of them this large: letters drawn as outlines are smaller.
MIN_SHAPES, MIN_LARGE_POINTS = 5, 24.0
# With a caption fewer marks are enough.
MIN_MARKS_WITH_CAPTION = 4
# Thinner parts are rulings, such as that below a running head.
MIN_THICKNESS_POINTS = 3.0
MAX_CAPTION_SPACE_POINTS = 40.0
# A block with this many words or letters is text; at most this share of a figure is text.
MIN_TEXT_WORDS, MIN_TEXT_LETTERS, MAX_TEXT_SHARE = 14, 70, 0.2
# A figure without bars, scales and caption has at most this share of text and labels, and text of at most this many
# letters.
MAX_WRITTEN_SHARE, MAX_LETTERS = 0.4, 250
# A mark around a text that is this wide, as a share of the page, is the background of the text.
MIN_TEXT_WIDTH_SHARE = 0.3
# Labels are this near to their figure or its other labels, within this space.
MAX_LABEL_SPACE_POINTS, MAX_LABELS_POINTS = 8.0, 32.0
# A raster picture that covers this share of a figure is the figure.
MAX_PICTURE_SHARE = 0.3
# Figures are not looked for on a page with more marks (a drawing as a whole) or more clusters (a pattern): comparing
# them all would take too long.
MAX_MARKS, MAX_CLUSTERS = 4_000, 200


class _Cluster(msgspec.Struct):
    """Marks that are near each other. ``large``: how many shapes are larger than letters."""

    box: Box
    marks: int
    shapes: int
    large: int


def with_figures(page: Page, raw: RawPage) -> Page:
    """Return the page with the places of its drawn figures, and of those among them that are charts.

    ``raw``: the page turned upright.
    """
    if page.needs_ocr in WHOLE_PAGE_REASONS or not (raw.shapes or raw.fills or len(raw.rulings) > 1):
        return page
    charts = diagrams.charts_of(raw)
    captions = [block for block in page.blocks if is_figure_caption(block)]
    if not charts and not captions and len(raw.shapes) < MIN_SHAPES:
        return page
    upright = rotated_pages.upright_page(page)
    if page.rotation:
        captions = [block for block in upright.blocks if is_figure_caption(block)]
    clusters = _clusters(raw, upright.blocks, charts)
    for caption in captions:
        clusters = _joined_above(caption.box, clusters, upright)
    figures = [
        _with_labels(cluster.box, upright, captions)
        for cluster in clusters
        if _is_figure(cluster, upright, raw, charts, captions)
    ]
    if not figures:
        return page
    is_chart = [any(chart.overlaps(figure) for chart in charts) for figure in figures]

    def displayed(boxes: Iterable[Box]) -> tuple[Box, ...]:
        return tuple(rotated_pages.box_laid_back(box, page.rotation, page.width, page.height) for box in boxes)

    found = [figure for figure, chart in zip(figures, is_chart, strict=True) if chart]
    return msgspec.structs.replace(page, figures=displayed(figures), charts=displayed(found))


def is_figure_caption(block: Block) -> bool:
    return 0 < len(block.lines) <= MAX_CAPTION_LINES and is_figure_label(block.text)


def _is_text(block: Block) -> bool:
    """Return True for a block with more words than a label; numbers are those of a scale."""
    letters = sum(map(str.isalpha, block.text))
    needed = MIN_TEXT_LETTERS // 3 if block.text and scripts.wraps_anywhere(block.text[0]) else MIN_TEXT_LETTERS
    return letters >= needed or sum(any(map(str.isalpha, word)) for word in block.text.split()) >= MIN_TEXT_WORDS


def _clusters(raw: RawPage, blocks: Sequence[Block], charts: Sequence[Box]) -> list[_Cluster]:
    """Return the marks of a page that are near each other or of one chart, without tables, frames and backgrounds."""
    tables = [block.box for block in blocks if block.type is BlockType.TABLE]
    texts = [block.box for block in blocks if block.box.width > MIN_TEXT_WIDTH_SHARE * raw.width and _is_text(block)]

    def is_part(box: Box) -> bool:
        wide, tall = box.width / raw.width, box.height / raw.height
        return (
            wide < MAX_SPAN_SHARE
            and tall < MAX_SPAN_SHARE
            and wide * tall < MAX_AREA_SHARE
            and not any(table.contains(box, slack=3.0) for table in tables)
            and not any(box.contains(text) for text in texts)
        )

    found: list[_Cluster] = []
    marks = [(box, MAX_GAP_POINTS, 1) for box in raw.shapes if is_part(box)]
    marks += [(box, MAX_GAP_POINTS, 0) for box in [*raw.fills, *charts] if is_part(box)]
    marks += [(box, MAX_RULING_GAP_POINTS, 0) for box in raw.rulings if is_part(box)]
    if len(marks) > MAX_MARKS:
        return []
    marks.sort(key=lambda mark: mark[0].width * mark[0].height, reverse=True)
    for box, gap, shapes in marks:
        new = _Cluster(box, 1, shapes, int(shapes and max(box.width, box.height) >= MIN_LARGE_POINTS))
        around = next((each for each in found if each.box.contains(box)), None)
        if around is not None:
            around.marks += new.marks
            around.shapes += new.shapes
            around.large += new.large
            continue
        while near := _overlapping(_grown(new.box, gap), found):
            found = [each for each in found if each not in near]
            new = _joined([new, *near])
        found.append(new)
        if len(found) > MAX_CLUSTERS:
            return []
    return found


def _overlapping(box: Box, clusters: Sequence[_Cluster]) -> list[_Cluster]:
    return [cluster for cluster in clusters if cluster.box.overlaps(box)]


def _joined(parts: Sequence[_Cluster]) -> _Cluster:
    return _Cluster(
        union(part.box for part in parts),
        sum(part.marks for part in parts),
        sum(part.shapes for part in parts),
        sum(part.large for part in parts),
    )


def _joined_above(caption: Box, clusters: list[_Cluster], page: Page) -> list[_Cluster]:
    """Return the clusters with those between a caption and the text above it, in its column, as one: its figure."""
    texts = [block.box for block in page.blocks if _is_text(block) or block.cells or is_figure_caption(block)]
    column = union([caption, *(text for text in texts if text.x0 < caption.x1 and caption.x0 < text.x1)])
    in_column = [text for text in texts if text.x0 < column.x1 and column.x0 < text.x1]
    top = max((text.bottom for text in in_column if text.bottom <= caption.top + 1), default=0.0)
    parts = [
        cluster
        for cluster in clusters
        if column.x0 - 1 <= (cluster.box.x0 + cluster.box.x1) / 2 <= column.x1 + 1
        and top - 1 <= cluster.box.top
        and cluster.box.bottom <= caption.top + 3
        and max(cluster.box.width, cluster.box.height) >= MIN_LARGE_POINTS
        and min(cluster.box.width, cluster.box.height) > MIN_THICKNESS_POINTS
    ]
    if len(parts) < 2 or not any(part.shapes for part in parts):
        return clusters
    return [cluster for cluster in clusters if cluster not in parts] + [_joined(parts)]


def _is_figure(cluster: _Cluster, page: Page, raw: RawPage, charts: Sequence[Box], captions: Sequence[Block]) -> bool:
    box = cluster.box
    area = box.width * box.height
    if box.width < MIN_WIDTH_POINTS or box.height < MIN_HEIGHT_POINTS:
        return False
    if area > MAX_SPAN_SHARE * raw.width * raw.height or any(_covers(picture, box) for picture in raw.pictures):
        return False
    written = texts = 0.0
    letters = 0
    for block in page.blocks:
        shared = _shared_area(block.box, box)
        written += shared
        if shared and (block.cells or _is_text(block)):
            texts += shared
            letters += len(block.text)
    if texts > MAX_TEXT_SHARE * area:
        return False
    if any(chart.overlaps(box) for chart in charts):
        return True
    if any(_is_caption_of(caption.box, box) for caption in captions):
        return cluster.marks >= MIN_MARKS_WITH_CAPTION
    if written > MAX_WRITTEN_SHARE * area or letters > MAX_LETTERS or _touches_edge(box, page):
        return False
    return cluster.shapes >= MIN_SHAPES and cluster.large > 0


def _touches_edge(box: Box, page: Page) -> bool:
    """Return True for a decoration that is cut at an edge of the page."""
    return box.x0 < 1 or box.top < 1 or box.x1 > page.width - 1 or box.bottom > page.height - 1


def _is_caption_of(caption: Box, figure: Box) -> bool:
    shared = min(caption.x1, figure.x1) - max(caption.x0, figure.x0)
    space = max(figure.top - caption.bottom, caption.top - figure.bottom)
    return shared > 0.3 * min(caption.width, figure.width) and space <= MAX_CAPTION_SPACE_POINTS


def _covers(picture: Box, figure: Box) -> bool:
    return _shared_area(picture, figure) > MAX_PICTURE_SHARE * figure.width * figure.height


def _shared_area(first: Box, second: Box) -> float:
    shared = first.intersection(second)
    return shared.width * shared.height if shared else 0.0


def _with_labels(figure: Box, page: Page, captions: Sequence[Block]) -> Box:
    """Return the place of a figure with the labels beside it."""
    outer = _grown(figure, MAX_LABELS_POINTS)
    labels = [
        line.box
        for block in page.blocks
        if block not in captions and not _is_text(block)
        for line in block.lines
        if outer.contains(line.box)
    ]
    for _ in range(2):
        near = _grown(figure, MAX_LABEL_SPACE_POINTS)
        figure = union([figure, *(label for label in labels if near.overlaps(label))])
    return figure.clipped(page.width, page.height)


def _grown(box: Box, space: float) -> Box:
    return Box(box.x0 - space, box.top - space, box.x1 + space, box.bottom + space)


def with_figures_as_pictures(page: Page, blocks: Sequence[Block]) -> list[Block]:
    """Return the blocks with a picture for each drawn figure, before the labels inside of it.

    There is none where the page has a picture already, and on pages whose blocks a model wrote.
    """
    result = list(blocks)
    if not page.figures or any(block.source is Source.MODEL for block in blocks):
        return result
    pictures = [block.box for block in blocks if block.type is BlockType.PICTURE]
    for figure in page.figures:
        if not any(
            _shared_area(figure, picture) > MAX_PICTURE_SHARE * figure.width * figure.height for picture in pictures
        ):
            picture = Block(BlockType.PICTURE, figure, is_chart=figure in page.charts)
            result.insert(_place_of(result, figure), picture)
            pictures.append(figure)
    return result


def _place_of(blocks: Sequence[Block], figure: Box) -> int:
    """Return the place of the first label of a figure, or the one after the nearest block above."""
    inside = next((index for index, block in enumerate(blocks) if figure.overlaps(block.box)), None)
    if inside is not None:
        return inside
    above = [index for index, block in enumerate(blocks) if block.box.bottom <= figure.top]
    return 1 + max(above, key=lambda index: blocks[index].box.bottom) if above else 0
