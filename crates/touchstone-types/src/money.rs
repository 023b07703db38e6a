//! Money as a decimal amount and a currency; never a binary float.

use std::fmt;
use std::str::FromStr;

use rust_decimal::{Decimal, RoundingStrategy};

/// The largest amount accepted, in units of the currency.
pub const MAX_AMOUNT: i64 = 1_000_000_000_000_000;

/// Why a text and a currency are not an amount of money.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadMoney {
    /// The amount is no decimal number.
    #[error("amount \"{found}\" is not a decimal number such as \"129.90\"")]
    Amount {
        /// The start of the text that was given.
        found: String,
    },
    /// The amount is negative or above [`MAX_AMOUNT`].
    #[error("amount {found} is outside 0 to {MAX_AMOUNT}")]
    OutOfRange {
        /// The start of the amount that was given.
        found: String,
    },
    /// The currency is not three letters.
    #[error("currency \"{found}\" is not an ISO 4217 code of three letters")]
    Currency {
        /// The start of the text that was given.
        found: String,
    },
}

/// An ISO 4217 currency code, three upper-case letters; whether the code is in use is not checked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// Reads a code of three ASCII letters of either case.
    ///
    /// # Errors
    /// Anything else.
    pub fn new(code: &str) -> Result<Self, BadMoney> {
        match <[u8; 3]>::try_from(code.as_bytes()) {
            Ok(bytes) if bytes.iter().all(u8::is_ascii_alphabetic) => {
                Ok(Self(bytes.map(|b| b.to_ascii_uppercase())))
            }
            _ => Err(BadMoney::Currency { found: start_of(code) }),
        }
    }

    /// The code, for example `BRL`.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("???")
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An amount of money, zero to [`MAX_AMOUNT`], with the decimals it was written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Money {
    amount: Decimal,
    currency: Currency,
}

impl Money {
    /// The amount `amount` of `currency`.
    ///
    /// # Errors
    /// A negative amount, or one above [`MAX_AMOUNT`].
    pub fn new(amount: Decimal, currency: Currency) -> Result<Self, BadMoney> {
        if amount.is_sign_negative() && !amount.is_zero() || amount > Decimal::from(MAX_AMOUNT) {
            return Err(BadMoney::OutOfRange { found: start_of(&amount.to_string()) });
        }
        Ok(Self { amount: amount.abs(), currency })
    }

    /// Reads a decimal amount (`"129.90"`, no thousands separators, an exponent allowed) and a currency code.
    ///
    /// # Errors
    /// Text that is no number, a negative or huge amount, a currency that is not three letters.
    pub fn parse(amount: &str, currency: &str) -> Result<Self, BadMoney> {
        let currency = Currency::new(currency)?;
        let text = amount.trim();
        let parsed = Decimal::from_str_exact(text).or_else(|_| Decimal::from_scientific(text));
        match parsed {
            Ok(amount) => Self::new(amount, currency),
            // A well-formed number that does not fit a decimal is too large, not malformed.
            Err(_) if f64::from_str(text).is_ok_and(f64::is_finite) => {
                Err(BadMoney::OutOfRange { found: start_of(text) })
            }
            Err(_) => Err(BadMoney::Amount { found: start_of(text) }),
        }
    }

    /// The amount in units of the currency.
    pub fn amount(&self) -> Decimal {
        self.amount
    }

    /// The currency.
    pub fn currency(&self) -> Currency {
        self.currency
    }

    /// This amount divided among `n` units, rounded half away from zero to two decimals, or to as many as the
    /// amount has where it has more. `n` = 0 counts as 1.
    pub fn per_unit(&self, n: u32) -> Self {
        let decimals = self.amount.scale().max(2);
        let mut amount = (self.amount / Decimal::from(n.max(1)))
            .round_dp_with_strategy(decimals, RoundingStrategy::MidpointAwayFromZero);
        amount.rescale(decimals);
        Self { amount, currency: self.currency }
    }

    /// This amount divided by `other`; `None` in another currency, or when `other` is zero.
    pub fn ratio(&self, other: &Self) -> Option<f64> {
        if self.currency != other.currency || other.amount.is_zero() {
            return None;
        }
        // Both fit: amounts are at most 10^15, so a quotient beyond a decimal's range is a price of almost nothing.
        let quotient = self.amount.checked_div(other.amount)?;
        f64::from_str(&quotient.to_string()).ok()
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount, self.currency.as_str())
    }
}

fn start_of(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_keep_their_decimals_and_bad_ones_are_named() {
        let check = |amount: &str, expected: Result<&str, &str>| {
            let found = Money::parse(amount, "brl").map(|m| m.to_string()).map_err(|e| e.to_string());
            assert_eq!(found.as_deref().map_err(String::as_str), expected, "{amount}");
        };
        check("129.90", Ok("129.90 BRL"));
        check("0", Ok("0 BRL"));
        check("-0.0", Ok("0.0 BRL"));
        check("1e3", Ok("1000 BRL"));
        check("1000000000000000", Ok("1000000000000000 BRL"));
        check("1000000000000001", Err("amount 1000000000000001 is outside 0 to 1000000000000000"));
        check("1e300", Err("amount 1e300 is outside 0 to 1000000000000000"));
        check("-1", Err("amount -1 is outside 0 to 1000000000000000"));
        check("NaN", Err("amount \"NaN\" is not a decimal number such as \"129.90\""));
        check("12,90", Err("amount \"12,90\" is not a decimal number such as \"129.90\""));
        assert!(Money::parse("1", "R$").is_err());
    }

    #[test]
    fn unit_prices_are_rounded_and_ratios_need_one_currency() {
        let money = |amount: &str, currency: &str| Money::parse(amount, currency).unwrap();
        assert_eq!(money("38.40", "BRL").per_unit(2).to_string(), "19.20 BRL");
        assert_eq!(money("100", "BRL").per_unit(3).to_string(), "33.33 BRL");
        assert_eq!(money("0.05", "BRL").per_unit(2).to_string(), "0.03 BRL");
        assert_eq!(money("19.20", "BRL").ratio(&money("64.00", "BRL")), Some(0.3));
        assert_eq!(money("19.20", "BRL").ratio(&money("64.00", "USD")), None);
        assert_eq!(money("19.20", "BRL").ratio(&money("0", "BRL")), None);
    }
}
