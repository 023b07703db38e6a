//! Which brands a text names or imitates, where and how.
//!
//! ```text
//! folded characters ──▶ squeezed letters ──▶ one automaton pass ──▶ verified claims ──┐
//!        │                                                                             ├──▶ longest, most exact wins
//!        └──▶ words ──▶ deletion neighbourhood (typos) · sign patterns (masked) ──────┘
//! ```

mod fragment;
mod index;
mod masked;
mod resolve;
mod squeeze;
mod typo;
mod verify;

pub use index::can_be_found;
pub(crate) use index::{BrandIndex, KnownWords};
pub(crate) use resolve::{Effort, Found, find, various, various_by_role};
pub(crate) use squeeze::representative;
#[cfg(test)]
pub(crate) use squeeze::written_for;
