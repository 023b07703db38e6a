"""Photos: inline or fetched, decoded by Pillow, hashed by pdqhash in eight orientations, found by Faiss."""

import asyncio
import base64
import binascii
import collections
import hashlib
import io
import ipaddress
import queue
import threading
import warnings
from urllib.parse import urljoin, urlsplit

import aiohttp
import faiss
import numpy as np
import pdqhash
from PIL import Image

MAX_PHOTOS = 16
MAX_BYTES = 10 << 20
MAX_HOPS = 3
DECODE_TO = 240
MAX_DISTANCE = 31
CACHE_ENTRIES = 20_000
# What was done to the reference where the photo's hash of that place is the reference's.
TRANSFORMS = ["none", "rotate270", "rotate180", "rotate90", "flip", "mirror", "transpose", "transverse"]

Photo = collections.namedtuple("Photo", "image sha256 hashes quality failure")
Match = collections.namedtuple("Match", "image reference distance transform quality")
Reference = collections.namedtuple("Reference", "bank brand_id product_id key")

Image.MAX_IMAGE_PIXELS = 40_000_000
warnings.simplefilter("error", Image.DecompressionBombWarning)
faiss.omp_set_num_threads(1)


def hash_photo(data):
    """The eight PDQ hashes, 32 bytes each, and the quality. JPEGs are decoded small and without colour."""
    image = Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP", "GIF"))
    image.draft("L", (DECODE_TO, DECODE_TO))
    shrink = min(image.size) // DECODE_TO
    image = image.convert("L")
    if shrink > 1:
        image = image.reduce(shrink)
    grey = np.array(image)
    thrice = np.lib.stride_tricks.as_strided(
        grey, (*grey.shape, 3), (*grey.strides, 0)
    )  # pdqhash wants colours
    hashes, quality = pdqhash.compute_dihedral(thrice)
    return np.packbits(np.array(hashes, np.uint8), axis=1), int(quality)


class References:
    """The catalog's photo hashes."""

    def __init__(self):
        self.index = faiss.IndexBinaryFlat(256)
        self.about = []

    def add(self, features, reference):
        self.index.add(np.frombuffer(bytes.fromhex(features["pdq"]), np.uint8)[None, :])
        self.about.append(reference)

    def search(self, photos):
        """For each list of photos the nearest matches, one a photo and reference; one Faiss call for all."""
        asked = [
            (row, photo)
            for row, listing in enumerate(photos)
            for photo in listing
            if photo.hashes is not None
        ]
        found = [[] for _ in photos]
        if not asked or not self.about:
            return found
        limits, distances, ids = self.index.range_search(
            np.concatenate([p.hashes for _, p in asked]), MAX_DISTANCE + 1
        )
        for place, (row, photo) in enumerate(asked):
            best = {}
            for turn in range(8):
                at = slice(limits[8 * place + turn], limits[8 * place + turn + 1])
                for distance, reference in zip(distances[at].tolist(), ids[at].tolist()):
                    if reference not in best or distance < best[reference][0]:
                        best[reference] = (distance, turn)
            for reference, (distance, turn) in best.items():
                about = self.about[reference]
                found[row].append(Match(photo.image, about, distance, TRANSFORMS[turn], photo.quality))
        return found


