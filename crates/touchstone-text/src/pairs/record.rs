//! The two sides of a pair: an offer and a product, as texts by what they mean.

use touchstone_types::{Currency, Listing, ProductRecord};

/// What the matcher reads of an offer or of a product.
///
/// An empty text is missing. Every field but the title is optional.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PairRecord {
    /// What it is called.
    pub title: String,
    /// The brand's name.
    pub brand: String,
    /// The manufacturer's part number.
    pub mpn: String,
    /// The category.
    pub category: String,
    /// The price of the whole offer, above 0, in a currency that both sides share; else `None`.
    pub price: Option<f64>,
    /// Every other text, such as the description, in a fixed order.
    pub others: Vec<String>,
}

impl PairRecord {
    /// Reads fields by their names. `title` (or `name`), `brand` (or `manufacturer`), `mpn` (or `modelno`), `category` and `price` are known;
    /// all others are text. Of `title` and `name` the
    /// first counts and the other is one more text; so it is with the other pairs.
    ///
    /// ```
    /// use touchstone_text::PairRecord;
    /// let record = PairRecord::from_fields([("title", "Lumora LM-20 ink"), ("price", "$ 1,038.40"), ("colour", "black")]);
    /// assert_eq!(record.price, Some(1038.4));
    /// assert_eq!(record.others, ["black"]);
    /// ```
    pub fn from_fields<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut record = Self::default();
        for (name, text) in fields {
            match name {
                "title" => record.name(|r| &mut r.title, text, true),
                "name" => record.name(|r| &mut r.title, text, false),
                "brand" => record.name(|r| &mut r.brand, text, true),
                "manufacturer" => record.name(|r| &mut r.brand, text, false),
                "mpn" => record.name(|r| &mut r.mpn, text, true),
                "modelno" => record.name(|r| &mut r.mpn, text, false),
                "category" => record.category = text.to_owned(),
                "price" => record.price = price(text),
                _ => record.others.push(text.to_owned()),
            }
        }
        record
    }

    /// Puts a text where it belongs; of two the one of the first name stays there, and the other is kept as a further text.
    fn name(&mut self, place: fn(&mut Self) -> &mut String, text: &str, is_first_name: bool) {
        let taken = !place(self).is_empty();
        let mut other = text.to_owned();
        if !taken || is_first_name {
            std::mem::swap(place(self), &mut other);
        }
        if !other.is_empty() {
            self.others.push(other);
        }
    }

    /// An offer. GTINs are left out: they decide by themselves where they are.
    pub fn of_listing(listing: &Listing) -> Self {
        let own = |text: &Option<String>| text.clone().unwrap_or_default();
        let mut others: Vec<String> = listing.description.iter().cloned().collect();
        others.extend(listing.attributes.values().cloned());
        Self {
            title: listing.title.clone(),
            brand: own(&listing.brand),
            mpn: own(&listing.mpn),
            category: own(&listing.category),
            price: listing.price.as_ref().and_then(|money| positive(&money.amount().to_string())),
            others,
        }
    }

    /// A genuine product of the brand named `brand`. The list price counts only if it is in `currency`.
    pub fn of_product(product: &ProductRecord, brand: &str, currency: Option<Currency>) -> Self {
        let price = product.list_price.as_ref().filter(|money| Some(money.currency()) == currency);
        Self {
            title: product.title.clone(),
            brand: brand.to_owned(),
            mpn: product.mpn.clone().unwrap_or_default(),
            category: product.category.clone().unwrap_or_default(),
            price: price.and_then(|money| positive(&money.amount().to_string())),
            others: product.attributes.values().cloned().collect(),
        }
    }
}

/// The first number of a text; `None` unless above 0. Of points and commas the last is the decimal sign if one or two digits
/// follow it, or if it is the only point and no three digits stand behind; all others part thousands.
fn price(text: &str) -> Option<f64> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let number = &text[start..];
    let end = number.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == ',')).unwrap_or(number.len());
    let number = number[..end].trim_end_matches(['.', ',']);
    let last = number.rfind(['.', ',']);
    let Some(at) = last.filter(|&at| is_decimal_sign(number, at)) else {
        return positive(&number.replace(['.', ','], ""));
    };
    positive(&format!("{}.{}", number[..at].replace(['.', ','], ""), &number[at + 1..]))
}

fn is_decimal_sign(number: &str, at: usize) -> bool {
    let (n_behind, sign) = (number.len() - at - 1, &number[at..=at]);
    n_behind != 3 && (n_behind <= 2 || sign == "." && number.matches('.').count() == 1)
}

fn positive(number: &str) -> Option<f64> {
    number.parse().ok().filter(|&x: &f64| x.is_finite() && x > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_are_read_as_they_are_written_anywhere() {
        for (text, expected) in [
            ("38,40", Some(38.4)),
            ("R$ 1.038,40", Some(1038.4)),
            ("$1,038.40", Some(1038.4)),
            ("1,038", Some(1038.0)),
            ("1.299 €", Some(1299.0)),
            ("12.5", Some(12.5)),
            ("1.234.567", Some(1_234_567.0)),
            ("0.1234", Some(0.1234)),
            ("129.", Some(129.0)),
            ("$1,299.00 USD", Some(1299.0)),
            ("free", None),
            ("", None),
            ("0.0", None),
        ] {
            assert_eq!(price(text), expected, "{text}");
        }
    }

    #[test]
    fn no_text_is_lost() {
        for fields in [[("name", "A"), ("title", "B")], [("title", "B"), ("name", "A")]] {
            let record = PairRecord::from_fields(fields);
            assert_eq!((record.title.as_str(), record.others), ("B", vec!["A".to_owned()]));
        }
    }
}
