"""Others' ways to search the same passages. Prints one JSON object.

  fts5-build DB PASSAGES            SQLite's FTS5 as its manual shows it, one table, one transaction
  fts5-search DB QUESTIONS SEARCHERS SECONDS PAUSE
  xapian-build DB PASSAGES          Xapian with its stemmer (needs Debian's python3-xapian)
  xapian-search DB QUESTIONS SEARCHERS SECONDS PAUSE
  reference PASSAGES VECTORS QUESTIONS QUESTION_VECTORS OUT
                                    bm25s, exact vectors, and both fused, each as ranked documents into OUT
  ingest FOLDER DB                  HTML files into FTS5: parse, cut, insert, commit after each

PASSAGES and QUESTIONS hold one JSON object a line; vectors are little-endian 32-bit floats in the same order.
Searchers are processes of their own, so Python's lock holds none of them up; each waits PAUSE seconds on average.
"""
import json
import multiprocessing
import random
import re
import sqlite3
import sys
import time

WANTED = 10
# As deep as the box itself is asked, so that enough different documents are among them.
DEEP = 50
# What reciprocal rank fusion is used with everywhere.
FUSION = 60
# Seconds in which caches fill; what is asked in them does not count.
RUN_IN = 3.0
PASSAGE_WORDS = 200


