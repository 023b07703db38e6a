"""The features of the classifier."""

import math
from datetime import datetime

import text
from catalog import number

NAN = math.nan
FEATURES = [
    "unit_price_ratio",
    "below_price_floor",
    "pack_size",
    "product_match",
    "sold_as",
    "look_alike_brand",
    "misspelt",
    "compatible_or_negated",
    "inspired_by",
    "n_brands_in_title",
    "counterfeit_slang",
    "claims_genuine",
    "not_new",
    "condition_contradiction",
    "role_contradiction",
    "category_differs",
    "seller_authorised",
    "official_store",
    "seller_age",
    "seller_sales",
    "seller_rating",
    "seller_ratings",
    "seller_brands",
    "seller_takedowns",
    "listing_rating",
    "worst_rating_share",
    "rating_bimodality",
    "sold_count",
    "fake_complaints",
    "fake_return_share",
    "photo_of_genuine_product",
    "photo_of_known_fake",
    "photo_distance",
]


def features(catalog, case):
    """One row, in the order of FEATURES; what is not known is NaN."""
    listing, seller = case.listing, case.listing["seller"]
    signals = listing.get("signals") or {}
    roles = case.roles.get(case.brand_id, ())
    meanings = {term.meaning for term in case.terms}
    not_new = listing.get("condition") in ("used", "refurbished") or not meanings.isdisjoint(text.NOT_NEW)
    counts = signals.get("rating_counts")
    total = sum(counts) if counts else 0
    worst, best = (counts[0] / total, counts[4] / total) if total >= 10 else (NAN, NAN)
    returns = number(signals.get("return_count"))
    official = seller.get("is_official_store")
    genuine = [m.distance for m in case.matches if m.reference.bank == "genuine"]
    seen = any(photo.hashes is not None for photo in case.photos)
    category = catalog.products[case.product].get("category") if case.product is not None else None
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
        "sold_as" not in roles
        and any(c.field == "brand" and c.brand_id == case.brand_id for c in case.claims),
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


def or_nan(value):
    return NAN if value is None else value


def log_of(value):
    return NAN if value is None or value < 0 else math.log1p(value)


def days_between(first, last):
    if not isinstance(first, str) or not isinstance(last, str):
        return None
    try:
        return max(
            (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds() / 86_400, 0.0
        )
    except (TypeError, ValueError):
        return None
