"""Listings in, verdicts out, a batch at a time: findings, features, the classifier, the decision table."""
import hashlib
import math
import re
import uuid
from datetime import datetime

import numpy as np

import text
from catalog import number, price_of

URL_NAMESPACE = uuid.NAMESPACE_URL.bytes
REVIEW_THRESHOLD = 0.5
FAR_BELOW = 0.5
MATCHED = 0.7
SEVERITY = {"clear": 0, "review": 1, "takedown": 2}
PACK = re.compile(r"\b(?:kit|pack|lote?|set|combo)(?: (?:com|of|de|con|mit))? (\d{1,3})\b|\b(\d{1,3}) ?(?:x|pcs|pack|unidades|units|pieces)\b")
FEATURES = [
    "unit_price_ratio", "below_price_floor", "pack_size", "product_match", "sold_as", "look_alike_brand", "misspelt",
    "compatible_or_negated", "inspired_by", "n_brands_in_title", "counterfeit_slang", "claims_genuine", "not_new",
    "condition_contradiction", "role_contradiction", "category_differs", "seller_authorised", "official_store",
    "seller_age", "seller_sales", "seller_rating", "seller_ratings", "seller_brands", "seller_takedowns",
    "listing_rating", "worst_rating_share", "rating_bimodality", "sold_count", "fake_complaints", "fake_return_share",
    "photo_of_genuine_product", "photo_of_known_fake", "photo_distance",
]
REASONS = [
    "photo_of_known_fake", "counterfeit_slang", "look_alike_brand", "photo_of_genuine_product", "price_below_floor",
    "price_far_below_list", "many_brands_in_title", "seller_not_authorised", "complaints_say_fake",
    "returns_say_fake", "seller_had_takedowns", "role_contradiction", "condition_contradiction",
    "model_above_threshold", "inspired_by_brand", "sold_as_brand", "stage_missing", "seller_authorised", "used",
    "compatible_with_brand", "brand_negated", "photo_is_benign", "model_below_threshold", "no_ground_but_price",
    "nothing_found", "removed",
]
RANK = {reason: place for place, reason in enumerate(REASONS)}
NAN = math.nan


class Rejected(ValueError):
    """Why a message is a dead letter."""


def check(listing):
    """Refuses what is no listing."""
    if not isinstance(listing, dict):
        raise Rejected("not_an_object: the message is no JSON object")
    seller = listing.get("seller")
    if not isinstance(seller, dict):
        raise Rejected("field: `seller` is missing or no object")
    if not isinstance(seller.get("seller_id"), str) or not seller["seller_id"]:
        raise Rejected("field: `seller.seller_id` is missing")
    for name in ("listing_id", "title"):
        if not isinstance(listing.get(name), str) or not listing[name]:
            raise Rejected(f"field: `{name}` is missing or no text")
    for name in ("description", "brand", "category", "gtin", "mpn", "observed_at", "marketplace", "condition", "status"):
        if not isinstance(listing.get(name), str | None):
            raise Rejected(f"field: `{name}` is no text")
    for name in ("price", "signals", "attributes"):
        if not isinstance(listing.get(name), dict | None):
            raise Rejected(f"field: `{name}` is no object")
    images = listing.get("images")
    if not isinstance(images, list | None) or not all(isinstance(image, dict) for image in images or ()):
        raise Rejected("field: `images` is no list of objects")
    return listing


class Case:
    """What was found out about one listing."""

    __slots__ = (
        "listing", "photos", "matches", "folded", "claims", "terms", "complaints", "roles", "lookalike", "brand_id",
        "product", "score", "agree", "pack_size", "ratio", "below_floor", "authorised", "n_sold_as",
    )


