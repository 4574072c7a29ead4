"""Codes as a phone sees them: drawn, photographed a little askew, and read by another library."""

import os
import re
import subprocess

import pytest
import zxingcpp
from PIL import Image, ImageFilter

#: Pixels of one square of a code.
PIXELS = 4
#: What the example shows on a screen, with how many codes at least.
SHOWN = {"request": 1, "activation": 2, "question for the time": 1, "the time": 1, "given back": 1}


def show(document, form):
    command = [os.environ["MINTREU_BIN"], "license", "show", "-", "--as", form]
    done = subprocess.run(command, input=document, capture_output=True, text=True, check=True)
    return done.stdout


def picture(printed):
    """The half blocks of a terminal as black and white squares."""
    lines = printed.rstrip("\n").split("\n")
    width = max(map(len, lines))
    image = Image.new("L", (width, 2 * len(lines)), 255)
    for row, line in enumerate(lines):
        for column, block in enumerate(line):
            if block in "█▀":
                image.putpixel((column, 2 * row), 0)
            if block in "█▄":
                image.putpixel((column, 2 * row + 1), 0)
    return image.resize((width * PIXELS, 2 * len(lines) * PIXELS), Image.NEAREST)


def photographed(image):
    """Held a little askew, further away, not quite in focus."""
    askew = image.rotate(3, expand=True, fillcolor=255, resample=Image.BICUBIC)
    smaller = askew.resize((askew.width * 4 // 5, askew.height * 4 // 5), Image.BICUBIC)
    return smaller.filter(ImageFilter.GaussianBlur(0.4))


def read(image):
    # Other kinds of code are seen in any noise.
    codes = zxingcpp.read_barcodes(image, formats=zxingcpp.BarcodeFormat.QRCode)
    return {found.text for found in codes}


@pytest.fixture(scope="session")
def documents():
    """Every document of a machine without a network, as the texts of its codes."""
    example = os.path.join(os.path.dirname(os.environ["MINTREU_BIN"]), "air_gapped")
    said = subprocess.run([example], capture_output=True, text=True, check=True).stdout
    found = re.findall(r"^([a-z ]+): \d+ code\(s\)\n((?:MT1:.*\n)+)", said, re.MULTILINE)
    return {name: codes.splitlines() for name, codes in found}


@pytest.mark.parametrize("name", SHOWN)
def test_what_is_on_a_screen_is_read_by_another_library(documents, name):
    codes = documents[name]
    assert len(codes) >= SHOWN[name]
    sheet = picture(show("\n".join(codes), "qr"))
    for image in [sheet, photographed(sheet)]:
        seen = read(image)
        assert seen == set(codes)
        # In whichever order they were read, they are the same document.
        again = "\n".join(sorted(seen, reverse=True))
        assert show(again, "text") == show("\n".join(codes), "text")


def test_half_a_code_is_no_code(documents):
    codes = documents["request"]
    sheet = picture(show("\n".join(codes), "qr"))
    sheet.paste(255, (0, 0, sheet.width, sheet.height // 2))
    assert read(sheet) == set()


def test_a_part_too_few_is_no_document(documents):
    part = documents["activation"][0]
    command = [os.environ["MINTREU_BIN"], "--json", "license", "show", "-", "--as", "text"]
    done = subprocess.run(command, input=part, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "malformed" in done.stderr
