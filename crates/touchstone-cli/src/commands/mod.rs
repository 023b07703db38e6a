//! One file for each command.

pub(crate) mod catalog;
pub(crate) mod compare;
pub(crate) mod demo;
pub(crate) mod dlq;
pub(crate) mod eval;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod hash;
pub(crate) mod load;
pub(crate) mod lookup;
pub(crate) mod policy;
pub(crate) mod run;
pub(crate) mod scan;
pub(crate) mod schema;
pub(crate) mod simulate;
pub(crate) mod topics;
pub(crate) mod train;
pub(crate) mod verify;