class Judge:
    """The catalog, and a classifier once there is one."""

    def __init__(self, catalog, model=None):
        self.catalog, self.model = catalog, model

    def verdicts(self, listings, photos):
        """(verdict, fields of a flag or None) of each listing."""
        cases = self.cases(listings, photos)
        rows = np.array([self.features(case) for case in cases], np.float64)
        probabilities = self.model.predict_proba(rows)[:, 1].round(6).tolist()
        verdicts = [self.verdict(case, p) for case, p in zip(cases, probabilities)]
        flagged = [place for place, verdict in enumerate(verdicts) if verdict["decision"] != "clear"]
        if flagged:
            self.contributions(flagged, rows, probabilities, verdicts)
        return [(verdict, flag_fields(case) if verdict["decision"] != "clear" else None)
                for case, verdict in zip(cases, verdicts)]

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
            [[catalog.brand_number[b] for b in dict.fromkeys(c.brand_id for c in case.claims)][:4] for case in cases],
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
            exact = next((p for b in roles if (p := catalog.by_mpn.get((b, listing["mpn"]))) is not None), None)
        case.agree = ["title"]
        if exact is not None:
            product, score, case.agree = exact, 1.0, ["gtin" if exact == catalog.by_gtin.get(listing.get("gtin")) else "mpn"]
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

    def features(self, case):
        """One row, in the order of FEATURES; what is not known is NaN."""
        listing, seller = case.listing, case.listing["seller"]
        signals = listing.get("signals") or {}
        roles = case.roles.get(case.brand_id, ())
        meanings = {term.meaning for term in case.terms}
        not_new = listing.get("condition") in ("used", "refurbished") or not meanings.isdisjoint(text.NOT_NEW)
        counts = signals.get("rating_counts")
        counts = counts if isinstance(counts, list) and len(counts) == 5 else None
        total = sum(counts) if counts else 0
        worst, best = (counts[0] / total, counts[4] / total) if total >= 10 else (NAN, NAN)
        returns = number(signals.get("return_count"))
        official = seller.get("is_official_store")
        genuine = [m.distance for m in case.matches if m.reference.bank == "genuine"]
        seen = any(photo.hashes is not None for photo in case.photos)
        category = self.catalog.products[case.product].get("category") if case.product is not None else None
        return (
            NAN if case.ratio is None else min(case.ratio, 10.0),
            NAN if case.below_floor is None else float(case.below_floor),
            math.log(case.pack_size),
            NAN if case.score is None else case.score,
            "sold_as" in roles,
            case.brand_id in case.lookalike,
            any(c.how == "typo" for c in case.claims),
            "compatible_with" in roles or "negated" in roles,
            "inspired_by" in roles,
            case.n_sold_as,
            "counterfeit_slang" in meanings,
            "claims_genuine" in meanings,
            not_new,
            listing.get("condition") == "new" and not meanings.isdisjoint(text.NOT_NEW),
            "sold_as" not in roles and any(c.field == "brand" and c.brand_id == case.brand_id for c in case.claims),
            NAN if not category or not listing.get("category") else category != listing["category"],
            NAN if case.authorised is None else case.authorised,
            NAN if official is None else bool(official),
            log_of(days_between(seller.get("created_at"), listing.get("observed_at"))),
            log_of(number(seller.get("sales_count"))),
            or_nan(number(seller.get("rating"))),
            log_of(number(seller.get("rating_count"))),
            log_of(number(seller.get("n_brands"))),
            log_of(number(seller.get("prior_takedowns"))),
            or_nan(number(signals.get("rating"))),
            worst,
            worst * best * 4,
            log_of(number(signals.get("sold_count"))),
            log_of(len(case.complaints)) if signals.get("complaints") else NAN,
            (number(signals.get("fake_return_count")) or 0) / returns if returns else NAN,
            bool(genuine) if seen else NAN,
            any(m.reference.bank == "fake" for m in case.matches) if seen else NAN,
            min(genuine) if genuine else NAN,
        )

    def verdict(self, case, probability):
        listing = case.listing
        marketplace, version = listing.get("marketplace") or "", listing.get("version") or 1
        removed = listing.get("status") == "removed"
        decision, row, reasons, brand_id = ("clear", None, ["removed"], None) if removed else self.decide(case, probability)
        missing = [f"image {p.image}: {p.failure}" for p in case.photos if p.failure]
        signals = listing.get("signals") or {}
        sold = signals.get("sold_count")
        counts = signals.get("rating_counts")
        weight = 1 + (sold if sold is not None else sum(counts) if counts else 0)
        price = self.catalog.list_price[case.product] if case.product is not None else None
        verdict = {
            "flag_id": flag_id(marketplace, listing["listing_id"], version), "revision": 1,
            "listing_id": listing["listing_id"], "listing_version": version, "marketplace": marketplace,
            "seller_id": listing["seller"]["seller_id"], "observed_at": listing.get("observed_at"),
            "decision": decision, "row": row, "probability": probability,
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

    def decide(self, case, probability):
        """The first row of the table that is true, for the brand where it is severest."""
        listing = case.listing
        banks = {}
        for match in case.matches:
            banks.setdefault(match.reference.bank, set()).add(match.reference.brand_id)
        benign = "benign" in banks
        fake, genuine = (set(), set()) if benign else (banks.get("fake", set()), banks.get("genuine", set()))
        meanings = {term.meaning for term in case.terms}
        used = listing.get("condition") in ("used", "refurbished") or not meanings.isdisjoint(text.NOT_NEW)
        best = None
        for brand_id in {*case.roles, *fake, *genuine, *([case.brand_id] if case.brand_id else [])}:
            roles = case.roles.get(brand_id, ())
            is_main = brand_id == case.brand_id
            authorised = case.authorised if is_main else self.catalog.is_authorised(brand_id, listing)
            cheap = is_main and (bool(case.below_floor) or (case.ratio is not None and case.ratio < FAR_BELOW))
            grounds = self.grounds(case, brand_id, cheap, authorised, meanings, used, benign)
            column = 0 if authorised else 1 if used else 2
            by_model = "review" if probability >= REVIEW_THRESHOLD else "clear"
            if brand_id in fake:
                row, decision = 1, "review"
            elif "counterfeit_slang" in meanings and "sold_as" in roles:
                row, decision = 2, "review"
            elif brand_id in case.lookalike:
                row, decision = 3, "review"
            elif brand_id in genuine and cheap:
                row, decision = 4, "review"
            elif case.n_sold_as >= 3:
                row, decision = 5, "review"
            elif brand_id in genuine:
                row, decision = 6, "clear" if column < 2 else by_model
            elif "sold_as" in roles:
                real = any(RANK[r] < RANK["model_above_threshold"] and not r.startswith("price") for r in grounds)
                row, decision = 7, "clear" if column < 2 or not real else by_model
                grounds.append("sold_as_brand")
                if column == 2 and not real:
                    grounds.append("no_ground_but_price")
            else:
                row, decision = (8, "clear") if "inspired_by" in roles else (9, "clear")
            if row in (6, 7) and column == 2:
                grounds.append("model_above_threshold" if by_model == "review" else "model_below_threshold")
            key = (-SEVERITY[decision], row, brand_id)
            if best is None or key < best[0]:
                best = (key, decision, row, grounds, brand_id)
        return best[1:] if best else ("clear", 9, ["nothing_found"], None)

    def grounds(self, case, brand_id, cheap, authorised, meanings, used, benign):
        found = []
        roles = case.roles.get(brand_id, ())
        for match in case.matches:
            if not benign and match.reference.brand_id == brand_id:
                found.append("photo_of_known_fake" if match.reference.bank == "fake" else "photo_of_genuine_product")
        if "counterfeit_slang" in meanings:
            found.append("counterfeit_slang")
        if brand_id in case.lookalike:
            found.append("look_alike_brand")
        if cheap:
            found.append("price_below_floor" if case.below_floor else "price_far_below_list")
        if case.n_sold_as >= 3:
            found.append("many_brands_in_title")
        if authorised is not None:
            found.append("seller_authorised" if authorised else "seller_not_authorised")
        if case.complaints:
            found.append("complaints_say_fake")
        if number((case.listing.get("signals") or {}).get("fake_return_count")):
            found.append("returns_say_fake")
        if number(case.listing["seller"].get("prior_takedowns")):
            found.append("seller_had_takedowns")
        if used:
            found.append("used")
        for role, reason in (("compatible_with", "compatible_with_brand"), ("negated", "brand_negated"),
                             ("inspired_by", "inspired_by_brand")):
            if role in roles:
                found.append(reason)
        return found

    def evidence(self, case):
        listing = case.listing
        found = [
            {"stage": "text", "kind": "brand_claim", "brand_id": c.brand_id, "field": c.field, "span": c.span,
             "observed": c.observed, "how": c.how, "role": c.role, "similarity": c.similarity}
            for c in sorted(case.claims, key=lambda c: (c.field, c.span, c.brand_id))
        ]
        if case.product is not None:
            product = self.catalog.products[case.product]
            found.append({"stage": "text", "kind": "product_match", "brand_id": product["brand_id"],
                          "product_id": product["product_id"], "probability": case.score, "agree": case.agree})
        found += [
            {"stage": "text", "kind": "term", "term": t.term, "meaning": t.meaning, "field": t.field, "span": t.span}
            for t in sorted(case.terms + case.complaints, key=lambda t: (t.field, t.span))
        ]
        found += [
            {"stage": "image", "kind": "photo_match", "image": m.image, "reference": m.reference.key,
             "bank": m.reference.bank, "distance": m.distance, "transform": m.transform, "quality": m.quality}
            for m in sorted(case.matches, key=lambda m: (m.image, m.distance, m.reference.key))[:20]
        ]
        if case.authorised is not None:
            found.append({"stage": "facts", "kind": "seller_authorisation", "brand_id": case.brand_id,
                          "authorised": case.authorised})
        if case.ratio is not None:
            list_price = self.catalog.list_price[case.product]
            found.append({"stage": "facts", "kind": "unit_price",
                          "listed": f"{float(listing['price']['amount']) / case.pack_size:.2f}",
                          "list_price": f"{list_price[0]:.2f}", "ratio": case.ratio, "pack_size": case.pack_size,
                          "currency": list_price[1]})
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
                        {"stage": "classifier", "kind": "contribution", "feature": FEATURES[feature],
                         "value": round(value, 6), "delta": float(deltas[feature])})


