"""An ordinary program, which knows nothing of slabheap: threads parse JSON documents, index their words, and fill a database.

Usage: index_json.py [DOCUMENTS [THREADS]], 800 documents and 4 threads unless given
"""

import collections
import concurrent.futures
import json
import random
import sqlite3
import sys


def make_document(number: int) -> str:
    """A document with an author, a text and some nested notes, the same each time for a number."""
    choose = random.Random(number)
    words = ["".join(choose.choices("abcdefghijklmnop", k=choose.randint(2, 9))) for _ in range(choose.randint(20, 200))]
    notes = [{"page": choose.randint(1, 400), "marks": choose.sample(words, 5)} for _ in range(choose.randint(0, 12))]
    return json.dumps({"id": number, "author": choose.choice(words), "text": " ".join(words), "notes": notes})


def index(numbers: range) -> tuple[collections.Counter[str], int]:
    """Parses the documents of some numbers, counts their words, and asks a database of them a few questions."""
    words: collections.Counter[str] = collections.Counter()
    with sqlite3.connect(":memory:") as database:
        database.execute("create table note (document integer, page integer, mark text)")
        database.execute("create index by_mark on note (mark)")
        for number in numbers:
            document = json.loads(make_document(number))
            words.update(document["text"].split())
            rows = [(document["id"], note["page"], mark) for note in document["notes"] for mark in note["marks"]]
            database.executemany("insert into note values (?, ?, ?)", rows)
        query = "select mark, count(*) from note where page > ? group by mark order by count(*) desc limit 100"
        found = sum(len(database.execute(query, (page,)).fetchall()) for page in range(0, 400, 20))
    return words, found


def main() -> None:
    """Divides the documents among the threads and adds up what they found."""
    given = [int(argument) for argument in sys.argv[1:]]
    documents, threads = given + [800, 4][len(given) :]
    words: collections.Counter[str] = collections.Counter()
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        for counted, found in pool.map(index, [range(start, documents, threads) for start in range(threads)]):
            words += counted
            print(f"{found} answers, {len(words):,} words so far")


if __name__ == "__main__":
    main()
