"""What is a listing and what is none."""


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
    for name in (
        "description",
        "brand",
        "category",
        "gtin",
        "mpn",
        "observed_at",
        "marketplace",
        "condition",
        "status",
    ):
        if not isinstance(listing.get(name), str | None):
            raise Rejected(f"field: `{name}` is no text")
    for name in ("price", "signals", "attributes"):
        if not isinstance(listing.get(name), dict | None):
            raise Rejected(f"field: `{name}` is no object")
    if not isinstance(listing.get("version"), int | None):
        raise Rejected("field: `version` is no whole number")
    counts = (listing.get("signals") or {}).get("rating_counts")
    if counts is not None and not (
        isinstance(counts, list) and len(counts) == 5 and all(type(n) is int for n in counts)
    ):
        raise Rejected("field: `signals.rating_counts` is no list of five whole numbers")
    images = listing.get("images")
    if not isinstance(images, list | None) or not all(isinstance(image, dict) for image in images or ()):
        raise Rejected("field: `images` is no list of objects")
    return listing
