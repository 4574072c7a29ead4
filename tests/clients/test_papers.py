"""An independent reader of PDF against the papers that our server prints."""

import io
import json
import os
import re
import subprocess

import httpx
import pytest
from pypdf import PdfReader

PASSWORD = "look around freely"


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A demo server and a buyer who has paid for two things of two sellers."""
    folder = tmp_path_factory.mktemp("shop")
    listen = ["--folder", str(folder / "shop"), "--listen", "127.0.0.1:0"]
    command = [os.environ["MINTREU_BIN"], "--json", "demo", *listen]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    url = json.loads(server.stdout.readline())["url"].rstrip("/")
    try:
        with httpx.Client(base_url=url) as buyer:
            door = {"email": "priya@customer.example", "password": PASSWORD}
            assert buyer.post("/v1/sessions", json=door).is_success
            yield buyer
    finally:
        server.terminate()
        server.wait()


def invoices(buyer):
    answer = buyer.get("/v1/invoices", params={"limit": 100})
    assert answer.is_success, answer.text
    return answer.json()["invoices"]


def read(answer):
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/pdf"
    return PdfReader(io.BytesIO(answer.content), strict=True)


def words(reader):
    return " ".join(page.extract_text() for page in reader.pages).replace("\xa0", " ")


def fonts(reader):
    for page in reader.pages:
        for font in page["/Resources"]["/Font"].values():
            yield font.get_object()["/DescendantFonts"][0].get_object()


def test_an_invoice_says_as_pdf_what_its_page_says(shop):
    found = invoices(shop)
    assert found, "the demo has invoices"
    for invoice in found:
        path = f"/invoices/{invoice['invoice_id']}"
        answer = shop.get(f"{path}/invoice.pdf")
        reader = read(answer)
        text = words(reader)
        page = shop.get(path).text
        assert invoice["number"] in text and invoice["number"] in page
        figures = re.findall(r"[€$¥₹]\s?[\d,.]*\d", page.split("</article>")[0])
        assert figures
        for figure in figures:
            assert figure in text, (figure, text)
        assert f"Page 1 of {len(reader.pages)}" in text
        assert shop.get(f"{path}/invoice.pdf").content == answer.content, "the same bytes again"


def test_it_is_tagged_names_its_language_and_embeds_a_part_of_its_fonts(shop):
    invoice = invoices(shop)[0]
    reader = read(shop.get(f"/invoices/{invoice['invoice_id']}/invoice.pdf"))
    root = reader.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"] and root["/Lang"] == "en"
    assert invoice["number"] in reader.metadata.title
    kinds = set()

    def walk(node):
        node = node.get_object()
        if isinstance(node, list):
            for child in node:
                walk(child)
        elif isinstance(node, dict):
            kinds.add(node.get("/S"))
            if "/K" in node:
                walk(node["/K"])

    walk(root["/StructTreeRoot"]["/K"])
    assert {"/Document", "/H1", "/P", "/Table", "/TR", "/TH", "/TD"} <= kinds, kinds
    embedded = list(fonts(reader))
    assert embedded
    for font in embedded:
        assert re.match(r"/[A-Z]{6}\+", font["/BaseFont"]), font["/BaseFont"]
        described = font["/FontDescriptor"].get_object()
        assert "/FontFile2" in described or "/FontFile3" in described


def test_strangers_get_no_file(shop):
    invoice = invoices(shop)[0]
    with httpx.Client(base_url=shop.base_url) as stranger:
        answer = stranger.get(f"/invoices/{invoice['invoice_id']}/invoice.pdf")
        assert answer.status_code != 200
