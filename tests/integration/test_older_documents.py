"""LibreOffice itself converts documents of older programs for ``manage.py parse``."""

from __future__ import annotations

import gzip
import socket
from pathlib import Path

import pytest

from tests.integration.test_parse_command import parse
from tests.unit.pages.conversion.fake_office import open_folder

DOCUMENTS = Path(__file__).resolve().parents[1] / "documents" / "older"
LINKS = """\
<?xml version="1.0" encoding="UTF-8"?>
<office:document xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0"
 xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" xmlns:xlink="http://www.w3.org/1999/xlink"
 xmlns:svg="urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0"
 xmlns:script="urn:oasis:names:tc:opendocument:xmlns:script:1.0"
 xmlns:ooo="http://openoffice.org/2004/office" office:version="1.3"
 office:mimetype="application/vnd.oasis.opendocument.text">
<office:scripts><office:script script:language="ooo:Basic"><ooo:libraries>
<ooo:library-embedded ooo:name="Standard"><ooo:module ooo:name="One"><ooo:source-code>
Sub Main
  Open "{made}" For Output As #1
  Print #1, "made"
  Close #1
End Sub
</ooo:source-code></ooo:module></ooo:library-embedded></ooo:libraries></office:script>
<office:event-listeners><script:event-listener script:language="ooo:script" script:event-name="dom:load"
 xlink:href="vnd.sun.star.script:Standard.One.Main?language=Basic&amp;location=document" xlink:type="simple"/>
</office:event-listeners></office:scripts>
<office:body><office:text>
<text:p>Before the links</text:p>
<text:section text:name="linked"><text:section-source xlink:href="file://{canary}" xlink:type="simple"/>
<text:p>stored text of the section</text:p></text:section>
<text:section text:name="remote"><text:section-source xlink:href="{sink}/section.odt" xlink:type="simple"/>
<text:p>stored text of the other section</text:p></text:section>
<text:p><draw:frame svg:width="2cm" svg:height="2cm"><draw:image xlink:href="{sink}/picture.png" xlink:type="simple"/>
</draw:frame></text:p>
<text:p><draw:frame svg:width="2cm" svg:height="2cm"><draw:object-ole xlink:href="{sink}/object"/></draw:frame></text:p>
</office:text></office:body></office:document>
"""


def test_a_letter_is_read_from_its_structure() -> None:
    done = parse(DOCUMENTS / "letter.doc")

    assert done.returncode == 0, done.stderr.decode()
    text = done.stdout.decode()
    assert text.startswith("# Offer 17\n")
    assert "<td>Grüße – nut</td><td>80</td>" in text
    assert "- Delivery by lorry" in text
    assert b"document_converted: " in done.stderr


def test_slides_are_pages(tmp_path: Path) -> None:
    path = tmp_path / "slides.doc"  # the name does not decide
    path.write_bytes(gzip.decompress((DOCUMENTS / "slides.ppt.gz").read_bytes()))
    done = parse(path)

    assert done.returncode == 0, done.stderr.decode()
    assert "- Sales rose by 12 %" in done.stdout.decode()
    assert "Open a site in Lyon" in done.stdout.decode()


def test_a_drawing_is_read_as_print() -> None:
    done = parse(DOCUMENTS / "drawing.fodg", "--format", "json")

    assert done.returncode == 0, done.stderr.decode()
    assert b"Pump station north" in done.stdout


@pytest.mark.parametrize(
    ("password", "code", "text"),
    [("sesame", 0, b"The harbour opens at six."), ("wrong", 3, b"wrong_password: ")],
)
def test_a_password_opens_an_older_document(tmp_path: Path, password: str, code: int, text: bytes) -> None:
    secret = tmp_path / "password"
    secret.write_text(f"{password}\n")

    done = parse(DOCUMENTS / "password.doc", "--password-file", secret)

    assert done.returncode == code
    assert text in done.stdout + done.stderr


def test_links_and_macros_of_a_document_reach_nothing() -> None:
    with open_folder() as folder, socket.create_server(("127.0.0.1", 0)) as sink:
        folder.chmod(0o777)
        canary, made, document = folder / "canary.odt", folder / "made.txt", folder / "links.fodt"
        canary.write_text("secret of this machine")
        port = sink.getsockname()[1]
        document.write_text(LINKS.format(canary=canary, made=made, sink=f"http://127.0.0.1:{port}"))

        done = parse(document)

        assert done.returncode == 0, done.stderr.decode()
        assert "Before the links" in done.stdout.decode()
        assert "secret of this machine" not in done.stdout.decode()
        sink.settimeout(0)
        with pytest.raises(BlockingIOError):
            sink.accept()
        assert not made.exists()


def test_without_a_converter_the_packages_are_named() -> None:
    done = parse(DOCUMENTS / "letter.doc", CONVERTER="off")

    assert done.returncode == 3
    assert done.stderr.startswith(b"converter_missing: ")
    assert b"libreoffice-writer-nogui" in done.stderr
