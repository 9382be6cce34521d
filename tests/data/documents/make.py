#!/usr/bin/env python3
"""Makes the files of this folder, by the programs that people use (see README.md)."""

import io
import mailbox
import os
import struct
import subprocess
import zlib
from email.message import EmailMessage

from docx import Document
from ebooklib import epub
from odf import style, table, text as odf
from odf.opendocument import OpenDocumentText
from PIL import Image, ImageDraw, ImageFont, ImageOps

HERE = os.path.dirname(os.path.abspath(__file__))
FONT = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"

TITLE = "The well"
OPEN = "The well of the lower village is open from six to eight, also on Sundays."
ITEMS = ["Bring a bottle with a lid.", "Leave the bucket where you found it."]
ROWS = [("Day", "Who keeps the key"), ("Monday", "Ana"), ("Tuesday", "João")]
END = "It closes when it rains & when the pump is being mended."
NOTICE = ["The well is open", "from six to eight,", "also on Sundays.", "Bring a bottle with a lid."]


def path(name):
    return os.path.join(HERE, name)


def write(name, data):
    with open(path(name), "wb") as file:
        file.write(data)


def plain():
    rows = "\n".join("\t".join(row) for row in ROWS)
    items = "\n".join(f"- {item}" for item in ITEMS)
    return f"{TITLE}\n\n{OPEN}\n\n{items}\n\n{rows}\n\n{END}\n"


def html():
    items = "".join(f"<li>{item}</li>" for item in ITEMS)
    rows = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in ROWS)
    end = END.replace("&", "&amp;")
    return (f"<!doctype html><html lang=en><meta charset=utf-8><title>{TITLE}</title>"
            f"<h1>{TITLE}</h1><p>{OPEN}</p><ul>{items}</ul><table>{rows}</table><p>{end}</p></html>\n")


def markdown():
    items = "\n".join(f"- {item}" for item in ITEMS)
    head, *rows = [f"| {' | '.join(row)} |" for row in ROWS]
    table_rows = "\n".join([head, "|---|---|", *rows])
    return f"# {TITLE}\n\n{OPEN}\n\n{items}\n\n{table_rows}\n\n{END}\n"


def docx():
    letter = Document()
    letter.core_properties.title = TITLE
    letter.core_properties.author = "Ana"
    letter.add_heading(TITLE, level=1)
    letter.add_paragraph(OPEN)
    for item in ITEMS:
        letter.add_paragraph(item, style="List Bullet")
    rows = letter.add_table(rows=0, cols=2)
    for day, who in ROWS:
        cells = rows.add_row().cells
        cells[0].text, cells[1].text = day, who
    letter.add_paragraph(END)
    letter.save(path("letter.docx"))


def odt():
    letter = OpenDocumentText()
    heading = style.Style(name="Heading 1", family="paragraph")
    letter.styles.addElement(heading)
    letter.text.addElement(odf.H(outlinelevel=1, stylename=heading, text=TITLE))
    letter.text.addElement(odf.P(text=OPEN))
    items = odf.List()
    for item in ITEMS:
        entry = odf.ListItem()
        entry.addElement(odf.P(text=item))
        items.addElement(entry)
    letter.text.addElement(items)
    rows = table.Table(name="Keys")
    rows.addElement(table.TableColumn(numbercolumnsrepeated=2))
    for row in ROWS:
        line = table.TableRow()
        for cell in row:
            place = table.TableCell()
            place.addElement(odf.P(text=cell))
            line.addElement(place)
        rows.addElement(line)
    letter.text.addElement(rows)
    letter.text.addElement(odf.P(text=END))
    letter.save(path("letter.odt"))


def book():
    made = epub.EpubBook()
    made.set_identifier("letter")
    made.set_title(TITLE)
    made.set_language("en")
    made.add_author("Ana")
    chapter = epub.EpubHtml(title=TITLE, file_name="letter.xhtml", lang="en")
    chapter.content = html().split("</title>")[1].removesuffix("</html>\n")
    made.add_item(chapter)
    made.toc = (chapter,)
    made.add_item(epub.EpubNcx())
    made.add_item(epub.EpubNav())
    made.spine = [chapter]
    epub.write_epub(path("letter.epub"), made)


