//! The price of one unit against what the catalog says one unit costs.

use rust_decimal::{Decimal, RoundingStrategy};
use touchstone_catalog::Snapshot;
use touchstone_text::Unit;
use touchstone_types::{Money, ProductRecord, UnitPrice};

/// Compares the offer's price with the list prices and floors of what it holds; `None` where the listing has no price, or
/// the catalog has neither.
///
/// In a mixed bundle the list price of one unit is the mean over its units, because nobody can tell which unit the seller
/// made cheaper.
pub(crate) fn unit_price(
    price: Option<&Money>,
    pack_size: u32,
    contents: &[Unit],
    snapshot: &Snapshot,
) -> Option<UnitPrice> {
    // A price of zero is a form that was not filled in.
    let price = price.filter(|p| !p.amount().is_zero())?;
    let list_price = list_price(contents, snapshot);
    let price_floor = mean(contents, snapshot, |product| product.price_floor.as_ref());
    if list_price.is_none() && price_floor.is_none() {
        return None;
    }
    let listed = price.per_unit(pack_size);
    let ratio = list_price.as_ref().and_then(|list| listed.ratio(list));
    Some(UnitPrice { listed, list_price, price_floor, ratio, pack_size })
}

/// The list price of one unit of these contents.
pub(crate) fn list_price(contents: &[Unit], snapshot: &Snapshot) -> Option<Money> {
    mean(contents, snapshot, |product| product.list_price.as_ref())
}

/// Whether the unit price is under the floor, in one currency.
pub(crate) fn is_below_floor(price: &UnitPrice) -> Option<bool> {
    let floor = price.price_floor.as_ref()?;
    (floor.currency() == price.listed.currency()).then(|| price.listed.amount() < floor.amount())
}

/// The mean price of a unit; `None` unless every product has one, all in one currency.
fn mean(
    contents: &[Unit],
    snapshot: &Snapshot,
    price: impl Fn(&ProductRecord) -> Option<&Money>,
) -> Option<Money> {
    let mut prices = contents.iter().map(|unit| {
        let product = snapshot.product(&unit.brand_id, &unit.product_id)?;
        price(&product).map(|money| (*money, unit.count.max(1)))
    });
    let (first, n_first) = prices.next()??;
    let (mut total, mut n_units) = (first.amount() * Decimal::from(n_first), n_first);
    let mut only_one = true;
    for next in prices {
        let (money, n) = next.filter(|(money, _)| money.currency() == first.currency())?;
        only_one &= money == first;
        total = total.checked_add(money.amount().checked_mul(Decimal::from(n))?)?;
        n_units = n_units.checked_add(n)?;
    }
    if only_one {
        return Some(first);
    }
    let mean = total / Decimal::from(n_units);
    Money::new(mean.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero), first.currency()).ok()
}