def flag_fields(case):
    """What a flag has beside its verdict: the listing without picture bytes, and the photos."""
    listing = case.listing
    if any(image.get("data") for image in listing.get("images") or ()):
        digests = {photo.image: photo.sha256 for photo in case.photos}
        images = [{**{k: v for k, v in image.items() if k != "data"}, "sha256": digests.get(place)}
                  for place, image in enumerate(listing["images"])]
        listing = {**listing, "images": images}
    photos = [{"image": p.image, "sha256": p.sha256, "pdq": p.hashes[0].tobytes().hex(), "quality": p.quality}
              for p in case.photos if p.hashes is not None]
    return {"listing": listing, "photos": photos}


def flag_id(marketplace, listing_id, version):
    """UUIDv5 in the URL namespace, as `uuid.uuid5` gives it, without its slow parts."""
    name = f"touchstone:flag:{marketplace}\n{listing_id}\n{version}".encode()
    digest = bytearray(hashlib.sha1(URL_NAMESPACE + name).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    h = digest.hex()
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"


def or_nan(value):
    return NAN if value is None else value


def log_of(value):
    return NAN if value is None or value < 0 else math.log1p(value)


def days_between(first, last):
    if not isinstance(first, str) or not isinstance(last, str):
        return None
    try:
        return max((datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds() / 86_400, 0.0)
    except (TypeError, ValueError):
        return None