def mbox():
    if os.path.exists(path("letter.mbox")):
        os.remove(path("letter.mbox"))
    letters = mailbox.mbox(path("letter.mbox"))
    letter = EmailMessage()
    letter["Subject"] = TITLE
    letter["From"] = "João <joao@example.org>"
    letter["Date"] = "Sat, 20 Nov 2021 14:22:01 -0800"
    letter.set_content(plain())
    letter.add_alternative(html(), subtype="html")
    letters.add(letter)
    letters.close()


def pdf():
    page = path("letter.html")
    subprocess.run(["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer",
                    f"--print-to-pdf={path('letter.pdf')}", f"file://{page}"], check=True)


def notice():
    picture = Image.new("L", (1000, 420), 255)
    draw = ImageDraw.Draw(picture)
    for at, line in enumerate(NOTICE):
        draw.text((60, 40 + 85 * at), line, font=ImageFont.truetype(FONT, 56), fill=0)
    return picture


def scan(name, width, height, entries, data):
    """A PDF whose only page is a picture."""
    content = b"q 500 0 0 210 0 0 cm /I Do Q"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Count 1/Kids[3 0 R]/Resources<</XObject<</I 5 0 R>>>>>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 500 210]/Contents 4 0 R>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(content), content),
        b"<</Type/XObject/Subtype/Image/Width %d/Height %d%s/Length %d>>stream\n%s\nendstream"
        % (width, height, entries, len(data), data),
    ]
    file, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(file))
        file += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(file)
    file += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    file += b"".join(b"%010d 00000 n \n" % place for place in places)
    write(name, file + b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start))


def png_data(data):
    """The packed points of a PNG, which a PDF takes as they are."""
    at, packed = 8, b""
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        packed += data[at + 8:at + 8 + length] if kind == b"IDAT" else b""
        at += 12 + length
    return packed


def saved(picture, kind, **options):
    memory = io.BytesIO()
    picture.save(memory, kind, **options)
    return memory.getvalue()


def pictures():
    picture = notice()
    width, height = picture.size
    write("notice.png", saved(picture, "PNG", optimize=True))
    write("notice.jpg", saved(picture, "JPEG", quality=40))
    bits = picture.convert("1", dither=Image.Dither.NONE)
    write("notice.tif", saved(bits, "TIFF", compression="group4"))

    gray = b"/ColorSpace/DeviceGray/BitsPerComponent 8"
    scan("scan-jpeg.pdf", width, height, gray + b"/Filter/DCTDecode", saved(picture, "JPEG", quality=40))
    scan("scan-flate.pdf", width, height,
         gray + b"/Filter/FlateDecode/DecodeParms<</Predictor 15/Colors 1/BitsPerComponent 8/Columns %d>>" % width,
         png_data(saved(picture, "PNG", optimize=True)))
    one = b"/ColorSpace/DeviceGray/BitsPerComponent 1"
    scan("scan-bits.pdf", width, height, one + b"/Filter/FlateDecode", zlib.compress(bits.tobytes(), 9))
    # Ink is black runs in a fax; the TIFF that Pillow writes has it the other way round.
    tiff = saved(ImageOps.invert(picture).convert("1", dither=Image.Dither.NONE), "TIFF", compression="group4")
    tags = Image.open(io.BytesIO(tiff)).tag_v2
    assert len(tags[273]) == 1, "one strip"
    fax = tiff[tags[273][0]:tags[273][0] + tags[279][0]]
    scan("scan-fax.pdf", width, height,
         one + b"/Filter/CCITTFaxDecode/DecodeParms<</K -1/Columns %d/Rows %d>>" % (width, height), fax)


def main():
    write("letter.txt", plain().encode())
    write("letter.md", markdown().encode())
    write("letter.html", html().encode())
    docx()
    odt()
    book()
    mbox()
    pdf()
    pictures()


if __name__ == "__main__":
    main()
