#!/usr/bin/env python3
"""Makes the files of this folder, the same bytes each time."""

import io
import os
import random
import struct
import zipfile
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
MIB = 1 << 20


def write(name, data):
    with open(os.path.join(HERE, name), "wb") as file:
        file.write(data)


def zipped(parts):
    """An archive; the time in it is always the same."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts:
            entry = zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_STORED if name == "mimetype" else zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return memory.getvalue()


def pdf(objects):
    """A PDF of these objects, the first of which is its root."""
    data = b"%PDF-1.4\n"
    places = []
    for number, body in enumerate(objects, 1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(data)
    data += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    data += b"".join(b"%010d 00000 n \n" % place for place in places)
    return data + b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)


def stream(entries, body):
    return b"<<%s/Length %d>>stream\n%s\nendstream" % (entries, len(body), body)


def deflated_spaces(megabytes):
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(b" " * MIB) for _ in range(megabytes)) + packer.flush()


PAGE = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 400]/Resources<</Font<</F 4 0 R>>>>/Contents 5 0 R>>"
FONT = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>"
CATALOG = b"<</Type/Catalog/Pages 2 0 R>>"
PAGES = b"<</Type/Pages/Count 1/Kids[3 0 R]>>"
WORDS = stream(b"", b"BT /F 12 Tf 20 300 Td (The well is open.) Tj ET")


def word(text):
    return ("word/document.xml", text)


def container(package):
    return ("META-INF/container.xml", f"<container><rootfile full-path='{package}'/></container>")


def main():
    bomb = b"<w:document><w:p><w:t>" + b"harm " * (16 * MIB // 5) + b"</w:t></w:p></w:document>"
    write("bomb.docx", zipped([word(bomb)]))
    # Both headers of the only part say ten bytes.
    true = struct.pack("<I", len(bomb))
    write("lies.docx", zipped([word(bomb)]).replace(true, struct.pack("<I", 10)))
    entities = "".join(f"<!ENTITY l{n} \"{'&l%d;' % (n - 1) * 10}\">" for n in range(1, 10))
    laughs = f"<!DOCTYPE d [<!ENTITY l0 \"laugh \">{entities}]><d><w:p><w:t>&l9;</w:t></w:p></d>"
    write("laughs.docx", zipped([word(laughs)]))

    write("bomb.pdf", pdf([CATALOG, PAGES, PAGE, FONT,
                           stream(b"/Filter[/FlateDecode/FlateDecode]", zlib.compress(deflated_spaces(1024), 9))]))
    write("loop.pdf", pdf([CATALOG, PAGES, b"<</Type/Page/Parent 3 0 R/Contents 5 0 R>>", FONT, WORDS]))
    whole = pdf([CATALOG, PAGES, PAGE, FONT, WORDS])
    write("cut.pdf", whole[: len(whole) // 3])
    write("noise.pdf", b"%PDF-1.7\n" + random.Random(5).randbytes(4000))
    write("program.pdf", b"\x7fELF\x02\x01\x01" + bytes(200))

    deep = "<o>" + "<text:span>" * 100_000 + "words" + "</text:span>" * 100_000 + "</o>"
    odt = ("mimetype", "application/vnd.oasis.opendocument.text")
    write("deep.odt", zipped([odt, ("content.xml", deep)]))
    manifest = "<manifest:manifest><manifest:file-entry><manifest:encryption-data/></manifest:file-entry></manifest:manifest>"
    write("locked.odt", zipped([odt, ("META-INF/manifest.xml", manifest),
                                ("content.xml", random.Random(6).randbytes(500))]))
    write("locked.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1000))

    epub = ("mimetype", "application/epub+zip")
    write("parts.epub", zipped([epub] + [(f"{n}", "") for n in range(200)]))
    again = "<p><item id='a' href='a.html'/>" + "<itemref idref='a'/>" * 5000 + "</p>"
    write("again.epub", zipped([epub, container("b.opf"), ("b.opf", again), ("a.html", "<p>This is here only once.")]))
    climbing = "<p><item id='a' href='../../../../etc/passwd'/><item id='b' href='/etc/passwd'/>" \
               "<itemref idref='a'/><itemref idref='b'/></p>"
    write("climbing.epub", zipped([epub, container("b.opf"), ("b.opf", climbing)]))

    header = struct.pack(">II5B", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    write("vast.png", b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(header)) + chunk
          + struct.pack(">I", zlib.crc32(chunk)))
    write("wide.csv", ",".join(f"c{n}" for n in range(1500)).encode() + b"\n")
    write("zeros.txt", bytes(4096))
    write("latin1.txt", "A reunião é amanhã às dez horas, na praça. Tragam água e pão, não há mais nada.\n".encode("latin-1"))
    write("open.html", b"<p>before</p><svg>" + b"<text>after</text>" * 10)
    message = b"Content-Type: text/plain\n\nthe innermost\n"
    for n in range(50):
        message = b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n%s\n--b%d--\n" % (n, n, message, n)
    write("nested.eml", b"Subject: Boxes\n" + message)


if __name__ == "__main__":
    main()
