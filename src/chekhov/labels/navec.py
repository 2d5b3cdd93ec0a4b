"""navec: word vectors for Russian, product-quantised (Jegou, Douze & Schmid 2011), in a tar archive.

    vocab.bin   gzip of: count (uint32), count frequencies (uint32), the words, UTF-8, joined by line breaks
    pq.bin      words, width, parts, centroids (uint32 each); words x parts numbers of centroids (uint8);
                parts x centroids x (width / parts) float32

A vector is the centroids of its parts, one after the other. The archive is read here, not unpacked.
"""

from __future__ import annotations

import gzip
import tarfile
import zlib
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from chekhov.errors import TextError
from chekhov.labels.vectors import MAX_WIDTH, MEND, Vectors

MAX_VOCABULARY = 1 << 28  # bytes, unpacked
PARTS = ("vocab.bin", "pq.bin")


def read_navec(file: BinaryIO, name: str, limit: int) -> Vectors:
    """As `read_vectors`: the first ``limit`` words."""
    try:
        with tarfile.open(fileobj=file, mode="r:") as archive:
            vocabulary, codes = (_part(archive, part, name) for part in PARTS)
    except tarfile.TarError as error:
        raise TextError("E-VECTORS-001", "the archive cannot be read", where=name, why=str(error), mend=MEND) from None
    words = _words(vocabulary, name)
    if len(codes) < 16:
        raise TextError("E-VECTORS-004", "pq.bin ends before its sizes", where=name, mend=MEND)
    count, width, parts, centroids = (int(size) for size in np.frombuffer(codes, "<u4", 4))
    fits = 1 <= width <= MAX_WIDTH and parts and width % parts == 0 and 1 <= centroids <= 256
    if not fits or count != len(words):
        what = f"{count} vectors of {width} in {parts} parts of {centroids} centroids do not go with {len(words)} words"
        raise TextError("E-VECTORS-002", what, where=name, mend=MEND)
    if len(codes) != 16 + count * parts + 4 * centroids * width:
        raise TextError(
            "E-VECTORS-004", f"pq.bin has {len(codes)} bytes, its sizes say otherwise", where=name, mend=MEND
        )
    numbers = np.frombuffer(codes, np.uint8, count * parts, 16).reshape(count, parts)[:limit]
    table = np.frombuffer(codes, "<f4", centroids * width, 16 + count * parts)
    table = table.reshape(parts, centroids, width // parts).astype(np.float32)
    if numbers.max(initial=0) >= centroids or not np.isfinite(table).all():
        raise TextError("E-VECTORS-003", "pq.bin names no centroid, or one is not finite", where=name, mend=MEND)
    return _unlike(words[:limit], table[np.arange(parts), numbers].reshape(len(numbers), width))


def _part(archive: tarfile.TarFile, part: str, name: str) -> bytes:
    try:
        member = archive.getmember(part)
    except KeyError:
        member = None
    stream = archive.extractfile(member) if member and member.isreg() and not member.issparse() else None
    if stream is None:
        raise TextError("E-VECTORS-001", f"the archive holds no {part}, as one of navec does", where=name, mend=MEND)
    return stream.read()


def _words(data: bytes, name: str) -> list[str]:
    unpacker = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        unpacked = unpacker.decompress(data, MAX_VOCABULARY)
    except (zlib.error, gzip.BadGzipFile) as error:
        raise TextError(
            "E-VECTORS-004", "vocab.bin cannot be unpacked", where=name, why=str(error), mend=MEND
        ) from None
    count = int.from_bytes(unpacked[:4], "little")
    words = unpacked[4 + 4 * count :].decode("utf-8", "replace").split("\n")
    if not unpacker.eof or len(words) != count:
        raise TextError(
            "E-VECTORS-004", f"vocab.bin announces {count} words and holds {len(words)}", where=name, mend=MEND
        )
    return words


def _unlike(words: list[str], table: NDArray[np.float32]) -> Vectors:
    """The first of equal words alone."""
    first = {word: place for place, word in reversed(list(enumerate(words)))}
    places = sorted(first.values())
    return [words[place] for place in places], table[places]
