//! The one integration binary of this crate.

#[cfg(test)]
mod tables;
#[cfg(test)]
mod weights;
