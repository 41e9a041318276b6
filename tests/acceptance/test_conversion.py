"""A document of an older program through the API, a parse worker and a convert worker with LibreOffice."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from apps.pages.conversion.converter import AUTO, find_program
from tests.acceptance.backends import EMBEDDED, on_backends
from tests.acceptance.running_service import ROOT, RunningService

LETTER = ROOT / "tests/documents/older/letter.doc"
SLIDES = ROOT / "tests/documents/older/slides.ppt.gz"


@on_backends(EMBEDDED)
def test_a_letter_of_an_older_program_is_parsed(service: RunningService) -> None:
    service.settings["CONVERTER"] = str(find_program(AUTO))  # with auto, the worker's first report could be too late
    service.start_worker()
    service.start_worker("convert", "convert")

    job_id = service.upload(LETTER)

    assert service.wait(job_id) == "COMPLETED"
    answer = service.job(job_id, "markdown_full", "job_metadata")
    assert answer["markdown_full"].startswith("# Offer 17\n")
    assert answer["job_metadata"]["media_type"] == "application/msword"
    assert answer["job_metadata"]["converted_to"].endswith("wordprocessingml.document")
    assert [warning["code"] for warning in answer["job"]["warnings"]] == ["document_converted"]


@on_backends(EMBEDDED)
def test_slides_are_printed(service: RunningService, tmp_path: Path) -> None:
    service.settings["CONVERTER"] = str(find_program(AUTO))
    service.start_worker()
    service.start_worker("convert", "convert")
    slides = tmp_path / "slides.ppt"
    slides.write_bytes(gzip.decompress(SLIDES.read_bytes()))
    outputs = {"save_output_pdf": True, "images_to_save": ["screenshot"]}

    job_id = service.upload(
        slides, configuration=json.dumps({"tier": "fast", "version": "latest", "output_options": outputs})
    )

    assert service.wait(job_id) == "COMPLETED"
    answer = service.job(job_id, "output_pdf_content_metadata", "images_content_metadata")
    assert [warning["code"] for warning in answer["job"]["warnings"]] == ["document_converted"]
    screenshots = [image["filename"] for image in answer["images_content_metadata"]["images"]]
    assert screenshots == ["page_1.jpg", "page_2.jpg"]
    with service.client() as client:
        printed = client.get(answer["result_content_metadata"]["output_pdf"]["presigned_url"])
        screenshot = client.get(f"/api/v2/parse/{job_id}/images/page_2.jpg")
        of_first_api = f"/api/v1/parsing/job/{job_id}/result"
        also_printed, also_screenshot = (client.get(f"{of_first_api}/{name}") for name in ("pdf", "image/page_2.jpg"))
    assert printed.content.startswith(b"%PDF-")
    assert screenshot.content.startswith(b"\xff\xd8\xff")
    assert (also_printed.content, also_screenshot.content) == (printed.content, screenshot.content)