def lines(path):
    with open(path, encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def words_of(question):
    return re.findall(r"\w+", question.lower())


def fts5_build(db, passages):
    began = time.perf_counter()
    connection = sqlite3.connect(db)
    connection.execute("CREATE VIRTUAL TABLE passages USING fts5(text, tokenize = 'porter unicode61')")
    rows = ((one["text"],) for one in lines(passages))
    connection.executemany("INSERT INTO passages (text) VALUES (?)", rows)
    connection.commit()
    connection.execute("INSERT INTO passages (passages) VALUES ('optimize')")
    connection.commit()
    return {"seconds": time.perf_counter() - began}


def fts5_searcher(db):
    connection = sqlite3.connect(f"file:{db}?mode=ro", uri=True)
    sql = "SELECT rowid, text FROM passages WHERE passages MATCH ? ORDER BY rank LIMIT ?"

    def search(question):
        query = " OR ".join(f'"{word}"' for word in words_of(question))
        return connection.execute(sql, (query, WANTED)).fetchall()

    return search


def xapian_build(db, passages):
    import xapian

    began = time.perf_counter()
    database = xapian.WritableDatabase(db, xapian.DB_CREATE_OR_OVERWRITE)
    generator = xapian.TermGenerator()
    generator.set_stemmer(xapian.Stem("en"))
    for one in lines(passages):
        document = xapian.Document()
        generator.set_document(document)
        generator.index_text(one["text"])
        document.set_data(one["text"])
        database.add_document(document)
    database.commit()
    return {"seconds": time.perf_counter() - began}


def xapian_searcher(db):
    import xapian

    database = xapian.Database(db)
    parser = xapian.QueryParser()
    parser.set_stemmer(xapian.Stem("en"))
    parser.set_stemming_strategy(xapian.QueryParser.STEM_SOME)
    parser.set_database(database)

    def search(question):
        enquire = xapian.Enquire(database)
        # Plain words, any of which may occur: the parser's default.
        enquire.set_query(parser.parse_query(" ".join(words_of(question)), 0))
        return [(found.docid, found.document.get_data()) for found in enquire.get_mset(0, WANTED)]

    return search


def searching(make, db, questions, number, seconds, pause, into):
    search, rng = make(db), random.Random(number)
    began, took, at = time.perf_counter(), [], number * 7
    time.sleep(rng.random() * min(pause, 1.0))
    while time.perf_counter() - began < RUN_IN + seconds:
        question = questions[at % len(questions)]
        at += 1
        start = time.perf_counter()
        search(question)
        end = time.perf_counter()
        if start - began >= RUN_IN:
            took.append((end - start) * 1e3)
        if pause:
            time.sleep(rng.expovariate(1 / pause))
    into.put(took)


def searchers(make, db, questions, count, seconds, pause):
    asked = [one["question"] for one in lines(questions)]
    into = multiprocessing.Queue()
    make(db)(asked[0])
    running = [
        multiprocessing.Process(target=searching, args=(make, db, asked, n, float(seconds), float(pause), into))
        for n in range(int(count))
    ]
    for one in running:
        one.start()
    took = sorted(ms for _ in running for ms in into.get())
    for one in running:
        one.join()
    share = lambda part: took[max(0, -(-len(took) * part // 100) - 1)] if took else float("nan")
    return {"p50_ms": share(50), "p95_ms": share(95), "searches": len(took)}


def ranked(scores, documents, passages):
    """Each document once, at the place of its best passage."""
    import numpy as np

    deep = min(passages, len(scores))
    best = np.argpartition(-scores, deep - 1)[:deep]
    best = best[np.argsort(-scores[best], kind="stable")]
    return [int(at) for at in best], list(dict.fromkeys(documents[at] for at in best))


def reference(passages, vectors, questions, question_vectors, out):
    import bm25s
    import numpy as np
    import Stemmer

    rows = list(lines(passages))
    documents = [one["document"] for one in rows]
    asked = list(lines(questions))
    matrix = np.fromfile(vectors, "<f4").reshape(len(rows), -1)
    asked_matrix = np.fromfile(question_vectors, "<f4").reshape(len(asked), -1)
    stemmer = Stemmer.Stemmer("english")
    tokens = bm25s.tokenize([one["text"] for one in rows], stopwords="en", stemmer=stemmer, show_progress=False)
    index = bm25s.BM25()
    index.index(tokens, show_progress=False)
    with open(out, "w", encoding="utf-8") as file:
        for one, vector in zip(asked, asked_matrix):
            query = bm25s.tokenize([one["question"]], stopwords="en", stemmer=stemmer, show_progress=False,
                                   return_ids=False)[0]
            by_words, words = ranked(index.get_scores(query), documents, DEEP)
            by_meaning, meaning = ranked(matrix @ vector, documents, DEEP)
            fused = np.zeros(len(rows), dtype="f4")
            for found in (by_words, by_meaning):
                for place, at in enumerate(found, 1):
                    fused[at] += 1 / (FUSION + place)
            _, hybrid = ranked(fused, documents, DEEP)
            file.write(json.dumps({"id": one["id"], "words": words, "meaning": meaning, "hybrid": hybrid}) + "\n")
    return {"questions": len(asked), "passages": len(rows)}


def ingest(folder, db):
    import html.parser
    from pathlib import Path

    class Words(html.parser.HTMLParser):
        def __init__(self):
            super().__init__()
            self.words, self.quiet = [], 0

        def handle_starttag(self, tag, attributes):
            self.quiet += tag in ("script", "style")

        def handle_endtag(self, tag):
            self.quiet -= tag in ("script", "style")

        def handle_data(self, data):
            if not self.quiet:
                self.words += data.split()

    files = sorted(Path(folder).rglob("*.html"))
    began, words = time.perf_counter(), 0
    connection = sqlite3.connect(db)
    connection.execute("CREATE VIRTUAL TABLE passages USING fts5(file, text, tokenize = 'porter unicode61')")
    for file in files:
        page = Words()
        page.feed(file.read_text(encoding="utf-8", errors="replace"))
        words += len(page.words)
        cut = (page.words[at:at + PASSAGE_WORDS] for at in range(0, len(page.words), PASSAGE_WORDS))
        rows = [(file.name, " ".join(part)) for part in cut]
        connection.executemany("INSERT INTO passages (file, text) VALUES (?, ?)", rows)
        connection.commit()
    return {"files": len(files), "words": words, "seconds": time.perf_counter() - began}


COMMANDS = {
    "fts5-build": fts5_build,
    "fts5-search": lambda *words: searchers(fts5_searcher, *words),
    "xapian-build": xapian_build,
    "xapian-search": lambda *words: searchers(xapian_searcher, *words),
    "reference": reference,
    "ingest": ingest,
}

if __name__ == "__main__":
    print(json.dumps(COMMANDS[sys.argv[1]](*sys.argv[2:])))
