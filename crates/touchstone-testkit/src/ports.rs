//! Port numbers that no other cluster takes, not even while one of our nodes is down.

use std::fs::{self, File, TryLockError};
use std::hash::{BuildHasher as _, RandomState};
use std::net::{Ipv4Addr, TcpListener};
use std::{env, process};

use anyhow::{Context, Result, bail};

use crate::layout::N_PORTS;

/// Ports from here on are divided into blocks. The range ends below 32768, where Linux begins to hand out the ports of
/// outgoing connections; one of those could otherwise sit on a port of ours while its node is down.
const FIRST: u16 = 20_000;
/// How many blocks there are.
const N_BLOCKS: u16 = 750;

/// A block of ports, ours while this value lives: other processes respect the lock on a file in the temporary folder,
/// which the system releases however we end.
#[derive(Debug)]
pub(crate) struct PortBlock {
    /// The first port of the block.
    pub(crate) base: u16,
    _lock: File,
}

/// Takes a free block, beginning the search at a random one.
pub(crate) fn reserve() -> Result<PortBlock> {
    let folder = env::temp_dir().join("touchstone-kafka-ports");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let start = RandomState::new().hash_one(process::id()) % u64::from(N_BLOCKS);
    for step in 0..N_BLOCKS {
        let block = (u16::try_from(start).unwrap_or(0) + step) % N_BLOCKS;
        let base = FIRST + block * N_PORTS;
        let path = folder.join(format!("{base}.lock"));
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .with_context(|| format!("cannot open {}", path.display()))?;
        match lock.try_lock() {
            Ok(()) if is_free(base) => return Ok(PortBlock { base, _lock: lock }),
            Ok(()) | Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", path.display()));
            }
        }
    }
    bail!("no free block of {N_PORTS} ports between {FIRST} and {}", FIRST + N_BLOCKS * N_PORTS)
}

/// Whether nobody listens on any port of the block that begins at `base`.
pub(crate) fn is_free(base: u16) -> bool {
    (0..N_PORTS).all(|i| TcpListener::bind((Ipv4Addr::LOCALHOST, base + i)).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_disjoint_and_a_listener_makes_one_busy() {
        let (first, second) = (reserve().unwrap(), reserve().unwrap());
        assert!(first.base.abs_diff(second.base) >= N_PORTS);
        assert!(is_free(first.base));
        let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, first.base + 3)).unwrap();
        assert!(!is_free(first.base));
    }
}
