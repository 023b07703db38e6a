//! The requests of the Kafka protocol that a client of Touchstone's sends, by their numbers.

/// A kind of request. The numbers are those of the Kafka protocol guide, "Api Keys"; kinds that are not named here pass
/// the proxy like all others, but no rule can be about them alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i16)]
pub enum ApiKey {
    /// Records for partitions.
    Produce = 0,
    /// Asks for records of partitions; the broker may wait before it answers.
    Fetch = 1,
    /// Asks for the first or last offset, or the one of a time.
    ListOffsets = 2,
    /// Asks for brokers, topics and leaders.
    Metadata = 3,
    /// A group's offsets, outside a transaction.
    OffsetCommit = 8,
    /// Asks for a group's offsets.
    OffsetFetch = 9,
    /// Asks which broker coordinates a group or a transaction.
    FindCoordinator = 10,
    /// A member enters a group.
    JoinGroup = 11,
    /// A member of a group is alive.
    Heartbeat = 12,
    /// A member leaves a group.
    LeaveGroup = 13,
    /// A member asks for its partitions; the leader says who gets which.
    SyncGroup = 14,
    /// What the broker can do: the first request on a connection.
    ApiVersions = 18,
    /// New topics.
    CreateTopics = 19,
    /// Asks for a producer id and, with a transactional id, fences the one before.
    InitProducerId = 22,
    /// Partitions that a transaction will write to.
    AddPartitionsToTxn = 24,
    /// A group whose offsets a transaction will commit.
    AddOffsetsToTxn = 25,
    /// Commits or aborts a transaction.
    EndTxn = 26,
    /// A group's offsets, inside a transaction.
    TxnOffsetCommit = 28,
}

impl ApiKey {
    /// As it stands in a request.
    #[must_use]
    pub fn number(self) -> i16 {
        self as i16
    }
}
