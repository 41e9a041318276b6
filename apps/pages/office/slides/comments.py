"""Read the comments of a slide, older ones and threads, with their authors."""

from __future__ import annotations

from collections.abc import Mapping

from apps.pages.model.blocks import Block, BlockType, Revision
from apps.pages.model.geometry import NO_BOX
from apps.pages.model.text.safe_text import clean
from apps.pages.office.archive import Archive
from apps.pages.office.drawing import texts
from apps.pages.office.xml_parts import Relationship, local_name, part, relationships


def authors_of(archive: Archive, links: Mapping[str, Relationship]) -> dict[str, str]:
    """Return the names of authors by id. ``links``: what the presentation refers to."""
    names = {}
    for link in links.values():
        root = part(archive, link.target) if link.kind in ("commentAuthors", "authors") else None
        for author in root if root is not None else ():
            names[author.get("id", "")] = clean(author.get("name", ""))
    return names


def comments_of(archive: Archive, slide_name: str, authors: Mapping[str, str]) -> list[Revision]:
    """Return the comments of a slide, answers after what they answer."""
    found = []
    for link in relationships(archive, slide_name).values():
        root = part(archive, link.target) if link.kind == "comments" else None
        for element in root.iter("{*}cm", "{*}reply") if root is not None else ():
            body = element.find("{*}txBody")
            if body is not None:
                text = "\n".join(paragraph.text for paragraph in texts.paragraphs_of(body))
            else:
                text = clean(next((child.text or "" for child in element if local_name(child) == "text"), "")).strip()
            if text:
                found.append(Revision("comment", text, author=authors.get(element.get("authorId", ""), "")))
    return found


def block_of(comment: Revision) -> Block:
    text = f"{comment.author}: {comment.content}" if comment.author else comment.content
    return Block(type=BlockType.FOOTNOTE, box=NO_BOX, text=text)
