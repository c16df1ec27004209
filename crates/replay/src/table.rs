//! A report for people: short, aligned, and safe to print, because keys come from a log that anyone may write into.

use std::fmt;

use crate::report::Report;

/// Widest key that is printed; the rest is dots.
const KEY_CHARS_MAX: usize = 48;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.requests.max(self.clients).to_string().len();
        writeln!(f, "requests  {:>width$}{}", self.requests, self.span())?;
        writeln!(f, "allowed   {:>width$}  {}", self.allowed, Share(self.allowed, self.requests))?;
        writeln!(f, "denied    {:>width$}  {}", self.denied, Share(self.denied, self.requests))?;
        let denied_clients = Share(self.clients_denied, self.clients);
        writeln!(f, "clients   {:>width$}  {} denied, {denied_clients}", self.clients, self.clients_denied)?;
        if self.unkeyed > 0 {
            writeln!(f, "no key    {:>width$}  not counted above", self.unkeyed)?;
        }
        if self.malformed > 0 {
            writeln!(f, "malformed {:>width$}  not counted above", self.malformed)?;
        }
        for left_out in &self.malformed_lines {
            writeln!(f, "  line {}: {}", left_out.line, left_out.reason)?;
        }
        self.write_clients(f)?;
        self.write_minutes(f)
    }
}

impl Report {
    fn span(&self) -> String {
        match (&self.first, &self.last) {
            (Some(first), Some(last)) => format!("  {first} to {last}"),
            _ => String::new(),
        }
    }

    fn write_clients(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.top_denied.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = self.top_denied.iter().map(|row| printable(&row.client)).collect();
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max("most denied".len());
        writeln!(f, "\n{:<width$}  {:>10}  {:>10}", "most denied", "requests", "denied")?;
        for (name, row) in names.iter().zip(&self.top_denied) {
            let share = Share(row.denied, row.requests);
            writeln!(f, "{name:<width$}  {:>10}  {:>10}  {share}", row.requests, row.denied)?;
        }
        Ok(())
    }

    fn write_minutes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.worst_minutes.is_empty() {
            return Ok(());
        }
        writeln!(f, "\n{:<20}  {:>10}  {:>10}", "worst minutes (UTC)", "requests", "denied")?;
        for row in &self.worst_minutes {
            writeln!(
                f,
                "{:<20}  {:>10}  {:>10}  {}",
                row.minute,
                row.requests,
                row.denied,
                Share(row.denied, row.requests)
            )?;
        }
        Ok(())
    }
}

/// Part of a whole in percent with one decimal, rounded down, so that 100.0 % means all.
struct Share(u64, u64);

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per_mille = (u128::from(self.0) * 1_000).checked_div(u128::from(self.1)).unwrap_or(0);
        write!(f, "{:>3}.{} %", per_mille / 10, per_mille % 10)
    }
}

/// Control characters could move the cursor or forge a row, so they are escaped.
fn printable(key: &str) -> String {
    let escaped: String =
        key.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() }).collect();
    if escaped.chars().count() <= KEY_CHARS_MAX {
        return escaped;
    }
    escaped.chars().take(KEY_CHARS_MAX - 3).chain("...".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_cannot_write_on_the_terminal_or_widen_the_table() {
        assert_eq!(printable("a\x1b[2J\nb\u{9b}"), "a\\u{1b}[2J\\nb\\u{9b}");
        assert_eq!(printable(&"é".repeat(49)), format!("{}...", "é".repeat(45)));
    }

    #[test]
    fn a_share_of_nothing_is_zero_and_only_all_is_a_hundred() {
        assert_eq!(Share(0, 0).to_string(), "  0.0 %");
        assert_eq!(Share(9_999, 10_000).to_string(), " 99.9 %");
        assert_eq!(Share(u64::MAX, u64::MAX).to_string(), "100.0 %");
    }
}
