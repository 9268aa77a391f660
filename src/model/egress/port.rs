//! Which ports may be dialled. A POST to a mail server, or to a database that reads lines, can do harm.

/// The ports that the WHATWG's Fetch standard blocks ("bad port"), as they belong to other protocols.
pub(super) const BAD: [u16; 83] = [
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109,
    110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531,
    532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060,
    5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
];

/// Whether a URL may have the port without a setting: the two ports of the web, and those that any program may use.
pub(super) fn is_open(port: u16) -> bool {
    matches!(port, 80 | 443 | 1024..) && !is_bad(port)
}

/// Whether no setting can allow the port.
pub(super) fn is_bad(port: u16) -> bool {
    BAD.binary_search(&port).is_ok()
}
