//! Every code of a problem document, with its status and what a client should do. The document of the codes is generated
//! from this table, and a test compares it with the rest of the interface.

/// A kind of problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProblemCode {
    /// The code. Stable.
    pub code: &'static str,
    /// The HTTP status that it comes with.
    pub status: u16,
    /// What it means and what to do, for a developer.
    pub advice: &'static str,
}

impl ProblemCode {
    const fn new(code: &'static str, status: u16, advice: &'static str) -> Self {
        Self { code, status, advice }
    }
}

/// All of them, in the order of the codes.
pub const PROBLEM_CODES: &[ProblemCode] = &[
    ProblemCode::new(
        "account_not_allowed",
        422,
        "the key posts events of one account only, and the event names another",
    ),
    ProblemCode::new("bad_cursor", 400, "`cursor` must be the one that the previous page returned"),
    ProblemCode::new(
        "bad_gzip",
        400,
        "`Content-Encoding` says gzip, but the body is not gzip, is incomplete, or has more than 1,000 members",
    ),
    ProblemCode::new(
        "bad_hops",
        400,
        "the header `posthaste-hops` is not a number from 0 to 255; copy it from the delivery",
    ),
    ProblemCode::new("bad_limit", 400, "`limit` must be a number from 1 to 1000"),
    ProblemCode::new(
        "bad_name",
        400,
        "an account in the path, or a name in the query, has a character that names can't have (another id in the path: `not_found`, or with `PUT` a mistake in `errors`)",
    ),
    ProblemCode::new("bad_outcome", 400, "`outcome` is not an outcome or reason; `GET /v1/activity` lists them"),
    ProblemCode::new("bad_precondition", 400, "`If-Match` or `If-None-Match` is not supported in this form"),
    ProblemCode::new("bad_query", 400, "the query can't be read, or has an unknown parameter"),
    ProblemCode::new(
        "body_incomplete",
        400,
        "the connection ended before the body did, or a chunk of the body is malformed",
    ),
    ProblemCode::new("body_timeout", 408, "the body did not arrive within `server.body_timeout_ms`"),
    ProblemCode::new("body_too_large", 413, "the body is too large; events can be sent in parts"),
    ProblemCode::new("dispatch_unresponsive", 503, "the threads that send did not respond in time; try again"),
    ProblemCode::new(
        "engine_full",
        429,
        "a bound of the node, or the account's share of it, is reached; try again after `Retry-After` seconds",
    ),
    ProblemCode::new("forbidden", 403, "the key's scope does not allow this ([keys.md](keys.md))"),
    ProblemCode::new("head_timeout", 408, "the request's head did not arrive within `server.head_timeout_ms`"),
    ProblemCode::new("head_too_large", 431, "the head has more than 32 kB"),
    ProblemCode::new(
        "header_value_required",
        422,
        "a header's value is not saved, or was saved for the trigger's previous destination; send it",
    ),
    ProblemCode::new(
        "host_not_allowed",
        403,
        "the node has no operator key, and the request names another host than the node's; see `server.hosts` ([keys.md](keys.md))",
    ),
    ProblemCode::new(
        "id_in_progress",
        503,
        "an earlier request with the id of one of these events has no result yet; try again after `Retry-After` seconds",
    ),
    ProblemCode::new("id_taken", 409, "there is a record with this id; `PUT` replaces it"),
    ProblemCode::new("internal_error", 500, "an internal error, which the log names; nothing was done"),
    ProblemCode::new("invalid_check", 422, "the document has mistakes; `errors` or `diagnostics` names each"),
    ProblemCode::new("invalid_explain", 422, "the document has mistakes; `errors` or `diagnostics` names each"),
    ProblemCode::new("invalid_key", 422, "the document has mistakes; `errors` or `diagnostics` names each"),
    ProblemCode::new("invalid_rotation", 422, "the document has mistakes; `errors` or `diagnostics` names each"),
    ProblemCode::new("invalid_template", 422, "the document has mistakes; `errors` or `diagnostics` names each"),
    ProblemCode::new("invalid_test", 422, "the document has mistakes; `errors` or `diagnostics` names each"),
    ProblemCode::new("invalid_trigger", 422, "the document has mistakes; `errors` or `diagnostics` names each"),
    ProblemCode::new("key_malformed", 401, "the header is not `Authorization: Bearer …`"),
    ProblemCode::new("key_missing", 401, "send a key: `Authorization: Bearer …`"),
    ProblemCode::new("key_unknown", 401, "the key does not exist, or was deleted ([keys.md](keys.md))"),
    ProblemCode::new("loop", 508, "the events came through 8 deliveries in a row"),
    ProblemCode::new("malformed_body", 400, "the body does not follow its media type; `detail` says where and why"),
    ProblemCode::new("malformed_json", 400, "an event is not JSON (in `rejected`: that event only)"),
    ProblemCode::new(
        "malformed_request",
        400,
        "the request is not valid in HTTP/1.1: its request line, `Host`, or how it says the length of its body",
    ),
    ProblemCode::new("method_not_allowed", 405, "`Allow` lists the methods of the path"),
    ProblemCode::new("no_events", 422, "the request holds no event"),
    ProblemCode::new("no_good_event", 422, "every event of the request has a mistake; `rejected` names each"),
    ProblemCode::new(
        "no_such_path",
        404,
        "the path does not exist; `/console` is the web console, and `/v1/openapi.json` lists all paths",
    ),
    ProblemCode::new(
        "not_an_ingest_node",
        503,
        "the node accepts no events; post them to a node with the role `ingest`",
    ),
    ProblemCode::new("not_found", 404, "there is no such record"),
    ProblemCode::new(
        "origin_not_allowed",
        403,
        "the node has no operator key, and the request comes from a page of another origin ([keys.md](keys.md))",
    ),
    ProblemCode::new(
        "precondition_failed",
        412,
        "the entity tag of the record differs, and the response has the current one; or there is no record, or one where the request requires none",
    ),
    ProblemCode::new(
        "quota_exceeded",
        409,
        "the account has reached a quota of triggers, templates or bytes (`[quotas]`)",
    ),
    ProblemCode::new("rate_limited", 429, "the account posts more events a second than `ingest.rate_per_account_s`"),
    ProblemCode::new(
        "record_unreadable",
        409,
        "what is stored under this id can't be read (lists name such ids in `unreadable`); `PUT` replaces it and `DELETE` removes it, unless `detail` says that another program replaced what the store keeps",
    ),
    ProblemCode::new(
        "recovering",
        503,
        "`/readyz` only: what the journal held at the start is being handed on, as far as its accounts have room; events are accepted",
    ),
    ProblemCode::new("stopping", 503, "the node is stopping; send the request to another node"),
    ProblemCode::new(
        "store_unavailable",
        503,
        "the store can't be read or written now; try again after `Retry-After` seconds",
    ),
    ProblemCode::new("template_in_use", 409, "a trigger uses the template"),
    ProblemCode::new(
        "test_unanswered",
        504,
        "no node reported the end of the test in time; the sample may still be sent",
    ),
    ProblemCode::new("too_many_headers", 431, "a head has at most 96 fields"),
    ProblemCode::new("too_many_secrets", 409, "end a secret before you add one"),
    ProblemCode::new("too_many_subscribers", 429, "the limit of clients that watch the activity is reached"),
    ProblemCode::new("unknown_template", 422, "the trigger names a template that the account does not have"),
    ProblemCode::new("unsupported_charset", 415, "send UTF-8"),
    ProblemCode::new(
        "unsupported_content_coding",
        415,
        "send the body without that `Content-Encoding`; events may be compressed with gzip",
    ),
    ProblemCode::new("unsupported_media_type", 415, "`detail` lists the media types"),
];
