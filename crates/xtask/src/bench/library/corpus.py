"""Real texts out of Debian's documentation packages, and questions that people judged: the headings of three FAQs.

  documents ROOT OUT   one JSON object a line: {"id", "title", "blocks": [{"kind", "text"}]}. Each answer of a FAQ is a
                       document of its own, without the question; other pages are documents with their headings.
  judged ROOT FOLDER   writes tuning.jsonl and held-out.jsonl: {"id", "question", "relevant": [document ids]}

ROOT holds the unpacked packages, each in a folder of its name.
"""
import hashlib
import html.parser
import json
import re
import sys
from pathlib import Path

# An answer of fewer words only points elsewhere.
LEAST_WORDS = 20
# A page counts as a document with so many words.
PAGE_WORDS = range(60, 6000)
# So many words of pages stand beside the answers, six for each of theirs and more: enough to be in the way, few enough
# that two cores give each passage its vector in a quarter of an hour.
ALL_PAGES_WORDS = 400_000

VOID = {"br", "hr", "img", "input", "link", "meta", "col", "wbr", "area", "base", "embed", "source", "track"}
BLOCKS = {"p", "li", "pre", "dt", "dd", "td", "th", "div", "section", "blockquote", "table", "tr", "ul", "ol", "dl"}
HEADINGS = {f"h{level}": level for level in range(1, 7)}
SKIPPED_TAGS = {"script", "style", "nav", "head", "footer", "title"}
SKIPPED_CLASSES = {
    "sphinxsidebar", "related", "footer", "headerlink", "navheader", "navfooter", "toc", "titlepage-toc", "contents",
    "mobile-nav", "wy-nav-side", "rst-footer-buttons", "menu", "copyright",
}


