#!/usr/bin/env python3
"""Makes ZIM archives with libzim, and searches them with libzim's own search.

    make.py OUT.zim [--articles N] [--xapian] [--languages eng,spa,swa] [--plain]
    make.py --search ARCHIVE.zim < questions     one JSON object a line

The texts are made up from a seed, so the same command makes the same articles. Beside OUT.zim it writes OUT.json: the
articles, and questions with the path of the article that answers each. A question names what it asks for in other forms
of the words ("leaking pumps" for "the pump leaks"), and shares its words with many other articles. Of those of the kind
"words" the article has every word in some form; those of the kind "sentence" are asked as people ask. libzim finds an
article only when it has all the words.
"""

import argparse
import json
import random
import sys
import time
from pathlib import Path

from libzim.reader import Archive
from libzim.search import Query, Searcher
from libzim.writer import Compression, Creator, Hint, Item, StringProvider

# For each language: sentences about a thing in a place, questions, and what fills them.
TEXTS = {
    "eng": {
        "title": "The {thing} of {place}",
        "about": [
            "The {thing} of {place} was built by {maker} and serves {number} families.",
            "In the dry season the {thing} {fault}, and the people of {place} {mend}.",
            "{maker} keeps the keys and writes down every repair in a book.",
            "Whoever uses the {thing} pays {number} coins a month, and nobody is turned away.",
            "Children learn at school how the {thing} works and why it must be kept clean.",
            "When the river rises, the {thing} is closed until the water has been tested.",
            "A meeting of all neighbours decides each year how the money is spent.",
        ],
        "filler": [
            "Clean water, dry wood and a good road matter more than anything that can be bought.",
            "Tools are borrowed in the morning and brought back in the evening.",
            "The old people remember the year of the flood, and tell of it at night.",
            "Seeds are kept in jars of clay with ash, so that insects do not eat them.",
        ],
        "words": ["{faults} {things} {place}", "{mending} {place}", "{place} {maker}"],
        "sentences": ["how are {faults} {things} repaired near {place}?", "who built the {thing} in {place}?"],
        "things": [("pump", "pumps"), ("bridge", "bridges"), ("granary", "granaries"), ("clinic", "clinics"),
                   ("oven", "ovens"), ("boat", "boats"), ("workshop", "workshops"), ("fence", "fences")],
        "faults": [("leaks", "leaking"), ("rusts", "rusting"), ("cracks", "cracking"), ("floods", "flooding"),
                   ("burns", "burning"), ("collapses", "collapsing")],
        "mends": [("replace the seals", "replacing seals"), ("paint the iron", "painting iron"),
                  ("fill the joints with lime", "filling joints with lime"), ("dig a ditch", "digging ditches"),
                  ("carry sand", "carrying sand"), ("set new posts", "setting new posts")],
    },
    "spa": {
        "title": "{Thing} de {place}",
        "about": [
            "En {place} {maker} construyó {thing}, que sirve a {number} familias.",
            "En la estación seca {thing} se {fault}, y la gente de {place} {mend}.",
            "{maker} guarda las llaves y anota cada reparación en un cuaderno.",
            "Los niños aprenden en la escuela por qué hay que mantener limpio el lugar.",
        ],
        "filler": [
            "El agua limpia y la leña seca importan más que todo lo que se puede comprar.",
            "Las herramientas se prestan por la mañana y se devuelven por la tarde.",
        ],
        "words": ["{mending} {place}", "{things} {place}"],
        "sentences": ["¿quién construyó {thing} en {place}?"],
        "things": [("la bomba", "bombas"), ("el puente", "puentes"), ("el granero", "graneros"), ("el horno", "hornos")],
        "faults": [("rompe", "romper"), ("oxida", "oxidar"), ("inunda", "inundaciones")],
        "mends": [("cambia las juntas", "cambiar juntas"), ("pinta el hierro", "pintar hierro"),
                  ("cava una zanja", "cavar zanjas")],
    },
    "swa": {
        "title": "{Thing} ya {place}",
        "about": [
            "{maker} alijenga {thing} ya {place}, na inahudumia familia {number}.",
            "Wakati wa kiangazi {thing} {fault}, na watu wa {place} {mend}.",
            "{maker} hutunza funguo na huandika kila ukarabati katika daftari.",
        ],
        "filler": [
            "Maji safi na kuni kavu ni muhimu kuliko vitu vyote vinavyonunuliwa.",
            "Wazee wanakumbuka mwaka wa mafuriko na kusimulia usiku.",
        ],
        "words": ["{thing} {place}"],
        "sentences": ["nani alijenga {things} ya {place}?"],
        "things": [("pampu", "pampu"), ("ghala", "maghala"), ("zahanati", "zahanati")],
        "faults": [("huvuja", "kuvuja"), ("hupata kutu", "kutu")],
        "mends": [("hubadilisha mipira", "kubadilisha mipira"), ("hupaka rangi", "kupaka rangi")],
    },
}

BEGIN = ["Ma", "Ko", "Be", "Ti", "Ru", "Sa", "Lo", "Ne", "Vi", "Da", "Ka", "Mo", "Zu", "Fe", "Ga", "Hi"]
MIDDLE = ["ra", "lo", "mi", "ntu", "ssa", "bu", "ke", "ndo", "li", "go", "wa", "te", "ri", "pa", "nya", "shu"]
END = ["ko", "ba", "la", "ro", "ni", "ma", "ga", "si", "to", "vu", "re", "na", "do", "fi", "pe", "zo"]