class Photos:
    """Gets and hashes the photos of a batch of listings."""

    def __init__(self, origins=(), deadline=5.0, max_fetches=32):
        self.cache = collections.OrderedDict()
        self.origins, self.deadline, self.max_fetches = set(origins), deadline, max_fetches
        self.fetcher = None

    def of_batch(self, listings):
        """For each listing its photos in order; what could not be had says why."""
        photos = [[] for _ in listings]
        waiting = []
        for row, listing in enumerate(listings):
            for image, source in enumerate((listing.get("images") or [])[:MAX_PHOTOS]):
                photos[row].append(None)
                if not source.get("data"):
                    waiting.append(((row, image), source.get("url") or ""))
        fetched = self.fetch(waiting) if waiting else ()
        for row, listing in enumerate(listings):
            for image, source in enumerate((listing.get("images") or [])[:MAX_PHOTOS]):
                if source.get("data"):
                    try:
                        photos[row][image] = self.look(
                            image, base64.b64decode(source["data"], validate=True)
                        )
                    except (binascii.Error, ValueError):
                        photos[row][image] = Photo(image, None, None, None, "undecodable")
        for (row, image), data in fetched:
            failed = isinstance(data, str)
            photos[row][image] = Photo(image, None, None, None, data) if failed else self.look(image, data)
        return photos

    def look(self, image, data):
        if len(data) > MAX_BYTES:
            return Photo(image, None, None, None, "too_large")
        digest = hashlib.sha256(data).digest()
        found = self.cache.get(digest)
        if found is None:
            try:
                found = hash_photo(data)
            except Exception:  # Pillow raises many kinds on hostile bytes
                found = (None, None)
            self.cache[digest] = found
            if len(self.cache) > CACHE_ENTRIES:
                self.cache.popitem(last=False)
        else:
            self.cache.move_to_end(digest)
        hashes, quality = found
        return Photo(image, digest.hex(), hashes, quality, "undecodable" if hashes is None else None)

    def fetch(self, waiting):
        if self.fetcher is None:
            self.fetcher = Fetcher(self.origins, self.deadline, self.max_fetches)
        return self.fetcher.fetch(waiting)


class Fetcher:
    """aiohttp on a thread of its own, so that photos are hashed while others are on their way."""

    def __init__(self, origins, deadline, max_fetches):
        self.origins, self.deadline, self.max_fetches = origins, deadline, max_fetches
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        asyncio.run_coroutine_threadsafe(self.open(), self.loop).result()

    async def open(self):
        connector = aiohttp.TCPConnector(limit=self.max_fetches, resolver=PublicOnly())
        self.session = aiohttp.ClientSession(connector=connector, auto_decompress=False)

    def fetch(self, waiting):
        """Yields (label, bytes or failure) as photos arrive. The fetching has begun when this returns."""
        done = queue.SimpleQueue()
        asyncio.run_coroutine_threadsafe(self.all(waiting, done), self.loop)
        return (done.get() for _ in waiting)

    async def all(self, waiting, done):
        todo = iter(waiting)

        async def lane():
            for label, url in todo:
                done.put((label, await self.one(url)))

        await asyncio.gather(*(lane() for _ in range(min(self.max_fetches, len(waiting)))))

    async def one(self, url):
        try:
            async with asyncio.timeout(self.deadline):
                for _ in range(MAX_HOPS + 1):
                    if not self.may_fetch(url):
                        return "refused"
                    async with self.session.get(url, allow_redirects=False) as answer:
                        if answer.status in (301, 302, 303, 307, 308):
                            url = urljoin(url, answer.headers.get("location", ""))
                            continue
                        if answer.status != 200:
                            return "status"
                        if (answer.content_length or 0) > MAX_BYTES:
                            return "too_large"
                        data = bytearray()
                        async for chunk in answer.content.iter_any():
                            data += chunk
                            if len(data) > MAX_BYTES:
                                return "too_large"
                        return bytes(data)
                return "refused"
        except TimeoutError:
            return "timeout"
        except Exception:  # whatever a server can do to a client
            return "refused"

    def may_fetch(self, url):
        """https at port 443 of a public host, or an origin that was allowed by name."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            return False
        if f"{parts.scheme}://{parts.netloc}" in self.origins:
            return True
        if parts.scheme != "https" or not host or port not in (None, 443):
            return False
        try:
            return ipaddress.ip_address(host).is_global
        except ValueError:
            return True


class PublicOnly(aiohttp.ThreadedResolver):
    """Gives only public addresses; aiohttp connects to these, so no second look-up says otherwise."""

    async def resolve(self, host, *arguments, **options):
        found = await super().resolve(host, *arguments, **options)
        public = [entry for entry in found if ipaddress.ip_address(entry["host"]).is_global]
        if not public:
            raise OSError(f"{host} has no public address")
        return public
