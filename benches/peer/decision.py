"""The decision table and the reasons."""

import text
from catalog import number

REVIEW_THRESHOLD = 0.5
FAR_BELOW = 0.5
SEVERITY = {"clear": 0, "review": 1, "takedown": 2}
REASONS = [
    "photo_of_known_fake",
    "counterfeit_slang",
    "look_alike_brand",
    "photo_of_genuine_product",
    "price_below_floor",
    "price_far_below_list",
    "many_brands_in_title",
    "seller_not_authorised",
    "complaints_say_fake",
    "returns_say_fake",
    "seller_had_takedowns",
    "role_contradiction",
    "condition_contradiction",
    "model_above_threshold",
    "inspired_by_brand",
    "sold_as_brand",
    "stage_missing",
    "seller_authorised",
    "used",
    "compatible_with_brand",
    "brand_negated",
    "photo_is_benign",
    "model_below_threshold",
    "no_ground_but_price",
    "nothing_found",
    "removed",
]
RANK = {reason: place for place, reason in enumerate(REASONS)}


def decide(catalog, case, probability):
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
        authorised = case.authorised if is_main else catalog.is_authorised(brand_id, listing)
        cheap = is_main and (bool(case.below_floor) or (case.ratio is not None and case.ratio < FAR_BELOW))
        grounds = grounds_of(case, brand_id, cheap, authorised, meanings, used, benign)
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
            real = any(
                RANK[r] < RANK["model_above_threshold"] and not r.startswith("price") for r in grounds
            )
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


def grounds_of(case, brand_id, cheap, authorised, meanings, used, benign):
    found = []
    roles = case.roles.get(brand_id, ())
    for match in case.matches:
        if not benign and match.reference.brand_id == brand_id:
            found.append(
                "photo_of_known_fake" if match.reference.bank == "fake" else "photo_of_genuine_product"
            )
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
    for role, reason in (
        ("compatible_with", "compatible_with_brand"),
        ("negated", "brand_negated"),
        ("inspired_by", "inspired_by_brand"),
    ):
        if role in roles:
            found.append(reason)
    return found