def name(rng):
    return rng.choice(BEGIN) + "".join(rng.choice(MIDDLE) for _ in range(rng.randint(1, 2))) + rng.choice(END)


def page(language, title, paragraphs):
    body = "".join(f"<p>{text}</p>\n" for text in paragraphs)
    style = "<style>p { margin: 1em }</style><script>var words = 'not read';</script>"
    return (f"<!DOCTYPE html><html lang='{language}'><head><meta charset='utf-8'><title>{title}</title>{style}</head>"
            f"<body><nav>Home | Index | About this archive</nav><h1>{title}</h1>{body}</body></html>")


class Article(Item):
    def __init__(self, path, title, content, packed):
        super().__init__()
        self.path, self.title, self.content, self.packed = path, title, content, packed

    def get_path(self):
        return self.path

    def get_title(self):
        return self.title

    def get_mimetype(self):
        return "text/html"

    def get_contentprovider(self):
        return StringProvider(self.content)

    def get_hints(self):
        return {Hint.FRONT_ARTICLE: True, Hint.COMPRESS: self.packed}


def articles(count, languages):
    """Of each article path, title, topic, page and a question."""
    rng = random.Random(20261124)
    places = set()
    for number in range(count):
        language = languages[number % len(languages)] if number % 4 == 3 else languages[0]
        texts = TEXTS[language]
        while (place := name(rng)) in places and rng.random() < 0.9:
            pass
        places.add(place)
        thing, things = rng.choice(texts["things"])
        fault, faults = rng.choice(texts["faults"])
        mend, mending = rng.choice(texts["mends"])
        words = {"place": place, "thing": thing, "Thing": thing.capitalize(), "things": things, "fault": fault,
                 "faults": faults, "mend": mend, "mending": mending, "maker": f"{name(rng)} {name(rng)}",
                 "number": rng.randint(3, 90)}
        title = texts["title"].format(**words)
        about = [sentence.format(**words) for sentence in texts["about"]]
        filler = [rng.choice(texts["filler"]) for _ in range(rng.randint(2, 30))]
        # What answers comes anywhere in the article.
        paragraphs = about[:1] + filler
        for sentence in about[1:]:
            paragraphs.insert(rng.randint(1, len(paragraphs)), sentence)
        kind = rng.choice(["words", "sentences"])
        question = {"text": rng.choice(texts[kind]).format(**words), "kind": {"words": "words", "sentences": "sentence"}[kind]}
        short = {"eng": "en", "spa": "es", "swa": "sw"}[language]
        yield f"{things.split()[-1]}/{number}", title, things, page(short, title, paragraphs), question


def make(out, count, languages, xapian, plain):
    out.unlink(missing_ok=True)
    creator = Creator(out)
    creator.config_indexing(xapian, languages[0])
    creator.config_compression(Compression.none if plain else Compression.zstd)
    creator.set_mainpath("main")
    made, questions, titles = [], [], set()
    with creator:
        main = page("en", "Villages", ["An archive of made-up villages, for tests."])
        creator.add_item(Article("main", "Villages", main, True))
        for number, (path, title, topic, content, question) in enumerate(articles(count, languages)):
            # Each ninth stands in a cluster that is not packed.
            creator.add_item(Article(path, title, content, number % 9 != 8))
            made.append({"path": path, "title": title, "topic": topic})
            if number % 10 == 0:
                creator.add_redirection(f"r/{number}", f"Number {number}", path, {Hint.FRONT_ARTICLE: True})
            # A title that two articles have is a question with two answers.
            if number % max(1, count // 200) == 0 and title not in titles:
                questions.append({**question, "path": path})
            titles.add(title)
        for key, value in {
            "Title": "Villages", "Description": "Made-up villages, for tests", "Language": ",".join(languages),
            "Creator": "Banyan's tests", "Publisher": "Banyan", "Date": "2026-11-24", "License": "CC0-1.0",
            "Name": "villages",
        }.items():
            creator.add_metadata(key, value)
    out.with_suffix(".json").write_text(json.dumps({"articles": made, "questions": questions}, ensure_ascii=False))


def search(archive):
    searcher = Searcher(Archive(archive))
    for line in sys.stdin:
        question = line.strip()
        if not question:
            continue
        begin = time.perf_counter()
        found = searcher.search(Query().set_query(question))
        paths = list(found.getResults(0, 10))
        took = time.perf_counter() - begin
        print(json.dumps({"question": question, "paths": paths, "seconds": round(took, 6)}, ensure_ascii=False))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", nargs="?", type=Path)
    parser.add_argument("--articles", type=int, default=5000)
    parser.add_argument("--languages", default="eng,spa,swa")
    parser.add_argument("--xapian", action="store_true")
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--search", type=Path, metavar="ARCHIVE")
    args = parser.parse_args()
    if args.search:
        search(args.search)
    elif args.out:
        make(args.out, args.articles, args.languages.split(","), args.xapian, args.plain)
    else:
        parser.error("name an archive to make, or one to --search")


if __name__ == "__main__":
    main()
