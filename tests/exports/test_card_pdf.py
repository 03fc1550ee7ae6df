"""Test the card files: a QR code for any decoder, embedded fonts, no network access."""

from __future__ import annotations

import ctypes
import io
import subprocess
import sys

import pypdfium2
import pytest
import zxingcpp
from PIL import Image

from pro.errors import NotAllowed
from pro.exports import card_pdf
from pro.exports.card_pdf import PrintedCard, print_card

LINK = "https://epro.example.org/c/Ab3_-xY9kQ0mZt5LwN7v2g"
PAGE = """<!doctype html><html lang="zh-Hans-CN"><head><title>卡片</title><style>@page{size:297mm 210mm;margin:10mm}
img{width:50mm;height:50mm}b{font-weight:700}</style></head><body><img src="qr:%s" alt="QR">
<p>用微信扫一扫 <b>急救电话120</b></p><p lang="en">Scan this</p></body></html>"""


@pytest.fixture(scope="module")
def printed() -> PrintedCard:
    """Return one card, drawn once."""
    return print_card(PAGE % LINK)


def test_the_picture_holds_the_link_for_a_phone(printed: PrintedCard) -> None:
    image = Image.open(io.BytesIO(printed.png))
    assert image.size == (2339, 1654)
    assert [found.text for found in zxingcpp.read_barcodes(image)] == [LINK]


def test_the_printed_sheet_holds_it_too_even_small_and_grey(printed: PrintedCard) -> None:
    page = pypdfium2.PdfDocument(printed.pdf)[0]
    assert [round(side / 72 * 25.4) for side in page.get_size()] == [297, 210]
    # A bad copier: 75 dots an inch, black on grey.
    image = page.render(scale=75 / 72).to_pil().convert("L").point(lambda value: 90 + value // 3)
    assert [found.text for found in zxingcpp.read_barcodes(image)] == [LINK]


def test_the_words_are_text_and_their_letters_are_inside(printed: PrintedCard) -> None:
    document = pypdfium2.PdfDocument(printed.pdf)
    text = document[0].get_textpage().get_text_range()
    for words in ("用微信扫一扫", "急救电话120", "Scan this"):
        assert words in text
    # A complete CJK font has more than 10 MB: only the glyphs in use are embedded.
    assert len(printed.pdf) < 500_000
    fonts = {name for found in document[0].get_objects() if (name := font_of(found))}
    assert fonts
    assert all("+" in name for name in fonts), "a subset carries a tag before its name"


def font_of(found: pypdfium2.PdfObject) -> str:
    """Return the name of a text object's font; "" for any other object."""
    if found.type != pypdfium2.raw.FPDF_PAGEOBJ_TEXT:
        return ""
    font = pypdfium2.raw.FPDFTextObj_GetFont(found)
    name = ctypes.create_string_buffer(200)
    assert 0 < pypdfium2.raw.FPDFFont_GetBaseFontName(font, name, 200) <= 200
    return name.value.decode()


@pytest.mark.parametrize(
    "source", ["https://127.0.0.1:1/x.png", "file:///etc/hostname", "logo.png", "data:text/plain,x"]
)
def test_nothing_is_fetched_from_anywhere(source: str) -> None:
    with pytest.raises(NotAllowed) as refused:
        print_card(f'<img src="{source}" alt="">')
    assert refused.value.why == "no_card_print"


def test_letters_that_no_font_has_are_refused_not_printed_as_boxes() -> None:
    with pytest.raises(NotAllowed) as refused:
        print_card("<p>\U0010fffd</p>")
    assert refused.value.why == "no_card_font"


def test_the_process_that_serves_pages_never_loads_the_libraries() -> None:
    code = (
        "import sys, app; sys.exit(bool({'weasyprint', 'segno', 'pypdfium2', 'PIL', 'fontTools'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=card_pdf.ROOT, timeout=60, check=False).returncode == 0
