//! Every numeric cap of the system, each with its reason. A cap that is reached refuses; nothing here grows by itself.

mod replication;

pub use replication::*;

/// Longest client id in bytes. A UUID, an API key or an IPv6 address fits several times over, and a check still fits one
/// network packet.
pub const CLIENT_ID_BYTES_MAX: usize = 256;

/// Longest namespace name in bytes: DNS labels stop at 63, and people paste those.
pub const NAMESPACE_BYTES_MAX: usize = 64;

/// Longest node id in bytes (a Kubernetes pod name is at most 253).
pub const NODE_ID_BYTES_MAX: usize = 253;

/// Largest limit, burst and cost: 2^53, the largest integer that JSON readers keep exact.
pub const COST_MAX: u64 = 1 << 53;

/// Shortest window. Below a millisecond a decision costs more than its network round trip varies.
pub const WINDOW_NANOS_MIN: u64 = 1_000_000;

/// Longest window: a leap year.
pub const WINDOW_NANOS_MAX: u64 = 366 * 24 * 3600 * 1_000_000_000;

/// Longest time a full token bucket may take to empty into its rate (burst / rate). It keeps every time that is computed from a
/// counter inside 64 bits of nanoseconds.
pub const BURST_NANOS_MAX: u64 = 100 * WINDOW_NANOS_MAX;

/// Most sub-windows that a stored sliding window may have. Its row lists at most one entry more than that, which bounds what a row
/// from disk or a peer can make a reader allocate.
pub const SUB_WINDOWS_MAX: u8 = 64;

/// Most limits in one policy: second, minute, hour, day, week, month, year and one to spare.
pub const LIMITS_PER_POLICY_MAX: usize = 8;

/// Most limits of earlier policies that a counter goes on counting, so that a policy which comes back finds what was used.
pub const LIMITS_REMEMBERED_MAX: usize = 8;

/// Shards of a cluster when nobody chose: enough to spread over 100 nodes within a tenth, few enough to list in one etcd range.
pub const SHARDS_DEFAULT: u16 = 1_024;

/// Most shards of a cluster: each is a record in etcd and a table in memory.
pub const SHARDS_MAX: u16 = 16_384;

/// Pages of one shard. With 1,024 shards and ten million counters a page holds about 150 rows, some 6 KiB.
pub const PAGES_PER_SHARD: u8 = 64;

/// Most counters in one frame. It bounds the frame's size (a few MiB) and the time that one commit may take; when an open frame
/// is this full, checks are refused as busy until it is committed.
pub const FRAME_ROWS_MAX: usize = 65_536;

/// Most checks decided under one lock: longer batches are cut, so that nobody waits for a stranger's long batch.
pub const BATCH_CHECKS_MAX: usize = 1_024;

/// Size of the journal at which a checkpoint starts: it replays in a second or two and bounds the disk that the journal takes.
pub const JOURNAL_BYTES_MAX: u64 = 256 << 20;

/// Largest policy as JSON. Eight limits take less than one KiB; the rest is room for white space.
pub const POLICY_BYTES_MAX: usize = 64 << 10;

/// Largest policy file. Four million policies of 120 bytes fit, and reading it cannot take all memory.
pub const POLICY_FILE_BYTES_MAX: u64 = 512 << 20;

/// Most policies in one set: each takes a few hundred bytes of every node's memory.
pub const POLICIES_MAX: usize = 4_000_000;

/// Most namespaces in one set: they are teams or domains, not clients.
pub const NAMESPACES_MAX: usize = 10_000;

/// Most faults of one policy file that are kept and shown; the rest is a number. A generator that is wrong is wrong everywhere.
pub const POLICY_FAULTS_MAX: usize = 100;

/// Longest line of an access log that is read. Web servers stop at 8 KiB a header by default; with every byte of request,
/// referrer and agent escaped to four that is 96 KiB.
pub const LOG_LINE_BYTES_MAX: usize = 128 << 10;

/// Most requests in one replay: 16 bytes each, so 4 GiB.
pub const REPLAY_REQUESTS_MAX: usize = 1 << 28;

/// Most malformed lines that a replay shows with their reason; the rest is a number.
pub const REPLAY_MALFORMED_SHOWN_MAX: usize = 5;

/// Most rows in a replay's lists of clients and of minutes: what fits a screen.
pub const REPLAY_ROWS_MAX: usize = 10;

/// Largest frame or page that the store takes: RocksDB holds a value in one piece, several times over while it moves. A full
/// frame of the widest policies stays below it.
pub const STORED_BYTES_MAX: usize = 256 << 20;

/// Longest key of a stored record: a namespace and a client id fit three times over.
pub const RECORD_KEY_BYTES_MAX: usize = 1_024;

/// Most arguments of one RESP command. `DEL` with 63 keys is the longest command there is.
pub const RESP_ARGUMENTS_MAX: usize = 64;

/// Longest bulk string and longest line of RESP. Keys stop at 256 bytes; this is for whoever sends `ECHO` a page.
pub const RESP_BULK_BYTES_MAX: usize = 64 << 10;

