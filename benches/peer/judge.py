"""Listings in, verdicts out, a batch at a time: findings, features, the classifier, the decision table."""

import hashlib
import math
import re
import uuid

import numpy as np

import text
from catalog import number, price_of
from decision import RANK, decide
from features import FEATURES, features

URL_NAMESPACE = uuid.NAMESPACE_URL.bytes
MATCHED = 0.7
PACK = re.compile(
    r"\b(?:kit|pack|lote?|set|combo)(?: (?:com|of|de|con|mit))? (\d{1,3})\b"
    r"|\b(\d{1,3}) ?(?:x|pcs|pack|unidades|units|pieces)\b"
)
NAN = math.nan


class Case:
    """What was found out about one listing."""

    __slots__ = (
        "listing",
        "photos",
        "matches",
        "folded",
        "claims",
        "terms",
        "complaints",
        "roles",
        "lookalike",
        "brand_id",
        "product",
        "score",
        "agree",
        "pack_size",
        "ratio",
        "below_floor",
        "authorised",
        "n_sold_as",
    )


class Judge:
    """The catalog, and a classifier once there is one."""

    def __init__(self, catalog, model=None):
        self.catalog, self.model = catalog, model

    def verdicts(self, listings, photos):
        """(verdict, fields of a flag or None) of each listing."""
        cases = self.cases(listings, photos)
        rows = np.array([features(self.catalog, case) for case in cases], np.float64)
        probabilities = self.model.predict_proba(rows)[:, 1].round(6).tolist()
        verdicts = [self.verdict(case, p) for case, p in zip(cases, probabilities)]
        flagged = [place for place, verdict in enumerate(verdicts) if verdict["decision"] == "review"]
        if flagged:
            self.contributions(flagged, rows, probabilities, verdicts)
        return [
            (verdict, flag_fields(case) if verdict["decision"] == "review" else None)
            for case, verdict in zip(cases, verdicts)
        ]

    def cases(self, listings, photos):
        """Findings of all listings. What can be done for the whole batch at once is."""
        catalog, texts = self.catalog, self.catalog.texts
        cases = []
        matches = catalog.references.search(photos)
        for listing, its_photos, its_matches in zip(listings, photos, matches):
            case = Case()
            case.listing, case.photos, case.matches = listing, its_photos, its_matches
            case.folded = text.fold(listing["title"])
            case.claims, case.terms = texts.in_field(listing["title"], case.folded, "title")
            cases.append(case)
        unnamed = [case for case in cases if not case.claims]
        texts.misspellings([case.folded for case in unnamed])
        for case in unnamed:
            case.claims = texts.misspelt_claims(case.listing["title"], case.folded)
        for case in cases:
            self.other_fields(case)
        products, scores = catalog.search.best(
            [case.folded for case in cases],
            [
                [catalog.brand_number[b] for b in dict.fromkeys(c.brand_id for c in case.claims)][:4]
                for case in cases
            ],
        )
        for case, product, score in zip(cases, products.tolist(), scores.tolist()):
            self.settle(case, product, score)
        return cases

    def other_fields(self, case):
        listing, texts = case.listing, self.catalog.texts
        for field, value in (("brand", listing.get("brand")), ("description", listing.get("description"))):
            if value:
                folded = text.fold_cached(value) if field == "brand" else text.fold(value[:20_000])
                claims, terms = texts.in_field(value, folded, field)
                case.claims += claims
                if field == "description":
                    case.terms += [t for t in terms if t.meaning not in text.NOT_NEW]
        name = listing["seller"].get("name")
        if isinstance(name, str) and name:
            case.claims += texts.in_field(name, text.fold_cached(name), "seller.name")[0]
        case.complaints = []
        complaints = (listing.get("signals") or {}).get("complaints")
        for place, complaint in enumerate(complaints[:100] if isinstance(complaints, list) else ()):
            if isinstance(complaint, str):
                terms = texts.in_field(complaint, text.fold_cached(complaint), f"complaints[{place}]")[1]
                case.complaints += [t for t in terms if t.meaning == "complaint_fake"]
        case.terms = [t for t in case.terms if t.meaning != "complaint_fake"]

    def settle(self, case, product, score):
        """The brand and the product that the listing is about, its price and its seller."""
        catalog, listing = self.catalog, case.listing
        roles, lookalike = {}, set()
        in_title = {c.brand_id for c in case.claims if c.field == "title"}
        for claim in case.claims:
            if claim.field == "title" or (claim.brand_id not in in_title and claim.field != "seller.name"):
                roles.setdefault(claim.brand_id, set()).add(claim.role)
                if claim.how not in ("exact", "alias") and claim.role == "sold_as":
                    lookalike.add(claim.brand_id)
        case.roles, case.lookalike = roles, lookalike
        case.n_sold_as = len({c.brand_id for c in case.claims if c.field == "title" and c.role == "sold_as"})
        exact = catalog.by_gtin.get(listing.get("gtin"))
        if exact is None and listing.get("mpn"):
            exact = next(
                (p for b in roles if (p := catalog.by_mpn.get((b, listing["mpn"]))) is not None), None
            )
        case.agree = ["title"]
        if exact is not None:
            product, score, case.agree = (
                exact,
                1.0,
                ["gtin" if exact == catalog.by_gtin.get(listing.get("gtin")) else "mpn"],
            )
        is_match = product >= 0 and score >= MATCHED
        if is_match and roles and catalog.products[product]["brand_id"] not in roles:
            is_match = score >= 0.9
        case.product, case.score = (product, round(score, 6)) if is_match else (None, None)
        if is_match:
            case.brand_id = catalog.products[product]["brand_id"]
        elif roles:
            case.brand_id = min(roles, key=lambda b: ("sold_as" not in roles[b], b))
        else:
            shown = sorted(m.reference.brand_id for m in case.matches if m.reference.brand_id)
            case.brand_id = shown[0] if shown else None
        found = PACK.search(case.folded)
        size = number(listing.get("pack_size")) or (number(found[1] or found[2]) if found else None)
        case.pack_size = int(size) if size and 1 <= size <= 10_000 else 1
        case.ratio = case.below_floor = None
        price = price_of(listing.get("price"))
        if price and is_match:
            unit = price[0] / case.pack_size
            list_price, floor = catalog.list_price[product], catalog.floor[product]
            if list_price and list_price[1] == price[1]:
                case.ratio = round(unit / list_price[0], 6)
            if floor and floor[1] == price[1]:
                case.below_floor = unit < floor[0]
        case.authorised = catalog.is_authorised(case.brand_id, listing) if case.brand_id else None

    def verdict(self, case, probability):
        listing = case.listing
        marketplace, version = listing.get("marketplace") or "", listing.get("version") or 1
        removed = listing.get("status") == "removed"
        decision, row, reasons, brand_id = (
            ("clear", None, ["removed"], None) if removed else decide(self.catalog, case, probability)
        )
        missing = [f"image {p.image}: {p.failure}" for p in case.photos if p.failure]
        if missing and decision == "clear" and not removed and brand_id and self.catalog.references.about:
            decision, reasons = "abstain", [*reasons, "stage_missing"]
        signals = listing.get("signals") or {}
        sold = number(signals.get("sold_count"))
        weight = 1 + (sold if sold is not None else sum(signals.get("rating_counts") or ()))
        price = self.catalog.list_price[case.product] if case.product is not None else None
        verdict = {
            "flag_id": flag_id(marketplace, listing["listing_id"], version),
            "revision": 1,
            "listing_id": listing["listing_id"],
            "listing_version": version,
            "marketplace": marketplace,
            "seller_id": listing["seller"]["seller_id"],
            "observed_at": listing.get("observed_at"),
            "decision": decision,
            "row": row,
            "probability": probability,
            "priority": round(probability * weight * (price[0] if price else 1)),
        }
        if brand_id:
            verdict["brand_id"] = brand_id
        if case.product is not None and not removed:
            verdict["product_id"] = self.catalog.products[case.product]["product_id"]
        verdict["reasons"] = sorted(set(reasons), key=RANK.__getitem__)
        verdict["evidence"] = [] if removed else self.evidence(case)
        verdict["completeness"] = "partial" if missing else "full"
        verdict["missing"] = missing
        return verdict

    def evidence(self, case):
        listing = case.listing
        found = [
            {
                "stage": "text",
                "kind": "brand_claim",
                "brand_id": c.brand_id,
                "field": c.field,
                "span": c.span,
                "observed": c.observed,
                "how": c.how,
                "role": c.role,
                "similarity": c.similarity,
            }
            for c in sorted(case.claims, key=lambda c: (c.field, c.span, c.brand_id))
        ]
        if case.product is not None:
            product = self.catalog.products[case.product]
            found.append(
                {
                    "stage": "text",
                    "kind": "product_match",
                    "brand_id": product["brand_id"],
                    "product_id": product["product_id"],
                    "probability": case.score,
                    "agree": case.agree,
                }
            )
        found += [
            {
                "stage": "text",
                "kind": "term",
                "term": t.term,
                "meaning": t.meaning,
                "field": t.field,
                "span": t.span,
            }
            for t in sorted(case.terms + case.complaints, key=lambda t: (t.field, t.span))
        ]
        found += [
            {
                "stage": "image",
                "kind": "photo_match",
                "image": m.image,
                "reference": m.reference.key,
                "bank": m.reference.bank,
                "distance": m.distance,
                "transform": m.transform,
                "quality": m.quality,
            }
            for m in sorted(case.matches, key=lambda m: (m.image, m.distance, m.reference.key))[:20]
        ]
        if case.authorised is not None:
            found.append(
                {
                    "stage": "facts",
                    "kind": "seller_authorisation",
                    "brand_id": case.brand_id,
                    "authorised": case.authorised,
                }
            )
        if case.ratio is not None:
            list_price = self.catalog.list_price[case.product]
            found.append(
                {
                    "stage": "facts",
                    "kind": "unit_price",
                    "listed": f"{float(listing['price']['amount']) / case.pack_size:.2f}",
                    "list_price": f"{list_price[0]:.2f}",
                    "ratio": case.ratio,
                    "pack_size": case.pack_size,
                    "currency": list_price[1],
                }
            )
        return found

    def contributions(self, flagged, rows, probabilities, verdicts):
        """For each flag the five features without which the probability would change most."""
        n = len(FEATURES)
        asked = np.repeat(rows[flagged], n, axis=0)
        asked.reshape(len(flagged), n, n)[:, np.arange(n), np.arange(n)] = NAN
        without = self.model.predict_proba(asked)[:, 1].reshape(len(flagged), n)
        for place, listing in enumerate(flagged):
            deltas = (probabilities[listing] - without[place]).round(6)
            for feature in np.argsort(-np.abs(deltas), kind="stable")[:5].tolist():
                value = float(rows[listing, feature])
                if deltas[feature] and not math.isnan(value):
                    verdicts[listing]["evidence"].append(
                        {
                            "stage": "classifier",
                            "kind": "contribution",
                            "feature": FEATURES[feature],
                            "value": round(value, 6),
                            "delta": float(deltas[feature]),
                        }
                    )


def flag_fields(case):
    """What a flag has beside its verdict: the listing without picture bytes, and the photos."""
    listing = case.listing
    if any(image.get("data") for image in listing.get("images") or ()):
        digests = {photo.image: photo.sha256 for photo in case.photos}
        images = [
            {**{k: v for k, v in image.items() if k != "data"}, "sha256": digests.get(place)}
            for place, image in enumerate(listing["images"])
        ]
        listing = {**listing, "images": images}
    photos = [
        {"image": p.image, "sha256": p.sha256, "pdq": p.hashes[0].tobytes().hex(), "quality": p.quality}
        for p in case.photos
        if p.hashes is not None
    ]
    return {"listing": listing, "photos": photos}


def flag_id(marketplace, listing_id, version):
    """UUIDv5 in the URL namespace, as `uuid.uuid5` gives it, without its slow parts."""
    name = f"touchstone:flag:{marketplace}\n{listing_id}\n{version}".encode()
    digest = bytearray(hashlib.sha1(URL_NAMESPACE + name).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    h = digest.hex()
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"
