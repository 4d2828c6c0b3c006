"""Which images were found faultless, with the size and time of each of their files: they are not looked at again.

How an image is checked is not known here.
"""

from __future__ import annotations

import logging
import os
import struct
import time
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import replace
from hashlib import blake2b

import msgspec

from mseg_wizard.context import Context
from mseg_wizard.core.background import Job, background
from mseg_wizard.progress import Progress
from mseg_wizard.verification.checks import CheckedImage, ImageToCheck, Rules, stamps

log = logging.getLogger("mseg_wizard")

FILE = "verified.bin"
VERSION = 1
"""Made another one where the checks become stricter: everything is looked at again then."""
EVERY = 1.0
"""Seconds of work that a stop or a kill costs, at most."""
LARGEST = 256 << 20
"""Bytes; all of MSeg takes some 15 million. What grew beyond, by being made again and again, begins anew."""

_HEAD = struct.Struct("<II16s")
"""Of each part of the file: length and sum of what follows, packed, and which rules it was checked by."""


class VerifiedImage(msgspec.Struct, array_like=True, frozen=True):
    """A faultless image."""

    key: str
    what: bytes
    """Digest of what it was checked against beside the dataset's rules: its segments, updates, pixels."""
    seen: CheckedImage
    """What the check found, to be counted again, and size and time of each of its files."""


_encoder, _decoder = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(list[VerifiedImage])


class Verified:
    """The record of one destination, read, and open for more."""

    def __init__(self, ctx: Context) -> None:
        self._path = ctx.own / FILE
        self._parts: dict[bytes, list[bytes]] = {}
        self._new: list[VerifiedImage] = []
        self._of = b""
        self._since = time.monotonic()
        end = 0
        try:
            data = self._path.read_bytes() if self._path.stat().st_size <= LARGEST else b""
        except OSError:
            data = b""
        for of, part, whole in _parts(data):
            self._parts.setdefault(of, []).append(part)
            end = whole
        # What a kill left half written at the end makes way.
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        os.ftruncate(self._file, end)

    def begin(self, of: bytes) -> dict[str, VerifiedImage]:
        """Turn to what is checked by the rules of this digest; returns the images that were, by their key."""
        self.flush()
        self._of = of
        found: dict[str, VerifiedImage] = {}
        for part in self._parts.pop(of, []):
            try:
                found |= {image.key: image for image in _decoder.decode(zlib.decompress(part))}
            except (zlib.error, msgspec.DecodeError):  # looked at again then
                continue
        return found

    def add(self, item: ImageToCheck, seen: CheckedImage) -> None:
        """Remember a faultless image; it is on the disk within `EVERY` seconds."""
        self._new.append(VerifiedImage(item.key, checked_against(item), seen))
        if time.monotonic() - self._since >= EVERY:
            self.flush()

    def flush(self) -> None:
        """Write what is new; a disk that takes nothing costs a second look, no more."""
        self._since = time.monotonic()
        if self._new and self._file >= 0:
            part = zlib.compress(_encoder.encode(self._new), 1)
            data = _HEAD.pack(len(part), zlib.crc32(part), self._of) + part
            try:
                whole = os.write(self._file, data) == len(data)
            except OSError as error:
                log.warning("%s: %s", self._path, error)
                whole = False
            if not whole:
                self._close()
        self._new.clear()

    def close(self) -> None:
        """Write the rest."""
        self.flush()
        self._close()

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._file = -1


def forget_verified(ctx: Context) -> None:
    """Have everything looked at again."""
    (ctx.own / FILE).unlink(missing_ok=True)


def digest_of(ctx: Context, title: str, rules: Rules) -> bytes:
    """What the images of one dataset are checked by: its rules, of this tree."""
    what = (VERSION, title, rules, ctx.store.journal.tree_mark())
    return blake2b(repr(what).encode(errors="replace"), digest_size=16).digest()


def checked_against(item: ImageToCheck) -> bytes:
    """Digest of what an image's files are held against, and of which there are."""
    digest = blake2b(item.segments, digest_size=8)
    there = [bool(path) for path in (item.image, item.raw, *item.maps, item.masks)]
    digest.update(repr((there, item.masks, item.updates, item.pixels)).encode(errors="replace"))
    return digest.digest()


def unchanged(item: ImageToCheck, image: VerifiedImage | None) -> bool:
    """Was it found faultless as it is now?"""
    return image is not None and image.what == checked_against(item) and image.seen.stamps == stamps(item)


def unchanged_images(
    items: Callable[[], Iterable[ImageToCheck]], known: Mapping[str, VerifiedImage], listing: Progress
) -> Generator[Progress, None, set[str]]:
    """Names of the images that were found faultless as they are now; `listing` is told with their number."""
    if not known:
        return set()

    def look(job: Job) -> set[str]:
        same: set[str] = set()
        for number, item in enumerate(items()):
            if number % 256 == 0:
                job.say(replace(listing, doing=doing, done=listing.done + number))
            if unchanged(item, known.get(item.key)):
                same.add(item.key)
        return same

    doing = f"{listing.doing.removesuffix('listing')}what changed since it was looked at"
    return (yield from background(look, listing))


def _parts(data: bytes) -> Iterator[tuple[bytes, bytes, int]]:
    """Digest, content and end of each part, up to the first that is not whole."""
    at = 0
    while at + _HEAD.size <= len(data):
        length, sum_, of = _HEAD.unpack_from(data, at)
        end = at + _HEAD.size + length
        part = data[at + _HEAD.size : end]
        if len(part) < length or zlib.crc32(part) != sum_:
            return
        yield of, part, end
        at = end
