"""Texts of many scripts, born digital (by Pango) and as scans, in fonts that ``scripts/test_servers.sh`` installs."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

_FOLDER = Path("/usr/share/fonts/truetype")
DPI = 200
_MARGIN, _WIDTH, _HEIGHT, _SIZE = 150, 1654, 1170, 40
_COLUMN_LETTERS = 18


class Sample(NamedTuple):
    """A text (from the Universal Declaration of Human Rights) with its font: a family, and a file."""

    text: str
    family: str
    file: str
    rightward: bool = True


_DEJAVU = "DejaVu Sans", "dejavu/DejaVuSans.ttf"
_WQY = "WenQuanYi Micro Hei", "wqy/wqy-microhei.ttc"
SAMPLES = {
    "arabic": Sample(
        "يولد جميع الناس أحراراً متساوين في الكرامة والحقوق وقد وهبوا عقلاً وضميراً",
        *_DEJAVU,
        rightward=False,
    ),
    "persian": Sample(
        "تمام افراد بشر آزاد به دنیا می\u200cآیند و از لحاظ حیثیت و حقوق با هم برابرند همه دارای عقل و وجدان هستند",
        *_DEJAVU,
        rightward=False,
    ),
    "hebrew": Sample(
        "כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם כולם חוננו בתבונה ובמצפון לפיכך חובה עליהם לנהוג",
        *_DEJAVU,
        rightward=False,
    ),
    "hindi": Sample(
        "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है उन्हें बुद्धि की देन",
        "Lohit Devanagari",
        "lohit-devanagari/Lohit-Devanagari.ttf",
    ),
    "thai": Sample(
        "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ ต่างมีเหตุผลและมโนธรรม และควรปฏิบัติต่อกัน",
        "Loma",
        "tlwg/Loma.ttf",
    ),
    "korean": Sample("모든 인간은 태어날 때부터 자유로우며 그 존엄과", *_WQY),
    "japanese": Sample(
        "すべての人間は生まれながらにして自由でありかつ尊厳と権利とについて平等である人間は理性と良心とを授けられている",
        *_WQY,
    ),
    "chinese": Sample(
        "人人生而自由在尊严和权利上一律平等他们赋有理性和良心并应以兄弟关系的精神相对待人人有资格享受本宣言所载的权利",
        *_WQY,
    ),
}


def born_digital(name: str, folder: Path) -> Path:
    """Write a PDF of a sample and return its path."""
    sample, path = SAMPLES[name], folder / f"{name}.pdf"
    layout = (f"--font={sample.family} 14", "--width=380", "--wrap=word", "--margin=40")
    subprocess.run(
        ["pango-view", "--no-display", "-q", *layout, f"--text={sample.text}", "-o", str(path)],
        check=True,
    )
    return path


def scan(name: str) -> Image.Image:
    """Return a grey page with a sample in lines of its width."""
    sample = SAMPLES[name]
    page = Image.new("L", (_WIDTH, _HEIGHT), 255)
    draw = ImageDraw.Draw(page)
    font = ImageFont.truetype(str(_FOLDER / sample.file), _SIZE)
    for number, line in enumerate(_lines(sample.text, draw, font)):
        x = _MARGIN if sample.rightward else _WIDTH - _MARGIN - draw.textlength(line, font=font)
        draw.text((x, _MARGIN + 1.8 * _SIZE * number), line, font=font, fill=0)
    return page


def vertical_scan(name: str) -> Image.Image:
    """Return a grey page with a sample in columns from the right."""
    sample = SAMPLES[name]
    page = Image.new("L", (_WIDTH, _HEIGHT), 255)
    draw = ImageDraw.Draw(page)
    font = ImageFont.truetype(str(_FOLDER / sample.file), _SIZE)
    for place, letter in enumerate(sample.text):
        column, row = divmod(place, _COLUMN_LETTERS)
        x = _WIDTH - _MARGIN - round(1.8 * _SIZE * (column + 1))
        draw.text((x, _MARGIN + 1.15 * _SIZE * row), letter, font=font, fill=0)
    return page


def _lines(text: str, draw: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont) -> list[str]:
    glue = " " if " " in text else ""
    lines = [""]
    for word in text.split() if glue else text:
        longer = f"{lines[-1]}{glue}{word}" if lines[-1] else word
        if draw.textlength(longer, font=font) > _WIDTH - 2 * _MARGIN:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