class Page(html.parser.HTMLParser):
    """The blocks of a page: headings, paragraphs, and text whose line breaks count."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.skipped, self.blocks, self.words, self.kind = [], 0, [], [], ("paragraph", 0)

    def handle_starttag(self, tag, attributes):
        if tag in VOID:
            if tag == "br":
                self.words.append(" ")
            return
        classes = set((dict(attributes).get("class") or "").split())
        skip = tag in SKIPPED_TAGS or bool(classes & SKIPPED_CLASSES)
        self.open.append((tag, skip))
        self.skipped += skip
        if tag in HEADINGS or tag in BLOCKS:
            self.flush()
            self.kind = ("heading", HEADINGS[tag]) if tag in HEADINGS else (tag, 0)

    def handle_endtag(self, tag):
        if not any(name == tag for name, _ in self.open):
            return
        if tag in HEADINGS or tag in BLOCKS:
            self.flush()
            self.kind = ("paragraph", 0)
        while self.open:
            name, skip = self.open.pop()
            self.skipped -= skip
            if name == tag:
                return

    def handle_data(self, data):
        if not self.skipped:
            self.words.append(data)

    def flush(self):
        kind, level = self.kind
        text = "".join(self.words)
        self.words = []
        if kind == "pre":
            text = text.strip("\n")
            if text.strip():
                self.blocks.append(("verbatim", 0, text))
            return
        text = " ".join(text.replace("¶", " ").split())
        if text:
            self.blocks.append(("heading" if kind == "heading" else "paragraph", level, text))


def page_of(path):
    page = Page()
    page.feed(path.read_text(encoding="utf-8", errors="replace"))
    page.flush()
    return page.blocks


CODE_LONG = re.compile(r"([A-Z])<<+\s+(.*?)\s+>>+", re.S)
CODE = re.compile(r"([A-Z])<([^<>]*)>", re.S)
ESCAPES = {"lt": "\x00", "gt": "\x01", "verbar": "|", "sol": "/"}


def plain_pod(text):
    def meant(found):
        code, inner = found.group(1), found.group(2)
        if code in "XZ":
            return ""
        if code == "E":
            return ESCAPES.get(inner, inner)
        if code == "L":
            return inner.split("|")[0].replace("/", " ").strip()
        return inner.replace("<", "\x00").replace(">", "\x01")

    before = None
    while before != text:
        before = text
        text = CODE.sub(meant, CODE_LONG.sub(meant, text))
    return text.replace("\x00", "<").replace("\x01", ">")


def pod_of(path):
    blocks, verbatim, hidden, in_pod = [], [], False, False
    text = path.read_text(encoding="utf-8", errors="replace").replace("\r", "")
    for part in re.split(r"\n[ \t]*\n", text):
        if part.startswith("="):
            word, _, rest = part.partition(" ")
            word, rest = word.strip(), " ".join(rest.split())
            in_pod = word != "=cut"
            if word.startswith("=begin"):
                hidden = True
            elif word.startswith("=end"):
                hidden = False
            elif re.fullmatch(r"=head[1-4]", word):
                blocks.append(("heading", int(word[-1]), plain_pod(rest)))
            elif word == "=item" and rest.strip("* 0123456789."):
                blocks.append(("paragraph", 0, plain_pod(rest)))
        elif in_pod and not hidden and part.strip():
            if part[0] in " \t":
                if blocks and blocks[-1][0] == "verbatim":
                    blocks[-1] = ("verbatim", 0, blocks[-1][2] + "\n\n" + part.rstrip())
                else:
                    blocks.append(("verbatim", 0, part.strip("\n").rstrip()))
            else:
                blocks.append(("paragraph", 0, " ".join(plain_pod(part).split())))
    return [block for block in blocks if block[2].strip()]


def count_words(blocks):
    return sum(len(text.split()) for _, _, text in blocks)


def slug(text):
    return "-".join(re.findall(r"[a-z0-9]+", text.lower())[:10])


def answers(blocks):
    """Question and answer in turns: a heading that ends in a question mark, and what stands below it."""
    question, level, answer = None, 0, []
    for block in blocks:
        kind, depth, text = block
        if kind == "heading":
            asks = text.rstrip().endswith("?")
            if question and (asks or depth <= level):
                yield question, answer
                question, answer = None, []
            if asks:
                question, level = re.sub(r"^[\dA-Z]?\d*(\.\d+)*\.?[\s\u00a0]+", "", text).strip(), depth
                continue
        if question:
            answer.append(block)
    if question:
        yield question, answer


# Package, where its pages lie, what reads one, and what its questions are called after.
FAQS = [
    ("perl-doc", "usr/share/perl/*/pod/perlfaq[1-9].pod", pod_of, "perl"),
    ("python-doc", "usr/share/doc/python3*/html/faq/*.html", page_of, "python"),
    ("debian-faq", "usr/share/doc/debian/FAQ/*.html", page_of, "debian"),
]

PAGES = [
    ("perl-doc", "usr/share/perl/*/pod/*.pod", pod_of),
    ("python-doc", "usr/share/doc/python3*/html/*/*.html", page_of),
    ("debian-reference-en", "usr/share/debian-reference/*.html", page_of),
    ("debian-policy", "usr/share/doc/debian-policy/policy.html/*.html", page_of),
    ("developers-reference", "usr/share/developers-reference/*.html", page_of),
]

# Lists of changes and of names, and the questions themselves.
NOT_PAGES = re.compile(
    r"delta\.pod|perlfaq|perltoc|perlhist|/faq/|/whatsnew/|genindex|py-modindex|search\.html|/index\.html"
    r"|\.(?!en\.)[a-z]{2}(-[a-z]{2})?\.html", re.I)


def pages(root, package, pattern):
    """Each file once: some have a second name, or lie in a folder that has one."""
    named = sorted(path for path in (root / package).glob(pattern) if path.is_file() and not path.is_symlink())
    return list({path.resolve(): path for path in reversed(named)}.values())[::-1]


def english(path):
    return not re.search(r"\.(?!en\.)[a-z]{2}(-[a-z]{2})?\.html$", path.name)


def faq(root):
    """Each answer: (document id, title, question, blocks)."""
    named = set()
    for package, pattern, read, name in FAQS:
        for path in filter(english, pages(root, package, pattern)):
            source = path.name.split(".")[0]
            blocks = read(path)
            title = f"{name.capitalize()} FAQ: {source}"
            for question, answer in answers(blocks):
                if count_words(answer) >= LEAST_WORDS and len(question.split()) >= 2:
                    identity = f"{name}/{source}#{slug(question)}"
                    while identity in named:
                        identity += "-too"
                    named.add(identity)
                    yield identity, title, question, answer


def block(kind, level, text):
    return {"kind": {"heading": level} if kind == "heading" else kind, "text": text}


def text_of(blocks):
    return "\n".join(text for _, _, text in blocks)


def digest_of(text):
    return hashlib.sha256(text.encode()).digest()


def all_pages(root):
    for package, pattern, read in PAGES:
        for path in pages(root, package, pattern):
            if NOT_PAGES.search("/" + path.relative_to(root / package).as_posix()):
                continue
            blocks = read(path)
            if count_words(blocks) in PAGE_WORDS:
                yield f"{package}/{path.parent.name}/{path.name}", blocks


def documents(root, out):
    seen, count = set(), {"answers": 0, "pages": 0}
    with open(out, "w", encoding="utf-8") as file:

        def put(identity, title, blocks, kind):
            digest = digest_of(text_of(blocks))
            if digest in seen:
                return
            seen.add(digest)
            count[kind] += 1
            line = {"id": identity, "title": title, "blocks": [block(*one) for one in blocks]}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")

        for identity, title, _, answer in faq(root):
            put(identity, title, answer, "answers")
        words = 0
        for identity, blocks in sorted(all_pages(root), key=lambda page: digest_of(page[0])):
            words += count_words(blocks)
            if words > ALL_PAGES_WORDS:
                break
            title = next((text for kind, _, text in blocks if kind == "heading"), identity)
            if title == "NAME" and len(blocks) > 1:
                title = blocks[1][2]
            put(identity, title[:200], blocks, "pages")
    return count


def judged(root, folder):
    first, halves = {}, {"tuning": [], "held-out": []}
    for identity, _, question, answer in faq(root):
        digest = digest_of(text_of(answer))
        relevant = first.setdefault(digest, identity)
        # Of two questions with the same answer, the document of the first holds it.
        half = "tuning" if digest_of(identity)[0] % 2 else "held-out"
        halves[half].append({"id": identity, "question": question, "relevant": [relevant]})
    for name, lines in halves.items():
        with open(Path(folder) / f"{name}.jsonl", "w", encoding="utf-8") as file:
            for line in sorted(lines, key=lambda line: line["id"]):
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
    return {name: len(lines) for name, lines in halves.items()}


if __name__ == "__main__":
    what, root, target = sys.argv[1:]
    print(json.dumps({"documents": documents, "judged": judged}[what](Path(root), target)))
