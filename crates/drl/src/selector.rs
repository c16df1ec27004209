//! Whom a policy is for: a client, a prefix of client ids, or everybody else in the namespace. On the command line, in
//! the protocol's words, and in print.

use clap::Args;
use drl_configuration::Selector;
use drl_core::Namespace;
use drl_proto::v1;
use drl_proto::v1::selector::{Default as Everybody, Selector as Choice};
use serde_json::{Map, Value};

use crate::values::{self, ClientBytes};

/// Exactly one of the three.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Selected {
    /// The client: 1 to 256 bytes
    #[arg(value_name = "CLIENT", value_parser = values::client())]
    client: Option<ClientBytes>,
    /// Instead of CLIENT: all clients whose id begins so and that have no policy of their own; the longest prefix wins
    #[arg(long, value_name = "PREFIX", value_parser = values::client())]
    prefix: Option<ClientBytes>,
    /// Instead of CLIENT: all clients of the namespace that nothing else matches
    #[arg(long)]
    default: bool,
}

/// The namespace, alone.
#[derive(Debug, Args)]
pub(crate) struct NamespaceArgs {
    /// Namespace: 1 to 64 of a-z A-Z 0-9 . _ -
    #[arg(long, env = "DRL_NAMESPACE", value_name = "NS", default_value_t = Namespace::DEFAULT.to_string(), value_parser = values::namespace)]
    pub(crate) namespace: String,
}

/// A policy's place on the command line.
#[derive(Debug, Args)]
pub(crate) struct SelectorArgs {
    #[command(flatten)]
    selected: Selected,
    #[command(flatten)]
    namespace: NamespaceArgs,
}

impl SelectorArgs {
    pub(crate) fn place(&self) -> Place {
        let selector = match (&self.selected.client, &self.selected.prefix) {
            (Some(ClientBytes(id)), _) => Selector::Client(id.clone()),
            (None, Some(ClientBytes(prefix))) => Selector::Prefix(prefix.clone()),
            (None, None) => Selector::Default,
        };
        Place { namespace: self.namespace.namespace.clone(), selector }
    }
}

/// Where a policy is: a checked namespace, and whom it is for within it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) namespace: String,
    pub(crate) selector: Selector,
}

impl Place {
    /// `client alice, namespace default`
    pub(crate) fn phrase(&self) -> String {
        format!("{}, namespace {}", self.selector, self.namespace)
    }

    pub(crate) fn json(&self) -> Map<String, Value> {
        json(&self.namespace, Some(&self.selector))
    }
}

pub(crate) fn to_proto(selector: &Selector) -> v1::Selector {
    let choice = match selector {
        Selector::Client(id) => Choice::Client(id.clone().into()),
        Selector::Prefix(prefix) => Choice::Prefix(prefix.clone().into()),
        Selector::Default => Choice::Default(Everybody {}),
    };
    v1::Selector { selector: Some(choice) }
}

/// `None`: of a kind that a later version of the protocol added.
pub(crate) fn from_proto(selector: v1::Selector) -> Option<Selector> {
    Some(match selector.selector? {
        Choice::Client(id) => Selector::Client(id.to_vec()),
        Choice::Prefix(prefix) => Selector::Prefix(prefix.to_vec()),
        Choice::Default(_) => Selector::Default,
    })
}

/// One phrase for people: `client alice`, `prefix api-`, `default`.
pub(crate) fn phrase(selector: Option<&Selector>) -> String {
    selector.map_or_else(|| "unknown".to_owned(), ToString::to_string)
}

/// The place of a policy as the first fields of a JSON object: `namespace` and one of `client`, `prefix`, `default`.
pub(crate) fn json(namespace: &str, selector: Option<&Selector>) -> Map<String, Value> {
    let (name, value) = match selector {
        Some(Selector::Client(id)) => bytes("client", id),
        Some(Selector::Prefix(prefix)) => bytes("prefix", prefix),
        Some(Selector::Default) => ("default".to_owned(), Value::Bool(true)),
        None => ("unknown".to_owned(), Value::Bool(true)),
    };
    Map::from_iter([("namespace".to_owned(), Value::String(namespace.to_owned())), (name, value)])
}

/// A client as a phrase and as a field of JSON.
pub(crate) fn client(id: &[u8]) -> (String, (String, Value)) {
    (Selector::Client(id.to_vec()).to_string(), bytes("client", id))
}

/// A field for bytes: text as it is; what is not UTF-8 as hexadecimal digits, under a name that says so.
fn bytes(name: &str, bytes: &[u8]) -> (String, Value) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (name.to_owned(), Value::String(text.to_owned())),
        Err(_) => {
            let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
            let digits = nibbles.filter_map(|nibble| char::from_digit(nibble.into(), 16)).collect();
            (format!("{name}_hex"), Value::String(digits))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_are_not_text_are_hexadecimal_and_say_so() {
        assert_eq!(bytes("client", "é".as_bytes()), ("client".to_owned(), Value::String("é".to_owned())));
        assert_eq!(bytes("client", b"\xff\n"), ("client_hex".to_owned(), Value::String("ff0a".to_owned())));
    }
}
