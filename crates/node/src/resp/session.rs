//! What one connection remembers (its protocol and its name), and the commands around the checks: enough of Redis that its clients,
//! `redis-cli` and `redis-benchmark` feel at home.

use drl_core::caps::CONNECTION_NAME_BYTES_MAX;

use crate::resp::command::{NAMES, Name, wrong_arity};
use crate::resp::door::Shared;
use crate::resp::parse::parse_integer;
use crate::resp::reply::{Protocol, Replies};
use crate::resp::transaction::Transaction;

#[derive(Debug)]
pub(crate) struct Session {
    /// Unique within the process.
    id: u64,
    protocol: Protocol,
    name: Option<Box<[u8]>>,
    /// Between `MULTI` and `EXEC`.
    pub(crate) transaction: Option<Transaction>,
}

/// The text of an error reply.
type Refusal = String;

impl Session {
    pub(crate) const fn new(id: u64) -> Self {
        Self { id, protocol: Protocol::Two, name: None, transaction: None }
    }

    /// Answers a command that is no check. An `Err` is the error reply; nothing was written then.
    pub(crate) fn answer(
        &mut self,
        (text, name): (&str, Name),
        arguments: &[&[u8]],
        shared: &Shared,
        replies: &mut Replies,
    ) -> Result<(), Refusal> {
        match (name, arguments) {
            (Name::Ping, []) => replies.simple("PONG"),
            (Name::Ping | Name::Echo, [message]) => replies.bulk(message),
            (Name::Hello, _) => self.hello(arguments, replies)?,
            (Name::Auth, [_]) => {
                return Err("ERR AUTH <password> called without any password configured for the default user. \
                            Are you sure your configuration is correct?"
                    .to_owned());
            }
            (Name::Auth, [user, _]) => {
                authenticate(user)?;
                replies.simple("OK");
            }
            (Name::Command, _) => self.command(arguments, replies),
            (Name::Info, _) => replies.bulk(shared.info().as_bytes()),
            (Name::Client, [subcommand, rest @ ..]) => self.client(subcommand, rest, replies)?,
            (Name::Select, [database]) => match parse_integer(database) {
                Some(0) => replies.simple("OK"),
                Some(_) => return Err("ERR DB index is out of range".to_owned()),
                None => return Err("ERR value is not an integer or out of range".to_owned()),
            },
            (Name::Config, [subcommand, rest @ ..]) => self.config(subcommand, rest, replies)?,
            (Name::Quit, _) => replies.simple("OK"),
            (Name::Multi, []) if self.transaction.is_some() => {
                return Err("ERR MULTI calls can not be nested".to_owned());
            }
            (Name::Multi, []) => {
                self.transaction = Some(Transaction::default());
                replies.simple("OK");
            }
            (Name::Discard, []) => match self.transaction.take() {
                Some(_) => replies.simple("OK"),
                None => return Err("ERR DISCARD without MULTI".to_owned()),
            },
            (Name::Reset, []) => {
                *self = Self::new(self.id);
                replies.simple("RESET");
            }
            _ => return Err(wrong_arity(text)),
        }
        Ok(())
    }

    /// `HELLO [2|3 [AUTH user password] [SETNAME name]]`
    fn hello(&mut self, arguments: &[&[u8]], replies: &mut Replies) -> Result<(), Refusal> {
        let (mut protocol, mut name) = (self.protocol, None);
        if let Some((version, options)) = arguments.split_first() {
            protocol = match parse_integer(version) {
                Some(2) => Protocol::Two,
                Some(3) => Protocol::Three,
                Some(_) => return Err("NOPROTO unsupported protocol version".to_owned()),
                None => return Err("ERR Protocol version is not an integer or out of range".to_owned()),
            };
            name = hello_options(options)?;
        }
        self.protocol = protocol;
        if let Some(name) = name {
            self.name = checked_name(name)?;
        }
        replies.map(7, protocol);
        for (key, value) in [("server", "drl"), ("version", env!("CARGO_PKG_VERSION"))] {
            replies.bulk(key.as_bytes());
            replies.bulk(value.as_bytes());
        }
        replies.bulk(b"proto");
        replies.integer(if protocol == Protocol::Two { 2 } else { 3 });
        replies.bulk(b"id");
        replies.integer(self.id.cast_signed());
        for (key, value) in [("mode", "standalone"), ("role", "master")] {
            replies.bulk(key.as_bytes());
            replies.bulk(value.as_bytes());
        }
        replies.bulk(b"modules");
        replies.array(0);
        Ok(())
    }