/// Longest RESP command as a whole. It is the size of a read buffer, so a command that is longer can never be read.
pub const RESP_COMMAND_BYTES_MAX: usize = RESP_BULK_BYTES_MAX + (4 << 10);

/// Replies that are collected before they are written: some thousand checks. A client that does not read them is not read from.
pub const RESP_REPLY_BYTES_MAX: usize = 256 << 10;

/// Read buffers that are kept for reuse. Only a connection with bytes in flight holds one, so few are in use at a time.
pub const RESP_BUFFERS_KEPT_MAX: usize = 256;

/// Most policies of `CL.THROTTLE` that a buffer remembers by (burst, count, period): applications use a handful.
pub const RESP_THROTTLES_MAX: usize = 1_024;

/// Longest name that a client may give its connection.
pub const CONNECTION_NAME_BYTES_MAX: usize = 256;

/// Most connections of one front door. An idle one takes about 2 KiB, so this is 40 MiB; the file limit may allow fewer.
pub const CONNECTIONS_MAX: usize = 20_000;

/// Largest body of an HTTP request: a client id of 256 bytes takes 1.5 KiB even with every byte escaped.
pub const HTTP_BODY_BYTES_MAX: usize = 16 << 10;

/// Largest head of an HTTP request, and largest header list over HTTP/2.
pub const HTTP_HEAD_BYTES_MAX: usize = 16 << 10;

/// Largest gRPC message: 1,024 checks of 60 bytes, or the largest policy.
pub const GRPC_MESSAGE_BYTES_MAX: usize = 512 << 10;

/// Concurrent gRPC calls on one connection; more wait at the client.
pub const GRPC_STREAMS_MAX: u32 = 256;

/// Most policies in one page of a list.
pub const POLICY_PAGE_MAX: usize = 1_000;

/// Longest name of a cluster: it is part of every key in etcd, and people type it.
pub const CLUSTER_NAME_BYTES_MAX: usize = 64;

/// Most ownership records that one transaction changes. With a compare each, one for the session and one to spare it stays
/// below [`TXN_LIST_MAX`].
pub const TXN_RECORDS_MAX: usize = 100;

/// Most compares, and most operations in each branch, of one transaction. etcd takes 128; one is kept for the operation that sends
/// a transaction which only reads through the log.
pub const TXN_LIST_MAX: usize = 127;

/// Most bytes of keys and values in one transaction. etcd refuses requests above 1.5 MiB, framing included.
pub const TXN_BYTES_MAX: usize = 1 << 20;

/// Most keys in one listing of a prefix: as many policies as a set may hold, and room for broken ones.
pub const LISTING_KEYS_MAX: usize = POLICIES_MAX + 100_000;

/// Keys in one page of a listing. A page of policies takes some 300 KiB; one that is too large for a message is asked for again with
/// half as many.
pub const LISTING_PAGE_KEYS: usize = 1_000;

/// Largest message from etcd that is read. One value may have 1.5 MiB; a page or a batch of changes holds many.
pub const COORDINATION_MESSAGE_BYTES_MAX: usize = 16 << 20;

/// Updates of a watch that wait for their reader. When they are this many, the stream from etcd is not read on.
pub const WATCH_UPDATES_MAX: usize = 16;

/// Shortest session in seconds: etcd grants no less with its default election timeout.
pub const SESSION_SECS_MIN: u32 = 2;

/// Longest session in seconds. A session detects failures; an hour is no detection any more.
pub const SESSION_SECS_MAX: u32 = 3_600;

/// Most etcd endpoints of one client: etcd advises against more than seven members.
pub const ETCD_ENDPOINTS_MAX: usize = 16;

/// Revisions that embedded coordination remembers for watches. A watch that is further behind gets the whole prefix instead.
pub const EMBEDDED_HISTORY_MAX: usize = 10_000;

/// Messages of one check stream that are decided and wait until their answers may leave. More than two of a client's bursts; how many
/// checks they hold together has its own cap.
pub const STREAM_MESSAGES_IN_FLIGHT_MAX: usize = 64;

/// Broken policies of etcd that are listed with their reasons; the rest is a number. More are not read by anybody.
pub const BROKEN_POLICIES_LISTED_MAX: usize = 1_000;

/// Longest reason of a broken policy that is kept: a line or two of a screen say what is wrong.
pub const BROKEN_REASON_BYTES_MAX: usize = 512;

/// Broken policies that one update from etcd may write into the log; the rest is a number, for a generator that is wrong everywhere.
pub const BROKEN_POLICIES_LOGGED_MAX: usize = 20;

/// Changes of policies that are put into force under one lock, some 100 us. More are made into a new set beside the old one.
pub const POLICY_CHANGES_AT_ONCE_MAX: usize = 1_024;

/// Records in one save of the last good policies: some 300 KiB, one write with its fsync.
pub const LAST_GOOD_SAVE_RECORDS_MAX: usize = 1_000;

