"""The catalog's records, and what is built of them once: texts, search, photos, prices, sellers."""

import json
import sys
from urllib.parse import quote

import numpy as np

import photos
import search
import text


def number(value):
    """A number, also from a decimal string; None where there is none."""
    kind = type(value)
    if kind is int or kind is float:
        return value
    if value is None or kind is bool:
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def key_of(record):
    kind = record["kind"]
    if kind == "brand":
        return f"brand/{quote(record['brand_id'], safe='')}"
    if kind == "benign":
        return f"benign/{quote(record['id'], safe='')}"
    identifier = record["product_id" if kind == "product" else "id"]
    return f"{kind}/{quote(record['brand_id'], safe='')}/{quote(identifier, safe='')}"


def read_file(path):
    """The live records of a feed: of a repeated key the last."""
    with open(path, encoding="utf8") as lines:
        return list({key_of(record): record for record in map(json.loads, lines)}.values())


class Catalog:
    def __init__(self, records, lexicon):
        self.brands = [r for r in records if r["kind"] == "brand"]
        self.brand_number = {brand["brand_id"]: place for place, brand in enumerate(self.brands)}
        self.products = [r for r in records if r["kind"] == "product" and r["brand_id"] in self.brand_number]
        self.products.sort(key=lambda r: (r["brand_id"], r["product_id"]))
        titles = [text.fold(product["title"]) for product in self.products]
        brand_of = np.array([self.brand_number[product["brand_id"]] for product in self.products], np.int64)
        self.search = search.Search(titles, brand_of)
        self.texts = text.Texts(self.brands, {word for title in titles for word in title.split()}, lexicon)
        self.by_gtin = {
            gtin: place for place, r in enumerate(self.products) for gtin in r.get("gtins") or []
        }
        self.by_mpn = {
            (r["brand_id"], r["mpn"]): place for place, r in enumerate(self.products) if r.get("mpn")
        }
        self.list_price = [price_of(r.get("list_price")) for r in self.products]
        self.floor = [price_of(r.get("price_floor")) for r in self.products]
        self.sellers = {b["brand_id"]: sellers_of(b) for b in self.brands if b.get("authorised_sellers")}
        self.references = photos.References()
        self.add_photos(records)

    def add_photos(self, records):
        n_without = 0
        for record in records:
            if record["kind"] == "brand":
                continue
            bank = "genuine" if record["kind"] == "product" else record["kind"]
            identifier = record.get("product_id") or record.get("id")
            for place, image in enumerate(record.get("images") or []):
                if (image.get("features") or {}).get("pdq"):
                    key = f"{key_of(record)}#{place}"
                    about = photos.Reference(bank, record.get("brand_id"), identifier, key)
                    self.references.add(image["features"], about)
                else:
                    n_without += 1
        if n_without:
            print(f"{n_without} catalog photos without features are not searched", file=sys.stderr)

    def is_authorised(self, brand_id, listing):
        """True, False, or None where the brand lists no sellers."""
        sellers = self.sellers.get(brand_id)
        if sellers is None:
            return None
        seller = listing["seller"]
        return any(
            (marketplace is None or marketplace == (listing.get("marketplace") or ""))
            and (territories is None or seller.get("country") in territories)
            and (begin is None or (listing.get("observed_at") or "")[:10] >= begin)
            and (end is None or (listing.get("observed_at") or "9")[:10] <= end)
            for marketplace, territories, begin, end in sellers.get(seller["seller_id"], ())
        )


def price_of(money):
    """(amount, currency) or None."""
    amount = number(money.get("amount")) if isinstance(money, dict) else None
    return None if amount is None or amount <= 0 else (amount, money.get("currency"))


def sellers_of(brand):
    sellers = {}
    for entry in brand["authorised_sellers"]:
        when = (entry.get("marketplace"), entry.get("territories"), entry.get("from"), entry.get("to"))
        sellers.setdefault(entry["seller_id"], []).append(when)
    return sellers