    /// `COMMAND COUNT` and `LIST` say what there is; details, which nobody needs, are empty.
    fn command(&self, arguments: &[&[u8]], replies: &mut Replies) {
        let is = |name: &[u8]| arguments.first().is_some_and(|argument| argument.eq_ignore_ascii_case(name));
        let count = i64::try_from(NAMES.len()).unwrap_or(0);
        if is(b"COUNT") {
            replies.integer(count);
        } else if is(b"LIST") {
            replies.array(count);
            for (name, _) in NAMES {
                replies.bulk(name.as_bytes());
            }
        } else if is(b"DOCS") {
            replies.map(0, self.protocol);
        } else {
            replies.array(0);
        }
    }

    fn client(&mut self, subcommand: &[u8], rest: &[&[u8]], replies: &mut Replies) -> Result<(), Refusal> {
        let is = |name: &[u8]| subcommand.eq_ignore_ascii_case(name);
        match rest {
            [name] if is(b"SETNAME") => {
                self.name = checked_name(name)?;
                replies.simple("OK");
            }
            [_, _] if is(b"SETINFO") => replies.simple("OK"),
            [_] if is(b"NO-EVICT") || is(b"NO-TOUCH") => replies.simple("OK"),
            [] if is(b"ID") => replies.integer(self.id.cast_signed()),
            [] if is(b"GETNAME") => match &self.name {
                Some(name) => replies.bulk(name),
                None => replies.null(self.protocol),
            },
            [] if is(b"INFO") => {
                let name = self.name.as_deref().unwrap_or_default().escape_ascii();
                let protocol = if self.protocol == Protocol::Two { 2 } else { 3 };
                replies.bulk(format!("id={} name={name} resp={protocol}\n", self.id).as_bytes());
            }
            _ => {
                return Err("ERR unknown CLIENT subcommand or wrong number of arguments; \
                            there are ID, INFO, GETNAME, SETNAME, SETINFO, NO-EVICT and NO-TOUCH"
                    .to_owned());
            }
        }
        Ok(())
    }

    /// `CONFIG GET` for `redis-benchmark`, which asks how durable the server is: every admission is journalled.
    fn config(&self, subcommand: &[u8], names: &[&[u8]], replies: &mut Replies) -> Result<(), Refusal> {
        if !subcommand.eq_ignore_ascii_case(b"GET") || names.is_empty() {
            return Err("ERR only CONFIG GET is known here; a node is configured by the flags of drl serve".to_owned());
        }
        let known = [("save", ""), ("appendonly", "yes"), ("databases", "1")];
        let asked = |key: &str| names.iter().any(|name| name.eq_ignore_ascii_case(key.as_bytes()));
        let found: Vec<_> = known.iter().filter(|(key, _)| asked(key)).collect();
        replies.map(i64::try_from(found.len()).unwrap_or(0), self.protocol);
        for (key, value) in found {
            replies.bulk(key.as_bytes());
            replies.bulk(value.as_bytes());
        }
        Ok(())
    }
}

/// `[AUTH user password] [SETNAME name]`, in any order; the new name, if there is one.
fn hello_options<'a>(mut options: &'a [&'a [u8]]) -> Result<Option<&'a [u8]>, Refusal> {
    let mut name = None;
    loop {
        options = match options {
            [] => return Ok(name),
            [auth, user, _, rest @ ..] if auth.eq_ignore_ascii_case(b"AUTH") => {
                authenticate(user)?;
                rest
            }
            [setname, new, rest @ ..] if setname.eq_ignore_ascii_case(b"SETNAME") => {
                checked_name(new)?;
                name = Some(*new);
                rest
            }
            _ => return Err("ERR Syntax error in HELLO".to_owned()),
        };
    }
}

/// There are no passwords here; the default user has any, and other users do not exist.
fn authenticate(user: &[u8]) -> Result<(), Refusal> {
    if user == b"default" {
        return Ok(());
    }
    Err("WRONGPASS invalid username-password pair or user is disabled.".to_owned())
}

/// A connection's name; the empty one takes the name away.
fn checked_name(name: &[u8]) -> Result<Option<Box<[u8]>>, Refusal> {
    if name.len() > CONNECTION_NAME_BYTES_MAX || !name.iter().all(u8::is_ascii_graphic) {
        return Err("ERR Client names cannot contain spaces, newlines or special characters.".to_owned());
    }
    Ok(if name.is_empty() { None } else { Some(name.into()) })
}
