"""Writing one generation of the gazetteer: addresses are read on every core, one writer files them in order.

Memory stays flat: chunks of homes are read ahead of the writer, never more than a few a core.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from pathlib import Path
from typing import Any

import tantivy

from markers.collector import collector_paused
from markers.filing import FORMAT, HOMES, WORDS, Document, word_document
from markers.lexicon import write_lexicon
from markers.model import Premises
from markers.reading_helpers import reading_helpers
from markers.reading_version import reading_version
from markers.shelf import ShelfWriter

_CHUNK = 1000
_WORTH_HELPERS = 5000
"""Fewer homes than this are read before helper processes would have started."""
_PROGRESS_EVERY = 2000
_WRITER_MEMORY = 512_000_000
"""Enough for a city's homes in one segment: every look-up is made in each segment anew."""


def build(building: Path, homes: Iterable[Premises], progress: Callable[[int], None] | None) -> dict[str, Any]:
    """Write the generation's indexes and flat files into the folder `building`, and return what to keep about it.

    Rows of one `premises_id` are one home: a second row with another address is kept as its other name.
    """
    if building.exists():
        shutil.rmtree(building)
    for name in ("homes", "words"):
        (building / name).mkdir(parents=True)
    writer = tantivy.Index(HOMES, path=str(building / "homes")).writer(_WRITER_MEMORY, 1)
    shelf = ShelfWriter(building / "shelf")
    lexicon: set[str] = set()
    keys: set[str] = set()
    names: dict[str, int | set[int]] = {}
    digest = hashlib.sha256()
    read = duplicates = 0
    with collector_paused():
        for document in _documents(homes):
            read += 1
            known = _known(names, document)
            duplicates += known is not None
            if known is not True:
                lexicon.update(document.words)
                keys.update([value for field, value in document.fields if field == "key"])
                terms = [value for field, value in document.fields if field == "term"]
                digest.update(document.body)
                record = shelf.add(document.body, document.marks, document.worded, terms)
                writer.add_document(document.for_index(record, other_name=known is False))
            if progress is not None and read % _PROGRESS_EVERY == 0:
                progress(read)
        with ThreadPoolExecutor(1) as beside:
            written = beside.submit(_finish, writer)
            shelf.close(sorted(keys))
            spelt = sorted(lexicon)
            write_lexicon(building / "lexicon", spelt)
            words = tantivy.Index(WORDS, path=str(building / "words")).writer(_WRITER_MEMORY, 1)
            for word in spelt:
                words.add_document(word_document(word))
            _finish(words)
            written.result()
    if progress is not None:
        progress(read)
    return {
        "format": FORMAT,
        "reading": reading_version(),
        "version": digest.hexdigest()[:12],
        "count": len(names),
        "duplicates": duplicates,
    }


def _finish(writer: Any) -> None:
    writer.commit()
    writer.wait_merging_threads()


def _known(names: dict[str, int | set[int]], document: Document) -> bool | None:
    """None for a home not seen before, True for a row seen before, False for another address of a home seen before.

    Addresses are remembered as hashes, because a nation's would not fit.
    """
    name = hash(document.plain)
    held = names.get(document.premises_id)
    if held is None:
        names[document.premises_id] = name
        return None
    if held == name or (isinstance(held, set) and name in held):
        return True
    names[document.premises_id] = {name, *(held if isinstance(held, set) else (held,))}
    return False


def _documents(homes: Iterable[Premises]) -> Iterator[Document]:
    """Each home read, in order; many of them on every core."""
    source = iter(homes)
    first = list(islice(source, _WORTH_HELPERS))
    cores = len(os.sched_getaffinity(0))
    source = chain(first, source)
    if len(first) < _WORTH_HELPERS or cores == 1:
        yield from map(Document.of, source)
        return
    with reading_helpers(cores) as read, ThreadPoolExecutor(cores) as threads:
        waiting: deque[Future[list[Document]]] = deque()
        while True:
            while len(waiting) < 2 * cores and (chunk := list(islice(source, _CHUNK))):
                waiting.append(threads.submit(read, chunk))
            if not waiting:
                return
            yield from waiting.popleft().result()