/// Checks that may be on their way to one peer, waiting or unanswered: what a busy pair of nodes decides in some ten milliseconds.
/// More are refused, so that a peer that hangs costs a few MiB and not the node.
pub const FORWARD_CHECKS_MAX: usize = 16_384;

/// Messages to one peer that may be unanswered. What comes meanwhile waits and leaves as one message, so a slow journal makes
/// messages larger and not more of them.
pub const FORWARD_MESSAGES_IN_FLIGHT_MAX: usize = 16;

/// How long a check that another node must decide may take in milliseconds, all tries together. Callers give up after a few
/// seconds, and an answer that nobody waits for is a charge for nothing.
pub const FORWARD_MILLIS_MAX: u64 = 2_000;

/// How often one check follows an owner's word that somebody else is the owner by now. Two owners in a row within one check are
/// rare already; more are a circle.
pub const FORWARD_REDIRECTS_MAX: u8 = 3;

/// Most endpoints that a client may be given: it needs one that answers, the others it learns from that one.
pub const CLIENT_ENDPOINTS_MAX: usize = 64;

/// Checks of one client that may be on their way to one node, waiting or unanswered: what a node decides in some hundred
/// milliseconds. More are refused as busy, so that a node that hangs costs its clients a few MiB.
pub const CLIENT_CHECKS_MAX: usize = 65_536;

/// Messages of one client to one node that may be unanswered. What comes meanwhile leaves as one message, so a slow node makes messages
/// larger and not more of them. Below what the node takes ([`STREAM_MESSAGES_IN_FLIGHT_MAX`]).
pub const CLIENT_MESSAGES_IN_FLIGHT_MAX: usize = 16;

/// Clients whose last decision a routing client remembers, for `on_unavailable`: 64 bytes each, so 8 MiB at most, and nothing at all while
/// every policy says what the limiter was told to do anyway.
pub const CLIENT_REMEMBERED_MAX: usize = 131_072;

/// Most connections of one load generator: a node takes 20,000, and a generator with more than this measures itself.
pub const BENCH_CONNECTIONS_MAX: usize = 1_024;

/// Most calls of one load generator that are under way: each is a task with buffers of some KiB.
pub const BENCH_CALLS_MAX: usize = 16_384;

/// Most clients that a load generator draws from: 2^32, which is more counters than any node has memory for, and exact as a float.
pub const BENCH_CLIENTS_MAX: u64 = 1 << 32;

/// Highest rate of an open loop in checks a second: more than two machines exchange.
pub const BENCH_RATE_MAX: u64 = 100_000_000;

/// Checks of one check stream that are decided and not yet answered: half a MiB, and more than a node decides in a millisecond, which
/// is what a commit takes. A client that does not read its answers holds no more than this.
pub const STREAM_CHECKS_IN_FLIGHT_MAX: usize = 8_192;

/// Client sessions of one node: as many as connections. One takes some hundred bytes beside its answers.
pub const CLIENT_SESSIONS_MAX: usize = CONNECTIONS_MAX;

/// How far the numbers of a client session may run ahead of the oldest that is not settled: one message that waits for its copy must not
/// hold up the next ones, and some hundred milliseconds have no more of them.
pub const CLIENT_SESSION_NUMBERS_MAX: usize = 1_024;

/// Checks whose answers are kept for one client session until they are settled, some 1.5 MiB: what a client may have on their way to
/// one node with [`CLIENT_MESSAGES_IN_FLIGHT_MAX`] full messages.
pub const CLIENT_SESSION_CHECKS_MAX: usize = CLIENT_MESSAGES_IN_FLIGHT_MAX * BATCH_CHECKS_MAX;

/// Checks whose answers are kept for all client sessions of a node, some 200 MiB. Clients that settle what they have read need a
/// fraction of it; 128 that settle nothing fill it, and forget theirs when others need room.
pub const CLIENT_SESSIONS_CHECKS_MAX: usize = 128 * CLIENT_SESSION_CHECKS_MAX;

/// How long a client session is kept after its last stream, in seconds: longer than any caller's deadline, so nobody still waits for what
/// is forgotten then.
pub const CLIENT_SESSION_IDLE_SECS_MAX: u64 = 30;

/// Changes that a node remembers of each shard, to tell why it is where it is.
pub const SHARD_MOVES_KEPT: usize = 4;

/// Seats in one message of a watched placement: some KiB. A reader keeps the memory of its largest message for as long as it watches.
pub const PLACEMENT_SEATS_PER_MESSAGE: usize = 128;

/// Signals of a host that wait for ownership: a few for each shard that is written for the first time.
pub const SIGNALS_WAITING_MAX: usize = 4_096;

/// Letters to other nodes that wait to be carried. Frames are bounded by [`REPLICATION_FRAMES_IN_FLIGHT_MAX`]; more of anything means
/// that nobody carries them, and all of it is said again.
pub const LETTERS_WAITING_MAX: usize = 4_096;
